"""Passages that nobody has asked about: pseudo-questions by the inverse cloze task."""

from collections.abc import Iterator
from pathlib import Path

from koine.collect.readers import Record
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl, text_id
from koine.text.sentences import sentences

#: Words of a sentence that may stand for a question.
CLOZE_WORDS = range(4, 41)
#: One passage in so many keeps the sentence, so that equal words count, too.
CLOZE_KEPT = 10


def read_questions(path: Path) -> Iterator[Record]:
    """A sentence asks for the passage that it was taken from.

    This is the inverse cloze task of Lee et al. (arXiv 1906.00300, section 3), with its one in ten that keep the sentence. Which
    sentence is taken follows from the text alone. A passage of one sentence, or without one of a usual length, gives nothing.

    Raises:
        KoineError: a row has no text; the message names its line.
    """
    for number, row in read_jsonl(path):
        text = row.get("text", row.get("passage"))
        if not isinstance(text, str) or not text.strip():
            raise KoineError(f"{path}:{number}: 'text' is missing or empty; a row has text, and perhaps id and title")
        spans = sentences(text)
        usual = [(start, end) for start, end in spans if len(text[start:end].split()) in CLOZE_WORDS]
        if len(spans) < 2 or not usual:
            continue
        draw = int(text_id(text), 16)
        start, end = usual[draw % len(usual)]
        rest = text if draw // len(usual) % CLOZE_KEPT == 0 else f"{text[:start].rstrip()} {text[end:].lstrip()}".strip()
        key = row.get("_id", row.get("id"))
        yield {
            "id": str(number) if key is None else str(key),
            "group": str(row.get("group") or row.get("title") or "") or None,
            "question": text[start:end],
            "passage": f"{row.get('title') or ''} {rest}".strip(),
        }
