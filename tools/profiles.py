"""Learn what is usual in a translation into a language from human translations, and write src/koine/filter/profiles.yaml.

    python tools/profiles.py $KOINE_MIRROR

NTREX-128 (news, 1,997 lines in 53 languages; Federmann, Kocmi and Xin 2022) and XQuAD's questions are read, of which the odd
lines alone, so that the even ones can test it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from koine import languages
from koine.filter import profiles
from koine.filter.profiles import Profile, fit_length
from koine.filter.scores import Texts, ending, question
from koine.runtime.files import read_json, write_text

# Share of clean translations that keep a mark, from which on its loss says something; of few questions, and of ends,
# which count only with a short text, a smaller one.
KEPT, KEPT_FEW = 0.97, 0.9


def learn(mirror: Path) -> dict[str, Profile]:
    """Profiles of all languages of NTREX, and of XQuAD for the marks of questions."""
    ntrex = next(mirror.glob("raw.githubusercontent.com/MicrosoftTranslator/NTREX/*/NTREX-128"))
    english = _odd_lines(ntrex / "newstest2019-src.eng.txt")
    learned: dict[str, Profile] = {}
    for path in sorted(ntrex.glob("newstest2019-ref.*.txt")):
        if ".eng" in path.name:
            continue
        lang = languages.canonical(path.name.split(".")[1])
        lines = _odd_lines(path)
        always = Profile(*fit_length(english, lines))
        ends = float(np.mean(ending(_texts(english, lines, Profile(100.0, 1.0, 0.0)))))  # so that each looks short, and counts
        asked = [(s, t) for s, t in zip(english, lines, strict=True) if s.endswith("?")] + _questions(mirror, lang)
        asks = float(np.mean(question(_texts([s for s, _ in asked], [t for _, t in asked], always))))
        learned[lang] = Profile(
            always.mean, always.spread, always.spread_short, ends >= KEPT_FEW, asks >= (KEPT if len(asked) > 300 else KEPT_FEW)
        )
    return learned


def _texts(sources: Sequence[str], targets: Sequence[str], profile: Profile) -> Texts:
    return Texts(sources, targets, [None] * len(sources), "", (), profile)


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
    rows = {lang: vars(learned) for lang, learned in sorted(learn(Path(sys.argv[1])).items())}
    lines = [f"{lang}: {yaml.safe_dump(row, default_flow_style=True, width=200).strip()}\n" for lang, row in rows.items()]
    write_text(Path(profiles.__file__).with_name("profiles.yaml"), "# Made by tools/profiles.py; see there.\n" + "".join(lines))
