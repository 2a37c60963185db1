"""The three files of an index as one thing: index.faiss, ids.parquet, and index.json, which is written last.

All three bear one stamp, a digest of the vectors, the texts and the model: index.faiss behind its last byte, where FAISS does
not look, ids.parquet in its metadata. So a search need not read gigabytes to see that they belong together; `sha256sum` can,
for index.json names the digests of the whole files, too.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import faiss
import numpy as np
import pyarrow.parquet
from pydantic import BaseModel, ConfigDict, ValidationError

from koine.encode.vectors import Made
from koine.index.kinds import open_index
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json, sha256

INDEX, IDS, ABOUT = "index.faiss", "ids.parquet", "index.json"
GROUP = 8192  # rows of ids.parquet that are read together, for any one of them
_KEY = b"koine.index"
_MARK = b"\n" + _KEY + b" "
_TAIL = len(_MARK) + 64 + 1


class File(BaseModel):
    """A file as index.json names it."""

    model_config = ConfigDict(strict=True, frozen=True)
    bytes: int
    sha256: str


class About(BaseModel):
    """What a search wants to know of index.json."""

    model_config = ConfigDict(strict=True, frozen=True)
    kind: str
    vectors: int
    dim: int
    languages: list[str]
    parallel: bool  # whether passages stand in the pool in several languages
    model: str  # by `runtime.hub.model_digest`
    method: str | None  # of encode-debias
    stamp: str
    files: dict[str, File]


def stamp(index: Path, texts: Path, made: Made) -> str:
    """One digest, 64 hex digits, of an index without its stamp, of its table of texts, and of what made the vectors."""
    return hashlib.sha256(json.dumps([sha256(index), sha256(texts), made.model, made.method]).encode()).hexdigest()


def stamp_index(path: Path, mark: str) -> None:
    """Put a stamp behind the last byte of an index."""
    with path.open("ab") as stream:
        stream.write(_MARK + mark.encode() + b"\n")


def stamp_ids(texts: Path, path: Path, mark: str) -> None:
    """Copy a table of texts, in groups of `GROUP` rows, with a stamp in its metadata; the same rows give the same bytes."""
    with pyarrow.parquet.ParquetFile(texts) as source:
        schema = source.schema_arrow.with_metadata({_KEY: mark.encode()})
        with pyarrow.parquet.ParquetWriter(path, schema, compression="zstd", write_statistics=False) as writer:
            for batch in source.iter_batches(GROUP):
                writer.write_batch(batch)


def describe(path: Path) -> dict[str, Any]:
    """Size and digest of a file, for index.json."""
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def read_about(folder: Path) -> About:
    """Read index.json.

    Raises:
        KoineError: it is missing, or was not written by this Koine's `koine index`.
    """
    path = folder / ABOUT
    if not path.is_file():
        raise KoineError(
            f"{path}: no such file. It is the last that koine index writes: run koine index, or wait where it is running"
        )
    try:
        about = About.model_validate(read_json(path))
        if about.files.keys() != {INDEX, IDS}:
            raise KoineError(f"{path}: files: expected {INDEX} and {IDS}; make the index again with koine index")
        return about
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise KoineError(
            f"{path}: not as koine index writes it now ({place}: {first['msg']}); make the index again with koine index"
        ) from None


@dataclass(frozen=True)
class Opened:
    """An index of which all three files belong together, whatever becomes of the folder while it is open."""

    about: About
    index: faiss.Index
    _ids: pyarrow.parquet.ParquetFile

    def texts(self, rows: Sequence[int]) -> list[dict[str, str]]:
        """Id, language and text of some rows, in their order."""
        known = self._ids.metadata
        ends = np.cumsum([known.row_group(group).num_rows for group in range(known.num_row_groups)])
        texts = []
        for row in rows:
            group = int(np.searchsorted(ends, row, side="right"))
            table = self._ids.read_row_group(group, columns=["id", "lang", "text"])
            texts += table.slice(int(row - ends[group]) + table.num_rows, 1).to_pylist()
        return texts


@contextmanager
def open_files(folder: Path) -> Iterator[Opened]:
    """Open an index and hold its files: a search answers from one index, though another is put in its place meanwhile.

    Args:
        folder: of `koine index`.

    Raises:
        KoineError: a file is missing, cut short, or not the one that index.json was written for.
    """
    about = read_about(folder)
    with ExitStack() as stack:
        stream, table = (stack.enter_context(_open(folder, name, about)) for name in (INDEX, IDS))
        stream.seek(max(0, about.files[INDEX].bytes - _TAIL))
        _check_stamp(folder / INDEX, stream.read().removeprefix(_MARK).strip(), about)
        index = open_index(folder / INDEX, about.kind)
        if not os.path.samestat(os.fstat(stream.fileno()), (folder / INDEX).stat()):  # no other has the inode of an open file
            raise _replaced(folder / INDEX, "it was replaced just now")
        try:
            ids = pyarrow.parquet.ParquetFile(table)
        except pyarrow.ArrowInvalid as error:
            raise KoineError(f"{folder / IDS}: not a whole parquet file ({error}); run koine index again") from None
        _check_stamp(folder / IDS, (ids.metadata.metadata or {}).get(_KEY), about)
        counts = {ABOUT: about.vectors, INDEX: index.ntotal, IDS: ids.metadata.num_rows}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
            raise KoineError(f"{folder}: the files hold different numbers of passages ({told}); run koine index again")
        yield Opened(about, index, ids)


def _open(folder: Path, name: str, about: About) -> IO[bytes]:
    path = folder / name
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file, though {folder / ABOUT} names it; run koine index again") from None
    size, wanted = os.fstat(stream.fileno()).st_size, about.files[name].bytes
    if size != wanted:
        stream.close()
        raise _replaced(path, f"{size:,} bytes instead of {wanted:,}")
    return stream


def _check_stamp(path: Path, found: bytes | None, about: About) -> None:
    if found != about.stamp.encode():
        raise _replaced(path, "its stamp is another" if found else "it bears no stamp")


def _replaced(path: Path, reason: str) -> KoineError:
    return KoineError(
        f"{path}: not the file that {path.parent / ABOUT} was written for ({reason}). The index is being made again, or that was "
        "broken off, or the file was cut short or replaced: wait for koine index where it is running, otherwise run it again"
    )
