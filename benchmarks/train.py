"""Training speed: pairs/s of Koine's loop against sentence-transformers' trainer, side by side in one run.

    python benchmarks/train.py            needs $KOINE_MIRROR (SQuAD and its Finnish)

Same real texts (SQuAD English and Finnish questions and passages), same vocabulary, model, loss (in-batch InfoNCE),
batch size and precision, one thread each, turn by turn. sentence-transformers tokenises in every step; Koine tokenised
once before, for all models of a backbone, which is not counted. Writes benchmarks/results/train.json.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", OMP_WAIT_POLICY="passive", TOKENIZERS_PARALLELISM="false")

import numpy as np
import torch
from _machine import update_results
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from koine import backbones
from koine.backbones.tokenizer import train_tokenizer
from koine.collect.readers import read_memory
from koine.params import Architecture, Languages, Optimisation, Start, Tokenizer
from koine.train.steps import train
from koine.train.tokens import tokenise

CASES = {
    "static": ("static", Tokenizer(vocab_size=30000, max_length=256), Architecture(dim=256), 256, 60),
    "tiny": ("transformer", Tokenizer(vocab_size=30000, max_length=256), Architecture(dim=128, layers=2, heads=4), 64, 8),
}
ROUNDS = 3


def main() -> None:
    """Measure all cases; the median of the rounds counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40_000, help="training pairs that are read")
    pairs = read_pairs(parser.parse_args().pairs)
    torch.set_num_threads(1)
    figures = []
    for name, (kind, tokenizer, architecture, batch, steps) in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            ours, theirs = prepare(Path(scratch), pairs, kind, tokenizer, architecture, batch, steps)
            rounds = [(ours(), theirs()) for _ in range(ROUNDS)]
        speed, rival = (float(np.median(column)) for column in zip(*rounds, strict=True))
        print(f"{name}: koine {speed:,.0f} pairs/s, sentence-transformers {rival:,.0f} pairs/s, {speed / rival:.2f} times")
        figures.append((f"train.{name}.vs_st", round(speed / rival, 2), "times", "sentence-transformers trainer"))
    update_results("train", figures)


def read_pairs(count: int) -> list[tuple[str, str, str]]:
    """(question, passage, language) in English and Finnish, in the lengths of real training."""
    from koine.collect.readers import read_squad

    mirror = Path(os.environ["KOINE_MIRROR"]) / "local"
    memory = {segment.source: segment.target for segment in read_memory(mirror / "squad-fi" / "memory.en-fi.jsonl")}
    pairs = []
    for question in itertools.islice(read_squad(mirror / "squad" / "train-v1.1.json"), count // 2):
        pairs.append((question.text, question.context, "en"))
        if question.text in memory and question.context in memory:
            pairs.append((memory[question.text], memory[question.context], "fi"))
    return pairs


def prepare(
    scratch: Path,
    pairs: list[tuple[str, str, str]],
    kind: str,
    tokenizer: Tokenizer,
    architecture: Architecture,
    batch: int,
    steps: int,
) -> tuple[Callable[[], float], Callable[[], float]]:
    """Two functions that train for `steps` batches and return pairs/s."""
    import polars as pl

    from koine.records import PARALLEL, QA
    from koine.runtime.files import text_id

    rows = [
        {
            "id": text_id(q),
            "passage_id": text_id(p),
            "group": "",
            "source": "",
            "domain": "",
            "licence": "",
            "lang": "en",
            "question": q,
            "passage": p,
            "answer": None,
        }
        for q, p, lang in pairs
        if lang == "en"
    ]
    QA.write(QA.frame(rows).unique("id", maintain_order=True), scratch / "qa.parquet")
    # The other language's rows stand for themselves here: speed does not depend on what they translate.
    other = [
        {"id": text_id(q), "passage_id": text_id(p), "lang": lang, "question": q, "passage": p}
        for q, p, lang in pairs
        if lang == "fi"
    ]
    PARALLEL.write(PARALLEL.frame(other).unique("id", maintain_order=True), scratch / "fi.parquet")
    settings = Optimisation(steps=steps, batch_size=batch, lr=1e-3)
    data = Dataset.from_polars(pl.DataFrame({"anchor": [p[0] for p in pairs], "positive": [p[1] for p in pairs]}))
    train_tokenizer([text for pair in pairs for text in pair[:2]], tokenizer, scratch / "tokenizer.json")

    tokenise(scratch / "qa.parquet", [scratch / "fi.parquet"], scratch / "tokens", tokenizer, special=kind == "transformer")

    def timed(strategy: str) -> float:
        start = time.perf_counter()
        train(
            scratch / "tokens", scratch / "ours", kind=kind, backbone=kind, source="en", strategy=strategy, alpha=0.5,
            languages=Languages(), seed=1, prefixes={"query": "", "passage": ""}, architecture=architecture,
            optimisation=settings, device="cpu",
        )  # fmt: skip
        return time.perf_counter() - start

    def ours() -> float:
        # `untrained` makes and saves the model, which the rival's trainer is not asked to do.
        return steps * batch / (timed("x-x-mono") - timed("untrained"))

    def theirs() -> float:
        model = SentenceTransformer(str(scratch / "start"), device="cpu")
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(scratch / "st"), max_steps=steps, per_device_train_batch_size=batch, learning_rate=1e-3,
            report_to=[], save_strategy="no", use_cpu=True, disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=data, loss=MultipleNegativesRankingLoss(model)
        )
        start = time.perf_counter()
        trainer.train()
        return steps * batch / (time.perf_counter() - start)

    from koine.train.tokens import TrainingSet

    texts = TrainingSet.open(scratch / "tokens", "en").passages
    start_model = backbones.create(kind, Start(), architecture, scratch / "tokens" / "tokenizer.json", texts, seed=1)
    start_model.save(scratch / "start")
    return ours, theirs


if __name__ == "__main__":
    main()
