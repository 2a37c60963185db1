"""Does filtering help: models trained on what the filter likes, on what it dislikes, and on as many pairs at random.

    python benchmarks/filter_training.py            needs $KOINE_MIRROR; a quarter of an hour

`fi`: every fourth question of SQuAD train with its machine translation, ordered by the filter (pairs that break a rule
first, then by their worse round trip); the better half against the worse. Asked: SQuAD dev in English and Finnish.
`es`, `da`: SQuAD dev's published translations, half of the articles for training, the other half asked. Some of their
answers are not in their passages (18 % and 15 %): those pairs against as many of the others. And, without a round trip,
the better half against the worse by alignment, answers lost being worst.

The static backbone, x-y batches (each pair of texts is a source and a translation), five seeds. A difference is said to
be one if it is more than twice its standard error over seeds. Writes benchmarks/results/filter_training.json.
"""

import argparse
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", TOKENIZERS_PARALLELISM="false")

import numpy as np
import polars as pl
from _machine import update_results

from koine.collect.benchmark import collect_benchmark
from koine.collect.formats.memory import read_memory
from koine.collect.formats.squad import Question, read_squad
from koine.filter.decide import verdicts
from koine.filter.score import USUAL, score_texts
from koine.filter.table import SCORED
from koine.params import Architecture, Optimisation, Rules, Score, Tokenizer
from koine.people.evaluate import evaluate
from koine.records import PARALLEL, QA, Run
from koine.runtime.files import text_id, write_json
from koine.train.model import train
from koine.train.tokens import train_tokens

LOCAL = Path(os.environ.get("KOINE_MIRROR", "")) / "local"
SEEDS = range(5)
RULES = Rules(numbers=0.5, alignment=-2.4, round_trip_chrf=0.4, answer=1.0)


