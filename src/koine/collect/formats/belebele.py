"""Belebele (arXiv 2308.16884): questions on passages of FLORES, in 122 languages."""

from collections.abc import Iterator
from pathlib import Path

from koine.collect.formats.languages import Files, Language, judged, one_each
from koine.collect.formats.rows import field
from koine.runtime.files import read_jsonl


def read_benchmark(files: Files) -> Iterator[Language]:
    """Questions retrieve their passages, each passage once. Errors as of `read_belebele`."""
    for lang, path in one_each(files):
        rows = list(read_belebele(path))
        passages = {link: passage for _, _, link, passage in rows}
        queries = [(key, question) for key, question, _, _ in rows]
        yield judged(path, lang, queries, [(key, link) for key, _, link, _ in rows], passages.items())


def read_belebele(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """(question id, question, passage id, passage) of a language.

    `link` names a passage, and with `question_number` a question, in every language; the four choices are not read.

    Raises:
        KoineError: a row lacks a field; the message names it.
    """
    for number, row in read_jsonl(path):
        remedy = "a row of Belebele has link, question_number, question and flores_passage"
        link, which, question, passage = (
            field(row, key, f"{path}:{number}", remedy) for key in ("link", "question_number", "question", "flores_passage")
        )
        yield f"{link}#{which}", question, link, passage
