"""FAISS behind one interface: five kinds of index, built from memory-mapped vectors within a share of memory.

`flat` is the truth. `ivf` sorts vectors into lists around centroids and looks only into the nearest ones; `sq` does so with
8-bit codes, `ivfpq` with product-quantised ones (Jégou et al. 2011, 10.1109/TPAMI.2010.57) of 4 bits a part, which are
compared in registers (André et al. 2017, 10.1145/3078971.3078992), and ranks the best again by 8-bit codes. `hnsw` walks a graph
of near neighbours (Malkov and Yashunin, arXiv 1603.09320). All rank by inner product, the cosine of normalised vectors. The
same vectors and parameters give the same bytes, whatever the number of threads.
"""

import math
import os
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from faiss.contrib.exhaustive_search import knn_ground_truth

from koine.encode.vectors import Stored, blocks
from koine.params import IndexKind
from koine.runtime.console import progress
from koine.runtime.errors import KoineError
from koine.runtime.files import read_text

UNTRAINED = ("flat", "hnsw")  # kinds without lists: they learn nothing
MEMORY_SHARE = 0.5  # of what this process may have: building takes no more
SPARE = 1.5  # lists and links grow by more than they need; flat's vectors have their place from the start
PER_LIST = 40  # vectors that a centroid is learnt from; FAISS warns below 39
LEAST_SAMPLE = 16_384  # vectors that codes are learnt from
SCANNED = 10_000_000  # vectors of which ivfpq scans all codes: some 2 ms a million on two cores, and nothing is missed
BLOCK_OF_CODES = 32  # vectors whose codes lie together in a list of ivfpq
ROUNDING = 1e-5  # scores that differ less are equal


