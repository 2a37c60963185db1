"""What the page's sections look things up in: results by name, the order of rows, and a strategy's colour and words."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import polars as pl

from koine import languages
from koine.metrics import HEADLINE, MAIN, metric
from koine.params import Report
from koine.report.markup import Html, fraction, language, rank, tag
from koine.report.table import headings, main_metric
from koine.strategies import DEBIASING, STRATEGIES, Strategy, count_of

#: Of more strategies than this, the main ones are drawn.
FEW = 8
#: The strategies that stand for all where there are too many: what needs no training, and those that an example explains.
MAIN_STRATEGIES = tuple(name for name, own in STRATEGIES.items() if own.example or own.languages == "none")


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval (None where it is not known)."""

    mean: float
    ends: tuple[float, float] | None
    seeds: int
    queries: int

    def text(self, metric: str) -> str:
        """The mean, as the page prints this metric."""
        return value_text(metric, self.mean)

    def interval(self, metric: str) -> str:
        """The interval, as the page prints this metric."""
        return f"{value_text(metric, self.ends[0])} to {value_text(metric, self.ends[1])}" if self.ends else "no interval"

    def overlaps(self, other: "Estimate") -> bool:
        """Whether the two intervals share a value."""
        return bool(self.ends and other.ends and self.ends[0] <= other.ends[1] and other.ends[0] <= self.ends[1])


def value_text(name: str, value: float | None, digits: int = 3) -> str:
    """A value of a metric, as it is printed: a fraction with this many digits, or a rank."""
    return rank(value) if metric(name).entry.printed == "rank" else fraction(value, digits)


def signed_text(name: str, difference: float) -> str:
    """A difference of two values of a metric, with its sign."""
    return ("−" if difference < 0 else "+") + value_text(name, abs(difference))


def judged_by(which: str) -> list[str]:
    """The headings of the metrics in the headline tables whose `higher` or `lower` values are better."""
    entries = [metric(name).entry for name in (*MAIN, *HEADLINE)]
    return [entry.heading for entry in entries if entry.better == which]


def better(name: str) -> str | None:
    """What page.js reads in the head of a metric's column where the lowest value is the best one."""
    return "lower" if metric(name).entry.better == "lower" else None


