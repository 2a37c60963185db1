"""NewsQA (arXiv 1611.09830): `combined-newsqa-data-v1.json`, the stories to train on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.pieces import located
from koine.collect.formats.rows import id_of, json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "a story of NewsQA's JSON has storyId, text, type and questions (q, consensus)"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions on the piece of a story where their answer starts. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, _: str) -> Iterator[Record]:
    if row["type"] != "train":
        return
    text, story = row["text"], id_of(row["storyId"])
    text_of(text)
    agreed = [(number, asked, asked["consensus"]) for number, asked in enumerate(row["questions"], start=1)]
    questions = (
        (f"{story}#{number}", text_of(asked["q"]), int(span["s"]), text_of(text[int(span["s"]) : int(span["e"])]))
        for number, asked, span in agreed
        if "s" in span and "e" in span
    )
    yield from located(text, story, questions)
