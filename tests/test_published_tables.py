"""The published tables: transcribed without a slip, and beside a recipe's own values of the same cells."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from koine.records import PAIRS, PUBLISHED, TABLE
from koine.report import published as module
from koine.report.published import markdown, published
from koine.runtime.errors import KoineError

SETTINGS = ("mono", "cross", "multi")
STRATEGIES = ("x-x-mono", "x-y", "hybrid")
KEY = ["table", "benchmark", "setting", "metric", "backbone", "strategy"]


@pytest.fixture(scope="module")
def printed() -> pl.DataFrame:
    return pl.read_csv(
        Path(module.__file__).with_name("published.csv"), comment_prefix="#", schema_overrides={"table": pl.String()}
    )


def test_every_cell_is_there_once(printed: pl.DataFrame) -> None:
    assert printed.select(*KEY, "language").is_unique().all()
    cells = {  # languages and the mean, settings, strategies; backbones or metrics; means of recall
        "1": 2 * 3 * 3 * 2, "2": 2 * 3 * 2, "3": 12 * 9 + 9, "4": 8 * 9 + 9, "5": 12 * 9 + 9, "6": 8 * 9 + 9,
        "7": 12 * 3 * 2, "8": 8 * 3 * 2, "12": 16 * 3 * 2, "13": 16 * 3 * 2,
    }  # fmt: skip
    assert dict(printed.group_by("table").len().iter_rows()) == cells
    assert set(printed["strategy"]) == set(STRATEGIES)
    assert set(printed["backbone"]) == {"xlm-r", "labse"}


def test_the_languages_average_to_the_printed_means(printed: pl.DataFrame) -> None:
    own = printed.filter(pl.col("language") != "mean").group_by(KEY).agg(pl.col("value").mean())
    both = own.join(printed.filter(language="mean"), on=KEY, suffix="_mean")
    assert len(both) == len(own) == 4 * 9 + 2 * 6 + 2 * 6
    digit = pl.when(metric="rank_distance").then(0.1).otherwise(0.0001)
    assert both.select(((pl.col("value") - pl.col("value_mean")).abs() <= 0.51 * digit).all()).item()
    # Tables 1 and 2 are those means with fewer digits.
    first = printed.filter(pl.col("table").is_in(["1", "2"])).join(both, on=KEY[1:], suffix="_long")
    assert len(first) == 36 + 12
    coarse = pl.when(metric="rank_distance").then(1.0).otherwise(0.001)
    assert first.select(((pl.col("value") - pl.col("value_mean")).abs() <= coarse).all()).item()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (("1", "xquad-r", "multi", "map", "mean", "xlm-r", "hybrid"), 0.593),
        (("2", "mlqa-r", "multi", "rank_distance", "mean", "labse", "x-x-mono"), 225),
        (("3", "xquad-r", "mono", "map", "vi", "xlm-r", "x-x-mono"), 0.8113),
        (("4", "mlqa-r", "cross", "map", "en", "xlm-r", "x-y"), 0.6029),
        (("5", "xquad-r", "multi", "map", "zh", "labse", "hybrid"), 0.6749),
        (("6", "mlqa-r", "multi", "recall@10", "mean", "labse", "x-y"), 0.6951),
        (("7", "xquad-r", "multi", "rank_distance", "th", "labse", "x-x-mono"), 391.5),
        (("8", "mlqa-r", "multi", "rank_distance", "en", "xlm-r", "x-x-mono"), 458.4),
        (("12", "miracl", "mono", "ndcg@10", "sw", "xlm-r", "x-y"), 0.3531),
        (("13", "miracl", "mono", "recall@100", "id", "labse", "hybrid"), 0.6656),
    ],
)
def test_known_cells(printed: pl.DataFrame, cell: tuple[str, ...], value: float) -> None:
    named = dict(zip(["table", "benchmark", "setting", "metric", "language", "backbone", "strategy"], cell, strict=True))
    assert printed.filter(**named)["value"].to_list() == [value]


XQUAD = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")


def results(benchmark: str, languages: tuple[str, ...], metric: str = "map") -> tuple[pl.DataFrame, pl.DataFrame]:
    """table.csv and pairs.csv of a strategy with two seeds: the value of a cell tells its languages and seed."""
    rows: list[dict[str, Any]] = []
    run = {"recipe": "toy", "backbone": "static", "strategy": "hybrid", "benchmark": benchmark, "metric": metric, "n_queries": 5}
    for seed in (1, 2):
        for q, query in enumerate(languages):
            for d, doc in enumerate((*languages, "all")):
                setting = "multi" if doc == "all" else "mono" if doc == query else "cross"
                cell = {"seed": seed, "setting": setting, "query_lang": query, "doc_lang": doc}
                rows.append({**run, **cell, "value": 0.01 * q + 0.001 * d + 0.1 * seed})
    pairs = PAIRS.frame(rows)
    means = pairs.group_by("recipe", "backbone", "strategy", "benchmark", "setting", "metric").agg(mean=pl.col("value").mean())
    counts = {"n_seeds": pl.lit(2, dtype=pl.Int64), "n_queries": pl.lit(5, dtype=pl.Int64)}
    return TABLE.check(means.with_columns(ci_low=pl.col("mean") - 0.1, ci_high=pl.col("mean") + 0.1, **counts), "toy"), pairs


def test_ours_is_the_same_cell_and_the_mean_has_the_tables_interval() -> None:
    table, pairs = results("xquad-r", XQUAD)
    found = published("toy", table, pairs, {"xlm-r": "static"})
    assert set(found["paper_backbone"]) == {"xlm-r"}
    assert found.filter(pl.col("ours").is_not_null()).select("benchmark", "metric", "strategy").unique().rows() == [
        ("xquad-r", "map", "hybrid")
    ]
    for setting in SETTINGS:
        own = pairs.filter(setting=setting)
        rows = found.filter(setting=setting, benchmark="xquad-r", metric="map", strategy="hybrid")
        for language in XQUAD:
            row = rows.filter(table="3", language=language).row(0, named=True)
            assert row["ours"] == pytest.approx(own.filter(query_lang=language)["value"].mean())
            assert row["difference"] == pytest.approx(row["ours"] - row["paper"])
            assert row["ci_low"] is None
        for number in "13":
            row = rows.filter(table=number, language="mean").row(0, named=True)
            mean = table.filter(setting=setting)["mean"].item()
            assert [row["ours"], row["ci_low"], row["ci_high"]] == pytest.approx([mean, mean - 0.1, mean + 0.1])


def test_a_mean_is_over_the_papers_languages_or_it_is_blank() -> None:
    paper = ("sw", "bn", "hi", "ko", "th", "te", "fi", "ja", "es", "fr", "ru", "zh", "fa", "ar", "id")
    table, pairs = results("miracl", (*paper, "en", "de", "yo"), "ndcg@10")
    row = (
        published("toy", table, pairs, {"labse": "static"})
        .filter(language="mean", metric="ndcg@10", strategy="hybrid")
        .row(0, named=True)
    )
    wanted = pairs.filter(pl.col("query_lang").is_in(paper), setting="mono")["value"].mean()
    assert (row["ours"], row["ci_low"]) == (pytest.approx(wanted), None)  # the interval in table.csv is of 18 languages
    few = published("toy", *results("miracl", paper[:5], "ndcg@10"), {"labse": "static"}).filter(
        metric="ndcg@10", strategy="hybrid"
    )
    assert set(few.filter(pl.col("ours").is_not_null())["language"]) == set(paper[:5])


def test_nothing_asked_is_nothing_but_heads_and_an_unknown_backbone_is_an_error() -> None:
    table, pairs = results("xquad-r", XQUAD)
    found = published("toy", table, pairs, {})
    assert found.columns == list(PUBLISHED.columns) and found.is_empty()
    assert "|" not in markdown(found)
    with pytest.raises(KoineError, match="no results of backbone 'xlm-r'"):
        published("toy", table, pairs, {"xlm-r": "xlm-r"})


def test_the_page_of_tables_has_each_cell_with_both_values_and_the_difference() -> None:
    table, pairs = results("xquad-r", XQUAD)
    text = markdown(published("toy", table, pairs, {"xlm-r": "static", "labse": "static"}))
    assert text.count("## Table ") == 10
    row = next(line for line in text.splitlines() if line.startswith("| xquad-r | xlm-r / static | map | ar |"))
    assert row.split(" | ")[4:7] == [".758 / –", ".732 / –", ".762 / .150 (−.612)"]  # mono: 0.1 and 0.2, two seeds
    for head, rule in zip(text.splitlines(), text.splitlines()[1:], strict=False):
        if rule.startswith("|---"):
            assert head.count("|") == rule.count("|")
