"""Long texts cut into pieces that a retriever reads whole.

Where a data set says where in a long text the answer stands, the passage is the piece of the text in which it starts; elsewhere
it is the whole text.
"""

import re
from collections.abc import Iterable, Iterator

from koine.collect.readers import Record

WORDS = 200  # of a piece of a long text; about 256 tokens, which is what retrievers read

_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def pieces(text: str) -> list[tuple[int, int]]:
    """[start, end) of the pieces of a long text: paragraphs, cut between sentences so that none has over 200 words.

    Paragraphs end at empty lines. A sentence of more than 200 words stays whole.
    """
    found = []
    for first, last in _between(_PARAGRAPH, text, 0, len(text)):
        start, count = first, 0
        for sentence, end in _between(_SENTENCE, text, first, last):
            length = len(text[sentence:end].split())
            if count and count + length > WORDS:
                found.append((start, sentence))
                start, count = sentence, 0
            count += length
        found.append((start, last))
    stripped = ((text[start:end], start, end) for start, end in found)
    return [
        (start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip()))
        for piece, start, end in stripped
        if piece.strip()
    ]


def _between(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for gap in pattern.finditer(text, start, end):
        yield start, gap.start()
        start = gap.end()
    yield start, end


def located(text: str, group: str, asked: Iterable[tuple[str, str, int, str]]) -> Iterator[Record]:
    """Questions on pieces of a text, and all its pieces.

    Args:
        text: the long text.
        group: its title or number. A group that is no title has a word before its number: equal titles count as contamination.
        asked: id, question, start of the answer in the text, and the answer.
    """
    spans = pieces(text)
    for key, question, said, answer in asked:
        at = [match.start() for match in re.finditer(re.escape(answer), text)]
        start = min(at, key=lambda place: abs(place - said), default=said)  # spaces were counted in two ways
        first, end = max((span for span in spans if span[0] <= start), default=spans[0])
        whole = first <= start and bool(at) and start + len(answer) <= end
        yield {
            "id": key,
            "group": group,
            "question": question,
            "passage": text[first:end],
            "answer": answer if whole else None,
            "answer_start": start - first if whole else None,
        }
    yield from ({"group": group, "passage": text[first:end]} for first, end in spans)
