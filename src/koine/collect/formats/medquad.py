"""MedQuAD (arXiv 1901.08079): questions on health, with answers of the sites of the NIH."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "a row of MedQuAD has question, passage and url"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions; the answer is the passage. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, key: str) -> Iterator[Record]:
    texts = {"question": text_of(row["question"]), "passage": text_of(row["passage"])}
    yield {"id": key, "group": text_of(row["url"]), **texts}  # its ids are not unique
