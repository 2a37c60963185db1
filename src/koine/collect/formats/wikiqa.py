"""WikiQA (doi 10.18653/v1/D15-1237): questions with the sentences of an article. The passage is a sentence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import Rows, records, text_of
from koine.collect.readers import Record
from koine.runtime.errors import KoineError
from koine.runtime.files import read_lines

REMEDY = "WikiQA has QuestionID, Question, DocumentTitle, SentenceID, Sentence and Label 0 or 1"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions on the sentences that answer them, and the other sentences. Errors as of `rows.records`."""
    return records(_rows(path), _records, REMEDY)


def _rows(path: Path) -> Rows:
    """Rows of tab-separated values, by the names in the first line."""
    names: list[str] = []
    for number, line in read_lines(path):
        try:
            fields = line.decode("utf-8").rstrip("\r\n").split("\t")
        except UnicodeDecodeError:
            raise KoineError(f"{path}:{number}: not UTF-8; save the file as UTF-8") from None
        names = names or fields
        if len(fields) != len(names):
            raise KoineError(f"{path}:{number}: {len(fields)} fields, but the first line has {len(names)}")
        if number > 1:
            yield f"{path}:{number}", str(number), dict(zip(names, fields, strict=True))


def _records(row: Any, _: str) -> Iterator[Record]:
    passage = {"group": row["DocumentTitle"], "passage": text_of(row["Sentence"])}
    if row["Label"] not in ("0", "1"):
        raise ValueError(f"Label is {row['Label']!r}")
    asked = {"id": f"{row['QuestionID']}/{row['SentenceID']}", "question": text_of(row["Question"])}
    yield {**passage, **asked} if row["Label"] == "1" else passage