@dataclass(frozen=True)
class View:
    """The evidence, in order and by name.

    Attributes:
        recipe: name in the tables.
        confidence: coverage of the intervals.
        reference: the strategy that the others are compared with.
        benchmarks, backbones, strategies: names, in the order of the page.
        results: of table.csv, by benchmark, backbone, strategy, setting and metric.
        pairs: `records.PAIRS`.
        trained: languages that a backbone and strategy was trained in.
        alphas: α that a backbone and strategy was trained with.
    """

    recipe: str
    confidence: float
    reference: str
    benchmarks: list[str]
    backbones: list[str]
    strategies: list[str]
    results: dict[tuple[str, str, str, str, str], Estimate]
    pairs: pl.DataFrame
    trained: dict[tuple[str, str], list[str]]
    alphas: dict[tuple[str, str], float]

    @classmethod
    def of(cls, table: pl.DataFrame, pairs: pl.DataFrame, models: Sequence[dict[str, Any]], report: Report) -> "View":
        """Look through the tables and the models.

        Args:
            table: `records.TABLE`.
            pairs: `records.PAIRS`.
            models: koine.json of each model.
            report: coverage of the intervals, and the reference.
        """
        results = {}
        for row in table.iter_rows(named=True):
            if row["mean"] is not None and math.isfinite(row["mean"]):
                low, high = row["ci_low"], row["ci_high"]
                known = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
                key = (row["benchmark"], row["backbone"], row["strategy"], row["setting"], row["metric"])
                results[key] = Estimate(row["mean"], (low, high) if known else None, row["n_seeds"], row["n_queries"])
        trained: dict[tuple[str, str], list[str]] = {}
        alphas: dict[tuple[str, str], float] = {}
        for model in models:
            if (alpha := _alpha(model["strategy"], model.get("alpha"))) is not None:
                alphas[model["backbone"], model["strategy"]] = alpha
            known_languages = list(model.get("languages", []))
            own = STRATEGIES.get(model["strategy"])
            limit = {"none": 0, "source": 1}.get(own.languages if own else "", len(known_languages))  # the source's is first
            trained[model["backbone"], model["strategy"]] = known_languages[:limit]
        recipes, benchmarks = _distinct(table, pairs, "recipe"), _distinct(table, pairs, "benchmark")
        wholes = list(dict.fromkeys(whole(name) for name in benchmarks))
        return cls(
            recipe=" ".join(recipes) or "no results yet",
            confidence=report.confidence,
            reference=report.reference,
            benchmarks=sorted(benchmarks, key=lambda name: (wholes.index(whole(name)), name != whole(name))),
            backbones=list(dict.fromkeys([*_distinct(table, pairs, "backbone"), *(model["backbone"] for model in models)])),
            strategies=sorted({*_distinct(table, pairs, "strategy"), *(model["strategy"] for model in models)}, key=_order),
            results=results,
            pairs=pairs,
            trained=trained,
            alphas=alphas,
        )

    def get(self, benchmark: str, backbone: str, strategy: str, setting: str, metric: str) -> Estimate | None:
        """A result, where there is one."""
        return self.results.get((benchmark, backbone, strategy, setting, metric))

    def models(self, benchmark: str) -> dict[str, list[str]]:
        """Backbones with results on a benchmark, and the strategies of each."""
        there = {key[1:3] for key in self.results if key[0] == benchmark}
        named = {backbone: [name for name in self.strategies if (backbone, name) in there] for backbone in self.backbones}
        return {backbone: strategies for backbone, strategies in named.items() if strategies}

    def best(self, benchmark: str, backbone: str, setting: str, name: str) -> Estimate | None:
        """The best strategy's result in a metric; None where there is none, or no value is better than another."""
        sign = {"higher": 1, "lower": -1, "neither": 0}[metric(name).entry.better]
        results = [self.get(benchmark, backbone, strategy, setting, name) for strategy in self.strategies]
        return max((one for one in results if one and sign), key=lambda one: sign * one.mean, default=None)

    def metric(self, benchmark: str) -> str:
        """What a benchmark is judged by."""
        return main_metric(key[4] for key in self.results if key[0] == benchmark)

    def columns(self, benchmark: str) -> list[tuple[str, str, str]]:
        """Heading, setting and metric of what there is of a benchmark's main results."""
        there = {key[3:] for key in self.results if key[0] == benchmark}
        return [column for column in headings(self.metric(benchmark)) if column[1:] in there]

    def languages(self, benchmark: str) -> list[str]:
        """Languages of a benchmark, those of the training data first."""
        rows = self.pairs.filter(benchmark=benchmark)
        found = dict.fromkeys([*rows["query_lang"], *rows["doc_lang"].filter(rows["doc_lang"] != "all")])
        known = list(dict.fromkeys(lang for languages in self.trained.values() for lang in languages))
        return sorted(found, key=lambda lang: known.index(lang) if lang in known else len(known))

    def mixtures(self) -> dict[str, list[str]]:
        """The strategies that were trained with several α, each with those, and with what it is at the ends of α."""
        families: dict[str, list[str]] = {}
        for name in self.strategies:
            base = name.partition("@")[0]
            if base in STRATEGIES and STRATEGIES[base].takes_alpha:
                families.setdefault(base, []).append(name)
        return {
            base: [*names, *(end for end in ends(base) if end in self.strategies)]
            for base, names in families.items()
            if len(names) > 1
        }

    def mapped(self) -> list[str]:
        """The strategies that get maps: all, or where they are more than `FEW` the main ones and the reference."""
        few = len(self.strategies) <= FEW
        return [name for name in self.strategies if few or name in MAIN_STRATEGIES or name == self.reference]

    def contrasted(self) -> list[str]:
        """The reference, and the strategies that have only one of its kinds of batch."""
        alone = kinds_alone(base_of(self.reference))
        return [name for name in self.strategies if name == self.reference or name in alone]

    def coverage(self) -> str:
        """`95 %`."""
        return f"{100 * self.confidence:g} %"

    def colour(self, strategy: str) -> str:
        """The class that carries a strategy's colour."""
        return f"s{self.strategies.index(strategy)}"

    def label(self, strategy: str) -> Html:
        """A strategy's name with a dot of its colour."""
        return tag("span", strategy, class_=f"name {self.colour(strategy)}")


