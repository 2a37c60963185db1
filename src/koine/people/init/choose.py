"""What suits the data and this machine: the engine of each language, the encoder, how long it trains."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from koine import languages, names
from koine.params import BackendName
from koine.people.init.look import File, passages_of
from koine.runtime.errors import KoineError
from koine.runtime.hub import on_disk
from koine.text.normalise import words
from koine.translate.apertium import PACKAGES
from koine.translate.backends import BACKENDS
from koine.translate.base import Options
from koine.translate.memory import Memory

TOKENS_PER_WORD = 1.3  # of a subword tokenizer, about
LENGTHS = (64, 128, 256, 512)  # tokens of a passage that a backbone may read
EPOCHS, STEPS = 15, (100, 1000)
BATCHES = (32, 1024)
COVERED = 0.98  # share of the texts that a memory holds, above which nothing else is needed
M2M100, NLLB = "facebook/m2m100_418M", "facebook/nllb-200-distilled-600M"
PRETRAINED, PRETRAINED_ID = "multilingual-e5-base", "intfloat/multilingual-e5-base"


@dataclass(frozen=True)
class Machine:
    """What this machine has: a GPU, and a way to the Hub."""

    gpu: bool
    hub: bool

    def reaches(self, model: str) -> bool:
        """Whether a model of the Hub is here or can be downloaded."""
        return on_disk(model) is not None or self.hub


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line; see `init`."""

    name: str
    source: str
    languages: list[str]
    memories: list[Path] = field(default_factory=list)
    tests: dict[str, Path] = field(default_factory=dict)
    licence: str = ""


@dataclass(frozen=True)
class Way:
    """What translates into a language, whether it can also go back, and why it was chosen."""

    backend: BackendName
    back: bool
    why: str
    model: str = ""


@dataclass(frozen=True)
class Training:
    """How a backbone is trained.

    Attributes:
        pretrained: whether it starts from `PRETRAINED`.
        longest: tokens of a passage that it reads.
        held: share of the passages that this holds whole.
        batch_size, max_steps: of the optimisation.
    """

    pretrained: bool
    longest: int
    held: float
    batch_size: int
    max_steps: int


def training(questions: int, passages: Sequence[str], machine: Machine) -> Training:
    """How to train on so many questions with these passages."""
    lengths = np.array([len(words(text)) for text in passages]) * TOKENS_PER_WORD
    longest = next((length for length in LENGTHS if (lengths <= length).mean() >= 0.95), LENGTHS[-1])
    held = 1 - float((lengths > longest).mean())
    if machine.gpu and machine.reaches(PRETRAINED_ID):
        return Training(True, longest, held, 100, int(np.clip(3 * questions / 100, 100, 3000)))
    batch = int(2 ** np.clip(np.floor(np.log2(questions / 8)), *np.log2(BATCHES)))
    return Training(False, longest, held, batch, int(np.clip(np.ceil(EPOCHS * questions / batch), *STEPS)))


def way(lang: str, wanted: Wanted, files: Sequence[File], machine: Machine) -> Way:
    """What can serve a language: a memory that holds it all, Apertium, a neural model; with a GPU, this before Apertium."""
    covered = _covered(lang, wanted, files)
    beside = f"your memories hold {covered:.0%} of the texts; of the rest, " if covered else ""
    if covered >= COVERED:
        return Way("memory", False, f"your memories hold {covered:.0%} of the texts")
    neural = _neural(lang, wanted.source)
    here = neural is not None and machine.reaches(neural)
    rules = next(iter(_programs(wanted.source, lang)), None)
    if rules is not None and not (here and machine.gpu):
        why = f"{beside}{BACKENDS[rules].program} is installed for this direction, and needs no GPU"
        return Way(rules, rules in _programs(lang, wanted.source), why)
    if neural is None:
        if covered:
            return Way("memory", False, f"your memories hold {covered:.0%} of the texts; no engine knows this language")
        raise KoineError(f"--languages: neither Apertium, M2M-100 nor NLLB translates into {lang}; give a memory with --memories")
    place = "is here" if on_disk(neural) else "comes from the Hub" if here else "has to be brought (docs/offline.md)"
    if not here and wanted.source == "en" and lang in PACKAGES:
        place += f"; or apt install apertium {PACKAGES[lang]}, and koine init again"
    terms = "for research only (CC-BY-NC-4.0), M2M-100 lacks this language" if neural == NLLB else "MIT licence"
    return Way("ctranslate2", True, f"{beside}{neural} ({terms}) {place}", neural)


def _covered(lang: str, wanted: Wanted, files: Sequence[File]) -> float:
    """Share of the texts that the memories translate into a language."""
    if not wanted.memories:
        return 0.0
    texts = list(dict.fromkeys([*(row["question"] for file in files for row in file.rows), *passages_of(files)]))
    translations = Memory(wanted.memories, wanted.source, lang).translate(texts)
    return sum(text is not None for text in translations) / len(texts)


def _programs(source: str, target: str) -> list[str]:
    """The backends whose program is installed for a direction."""
    installed = []
    for name, backend in BACKENDS.items():
        with suppress(KoineError):
            if backend.program and names.target(backend.make)(source, target, Options()):
                installed.append(name)
    return installed


def _neural(lang: str, source: str) -> str | None:
    """M2M-100, whose licence permits everything; where it lacks a language, NLLB."""
    for model, scheme in ((M2M100, "m2m100"), (NLLB, "nllb")):
        try:
            languages.code(lang, scheme)
            languages.code(source, scheme)
        except KoineError:
            continue
        return model
    return None
