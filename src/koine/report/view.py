"""What the page's sections look things up in: results by name, the order of rows, and a strategy's colour and words."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from koine import languages
from koine.report.markup import Html, fraction, language, rank, tag
from koine.report.statistics import LOWER_IS_BETTER
from koine.report.table import headings, main_metric
from koine.strategies import DEBIASING, STRATEGIES, count_of


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


def value_text(metric: str, value: float | None) -> str:
    """A fraction or a rank, as the metric is."""
    return rank(value) if metric == "rank_distance" else fraction(value)


def signed_text(metric: str, difference: float) -> str:
    """A difference of fractions or ranks, with its sign."""
    return ("−" if difference < 0 else "+") + value_text(metric, abs(difference))


@dataclass(frozen=True)
class View:
    """The evidence, in order and by name."""

    recipe: str
    confidence: float
    benchmarks: list[str]
    backbones: list[str]
    strategies: list[str]
    results: dict[tuple[str, str, str, str, str], Estimate]
    pairs: pl.DataFrame
    trained: dict[tuple[str, str], list[str]]
    alphas: dict[tuple[str, str], float]

    @classmethod
    def of(cls, table: pl.DataFrame, pairs: pl.DataFrame, models: Sequence[dict[str, Any]], confidence: float) -> "View":
        """Look through the tables and the models."""
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
            confidence=confidence,
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

    def best(self, benchmark: str, backbone: str, setting: str, metric: str) -> Estimate | None:
        """The best strategy's result."""
        found = [self.get(benchmark, backbone, name, setting, metric) for name in self.strategies]
        sign = -1 if metric in LOWER_IS_BETTER else 1
        return max((one for one in found if one), key=lambda one: sign * one.mean, default=None)

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
        """The strategies that were trained with several α, each with those; the ends of hybrid's are x-y and x-x-mono."""
        families: dict[str, list[str]] = {}
        for name in self.strategies:
            base = name.partition("@")[0]
            if base in STRATEGIES and STRATEGIES[base].takes_alpha:
                families.setdefault(base, []).append(name)
        ends: list[str] = [name for name in ("x-y", "x-x-mono") if name in self.strategies]
        return {base: names + (ends if base == "hybrid" else []) for base, names in families.items() if len(names) > 1}

    def coverage(self) -> str:
        """`95 %`."""
        return f"{100 * self.confidence:g} %"

    def colour(self, strategy: str) -> str:
        """The class that carries a strategy's colour."""
        return f"s{self.strategies.index(strategy)}"

    def label(self, strategy: str) -> Html:
        """A strategy's name with a dot of its colour."""
        return tag("span", strategy, class_=f"name {self.colour(strategy)}")

    def colours(self) -> str:
        """The style sheet of the strategies: a hybrid at its own α, or in fewer languages, is a shade of the hybrid's colour."""
        shades = [name for name in self.strategies if re.match("hybrid(@|-of-)", name) and "+" not in name]
        rules = []
        for name in self.strategies:
            base = _base(name)
            colour = f"var(--{base.removesuffix('-half') if base in STRATEGIES else 'other'})"
            if base.endswith("-half") or "+" in name:
                colour = f"color-mix(in oklab, var(--ink) 35%, {colour})"
            if name in shades:
                ink = 30 + round(45 * shades.index(name) / max(1, len(shades) - 1))
                colour = f"color-mix(in oklab, var(--ink) {ink}%, var(--hybrid))"
            rules.append(f".{self.colour(name)} {{ --own: {colour}; color: var(--own); }}")
        return "\n".join(rules)


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
    """The share of monolingual batches that a strategy was trained with; `default` is that of its recipe."""
    name, _, own = strategy.partition("@")
    known = STRATEGIES.get(name)
    try:
        return float(own) if own else default if known and known.takes_alpha else {"x-y": 0.0, "x-x-mono": 1.0}.get(name)
    except ValueError:  # no number: a name that is not Koine's
        return None


def _base(strategy: str) -> str:
    """The last training of a chain, without its α and its number of languages."""
    trained = [count_of(part)[0].partition("@")[0] for part in strategy.split("+")]
    return next((name for name in reversed(trained) if name not in DEBIASING), strategy)


def _order(strategy: str) -> tuple[int, int, int, str]:
    name = _base(strategy)
    count = count_of(strategy)[1] or 0
    return (list(STRATEGIES).index(name) if name in STRATEGIES else len(STRATEGIES), strategy.count("+"), count, strategy)
