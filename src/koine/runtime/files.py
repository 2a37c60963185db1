"""Writing files so that a crash leaves the old file or the new one, and naming them by their content."""

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from koine.runtime.errors import KoineError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without an error.

    The rename is atomic on POSIX, and the content is flushed to disk first, so a reader (or a restarted
    workflow) never sees half a file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_UMASK)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _read_umask()  # mkstemp makes files that only their owner reads; give them the usual rights


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON with a final newline, atomically; keys keep their order."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object per line, atomically."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_text(path: Path) -> str:
    """The text of a file.

    Raises:
        KoineError: the file is missing or is not UTF-8; the message names file and byte.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise KoineError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        KoineError: the file is missing, is not UTF-8 or is not JSON; the message names file and line.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise KoineError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:  # numbers and nesting beyond what Python reads
        raise KoineError(f"{path}: not valid JSON: {error}") from None


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each non-empty line; a file that ends in `.gz` is unpacked on the way.

    Raises:
        KoineError: a line is not UTF-8 or not a JSON object; the message names file and line.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8"))
        except UnicodeDecodeError:
            raise KoineError(f"{path}:{number}: not UTF-8; save the file as UTF-8") from None
        except json.JSONDecodeError as error:
            raise KoineError(f"{path}:{number}: not valid JSON: {error.msg}") from None
        except (ValueError, RecursionError) as error:
            raise KoineError(f"{path}:{number}: not valid JSON: {error}") from None
        if not isinstance(row, dict):
            raise KoineError(f"{path}:{number}: expected a JSON object, found {type(row).__name__}")
        yield number, row


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line) of a file, one at a time; a file that ends in `.gz` is unpacked on the way.

    Raises:
        KoineError: the file is missing, or its compression is broken.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as stream:
            yield from enumerate(stream, start=1)
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise KoineError(f"{path}: not a whole gzip file ({error}); download it again") from None


def sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def text_id(text: str) -> str:
    """Stable 16-hex-digit name of a text: the join key between texts and their translations."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
