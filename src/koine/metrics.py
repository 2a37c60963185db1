"""The metrics: what each one computes and means, one entry each, and the grammar of their names.

An entry says all that the rest of Koine wants to know of a metric: the function that computes it, where it means something,
which values are good, what chance gives, and how it is printed. To add one is to add an entry and its function
(docs/extend.md).

A name is that of an entry, and a cut-off where the entry takes one: `map`, `ndcg@10`.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, WithJsonSchema

from koine.names import Registry, nearest


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One entry.

    Attributes:
        heading: how it is written for people, without its cut-off: `nDCG`.
        compute: `koine.module:function` that takes `evaluate.cells.Ranked` and the cut-off (None where there is none). It
            returns float64 `[Q]`, a value for each query that has a relevant passage, NaN where the query has no value; or
            None where the metric means nothing.
        best: `koine.module:function` that takes `evaluate.chance.Counts` and the cut-off, and returns the best value.
        chance: the same, for the mean over random orders; empty where there is none.
        no_chance: why there is none.
        cutoff: whether a cut-off stands behind the name: `ndcg@10`.
        settings: where it means something: `multi` for what compares languages in the pool of all of them.
        better: which values are; `neither` where a value is good or bad only beside that of chance.
        printed: as a fraction of 1, or as a rank.
        usual: the names under which a benchmark reports it that says nothing else.
        main: the name under which benchmarks are judged by it; empty for none.
        headline: whether it stands beside the main metric in the headline tables.
        first: whether it looks at the first passages of the pool, as many as its cut-off says.
        by_domain: whether it is reported by domain, whatever `report.metrics` says.
    """

    heading: str
    compute: str
    best: str = "koine.evaluate.chance:one"
    chance: str = ""
    no_chance: str = ""
    cutoff: Literal["never", "may", "must"] = "never"
    settings: Literal["all", "multi"] = "all"
    better: Literal["higher", "lower", "neither"] = "higher"
    printed: Literal["fraction", "rank"] = "fraction"
    usual: tuple[str, ...] = ()
    main: str = ""
    headline: bool = False
    first: bool = False
    by_domain: bool = False


#: Benchmarks are judged by the first main metric that they report: those that tell more come first.
METRICS: Registry[Metric] = {
    "map": Metric(
        heading="mAP",
        compute="koine.evaluate.metrics:average_precision",
        chance="koine.evaluate.chance:average_precision",
        cutoff="may",
        usual=("map", "map@20"),
        main="map",
    ),
    "ndcg": Metric(
        heading="nDCG",
        compute="koine.evaluate.metrics:ndcg",
        chance="koine.evaluate.chance:ndcg",
        cutoff="must",
        usual=("ndcg@10",),
        main="ndcg@10",
    ),
    "recall": Metric(
        heading="recall",
        compute="koine.evaluate.metrics:recall",
        best="koine.evaluate.chance:most_recall",
        chance="koine.evaluate.chance:recall",
        cutoff="must",
        usual=("recall@1", "recall@10"),
    ),
    "mrr": Metric(
        heading="MRR",
        compute="koine.evaluate.metrics:reciprocal_rank",
        chance="koine.evaluate.chance:reciprocal_rank",
        cutoff="may",
        usual=("mrr",),
    ),
    "accuracy": Metric(
        heading="accuracy",
        compute="koine.evaluate.metrics:accuracy",
        chance="koine.evaluate.chance:accuracy",
        main="accuracy",
    ),
    "rank_distance": Metric(
        heading="rank distance",
        compute="koine.evaluate.metrics:rank_distance",
        best="koine.evaluate.chance:least_rank_distance",
        chance="koine.evaluate.chance:rank_distance",
        settings="multi",
        better="lower",
        printed="rank",
        usual=("rank_distance",),
        headline=True,
    ),
    "tlr": Metric(
        heading="TLR",
        compute="koine.evaluate.metrics:target_language_recall",
        best="koine.evaluate.chance:most_recall_elsewhere",
        chance="koine.evaluate.chance:recall",
        cutoff="must",
        settings="multi",
        usual=("tlr@10",),
    ),
    "same_language": Metric(
        heading="same language",
        compute="koine.evaluate.metrics:same_language",
        best="koine.evaluate.chance:share_of_a_language",
        chance="koine.evaluate.chance:share_of_a_language",
        cutoff="must",
        settings="multi",
        better="neither",
        usual=("same_language@1",),
        first=True,
    ),
    "rankc": Metric(
        heading="RankC",
        compute="koine.evaluate.consistency:rankc",
        chance="koine.evaluate.chance:rankc",
        cutoff="must",
        settings="multi",
        usual=("rankc@10",),
        first=True,
        by_domain=True,
    ),
    "mrc": Metric(
        heading="MRC",
        compute="koine.evaluate.consistency:mrc",
        no_chance="the passages whose scores are correlated are chosen by these scores, which makes them disagree",
        cutoff="must",
        settings="multi",
        usual=("mrc@10",),
        first=True,
    ),
    "language_probe": Metric(
        heading="language probe",
        compute="koine.evaluate.language:probed",
        best="koine.evaluate.chance:share_of_a_language",
        chance="koine.evaluate.chance:share_of_a_language",
        settings="multi",
        better="lower",
        usual=("language_probe",),
    ),
}