def main() -> None:
    """All selections, all seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="*", default=["fi", "es", "da"])
    for name in parser.parse_args().corpora:
        figures = []
        lang, pairs, asked = finnish() if name == "fi" else published(name)
        pairs = judged(pairs, lang)
        for selection, chosen in selections(pairs, lang).items():
            values = {part: measure(frame, lang, asked) for part, frame in chosen.items()}
            size = len(chosen["random"])
            for part in ("kept", "dropped"):
                gains = values[part] - values["random"]  # same seed, same number of pairs
                mean, error = gains.mean(0), gains.std(0, ddof=1) / len(SEEDS) ** 0.5
                for setting, gain, spread, base in zip(
                    ("mono", "cross", "multi"), mean, error, values["random"].mean(0), strict=True
                ):
                    told = "differs" if abs(gain) > 2 * spread else "does not differ"
                    print(
                        f"{lang} {selection}, {size:,} pairs: {part} - random, {setting} mAP {gain:+.4f} ± {spread:.4f}: {told}",
                        flush=True,
                    )
                    against = f"random {size} pairs at {base:.4f}; standard error {spread:.4f}"
                    figures.append(
                        (f"filter_training.{lang}.{selection}.{part}.{setting}", round(float(gain), 4), "mAP", against)
                    )
        update_results("filter_training", figures)


Asked = dict[str, list[Question]]


def finnish() -> tuple[str, pl.DataFrame, Asked]:
    """Machine translations with their round trips, and what to ask."""
    memory, back = (
        {s.source: s.target for s in read_memory(LOCAL / "squad-fi" / f"memory.{way}.jsonl")} for way in ("en-fi", "fi-en")
    )
    rows = []
    for q in list(read_squad(LOCAL / "squad" / "train-v1.1.json"))[::4]:
        if q.text in memory and q.context in memory:
            question, passage = memory[q.text], memory[q.context]
            rows.append(row(q, question, passage, None, back.get(question), back.get(passage)))
    dev = {lang: list(read_squad(LOCAL / "squad-dev-parallel" / f"{lang}.json")) for lang in ("en", "fi")}
    return "fi", pl.DataFrame(rows, infer_schema_length=None), dev


def published(lang: str) -> tuple[str, pl.DataFrame, Asked]:
    """Published translations of SQuAD dev: the even articles' pairs for training, the odd ones' questions to ask."""
    english = list(read_squad(LOCAL / "squad-dev-parallel" / "en.json"))
    own = {q.id: q for q in read_squad(LOCAL / "squad-dev-parallel" / f"{lang}.json")}
    number = {title: i for i, title in enumerate(dict.fromkeys(q.title for q in english))}
    rows, asked = [], []
    for q in english:
        if q.id in own:
            there = own[q.id]
            kept = bool((there.answer or "").strip())
            if number[q.title] % 2 == 0:
                rows.append(row(q, there.text, there.context, float(kept), None, None))
            elif kept:
                asked.append(q)
    return lang, pl.DataFrame(rows, infer_schema_length=None), {"en": asked, lang: [own[q.id] for q in asked]}


def row(
    q: Question, question: str, passage: str, kept: float | None, back_q: str | None, back_p: str | None
) -> dict[str, object]:
    """A pair and its translation."""
    return {
        "id": q.id, "passage_id": text_id(q.context), "group": q.title, "source_question": q.text, "source_passage": q.context,
        "question": question, "passage": passage, "answer_kept": kept, "back_question": back_q, "back_passage": back_p,
    }  # fmt: skip


def judged(pairs: pl.DataFrame, lang: str) -> pl.DataFrame:
    """The pairs with the columns `broken` (whether a rule is) and `worth` (higher is better)."""
    columns: dict[str, pl.Series] = {}
    for part in ("question", "passage"):
        texts = pairs.select(source=f"source_{part}", target=part, back=f"back_{part}").unique(maintain_order=True)
        scored = score_texts(texts.to_dicts(), lang, ["en", lang, "sv", "et", "pt", "no"], Score(), workers=2)
        found = texts.with_columns(pl.Series(f"{part}_{name}", scored[name]).fill_nan(None) for name in USUAL)
        keys = {"source": f"source_{part}", "target": part}
        joined = pairs.join(found.rename(keys).drop("back"), on=list(keys.values()), how="left", maintain_order="left")
        columns |= {f"{part}_{name}": joined[f"{part}_{name}"] for name in USUAL}
    full = pairs.with_columns(**columns)
    blank = {name: pl.lit(None, dtype=kind).alias(name) for name, kind in SCORED.columns.items() if name not in full.columns}
    broken = verdicts(full.with_columns(*blank.values()), RULES).select(pl.any_horizontal(pl.exclude("id"))).to_series()
    score = "round_trip_chrf" if lang == "fi" else "alignment"
    return full.with_columns(broken=broken, worth=pl.min_horizontal(f"question_{score}", f"passage_{score}").fill_null(0))


def selections(pairs: pl.DataFrame, lang: str) -> dict[str, dict[str, pl.DataFrame]]:
    """By name: what the filter keeps, what it drops, and as many at random."""
    draw = random.Random(0)

    def some(frame: pl.DataFrame, count: int) -> pl.DataFrame:
        return frame[sorted(draw.sample(range(len(frame)), count))]

    lost = pl.col("answer_kept").fill_null(1)
    ordered = pairs.sort(lost, ~pl.col("broken"), "worth", "id")
    half = len(pairs) // 2
    found = {"halves": {"kept": ordered[-half:], "dropped": ordered[:half], "random": some(pairs, half)}}
    without = pairs.filter(lost == 0)
    if len(without):
        whole = pairs.filter(lost == 1)
        found["answers"] = {"kept": some(whole, len(without)), "dropped": without, "random": some(pairs, len(without))}
    breaking = pairs["broken"].sum() / len(pairs)
    print(f"{lang}: {len(pairs):,} pairs, {breaking:.1%} break a rule, {len(without):,} lost their answer", flush=True)
    return found


def measure(pairs: pl.DataFrame, lang: str, asked: Asked) -> np.ndarray:
    """MAP of the settings mono, cross and multi, `[seeds, 3]`, of models trained on these pairs."""
    batch = min(512, len(pairs) // 2)
    architecture = Architecture(hidden_size=256)
    optimisation = Optimisation(max_steps=max(60, 6 * len(pairs) // batch), batch_size=batch)
    values = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for language, questions in asked.items():
            write_json(folder / f"{language}.json", squad(questions))
        files = {language: folder / f"{language}.json" for language in asked}
        collect_benchmark(files, folder / "asked", reader="squad", candidate="passage", parallel_only=True)
        write_pairs(pairs, lang, folder)
        words = Tokenizer(vocab_size=20000, max_length=256)
        train_tokens(folder / "qa", folder / "tokens", "static", words, parallel=[folder / "parallel"])
        for seed in SEEDS:
            train(
                folder / "tokens", folder / "model", "x-y", "static", architecture=architecture, optimisation=optimisation,
                seed=seed, device="cpu",
            )  # fmt: skip
            run = Run("filter", "static", "x-y", seed)
            evaluate(
                model=str(folder / "model"), benchmark=str(folder / "asked"), out=folder / "out", metrics=["map"], run=run,
                device="cpu",
            )  # fmt: skip
            cells = pl.read_csv(folder / "out" / "pairs.csv").filter(metric="map").group_by("setting").agg(pl.col("value").mean())
            values.append([cells.filter(setting=setting)["value"][0] for setting in ("mono", "cross", "multi")])
    return np.array(values)


def squad(questions: list[Question]) -> dict[str, object]:
    """Questions as a SQuAD file."""
    return {"version": "1.1", "data": list(_articles(questions))}


def _articles(questions: list[Question]) -> Iterator[dict[str, object]]:
    for (title, context), rows in pl.DataFrame(
        {"title": [q.title for q in questions], "context": [q.context for q in questions], "row": range(len(questions))}
    ).group_by("title", "context", maintain_order=True):
        own = [questions[i] for i in rows["row"]]
        asked = [{"id": q.id, "question": q.text, "answers": [{"text": q.answer, "answer_start": 0}]} for q in own]
        yield {"title": title, "paragraphs": [{"context": context, "qas": asked}]}


def write_pairs(pairs: pl.DataFrame, lang: str, folder: Path) -> None:
    """The training files: source rows and parallel rows."""
    same = dict.fromkeys(("source", "domain", "licence"), pl.lit("")) | {"lang": pl.lit("en")}
    nothing = {
        name: pl.lit(None, dtype=kind)
        for name, kind in (QA.columns | PARALLEL.columns).items()
        if name.startswith(("answer", "sentence", "negative"))
    }
    source = pairs.with_columns(**same, **nothing, question="source_question", passage="source_passage")
    QA.write(source, folder / "qa")
    PARALLEL.write(pairs.with_columns(**nothing, lang=pl.lit(lang)), folder / "parallel")


if __name__ == "__main__":
    main()
