"""The `memory` backend: what is already translated is looked up, whole text first, then sentence by sentence."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from koine.collect.formats.memory import read_memory
from koine.text.normalise import normalise
from koine.text.scripts import joiner
from koine.text.sentences import split


class Memory:
    """A translation memory for one direction.

    Args:
        files: memories in JSONL or TMX; where two disagree, the first entry wins.
        source, target: languages (BCP 47).
        rows: not needed; as every look-up gets them.

    Example:
        >>> len(Memory([], "en", "fi"))
        0
    """

    def __init__(self, files: Sequence[Path], source: str, target: str, rows: pl.DataFrame | None = None) -> None:
        self._joiner = joiner(target)
        self._exact: dict[str, str] = {}
        for path in files:
            for segment in read_memory(path):
                if (segment.source_lang, segment.target_lang) == (source, target) and segment.target.strip():
                    self._exact.setdefault(segment.source.strip(), segment.target.strip())
        self._folded: dict[str, str] = {}
        for text, translation in self._exact.items():
            self._folded.setdefault(normalise(text), translation)
        self._folded.pop("", None)  # punctuation alone has no normal form to be found by

    def __len__(self) -> int:
        return len(self._exact)

    def translate(self, texts: Sequence[str]) -> list[str | None]:
        """The translation of each text, or None where the memory holds neither it nor all of its sentences."""
        return [self._one(text.strip()) for text in texts]

    def _one(self, text: str) -> str | None:
        whole = self._lookup(text)
        if whole is not None:
            return whole
        sentences = [self._lookup(sentence) for sentence in split(text)]
        if len(sentences) < 2:
            return None
        known = [sentence for sentence in sentences if sentence is not None]
        return self._joiner.join(known) if len(known) == len(sentences) else None

    def _lookup(self, text: str) -> str | None:
        exact = self._exact.get(text)
        return exact if exact is not None else self._folded.get(normalise(text))
