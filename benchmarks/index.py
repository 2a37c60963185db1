"""The kinds of index on real texts: recall@10, queries/s against the exact search, size and build time, on two cores.

    python benchmarks/index.py                               1 million vectors of 384 dimensions, every kind
    python benchmarks/index.py --vectors 5 --kind ivf sq ivfpq

Needs $KOINE_MIRROR: the texts are all strings of its JSON files and lines of its text files, with their sentences, 1.7 million
in more than 60 languages. The encoder is Koine's own `static`, trained here for a minute on SQuAD and its Finnish; the queries
are questions of SQuAD dev, which it was not trained on. One million vectors are all of real texts, drawn from them. Five
million are all there are, and copies that are moved towards the vector of another text, by a tenth to a half.

Queries/s are those of all queries at once, two threads, in turn with the exact search, the median of three rounds: FAISS then
computes flat's scores as one matrix product, which is ten times as fast as one query at a time. `ms` is the median of single
queries. Writes benchmarks/results/index.json.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="2", RAYON_NUM_THREADS="2", OMP_WAIT_POLICY="passive", TOKENIZERS_PARALLELISM="true")

import faiss
import numpy as np
import numpy.typing as npt
from _machine import update_results

from koine import backbones
from koine.backbones.base import Encoder
from koine.collect.formats.memory import read_memory
from koine.collect.formats.squad import read_squad
from koine.encode.vectors import Stored, open_vectors, read_vectors, write_vectors
from koine.index.kinds import build, exact, open_index, recall
from koine.params import Architecture, IndexKind, Optimisation, Tokenizer
from koine.records import PARALLEL, QA
from koine.runtime.console import progress, table
from koine.runtime.files import text_id
from koine.text.sentences import split
from koine.train.model import train
from koine.train.tokens import train_tokens

Floats = npt.NDArray[np.float32]
DIM, DEPTH, QUERIES, ROUNDS = 384, 10, 1000, 3
SHORTEST, LONGEST = 16, 4000  # characters of a text
TEXTS = 1_700_000  # distinct ones; the mirror holds 1.9 million
BLOCK = 50_000


def main() -> None:
    """Make the vectors, if they are not there, and measure all kinds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "koine-index", help="keeps the vectors")
    parser.add_argument("--vectors", type=int, default=1, help="millions")
    parser.add_argument("--kind", nargs="*", default=["flat", "ivf", "sq", "ivfpq", "hnsw"])
    parser.add_argument("--set", nargs="*", default=[], help="parameters of the index, as nprobe=32")
    given = parser.parse_args()
    faiss.omp_set_num_threads(2)
    count = given.vectors * 1_000_000
    vectors, queries = make_vectors(given.scratch, count)
    best = exact(queries, vectors, DEPTH)
    rows = []
    for kind in given.kind:
        settings = IndexKind.model_validate({"kind": kind, **dict(pair.split("=") for pair in given.set)})
        found = measure(settings, vectors, queries, best, given.scratch / "index.faiss")
        print(json.dumps({"kind": kind, **found}), flush=True)
        rows.append([kind, *(f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in found.values())])
        size = f"{given.vectors}m." if given.vectors > 1 else ""
        update_results("index", [(f"index.{kind}.{size}{name}", value, *UNITS[name]) for name, value in found.items()])
    table(f"{count:,} vectors of {DIM} dimensions", ["kind", *UNITS], rows)


UNITS = {
    "recall_at_10": ("share", "exact search"),
    "qps_vs_flat": ("times", "exact search, all queries at once"),
    "qps": ("queries/s", "all queries at once, 2 threads"),
    "ms": ("ms", "one query, 2 threads"),
    "bytes": ("bytes a vector", "1,536 of float32"),
    "build_s": ("s", "2 threads"),
}


