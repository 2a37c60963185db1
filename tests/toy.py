"""A toy corpus of two artificial languages, and models trained on it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from koine.params import Architecture, Optimisation, Tokenizer
from koine.records import PARALLEL, PASSAGES, QA, QRELS, QUERIES
from koine.train.model import train
from koine.train.tokens import train_tokens

torch.set_num_threads(1)

STATIC = Architecture(hidden_size=32)
TRANSFORMER = Architecture(hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
FEW = Optimisation(max_steps=12, batch_size=16, learning_rate=0.01)
VARIED = Optimisation(max_steps=12, batch_size=16, learning_rate=0.01, query_dropout=0.2)


def vocabulary() -> list[str]:
    rng = np.random.default_rng(0)
    return sorted({"".join(rng.choice(list("bdgklmnprst"), 3)) + str(rng.choice(list("aeiou"))) for _ in range(150)})


def texts(seed: int, number: int) -> list[tuple[str, str]]:
    """Questions of four words with passages of eight that hold them."""
    rng, words = np.random.default_rng(seed), vocabulary()
    drawn = [rng.choice(words, 8, replace=False) for _ in range(number)]
    return [(" ".join(rng.permutation(own)[:4]), " ".join(own)) for own in drawn]


def other(text: str) -> str:
    """The second language: each word has a suffix, and is one token of its own, so it starts unrelated."""
    return " ".join(word + "xo" for word in text.split())


def write_corpus(folder: Path) -> None:
    """Token folders `static` and `transformer`, and a benchmark of unseen texts, `toy`. The last 100 questions are `far`'s."""
    pairs = texts(1, 400)
    rows = [{"id": f"q{i:03}", "passage_id": f"p{i:03}", "question": q, "passage": p} for i, (q, p) in enumerate(pairs)]
    empty = {"group": "", "domain": "", "licence": "", "answer": None, "lang": "en"}
    QA.write(
        QA.frame([{**empty, "source": "near" if i < 300 else "far", **row} for i, row in enumerate(rows)]), folder / "qa.parquet"
    )
    translated = [{**row, "lang": "xo", "question": other(row["question"]), "passage": other(row["passage"])} for row in rows]
    PARALLEL.write(PARALLEL.frame(translated[:-40]), folder / "xo.parquet")
    for kind in ("static", "transformer"):
        # Large enough for each word of both languages to become one token.
        settings = Tokenizer(vocab_size=2000, max_length=16, query_prefix="q: " * (kind == "transformer"))
        train_tokens(folder / "qa.parquet", folder / kind, kind, settings, parallel=[folder / "xo.parquet"])
    unseen = texts(2, 60)
    languages = {"en": str, "xo": other}
    named = [(lang, i, make(q), make(p)) for lang, make in languages.items() for i, (q, p) in enumerate(unseen)]
    QUERIES.write(
        QUERIES.frame([{"id": f"q{i}", "lang": lang, "text": q} for lang, i, q, _ in named]), folder / "toy/queries.parquet"
    )
    PASSAGES.write(
        PASSAGES.frame([{"id": f"p{i}", "lang": lang, "group": "", "text": p} for lang, i, _, p in named]),
        folder / "toy/passages.parquet",
    )
    QRELS.write(
        QRELS.frame([{"query_id": f"q{i}", "lang": lang, "passage_id": f"p{i}"} for lang, i, _, _ in named]),
        folder / "toy/qrels.parquet",
    )


def train_one(
    corpus: Path, out: Path, kind: str = "static", strategy: str = "hybrid", seed: int = 1, optimisation: Optimisation = FEW,
    **more: Any,
) -> Path:  # fmt: skip
    """Train on the toy corpus; `more` goes to `train`."""
    given = {
        "backbone": f"toy-{kind}",
        "architecture": STATIC if kind == "static" else TRANSFORMER,
        "query_prefix": "q: " * (kind == "transformer"),
        "device": "cpu",
    }
    tokens = more.pop("tokens", corpus / kind)
    train(tokens, out, strategy, kind, seed=seed, optimisation=optimisation, **{**given, **more})
    return out


def log_of(model: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (model / "train.jsonl").read_text().splitlines()]


def files(model: Path) -> dict[str, bytes]:
    """The files of a model, but for the one that says how fast it was trained."""
    return {path.name: path.read_bytes() for path in model.iterdir() if path.is_file() and path.name != "speed.jsonl"}