class Named(NamedTuple):
    """What a metric's name says.

    Attributes:
        kind: name of the entry.
        entry: of `METRICS`.
        cutoff: k of `@k`; None where there is none.
    """

    kind: str
    entry: Metric
    cutoff: int | None

    @property
    def heading(self) -> str:
        """As it is written for people: `nDCG@10`."""
        return self.entry.heading + (f"@{self.cutoff}" if self.cutoff else "")


@cache
def metric(name: str) -> Named:
    """Take a metric's name apart.

    Raises:
        ValueError: no metric is called so; the message has the nearest one.

    >>> metric("ndcg@10").heading
    'nDCG@10'
    >>> metric("ndcg")
    Traceback (most recent call last):
    ValueError: metric 'ndcg' needs a cut-off; did you mean 'ndcg@10'?
    """
    kind, at, cutoff = name.partition("@")
    entry = METRICS.get(kind)
    if entry is None:
        near = nearest(name, [known + (at + cutoff) * (one.cutoff != "never") for known, one in METRICS.items()])
        raise ValueError(f"unknown metric {name!r}{near} (known: {', '.join(k + _SHOWN[e.cutoff] for k, e in METRICS.items())})")
    if entry.cutoff == "must" and not at:
        raise ValueError(f"metric {name!r} needs a cut-off; did you mean {kind + '@10'!r}?")
    if entry.cutoff == "never" and at:
        raise ValueError(f"metric {name!r}: {kind} takes no cut-off; did you mean {kind!r}?")
    if at and not re.fullmatch(r"[1-9]\d*", cutoff):
        raise ValueError(f"metric {name!r}: the cut-off {cutoff!r} is no whole number from 1; did you mean {kind + '@10'!r}?")
    return Named(kind, entry, int(cutoff) if at else None)


def kind_of(name: str) -> str:
    """The entry that a metric's name is of: `ndcg` of `ndcg@10`."""
    return metric(name).kind


_SHOWN = {"never": "", "may": "[@K]", "must": "@K"}


def _is_metric(name: str) -> str:
    metric(name)
    return name


_CUTOFFS = {"never": "", "may": r"(@[1-9]\d*)?", "must": r"@[1-9]\d*"}
_PATTERN = "|".join(kind + _CUTOFFS[entry.cutoff] for kind, entry in METRICS.items())

#: A metric's name, as a parameter: what is unknown is an error that has the nearest name.
MetricName = Annotated[str, AfterValidator(_is_metric), WithJsonSchema({"type": "string", "pattern": f"^({_PATTERN})$"})]

#: The metrics of a benchmark whose entry names none.
USUAL = tuple(name for entry in METRICS.values() for name in entry.usual)
#: What benchmarks are judged by, the first of these that they report, and how it is written.
MAIN = {entry.main: metric(entry.main).heading for entry in METRICS.values() if entry.main}
#: What stands beside the main metric in the headline tables.
HEADLINE = tuple(name for entry in METRICS.values() if entry.headline for name in entry.usual)
