"""The filter step: which pairs of one language are kept, and why the others went."""

from pathlib import Path

import numpy as np
import polars as pl

from koine.filter.rules import RULES, UNTRANSLATED, columns_of, counted_as, reasons, scored_rules
from koine.filter.table import schema_of
from koine.params import Rules
from koine.records import PARALLEL
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl, text_id, write_json

BINS, EXAMPLES, SHOWN = 20, 10, 240  # of each rule, in the summary; characters of an example


def filter(scores: Path, out: Path, summary: Path, *, rules: Rules, truth: Path | None = None) -> None:
    """Keep the pairs that break no rule, and count which rule each other one breaks.

    Args:
        scores: Scores of one language.
        out: Where the kept pairs go.
        summary: Where the counts go, by rule, with histograms and examples: JSON.
        rules: thresholds.
        truth: Planted defects (JSONL), to measure the filter against.

    Raises:
        KoineError: no pair passes.
    """
    names = scored_rules(rules.switched_on)
    rows = schema_of(names).read(scores)
    broken = verdicts(rows, rules)
    dropped = broken.select(pl.any_horizontal(pl.exclude("id"))).to_series()
    kept = rows.filter(~dropped)
    lang = str(rows["lang"][0])
    if kept.is_empty():
        raise KoineError(f"{lang}: no pair passes the filter; see the scores in {scores} and loosen filter.rules")
    kept = _drop_negatives(kept, rows, rules)
    PARALLEL.write(kept, out)
    if given := int(rows["negatives"].list.len().sum()):
        say(f"{lang}: kept {int(kept['negatives'].list.len().sum()):,} of {given:,} negatives")
    counts = {name: int(broken[name].sum()) for name in broken.columns if name != "id"}
    thresholds = {name: threshold for name, threshold in rules if name in names and RULES[name].keeps != "null"}
    report: dict[str, object] = {"lang": lang, "pairs": len(rows), "kept": len(kept), "dropped": counts}
    report["scores"] = {
        name: _histogram(rows, name, threshold)
        for name, threshold in thresholds.items()
        if any(rows[column].count() for column in columns_of(name))
    }
    report["examples"] = {
        name: _examples(rows, name, threshold) for name, threshold in thresholds.items() if counts.get(counted_as(name))
    }
    if truth is not None:
        report["planted"] = _against_truth(rows, dropped, truth, lang)
    write_json(summary, report)
    words = reasons()
    table(
        f"{lang}: kept {len(kept):,} of {len(rows):,} pairs ({len(kept) / len(rows):.1%})",
        ["rule", "pairs that break it"],
        [(words[name], count) for name, count in counts.items()],
    )
    if truth is not None:
        say(f"{lang}: planted defects: {report['planted']}")


def verdicts(scored: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """One boolean column for each rule that is on: True where the pair breaks it. A score of null breaks no threshold."""
    broken = {UNTRANSLATED: pl.col("question").is_null() | pl.col("passage").is_null()}
    for name, threshold in rules.switched_on.items():
        tests = [_breaks(scored, name, column, threshold) for column in columns_of(name)]
        broken[counted_as(name)] = pl.any_horizontal(test.fill_null(False) for test in tests)
    return scored.select("id", **broken)


def _breaks(scored: pl.DataFrame, rule: str, column: str, threshold: float | str) -> pl.Expr:
    keeps = RULES[rule].keeps
    if keeps == "null":
        return pl.col(column).is_not_null()
    limit = _limit(scored, rule, column, threshold)
    return pl.col(column) > limit if keeps == "most" else pl.col(column) < limit


def _limit(scored: pl.DataFrame, rule: str, column: str, threshold: float | str) -> float:
    """A threshold as a score: `2%` is what the worst 2 % do not reach."""
    if isinstance(threshold, float | int):
        return float(threshold)
    share = float(threshold.removesuffix("%")) / 100
    limit = scored[column].quantile(1 - share if RULES[rule].keeps == "most" else share, "nearest")
    return float("nan") if limit is None else limit


def _drop_negatives(kept: pl.DataFrame, scored: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Leave out of kept pairs the negatives that break a rule, as if they were passages of the scored pairs."""
    columns = ["negative_ids", "negatives", "negative_scores"]
    negatives = kept.select("id", *columns).drop_nulls().explode(columns).unnest("negative_scores")
    of_texts = {name: threshold for name, threshold in rules.switched_on.items() if RULES[name].scores == "text"}
    broken = (_breaks(scored, name, f"passage_{name}", threshold).fill_null(False) for name, threshold in of_texts.items())
    good = negatives.filter(~pl.any_horizontal(pl.lit(False), *broken))
    listed = good.group_by("id", maintain_order=True).agg("negative_ids", "negatives")
    return kept.drop(columns).join(listed, on="id", how="left", maintain_order="left")


def _histogram(rows: pl.DataFrame, rule: str, threshold: float | str | None) -> dict[str, object]:
    """How the scores of a rule spread, and where its threshold lies (of the passages, where it is a share)."""
    columns = columns_of(rule)
    values = pl.concat([rows[column].drop_nulls() for column in columns]).to_numpy()
    low, high = np.quantile(values, [0.001, 0.999])  # a single odd text would leave all others in one bar
    if high - low < 1e-3:  # all alike: bars narrower than the digits of their edges would say nothing
        high = low + 1
    counts, edges = np.histogram(np.clip(values, low, high), bins=BINS, range=(low, high))
    limit = None if threshold is None else _limit(rows, rule, columns[-1], threshold)
    return {
        "edges": [round(float(edge), 4) for edge in edges],
        "counts": counts.tolist(),
        "threshold": None if limit is None else round(limit, 4),
    }


def _examples(rows: pl.DataFrame, rule: str, threshold: float | str) -> list[dict[str, object]]:
    """A few texts that a rule drops, drawn by their ids: source, translation and score, for a person to judge."""
    examples: list[dict[str, object]] = []
    for column in columns_of(rule):
        part = column.split("_")[0] if column.startswith("question_") else "passage"
        bad = rows.filter(_breaks(rows, rule, column, threshold).fill_null(False))
        texts = bad.select("id", source=f"source_{part}", target=part, score=pl.col(column).round(3))
        examples += texts.unique("source", keep="first", maintain_order=True).to_dicts()
    examples.sort(key=lambda example: (text_id(str(example["id"])), str(example["source"])))
    short = [{part: _short(str(example[part])) for part in ("source", "target")} for example in examples[:EXAMPLES]]
    return [{**example, **texts} for example, texts in zip(examples, short, strict=False)]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2].rstrip()} … {text[-SHOWN // 2 :].lstrip()}"


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
