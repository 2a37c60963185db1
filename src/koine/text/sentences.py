"""Splitting passages into sentences, so that they can be translated one by one and put together again."""

from collections.abc import Sequence
from itertools import pairwise

import regex

from koine.text.scripts import joiner

#: Start and end of a piece of text, in characters.
Span = tuple[int, int]

LONGEST = 600  # characters of a piece that an engine gets; translation models are trained on sentences
# A sentence ends at a full stop, question or exclamation mark of any script, with the closing quotes after it.
# Latin marks need a space and an upper-case, numeric or caseless start after them; 。！？ and the like do not.
_END = regex.compile(
    r"""(?<!\b\p{Lu})(?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|bzw|ca|Nr|z\.B))  # initials, abbreviations
        [.!?؟۔।॥…]+["'”’»)\]]*(?=\s+["'“‘«¿¡(\[]*[\p{Lu}\p{Lo}\p{N}])\s+
      | (?<=[。！？｡]["”’」』）]*)(?!["”’」』）。！？｡])(?=\s*\S)\s*
    """,
    regex.VERBOSE,
)
# Where a piece that is too long may be cut: after a clause mark, else at any space.
_CLAUSE = regex.compile(r"(?<=[,;:،؛，、；：—])\s*|\n+")
_SPACE = regex.compile(r"\s+")


def split(text: str) -> list[str]:
    """Sentences of a text, stripped; their words in order are the words of the text.

    >>> split("Ada wrote it. Who read it? Mr. Babbage did.")
    ['Ada wrote it.', 'Who read it?', 'Mr. Babbage did.']
    """
    return [text[start:end] for start, end in sentences(text)]


def sentences(text: str) -> list[Span]:
    """Where the sentences of a text stand, without the space around them."""
    cuts = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    return [span for start, end in pairwise(cuts) if (span := _stripped(text, start, end))]


def pieces(text: str, longest: int = LONGEST) -> list[Span]:
    """Sentences, with those of more than `longest` characters cut at a clause mark, a space or, last, anywhere.

    Thai and Khmer, which mark no sentence, are cut at their spaces; a text without any is cut too.
    """
    found: list[Span] = []
    for start, end in sentences(text):
        while end - start > longest:
            limit = start + longest
            cut = next(
                (
                    matches[-1].end()
                    for pattern in (_CLAUSE, _SPACE)
                    if (matches := [m for m in pattern.finditer(text, start + longest // 3, limit) if m.end() > start])
                ),
                limit,
            )
            if span := _stripped(text, start, cut):
                found.append(span)
            start = cut
        if span := _stripped(text, start, end):
            found.append(span)
    return found


def join(text: str, spans: Sequence[Span], translations: Sequence[str], lang: str) -> tuple[str, list[Span]]:
    """Put translated pieces together as the pieces stand in the source; line breaks between them stay.

    Args:
        text: the source.
        spans: its pieces.
        translations: one for each; empty ones leave nothing.
        lang: language of the translations.

    Returns:
        The text, and where each translation stands in it.
    """
    whole, found = "", []
    for number, ((start, _), translation) in enumerate(zip(spans, translations, strict=True)):
        if whole and translation:
            whole += "\n" if "\n" in text[spans[number - 1][1] : start] else joiner(lang)
        found.append((len(whole), len(whole) + len(translation)))
        whole += translation
    return whole, found


def _stripped(text: str, start: int, end: int) -> Span | None:
    """The part of a span without the space around it, or None where nothing is left."""
    part = text[start:end]
    left = len(part) - len(part.lstrip())
    return (start + left, start + len(part.rstrip())) if part.strip() else None
