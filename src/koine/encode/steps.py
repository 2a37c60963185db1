"""The command of the encode step: one model on one benchmark."""

from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from koine import backbones
from koine.backbones.base import Encoder, Kind
from koine.records import PASSAGES, QUERIES
from koine.runtime.console import progress, say
from koine.runtime.files import atomic, write_json


def encode(model: str, benchmark: Path, out: Path, *, dtype: str, batch_size: int, device: str) -> None:
    """Encode a prepared benchmark: one encoder call per language and side, so 2 L calls for L languages.

    Args:
        model: folder or Hub id.
        benchmark: folder of `collect_benchmark`.
        out: folder; gets queries.npy and passages.npy, `[n, d]`, rows as in the benchmark's tables, and
            encode.json, which counts the calls.
        dtype: float32 or float16 on disk.
        batch_size, device: execution only.
    """
    encoder = backbones.load(model, device)
    calls: Counter[str] = Counter()
    for kind, schema in (("query", QUERIES), ("passage", PASSAGES)):
        name = "queries" if kind == "query" else "passages"
        rows = schema.read(benchmark / f"{name}.parquet")
        vectors = _by_language(encoder, rows, kind, batch_size, calls)  # type: ignore[arg-type]
        with atomic(out / f"{name}.npy") as temporary, temporary.open("wb") as stream:
            np.save(stream, vectors.astype(dtype), allow_pickle=False)
    write_json(out / "encode.json", {"encoder_calls": calls.total(), **calls})
    say(f"{benchmark.name}: {calls.total()} encoder calls")


def _by_language(
    encoder: Encoder, rows: pl.DataFrame, kind: Kind, batch_size: int, calls: Counter[str]
) -> npt.NDArray[np.float32]:
    languages = rows["lang"].unique(maintain_order=True).to_list()
    positions = [np.flatnonzero(rows["lang"] == lang) for lang in languages]
    parts = []
    for own in progress(positions, f"{kind}: languages"):
        parts.append(encoder.encode(rows["text"].gather(own).to_list(), kind, batch_size=batch_size))
        calls[kind] += 1
    vectors = np.concatenate(parts)
    vectors[np.concatenate(positions)] = vectors.copy()
    return vectors
