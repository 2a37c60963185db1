"""Relevance judgements. Grades above 0 count alike, as relevance is binary here; 0 says that a passage does not answer."""

import re
from collections.abc import Iterator
from pathlib import Path

from koine.runtime.errors import KoineError
from koine.runtime.files import read_text

_GRADE = re.compile(r"-?[0-9]{1,9}")


def read_beir_qrels(path: Path) -> Iterator[tuple[str, str]]:
    """(query id, passage id) of every positive judgement of a BEIR file: query, passage and grade, tab-separated.

    Raises:
        KoineError: a line is something else.
    """
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if number == 1 and not _GRADE.fullmatch(line.rsplit("\t", 1)[-1]):
            continue  # the header
        fields = line.split("\t")
        if len(fields) != 3 or not _GRADE.fullmatch(fields[2]):
            raise KoineError(f"{path}:{number}: expected query-id, corpus-id and an integer score, tab-separated")
        if int(fields[2]) > 0:
            yield fields[0], fields[1]


def read_trec_qrels(path: Path) -> Iterator[tuple[str, str]]:
    """(query id, passage id) of every positive judgement of a TREC file: `query Q0 passage grade`.

    Raises:
        KoineError: a line is something else.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if fields := line.split():
            if len(fields) != 4 or not _GRADE.fullmatch(fields[3]):
                raise KoineError(f"{path}:{number}: expected a TREC judgement: query id, Q0, passage id, integer grade")
            if int(fields[3]) > 0:
                yield fields[0], fields[2]
