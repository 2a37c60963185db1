"""How much results differ with what questions are about: between a benchmark's domains, and between benchmarks (domains.csv)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from koine.metrics import metric
from koine.params import SETTINGS, Report
from koine.records import BY_DOMAIN, DOMAINS, SCORES
from koine.report.contrasts import rivals
from koine.report.evaluations import Evaluation, System, by_system
from koine.report.statistics import Floats, Sample, percentile, resample

BETWEEN = "\n"  # a metric and a domain, as the name of a column


def domains(recipe: str, evaluations: Sequence[Evaluation], mapped: Mapping[str, Path], report: Report) -> pl.DataFrame:
    """Means by domain, and of each system and each comparison of contrasts.csv the spread and the worst (`records.BY_DOMAIN`).

    A domain's mean is over seeds and cells of the mean over its questions. Over domains there are their mean, the spread
    (standard deviation, divided by their number) and the worst. All are resampled together, with the same seeds and question
    ids drawn for all domains and systems, so an interval of a difference is one of paired questions.

    Args:
        recipe: name in the tables.
        evaluations: of all models.
        mapped: benchmark to its table of `collect-domains` (`records.DOMAINS`).
        report: of the intervals.
    """
    rows: list[dict[str, Any]] = []
    for benchmark, path in mapped.items():
        for setting, name, systems in _by_metric(benchmark, DOMAINS.read(path), evaluations, report):
            named = {"recipe": recipe, "benchmark": benchmark, "setting": setting, "metric": name}
            for (backbone, strategy), own in systems.items():
                system = {**named, "backbone": backbone, "strategy": strategy, "other_backbone": "", "other_strategy": ""}
                for domain, sample in own.by_domain.items():
                    rows.append({**system, **_row("domain", domain, sample.resampled, sample.queries, report)})
                for statistic, resampled in own.statistics.items():
                    domain = own.worst if statistic == "worst" else ""
                    rows.append({**system, **_row(statistic, domain, resampled, own.queries, report)})
            for a, b in (pair for family in rivals(systems, report.reference) for pair in family):
                system = {**named, "backbone": a[0], "strategy": a[1], "other_backbone": b[0], "other_strategy": b[1]}
                for statistic, resampled in systems[a].statistics.items():
                    difference = resampled - systems[b].statistics[statistic]
                    rows.append({**system, **_row(statistic, "", difference, systems[a].queries, report)})
    return BY_DOMAIN.frame(rows)


def drops(recipe: str, evaluations: Sequence[Evaluation], report: Report) -> pl.DataFrame:
    """What each system loses away from a benchmark of the domain that it was trained in (`records.BY_DOMAIN`).

    A drop is the mean on `report.home_benchmark` less that on another benchmark, in mono, over the languages that both have.
    Their questions are resampled independently of each other; two systems are compared on the same draws of both.

    Args:
        recipe: name in the tables.
        evaluations: of all models.
        report: the benchmark of the training domain, without which there are no drops, and those of the intervals.
    """
    rows: list[dict[str, Any]] = []
    for (benchmark, name), systems in _lost(evaluations, report).items():
        named = {"recipe": recipe, "benchmark": benchmark, "setting": "mono", "metric": name}
        for (backbone, strategy), (lost, queries) in systems.items():
            system = {**named, "backbone": backbone, "strategy": strategy, "other_backbone": "", "other_strategy": ""}
            rows.append({**system, **_row("drop", report.home_benchmark, lost, queries, report)})
        for a, b in (pair for family in rivals(systems, report.reference) for pair in family):
            system = {**named, "backbone": a[0], "strategy": a[1], "other_backbone": b[0], "other_strategy": b[1]}
            rows.append({**system, **_row("drop", report.home_benchmark, systems[a][0] - systems[b][0], systems[a][1], report)})
    return BY_DOMAIN.frame(rows)


def _lost(evaluations: Sequence[Evaluation], report: Report) -> dict[tuple[str, str], dict[System, tuple[Floats, int]]]:
    """(benchmark, metric) to systems, with their resampled drops and the number of queries there."""
    found: dict[tuple[str, str], dict[System, tuple[Floats, int]]] = {}
    for system, by_benchmark in by_system(evaluations).items() if report.home_benchmark else ():
        scores = {
            name: [run.scores().filter(benchmark=name, setting="mono") for run in runs]
            for (_, name), runs in by_benchmark.items()
        }
        home = scores.pop(report.home_benchmark, [])
        for name, seeds in scores.items() if home else ():
            shared = pl.col("query_lang").is_in(list({*home[0]["query_lang"]} & {*seeds[0]["query_lang"]}))
            both = [[frame.filter(shared) for frame in frames] for frames in (home, seeds)]
            if len(both[1][0]):
                with threadpool_limits(1, user_api="blas"):
                    here, away = (resample(frames, report) for frames in both)
                for measured in (one for one in report.metrics if one in here and one in away):
                    drop = here[measured].resampled - away[measured].resampled
                    found.setdefault((name, measured), {})[system] = drop, away[measured].queries
    return found


@dataclass(frozen=True)
class _Domains:
    """One system in one setting and metric."""

    by_domain: dict[str, Sample]
    lower_is_better: bool

    @property
    def _resampled(self) -> Floats:
        return np.stack([sample.resampled for sample in self.by_domain.values()])  # [domains, 1 + R]

    @property
    def statistics(self) -> dict[str, Floats]:
        """The estimate, then those of the resamples."""
        values = self._resampled
        worst = np.nanmax if self.lower_is_better else np.nanmin
        return {"mean": np.nanmean(values, axis=0), "spread": np.nanstd(values, axis=0), "worst": worst(values, axis=0)}

    @property
    def worst(self) -> str:
        means = self._resampled[:, 0]
        return list(self.by_domain)[int(means.argmax() if self.lower_is_better else means.argmin())]

    @property
    def queries(self) -> int:
        return sum(sample.queries for sample in self.by_domain.values())


def _row(statistic: str, domain: str, resampled: Floats, queries: int, report: Report) -> dict[str, Any]:
    low, high = percentile(resampled[1:], report.confidence)
    values = {"value": float(resampled[0]), "ci_low": low, "ci_high": high, "n_queries": queries}
    return {"statistic": statistic, "domain": domain, **values}


def _by_metric(
    benchmark: str, labels: pl.DataFrame, evaluations: Sequence[Evaluation], report: Report
) -> Iterator[tuple[str, str, dict[System, _Domains]]]:
    """Setting and metric, with the systems (backbone, strategy) that have results in it."""
    found: dict[tuple[str, str], dict[System, dict[str, Sample]]] = {}
    for system, by_benchmark in by_system(evaluations).items():
        for runs in (runs for (_, name), runs in by_benchmark.items() if name == benchmark):
            scores = [run.scores().filter(benchmark=benchmark) for run in runs]
            seeds = [frame.join(labels, on="query_id", maintain_order="left") for frame in scores]
            for setting in SETTINGS:
                cells = [_apart(frame.filter(setting=setting), report) for frame in seeds]
                with threadpool_limits(1, user_api="blas"):
                    samples = resample(cells, report, micro=False) if len(cells[0]) else {}
                for column in sorted(samples):
                    name, domain = column.split(BETWEEN)
                    found.setdefault((setting, name), {}).setdefault(system, {})[domain] = samples[column]
    for (of, name), systems in found.items():
        lower = metric(name).entry.better == "lower"
        yield of, name, {system: _Domains(by_domain, lower) for system, by_domain in systems.items()}


def _apart(frame: pl.DataFrame, report: Report) -> pl.DataFrame:
    """A column for each metric and domain, null elsewhere: so `resample` draws the same for all domains."""
    reported = [name for name in frame.columns if name not in (*SCORES.columns, "domain")]
    reported = [name for name in reported if name in report.metrics or metric(name).entry.by_domain]
    columns = [
        pl.when(pl.col("domain") == domain).then(name).alias(f"{name}{BETWEEN}{domain}")
        for name in reported
        for domain in frame["domain"].unique().sort()
    ]
    return frame.select(*SCORES.columns, *columns)
