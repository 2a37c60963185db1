"""The headline table: means, and bootstrap intervals over seeds and question ids."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from koine.evaluate.tables import summarise
from koine.metrics import USUAL, metric
from koine.params import Report
from koine.records import SCORES, TABLE, Run
from koine.report import table as tables
from koine.report.evaluations import read_evaluations
from koine.report.table import sampled
from koine.runtime.errors import KoineError

SETTINGS = Report(resamples=400)
POOLED_NAMES = [name for name in USUAL if metric(name).entry.settings == "multi"]
Effect = Callable[[str, str, int, int], float]  # (query language, corpus language, question, seed) to a score


def scores_of(effect: Effect, languages: Sequence[str], questions: int, seed: int, benchmark: str = "toy") -> pl.DataFrame:
    """Per-query scores in every cell; each metric is `effect` less a constant of its own."""
    rows = []
    for query_lang in languages:
        for doc_lang in [*languages, "all"]:
            setting = "multi" if doc_lang == "all" else "mono" if doc_lang == query_lang else "cross"
            for question in range(questions):
                value = effect(query_lang, doc_lang, question, seed)
                named = {name: value - 0.01 * number for number, name in enumerate(USUAL)}
                if setting != "multi":
                    named |= dict.fromkeys(POOLED_NAMES)  # type: ignore[arg-type]
                cell = {"benchmark": benchmark, "setting": setting, "query_lang": query_lang, "doc_lang": doc_lang}
                rows.append({**cell, "query_id": f"q{question:04}", "top_lang": None, **named})
    return SCORES.check(
        pl.DataFrame(rows, schema_overrides={"top_lang": pl.String()} | dict.fromkeys(USUAL, pl.Float64())), "toy"
    )


def write_run(folder: Path, scores: pl.DataFrame, seed: int, strategy: str = "hybrid") -> Path:
    SCORES.write(scores, folder / "scores.parquet")
    summarise(scores, Run("recipe", "static", strategy, seed)).write_csv(folder / "pairs.csv")
    return folder


def intervals(folders: Sequence[Path], settings: Report) -> pl.DataFrame:
    """The headline table's macro means."""
    return tables.intervals("recipe", sampled(read_evaluations(folders), settings), settings).filter(
        ~pl.col("metric").str.ends_with(":micro")
    )


def noise(*key: object) -> float:
    """A number in 0 to 1 that is always the same for the same key."""
    return float(np.random.default_rng([sum(map(ord, str(part))) for part in key]).random())


def random_effect(query_lang: str, doc_lang: str, question: int, seed: int) -> float:
    return (noise("question", question) + noise(query_lang, doc_lang) + noise(query_lang, doc_lang, question, seed)) / 3


def runs(
    tmp_path: Path, effect: Effect = random_effect, seeds: int = 3, languages: Sequence[str] = ("en", "fi"), questions: int = 30
) -> list[Path]:
    return [
        write_run(tmp_path / f"{seed}-{questions}", scores_of(effect, languages, questions, seed), seed) for seed in range(seeds)
    ]


def width(table: pl.DataFrame, setting: str = "multi", metric: str = "map") -> float:
    row = table.filter(setting=setting, metric=metric).row(0, named=True)
    return float(row["ci_high"] - row["ci_low"])


def test_the_mean_is_the_plain_macro_mean_over_seeds_and_cells(tmp_path: Path) -> None:
    folders = [
        write_run(tmp_path / str(seed), scores.filter(~((pl.col("doc_lang") == "zh") & (pl.col("query_id") < "q0010"))), seed)
        for seed in range(3)  # fewer questions in Chinese: cells still count the same
        for scores in [scores_of(random_effect, ["en", "fi", "zh"], 30, seed)]
    ]
    table = intervals(folders, SETTINGS)
    pairs = pl.concat([pl.read_csv(folder / "pairs.csv") for folder in folders])
    wanted = pairs.group_by("setting", "metric").agg(pl.col("value").mean())
    assert len(table) == len(wanted) == 3 * 6 + 6
    for row in wanted.rows(named=True):
        got = table.filter(setting=row["setting"], metric=row["metric"]).row(0, named=True)
        assert got["mean"] == pytest.approx(row["value"], abs=1e-9)
        assert got["n_seeds"] == 3
        assert got["n_queries"] == pairs.filter(setting=row["setting"], metric=row["metric"], seed=0)["n_queries"].sum()


