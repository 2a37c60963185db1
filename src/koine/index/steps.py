"""The command of the index step: one model's vectors of one benchmark."""

from pathlib import Path

import faiss
import numpy as np

from koine.encode.vectors import read_vectors
from koine.records import PASSAGES, QUERIES
from koine.runtime.console import say
from koine.runtime.files import atomic, write_json

DEPTH = 10  # results compared with the exact ones


def index(vectors: Path, benchmark: Path, out: Path, *, kind: str) -> None:
    """Build an index and compare it with the exact ranking.

    Args:
        vectors: folder of `encode`.
        benchmark: the texts the vectors belong to.
        out: folder; gets index.faiss, ids.parquet (id, lang, group and text of row i) and index.json (recall@10 against
            the exact ranking over all queries, bytes per vector).
        kind: `flat`, inner product of normalised vectors.
    """
    passages = PASSAGES.read(benchmark / "passages.parquet")
    matrix = read_vectors(vectors / "passages.npy", len(passages))
    queries = read_vectors(vectors / "queries.npy", len(QUERIES.read(benchmark / "queries.parquet")))
    built = {"flat": faiss.IndexFlatIP}[kind](matrix.shape[1])
    built.add(matrix)
    depth = min(DEPTH, len(matrix))
    found = built.search(queries, depth)[1]
    exact = np.argpartition(-(queries @ matrix.T), depth - 1, axis=1)[:, :depth]
    recall = float(np.mean([len(np.intersect1d(*pair)) / depth for pair in zip(found, exact, strict=True)]))
    with atomic(out / "index.faiss") as temporary:
        faiss.write_index(built, str(temporary))
    PASSAGES.write(passages, out / "ids.parquet")
    size = (out / "index.faiss").stat().st_size
    write_json(
        out / "index.json",
        {"kind": kind, "vectors": len(matrix), "dim": matrix.shape[1], "bytes": size, "recall@10": round(recall, 4)},
    )
    say(f"{kind} index of {len(matrix):,} vectors, {size / 2**20:.1f} MiB, recall@{depth} {recall:.4f}")
