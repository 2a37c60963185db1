"""Results by kind of language: means by script and family (groups.csv), and the languages of first answers (answers.csv)."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import polars as pl
import yaml

from koine import languages
from koine.records import PAIRS, SCORES

CELL = ["recipe", "backbone", "strategy", "benchmark", "setting", "metric"]


@cache
def _families() -> dict[str, str]:
    entries = yaml.safe_load(Path(__file__).with_name("families.yaml").read_text(encoding="utf-8"))
    return {languages.canonical(code): family for family, codes in entries.items() for code in codes}


def family(lang: str) -> str | None:
    """The top-level family of a language, as Glottolog has it; None where families.yaml does not know it."""
    return _families().get(languages.canonical(lang.partition("-")[0]))


def groups(pairs: pl.DataFrame) -> pl.DataFrame:
    """Macro means over the cells whose question is in a language of the group, and over seeds.

    Args:
        pairs: `records.PAIRS`.

    Returns:
        Columns of `CELL`, `by` (script or family), `group`, `value`, and `languages`, how many of the questions' there are.
    """
    known = pairs["query_lang"].unique().to_list()
    named: dict[str, dict[str, str | None]]
    named = {"script": {lang: languages.script(lang) for lang in known}, "family": {lang: family(lang) for lang in known}}
    frames = []
    for by, group in named.items():
        column = pl.col("query_lang").replace_strict(group, return_dtype=pl.String).alias("group")
        means = pairs.with_columns(column, by=pl.lit(by)).drop_nulls("group").group_by(*CELL, "by", "group", maintain_order=True)
        frames.append(means.agg(pl.col("value").mean(), pl.col("query_lang").n_unique().alias("languages")))
    return pl.concat(frames)


def answers(evaluated: Sequence[Path]) -> pl.DataFrame:
    """Of the questions in a language put to the pool, the share whose first passage is in each language, mean over seeds.

    LAReQA (arXiv 2004.05484) draws this as a heat map: mass on the diagonal is preference for the question's language.

    Args:
        evaluated: folders of `evaluate`.

    Returns:
        Columns recipe, backbone, strategy, benchmark, query_lang, answer_lang, share.
    """
    system = ["recipe", "backbone", "strategy"]
    frames = []
    for path in evaluated:
        run = pl.read_csv(path / "pairs.csv", n_rows=1, schema_overrides=dict(PAIRS.columns)).select(*system, "seed")
        found = SCORES.read(path / "scores.parquet").filter(setting="multi").join(run, how="cross")
        frames.append(found.select(*system, "seed", "benchmark", "query_lang", answer_lang="top_lang"))
    cell = [*system, "benchmark", "query_lang"]
    rows = pl.concat(frames)
    counts = rows.group_by(*cell, "answer_lang", maintain_order=True).len("questions")
    return counts.with_columns(share=pl.col("questions") / pl.col("questions").sum().over(cell)).drop("questions")
