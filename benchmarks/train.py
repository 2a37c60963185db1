"""Training speed: pairs/s of Koine's loop against sentence-transformers' trainer, side by side in one run.

    python benchmarks/train.py            needs $KOINE_MIRROR (SQuAD and its Finnish); with a GPU also XLM-R-base's architecture

Same real texts (SQuAD English and Finnish questions and passages), same vocabulary, model, loss (in-batch InfoNCE),
batch size and precision, one thread each, turn by turn. sentence-transformers tokenises in every step; Koine tokenised
once before, for all models of a backbone, which is not counted. Writes benchmarks/results/train.json.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", OMP_WAIT_POLICY="passive", TOKENIZERS_PARALLELISM="false")

import numpy as np
import torch
from _machine import update_results
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    MultipleNegativesRankingLoss,
)
from tokenizers import Tokenizer as FastTokenizer
from transformers import XLMRobertaConfig, XLMRobertaModel

from koine import backbones
from koine.backbones.tokenizer import train_tokenizer
from koine.backbones.transformer import TransformerEncoder
from koine.collect.formats.memory import read_memory
from koine.params import Architecture, Optimisation, Start, Tokenizer
from koine.runtime.device import Device
from koine.train.model import train
from koine.train.tokens import train_tokens


@dataclass(frozen=True)
class Case:
    """What is trained; `flops` are those of a token, forwards and backwards (6 for each weight that is multiplied)."""

    kind: str
    tokenizer: Tokenizer
    architecture: Architecture
    batch: int
    steps: int
    chunk: int = 0
    device: Device = "cpu"
    flops: float = 0.0


WORDS = Tokenizer(vocab_size=30000, max_length=256)
XLMR = XLMRobertaConfig(vocab_size=250002, max_position_embeddings=514, type_vocab_size=1)  # base; its dropout of .1 stays
XLMR_FLOPS = 6.0 * XLMR.num_hidden_layers * 12 * XLMR.hidden_size**2
PEAK = 989e12  # dense bfloat16 operations a second of an H200, by its data sheet
CASES = {
    "static": Case("static", WORDS, Architecture(hidden_size=256), 256, 60),
    "tiny": Case("transformer", WORDS, Architecture(hidden_size=128, num_hidden_layers=2, num_attention_heads=4), 64, 8),
}
GPU_CASES = {
    "xlmr_h200": Case("pretrained", WORDS, Architecture(), 100, 60, device="cuda", flops=XLMR_FLOPS),
    "xlmr_h200_1024": Case("pretrained", WORDS, Architecture(), 1024, 8, chunk=128, device="cuda", flops=XLMR_FLOPS),
}
ROUNDS = 3


def main() -> None:
    """Measure all cases; the median of the rounds counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40_000, help="training pairs that are read")
    pairs = read_pairs(parser.parse_args().pairs)
    torch.set_num_threads(1)
    figures = []
    for name, case in {**CASES, **(GPU_CASES if torch.cuda.is_available() else {})}.items():
        with tempfile.TemporaryDirectory() as scratch:
            ours, theirs = prepare(Path(scratch), pairs, case)
            rounds = [(ours(), theirs()) for _ in range(ROUNDS)]
            last = json.loads((Path(scratch) / "ours" / "speed.jsonl").read_text().splitlines()[-1])
        speed, rival = (float(np.median(column)) for column in zip(*rounds, strict=True))
        print(f"{name}: koine {speed:,.0f} pairs/s, sentence-transformers {rival:,.0f} pairs/s, {speed / rival:.2f} times")
        figures.append((f"train.{name}.vs_st", round(speed / rival, 2), "times", "sentence-transformers trainer"))
        if case.flops:
            used = last["tokens_per_s"] * case.flops / PEAK
            figures.append((f"train.{name}.flop_use", round(used, 3), "of 989 TFLOP/s", f"{last['memory_gb']} GB at most"))
    update_results("train", figures)


