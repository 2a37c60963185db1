"""Writing files so that a crash leaves the old file or the new one, and naming them by their content."""

import csv
import fcntl
import gzip
import hashlib
import itertools
import json
import os
import re
import socket
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from koine.runtime.errors import KoineError

LARGEST = 1 << 30  # bytes of a file that is read at once
LONGEST = 1 << 26  # bytes of a line
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # an escape of half a character


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
        KoineError: the file is missing, has more than 1 GiB or is not UTF-8; the message names file and byte.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise KoineError(
                f"{path}: more than {LARGEST >> 20:,} MiB, too large to be read at once; split it, or give it as JSONL"
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise KoineError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def read_memory(path: Path) -> dict[str, Any]:
    """The JSON object in a file that only saves work; an empty one where it is not there, or not whole."""
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def write_memory(path: Path, known: dict[str, Any]) -> None:
    """Write what `read_memory` reads; nothing happens where it may not be written."""
    with suppress(OSError):
        write_text(path, json.dumps(known))


def parse_json(text: str, path: Path, line: int | None = None) -> Any:
    """Parse JSON of which every text can be written again.

    Args:
        text: the JSON.
        path: where it stands, for messages.
        line: its line there; None where it is the whole file.

    Raises:
        KoineError: it is not JSON, nests too deep, or escapes half a character; the message names file and line.
    """
    try:
        value = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise KoineError(
            f"{path}:{line or error.lineno}: not valid JSON: {error.msg.removesuffix(' at')}, character {error.colno}"
        ) from None
    except UnicodeEncodeError:
        place = f"{path}:{line}" if line else str(path)
        raise KoineError(
            f"{place}: an escape such as \\ud83d without its second half is no character; repair or drop it"
        ) from None
    except (ValueError, RecursionError) as error:  # numbers and nesting beyond what Python reads
        raise KoineError(f"{path}:{line}: not valid JSON: {error}" if line else f"{path}: not valid JSON: {error}") from None
    return value


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        KoineError: of `read_text` and `parse_json`.
    """
    return parse_json(read_text(path), path)


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each non-empty line; a file that ends in `.gz` is unpacked on the way.

    Raises:
        KoineError: a line is not UTF-8 or not a JSON object; the message names file and line.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            raise KoineError(f"{path}:{number}: not UTF-8; save the file as UTF-8") from None
        row = parse_json(text, path, number)
        if not isinstance(row, dict):
            raise KoineError(f"{path}:{number}: expected a JSON object, found {type(row).__name__}")
        yield number, row


def read_csv(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number from 1, fields by the header's names) for each row of a CSV file; `.tsv` is tab-separated.

    What separates fields otherwise is whichever of comma, semicolon and tab the header has most of. Quoted fields may hold
    line breaks, as spreadsheets write them.

    Raises:
        KoineError: not UTF-8, no header, or a row with more or fewer fields than the header; the message names file and line.
    """
    line = 0

    def lines() -> Iterator[str]:
        nonlocal line
        for line, content in read_lines(path):
            try:
                yield content.decode("utf-8-sig" if line == 1 else "utf-8")
            except UnicodeDecodeError:
                raise KoineError(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None

    text = lines()
    first = next(text, "")
    separator = "\t" if ".tsv" in path.suffixes else max(",;\t", key=first.count)
    csv.field_size_limit(LONGEST)
    rows = csv.reader(itertools.chain([first], text), delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if not any(header) or len(set(header)) < len(header):
            raise KoineError(f"{path}:1: expected a header with a name for each column, found {first.strip()!r:.80}")
        for fields in rows:
            if len(fields) != len(header) and any(fields):
                raise KoineError(f"{path}:{line}: {len(fields)} fields, the header has {len(header)}; quote such fields")
            if any(fields):
                yield line, dict(zip(header, fields, strict=True))
    except csv.Error as error:
        raise KoineError(f"{path}:{line}: not CSV ({error})") from None


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, line) of a file, one at a time; a file that ends in `.gz` is unpacked on the way.

    Raises:
        KoineError: the file is missing, its compression is broken, or a line has more than 64 MiB.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as stream:
            for number in itertools.count(1):
                line = stream.readline(LONGEST + 1)
                if not line:
                    return
                if len(line) > LONGEST:
                    raise KoineError(f"{path}:{number}: a line of more than {LONGEST >> 20} MiB; is this a file of lines?")
                yield number, line
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise KoineError(f"{path}: not a whole gzip file ({error}); download it again") from None


def lock(path: Path) -> IO[str] | None:
    """Lock a file for as long as what is returned stays open, and write into it whose it is.

    The lock is the kernel's and goes with the process, however that ends: none is left behind for a person to remove.

    Returns:
        The open file; None where another process holds the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    stream.truncate(0)
    stream.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    stream.flush()
    return stream


def sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def text_id(text: str) -> str:
    """Stable 16-hex-digit name of a text: the join key between texts and their translations."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
