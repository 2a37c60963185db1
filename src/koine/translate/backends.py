"""The translation backends: what translates, one entry each.

An entry says all that the rest of Koine wants to know of a backend. To add one is to add an entry, and the module that it
names (docs/extend.md).
"""

from dataclasses import dataclass
from typing import Literal

from koine.names import Registry


@dataclass(frozen=True)
class Backend:
    """One entry.

    Attributes:
        kind: a `lookup` has the translations of whole texts in files; an `engine` translates any piece of text.
        make: its class, as `koine.module:Class`: a `base.Lookup` that is called as `base.MakeLookup`, or a `base.Engine` that is
            called as `base.MakeEngine`.
        words: what it does, as params.yaml and `koine translate --help` say it after its name.
        readers: the formats of the resources that it reads. Those of an engine are memories, which are asked first.
        needs_model: whether it needs `translate.decoding`.
        needs_conversion: whether `koine translate-convert` has to convert that model.
        program: the program that has to be installed, as people call it; empty for none.
        rate: for `koine plan`, the key of rates.yaml with the texts that one core translates in a second. The rate of a model
            follows from its size.
    """

    kind: Literal["lookup", "engine"]
    make: str
    words: str
    readers: tuple[str, ...] = ("memory",)
    needs_model: bool = False
    needs_conversion: bool = False
    program: str = ""
    rate: str = "lookup_texts_per_s"


BACKENDS: Registry[Backend] = {
    "memory": Backend(kind="lookup", make="koine.translate.memory:Memory", words="looks up a translation memory"),
    "released": Backend(
        kind="lookup",
        make="koine.translate.released:Released",
        words="looks up published translations with the same ids",
        readers=("squad", "jsonl", "beir", "triples"),
    ),
    "lexicon": Backend(
        kind="lookup",
        make="koine.translate.lexicon:Lexicon",
        words="goes word by word with bilingual dictionaries",
        readers=("dictionary",),
    ),
    "apertium": Backend(
        kind="engine",
        make="koine.translate.apertium:Apertium",
        words="translates by rules, on any machine",
        program="Apertium",
        rate="apertium_texts_per_s",
    ),
    "ctranslate2": Backend(
        kind="engine",
        make="koine.translate.neural:Ctranslate2",
        words="is neural and fast, on CPUs and GPUs",
        needs_model=True,
        needs_conversion=True,
    ),
    "transformers": Backend(
        kind="engine",
        make="koine.translate.neural:Generate",
        words="is neural, by the `generate` of transformers",
        needs_model=True,
    ),
}
