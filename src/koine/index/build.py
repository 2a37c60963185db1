"""An index of one model's vectors of one benchmark."""

import time
from pathlib import Path

import faiss
import numpy as np

from koine.encode.vectors import ABOUT as MADE
from koine.encode.vectors import open_vectors, read_made
from koine.index.files import ABOUT, IDS, INDEX, describe, stamp, stamp_ids, stamp_index
from koine.index.kinds import build, exact, open_index, recall
from koine.params import IndexKind
from koine.records import PASSAGES, QUERIES
from koine.runtime.console import table
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic, write_json

DEPTH = 10  # results compared with the exact ones
ASKED = 1000  # queries that are compared


def index(vectors: Path, benchmark: Path, out: Path, spec: IndexKind = IndexKind()) -> None:
    """Build a FAISS index over the pool of all languages, with the ids beside it, and measure what it finds.

    Args:
        vectors: Folder of koine encode.
        benchmark: The texts the vectors belong to.
        out: Folder; gets index.faiss, ids.parquet (id, lang, group and text of row i) and index.json (recall@10 against the exact
            ranking over up to 1,000 queries spread evenly over the table, bytes, parameters, languages, digests).
        spec: kind of index, and how much work goes into it.

    Raises:
        KoineError: the vectors are of another state of the benchmark, nothing says which model made them, or the index
            would not fit into memory.
    """
    made = read_made(vectors)
    if made.model is None:
        raise KoineError(f"{vectors / MADE}: does not say which model made the vectors; make them again with koine encode")
    about = PASSAGES.part(benchmark / "passages.parquet", ["id", "lang", "group"])
    passages = open_vectors(vectors / "passages.npy", len(about))
    every = open_vectors(vectors / "queries.npy", len(QUERIES.part(benchmark / "queries.parquet", ["id"])))
    asked = np.unique(np.linspace(0, len(every) - 1, ASKED).round().astype(np.int64))
    queries = np.asarray(every[asked], dtype=np.float32)
    # All is made and measured before anything is renamed. The last is renamed first, so index.json comes after what it names.
    with atomic(out / ABOUT) as described, atomic(out / IDS) as ids, atomic(out / INDEX) as whole:
        start = time.perf_counter()
        faiss.write_index(build(passages, spec), str(whole))
        built = time.perf_counter() - start
        mark = stamp(whole, benchmark / "passages.parquet", made)
        stamp_index(whole, mark)
        stamp_ids(benchmark / "passages.parquet", ids, mark)
        opened = open_index(whole, spec.kind)
        depth = min(DEPTH, len(about))
        start = time.perf_counter()
        best = exact(queries, passages, depth)
        middle = time.perf_counter()
        nearest = opened.search(queries, depth)[1]
        end = time.perf_counter()
        share = recall(nearest, queries, passages, best)
        size = whole.stat().st_size
        write_json(
            described,
            {
                "kind": spec.kind,
                "vectors": len(about),
                "dim": passages.shape[1],
                "bytes": size,
                "recall@10": round(share, 4),
                "queries": len(queries),
                "parameters": spec.model_dump(include=set(IndexKind.model_fields) - {"kind"}),
                "languages": about["lang"].unique(maintain_order=True).to_list(),
                "parallel": about["id"].n_unique() < len(about),  # ids are unique within a language
                "model": made.model,
                "method": made.method,
                "stamp": mark,
                "files": {INDEX: describe(whole), IDS: describe(ids)},
            },
        )
    table(
        f"{spec.kind} index of {benchmark.name}",
        ["vectors", "dimensions", "MiB", f"recall@{depth}", "queries", "ms each", "exact, ms each", "built, s"],
        [[f"{len(about):,}", passages.shape[1], f"{size / 2**20:,.1f}", f"{share:.4f}", f"{len(queries):,}",
          *(f"{1000 * seconds / len(queries):.3f}" for seconds in (end - middle, middle - start)), f"{built:.1f}"]],
    )  # fmt: skip
