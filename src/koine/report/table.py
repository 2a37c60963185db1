"""The headline table: means over seeds and cells, with bootstrap intervals over seeds and question ids."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from koine.params import SETTINGS, Report
from koine.records import PAIRS, SCORES, TABLE
from koine.report.statistics import MICRO, Sample, resample

UNSEEN = "unseen"
#: What benchmarks are judged by, most telling first, and how it is written.
MAIN = {"map": "mAP", "ndcg@10": "nDCG@10", "accuracy": "accuracy"}
#: (benchmark, setting) to (backbone, strategy) to metric.
Systems = dict[tuple[str, str], dict[tuple[str, str], dict[str, Sample]]]


def read_pairs(evaluated: Sequence[Path]) -> pl.DataFrame:
    """All pairs.csv of these folders as one table (`records.PAIRS`)."""
    paths = [folder / "pairs.csv" for folder in evaluated]
    frames = [PAIRS.check(pl.read_csv(path, schema_overrides=dict(PAIRS.columns)), path) for path in paths]
    return pl.concat(frames)


def by_system(evaluated: Sequence[Path]) -> dict[tuple[str, str], dict[tuple[str, str], list[Path]]]:
    """Folders of `evaluate` by (backbone, strategy) and (recipe, benchmark): a folder for each seed."""
    folders: dict[tuple[str, str], dict[tuple[str, str], list[Path]]] = {}
    for path in evaluated:
        first = pl.read_csv(path / "pairs.csv", n_rows=1, schema_overrides=dict(PAIRS.columns)).row(0, named=True)
        key = (first["backbone"], first["strategy"])
        folders.setdefault(key, {}).setdefault((first["recipe"], first["benchmark"]), []).append(path)
    return folders


def sampled(evaluated: Sequence[Path], settings: Report, trained: Collection[str] = ()) -> Systems:
    """Every system's metrics, resampled, by benchmark and setting.

    Where a benchmark has languages that were trained in and others, it stands here a second time as `NAME:unseen`, with the
    queries (and in cross the corpora) of the others alone.

    Args:
        evaluated: folders of `evaluate`; those of one system and several seeds belong together.
        settings: number of resamples, and their seed.
        trained: languages that models were trained in.
    """
    systems: Systems = {}
    for system, by_benchmark in by_system(evaluated).items():
        for paths in by_benchmark.values():
            seeds = [SCORES.read(path / "scores.parquet") for path in paths]
            for benchmark, part in _benchmarks(seeds[0], trained):
                for setting in SETTINGS:
                    own = [frame.filter(part, setting=setting) for frame in seeds]
                    if len(own[0]):
                        with threadpool_limits(1, user_api="blas"):
                            systems.setdefault((benchmark, setting), {})[system] = resample(own, settings)
    return systems


def _benchmarks(scores: pl.DataFrame, trained: Collection[str]) -> Iterator[tuple[str, pl.Expr]]:
    """The benchmarks of a table of scores, with which rows are theirs."""
    for (benchmark,) in scores.select("benchmark").unique(maintain_order=True).iter_rows():
        own = pl.col("benchmark") == benchmark
        yield benchmark, own
        languages = set(scores.filter(own)["query_lang"])
        if ":" not in benchmark and languages & set(trained) and languages - set(trained):
            yield (
                f"{benchmark}:{UNSEEN}",
                own & ~pl.col("query_lang").is_in(list(trained)) & ~pl.col("doc_lang").is_in(list(trained)),
            )


def intervals(recipe: str, systems: Systems, settings: Report) -> pl.DataFrame:
    """The headline table (`records.TABLE`): each mean over seeds, with its percentile interval over seeds and questions.

    With few seeds that differ much among themselves, such intervals are too narrow (3 seeds, 95 %: they cover about 93 %
    where seeds differ as much as the mean over questions does, 84 % where they differ four times as much).
    """
    rows: list[dict[str, Any]] = []
    for (benchmark, setting), by_system in systems.items():
        for (backbone, strategy), metrics in by_system.items():
            for metric, sample in metrics.items():
                low, high = sample.interval(settings.confidence)
                named = {"recipe": recipe, "backbone": backbone, "strategy": strategy, "benchmark": benchmark}
                values = {"mean": sample.mean, "ci_low": low, "ci_high": high}
                counts = {"n_seeds": sample.seeds, "n_queries": sample.queries}
                rows.append({**named, "setting": setting, "metric": metric, **values, **counts})
    return TABLE.frame(rows)


def headline(table: pl.DataFrame) -> dict[str, Any]:
    """The table as nested JSON, benchmark > backbone > strategy > setting > metric, for `dvc metrics`."""
    nested: dict[str, Any] = {}
    for row in table.filter(~pl.col("metric").str.ends_with(MICRO)).iter_rows(named=True):
        node = nested
        for key in ("benchmark", "backbone", "strategy", "setting"):
            node = node.setdefault(row[key], {})
        node[row["metric"]] = round(row["mean"], 6)
    return nested


def main_metric(there: Iterable[str]) -> str:
    """The first of `MAIN` that is among some metrics."""
    metrics = set(there)
    return next((name for name in MAIN if name in metrics), next(iter(MAIN)))


def headings(metric: str) -> list[tuple[str, str, str]]:
    """Heading, setting and metric of the columns of a headline table."""
    return [*((setting, setting, metric) for setting in SETTINGS), ("rank distance", "multi", "rank_distance")]
