"""Carrying an answer over into the translated passage: where it stands, and which sentence holds it."""

from dataclasses import dataclass

import regex

from koine.translate.sentences import Span

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")


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
    patterns = [pattern for text in (translated, answer) if text and (pattern := _pattern(text))]
    if not _WORD.search(answer):
        return None
    if start is None or passage[start : start + len(answer)] != answer:
        start = passage.find(answer)
    sentence = next((there for here, there in spans if here[0] <= start < here[1]), None)
    for low, high in ([sentence] if sentence else []) + [(0, len(target))]:
        for pattern in patterns:
            if found := pattern.search(target, low, high):
                own = sentence or next((there for _, there in spans if there[0] <= found.start() < there[1]), None)
                return Carried(found.group(), found.start(), own)
    return Carried(sentence=sentence)


def _pattern(text: str) -> regex.Pattern[str] | None:
    words = _WORD.findall(text)
    # Not in the midst of a word, but at the start of one: inflections begin like their word.
    start = r"(?<![\p{Latin}\p{Greek}\p{Cyrillic}\p{N}])" if words else ""
    separator = r"[^\p{L}\p{N}]*"
    return regex.compile(start + separator.join(map(regex.escape, words)), regex.IGNORECASE) if words else None
