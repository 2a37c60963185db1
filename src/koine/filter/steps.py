"""Commands of the filter step: scores of one language, the decisions over them, and the benchmark of held-out questions."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from koine.collect.contamination import benchmark_contamination
from koine.collect.formats.beir import BEIR
from koine.filter import scores
from koine.filter.alignment import alignment
from koine.filter.profiles import profile
from koine.filter.scores import Floats
from koine.params import Rules, Score
from koine.records import PARALLEL, QA, TEXT, TRANSLATION, Schema, read_collected
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl, text_id, write_json, write_jsonl, write_text
from koine.translate.answers import Carried, carry

TEXT_SCORES = (
    *("language", "script", "length", "numbers", "copied", "repetition", "ending", "question", "alignment"),
    *("round_trip_chrf", "round_trip_bleu", "cosine"),
)
#: Scores of a pair as a whole, by rule; the others are of a question and of a passage.
PAIR_SCORES = {"answer": "answer_kept", "external": "external"}
#: Rules whose threshold is a most value; of the others it is a least.
MOST = {"length", "copied", "repetition"}
REASONS = {
    "untranslated": "no translation was found",
    "language": "not in its language",
    "script": "not in its language's script",
    "length": "too long or too short",
    "numbers": "numbers, units or links changed",
    "copied": "source copied",
    "repetition": "words repeated",
    "ending": "end of the sentence missing",
    "question": "question became a statement, or a statement a question",
    "alignment": "seems to be the translation of another text",
    "answer": "answer lost",
    "round_trip_chrf": "round trip too far from the source (chrF++)",
    "round_trip_bleu": "round trip too far from the source (BLEU)",
    "cosine": "far from the source under the encoder",
    "external": "external score too low",
    "contaminated": "shares text with a benchmark",
}
BLOCK = 100_000  # texts that are scored together, and compared with each other
BINS, EXAMPLES, SHOWN = 20, 10, 240  # of each rule, in the summary; characters of an example

#: A translated pair with its scores; those of question and passage stand side by side.
SCORED = Schema(
    "scored pair",
    {
        **PARALLEL.columns,
        "source_question": TEXT,
        "source_passage": TEXT,
        "question_id": TEXT,  # of the source's text, as `passage_id` is: the same target may be right for one source only
        **{f"{part}_{name}": pl.Float64() for part in ("question", "passage") for name in TEXT_SCORES},
        "negative_scores": pl.List(pl.Struct({f"passage_{name}": pl.Float64() for name in TEXT_SCORES})),
        **{name: pl.Float64() for name in PAIR_SCORES.values()},
        "contaminated": TEXT,
    },
    nullable=frozenset(
        {"question", "passage", "negative_scores", "contaminated", *PAIR_SCORES.values(), *PARALLEL.nullable}
        | {f"{part}_{name}" for part in ("question", "passage") for name in TEXT_SCORES}
    ),
)


def score(
    qa: Path, translations: Sequence[Path], benchmarks: Sequence[Path], out: Path, *,
    lang: str, among: Sequence[str], settings: Score, ngram: int, workers: int, device: str = "cpu", heldout: Path | None = None,
) -> None:  # fmt: skip
    """Join the collected pairs with their translations and score them; one row for every collected pair.

    Negatives are scored as passages are. Of those, what has no translation or stands in a benchmark is left out here.

    Args:
        qa: QA rows of the collect step.
        translations: all shards of one language (`records.TRANSLATION`).
        benchmarks: prepared benchmarks; a translation that shares n words in a row with one is marked.
        out: the scores (`SCORED`).
        lang: the language of the translations.
        among: languages that the identifier chooses from, besides `settings.neighbours`.
        settings: encoder and external scores, where there are any.
        ngram: n of the contamination check.
        workers, device: processes, and where an encoder computes; execution only.
        heldout: held-out rows, scored too.
    """
    pairs = read_collected(qa, heldout)
    texts = {row["text_id"]: row for path in translations for row in TRANSLATION.read(path).iter_rows(named=True)}
    contamination = benchmark_contamination(benchmarks, ngram)
    columns: dict[str, list[object]] = {name: pairs[name].to_list() for name in ("id", "passage_id")}
    columns["lang"] = [lang] * len(pairs)
    columns |= {f"source_{part}": pairs[part].to_list() for part in ("question", "passage")}
    marked: dict[str, str | None] = {}
    negatives = pairs.select("id", negative_ids="negatives").explode("negative_ids").drop_nulls()
    negatives = negatives.with_columns(pl.col("negative_ids").map_elements(text_id, return_dtype=pl.String))
    for part in ("question", "passage"):
        ids = [text_id(text) for text in pairs[part]]
        every = dict.fromkeys([*ids, *negatives["negative_ids"]] if part == "passage" else ids)
        if not every.keys() <= texts.keys():
            raise KoineError(f"{qa} and the translations into {lang} do not belong together; delete the latter")
        distinct = [name for name in every if texts[name]["target"] is not None]
        scored = _score_texts([texts[name] for name in distinct], lang, [*among, *settings.neighbours], settings, workers, device)
        columns[part] = [texts[name]["target"] for name in ids]
        row_of = {name: row for row, name in enumerate(distinct)}
        rows = np.array([row_of.get(i, len(distinct)) for i in ids])
        for name, values in scored.items():  # a text without a translation has no scores
            columns[f"{part}_{name}"] = np.append(values, np.nan)[rows]
        for name in distinct:
            found = contamination.find(texts[name]["target"])
            marked[name] = found[0] if found else None
        columns[f"_{part}_id"] = list(ids)
        if part == "passage":
            clean = pl.DataFrame(
                {
                    **{"negative_ids": distinct, "negatives": [texts[name]["target"] for name in distinct]},
                    **{f"passage_{name}": values for name, values in scored.items()},
                    "contaminated": [marked[name] for name in distinct],
                },
                schema_overrides={"negative_ids": TEXT, "negatives": TEXT, "contaminated": TEXT},
            )
            clean = clean.filter(pl.col("contaminated").is_null()).fill_nan(None)
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
    columns["external"] = list(_external(settings.external, lang, pairs["id"].to_list()))
    columns["answer_kept"] = [None if found is None else float(found.text is not None) for found in carried]
    frame = pl.DataFrame(columns, schema_overrides=SCORED.columns).with_columns(pl.col(pl.Float64).fill_nan(None))
    grouped = negatives.join(clean, on="negative_ids", maintain_order="left").group_by("id", maintain_order=True)
    listed = grouped.agg("negative_ids", "negatives", negative_scores=pl.struct(f"passage_{name}" for name in TEXT_SCORES))
    SCORED.write(frame.join(listed, on="id", how="left", maintain_order="left"), out)
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


def _score_texts(
    rows: Sequence[dict[str, Any]], lang: str, among: Sequence[str], settings: Score, workers: int, device: str
) -> dict[str, Floats]:
    """The scores of translated texts by name (`TEXT_SCORES`), each `[n]`; block by block, so that memory is bounded."""
    if len(rows) > BLOCK:
        size = math.ceil(len(rows) / math.ceil(len(rows) / BLOCK))  # equal blocks: in a small one too little is usual
        blocks = [rows[at : at + size] for at in range(0, len(rows), size)]
        parts = [_score_texts(block, lang, among, settings, workers, device) for block in blocks]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    sources, targets = [row["source"] for row in rows], [row["target"] for row in rows]
    usual = profile(lang, sources, targets)
    lengths = scores.length(sources, targets, usual)
    chrf, bleu = scores.round_trips(sources, [row["back"] for row in rows], workers)
    return {
        "language": scores.language(targets, lang, among),
        "script": scores.script(targets, lang),
        "length": lengths,
        "numbers": scores.numbers(sources, targets),
        "copied": scores.copied(sources, targets),
        "repetition": scores.repetition(sources, targets),
        "ending": scores.ending(sources, targets, usual),
        "question": scores.question(sources, targets, usual),
        "alignment": alignment(sources, targets, lengths),
        "round_trip_chrf": chrf,
        "round_trip_bleu": bleu,
        "cosine": scores.cosine(sources, targets, settings.encoder, device),
    }


def _external(pattern: str, lang: str, ids: Sequence[str]) -> list[float | None]:
    """A user's own scores by pair id; null where the file has none for a pair."""
    if not pattern:
        return [None] * len(ids)
    path = Path(pattern.format(lang=lang))
    found: dict[str, float] = {}
    for number, row in read_jsonl(path):
        if not isinstance(row.get("id"), str) or not isinstance(row.get("score"), int | float):
            raise KoineError(f"{path}:{number}: a row of external scores needs `id` (text) and `score` (a number)")
        found[row["id"]] = float(row["score"])
    if not found.keys() & set(ids):
        raise KoineError(f"{path}: none of its ids is a collected pair's; they look like {ids[0]!r}")
    return [found.get(i) for i in ids]