def measure(settings: IndexKind, vectors: Stored, queries: Floats, best: Floats, path: Path) -> dict[str, float]:
    """Build one kind, write it, open it as `koine search` does, and search."""
    start = time.perf_counter()
    faiss.write_index(build(vectors, settings), str(path))
    seconds = time.perf_counter() - start
    index = open_index(path, settings.kind)
    found = index.search(queries, DEPTH)[1]
    few = queries[:: len(queries) // 200]  # the exact search is slow
    rounds = [
        (
            timed(lambda: faiss.knn(few, vectors, DEPTH, metric=faiss.METRIC_INNER_PRODUCT)) / len(few),
            timed(lambda: index.search(queries if settings.kind != "flat" else few, DEPTH))
            / len(queries if settings.kind != "flat" else few),
        )
        for _ in range(ROUNDS)
    ]
    flat, own = np.median(rounds, axis=0)
    single = np.median([timed(lambda one=one: index.search(one[None], DEPTH)) for one in queries[:: len(queries) // 50]])
    figures = {
        "recall_at_10": round(recall(found, queries, vectors, best), 4),
        "qps_vs_flat": round(flat / own, 2),
        "qps": round(1 / own, 1),
        "ms": round(1000 * float(single), 3),
        "bytes": round(path.stat().st_size / len(vectors), 1),
        "build_s": round(seconds, 1),
    }
    path.unlink()
    return figures


def timed(work: Callable[[], object]) -> float:
    """Seconds of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def make_vectors(scratch: Path, count: int) -> tuple[Stored, Floats]:
    """`count` vectors and `QUERIES` queries; written into `scratch` once."""
    scratch.mkdir(parents=True, exist_ok=True)
    real, queries, chosen = scratch / "real.npy", scratch / "queries.npy", scratch / f"{count}.npy"
    if not real.is_file():
        encoder = trained(scratch)
        dev = Path(os.environ["KOINE_MIRROR"]) / "local/squad/dev-v1.1.json"
        asked = list(dict.fromkeys(question.text for question in read_squad(dev)))
        write_vectors(encoder.encode(asked[:: len(asked) // QUERIES][:QUERIES], "query", batch_size=256), queries)
        texts = list(islice(dict.fromkeys(strings()), TEXTS))
        begin = time.perf_counter()
        vectors = np.lib.format.open_memmap(real, mode="w+", dtype=np.float32, shape=(len(texts), DIM))
        for start in progress(range(0, len(texts), BLOCK), "blocks of texts"):
            vectors[start : start + BLOCK] = encoder.encode(texts[start : start + BLOCK], "passage", batch_size=256)
        vectors.flush()
        print(f"{len(texts) / (time.perf_counter() - begin):,.0f} texts/s", flush=True)
    if not chosen.is_file():
        draw = np.random.default_rng(1)
        source = np.load(real, mmap_mode="r")
        order = draw.permutation(len(source))[:count]
        vectors = np.lib.format.open_memmap(chosen, mode="w+", dtype=np.float32, shape=(count, DIM))
        vectors[: len(order)] = source[order]
        for start in range(len(order), count, BLOCK):
            size = min(BLOCK, count - start)
            one, other = (source[np.sort(draw.integers(len(source), size=size))] for _ in range(2))
            mixed = one + draw.uniform(0.1, 0.5, (size, 1)).astype(np.float32) * (other[draw.permutation(size)] - one)
            faiss.normalize_L2(mixed)
            vectors[start : start + size] = mixed
        vectors.flush()
    return open_vectors(chosen, count), read_vectors(queries, QUERIES)


def strings() -> Iterator[str]:
    """Every text of the mirror, whole and by sentences."""
    mirror = Path(os.environ["KOINE_MIRROR"])
    held_out = mirror / "local/squad/dev-v1.1.json"  # its questions are the queries
    for path in progress([path for path in sorted(mirror.rglob("*")) if path.is_file() and path != held_out], "files"):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.suffix == ".json":
            found = leaves(json.loads(text))
        elif path.suffix == ".jsonl":
            found = (leaf for line in text.splitlines() for leaf in leaves(json.loads(line)))
        else:
            found = iter(text.splitlines())
        for whole in found:
            yield from (each for each in (whole, *split(whole)) if SHORTEST <= len(each) <= LONGEST)


def leaves(value: Any) -> Iterator[str]:
    """The strings of a JSON value that are texts: ids have no space."""
    if isinstance(value, str):
        yield from [value] if " " in value or not value.isascii() else []
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from leaves(part)


def trained(scratch: Path) -> Encoder:
    """A static encoder of 384 dimensions, trained on SQuAD's questions in English and Finnish."""
    mirror = Path(os.environ["KOINE_MIRROR"]) / "local"
    memory = {segment.source: segment.target for segment in read_memory(mirror / "squad-fi" / "memory.en-fi.jsonl")}
    english, finnish = [], []
    for question in read_squad(mirror / "squad" / "train-v1.1.json"):
        pair = {"id": text_id(question.text + question.context), "passage_id": text_id(question.context)}
        rest = {"answer": None, "answer_start": None, "negatives": None}
        if question.text in memory and question.context in memory:
            about = {"group": "", "source": "squad", "domain": "", "licence": "", "lang": "en"}
            english.append({**pair, **about, "question": question.text, "passage": question.context, **rest})
            other = {"lang": "fi", "question": memory[question.text], "passage": memory[question.context]}
            unknown = {"sentence_start": None, "sentence_end": None, "negative_ids": None}
            finnish.append({**pair, **other, **rest, **unknown})
    QA.write(QA.frame(english).unique("id", keep="first", maintain_order=True), scratch / "qa.parquet")
    PARALLEL.write(PARALLEL.frame(finnish).unique("id", keep="first", maintain_order=True), scratch / "fi.parquet")
    words = Tokenizer(vocab_size=60_000, max_length=256)
    train_tokens(scratch / "qa.parquet", scratch / "tokens", "static", words, parallel=[scratch / "fi.parquet"])
    train(
        scratch / "tokens", scratch / "model", "hybrid", "static", architecture=Architecture(hidden_size=DIM),
        optimisation=Optimisation(max_steps=600, batch_size=256, learning_rate=0.02, threads=2), device="cpu",
    )  # fmt: skip
    return backbones.load(str(scratch / "model"))


if __name__ == "__main__":
    main()
