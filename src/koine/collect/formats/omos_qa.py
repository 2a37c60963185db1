"""OMoS-QA (arXiv 2407.15736): advice for migrants, in several languages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import Rows, id_of, inside, json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "a row of OMoS-QA has id, pageId, question, context and answers, numbers of its lines from 0"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions that a page answers, and all pages. Errors as of `rows.records`."""
    return records(_rows(path), _records, REMEDY)


def _rows(path: Path) -> Rows:
    """All questions on a page get its first text, as a translated page differs a little from row to row."""
    first: dict[Any, Any] = {}
    for place, key, row in json_rows(path):
        if isinstance(row, dict) and isinstance(row.get("pageId"), int | str):
            row = {**row, "context": first.setdefault(row["pageId"], row.get("context"))}
        yield place, key, row


def _records(row: Any, _: str) -> Iterator[Record]:
    passage = {"group": f"page {id_of(row['pageId'])}", "passage": text_of(row["context"])}
    yield passage
    if row["answers"]:
        answer = inside(passage["passage"], [row["context"].split("\n")[int(row["answers"][0])].strip()])
        yield {**passage, "id": id_of(row["id"]), "question": text_of(row["question"]), "answer": answer}
