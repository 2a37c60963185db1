"""Which systems are compared with which, and what the comparison says: results/contrasts.csv."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
from threadpoolctl import threadpool_limits

from koine.metrics import metric
from koine.params import BM25, Report
from koine.records import CONTRASTS
from koine.report.statistics import Sample, compare, holm
from koine.report.table import Systems
from koine.strategies import count_of


def contrasts(recipe: str, systems: Systems, report: Report) -> pl.DataFrame:
    """Every comparison of a recipe (`records.CONTRASTS`).

    Within a backbone the reference strategy is compared with every other one, and with BM25; in a number of languages
    (`hybrid-of-8`) with those of the same number, and in all (or most) with itself in fewer. Between two backbones, each
    strategy is compared with itself. A family, within which p is adjusted, is what answers one question: all rivals of the
    reference (or all strategies, between backbones) on one benchmark, in one setting and metric.

    Args:
        recipe: name in the tables.
        systems: of `table.sampled`.
        report: of the statistics.
    """
    rows: list[dict[str, Any]] = []
    for (benchmark, setting), own in systems.items():
        families = list(rivals(own, report.reference))
        for name in report.metrics:
            pairs = [
                (family, a, b) for family, members in enumerate(families) for a, b in members if name in own[a] and name in own[b]
            ]
            with threadpool_limits(1, user_api="blas"):
                found = compare([_with_margin(own[a][name], own[b][name], name, report) for _, a, b in pairs], report)
            for family in range(len(families)):
                members = [(a, b, one) for (of, a, b), one in zip(pairs, found, strict=True) if of == family]
                for (a, b, one), adjusted in zip(members, holm([one.p for _, _, one in members]), strict=True):
                    rows.append(
                        {
                            **{"recipe": recipe, "benchmark": benchmark, "setting": setting, "metric": name},
                            **{"backbone": a[0], "strategy": a[1], "other_backbone": b[0], "other_strategy": b[1]},
                            **{"difference": one.estimate, "ci_low": one.low, "ci_high": one.high},
                            **{"p": one.p, "p_holm": adjusted, "effect": one.effect, "detectable": one.detectable},
                            **{"margin": one.margin, "p_equal": one.p_equal},
                            **{"n_seeds": own[a][name].seeds, "n_questions": len(own[a][name].contributions)},
                        }
                    )
    return CONTRASTS.frame(rows)


@dataclass(frozen=True)
class Outcome:
    """What a row of contrasts.csv says of its first system; more is better here, whatever the metric.

    Attributes:
        gain: over the other system.
        worst, best: ends of its interval.
        margin: gains within it are too small to matter.
        real: whether the difference is significant: the adjusted p is below the level, and the interval excludes 0.
        equal: whether the equivalence test rejects that the difference lies outside of the margin.
    """

    gain: float
    worst: float
    best: float
    margin: float
    real: bool
    equal: bool

    @classmethod
    def of(cls, row: Mapping[str, Any], level: float, *, turned: bool = False) -> "Outcome":
        """Judge a row (`records.CONTRASTS`).

        Args:
            row: of contrasts.csv.
            level: of the tests.
            turned: whether the second system is judged.
        """
        gain, worst, best = row["difference"], row["ci_low"], row["ci_high"]
        if turned != (metric(row["metric"]).entry.better == "lower"):
            gain, worst, best = -gain, -best, -worst
        real = row["p_holm"] < level and (worst > 0 or best < 0)
        return cls(gain, worst, best, row["margin"], real, row["p_equal"] < level)

    @property
    def word(self) -> Literal["better", "worse", "equal", "open"]:
        """It in a word; `equal` is within the margin, `open` neither a difference nor equality."""
        if self.real:
            return "better" if self.gain > 0 else "worse"
        return "equal" if self.equal else "open"


def rivals(systems: Mapping[tuple[str, str], Any], reference: str) -> Iterator[list[tuple[tuple[str, str], tuple[str, str]]]]:
    """Families of the pairs of systems (backbone, strategy) that are compared."""
    backbones = list(dict.fromkeys(backbone for backbone, _ in systems if backbone != BM25))
    for backbone in backbones:
        counts = {name: count_of(name)[1] or sys.maxsize for own, name in systems if own == backbone}
        references = {count: name for name, count in counts.items() if count_of(name)[0] == reference}
        for count, name in references.items():
            most = count == max(references)
            same = [other for other in counts if counts[other] == count or (most and other in references.values())]
            others = [*((backbone, other) for other in same if other != name), *(own for own in systems if own[0] == BM25)]
            yield [((backbone, name), other) for other in others]
    for number, first in enumerate(backbones):
        for second in backbones[number + 1 :]:
            both = [name for backbone, name in systems if backbone == first and (second, name) in systems]
            yield [((first, name), (second, name)) for name in both]


def _with_margin(a: Sample, b: Sample, name: str, report: Report) -> tuple[Sample, Sample, float]:
    """.01 is little of .6 and much of .03, and ranks have no scale of their own: so the margin is also a share of the mean."""
    share = report.margin_share * abs(a.mean + b.mean) / 2
    return a, b, share if metric(name).entry.printed == "rank" else min(share, report.margin)
