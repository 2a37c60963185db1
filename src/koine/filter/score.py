"""The filter-score step: the scores of one language's translations, without any decision."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import Field

from koine.collect.contamination import benchmark_contamination
from koine.filter.profiles import profile
from koine.filter.rules import RULES, columns_of, scored_rules
from koine.filter.scores import Floats, Pairs, Texts
from koine.filter.table import schema_of, text_scores
from koine.names import entry_of, target
from koine.params import Score
from koine.records import TEXT, TRANSLATION, read_collected
from koine.runtime.console import say
from koine.runtime.device import Device, resolve
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id
from koine.translate.answers import Carried, carry

BLOCK = 100_000  # texts that are scored together, and compared with each other
USUAL = text_scores(scored_rules(()))
Count = Annotated[int, Field(ge=1)]


def filter_score(
    translations: Sequence[Path], /, qa: Path, out: Path, *, lang: str, score: Score = Score(), among: Sequence[str] = (),
    external: Path | None = None, also: Sequence[str] = (), heldout: Path | None = None, benchmarks: Sequence[Path] = (),
    contamination_ngram: Count = 13, workers: Count = 1, device: Device = "auto",
) -> None:  # fmt: skip
    """Score every translated pair of one language; decide nothing.

    Negatives are scored as passages are. Of those, what has no translation or stands in a benchmark is left out here.

    Args:
        translations: All shards of one language.
        qa: Questions of `koine collect`.
        out: Where the scores go, a row for each collected pair.
        lang: Language of the translations (BCP 47).
        score: what the scores are computed with.
        among: Languages that the identifier chooses from.
        external: Your own scores, JSONL with `id` and `score` (rule `external`).
        also: Rule whose scores are made only where it is on, and that is on.
        heldout: Held-out questions of `koine collect`, scored too.
        benchmarks: Prepared benchmark; text that a translation shares with it is marked.
        contamination_ngram: Words in a row that count as shared.
        workers: Processes; changes only speed.
        device: Where the encoder computes.

    Raises:
        KoineError: the translations are not those of the questions, or the external scores are of other pairs.
    """
    for name in also:
        entry_of(RULES, name, "rule")
    rules = scored_rules(also)
    schema, of_text = schema_of(rules), text_scores(rules)
    pairs = read_collected(qa, heldout)
    translated = {row["text_id"]: row for path in translations for row in TRANSLATION.read(path).iter_rows(named=True)}
    contamination = benchmark_contamination(benchmarks, contamination_ngram)
    negatives = pairs.select("id", negative_ids="negatives").explode("negative_ids").drop_nulls()
    negatives = negatives.with_columns(pl.col("negative_ids").map_elements(text_id, return_dtype=pl.String))
    text_ids = {part: [text_id(text) for text in pairs[part]] for part in ("question", "passage")}
    where = resolve(device) if score.encoder else "cpu"

    def scored(part: str, ids: Iterable[str]) -> pl.DataFrame:
        """The distinct texts that have a translation, with their scores; the columns are called after the part."""
        distinct = dict.fromkeys(ids)
        if not distinct.keys() <= translated.keys():
            raise KoineError(f"{qa} and the translations into {lang} do not belong together; delete the latter")
        rows = [translated[name] for name in distinct if translated[name]["target"] is not None]
        shared = [contamination.find(row["target"]) for row in rows]
        columns = {
            f"{part}_text_id": [row["text_id"] for row in rows],
            part: [row["target"] for row in rows],
            f"{part}_contaminated": [found[0] if found else None for found in shared],
        }
        values = score_texts(rows, lang, among, score, workers, where, of_text)
        frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, TEXT))
        return frame.with_columns(pl.Series(f"{part}_{name}", values[name], pl.Float64) for name in of_text).fill_nan(None)

    questions = scored("question", text_ids["question"])
    passages = scored("passage", [*text_ids["passage"], *negatives["negative_ids"]])
    frame = pairs.select("id", "passage_id", pl.lit(lang).alias("lang"), source_question="question", source_passage="passage")
    frame = frame.with_columns(pl.Series(f"{part}_text_id", ids, TEXT) for part, ids in text_ids.items())
    frame = frame.join(questions, on="question_text_id", how="left", maintain_order="left")
    frame = frame.join(passages, on="passage_text_id", how="left", maintain_order="left")
    frame = frame.with_columns(pl.col("question_text_id").alias("question_id"))
    carried = [_carry(row, translated) for row in pairs.iter_rows(named=True)]
    places: dict[str, Any] = {
        "answer": [found and found.text for found in carried],
        "answer_start": [found and found.start for found in carried],
        "sentence_start": [found and found.sentence and found.sentence[0] for found in carried],
        "sentence_end": [found and found.sentence and found.sentence[1] for found in carried],
    }
    benchmark_of = frame.select(pl.coalesce("question_contaminated", "passage_contaminated")).to_series().to_list()
    whole = Pairs(frame["id"].to_list(), carried, benchmark_of, external)
    of_pairs: dict[str, Any] = {
        columns_of(name)[0]: list(target(RULES[name].score)(whole)) for name in rules if RULES[name].scores == "pair"
    }
    added = {name: pl.Series(name, values, schema.columns[name]) for name, values in {**places, **of_pairs}.items()}
    clean = passages.filter(pl.col("passage_contaminated").is_null()).rename({"passage_text_id": "negative_ids"})
    grouped = negatives.join(clean, on="negative_ids", maintain_order="left").group_by("id", maintain_order=True)
    listed = grouped.agg("negative_ids", negatives="passage", negative_scores=pl.struct(f"passage_{name}" for name in of_text))
    schema.write(frame.with_columns(**added).join(listed, on="id", how="left", maintain_order="left"), out)
    say(f"{lang}: {len(pairs):,} pairs scored")


def score_texts(
    rows: Sequence[Mapping[str, Any]],
    lang: str,
    among: Sequence[str],
    score: Score,
    workers: int = 1,
    device: str = "cpu",
    rules: Sequence[str] = USUAL,
) -> dict[str, Floats]:
    """Score translated texts, block by block, so that memory is bounded.

    Args:
        rows: `source`, `target` and `back` of each text.
        lang: language of the translations.
        among: languages that the identifier chooses from, besides `score.neighbours`.
        score: what the scores are computed with.
        workers, device: processes, and where an encoder computes.
        rules: whose scores are those of a text.

    Returns:
        The scores by the rule's name, each float64 `[n]`.
    """
    count = max(1, math.ceil(len(rows) / BLOCK))
    size = max(1, math.ceil(len(rows) / count))  # equal blocks: in a small one too little is usual
    blocks = [rows[at : at + size] for at in range(0, len(rows), size)] or [rows]
    scores: list[dict[str, Floats]] = []
    for block in blocks:
        sources, targets = [row["source"] for row in block], [row["target"] for row in block]
        texts = Texts(
            sources, targets, [row["back"] for row in block], lang, (*among, *score.neighbours), profile(lang, sources, targets),
            score.encoder, score.encoder_revision, device, workers,
        )  # fmt: skip
        scores.append({name: target(RULES[name].score)(texts) for name in rules})
    return {name: np.concatenate([values[name] for values in scores]) for name in rules}


def _carry(pair: Mapping[str, Any], translated: Mapping[str, Mapping[str, Any]]) -> Carried | None:
    """Where the answer of a collected pair stands in its translated passage; None where there is none to look for."""
    passage = translated[text_id(pair["passage"])]
    if passage["target"] is None or not pair["answer"]:
        return None
    numbers = passage["spans"] or []
    here, there = zip(numbers[0::4], numbers[1::4], strict=True), zip(numbers[2::4], numbers[3::4], strict=True)
    spans = list(zip(here, there, strict=True))
    answer = translated[text_id(pair["answer"])]["target"]
    return carry(pair["passage"], pair["answer"], pair["answer_start"], spans, passage["target"], answer)