def lists_of(spec: IndexKind, count: int) -> int:
    """Number of lists for `count` vectors: as asked for, but each is learnt from `PER_LIST` vectors, if there are as many."""
    usual = 1 if spec.kind == "ivfpq" and count <= SCANNED else round(4 * math.sqrt(count))
    return max(1, min(spec.nlist or usual, count // PER_LIST))


def sample_size(spec: IndexKind, count: int) -> int:
    """How many of `count` vectors lists and codes are learnt from; none of kinds that learn nothing."""
    if spec.kind in UNTRAINED:
        return 0
    return min(count, spec.train_size or max(LEAST_SAMPLE, PER_LIST * lists_of(spec, count)))


def size_of(spec: IndexKind, count: int, dim: int) -> int:
    """Bytes of the index of `count` vectors, within a few per cent."""
    if spec.kind == "flat":
        return count * 4 * dim
    if spec.kind == "hnsw":  # 4 bytes a link; the lowest level has twice as many, those above are ever fewer
        return count * (4 * dim + 8 * spec.hnsw_m + 4 * spec.hnsw_m // (spec.hnsw_m - 1) + 12)
    lists = lists_of(spec, count)
    if spec.kind != "ivfpq":
        return count * ((4 * dim if spec.kind == "ivf" else dim) + 8) + 4 * dim * lists
    part = spec.code_size * (count + lists * BLOCK_OF_CODES // 2)  # the last block of a list is half full
    return part + count * (8 + dim * bool(spec.k_factor)) + 4 * dim * (lists + 16)  # centroids, and 16 for each part


def build(vectors: Stored, spec: IndexKind) -> faiss.Index:
    """Build an index.

    Args:
        vectors: L2-normalised, float32 or float16 `[n, d]`; a memory map is never held whole.
        spec: kind of index, and how much work goes into it.

    Returns:
        The index; the number of `vectors`' row is the id. How far it searches (`nprobe`, `ef_search`) is kept in it.

    Raises:
        KoineError: it would take more than `MEMORY_SHARE` of memory; the code does not divide the dimensions.
    """
    count, dim = vectors.shape
    sample = sample_size(spec, count)
    needed = size_of(spec, count, dim) * (1 if spec.kind == "flat" else SPARE) + sample * 4 * dim
    allowed = MEMORY_SHARE * memory()
    if needed > allowed:
        raise KoineError(
            f"index.kind: {spec.kind} of {count:,} vectors needs {needed / 2**30:,.1f} GiB to be built, more than "
            f"{MEMORY_SHARE:.0%} of the memory ({allowed / 2**30:,.1f} GiB); take a smaller kind (sq, ivfpq), or a larger machine"
        )
    parts = 2 * spec.code_size  # of 4 bits
    if spec.kind == "ivfpq" and dim % parts:
        raise KoineError(
            f"index.code_size: {spec.code_size} bytes are {parts} parts of 4 bits, which do not divide the vectors' "
            f"{dim} dimensions"
        )
    lists = lists_of(spec, count)
    factory = {
        "flat": "Flat",
        "ivf": f"IVF{lists},Flat",
        "sq": f"IVF{lists},SQ8",
        "ivfpq": f"IVF{lists},PQ{parts}x4fs" + ",Refine(SQ8)" * bool(spec.k_factor),
        "hnsw": f"HNSW{spec.hnsw_m}",
    }[spec.kind]
    index: Any = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    if sample:
        drawn = np.sort(np.random.default_rng(0).choice(count, sample, replace=False))
        index.train(np.ascontiguousarray(vectors[drawn], dtype=np.float32))
        first: Any = index
        if spec.kind == "ivfpq" and spec.k_factor:
            index.k_factor, first = spec.k_factor, faiss.downcast_index(index.base_index)
        first.nprobe = min(spec.nprobe, lists)
    else:
        storage: Any = index if spec.kind == "flat" else faiss.downcast_index(index.storage)
        storage.codes.resize(count * 4 * dim)  # reserves: growing step by step would take three times as much
        storage.codes.resize(0)
    if spec.kind == "hnsw":
        index.hnsw.efConstruction, index.hnsw.efSearch = spec.ef_construction, spec.ef_search
    for block in progress(blocks(vectors), f"{spec.kind}: vectors", count, weight=len):
        index.add(block)
    done: faiss.Index = index
    return done


def open_index(path: Path, kind: str) -> faiss.Index:
    """Memory-map an index: what a query touches is read, and the system may forget it again; ivfpq's codes are read whole.

    Args:
        path: the file.
        kind: what it was built as.

    Raises:
        KoineError: missing, or not a whole index.
    """
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP if kind in ("ivf", "sq") else faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise KoineError(f"{path}: not a whole index ({str(error).splitlines()[-1]}); make it with koine index") from None


def exact(queries: npt.NDArray[np.float32], vectors: Stored, depth: int) -> npt.NDArray[np.float32]:
    """The highest inner products of each query, `[q, depth]`, in falling order; reads the vectors block by block."""
    search: Any = knn_ground_truth  # untyped
    scores: npt.NDArray[np.float32] = search(queries, blocks(vectors), depth, faiss.METRIC_INNER_PRODUCT, ngpu=0)[0]
    return scores


def recall(
    nearest: npt.NDArray[np.int64], queries: npt.NDArray[np.float32], vectors: Stored, best: npt.NDArray[np.float32]
) -> float:
    """Share of the nearest vectors that were found; any of equal score will do, as in ann-benchmarks.

    Args:
        nearest: ids that an index gave, int64 `[q, k]`; -1 for none.
        queries: float32 `[q, d]`.
        vectors: what was indexed, float32 or float16 `[n, d]`.
        best: of `exact`, float32 `[q, k]`.
    """
    rows = np.asarray(vectors[np.maximum(nearest, 0)], dtype=np.float32)
    scores = np.where(nearest < 0, -np.inf, np.einsum("qd,qkd->qk", queries, rows))
    return float((scores >= best[:, -1:] - ROUNDING).mean())


def memory() -> int:
    """Bytes that this process may have: the machine's, or what its control group (of Slurm, of a container) allows."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    group = Path("/proc/self/cgroup")
    for line in read_text(group).splitlines() if group.is_file() else []:
        limit = Path("/sys/fs/cgroup") / line.rpartition(":")[2].lstrip("/") / "memory.max"
        limits += [int(text) for text in [read_text(limit).strip()] if text.isdigit()] if limit.is_file() else []
    return min(limits)