def test_intervals_contain_their_means_and_the_table_fits_its_schema(tmp_path: Path) -> None:
    table = intervals(runs(tmp_path), SETTINGS)
    TABLE.check(table, "table")
    assert (table["ci_low"] < table["mean"]).all()
    assert (table["mean"] < table["ci_high"]).all()


def test_a_single_seed_has_an_interval_over_questions(tmp_path: Path) -> None:
    table = intervals(runs(tmp_path, seeds=1), SETTINGS)
    assert set(table["n_seeds"]) == {1}
    assert (table["ci_low"] < table["mean"]).all()
    assert (table["mean"] < table["ci_high"]).all()


def test_a_single_question_leaves_only_the_variance_between_seeds(tmp_path: Path) -> None:
    table = intervals(runs(tmp_path, lambda _q, _d, _i, seed: [0.2, 0.5, 0.7][seed], questions=1), SETTINGS)
    row = table.filter(setting="multi", metric="map").row(0, named=True)
    assert row["ci_low"] == pytest.approx(0.2)  # all three draws are the worst seed in 1 of 27 resamples
    assert row["ci_high"] == pytest.approx(0.7)
    alone = intervals(runs(tmp_path, lambda *_: 0.4, seeds=2, questions=1), SETTINGS)
    assert (alone["ci_high"] - alone["ci_low"]).abs().max() == pytest.approx(0, abs=1e-12)


def test_identical_seeds_leave_only_the_variance_between_questions(tmp_path: Path) -> None:
    def same(query_lang: str, doc_lang: str, question: int, seed: int) -> float:
        return random_effect(query_lang, doc_lang, question, 0)

    settings = Report(resamples=4000)
    one = intervals(runs(tmp_path / "one", same, seeds=1), settings)
    three = intervals(runs(tmp_path / "three", same, seeds=3), settings)
    assert three["mean"].to_list() == pytest.approx(one["mean"].to_list())
    for setting in ("mono", "cross", "multi"):
        assert width(three, setting) == pytest.approx(width(one, setting), rel=0.1)
    apart = intervals(runs(tmp_path / "apart", lambda q, d, i, seed: same(q, d, i, 0) + 0.2 * seed, seeds=3), settings)
    assert width(apart) > 1.5 * width(three)


def test_more_questions_make_the_interval_narrower(tmp_path: Path) -> None:
    widths = [width(intervals(runs(tmp_path, seeds=1, questions=questions), SETTINGS)) for questions in (10, 40, 160)]
    assert widths[0] > 1.3 * widths[1] > 1.3 * 1.3 * widths[2]


def test_a_question_and_its_translations_are_drawn_as_one(tmp_path: Path) -> None:
    """A language that repeats another one adds no information, so the interval must not shrink."""

    def effect(query_lang: str, doc_lang: str, question: int, seed: int) -> float:
        return noise("question", question, seed)

    one, three = (
        intervals(runs(tmp_path / str(len(langs)), effect, languages=langs), SETTINGS) for langs in (["en"], ["en", "fi", "zh"])
    )
    for setting in ("mono", "multi"):
        assert width(three, setting) == pytest.approx(width(one, setting), rel=1e-9)


def test_more_confidence_gives_wider_intervals_with_the_same_means(tmp_path: Path) -> None:
    folders = runs(tmp_path)
    tables = [intervals(folders, Report(resamples=400, confidence=confidence)) for confidence in (0.5, 0.8, 0.95)]
    assert width(tables[0]) < width(tables[1]) < width(tables[2])
    assert len({tuple(table["mean"]) for table in tables}) == 1


def test_the_same_scores_give_the_same_bytes_and_another_seed_other_intervals(tmp_path: Path) -> None:
    folders = runs(tmp_path)
    one, again, other = (
        intervals(folders, settings).write_csv() for settings in (SETTINGS, SETTINGS, Report(resamples=400, seed=2))
    )
    assert one == again != other