def verdicts(scored: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """One boolean column per rule that is on: True where the pair breaks it. A score of null breaks nothing."""
    broken = {"untranslated": pl.col("question").is_null() | pl.col("passage").is_null()}
    for name, threshold in rules:
        if threshold is None or name == "clean_source":
            continue
        tests = [_breaks(scored, name, column, threshold) for column in rule_columns(name)]
        broken[name] = pl.any_horizontal(test.fill_null(False) for test in tests)
    if rules.clean_source:
        broken["contaminated"] = pl.col("contaminated").is_not_null()
    return scored.select("id", **broken)


def rule_columns(rule: str) -> list[str]:
    """The scores that a rule looks at."""
    return [PAIR_SCORES[rule]] if rule in PAIR_SCORES else [f"question_{rule}", f"passage_{rule}"]


def _breaks(scored: pl.DataFrame, rule: str, column: str, threshold: float | str) -> pl.Expr:
    limit = _limit(scored, rule, column, threshold)
    return pl.col(column) > limit if rule in MOST else pl.col(column) < limit


def _limit(scored: pl.DataFrame, rule: str, column: str, threshold: float | str) -> float:
    """A threshold as a score: `2%` is what the worst 2 % do not reach."""
    if isinstance(threshold, float | int):
        return float(threshold)
    share = float(threshold.removesuffix("%")) / 100
    limit = scored[column].quantile(1 - share if rule in MOST else share, "nearest")
    return float("nan") if limit is None else limit


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
    kept = _drop_negatives(kept, rows, rules)
    PARALLEL.write(kept, out)
    if given := int(rows["negatives"].list.len().sum()):
        say(f"{lang}: kept {int(kept['negatives'].list.len().sum()):,} of {given:,} negatives")
    counts = {name: int(broken[name].sum()) for name in broken.columns if name != "id"}
    report: dict[str, object] = {"lang": lang, "pairs": len(rows), "kept": len(kept), "dropped": counts}
    report["scores"] = {
        name: _histogram(rows, name, threshold)
        for name, threshold in rules
        if name != "clean_source" and any(rows[column].count() for column in rule_columns(name))
    }
    report["examples"] = {
        name: _examples(rows, name, threshold) for name, threshold in rules if name != "clean_source" and counts.get(name)
    }
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


def benchmark(qa: Path, heldout: Path, parallel: Sequence[Path], out: Path) -> None:
    """Make a parallel benchmark of the held-out questions that passed the filter in every language.

    The candidates are all passages of their sources, those trained on too, in each language in which they passed: what a person
    searches is the whole collection.

    Args:
        qa: QA rows to train on.
        heldout: held-out QA rows.
        parallel: kept pairs (`records.PARALLEL`), a file for each language.
        out: folder; gets a BEIR folder for each language, with the same ids.

    Raises:
        KoineError: no question passed in every language.
    """
    asked = QA.read(heldout)
    every = pl.concat([asked, QA.read(qa).filter(pl.col("source").is_in(asked["source"].unique().implode()))])
    columns = ["id", "passage_id", "question", "passage"]
    versions = {str(asked["lang"][0]): every.select(columns)}
    for path in parallel:
        kept = PARALLEL.read(path)
        versions[str(kept["lang"][0])] = kept.join(every, on="id", how="semi", maintain_order="left").select(columns)
    left = asked.select("id")
    rows = []
    for lang, version in versions.items():
        own = asked.join(version, on="id", how="semi")
        left = left.join(version, on="id", how="semi", maintain_order="left")
        rows.append((lang, len(own), f"{len(own) / len(asked):.1%}", version["passage_id"].n_unique()))
    if left.is_empty():
        raise KoineError("no held-out question passed the filter in every language; hold out more (collect.heldout.questions)")
    for lang, version in versions.items():
        own = left.join(version, on="id", maintain_order="left")
        passages = version.unique("passage_id", keep="first", maintain_order=True)
        queries = ({"_id": row["id"], "text": row["question"]} for row in own.iter_rows(named=True))
        write_jsonl(out / lang / BEIR["queries"], queries)
        corpus = ({"_id": row["passage_id"], "text": row["passage"]} for row in passages.iter_rows(named=True))
        write_jsonl(out / lang / BEIR["corpus"], corpus)
        judged = "".join(f"{query}\t{passage}\t1\n" for query, passage in own.select("id", "passage_id").iter_rows())
        write_text(out / lang / BEIR["qrels"], f"query-id\tcorpus-id\tscore\n{judged}")
    title = f"{len(left):,} of {len(asked):,} held-out questions passed in every language"
    table(title, ["language", "passed", "share", "candidates"], rows)


def _drop_negatives(kept: pl.DataFrame, scored: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Leave out of kept pairs the negatives that break a rule, as if they were passages of the scored pairs."""
    columns = ["negative_ids", "negatives", "negative_scores"]
    negatives = kept.select("id", *columns).drop_nulls().explode(columns).unnest("negative_scores")
    on = [(name, threshold) for name, threshold in rules if name in TEXT_SCORES and threshold is not None]
    broken = (_breaks(scored, name, f"passage_{name}", threshold).fill_null(False) for name, threshold in on)
    good = negatives.filter(~pl.any_horizontal(pl.lit(False), *broken))
    listed = good.group_by("id", maintain_order=True).agg("negative_ids", "negatives")
    return kept.drop(columns).join(listed, on="id", how="left", maintain_order="left")


def _histogram(rows: pl.DataFrame, rule: str, threshold: float | str | None) -> dict[str, object]:
    """How the scores of a rule spread, and where its threshold lies (of the passages, where it is a share)."""
    columns = rule_columns(rule)
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
    found = []
    for column in rule_columns(rule):
        part = column.split("_")[0] if column.startswith("question_") else "passage"
        bad = rows.filter(_breaks(rows, rule, column, threshold).fill_null(False))
        texts = bad.select("id", source=f"source_{part}", target=part, score=pl.col(column).round(3))
        found += texts.unique("source", keep="first", maintain_order=True).to_dicts()
    chosen = sorted(found, key=lambda example: (text_id(example["id"]), example["source"]))[:EXAMPLES]
    return [{**example, "source": _short(example["source"]), "target": _short(example["target"])} for example in chosen]


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
