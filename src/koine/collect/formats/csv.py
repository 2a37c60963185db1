"""The rows of `jsonl` as a table: CSV, or TSV."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from koine.collect.formats.jsonl import checked
from koine.collect.readers import Record
from koine.runtime.errors import KoineError
from koine.runtime.files import read_csv

_WHOLE = re.compile(r"-?[0-9]{1,9}")


def read_questions(path: Path, columns: Mapping[str, str]) -> Iterator[Record]:
    """Rows as those of JSONL: what is empty is not there, and where an answer starts is a number.

    Args:
        path: a table with a header.
        columns: our field to the file's.

    Raises:
        KoineError: of `read_csv`, and of `jsonl.read_questions`.
    """
    for number, fields in read_csv(path):
        row: dict[str, Any] = {name: text for name, text in fields.items() if text.strip()}
        if "answer_start" in row:
            if not _WHOLE.fullmatch(row["answer_start"]):
                raise KoineError(f"{path}:{number}: 'answer_start' is no whole number but {row['answer_start']!r:.40}")
            row["answer_start"] = int(row["answer_start"])
        yield checked(path, number, row, columns)
