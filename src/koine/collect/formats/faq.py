"""Frequently asked questions with their answers: nfL6 (Yahoo Answers), MFAQ (arXiv 2109.12870)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import id_of, json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "a row has question and answer (nfL6), or a list of such qa_pairs (MFAQ)"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions; the answer is the passage. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, key: str) -> Iterator[Record]:
    name, pairs = id_of(row.get("id", key)), row.get("qa_pairs")
    if pairs is None:
        yield {"id": name, "question": text_of(row["question"]), "passage": text_of(row["answer"])}
        return
    for number, pair in enumerate(pairs, start=1):
        texts = {"question": text_of(pair["question"]), "passage": text_of(pair["answer"])}
        yield {"id": f"{name}-{number}", "group": str(row.get("domain") or name), **texts}
