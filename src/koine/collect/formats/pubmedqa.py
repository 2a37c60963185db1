"""PubMedQA (arXiv 1909.06146): titles that are questions, and their abstracts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "an article of PubMedQA has QUESTION and CONTEXTS"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions; the abstract without its conclusion is the passage. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, key: str) -> Iterator[Record]:
    passage = " ".join(text_of(context) for context in row["CONTEXTS"])
    yield {"id": key, "group": f"PMID {key}", "question": text_of(row["QUESTION"]), "passage": text_of(passage)}
