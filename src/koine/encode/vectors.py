"""Reading and writing stored vectors, without importing an encoder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from koine.runtime.errors import KoineError
from koine.runtime.files import atomic, read_json
from koine.runtime.resume import Journal, read_journal

Stored = npt.NDArray[np.floating]
ABOUT = "encode.json"  # what made the vectors beside it
BLOCK = 32_768  # vectors that are looked at together: 48 MiB of 384 dimensions


@dataclass(frozen=True)
class Made:
    """What made vectors: a model, by `model_digest`, and a method of `encode-debias`; None where nothing says so."""

    model: str | None
    method: str | None


def read_made(folder: Path) -> Made:
    """What made the vectors of a folder, by the encode.json that `encode` and `encode-debias` write last."""
    path = folder / ABOUT
    about = read_json(path) if path.is_file() else {}
    model, method = (about.get(name) if isinstance(about, dict) else None for name in ("model", "method"))
    return Made(model, method)


def write_vectors(vectors: Stored, path: Path) -> None:
    """Write vectors `[n, d]` in their own dtype, atomically; nothing is pickled."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, vectors, allow_pickle=False)


def open_vectors(path: Path, rows: int) -> Stored:
    """Memory-map vectors that `encode` wrote, in their own dtype; `[rows, d]`.

    Raises:
        KoineError: missing, cut short, of another number of rows than the table they belong to, or not finite.
    """
    try:
        vectors: Stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise KoineError(f"{path}: not a whole .npy file ({error}); delete it and run again") from None
    if len(vectors) != rows:
        raise KoineError(f"{path}: {len(vectors)} vectors for {rows} texts; delete it and run again")
    for block in blocks(vectors):
        if not np.isfinite(block).all():  # NaN compares as "not ahead": the relevant passage would rank first
            raise KoineError(f"{path}: holds vectors that are not finite; the model gives NaN or overflows")
    return vectors


def read_vectors(path: Path, rows: int) -> npt.NDArray[np.float32]:
    """What `open_vectors` opens, as float32: in memory where it is stored as float16."""
    return np.asarray(open_vectors(path, rows), dtype=np.float32)


def blocks(vectors: Stored) -> Iterator[npt.NDArray[np.float32]]:
    """The vectors in order, float32, `[≤ BLOCK, d]` at a time."""
    for start in range(0, len(vectors), BLOCK):
        yield np.ascontiguousarray(vectors[start : start + BLOCK], dtype=np.float32)


class Partial:
    """An .npy file that one or several processes fill, shard by shard, and that a killed run resumes.

    Beside it, with a dot before their names, lie the file as far as it is filled, and a journal of each process.

    Args:
        out: the file to be.
        rows: how many vectors it will hold, n.
        dtype: of the file.
        key: of `runtime.resume`.
        process: number of this process.
    """

    def __init__(self, out: Path, rows: int, dtype: str, key: str, process: int = 0) -> None:
        self.out, self._rows, self._dtype, self._key, self._process = out, rows, dtype, key, process
        self._path = out.with_name(f".{out.name}.partial")
        self._journal: Journal | None = None
        self._vectors: Stored | None = None

    @property
    def _journals(self) -> list[Path]:
        return sorted(self.out.parent.glob(f".{self.out.name}.*.journal"))

    def done(self) -> set[int]:
        """The finished shards; what belongs to another key is deleted. Only one process may ask, before any writes."""
        shards = {int(line) for path in self._journals for line in read_journal(path, self._key)}
        if shards and self._path.is_file():
            return shards
        for path in [self._path, *self._journals]:
            path.unlink(missing_ok=True)
        return set()

    def write(self, shard: int, rows: npt.NDArray[np.int64], vectors: Stored) -> None:
        """Put vectors `[m, d]` where they belong, and note the shard as finished once they are on the disk."""
        if self._vectors is None or self._journal is None:
            self._vectors = self._open(vectors.shape[1])
            self._journal = Journal(self.out.with_name(f".{self.out.name}.{self._process}.journal"), self._key)
        self._vectors[rows] = vectors
        self._vectors.flush()  # type: ignore[attr-defined]  # a memory map
        self._journal.add(str(shard))

    def _open(self, dim: int) -> Stored:
        """The partial file, of full size; all processes write the same header, and none cuts off what another wrote."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        with self._path.open("r+b") as stream:
            about = {"descr": np.lib.format.dtype_to_descr(np.dtype(self._dtype)), "fortran_order": False}
            np.lib.format.write_array_header_1_0(stream, {**about, "shape": (self._rows, dim)})
            stream.truncate(stream.tell() + self._rows * dim * np.dtype(self._dtype).itemsize)
        return np.lib.format.open_memmap(self._path, mode="r+")

    def finish(self) -> None:
        """Rename the whole file to what it is to be."""
        self._vectors = None
        self._path.replace(self.out)
        for path in self._journals:
            path.unlink()
