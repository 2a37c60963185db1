"""The command `evaluate-probe`: a linear probe of frozen vectors for natural language inference.

It asks for XNLI's three classes (arXiv 1809.05053), trained on English alone and tested in every language, as a check that
retrieval training leaves the rest of the meaning in place.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits

from koine.evaluate.tables import write
from koine.records import Run
from koine.runtime.console import progress
from koine.runtime.device import Device, resolve
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl, read_text

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

L2 = 1.0  # the penalty is L2/2 |W|², beside the sum of the losses (scikit-learn's C = 1)
ITERATIONS = 200  # of L-BFGS at most; it stops where the gradient is flat
BLOCK = 4096  # examples whose features stand in memory
LABELS = ("contradiction", "entailment", "neutral")
SPELT = {"contradictory": "contradiction"}  # so in multinli.train.en.tsv
NO_LABEL = "-"  # annotators did not agree


@dataclass(frozen=True)
class Example:
    """A premise, a hypothesis and what is between them (a number into `LABELS`)."""

    id: str
    lang: str
    premise: str
    hypothesis: str
    label: int


def read_nli(path: Path) -> list[Example]:
    """Read a file of XNLI or MultiNLI, as they are published.

    - `xnli.dev.tsv`, `xnli.test.tsv` and their `.jsonl`: fields `language, gold_label, sentence1, sentence2, pairID`, and others.
    - `multinli.train.en.tsv` of XNLI-MT: columns `premise, hypo, label`; the language stands in the file's name.
    - `multinli_1.0_train.jsonl` (or `.txt`): as XNLI's, without `language`: English.

    Tab-separated files have a header and no quoting. Examples without an agreed label (`-`) are left out.

    Raises:
        KoineError: a column is missing or a label unknown.
    """
    examples = []
    for number, row in _rows(path):
        short = "hypo" in row
        names = ("premise", "hypo", "label") if short else ("sentence1", "sentence2", "gold_label")
        if missing := [name for name in names if row.get(name) is None]:
            raise KoineError(f"{path}:{number}: no {missing[0]!r}; expected XNLI's or MultiNLI's columns, found {', '.join(row)}")
        premise, hypothesis, label = (str(row[name]) for name in names)
        label = SPELT.get(label, label)
        if label == NO_LABEL:
            continue
        if label not in LABELS:
            raise KoineError(f"{path}:{number}: unknown label {label!r}; known are {', '.join(LABELS)}")
        lang = path.name.split(".")[-2] if short else str(row.get("language") or "en")
        examples.append(Example(str(row.get("pairID") or number), lang, premise, hypothesis, LABELS.index(label)))
    if not examples:
        raise KoineError(f"{path}: no examples in it")
    return examples


def _rows(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    if path.suffix == ".jsonl":
        yield from read_jsonl(path)
        return
    header, *lines = read_text(path).split("\n")
    names = header.rstrip("\r").split("\t")
    for number, line in enumerate(lines, start=2):
        if line:
            yield number, dict(zip(names, line.rstrip("\r").split("\t"), strict=False))


class Probe:
    """Multinomial logistic regression on `[u, v, |u - v|, u * v]` (the features of InferSent, arXiv 1705.02364).

    Features are standardised by the training set's means and deviations. The objective, `Σ log-loss + L2/2 |W|²`, is
    minimised by L-BFGS over all examples from zero weights, so nothing is drawn at random. Features are made block by
    block and never held: those of MultiNLI would take 5 GB at 768 dimensions.

    Args:
        vectors: of the distinct texts, `[t, d]`.
        premise, hypothesis: rows of `vectors`, int64 `[n]`.
        label: numbers from 0, int64 `[n]`.
    """

    def __init__(self, vectors: Floats, premise: Ints, hypothesis: Ints, label: Ints) -> None:
        self._mean, self._deviation = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.float32)
        n, classes = len(label), int(label.max()) + 1
        total = square = np.zeros(1)
        for _, x in self._blocks(vectors, premise, hypothesis):
            total, square = total + x.sum(axis=0, dtype=np.float64), square + (x.astype(np.float64) ** 2).sum(axis=0)
        deviation = np.sqrt((square / n - (total / n) ** 2).clip(min=0))
        self._mean, self._deviation = (total / n).astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32)

        def objective(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            weights = flat.reshape(-1, classes)
            loss, gradient = L2 / 2 * float((weights[:-1] ** 2).sum()), L2 * weights
            gradient[-1] = 0  # the intercept is free
            for part, x in self._blocks(vectors, premise, hypothesis):
                logits = x @ weights[:-1].astype(np.float32) + weights[-1]
                logits -= logits.max(axis=1, keepdims=True)
                logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
                own = np.arange(len(logits)), label[part]
                loss -= float(logits[own].sum())
                residual = np.exp(logits)
                residual[own] -= 1
                gradient[:-1] += x.T @ residual.astype(np.float32)
                gradient[-1] += residual.sum(axis=0)
            return loss / n, gradient.ravel() / n

        start = np.zeros((len(self._mean) + 1) * classes)
        self._weights = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}).x.reshape(
            -1, classes
        )

    def _blocks(self, vectors: Floats, premise: Ints, hypothesis: Ints) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
        for start in range(0, len(premise), BLOCK):
            part = slice(start, start + BLOCK)
            u, v = vectors[premise[part]].astype(np.float32), vectors[hypothesis[part]].astype(np.float32)
            yield part, (np.concatenate([u, v, np.abs(u - v), u * v], axis=1) - self._mean) / self._deviation

    def predict(self, vectors: Floats, premise: Ints, hypothesis: Ints) -> Ints:
        """The likeliest label of each pair, int64 `[n]`."""
        labels = [
            (x @ self._weights[:-1] + self._weights[-1]).argmax(axis=1) for _, x in self._blocks(vectors, premise, hypothesis)
        ]
        return np.concatenate(labels).astype(np.int64)


def probe(encode: Callable[[list[str]], Floats], train: Sequence[Example], test: Sequence[Example]) -> Bools:
    """Train on some examples and say of each other one whether its label is found.

    Args:
        encode: gives vectors `[t, d]` of t texts; each distinct text is encoded once.
        train, test: the examples.

    Returns:
        bool `[test examples]`.
    """
    texts = {text: row for row, text in enumerate(dict.fromkeys(t for e in (*train, *test) for t in (e.premise, e.hypothesis)))}
    vectors = encode(list(texts))

    def rows(examples: Sequence[Example]) -> tuple[Ints, Ints]:
        pairs = np.array([(texts[e.premise], texts[e.hypothesis]) for e in examples], dtype=np.int64)
        return pairs[:, 0], pairs[:, 1]

    with threadpool_limits(1, user_api="blas"):
        trained = Probe(vectors, *rows(train), np.array([e.label for e in train], dtype=np.int64))
        correct: Bools = trained.predict(vectors, *rows(test)) == np.array([e.label for e in test])
    return correct


def evaluate_probe(
    model: str, train: Sequence[Path], test: Sequence[Path], out: Path, *, run: Run, name: str = "xnli", device: Device = "auto"
) -> None:
    """Probe a model's frozen vectors for natural language inference: trained on English, tested in XNLI's languages.

    Both sentences get the model's query prompt, as neither is a passage.

    Args:
        model: Model folder or Hub id.
        train: multinli.train.en.tsv, or XNLI's files; English alone makes the other languages zero-shot.
        test: xnli.test.tsv or .jsonl.
        out: Folder of the result: pairs.csv and scores.parquet, with setting mono and metric accuracy.
        run: Names of the model in the tables.
        name: Name of the benchmark in the tables.
        device: Where to compute.

    Raises:
        KoineError: a file is missing or of another format, or there is no such model.
    """
    from koine import backbones  # imports torch

    known, asked = ([example for path in files for example in read_nli(path)] for files in (train, test))
    encoder = backbones.load(model, resolve(device))

    def encode(texts: list[str]) -> Floats:
        pieces = [texts[start : start + BLOCK] for start in range(0, len(texts), BLOCK)]
        return np.concatenate(
            [encoder.encode(piece, "query", batch_size=64) for piece in progress(pieces, "blocks of sentences")]
        )

    correct = probe(encode, known, asked)
    langs = [example.lang for example in asked]
    rows = {"query_lang": langs, "doc_lang": langs, "query_id": [example.id for example in asked], "accuracy": correct}
    constant = {"benchmark": pl.lit(name), "setting": pl.lit("mono"), "top_lang": pl.lit(None, dtype=pl.String)}
    write(pl.DataFrame(rows).with_columns(pl.col("accuracy").cast(pl.Float64), **constant), out, run.of(model))
