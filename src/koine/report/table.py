"""The headline table: means over seeds and cells, with bootstrap intervals over seeds and question ids."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from koine.metrics import HEADLINE, MAIN, metric
from koine.params import SETTINGS, Report
from koine.records import TABLE
from koine.report.evaluations import Evaluation, by_system
from koine.report.statistics import MICRO, Sample, resample

UNSEEN = "unseen"
#: (benchmark, setting) to (backbone, strategy) to metric.
Systems = dict[tuple[str, str], dict[tuple[str, str], dict[str, Sample]]]


def sampled(evaluations: Sequence[Evaluation], report: Report, trained: Collection[str] = ()) -> Systems:
    """Every system's metrics, resampled, by benchmark and setting.

    Where a benchmark has languages that were trained in and others, it stands here a second time as `NAME:unseen`, with the
    queries (and in cross the corpora) of the others alone.

    Args:
        evaluations: those of one system and several seeds belong together.
        report: number of resamples, and their seed.
        trained: languages that models were trained in.
    """
    systems: Systems = {}
    for system, by_benchmark in by_system(evaluations).items():
        for runs in by_benchmark.values():
            seeds = [run.scores() for run in runs]
            for benchmark, theirs in _benchmarks(seeds[0], trained):
                for setting in SETTINGS:
                    cells = [frame.filter(theirs, setting=setting) for frame in seeds]
                    if len(cells[0]):
                        with threadpool_limits(1, user_api="blas"):
                            systems.setdefault((benchmark, setting), {})[system] = resample(cells, report)
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


def intervals(recipe: str, systems: Systems, report: Report) -> pl.DataFrame:
    """The headline table (`records.TABLE`): each mean over seeds, with its percentile interval over seeds and questions.

    With few seeds that differ much among themselves, such intervals are too narrow (3 seeds, 95 %: they cover about 93 %
    where seeds differ as much as the mean over questions does, 84 % where they differ four times as much).
    """
    rows: list[dict[str, Any]] = []
    for (benchmark, setting), models in systems.items():
        for (backbone, strategy), metrics in models.items():
            for name, sample in metrics.items():
                low, high = sample.interval(report.confidence)
                named = {"recipe": recipe, "backbone": backbone, "strategy": strategy, "benchmark": benchmark}
                values = {"mean": sample.mean, "ci_low": low, "ci_high": high}
                counts = {"n_seeds": sample.seeds, "n_queries": sample.queries}
                rows.append({**named, "setting": setting, "metric": name, **values, **counts})
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
    reported = set(there)
    return next((name for name in MAIN if name in reported), next(iter(MAIN)))


def headings(main: str) -> list[tuple[str, str, str]]:
    """Heading, setting and metric of the columns of a headline table, of a benchmark that is judged by a metric."""
    beside = [(metric(name).heading, "multi", name) for name in HEADLINE]
    return [*((setting, setting, main) for setting in SETTINGS), *beside]
