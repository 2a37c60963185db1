"""The page's trends: the headline's values over the number of languages trained in, and over α."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from koine.metrics import MAIN
from koine.report.markup import Html, join, listing, tag
from koine.report.sections import by_benchmark
from koine.report.svg import Scale, Spot, trend
from koine.report.view import View, ends
from koine.strategies import STRATEGIES, count_of


@dataclass(frozen=True)
class _Trend:
    """What values are drawn over.

    Attributes:
        families: strategies that make a line, by the one that colours it.
        place: the number that a model of a backbone and strategy stands at.
        words: that number, for who points at it.
        title, label: what is drawn over, in the caption and for who does not see it.
        doubling: whether the numbers double from place to place.
    """

    families: Mapping[str, Sequence[str]]
    place: Callable[[str, str], float | None]
    words: Callable[[float], str]
    title: str
    label: str
    doubling: bool = False


def growth(view: View) -> Html | None:
    """The headline's values over the number of languages that a strategy was trained in, where it was trained in several."""
    families: dict[str, list[str]] = {}
    for name in view.strategies:
        families.setdefault(count_of(name)[0], []).append(name)
    several = {base if base in view.strategies else names[-1]: names for base, names in families.items() if len(names) > 1}
    if not several:
        return None
    note = (
        "From left to right, models of the same strategy trained in more and more languages, in the order of the recipe and with "
        "the source language; steps and batches stay the same. Values are means over all languages of the benchmark, trained in "
        "or not. Point at a dot for its interval."
    )

    def place(backbone: str, strategy: str) -> float | None:
        return float(len(view.trained.get((backbone, strategy), ()))) or None

    over = _Trend(several, place, lambda x: f"{x:g} languages", "languages trained in", "number of training languages", True)
    return _drawn(view, note, over)


def alphas(view: View) -> Html | None:
    """The headline's values over α, the share of monolingual batches (or of their loss), where there are several."""
    mixtures = view.mixtures()
    weighted = [name for name in mixtures if STRATEGIES[name].weighted]
    of_loss = f" (of {listing(weighted)}: of the loss)" if weighted else ""
    stand_in = "".join(
        f" At 0 stands {cross}, at 1 {mono}, where the recipe has no {name}@0 or {name}@1."
        for name in mixtures
        if ends(name)
        for cross, mono in [ends(name)]
    )
    note = (
        f"From left to right, more and more of the batches{of_loss} are monolingual.{stand_in} Whiskers are intervals. "
        "Point at a dot for its numbers."
    )
    over = _Trend(mixtures, lambda *system: view.alphas.get(system), lambda x: f"α = {x:g}", "α", "α")
    return _drawn(view, note, over)


def _drawn(view: View, note: str, over: _Trend) -> Html | None:
    """A figure for each column of the headline tables, by benchmark and backbone."""

    def of(benchmark: str) -> Html | None:
        drawn: list[Html] = []
        for backbone in view.models(benchmark):
            figures = [_figure(view, over, benchmark, backbone, *column) for column in view.columns(benchmark)]
            if any(figures):
                inner = [tag("h4", f"backbone {backbone}"), tag("div", *figures, class_="facets")]
                drawn.append(tag("div", *inner, data_backbone=backbone))
        return join(drawn) if drawn else None

    sections = list(by_benchmark(view, of))
    names = join([view.label(name) for name in over.families], " ")
    return join([tag("p", note, class_="note"), tag("p", names, class_="note"), *sections]) if sections else None


def _figure(view: View, over: _Trend, benchmark: str, backbone: str, heading: str, setting: str, name: str) -> Html | None:
    lines = []
    for base, strategies in over.families.items():
        spots: dict[float, Spot] = {}
        for strategy in strategies:
            one, x = view.get(benchmark, backbone, strategy, setting, name), over.place(backbone, strategy)
            if one and x is not None:
                text = f"{strategy}, {over.words(x)}: {one.text(name)}, interval {one.interval(name)}"
                spots.setdefault(x, Spot(x, one.mean, one.ends, text))
        if len(spots) > 1:
            lines.append((view.colour(base), [spots[x] for x in sorted(spots)]))
    if not lines:
        return None
    up = Scale.over(value for _, spots in lines for spot in spots for value in (spot.y, *(spot.ends or ())))
    title = tag("figcaption", f"{heading}{f', {MAIN[name]}' if name in MAIN else ''}, by {over.title}")
    return tag("figure", title, trend(lines, up, f"{heading} of {benchmark} by {over.label}", doubling=over.doubling))
