"""What is usual in a translation into a language: its length and its punctuation, learned from human translations.

`tools/profiles.py` makes `profiles.yaml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import yaml

from koine import languages
from koine.runtime.errors import KoineError

_FEWEST = 30  # texts that a profile is made of
_WIDTH = 1.4826  # times the median absolute deviation: the standard deviation of normally spread values


@dataclass(frozen=True)
class Profile:
    """What is usual in a language.

    Attributes:
        mean: of the logarithm of target characters by source characters.
        spread, spread_short: its standard deviation is sqrt(spread^2 + spread_short^2 / source characters).
        ends: translations keep the mark at the end of a sentence.
        asks: translations keep the mark of a question.
    """

    mean: float
    spread: float
    spread_short: float
    ends: bool = True
    asks: bool = True


def profile(lang: str, sources: Sequence[str], targets: Sequence[str]) -> Profile:
    """The learned profile of a language, or one estimated robustly from these texts where none was learned."""
    known = _known()
    try:
        return known[languages.find(lang, known, "profiles.yaml")]
    except KoineError:
        return estimate(sources, targets)


@cache
def _known() -> dict[str, Profile]:
    entries = yaml.safe_load(files("koine.filter").joinpath("profiles.yaml").read_text(encoding="utf-8"))
    return {lang: Profile(**values) for lang, values in entries.items()}


def estimate(sources: Sequence[str], targets: Sequence[str]) -> Profile:
    """Length by medians, which a third of bad pairs does not move; punctuation is then not judged."""
    if len(sources) < _FEWEST:
        return Profile(0.0, 0.5, 3.0, ends=False, asks=False)
    mean, spread, short = fit_length(sources, targets)
    return Profile(mean, spread, short, ends=False, asks=False)


def fit_length(sources: Sequence[str], targets: Sequence[str]) -> tuple[float, float, float]:
    """(mean, spread, spread_short) of the log length ratio: two halves by length give two equations."""
    chars = np.array([len(text) + 1 for text in sources], dtype=np.float64)
    logs = np.log(np.array([len(text) + 1 for text in targets]) / chars)
    mean = float(np.median(logs))
    deviation = np.abs(logs - mean)
    halves = [chars <= np.median(chars), chars > np.median(chars)]
    variance = [(_WIDTH * np.median(deviation[half])) ** 2 if half.any() else 0.04 for half in halves]
    inverse = [np.mean(1 / chars[half]) if half.any() else 0.01 for half in halves]
    short = max(0.0, (variance[0] - variance[1]) / max(inverse[0] - inverse[1], 1e-9))
    long = max(0.01, float(np.mean([v - short * i for v, i in zip(variance, inverse, strict=True)])))
    return round(mean, 4), round(float(np.sqrt(long)), 4), round(float(np.sqrt(short)), 4)
