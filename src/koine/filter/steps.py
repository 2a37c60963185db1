"""The two commands of the filter step: scores of one language, and the decisions over them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from koine.collect.steps import benchmark_contamination
from koine.filter import scores
from koine.params import Rules
from koine.records import PARALLEL, QA, TEXT, TRANSLATION, Schema
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl, text_id, write_json
from koine.translate.answers import Carried, carry

TEXT_SCORES = ("language", "length_ratio", "numbers", "copied", "repetition", "round_trip_chrf", "round_trip_bleu")
#: Rules whose threshold is a least value; of the others it is a most.
LEAST = {"language", "numbers", "answer", "round_trip_chrf", "round_trip_bleu"}
REASONS = {
    "untranslated": "no translation was found",
    "language": "not in its language",
    "length_ratio": "too long or too short",
    "numbers": "numbers changed",
    "copied": "source copied",
    "repetition": "words repeated",
    "answer": "answer lost",
    "round_trip_chrf": "round trip too far from the source (chrF)",
    "round_trip_bleu": "round trip too far from the source (BLEU)",
    "contaminated": "shares text with a benchmark",
}

#: A translated pair with its scores; those of question and passage stand side by side.
SCORED = Schema(
    "scored pair",
    {
        **PARALLEL.columns,
        "question_id": TEXT,  # of the source's text, as `passage_id` is: the same target may be right for one source only
        **{f"{part}_{name}": pl.Float64() for part in ("question", "passage") for name in TEXT_SCORES},
        "answer_kept": pl.Float64(),
        "contaminated": TEXT,
    },
    nullable=frozenset(
        {"question", "passage", "answer_kept", "contaminated", *PARALLEL.nullable}
        | {f"{part}_{name}" for part in ("question", "passage") for name in TEXT_SCORES}
    ),
)


def score(
    qa: Path, translations: Sequence[Path], benchmarks: Sequence[Path], out: Path, *,
    lang: str, among: Sequence[str], ngram: int, workers: int,
) -> None:  # fmt: skip
    """Join the collected pairs with their translations and score them; one row for every collected pair.

    Args:
        qa: QA rows of the collect step.
        translations: all shards of one language (`records.TRANSLATION`).
        benchmarks: prepared benchmarks; a translation that shares n words in a row with one is marked.
        out: the scores (`SCORED`).
        lang: the language of the translations.
        among: languages that the identifier chooses from.
        ngram: n of the contamination check.
        workers: processes; execution only.
    """
    pairs = QA.read(qa)
    texts = {row["text_id"]: row for path in translations for row in TRANSLATION.read(path).iter_rows(named=True)}
    contamination = benchmark_contamination(benchmarks, ngram)
    columns: dict[str, list[object]] = {name: pairs[name].to_list() for name in ("id", "passage_id")}
    columns["lang"] = [lang] * len(pairs)
    marked: dict[str, str | None] = {}
    for part in ("question", "passage"):
        ids = [text_id(text) for text in pairs[part]]
        missing = next((name for name in ids if name not in texts), None)
        if missing is not None:
            raise KoineError(f"{qa} and the translations into {lang} do not belong together; delete the latter")
        distinct = [name for name in dict.fromkeys(ids) if texts[name]["target"] is not None]
        scored = dict(zip(distinct, _score_texts([texts[name] for name in distinct], lang, among, workers), strict=True))
        columns[part] = [texts[name]["target"] for name in ids]
        for position, name in enumerate(TEXT_SCORES):
            columns[f"{part}_{name}"] = [scored[i][position] if i in scored else None for i in ids]
        for name in distinct:
            found = contamination.find(texts[name]["target"])
            marked[name] = found[0] if found else None
        columns[f"_{part}_id"] = list(ids)
    columns["question_id"] = columns.pop("_question_id")
    columns["contaminated"] = [
        marked.get(q) or marked.get(p)  # type: ignore[call-overload]
        for q, p in zip(columns["question_id"], columns.pop("_passage_id"), strict=True)
    ]
    carried = [_carry(row, texts) for row in pairs.iter_rows(named=True)]
    columns["answer"] = [found and found.text for found in carried]
    columns["answer_start"] = [found and found.start for found in carried]
    columns["sentence_start"] = [found and found.sentence and found.sentence[0] for found in carried]
    columns["sentence_end"] = [found and found.sentence and found.sentence[1] for found in carried]
    columns["answer_kept"] = [None if found is None else float(found.text is not None) for found in carried]
    SCORED.write(SCORED.frame(columns), out)
    say(f"{lang}: {len(pairs):,} pairs scored")


def _carry(pair: dict[str, Any], texts: dict[str, dict[str, Any]]) -> Carried | None:
    """Where the answer of a collected pair stands in its translated passage; None where there is none to look for."""
    passage = texts[text_id(pair["passage"])]
    if passage["target"] is None or not pair["answer"]:
        return None
    numbers = passage["spans"] or []
    here, there = zip(numbers[0::4], numbers[1::4], strict=True), zip(numbers[2::4], numbers[3::4], strict=True)
    spans = list(zip(here, there, strict=True))
    answer = texts[text_id(pair["answer"])]["target"]
    return carry(pair["passage"], pair["answer"], pair["answer_start"], spans, passage["target"], answer)


def _score_texts(rows: Sequence[dict[str, str]], lang: str, among: Sequence[str], workers: int) -> list[tuple[float | None, ...]]:
    """One tuple in the order of `TEXT_SCORES` for each translated text."""
    sources, targets = [row["source"] for row in rows], [row["target"] for row in rows]
    pairs = list(zip(sources, targets, strict=True))
    round_trips = scores.round_trips(sources, [row["back"] for row in rows], workers)
    return list(
        zip(
            scores.language(targets, lang, among),
            scores.length_ratios(sources, targets),
            [scores.numbers(*pair) for pair in pairs],
            [scores.copied(*pair) for pair in pairs],
            [scores.repetition(*pair) for pair in pairs],
            [chrf for chrf, _ in round_trips],
            [bleu for _, bleu in round_trips],
            strict=True,
        )
    )


def verdicts(scored: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """One boolean column per rule that is on: True where the pair breaks it. A score of null breaks nothing."""
    broken = {"untranslated": pl.col("question").is_null() | pl.col("passage").is_null()}
    for name, threshold in rules:
        if threshold is None or name == "clean_source":
            continue
        columns = [pl.col("answer_kept")] if name == "answer" else [pl.col(f"{part}_{name}") for part in ("question", "passage")]
        tests = [column < threshold if name in LEAST else column > threshold for column in columns]
        broken[name] = pl.any_horizontal(test.fill_null(False) for test in tests)
    if rules.clean_source:
        broken["contaminated"] = pl.col("contaminated").is_not_null()
    return scored.select("id", **broken)


def decide(scored: Path, out: Path, summary: Path, *, rules: Rules, truth: Path | None = None) -> None:
    """Keep the pairs that break no rule.

    Args:
        scored: scores of one language.
        out: kept pairs (`records.PARALLEL`).
        summary: JSON with counts per rule, for the report.
        rules: thresholds.
        truth: JSONL of planted defects (`lang`, `source`, `target`, `defect`), where they are known; precision
            and recall of the filter as a whole are then part of the summary.
    """
    rows = SCORED.read(scored)
    broken = verdicts(rows, rules)
    dropped = broken.select(pl.any_horizontal(pl.exclude("id"))).to_series()
    kept = rows.filter(~dropped)
    lang = str(rows["lang"][0])
    if kept.is_empty():
        raise KoineError(f"{lang}: no pair passes the filter; see the scores in {scored} and loosen filter.rules")
    PARALLEL.write(kept.select(list(PARALLEL.columns)), out)
    counts = {name: int(broken[name].sum()) for name in broken.columns if name != "id"}
    report: dict[str, object] = {"lang": lang, "pairs": len(rows), "kept": len(kept), "dropped": counts}
    if truth is not None:
        report["planted"] = _against_truth(rows, dropped, truth, lang)
    write_json(summary, report)
    table(
        f"{lang}: kept {len(kept):,} of {len(rows):,} pairs ({len(kept) / len(rows):.1%})",
        ["rule", "pairs that break it"],
        [(REASONS[name], count) for name, count in counts.items()],
    )
    if truth is not None:
        say(f"{lang}: planted defects: {report['planted']}")


def _against_truth(rows: pl.DataFrame, dropped: pl.Series, truth: Path, lang: str) -> dict[str, object]:
    """Precision and recall of the dropped pairs against the pairs that hold a planted defect, and recall by kind."""
    planted = {(text_id(row["source"]), row["target"]): row["defect"] for _, row in read_jsonl(truth) if row["lang"] == lang}
    pairs = rows.select("question_id", "question", "passage_id", "passage").iter_rows()
    kinds = [planted.get((q, question)) or planted.get((p, passage)) for q, question, p, passage in pairs]
    hits = sum(kind is not None and gone for kind, gone in zip(kinds, dropped, strict=True))
    bad = sum(kind is not None for kind in kinds)
    by_kind = {
        kind: round(sum(gone for k, gone in zip(kinds, dropped, strict=True) if k == kind) / kinds.count(kind), 4)
        for kind in sorted({kind for kind in kinds if kind})
    }
    gone = int(dropped.sum())
    return {
        "pairs": bad,
        "precision": round(hits / gone, 4) if gone else None,
        "recall": round(hits / bad, 4) if bad else None,
        "recall_by_defect": by_kind,
    }
