"""What an evaluation writes: scores.parquet with the metrics of every query, and pairs.csv with their means."""

from pathlib import Path

import polars as pl

from koine.params import SETTINGS
from koine.records import PAIRS, SCORES, Run
from koine.runtime.console import table
from koine.runtime.files import atomic

CELL = ["benchmark", "setting", "query_lang", "doc_lang"]


def write(per_query: pl.DataFrame, out: Path, run: Run) -> None:
    """Write per-query metrics and their means, and print the means of each setting."""
    SCORES.write(per_query, out / "scores.parquet")
    pairs = summarise(per_query, run)
    with atomic(out / "pairs.csv") as temporary:
        pairs.write_csv(temporary, float_precision=6)
    headline = pairs.group_by("benchmark", "setting", "metric", maintain_order=True).agg(pl.col("value").mean())
    wide = headline.pivot("setting", index=["benchmark", "metric"], values="value")
    settings = [setting for setting in SETTINGS if setting in wide.columns]
    rows = [
        [row["benchmark"], row["metric"], *("" if row[name] is None else f"{row[name]:.3f}" for name in settings)]
        for row in wide.sort("benchmark", maintain_order=True).iter_rows(named=True)
    ]
    table(f"{run.backbone} {run.strategy}", ["benchmark", "metric", *settings], rows)


def summarise(per_query: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Mean of every metric in every cell, over the queries that have a value (`records.PAIRS`)."""
    names = [column for column in per_query.columns if column not in SCORES.columns]
    long = per_query.unpivot(names, index=CELL, variable_name="metric").drop_nulls("value")
    means = long.group_by(*CELL, "metric", maintain_order=True).agg(
        pl.col("value").mean(), pl.len().cast(pl.Int64).alias("n_queries")
    )
    named = means.with_columns(pl.lit(value).alias(name) for name, value in vars(run).items())
    return PAIRS.check(named.with_columns(pl.col("seed").cast(pl.Int64)), "pairs")
