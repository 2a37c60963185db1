"""Tiny translation models of the true architectures, trained from scratch until they translate a toy language pair exactly.

The source language is English words; the target languages write each word in another alphabet-preserving way, so a model
that learned word by word translates combinations it never saw. Saved with `save_pretrained`, as the Hub has them.
"""

import itertools
import json
from pathlib import Path

import sentencepiece
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
)

WORDS = {"en": "one two red blue cat dog house sees eats sleeps", "fi": "yksi kaksi pun sini kissa koira talo näkee syö nukkuu"}
WORDS["de"] = "eins zwei rot blau Katze Hund Haus sieht frisst schläft"


def sentences(lang: str) -> list[str]:
    """All 2 x 2 x 3 x 3 sentences, in one order in every language."""
    words = WORDS[lang].split()
    return [" ".join(parts) + "." for parts in itertools.product(words[:2], words[2:4], words[4:7], words[7:])]


def sentencepieces(folder: Path, name: str, texts: list[str]) -> Path:
    """A small SentencePiece model that knows every word."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts * 3), model_prefix=str(folder / name), vocab_size=120, model_type="bpe", bos_id=-1,
        eos_id=0, unk_id=1, minloglevel=2, num_threads=1,
    )  # fmt: skip
    return (folder / f"{name}.model").rename(folder / f"{name}.spm")


def fit(model: torch.nn.Module, rows: list[tuple[list[int], list[int]]], pad: int, steps: int = 450) -> None:
    """Teach a sequence-to-sequence model (source ids, target ids) with teacher forcing."""
    torch.set_num_threads(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def padded(lists: list[list[int]], value: int) -> torch.Tensor:
        width = max(map(len, lists))
        return torch.tensor([own + [value] * (width - len(own)) for own in lists])

    sources, targets = padded([s for s, _ in rows], pad), padded([t for _, t in rows], -100)
    model.train()
    for _ in range(steps):
        loss = model(input_ids=sources, attention_mask=(sources != pad).long(), labels=targets).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


SIZES = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
SIZES |= {"encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64, "dropout": 0.0}


def held_out(lang: str) -> list[str]:
    """Every fifth sentence is never trained on."""
    return sentences(lang)[::5]


def _training(source: str, target: str) -> list[tuple[str, str]]:
    unseen = set(held_out(source))
    return [(s, t) for s, t in zip(sentences(source), sentences(target), strict=True) if s not in unseen]


def save_marian(folder: Path, source: str, target: str) -> None:
    """An OPUS-MT model of one direction."""
    folder.mkdir(parents=True)
    texts = sentences(source) + sentences(target)
    spm = sentencepieces(folder, "source", texts)
    (folder / "target.spm").write_bytes(spm.read_bytes())
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(spm))
    vocabulary = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = MarianTokenizer(
        source_spm=str(spm),
        target_spm=str(folder / "target.spm"),
        vocab=str(folder / "vocab.json"),
        source_lang=source,
        target_lang=target,
    )
    torch.manual_seed(1)
    pad = vocabulary["<pad>"]
    config = MarianConfig(
        vocab_size=len(vocabulary), pad_token_id=pad, decoder_start_token_id=pad, eos_token_id=0, bos_token_id=0,
        forced_eos_token_id=0, scale_embedding=True, activation_function="swish", **SIZES,
    )  # fmt: skip
    model = MarianMTModel(config)
    with torch.no_grad():  # Marian decodes from a start without embedding; transformers plays it by an empty row
        model.get_input_embeddings().weight[pad] = 0
    model.get_input_embeddings().weight.register_hook(
        lambda gradient: gradient.index_fill(0, torch.tensor([pad]), 0)  # tied to the output, it would be moved
    )
    rows = [(tokenizer(s).input_ids, tokenizer(text_target=t).input_ids) for s, t in _training(source, target)]
    fit(model, rows, pad)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def save_m2m100(folder: Path, directions: list[tuple[str, str]]) -> None:
    """An M2M-100 model of several directions."""
    folder.mkdir(parents=True)
    spm = sentencepieces(folder, "sentencepiece.bpe", [text for lang in WORDS for text in sentences(lang)])
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(spm))
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    for i in range(pieces.get_piece_size()):
        vocabulary.setdefault(pieces.id_to_piece(i), len(vocabulary))
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = M2M100Tokenizer(vocab_file=str(folder / "vocab.json"), spm_file=str(spm))
    torch.manual_seed(1)
    config = M2M100Config(
        vocab_size=max(tokenizer.lang_token_to_id.values()) + 9, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        decoder_start_token_id=2, scale_embedding=True, **SIZES,
    )  # fmt: skip
    model = M2M100ForConditionalGeneration(config)
    rows = []
    for source, target in directions:
        tokenizer.src_lang, tokenizer.tgt_lang = source, target
        rows += [(tokenizer(s).input_ids, tokenizer(text_target=t).input_ids) for s, t in _training(source, target)]
    fit(model, rows, 1, 600)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
