"""SelQA (arXiv 1606.08513): questions on sections of Wikipedia, given as sentences."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import json_rows, records, text_of
from koine.collect.readers import Record

REMEDY = "a row of SelQA has question, article, topic, candidates and answers, their numbers from 0"


def read_questions(path: Path) -> Iterator[Record]:
    """Questions that a sentence answers, and all sections. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, key: str) -> Iterator[Record]:
    sentences = [sentence.strip() for sentence in row["candidates"]]  # some are empty
    text = text_of(" ".join(filter(None, sentences)))
    passage = {"group": text_of(row["article"]), "domain": text_of(row["topic"]).lower(), "passage": text}
    yield passage
    if row["answers"]:
        first = int(row["answers"][0])
        start = sum(len(sentence) + 1 for sentence in sentences[:first] if sentence)
        answer = text_of(sentences[first])
        yield {**passage, "id": key, "question": text_of(row["question"]), "answer": answer, "answer_start": start}
