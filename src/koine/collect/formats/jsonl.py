"""Koine's own rows: a question and its passage in each line."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from koine.collect.readers import Record
from koine.runtime.errors import KoineError
from koine.runtime.files import LARGEST, read_jsonl


def read_questions(path: Path, columns: Mapping[str, str]) -> Iterator[Record]:
    """Rows with `question`, `passage`, and perhaps `id, answer, answer_start, group, lang, domain, negatives`.

    Args:
        path: JSONL.
        columns: our field to the file's.

    Raises:
        KoineError: a row lacks its question or passage, or holds something else than text; the message names its line.
    """
    return (checked(path, number, row, columns) for number, row in read_jsonl(path))


def checked(path: Path, number: int, given: dict[str, Any], columns: Mapping[str, str]) -> Record:
    """The record of a row; without an id it has the number of its line. Errors as of `read_questions`."""
    row = given | {ours: given.get(theirs) for ours, theirs in columns.items()}
    for key in ("question", "passage"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            theirs = columns.get(key, key)
            raise KoineError(f"{path}:{number}: {theirs!r} is missing or empty; each row needs question and passage")
    for key in ("answer", "lang", "domain"):
        if not isinstance(row.get(key), str | None):
            raise KoineError(f"{path}:{number}: {key!r} is not text but {row[key]!r:.40}")
    if not isinstance(row.get("answer_start"), int | None) or abs(row.get("answer_start") or 0) > LARGEST:
        raise KoineError(f"{path}:{number}: 'answer_start' is no whole number but {row['answer_start']!r:.40}")
    negatives = row.get("negatives")
    if isinstance(negatives, str):  # a column of triples: query, positive, negative
        negatives = [negatives]
    if not isinstance(negatives, list | None) or not all(isinstance(t, str) and t.strip() for t in negatives or ()):
        raise KoineError(f"{path}:{number}: 'negatives' is no list of texts but {row['negatives']!r:.40}")
    return {**row, "id": str(number) if row.get("id") is None else row["id"], "negatives": negatives}
