"""Blocks of the translate step."""

from typing import Annotated, Literal

from pydantic import Field

from koine.params.base import Block, Language, LanguageList, Model, NameOf, Positive
from koine.translate.backends import BACKENDS, Backend

ComputeType = Literal["float32", "bfloat16", "float16", "int8", "int8_bfloat16", "int8_float16"]


class Decoding(Block):
    """Which model translates, and how, for the neural backends."""

    model: Model = Field(
        "",
        description="Hub id or folder of a Marian (OPUS-MT), M2M-100, NLLB, MADLAD or mBART-50 model; {source} and {target} are "
        "filled in, as in Helsinki-NLP/opus-mt-{source}-{target}.",
    )
    revision: str = Field("", description="Its commit on the Hub.")
    compute_type: ComputeType = Field(
        "int8", description="Of weights and products; `int8` suits CPUs, `float16` and `bfloat16` GPUs."
    )
    num_beams: Positive = Field(2, description="Width of the beam; 1 is greedy.")
    max_new_tokens: Positive = Field(256, description="Most tokens of a translated sentence.")


#: The name of a backend.
BackendName = Annotated[
    str,
    NameOf(BACKENDS, "backend"),
    Field(description="What translates: " + "; ".join(f"`{name}` {backend.words}" for name, backend in BACKENDS.items()) + "."),
]


class Translate(Block):
    """From the source language into the others; each distinct text once."""

    source: Language = Field("en", description="Language of the collected questions.")
    languages: LanguageList = Field(
        ["ar", "de", "es", "fi", "hi", "ru", "sw", "tr", "zh"], min_length=1, description="Languages to translate into."
    )
    backend: BackendName = "memory"
    backends: dict[str, BackendName] = Field({}, description="Other backends of single languages, as {fi: memory, ca: apertium}.")
    resources: list[str] = Field(
        ["sample-memory"],
        description="Registry names of the memories, releases or dictionaries; the first match wins. Engines need none.",
    )
    reverse: list[str] = Field(
        ["sample-reverse"], description="Memories back into the source language, for the round-trip filter."
    )
    round_trip: list[str] = Field(
        [], description="Languages that an engine also translates back, for the round-trip filter; doubles the work."
    )
    decoding: Decoding = Decoding()
    shards: Positive = Field(1, description="Jobs per language; fixed, so that the plan is known before any data.")

    def ways(self, lang: str) -> list[tuple[str, str]]:
        """The directions (source, target) that a language needs: there, and back where round trips are asked for."""
        return [(self.source, lang), *([(lang, self.source)] if lang in self.round_trip else [])]

    def backend_of(self, lang: str) -> BackendName:
        """The name of the backend that translates into a language."""
        return self.backends.get(lang, self.backend)

    def entry_for(self, lang: str) -> Backend:
        """The entry of the backend that translates into a language."""
        return BACKENDS[self.backend_of(lang)]
