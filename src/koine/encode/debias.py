"""Training-free removal of what tells languages apart: per-language centring, and Language Information Removal (LIR).

Both take a language's identity to be what its vectors have in common: their mean (Libovický et al. 2019, arXiv
1911.03310), or their first principal components (Yang et al. 2021, arXiv 2109.04727). They work on any model's vectors
and on languages that no training has seen.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from koine.encode.vectors import ABOUT, read_made, read_vectors, write_vectors
from koine.params import Encode
from koine.records import PASSAGES, QUERIES
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import write_json
from koine.strategies import DEBIASED

Floats = npt.NDArray[np.float64]

ROUNDING = 1e-6  # what is left of a unit vector, stored as float32, that was removed whole


def check_method(method: str) -> None:
    """Raise a KoineError that names the methods, where there is none of this name."""
    if not DEBIASED.fullmatch(method):
        raise KoineError(f"unknown method {method!r} (known: centre, lir, and lir@R to remove R components, such as lir@3)")


def encode_debias(vectors: Path, benchmark: Path, out: Path, method: str, encoding: Encode = Encode()) -> None:
    """Remove from a model's vectors what tells languages apart, without training: per-language centring or LIR.

    What the passages of a language have in common is taken from its passages and its queries. The passages are the collection to
    be searched, known when it is indexed; no query and no judgement is used.

    Args:
        vectors: Folder of koine encode.
        benchmark: The texts the vectors belong to.
        out: Folder; gets queries.npy and passages.npy, as of koine encode, and encode.json, which names the model and the method.
        method: centre, lir, or lir@R to remove R components.
        encoding: precision of the vectors.

    Raises:
        KoineError: the method is unknown; a language has queries but no passages, or too few to leave anything of them.
    """
    check_method(method)
    made = read_made(vectors)
    passages = PASSAGES.read(benchmark / "passages.parquet")
    queries = QUERIES.read(benchmark / "queries.parquet")
    passage_vectors = read_vectors(vectors / "passages.npy", len(passages))
    query_vectors = read_vectors(vectors / "queries.npy", len(queries))
    languages = passages["lang"].unique(maintain_order=True).to_list()
    if alone := sorted({*queries["lang"]} - {*languages}):
        raise KoineError(f"{benchmark}: queries in {alone[0]}, but no passages to know that language by")
    new_passages = np.empty_like(passage_vectors, dtype=encoding.dtype)
    new_queries = np.empty_like(query_vectors, dtype=encoding.dtype)
    with threadpool_limits(1, user_api="blas"):  # the last bits of eigenvectors depend on the number of threads
        for lang in languages:
            passage_rows, query_rows = (np.flatnonzero(table["lang"] == lang) for table in (passages, queries))
            distinct = passages["text"].gather(passage_rows).is_first_distinct().to_numpy()  # repeated text weighs once
            collection = passage_vectors[passage_rows[distinct]].astype(np.float64)
            before = np.concatenate([passage_vectors[passage_rows], query_vectors[query_rows]]).astype(np.float64)
            after = normalise(remove(before, collection, method), before)
            new_passages[passage_rows], new_queries[query_rows] = np.split(after, [len(passage_rows)])
            if not new_passages[passage_rows].any():
                raise KoineError(f"{benchmark}: {method} leaves nothing of the {len(collection)} distinct passages in {lang}")
    (out / ABOUT).unlink(missing_ok=True)  # a kill between the files leaves none that names another method
    write_vectors(new_passages, out / "passages.npy")
    write_vectors(new_queries, out / "queries.npy")
    methods = f"{made.method}+{method}" if made.method else method
    write_json(out / ABOUT, {"encoder_calls": 0, "model": made.model, "method": methods})
    say(f"{benchmark.name}: {method} in {len(languages)} languages")


def remove(vectors: Floats, collection: Floats, method: str) -> Floats:
    """Vectors of one language without what its collection has in common; not normalised.

    centre: `x - mean(C)`. lir@R: `x - U Uᵀ x`, where U is the first R left singular vectors of Cᵀ, uncentred (section 2 of
    arXiv 2109.04727). They are the eigenvectors of `CᵀC`, whose size does not grow with the collection; as a projection
    does not depend on their signs, the result is unique.

    Args:
        vectors: float64 `[n, d]`.
        collection: C, float64 `[m, d]`.
        method: `centre`, `lir`, or `lir@R`.

    Returns:
        float64 `[n, d]`.
    """
    if method == "centre":
        common: Floats = collection.mean(axis=0)
    else:
        rank = int(method.partition("@")[2] or 1)
        first = np.linalg.eigh(collection.T @ collection).eigenvectors[:, -rank:]  # eigenvalues rise
        common = vectors @ first @ first.T
    return vectors - common


def normalise(vectors: Floats, before: Floats) -> Floats:
    """To unit length; zero where nothing is left, and where nothing was before: a text without a vector gets none.

    Args:
        vectors: float64 `[n, d]`.
        before: the same before removal, whose length says what is rounding; float64 `[n, d]`.
    """
    length, scale = (np.linalg.norm(each, axis=1, keepdims=True) for each in (vectors, before))
    kept = (scale > 0) & (length > ROUNDING * scale)
    unit: Floats = np.divide(vectors, length, out=np.zeros_like(vectors), where=kept)
    return unit
