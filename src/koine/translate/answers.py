"""Carrying an answer over into the translated passage: where it stands, and which sentence holds it."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import regex

from koine.text.scripts import LETTERS
from koine.text.sentences import Span

_WORD = regex.compile(rf"[{LETTERS}]+")
# Where a word begins after no letter; Arabic and Hebrew write articles and conjunctions together with it.
_SPACED = regex.compile(r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{N}]")


@dataclass(frozen=True)
class Carried:
    """An answer in a translated passage; None is what could not be found."""

    text: str | None = None
    start: int | None = None  # characters from the start of the passage
    sentence: Span | None = None


def carry(
    passage: str, answer: str, start: int | None, spans: list[tuple[Span, Span]], target: str, translated: str | None
) -> Carried | None:
    """Find an answer in a translated passage.

    The sentence is known from the alignment; in it, and then anywhere, the answer's own translation is looked for, then
    the answer as it stands (names and numbers are not translated). Case and punctuation are ignored.

    Args:
        passage, answer, start: of the source; `start` may be None where the file did not say it.
        spans: pairs (piece of the source, its translation), as far as the backend aligned them.
        target: the translated passage.
        translated: translation of the answer alone.

    Returns:
        What was found; None where the answer holds no word that could be looked for.
    """
    if not _WORD.search(answer):
        return None
    wanted = [letters for text in (translated, answer) if text and (letters := _letters(text)[0])]
    if start is None or passage[start : start + len(answer)] != answer:
        start = passage.find(answer)
    sentence = next((there for here, there in spans if here[0] <= start < here[1]), None)
    for bounds in ([sentence] if sentence else []) + [(0, len(target))]:
        for letters in wanted:
            if found := _find(letters, target, bounds):
                own = sentence or next((there for _, there in spans if there[0] <= found[0] < there[1]), None)
                return Carried(target[slice(*found)], found[0], own)
    return Carried(sentence=sentence)


def _find(letters: str, text: str, bounds: Span) -> Span | None:
    """Where these letters first stand between the bounds, at the start of a word: inflections begin like their word."""
    whole, begins, places = _letters(text)

    def place(letter: int) -> int:
        word = bisect_right(begins, letter) - 1
        return places[word] + letter - begins[word]

    at = whole.find(letters)
    while at >= 0:
        start, end = place(at), place(at + len(letters) - 1) + 1
        if bounds[0] <= start and end <= bounds[1] and not _SPACED.match(text, max(start - 1, 0), start):
            return start, end
        at = whole.find(letters, at + 1)
    return None


@lru_cache(maxsize=1024)  # the questions of a passage come one after the other
def _letters(text: str) -> tuple[str, list[int], list[int]]:
    """The words of a text in lower case and run together; where each begins there, and where in the text."""
    words = list(_WORD.finditer(text))
    folded = [low if len(low := word.group().lower()) == len(word.group()) else word.group() for word in words]
    return "".join(folded), [0, *accumulate(map(len, folded))], [word.start() for word in words]
