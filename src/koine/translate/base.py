"""What a backend is: the two kinds of translators, how each is made, and what an engine is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from koine.params import Decoding


class Lookup(Protocol):
    """What is already translated: whole texts are looked up."""

    def __len__(self) -> int:
        """How much it knows (entries); 0 means that it cannot serve this direction."""

    def translate(self, texts: Sequence[str]) -> list[str | None]:
        """One translation for each text, or None. Equal texts get equal translations, whatever stands beside them."""


class Engine(Protocol):
    """What translates anything, sentence by sentence."""

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation for each piece of text; the same pieces in the same order give the same translations."""

    @property
    def version(self) -> str:
        """Whatever its results depend on: a journal of another version is not resumed."""

    @property
    def tokens(self) -> int:
        """How many tokens it has read so far, for the progress bar; 0 of an engine without tokens."""


@dataclass(frozen=True)
class Options:
    """What an engine is told besides the direction; it takes what it needs.

    Attributes:
        decoding: model and decoding of a neural engine.
        converted: folder of `koine translate-convert`.
        device: where a model runs; this and the rest change only speed.
        threads: CPU threads.
        batch_tokens: tokens translated at once.
    """

    decoding: Decoding = field(default_factory=Decoding)
    converted: Path | None = None
    device: str = "cpu"
    threads: int = 1
    batch_tokens: int = 4096


class MakeLookup(Protocol):
    """The constructor of a `Lookup`."""

    def __call__(self, files: Sequence[Path], source: str, target: str, rows: pl.DataFrame, /) -> Lookup:
        """Read the files for one direction.

        Args:
            files: the resources that may serve the target language; the first match wins.
            source, target: languages (BCP 47).
            rows: the collected questions (`records.QA`).
        """


class MakeEngine(Protocol):
    """The constructor of an `Engine`."""

    def __call__(self, source: str, target: str, options: Options, /) -> Engine:
        """Make ready for one direction (BCP 47).

        Raises:
            KoineError: the direction, or what the engine needs, is not there.
        """
