"""How much results differ with what questions are about: between a benchmark's domains, and between benchmarks (domains.csv)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from koine.params import SETTINGS, Report
from koine.records import CONSISTENCY, DOMAINS, SCORES
from koine.report.contrasts import rivals
from koine.report.statistics import LOWER_IS_BETTER, Floats, Sample, percentile, resample
from koine.report.table import by_system

#: Also reported by domain: agreement between the languages that a question is asked in.
AGREEMENT = "rankc@"
BETWEEN = "\n"  # a metric and a domain, as the name of a column


def domains(recipe: str, evaluated: Sequence[Path], mapped: Mapping[str, Path], settings: Report) -> pl.DataFrame:
    """Means by domain, and of each system and each comparison of contrasts.csv the spread and the worst (`records.CONSISTENCY`).

    A domain's mean is over seeds and cells of the mean over its questions. Over domains there are their mean, the spread
    (standard deviation, divided by their number) and the worst. All are resampled together, with the same seeds and question
    ids drawn for all domains and systems, so an interval of a difference is one of paired questions.

    Args:
        recipe: name in the tables.
        evaluated: folders of `evaluate`.
        mapped: benchmark to its table of `collect-domains` (`records.DOMAINS`).
        settings: of the intervals.
    """
    rows: list[dict[str, Any]] = []
    for benchmark, path in mapped.items():
        for setting, metric, systems in _by_metric(benchmark, DOMAINS.read(path), evaluated, settings):
            named = {"recipe": recipe, "benchmark": benchmark, "setting": setting, "metric": metric}
            for (backbone, strategy), own in systems.items():
                system = {**named, "backbone": backbone, "strategy": strategy, "other_backbone": "", "other_strategy": ""}
                for domain, sample in own.by_domain.items():
                    rows.append({**system, **_row("domain", domain, sample.resampled, sample.queries, settings)})
                for statistic, resampled in own.statistics.items():
                    domain = own.worst if statistic == "worst" else ""
                    rows.append({**system, **_row(statistic, domain, resampled, own.queries, settings)})
            for a, b in (pair for family in rivals(systems, settings.reference) for pair in family):
                system = {**named, "backbone": a[0], "strategy": a[1], "other_backbone": b[0], "other_strategy": b[1]}
                for statistic, resampled in systems[a].statistics.items():
                    difference = resampled - systems[b].statistics[statistic]
                    rows.append({**system, **_row(statistic, "", difference, systems[a].queries, settings)})
    return CONSISTENCY.frame(rows)


def drops(recipe: str, evaluated: Sequence[Path], settings: Report) -> pl.DataFrame:
    """What each system loses away from a benchmark of the domain that it was trained in (`records.CONSISTENCY`).

    A drop is the mean on `settings.home` less that on another benchmark, in mono, over the languages that both have. Their
    questions are resampled independently of each other; two systems are compared on the same draws of both.

    Args:
        recipe: name in the tables.
        evaluated: folders of `evaluate`.
        settings: the benchmark of the training domain, without which there are no drops, and those of the intervals.
    """
    rows: list[dict[str, Any]] = []
    for (benchmark, metric), systems in _lost(evaluated, settings).items():
        named = {"recipe": recipe, "benchmark": benchmark, "setting": "mono", "metric": metric}
        for (backbone, strategy), (lost, queries) in systems.items():
            system = {**named, "backbone": backbone, "strategy": strategy, "other_backbone": "", "other_strategy": ""}
            rows.append({**system, **_row("drop", settings.home_benchmark, lost, queries, settings)})
        for a, b in (pair for family in rivals(systems, settings.reference) for pair in family):
            system = {**named, "backbone": a[0], "strategy": a[1], "other_backbone": b[0], "other_strategy": b[1]}
            rows.append(
                {**system, **_row("drop", settings.home_benchmark, systems[a][0] - systems[b][0], systems[a][1], settings)}
            )
    return CONSISTENCY.frame(rows)


def _lost(evaluated: Sequence[Path], settings: Report) -> dict[tuple[str, str], dict[tuple[str, str], tuple[Floats, int]]]:
    """(benchmark, metric) to systems, with their resampled drops and the number of queries there."""
    found: dict[tuple[str, str], dict[tuple[str, str], tuple[Floats, int]]] = {}
    for system, folders in by_system(evaluated).items() if settings.home_benchmark else ():
        scores = {
            name: [SCORES.read(path / "scores.parquet").filter(benchmark=name, setting="mono") for path in paths]
            for (_, name), paths in folders.items()
        }
        home = scores.pop(settings.home_benchmark, [])
        for name, seeds in scores.items() if home else ():
            shared = pl.col("query_lang").is_in(list({*home[0]["query_lang"]} & {*seeds[0]["query_lang"]}))
            both = [[frame.filter(shared) for frame in frames] for frames in (home, seeds)]
            if len(both[1][0]):
                with threadpool_limits(1, user_api="blas"):
                    here, away = (resample(frames, settings) for frames in both)
                for metric in (metric for metric in settings.metrics if metric in here and metric in away):
                    drop = here[metric].resampled - away[metric].resampled
                    found.setdefault((name, metric), {})[system] = drop, away[metric].queries
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


def _row(statistic: str, domain: str, resampled: Floats, queries: int, settings: Report) -> dict[str, Any]:
    low, high = percentile(resampled[1:], settings.confidence)
    values = {"value": float(resampled[0]), "ci_low": low, "ci_high": high, "n_queries": queries}
    return {"statistic": statistic, "domain": domain, **values}


def _by_metric(
    benchmark: str, named: pl.DataFrame, evaluated: Sequence[Path], settings: Report
) -> Iterator[tuple[str, str, dict[tuple[str, str], _Domains]]]:
    """Setting and metric, with the systems (backbone, strategy) that have results in it."""
    found: dict[tuple[str, str], dict[tuple[str, str], dict[str, Sample]]] = {}
    for system, folders in by_system(evaluated).items():
        for paths in (paths for (_, of), paths in folders.items() if of == benchmark):
            scores = [SCORES.read(path / "scores.parquet").filter(benchmark=benchmark) for path in paths]
            seeds = [frame.join(named, on="query_id", maintain_order="left") for frame in scores]
            for setting in SETTINGS:
                own = [_apart(frame.filter(setting=setting), settings) for frame in seeds]
                with threadpool_limits(1, user_api="blas"):
                    samples = resample(own, settings) if len(own[0]) else {}
                for column in sorted(samples):
                    metric, domain = column.split(BETWEEN)
                    found.setdefault((setting, metric), {}).setdefault(system, {})[domain] = samples[column]
    for (setting, metric), systems in found.items():
        yield setting, metric, {name: _Domains(own, metric in LOWER_IS_BETTER) for name, own in systems.items()}


def _apart(frame: pl.DataFrame, settings: Report) -> pl.DataFrame:
    """A column for each metric and domain, null elsewhere: so `resample` draws the same for all domains."""
    metrics = [name for name in frame.columns if name in settings.metrics or name.startswith(AGREEMENT)]
    columns = [
        pl.when(pl.col("domain") == domain).then(metric).alias(f"{metric}{BETWEEN}{domain}")
        for metric in metrics
        for domain in frame["domain"].unique().sort()
    ]
    return frame.select(*SCORES.columns, *columns)
