"""The filter on real data: what it finds of planted defects, what it costs, and whether it helps.

    python benchmarks/filter.py planted       needs $KOINE_MIRROR; minutes
    python benchmarks/filter.py systems       the scores against COMET on eight MT systems
    python benchmarks/filter.py speed         a million pairs

`planted`: human translations (NTREX-128 in 53 languages, of whose 1,997 lines the even ones are judged, since the odd
ones made `profiles.yaml`; XQuAD's even questions) with one text in ten spoilt, one kind of defect at a time. Recall of each
kind, and the share of clean texts that the same rules lose. The rules are the defaults and `alignment: -2.4`; no neural
score, no round trip.

Every part writes its figures into benchmarks/results/filter.json.
"""

import argparse
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import regex
from _machine import update_results

from koine import languages
from koine.filter import scores
from koine.filter.alignment import alignment
from koine.filter.decide import verdicts
from koine.filter.profiles import profile
from koine.filter.score import USUAL, score_texts
from koine.filter.scores import Floats, Texts
from koine.filter.table import SCORED
from koine.params import Rules, Score
from koine.runtime.files import read_json
from koine.translate.answers import carry

MIRROR = Path(os.environ.get("KOINE_MIRROR", ""))
RULES = Rules(alignment=-2.4, answer=1.0, round_trip_chrf=None)
SHARE = 0.1
Pairs = list[tuple[str, str]]


def main() -> None:
    """Run one part."""
    parts = {"planted": planted, "systems": systems, "speed": speed}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=list(parts))
    parts[parser.parse_args().part]()


def ntrex() -> tuple[list[str], dict[str, list[str]]]:
    """English lines and the lines of each language."""
    folder = next(MIRROR.glob("raw.githubusercontent.com/MicrosoftTranslator/NTREX/*/NTREX-128"))

    def lines(path: Path) -> list[str]:
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]

    paths = {
        languages.canonical(p.name.split(".")[1]): p
        for p in sorted(folder.glob("newstest2019-ref.*.txt"))
        if ".eng" not in p.name
    }
    return lines(folder / "newstest2019-src.eng.txt"), {lang: lines(path) for lang, path in paths.items()}


def xquad(lang: str) -> dict[str, tuple[str, str, str]]:
    """{id: (question, passage, answer)} of every other question."""
    path = next(MIRROR.glob(f"raw.githubusercontent.com/google-deepmind/xquad/*/xquad.{lang}.json"))
    rows = {
        q["id"]: (q["question"].strip(), p["context"], q["answers"][0]["text"])
        for article in read_json(path)["data"]
        for p in article["paragraphs"]
        for q in p["qas"]
    }
    return {i: rows[i] for i in sorted(rows)[1::2]}


# --- planted defects --------------------------------------------------------------------------------------------


def cut(text: str) -> str:
    """Without its last third, at a word where there are words."""
    kept = text[: round(len(text) * 2 / 3)]
    return kept.rsplit(" ", 1)[0] if " " in kept else kept


def change_number(text: str, draw: random.Random) -> str | None:
    """One digit of one number changed, not to a leading zero; None without a number."""
    digits = [m.start() for m in regex.finditer(r"\p{Nd}", text)]
    if not digits:
        return None
    at = draw.choice(digits)
    value = int(text[at])
    other = draw.choice([d for d in range(1, 10) if d != value])
    return text[:at] + chr(ord(text[at]) - value + other) + text[at + 1 :]


def loop(text: str) -> str:
    """The last words again and again, as a decoder that hangs."""
    words = text.split(" ")
    tail = " ".join(words[-4:]) if len(words) > 4 else text[-12:]
    return text + (" " if " " in text else "") + (" " if " " in text else "").join([tail] * 6)


def defects(english: list[str], texts: dict[str, list[str]], lang: str) -> dict[str, Callable[[int, random.Random], str | None]]:
    """How to spoil line i of a language, by kind of defect; None where it cannot be."""
    own = texts[lang]
    base = lang.split("-")[0]
    others = [other for other in texts if other.split("-")[0] != base]
    script = {other: languages.script(other) for other in texts}
    strange = [other for other in others if script[other] != script[lang]]
    return {
        "wrong_language": lambda i, draw: texts[draw.choice(others)][i],
        "wrong_script": lambda i, draw: texts[draw.choice(strange)][i],
        "untranslated": lambda i, draw: english[i],
        "neighbour": lambda i, draw: own[i + 1] if i + 1 < len(own) else None,
        "truncated": lambda i, draw: cut(own[i]),
        "number_changed": lambda i, draw: change_number(own[i], draw),
        "repetition": lambda i, draw: loop(own[i]),
    }


