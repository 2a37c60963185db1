"""Translation speed on a CPU: Koine's ctranslate2 backend against transformers, side by side in one run.

    python benchmarks/translate.py            needs $KOINE_MIRROR (SQuAD)

OPUS-MT base's architecture (Marian, 6 + 6 layers of 512) with random weights, which never end a sentence, so that every
engine writes the same number of tokens for the same sentences: real ones of SQuAD. Same threads for all. The rivals: our
own transformers backend (`generate` on sorted batches), and the loop that people write first (a batch of eight sentences
in the order they come, with padding, `generate`). Writes benchmarks/results/translate.json.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="2", TOKENIZERS_PARALLELISM="false")

import numpy as np
import sentencepiece
import torch
from _machine import update_results
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, MarianConfig, MarianMTModel, MarianTokenizer

from koine.collect.formats.squad import read_squad
from koine.params import Decoding
from koine.text.sentences import split
from koine.translate.base import Options
from koine.translate.convert import translate_convert
from koine.translate.neural import Ctranslate2, Generate

THREADS, TOKENS, ROUNDS = 2, 24, 3
VOCABULARY, LEARNED = 58_101, 16_000  # of opus-mt models; pieces that these sentences fill, the others are never used
NAIVE_BATCH = 8


def main() -> None:
    """Measure; the median of the rounds counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=512, help="sentences a round")
    count = parser.parse_args().sentences
    torch.set_num_threads(THREADS)
    contexts = dict.fromkeys(q.context for q in itertools.islice(read_squad(_squad()), 4000))
    sentences = [sentence for context in contexts for sentence in split(context) if len(sentence) < 400]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "opus"
        standin(folder, sentences)
        chosen = sentences[:: max(1, len(sentences) // count)][:count]
        translate_convert(Path(scratch) / "int8", model=str(folder))
        decoding = Decoding(model=str(folder), num_beams=1, max_new_tokens=TOKENS)
        options = Options(decoding, Path(scratch) / "int8", threads=THREADS, batch_tokens=2048)
        fast = Ctranslate2("en", "fi", options)
        slow = Generate("en", "fi", replace(options, decoding=decoding.model_copy(update={"compute_type": "float32"})))
        naive = Naive(folder)
        rates: dict[str, list[float]] = {"ctranslate2": [], "generate": [], "naive": []}
        for _ in range(ROUNDS):
            for name, engine in (("ctranslate2", fast), ("generate", slow), ("naive", naive)):
                given = chosen[::4] if name == "naive" else chosen  # it takes long, and all its batches are alike
                start = time.perf_counter()
                engine.translate(given)
                rates[name].append(len(given) / (time.perf_counter() - start))
        ids = fast._texts.encode(chosen)
        parts = {"tokenise": lambda: fast._texts.encode(chosen), "detokenise": lambda: fast._texts.decode(ids)}
        shares = {}
        for name, part in parts.items():
            start = time.perf_counter()
            part()
            shares[name] = (time.perf_counter() - start) * np.median(rates["ctranslate2"]) / len(chosen)
    speed = {name: float(np.median(own)) for name, own in rates.items()}
    print({name: f"{value:.1f} sentences/s" for name, value in speed.items()})
    print("of the ctranslate2 backend's time:", {name: f"{share:.1%}" for name, share in shares.items()}, "the rest decodes")
    update_results(
        "translate",
        [
            (
                "translate.cpu.vs_generate",
                round(speed["ctranslate2"] / speed["generate"], 2),
                "times",
                "generate, sorted batches, fp32",
            ),
            (
                "translate.cpu.vs_naive",
                round(speed["ctranslate2"] / speed["naive"], 2),
                "times",
                "generate, batches of 8 as they come",
            ),
            *((f"translate.cpu.share.{name}", round(float(share), 4), "share", "of all time") for name, share in shares.items()),
        ],
    )


class Naive:
    """What people write first: `generate` on eight sentences at a time, in the order they come, padded."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()

    @torch.inference_mode()
    def translate(self, texts: list[str]) -> list[str]:
        """Translations in order."""
        results: list[str] = []
        for start in range(0, len(texts), NAIVE_BATCH):
            batch = self._tokenizer(texts[start : start + NAIVE_BATCH], return_tensors="pt", padding=True)
            written = self._model.generate(**batch, num_beams=1, max_new_tokens=TOKENS, max_length=None)
            results += self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return results


def standin(folder: Path, sentences: list[str]) -> None:
    """OPUS-MT base with random weights whose end token never wins, and a real tokenizer."""
    folder.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_prefix=str(folder / "source"), vocab_size=LEARNED, model_type="bpe",
        bos_id=-1, eos_id=0, unk_id=1, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    for name in ("source", "target"):
        (folder / f"{name}.spm").write_bytes((folder / "source.model").read_bytes())
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    vocabulary = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    vocabulary |= {f"<unused{i}>": i for i in range(len(vocabulary), VOCABULARY - 1)}
    vocabulary["<pad>"] = pad = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = MarianTokenizer(
        source_spm=str(folder / "source.spm"), target_spm=str(folder / "target.spm"), vocab=str(folder / "vocab.json"),
        source_lang="en", target_lang="fi",
    )  # fmt: skip
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=len(vocabulary), d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
        decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, max_position_embeddings=512, pad_token_id=pad,
        decoder_start_token_id=pad, eos_token_id=0, bos_token_id=0, forced_eos_token_id=None, scale_embedding=True,
        activation_function="swish",
    )  # fmt: skip
    model = MarianMTModel(config)
    with torch.no_grad():
        model.final_logits_bias[0, 0] = -1e4
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _squad() -> Path:
    return Path(os.environ["KOINE_MIRROR"]) / "local/squad/train-v1.1.json"


if __name__ == "__main__":
    main()
