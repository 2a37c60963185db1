"""Reading and writing stored vectors, without importing an encoder."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from koine.runtime.errors import KoineError
from koine.runtime.files import atomic


def write_vectors(vectors: npt.NDArray[np.floating], path: Path) -> None:
    """Write vectors `[n, d]` in their own dtype, atomically; nothing is pickled."""
    with atomic(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, vectors, allow_pickle=False)


def read_vectors(path: Path, rows: int) -> npt.NDArray[np.float32]:
    """Memory-map vectors that `encode` wrote; `[rows, d]`.

    Raises:
        KoineError: missing, cut short, of another number of rows than the table they belong to, or not finite.
    """
    try:
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise KoineError(f"{path}: not a whole .npy file ({error}); delete it and run again") from None
    if len(vectors) != rows:
        raise KoineError(f"{path}: {len(vectors)} vectors for {rows} texts; delete it and run again")
    vectors = np.asarray(vectors, dtype=np.float32)
    if not np.isfinite(vectors).all():  # NaN compares as "not ahead": the relevant passage would rank first
        raise KoineError(f"{path}: holds vectors that are not finite; the model gives NaN or overflows")
    return vectors
