"""SQuAD's JSON with whole articles as contexts, as COVID-QA has it; the passages are pieces of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.pieces import located
from koine.collect.formats.rows import id_of, json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "an article in SQuAD format has paragraphs with context and qas"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions on the piece of an article where their answer starts. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, key: str) -> Iterator[Record]:
    for number, paragraph in enumerate(row["paragraphs"], start=1):
        text = paragraph["context"]
        text_of(text)  # as it is: answers are counted from its start
        group = str(row.get("title") or f"document {paragraph.get('document_id', f'{key}.{number}')}")
        answerable = [qa for qa in paragraph["qas"] if qa.get("answers") and not qa.get("is_impossible")]
        asked = (
            (id_of(qa["id"]), text_of(qa["question"]), int(first["answer_start"]), text_of(first["text"]))
            for qa in answerable
            for first in qa["answers"][:1]
        )
        yield from located(text, group, asked)
