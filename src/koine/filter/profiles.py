"""What is usual in a translation into a language: its length and its punctuation, learned from human translations.

`profiles.yaml` is made from NTREX-128 (news, 1,997 lines in 53 languages; Federmann, Kocmi and Xin 2022) and XQuAD's
questions, of which the odd lines alone are read, so that the even ones can test it:

    python -m koine.filter.profiles $KOINE_MIRROR
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import yaml

from koine import languages
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json, write_text

# Share of clean translations that keep a mark, from which on its loss says something; of few questions, and of ends,
# which count only with a short text, a smaller one.
KEPT, KEPT_FEW = 0.97, 0.9
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
    mean, spread, short = _fit_length(sources, targets)
    return Profile(mean, spread, short, ends=False, asks=False)


def _fit_length(sources: Sequence[str], targets: Sequence[str]) -> tuple[float, float, float]:
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


def learn(mirror: Path) -> dict[str, Profile]:
    """Profiles of all languages of NTREX, and of XQuAD for the marks of questions."""
    from koine.filter.scores import ending, question

    ntrex = next(mirror.glob("raw.githubusercontent.com/MicrosoftTranslator/NTREX/*/NTREX-128"))
    english = _odd_lines(ntrex / "newstest2019-src.eng.txt")
    found: dict[str, Profile] = {}
    for path in sorted(ntrex.glob("newstest2019-ref.*.txt")):
        if ".eng" in path.name:
            continue
        lang = languages.canonical(path.name.split(".")[1])
        lines = _odd_lines(path)
        always = Profile(*_fit_length(english, lines))
        ends = float(np.mean(ending(english, lines, Profile(100.0, 1.0, 0.0))))  # so that each looks short, and counts
        asked = [(s, t) for s, t in zip(english, lines, strict=True) if s.endswith("?")] + _questions(mirror, lang)
        asks = float(np.mean(question([s for s, _ in asked], [t for _, t in asked], always)))
        found[lang] = Profile(
            always.mean, always.spread, always.spread_short, ends >= KEPT_FEW, asks >= (KEPT if len(asked) > 300 else KEPT_FEW)
        )
    return found


def _odd_lines(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()][::2]


def _questions(mirror: Path, lang: str) -> list[tuple[str, str]]:
    """(English, translation) of every other question of XQuAD."""

    def read(code: str) -> dict[str, str]:
        path = next(mirror.glob(f"raw.githubusercontent.com/google-deepmind/xquad/*/xquad.{code}.json"), None)
        articles = read_json(path)["data"] if path else []
        return {q["id"]: q["question"].strip() for a in articles for p in a["paragraphs"] for q in p["qas"]}

    english, other = read("en"), read(lang.split("-")[0])
    return [(english[i], other[i]) for i in sorted(other)[::2]]


if __name__ == "__main__":
    rows = {lang: vars(own) for lang, own in sorted(learn(Path(sys.argv[1])).items())}
    lines = [f"{lang}: {yaml.safe_dump(row, default_flow_style=True, width=200).strip()}\n" for lang, row in rows.items()]
    head = "# Made by `python -m koine.filter.profiles`; see there.\n"
    write_text(Path(__file__).with_name("profiles.yaml"), head + "".join(lines))