def frame(sources: list[str], targets: list[str], lang: str, among: list[str]) -> pl.DataFrame:
    """The scores of texts, as those of passages."""
    rows = [{"source": s, "target": t, "back": None} for s, t in zip(sources, targets, strict=True)]
    scored = score_texts(rows, lang, among, Score())
    columns = {f"passage_{name}": scored[name] for name in USUAL}
    empty = {name: pl.Series([None] * len(rows), dtype=kind) for name, kind in SCORED.columns.items() if name not in columns}
    fixed = {"id": [str(i) for i in range(len(rows))], "question": sources, "passage": targets}
    return pl.DataFrame({**empty, **columns, **fixed}).with_columns(pl.col(pl.Float64).fill_nan(None))


def flagged(scored: pl.DataFrame) -> np.ndarray:
    """Which texts break a rule."""
    return verdicts(scored, RULES).select(pl.any_horizontal(pl.exclude("id"))).to_series().to_numpy()


def planted() -> None:
    """Recall per kind and language, at the loss of clean texts."""
    english, texts = ntrex()
    among = list(texts)
    recall: dict[str, dict[str, float]] = {}
    loss: dict[str, float] = {}
    judged = range(1, len(english), 2)
    for number, lang in enumerate(texts):
        draw = random.Random(number)
        clean = frame(english, texts[lang], lang, among)
        loss[lang] = float(flagged(clean)[1::2].mean())
        for kind, spoil in defects(english, texts, lang).items():
            spoilt = {i: text for i in draw.sample(judged, round(SHARE * len(judged))) if (text := spoil(i, draw))}
            if not spoilt:
                continue
            rows, targets = sorted(spoilt), [spoilt.get(i, text) for i, text in enumerate(texts[lang])]
            part = frame([english[i] for i in rows], [targets[i] for i in rows], lang, among)
            # Two scores look at the whole corpus; the others, at one text alone, which saves scoring the clean ones again.
            corpus = Texts(english, targets, [None] * len(english), lang, among, profile(lang, english, targets))
            whole = {"passage_alignment": alignment(corpus)[rows]}
            if part["passage_language"].null_count():
                whole["passage_language"] = scores.language(corpus)[rows]
            part = part.with_columns(pl.Series(name, values) for name, values in whole.items())
            recall.setdefault(kind, {})[lang] = float(flagged(part).mean())
        print(lang, f"loss {loss[lang]:.3f}", {k: round(v[lang], 2) for k, v in recall.items() if lang in v}, flush=True)
    for kind, values in _on_xquad(loss):
        recall.setdefault(kind, {}).update(values)
    print("\nkind  mean  least")
    figures = []
    for kind, values in recall.items():
        worst = min(values, key=values.__getitem__)
        print(f"{kind:22} {np.mean(list(values.values())):.3f}  {values[worst]:.3f} ({worst})")
        figures.append(
            (f"filter.recall.{kind}", round(float(np.mean(list(values.values()))), 4), "share", "planted in human translations")
        )
        figures.append((f"filter.recall.{kind}.least", round(values[worst], 4), "share", worst))
    worst = max(loss, key=loss.__getitem__)
    print(f"clean texts lost: mean {np.mean(list(loss.values())):.4f}, most {loss[worst]:.4f} ({worst})")
    figures.append(("filter.clean_loss.max", round(loss[worst], 4), "share", worst))
    figures.append(("filter.clean_loss.mean", round(float(np.mean(list(loss.values()))), 4), "share", f"{len(loss)} languages"))
    update_results("filter", figures)


