"""DuoRC (arXiv 1804.07927): questions on plots of films. The whole plot is the passage."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import id_of, inside, json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "a row of DuoRC has title, plot and qa (id, question, answers, no_answer)"


def read_questions(path: Path) -> Iterator[Record]:
    """Answerable questions, and all plots. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, _: str) -> Iterator[Record]:
    plot = {"group": text_of(row["title"]), "passage": text_of(row["plot"])}
    yield plot
    for qa in row["qa"]:
        if not qa["no_answer"]:
            answer = inside(plot["passage"], qa["answers"])
            yield {**plot, "id": id_of(qa["id"]), "question": text_of(qa["question"]), "answer": answer}