def whole(benchmark: str) -> str:
    """The benchmark that a sub-pool such as `xquad-r:en+fi` is a part of; itself otherwise."""
    return benchmark.partition(":")[0]


def named_language(code: str) -> str:
    """`Finnish (fi)`."""
    name = language(code)
    return f"{name} ({code})" if name != code else code


def script_of(lang: str) -> str:
    """The script of a language (ISO 15924); nothing of what is no language tag."""
    try:
        return languages.script(lang)
    except ValueError:
        return ""


def _distinct(table: pl.DataFrame, pairs: pl.DataFrame, column: str) -> list[str]:
    values: Iterable[str] = [*table[column], *pairs[column]]
    return list(dict.fromkeys(values))


def in_words(strategy: str) -> tuple[str, str]:
    """What a strategy does, and an example of three batches where it has one."""
    if strategy in STRATEGIES:
        return STRATEGIES[strategy].words, STRATEGIES[strategy].example
    parts = strategy.split("+")
    single, count = count_of(strategy)
    if len(parts) == 1 and count:
        return f"{in_words(single)[0]}; in the first {count} languages alone", ""
    if len(parts) > 1:
        texts = {known for known, own in STRATEGIES.items() if own.needs_context}
        plain = {*texts, *DEBIASING}  # what pairs train is called by its name
        return "; then ".join(in_words(part)[0] if part.partition("@")[0] in plain else part for part in parts), ""
    name, _, number = strategy.partition("@")
    if name in DEBIASING:
        return DEBIASING[name] + (f" ({number} of them)" if number else ""), ""
    return (f"as {name}, with α = {number}" if name in STRATEGIES else ""), ""


def _alpha(strategy: str, default: float | None) -> float | None:
    """The α that a strategy was trained with, or is the end of; `default` is that of its recipe."""
    name, _, own = strategy.partition("@")
    known = STRATEGIES.get(name)
    try:
        if not own:
            of_ends = {end: alpha for mixed in STRATEGIES for end, alpha in ends(mixed).items()}
            return default if known and known.takes_alpha else of_ends.get(name)
        return float(own)
    except ValueError:  # no number: a name that is not Koine's
        return None


@cache
def ends(strategy: str) -> dict[str, float]:
    """What a strategy is at the ends of α: those that have its cross-lingual (0) or monolingual (1) batches alone.

    >>> ends("hybrid")
    {'x-y': 0.0, 'x-x-mono': 1.0}
    """
    mixed = STRATEGIES.get(strategy)
    if mixed is None or [batches.mono for batches in mixed.batches] != [None]:
        return {}
    at = {alpha: replace(mixed, batches=(replace(mixed.batches[0], mono=alpha),)) for alpha in (0.0, 1.0)}
    return {name: alpha for alpha, end in at.items() for name, own in STRATEGIES.items() if _training(own) == _training(end)}


@cache
def kinds_alone(strategy: str) -> list[str]:
    """The strategies that have only one of a strategy's kinds of batch, and train on the same questions and languages.

    >>> kinds_alone("grad-mix")
    ['x-x-mono', 'x-y']
    """
    mixed = STRATEGIES.get(strategy)
    if mixed is None:
        return []
    kinds = [
        kind for one in mixed.batches for kind in ([one] if one.mono is not None else [replace(one, mono=m) for m in (1.0, 0.0)])
    ]
    alike = [name for name, own in STRATEGIES.items() if (own.data, own.languages) == (mixed.data, mixed.languages)]
    return [name for name in alike if len(STRATEGIES[name].batches) == 1 and STRATEGIES[name].batches[0] in kinds]


def _training(strategy: Strategy) -> Strategy:
    """What a strategy trains, without how it is shown."""
    return replace(strategy, words="", colour=("", ""), example="")


def base_of(strategy: str) -> str:
    """The last training of a chain, without its α and its number of languages."""
    trained = [count_of(part)[0].partition("@")[0] for part in strategy.split("+")]
    return next((name for name in reversed(trained) if name not in DEBIASING), strategy)


def _order(strategy: str) -> tuple[int, int, int, str]:
    name = base_of(strategy)
    count = count_of(strategy)[1] or 0
    return (list(STRATEGIES).index(name) if name in STRATEGIES else len(STRATEGIES), strategy.count("+"), count, strategy)
