"""QED (arXiv 2009.06354): questions of Natural Questions with the paragraph that its annotators found to answer them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import id_of, inside, json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "a row of QED has example_id, title_text, question_text, paragraph_text, annotation and NQ's answers"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions that are explained, and all paragraphs. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, _: str) -> Iterator[Record]:
    passage = {"group": text_of(row["title_text"]), "passage": text_of(row["paragraph_text"])}
    yield passage
    if row["annotation"]["explanation_type"] != "none":  # none: no right answer in the passage, its annotators say
        answer = inside(passage["passage"], [span["string"] for span in row["original_nq_answers"][0]])
        yield {**passage, "id": id_of(row["example_id"]), "question": text_of(row["question_text"]), "answer": answer}
