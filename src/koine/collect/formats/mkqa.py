"""MKQA (arXiv 2007.15207): questions of Natural Questions with short answers, in 26 languages of one file."""

from collections.abc import Iterator
from pathlib import Path

from koine import languages
from koine.collect.formats.languages import Files, Language, judged, one_each
from koine.collect.formats.rows import field
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl, text_id

#: Types of answers that are no text to retrieve; 6,758 of the 10,000 questions are left.
NO_ANSWER = {"unanswerable", "long_answer"}


def read_benchmark(files: Files) -> Iterator[Language]:
    """Questions retrieve their answers among all answers of a language, each text once. Errors as of `read_mkqa`."""
    for lang, path in one_each(files):
        rows = list(read_mkqa(path, languages.code(lang, "mkqa")))
        qrels = [(key, text_id(answer)) for key, _, answers in rows for answer in answers]
        answers = {text_id(answer): answer for _, _, answers in rows for answer in answers}
        yield judged(path, lang, [(key, text) for key, text, _ in rows], qrels, answers.items())


def read_mkqa(path: Path, key: str) -> Iterator[tuple[str, str, list[str]]]:
    """(question id, question, answers) in one language, of the questions with a short answer.

    Args:
        path: mkqa.jsonl.gz.
        key: MKQA's name of the language, such as `zh_cn`.

    Raises:
        KoineError: a row lacks a field; the message names it.
    """
    remedy = "a row of MKQA has example_id, and queries and answers by language"
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        question = field(row.get("queries"), key, f"{where}: queries", remedy)
        given = row["answers"].get(key) if isinstance(row.get("answers"), dict) else None
        if not isinstance(given, list):
            raise KoineError(f"{where}: answers: {key!r} is missing or no list; {remedy}")
        texts = [
            field(answer, "text", f"{where}: answers: {key}", "an answer has type and text")
            for answer in given
            if field(answer, "type", f"{where}: answers: {key}", "an answer has type and text") not in NO_ANSWER
        ]
        if texts:
            yield field(row, "example_id", where, remedy), question, list(dict.fromkeys(texts))