def test_a_system_alone_has_the_interval_that_it_has_among_others(tmp_path: Path) -> None:
    """As the page's commands promise, which make one row again."""
    own = runs(tmp_path / "own", lambda *key: random_effect(*key) / 2)
    others = [
        write_run(tmp_path / "x-y" / str(seed), scores_of(random_effect, ["en", "fi"], 30, seed), seed, "x-y") for seed in (0, 1)
    ]
    among = intervals([*others, *own], SETTINGS).filter(strategy="hybrid")
    assert among.write_csv() == intervals(own, SETTINGS).write_csv()


def test_models_and_benchmarks_stay_apart(tmp_path: Path) -> None:
    folders = []
    for strategy, level in (("x-y", 0.2), ("hybrid", 0.8)):
        for seed in range(2):
            scores = [scores_of(lambda *_, v=v: v, ["en"], 5, seed, name) for name, v in (("toy", level), ("toy:en", level / 2))]  # type: ignore[misc]
            folders.append(write_run(tmp_path / f"{strategy}-{seed}", pl.concat(scores), seed, strategy))
    table = intervals(folders, SETTINGS).filter(setting="mono", metric="map")
    assert {(row["strategy"], row["benchmark"]): round(row["mean"], 9) for row in table.rows(named=True)} == {
        ("x-y", "toy"): 0.2,
        ("x-y", "toy:en"): 0.1,
        ("hybrid", "toy"): 0.8,
        ("hybrid", "toy:en"): 0.4,
    }


def test_seeds_evaluated_on_different_queries_are_an_error(tmp_path: Path) -> None:
    scores = scores_of(random_effect, ["en"], 10, 1)
    folders = [write_run(tmp_path / "0", scores, 0), write_run(tmp_path / "1", scores.filter(pl.col("query_id") != "q0003"), 1)]
    with pytest.raises(KoineError, match="different queries"):
        intervals(folders, SETTINGS)


@pytest.mark.parametrize("seeds", [1, 3])
def test_intervals_cover_the_truth_about_as_often_as_they_say(tmp_path: Path, seeds: int) -> None:
    """360 experiments on a normal model (60 questions in two languages, their scores correlated): 95 % intervals.

    Each benchmark and each metric of one folder is an experiment of its own.
    """
    benchmarks, names, questions, truth = 60, USUAL[:6], 60, 0.5
    rng = np.random.default_rng(7)
    shared = rng.normal(scale=0.1, size=(benchmarks, questions, len(names)))
    folders = []
    for seed in range(seeds):
        frames = []
        for number in range(benchmarks):
            for lang in ("en", "fi"):
                values = truth + shared[number] + rng.normal(scale=0.05, size=(questions, len(names)))
                cell = {"benchmark": f"toy:{number}", "setting": "mono", "query_lang": lang, "doc_lang": lang}
                ids = pl.DataFrame({"query_id": [f"q{i:02}" for i in range(questions)]})
                frame = ids.with_columns(pl.lit(value).alias(name) for name, value in cell.items())
                columns = [pl.Series(name, values[:, i]) for i, name in enumerate(names)]
                frames.append(frame.with_columns(*columns, top_lang=pl.lit(None, dtype=pl.String)))
        folders.append(write_run(tmp_path / str(seed), pl.concat(frames), seed))
    table = intervals(folders, SETTINGS)
    assert len(table) == benchmarks * len(names)
    covered = ((table["ci_low"] <= truth) & (truth <= table["ci_high"])).mean()
    assert 0.90 <= covered <= 0.98


def test_one_thread_adds_up_whatever_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last digit of an interval would depend on how many threads share a sum."""
    threads = set()
    summed = np.nansum

    def watched(*given: Any, **named: Any) -> Any:
        threads.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return summed(*given, **named)

    monkeypatch.setattr(np, "nansum", watched)
    run = write_run(tmp_path / "run", scores_of(lambda *_: 0.5, ["en", "fi"], 5, 1), 1)
    with threadpool_limits(2, user_api="blas"):
        intervals([run], SETTINGS)
    assert threads == {1}