def _on_xquad(loss: dict[str, float]) -> Iterator[tuple[str, dict[str, float]]]:
    """Defects of questions and answers; adds the clean questions' loss to `loss`."""
    english = xquad("en")
    asked, lost = {}, {}
    for lang in ("ar", "de", "el", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"):
        own = xquad(lang)
        ids = [i for i in own if i in english]
        questions, sources = [own[i][0] for i in ids], [english[i][0] for i in ids]
        loss[f"{lang} questions"] = float(flagged(frame(sources, questions, lang, ["en", lang, "fr", "pt", "it"])).mean())
        if profile(lang, sources, questions).asks:
            statements = [regex.sub(r"\s*[?？؟;]+\s*$", "。" if lang == "zh" else ".", text) for text in questions]
            asked[lang] = float(flagged(frame(sources, statements, lang, ["en", lang])).mean())
        gone = [own[i][1].replace(own[i][2], "") for i in ids]
        kept = [carry(english[i][1], english[i][2], None, [], text, own[i][2]) for i, text in zip(ids, gone, strict=True)]
        lost[lang] = float(np.mean([found is not None and found.text is None for found in kept]))
    yield "question_to_statement", asked
    yield "answer_lost", lost


# --- MT systems, speed --------------------------------------------------------------------------------------------


def systems() -> None:
    """Does the share of kept texts rank MT systems as COMET does, and does dropping the worst fifth raise chrF."""
    from sacrebleu.metrics.chrf import CHRF
    from scipy.stats import kendalltau

    figures = []
    taus, gains = {}, {}
    for folder in sorted(MIRROR.glob("raw.githubusercontent.com/mozilla/firefox-translations-models/*/evaluation/en-*")):
        lang = folder.name.removeprefix("en-")
        source = (folder / "flores-dev.en").read_text(encoding="utf-8").splitlines()
        reference = (folder / f"flores-dev.{lang}").read_text(encoding="utf-8").splitlines()
        ours, comet, gain = [], [], []
        for path in sorted(folder.glob(f"flores-dev.*.{lang}")):
            judged = path.with_name(path.name + ".comet")
            output = path.read_text(encoding="utf-8").splitlines()
            if not judged.is_file() or len(output) != len(source):
                continue
            scored = frame(source, output, languages.canonical(lang), ["en", lang])
            evidence = _evidence(scored)
            ours.append(float(np.mean(evidence)))
            comet.append(float(judged.read_text().split()[-1]))
            best = np.argsort(evidence, kind="stable")[len(evidence) // 5 :]
            chrf = CHRF(word_order=2)
            whole = chrf.corpus_score(output, [reference]).score
            part = chrf.corpus_score([output[i] for i in best], [[reference[i] for i in best]]).score
            gain.append(part - whole)
        if len(ours) > 2:
            taus[lang], gains[lang] = float(kendalltau(ours, comet).statistic), float(np.mean(gain))
            print(
                f"{lang}: {len(ours)} systems, Kendall tau {taus[lang]:+.2f}, chrF++ of the best 80 % {gains[lang]:+.2f}",
                flush=True,
            )
            figures.append((f"filter.systems.tau.{lang}", round(taus[lang], 3), "Kendall tau", f"COMET, {len(ours)} systems"))
            figures.append((f"filter.systems.chrf_gain.{lang}", round(gains[lang], 3), "chrF++ points", "all outputs"))
    print(f"mean tau {np.mean(list(taus.values())):+.2f}, mean gain {np.mean(list(gains.values())):+.2f}")
    update_results("filter", figures)


def _evidence(scored: pl.DataFrame) -> Floats:
    """One number a text: the alignment, less what other rules hold against it."""
    aligned = scored["passage_alignment"].fill_null(0).to_numpy()
    against = sum(1 - scored[f"passage_{name}"].fill_null(1).to_numpy() for name in ("numbers", "ending", "question", "language"))
    return np.asarray(aligned - 2 * against - scored["passage_repetition"].fill_null(0).to_numpy() * 5)


def speed() -> None:
    """A million pairs with all scores that need no model: SQuAD's questions and sentences in Finnish, repeated."""
    from koine.collect.formats.memory import read_memory

    path = MIRROR / "local/squad-fi/memory.en-fi.jsonl"
    segments: Pairs = [(s.source, s.target) for s in read_memory(path) if len(s.source) < 400]
    wanted = 1_000_000
    rows = [
        {"source": f"{s} {n}", "target": f"{t} {n}", "back": None}
        for n in range(wanted // len(segments) + 1)
        for s, t in segments
    ]
    start = time.perf_counter()
    score_texts(rows[:wanted], "fi", ["en", "fi", "sv", "et"], Score(), workers=os.cpu_count() or 1)
    rate = wanted / (time.perf_counter() - start)
    print(f"{rate:,.0f} pairs/s: a million in {1e6 / rate:.0f} s")
    update_results("filter", [("filter.pairs_per_s", round(rate), "pairs/s", "all scores without a model")])


if __name__ == "__main__":
    main()
