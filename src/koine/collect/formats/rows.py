"""What formats share: the rows of a file, and the checks of what stands in a row."""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from koine.collect.readers import Record
from koine.runtime.errors import KoineError
from koine.runtime.files import LONGEST, parse_json, read_json, read_jsonl, read_lines

#: Place (for messages), key (a name, or a number from 1) and content of each row of a file.
Rows = Iterator[tuple[str, str, Any]]

CHUNK = 1 << 22  # characters of a large file that are read at once


def records(rows: Rows, records_of: Callable[[Any, str], Iterator[Record]], remedy: str) -> Iterator[Record]:
    """The records of all rows.

    Args:
        rows: of the file.
        records_of: (row, key) to its records.
        remedy: what a row must be, for messages.

    Raises:
        KoineError: a row is not of this format; the message names it.
    """
    for place, key, row in rows:
        try:
            found = list(records_of(row, key))
        except KeyError as error:
            raise KoineError(f"{place}: {error} is missing; {remedy}") from None
        except (TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            raise KoineError(f"{place}: {error}; {remedy}") from None
        yield from found


# --- rows of a file --------------------------------------------------------------------------------------


def json_rows(path: Path) -> Rows:
    """Lines of JSONL (or .jsonlines); items of a JSON list, or of an object's `data`; else an object's members."""
    if ".jsonl" in path.name:
        for number, row in read_jsonl(path):
            yield f"{path}:{number}", str(number), row
    elif (opening := next(_chunks(path), "").lstrip()[:1]) == "[":
        for number, row in enumerate(_items(path), start=1):
            yield f"{path}: item {number}", str(number), row
    elif opening == "{":
        document = read_json(path)
        listed = document.get("data")
        members = enumerate(listed, start=1) if isinstance(listed, list) else document.items()
        for key, row in members:
            yield f"{path}: {'item ' if isinstance(key, int) else ''}{key}", str(key), row
    else:
        raise KoineError(f"{path}: holds no JSON list and no JSON object")


def _chunks(path: Path) -> Iterator[str]:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise KoineError(f"{path}: not UTF-8; save it as UTF-8") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise KoineError(f"{path}: not a whole gzip file ({error}); download it again") from None


def _items(path: Path) -> Iterator[Any]:
    """Items of a JSON list, one after the other: DPR's file has 7 GB."""
    decoder, gap, text, at = json.JSONDecoder(), re.compile(r"[\s,]*"), "", -1
    for chunk in _chunks(path):
        if at < 0:
            text, at = chunk.lstrip(), 1  # after the bracket
        else:
            text, at = text[at:] + chunk, 0
        while True:
            at = gap.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text too
            try:
                item, end = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                break  # the rest of it is in the next chunk
            if end == len(text):
                break  # a number may go on
            if "\\u" in text[at:end]:
                item = parse_json(text[at:end], path)  # refuses half a character
            yield item
            at = end
        if len(text) - at > LONGEST:
            raise KoineError(
                f"{path}: an item of more than {LONGEST >> 20} MiB at {text[at : at + 30]!r}; is this a list of rows?"
            )
    if text[at:].strip() != "]":
        raise KoineError(f"{path}: not valid JSON, or cut short, at {text[at : at + 30]!r}")


def tab_separated(path: Path, count: int, what: str) -> Iterator[list[str]]:
    """The fields of each line of a table without a header.

    Raises:
        KoineError: a line has more or fewer fields than `count`; the message says `what` they are.
    """
    for number, line in read_lines(path):
        fields = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
        if len(fields) != count:
            raise KoineError(f"{path}:{number}: expected {what}, tab-separated")
        yield fields


# --- what stands in a row --------------------------------------------------------------------------------


def text_of(value: Any) -> str:
    """A text that is not empty, without the space around it.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{value!r:.40} is no text")
    return value.strip()


def raw_text(value: Any) -> str:
    """A text as it is, also an empty one.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not text")
    return value


def id_of(value: Any) -> str:
    """An id: a text or a number, as text.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{value!r:.40} is no id")
    return str(value)


def field(row: Any, key: str, where: str, remedy: str) -> str:
    """A row's text (or number, as text); it may be empty.

    Raises:
        KoineError: it is not there, or is something else.
    """
    value = row.get(key) if isinstance(row, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise KoineError(f"{where}: {key!r} is missing or no text; {remedy}")
    return str(value).strip()


def inside(passage: str, answers: Iterable[Any]) -> str | None:
    """The first of the answers that stands in the passage."""
    return next((answer for answer in answers if isinstance(answer, str) and answer.strip() and answer in passage), None)
