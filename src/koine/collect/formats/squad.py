"""SQuAD v1.1 and v2.0 (arXiv 1606.05250), whose JSON MLQA, XQuAD, TyDi QA GoldP and LAReQA use too."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koine.collect.formats.languages import Files, Language
from koine.collect.formats.rows import raw_text
from koine.collect.readers import Record
from koine.runtime.errors import KoineError
from koine.runtime.files import LARGEST, read_json


@dataclass(frozen=True)
class Question:
    """One question, with its paragraph and, in LAReQA's files, its sentences."""

    id: str
    text: str
    answer: str | None
    answer_start: int | None  # characters from the start of `context`
    title: str
    context: str
    sentences: tuple[tuple[int, int], ...]  # [start, end) in `context`; empty where the file has none


def read_squad(path: Path) -> Iterator[Question]:
    """Questions of a file in SQuAD format.

    `sentence_breaks`, LAReQA's addition, becomes `sentences`. Unanswerable questions (SQuAD 2.0) are left out.

    Raises:
        KoineError: not this format; the message names the article and paragraph.
    """
    for where, title, context, breaks, paragraph in _paragraphs(path):
        try:
            for qa in paragraph["qas"]:
                if qa.get("is_impossible"):
                    continue
                answer = qa["answers"][0] if qa.get("answers") else {}
                start = answer.get("answer_start")
                yield Question(
                    id=str(qa["id"]),
                    text=raw_text(qa["question"]).strip(),
                    answer=raw_text(answer["text"]) if "text" in answer else None,
                    answer_start=None if start is None else _characters(int(start)),
                    title=title,
                    context=context,
                    sentences=breaks,
                )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise KoineError(f"{where}: not SQuAD format ({type(error).__name__}: {error})") from None


def read_contexts(path: Path) -> Iterator[tuple[str, str, tuple[tuple[int, int], ...]]]:
    """(title, context, sentences) of every paragraph, also of those without questions: they are candidates."""
    for _, title, context, breaks, _ in _paragraphs(path):
        yield title, context, breaks


def read_questions(path: Path) -> Iterator[Record]:
    """The questions as records. Errors as of `read_squad`."""
    for question in read_squad(path):
        left = len(question.context) - len(question.context.lstrip())
        yield {
            "id": question.id,
            "group": question.title,
            "question": question.text,
            "passage": question.context.strip(),
            "answer": question.answer,
            "answer_start": None if question.answer_start is None else question.answer_start - left,
        }


def read_benchmark(files: Files, *, candidate: str) -> Iterator[Language]:
    """Each language, with paragraphs or their sentences as candidates, named by paragraph and sentence number.

    Args:
        files: one or more of a language.
        candidate: `sentence`, `sentence+context` or `passage`. `sentence+context` is LAReQA's: sentence and paragraph
            concatenated without a separator, newlines removed (arXiv 2004.05484, and its code).

    Raises:
        KoineError: sentences are asked for and a file has none, or an answer starts in no sentence.
    """
    for lang, paths in files.items():
        passages: list[tuple[str, str, str]] = []
        number_of: dict[str, int] = {}  # context -> paragraph number
        for path, title, context, sentences in ((file, *paragraph) for file in paths for paragraph in read_contexts(file)):
            if context in number_of:
                continue
            number = number_of.setdefault(context, len(number_of))
            if candidate == "passage":
                passages.append((f"p{number}", title, context.strip()))
                continue
            if not sentences:
                raise KoineError(f"{path}: no sentence_breaks in paragraph {number}; use candidate: passage")
            tail = context if candidate == "sentence+context" else ""
            passages += [
                (f"p{number}s{s}", title, (context[start:end] + tail).replace("\n", ""))
                for s, (start, end) in enumerate(sentences)
            ]
        queries, qrels = [], []
        for path, question in ((file, question) for file in paths for question in read_squad(file)):
            gold = f"p{number_of[question.context]}"
            if candidate != "passage":
                start = -1 if question.answer_start is None else question.answer_start
                hit = [s for s, (first, end) in enumerate(question.sentences) if first <= start < end]
                if not hit:
                    raise KoineError(f"{path}: question {question.id}: its answer starts in no sentence")
                gold += f"s{hit[0]}"
            queries.append((question.id, question.text))
            qrels.append((question.id, gold))
        yield Language(lang, queries, qrels, passages)


def _paragraphs(path: Path) -> Iterator[tuple[str, str, str, tuple[tuple[int, int], ...], dict[str, Any]]]:
    """(place, title, context, sentences, paragraph); the title of an article without one is empty."""
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise KoineError(f"{path}: no `data` list; is this a SQuAD file?")
    for a, article in enumerate(document["data"]):
        if not isinstance(article, dict) or not isinstance(article.get("paragraphs"), list):
            raise KoineError(f"{path}: data[{a}]: no `paragraphs` list; is this a SQuAD file?")
        for p, paragraph in enumerate(article["paragraphs"]):
            where = f"{path}: data[{a}].paragraphs[{p}]"
            try:
                context = raw_text(paragraph["context"])
                breaks = tuple((int(start), int(end)) for start, end in paragraph.get("sentence_breaks", ()))
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise KoineError(f"{where}: not SQuAD format ({type(error).__name__}: {error})") from None
            yield where, str(article.get("title") or ""), context, breaks, paragraph


def _characters(count: int) -> int:
    if abs(count) > LARGEST:
        raise OverflowError(f"{count} is no place in a text")
    return count
