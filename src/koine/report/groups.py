"""Results by kind of language: means by script and typology (groups.csv), and the languages of first answers (answers.csv)."""

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

import polars as pl

from koine import languages
from koine.report.evaluations import Evaluation

CELL = ["recipe", "backbone", "strategy", "benchmark", "setting", "metric"]


#: Columns of typology.csv.
TYPOLOGY = ("family", "word_order", "resources")


@cache
def _languages() -> dict[str, dict[str, str | None]]:
    rows = pl.read_csv(Path(__file__).with_name("typology.csv"), comment_prefix="#", infer_schema=False)
    return {languages.canonical(row["language"]): row for row in rows.iter_rows(named=True)}


def typology(lang: str, column: str) -> str | None:
    """What typology.csv says of a language, whatever its script.

    Args:
        lang: a language (BCP 47).
        column: `family` (Glottolog), `word_order` (WALS 81A) or `resources` (the class of arXiv 2004.09095).

    Returns:
        None where the table does not know.
    """
    return _languages().get(languages.canonical(lang.partition("-")[0]), {}).get(column)


def groups(pairs: pl.DataFrame, metrics: Sequence[str], trained: Collection[str] = ()) -> pl.DataFrame:
    """Macro means over the cells whose question is in a language of the group, and over seeds.

    Args:
        pairs: `records.PAIRS`.
        metrics: those that are wanted.
        trained: languages that models were trained in; the others are `zero-shot`.

    Returns:
        Columns of `CELL`, `by` (script, a column of `TYPOLOGY`, seen, or where there are zero-shot languages one of them
        with those apart, as `family+seen`), `group`, `value`, and `languages`, how many of the questions' there are.
    """
    pairs = pairs.filter(pl.col("metric").is_in(metrics))
    known = pairs["query_lang"].unique().to_list()
    named: dict[str, dict[str, str | None]] = {"script": {lang: languages.script(lang) for lang in known}}
    named |= {column: {lang: typology(lang, column) for lang in known} for column in TYPOLOGY}
    seen = {lang: "trained" if lang in trained else "zero-shot" for lang in known}
    if trained and "zero-shot" in seen.values():
        apart = {by: {lang: one and f"{one}, {seen[lang]}" for lang, one in group.items()} for by, group in named.items()}
        named |= {f"{by}+seen": group for by, group in apart.items()}
    named |= {"seen": {**seen}} if trained else {}
    frames = []
    for by, group in named.items():
        column = pl.col("query_lang").replace_strict(group, return_dtype=pl.String).alias("group")
        means = pairs.with_columns(column, by=pl.lit(by)).drop_nulls("group").group_by(*CELL, "by", "group", maintain_order=True)
        frames.append(means.agg(pl.col("value").mean(), pl.col("query_lang").n_unique().alias("languages")))
    return pl.concat(frames)


def answers(evaluations: Sequence[Evaluation]) -> pl.DataFrame:
    """Of the questions in a language put to the pool, the share whose first passage is in each language, mean over seeds.

    LAReQA (arXiv 2004.05484) draws this as a heat map: mass on the diagonal is preference for the question's language.

    Args:
        evaluations: of all models.

    Returns:
        Columns recipe, backbone, strategy, benchmark, query_lang, answer_lang, share.
    """
    system = ["recipe", "backbone", "strategy"]
    frames = []
    for evaluation in evaluations:
        run = evaluation.pairs.head(1).select(*system, "seed")
        scores = evaluation.scores(["benchmark", "setting", "query_lang", "top_lang"]).filter(setting="multi")
        frames.append(scores.join(run, how="cross").select(*system, "seed", "benchmark", "query_lang", answer_lang="top_lang"))
    cell = [*system, "benchmark", "query_lang"]
    rows = pl.concat(frames)
    counts = rows.group_by(*cell, "answer_lang", maintain_order=True).len("questions")
    return counts.with_columns(share=pl.col("questions") / pl.col("questions").sum().over(cell)).drop("questions")