def read_pairs(count: int) -> list[tuple[str, str, str]]:
    """(question, passage, language) in English and Finnish, in the lengths of real training."""
    from koine.collect.formats.squad import read_squad

    mirror = Path(os.environ["KOINE_MIRROR"]) / "local"
    memory = {segment.source: segment.target for segment in read_memory(mirror / "squad-fi" / "memory.en-fi.jsonl")}
    pairs = []
    for question in itertools.islice(read_squad(mirror / "squad" / "train-v1.1.json"), count // 2):
        pairs.append((question.text, question.context, "en"))
        if question.text in memory and question.context in memory:
            pairs.append((memory[question.text], memory[question.context], "fi"))
    return pairs


def prepare(scratch: Path, pairs: list[tuple[str, str, str]], case: Case) -> tuple[Callable[[], float], Callable[[], float]]:
    """Two functions that train for the case's steps and return pairs/s."""
    import polars as pl

    from koine.records import QA
    from koine.runtime.files import text_id

    # The other language's rows stand for themselves here: speed does not depend on what they translate.
    empty = {"group": "", "source": "squad", "domain": "", "licence": "", "answer": None, "negatives": None}
    rows = [
        {**empty, "id": text_id(q), "passage_id": text_id(p), "lang": lang, "question": q, "passage": p} for q, p, lang in pairs
    ]
    QA.write(QA.frame(rows).unique("id", maintain_order=True), scratch / "qa.parquet")
    half = case.device == "cuda"
    optimisation = Optimisation(
        max_steps=case.steps, batch_size=case.batch, learning_rate=1e-3, bf16=half, mini_batch_size=case.chunk
    )
    data = Dataset.from_polars(pl.DataFrame({"anchor": [p[0] for p in pairs], "positive": [p[1] for p in pairs]}))
    train_tokenizer([text for pair in pairs for text in pair[:2]], case.tokenizer, scratch / "tokenizer.json")
    start = Start()
    if case.kind == "pretrained":  # XLM-R's weights would do nothing for speed: random ones of its shape, in a folder
        model = XLMRobertaModel(XLMR, add_pooling_layer=False)
        tokenizer = FastTokenizer.from_file(str(scratch / "tokenizer.json"))
        TransformerEncoder(tokenizer, {"query": "", "passage": ""}, model).save(scratch / "random")
        start = Start(model=str(scratch / "random"))
    train_tokens(scratch / "qa.parquet", scratch / "tokens", case.kind, case.tokenizer, start)

    def timed(strategy: str) -> float:
        begin = time.perf_counter()
        train(
            scratch / "tokens", scratch / "ours", strategy, case.kind, start, case.architecture, optimisation,
            device=case.device,
        )  # fmt: skip
        return time.perf_counter() - begin

    def ours() -> float:
        # `untrained` makes and saves the model, which the rival's trainer is not asked to do.
        without = timed("untrained")
        return case.steps * case.batch / (timed("x-x-mono") - without)

    def theirs() -> float:
        model = SentenceTransformer(str(scratch / "start"), device=case.device)
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(scratch / "st"), max_steps=case.steps, per_device_train_batch_size=case.batch, learning_rate=1e-3,
            report_to=[], save_strategy="no", use_cpu=not half, bf16=half, disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        plain = MultipleNegativesRankingLoss(model)
        loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=case.chunk) if case.chunk else plain
        trainer = SentenceTransformerTrainer(model=model, args=arguments, train_dataset=data, loss=loss)
        begin = time.perf_counter()
        trainer.train()
        return case.steps * case.batch / (time.perf_counter() - begin)

    from koine.train.tokens import TrainingSet

    texts = TrainingSet.open(scratch / "tokens", "en").passages
    backbones.create(case.kind, start, case.architecture, scratch / "tokens" / "tokenizer.json", texts, seed=1).save(
        scratch / "start"
    )
    return ours, theirs


if __name__ == "__main__":
    main()
