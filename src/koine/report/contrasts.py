"""Which systems are compared with which, and what the comparison says: results/contrasts.csv."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl
from threadpoolctl import threadpool_limits

from koine.params import BM25, Report
from koine.records import CONTRASTS
from koine.report.statistics import Sample, compare, holm
from koine.report.table import Systems
from koine.strategies import count_of


def contrasts(recipe: str, systems: Systems, settings: Report) -> pl.DataFrame:
    """Every comparison of a recipe (`records.CONTRASTS`).

    Within a backbone the reference strategy is compared with every other one, and with BM25; in a number of languages
    (`hybrid-of-8`) with those of the same number, and in all (or most) with itself in fewer. Between two backbones, each
    strategy is compared with itself. A family, within which p is adjusted, is what answers one question: all rivals of the
    reference (or all strategies, between backbones) on one benchmark, in one setting and metric.

    Args:
        recipe: name in the tables.
        systems: of `table.sampled`.
        settings: of the statistics.
    """
    rows: list[dict[str, Any]] = []
    for (benchmark, setting), own in systems.items():
        families = list(rivals(own, settings.reference))
        for metric in settings.metrics:
            pairs = [
                (family, a, b)
                for family, members in enumerate(families)
                for a, b in members
                if metric in own[a] and metric in own[b]
            ]
            with threadpool_limits(1, user_api="blas"):
                found = compare([_with_margin(own[a][metric], own[b][metric], metric, settings) for _, a, b in pairs], settings)
            for family in range(len(families)):
                members = [(a, b, one) for (of, a, b), one in zip(pairs, found, strict=True) if of == family]
                for (a, b, one), adjusted in zip(members, holm([one.p for _, _, one in members]), strict=True):
                    rows.append(
                        {
                            **{"recipe": recipe, "benchmark": benchmark, "setting": setting, "metric": metric},
                            **{"backbone": a[0], "strategy": a[1], "other_backbone": b[0], "other_strategy": b[1]},
                            **{"difference": one.estimate, "ci_low": one.low, "ci_high": one.high},
                            **{"p": one.p, "p_holm": adjusted, "effect": one.effect, "detectable": one.detectable},
                            **{"margin": one.margin, "p_equal": one.p_equal},
                            **{"n_seeds": own[a][metric].seeds, "n_questions": len(own[a][metric].parts)},
                        }
                    )
    return CONTRASTS.frame(rows)


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


def _with_margin(a: Sample, b: Sample, metric: str, settings: Report) -> tuple[Sample, Sample, float]:
    """.01 is little of .6 and much of .03, and ranks have no scale of their own: so the margin is also a share of the mean."""
    share = settings.margin_share * abs(a.mean + b.mean) / 2
    return a, b, share if metric == "rank_distance" else min(share, settings.margin)
