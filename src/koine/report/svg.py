"""Drawings of the page: small inline SVG, coloured by the style sheet, the same bytes for the same numbers.

Charts that share a column or a grid take their horizontal positions in per cent of their own width, so that they
need no fixed size and their text is never scaled. Colours are those of the strategy's class (`currentColor`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from koine.report.markup import Html, fraction, join, number, tag

Point = tuple[float, float]

#: What a line of train.jsonl is of, by its type: in words, and the dashes of its curve.
KINDS: dict[str, tuple[str, str | None]] = {
    "mono": ("mono batches", None),
    "cross": ("cross batches", "5 3"),
    "mixed": ("mixed batches", "1.5 2.5"),
    "mlm": ("masked tokens", None),
    "tsdae": ("rewritten texts", None),
    "validation": ("validation questions", "7 2 1.5 2"),
}


@dataclass(frozen=True)
class Scale:
    """A linear axis from `low` to `high`, in steps of `step`."""

    low: float
    high: float
    step: float

    @classmethod
    def over(cls, values: Iterable[float], *, zero: bool = False, steps: int = 4) -> "Scale":
        """Round limits around values (from 0 with `zero`), with about `steps` steps between them."""
        found = [value for value in values if math.isfinite(value)] + ([0.0] if zero else [])
        low, high = (min(found), max(found)) if found else (0.0, 1.0)
        rough = ((high - low) or abs(high) or 1.0) / steps
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * size for size in (1, 2, 2.5, 5, 10) if power * size >= rough * 0.999)
        return cls(math.floor(low / step + 1e-9) * step, max(math.ceil(high / step - 1e-9), 1) * step, step)

    def at(self, value: float) -> float:
        """Position from 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / ((self.high - self.low) or 1.0)))

    def percent(self, value: float) -> str:
        """Position as an SVG length."""
        return f"{number(100 * self.at(value))}%"

    def ticks(self) -> list[float]:
        """All steps, both limits included."""
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]


def _across(x1: str, x2: str, y: float, class_: str) -> Html:
    return tag("line", x1=x1, x2=x2, y1=y, y2=y, class_=class_)


def _mark(x: str, class_: str) -> Html:
    return tag("line", x1=x, x2=x, y1="0", y2="100%", class_=class_)


def dot(scale: Scale, mean: float, ends: Point | None, band: Point | None) -> Html:
    """A mean as a dot and its interval as a whisker, over the shaded interval `band` of the best; the numbers stand above."""

    def box(part: Point, class_: str) -> Html:  # its height stands in the style sheet
        width = number(100 * (scale.at(part[1]) - scale.at(part[0])))
        return tag("rect", x=scale.percent(part[0]), width=f"{width}%", class_=class_)

    return tag(
        "svg",
        box(band, "band") if band else None,
        box(ends, "whisker") if ends else None,
        tag("circle", cx=scale.percent(mean)),
        class_="dot", aria_hidden="true",
    )  # fmt: skip


def bar(scale: Scale, mean: float, ends: Point | None, marks: Sequence[float], label: str) -> Html:
    """A value as a bar with its interval as a whisker; `marks` are dashed reference lines."""
    return tag(
        "svg",
        tag("title", label),
        tag("rect", x="0", y="4", width=scale.percent(mean), height="14", rx="2"),
        *(_mark(scale.percent(value), "mark") for value in marks),
        _across(scale.percent(ends[0]), scale.percent(ends[1]), 11, "ends") if ends else None,
        *(tag("line", x1=x, x2=x, y1="7", y2="15", class_="ends") for x in map(scale.percent, ends or ())),
        class_="bar", width="100%", height="22", role="img",
    )  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A curve: its points, the batch type that says its dashes, and what a pointer reads on it."""

    points: Sequence[Point]
    kind: str
    label: str


def curves(lines: Sequence[Line], across: Scale, up: Scale, label: str) -> Html:
    """Curves of one strategy over the axes that all strategies share."""
    left, top, width, height = 30.0, 8.0, 224.0, 112.0

    def place(point: Point) -> str:
        return f"{number(left + width * across.at(point[0]))},{number(top + height * (1 - up.at(point[1])))}"

    grid: list[Html] = []
    for tick in up.ticks():
        y = top + height * (1 - up.at(tick))
        grid.append(tag("line", x1=left, x2=left + width, y1=y, y2=y, class_="grid"))
        grid.append(tag("text", f"{tick:g}", x=left - 6, y=y + 4, text_anchor="end"))
    for tick in (across.low, across.high):
        end = "start" if tick == across.low else "end"
        grid.append(tag("text", f"{tick:,.0f}", x=left + width * across.at(tick), y=top + height + 16, text_anchor=end))
    grid.append(tag("text", "step", x=left + width / 2, y=top + height + 16, text_anchor="middle"))
    paths = []
    for line in lines:
        points = " ".join(map(place, line.points))
        paths.append(tag("polyline", tag("title", line.label), points=points, stroke_dasharray=_dashes(line.kind)))
    return tag("svg", *grid, *paths, class_="curves", viewBox="0 0 260 142", role="img", aria_label=label)


@dataclass(frozen=True)
class Spot:
    """A point of a trend: its place, its interval, and what a pointer reads there."""

    x: float
    y: float
    ends: Point | None
    text: str


def trend(lines: Sequence[tuple[str, Sequence[Spot]]], up: Scale, label: str, *, doubling: bool = False) -> Html:
    """Means with their whiskers over a number, or over its doublings; of each line the class that colours it, and its spots."""
    left, top, width, height = 34.0, 8.0, 216.0, 132.0
    numbers = sorted({spot.x for _, spots in lines for spot in spots})
    places = {x: math.log2(x) if doubling else x for x in numbers}
    across = Scale(places[numbers[0]], max(places[numbers[-1]], places[numbers[0]] + (1.0 if doubling else 0.0)), 1)

    def high(value: float) -> float:
        return top + height * (1 - up.at(value))

    grid: list[Html] = []
    for tick in up.ticks():
        grid.append(tag("line", x1=left, x2=left + width, y1=high(tick), y2=high(tick), class_="grid"))
        grid.append(tag("text", f"{tick:g}", x=left - 6, y=high(tick) + 4, text_anchor="end"))
    for x in numbers:
        grid.append(tag("text", f"{x:g}", x=left + width * across.at(places[x]), y=top + height + 16, text_anchor="middle"))
    drawn = []
    for class_, spots in lines:
        at = [(left + width * across.at(places[spot.x]), high(spot.y)) for spot in spots]
        path = tag("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in at))
        whiskers = [
            tag("line", x1=x, x2=x, y1=high(spot.ends[0]), y2=high(spot.ends[1]))
            for (x, _), spot in zip(at, spots, strict=True) if spot.ends
        ]  # fmt: skip
        dots = [tag("circle", tag("title", spot.text), cx=x, cy=y, r="3") for (x, y), spot in zip(at, spots, strict=True)]
        drawn.append(tag("g", path, *whiskers, *dots, class_=class_))
    return tag("svg", *grid, *drawn, class_="curves trend", viewBox="0 0 260 164", role="img", aria_label=label)


def histogram(edges: Sequence[float], counts: Sequence[int], threshold: float | None, label: str) -> Html:
    """Counts by score as one shape; heights are square roots, so that the few bad ones are seen; the threshold is dashed."""
    width, height = 240.0, 56.0
    across, most = Scale(edges[0], edges[-1], edges[-1] - edges[0]), max(counts)
    bars = []
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        if count:
            x, tall = width * across.at(low), height * math.sqrt(count / most)
            wide = max(1.0, width * (across.at(high) - across.at(low)) - 1)
            bars.append(f"M{round(x, 1):g} {height:g}v-{round(tall, 1):g}h{round(wide, 1):g}V{height:g}")
    marked = None
    if threshold is not None:
        at = width * across.at(threshold)
        marked = tag("line", x1=at, x2=at, y1="0", y2=height, class_="mark")
    ends = [(edges[0], 0.0, "start"), (edges[-1], width, "end")]
    texts = [tag("text", f"{value:g}", x=x, y=height + 14, text_anchor=anchor) for value, x, anchor in ends]
    shape = tag("path", d="".join(bars))
    return tag("svg", shape, marked, *texts, class_="histogram", viewBox="0 0 240 74", role="img", aria_label=label)


def _dashes(kind: str) -> str | None:
    return KINDS[kind][1] if kind in KINDS else None


def dashes(kind: str) -> Html:
    """The line of a batch type, for the legend."""
    line = tag("line", x1="0", x2="26", y1="5", y2="5", stroke_dasharray=_dashes(kind))
    return tag("svg", line, class_="dashes", width="26", height="10", aria_hidden="true")


def _chip(x: float, y: float, text: str, class_: str, width: float = 30) -> Html:
    return join(
        [
            tag("rect", x=x, y=y, width=width, height="20", rx="4", class_=class_),
            tag("text", text, x=x + width / 2, y=y + 14, text_anchor="middle", class_=class_),
        ]
    )


def _arrow(x1: float, x2: float, y: float) -> Html:
    head = f"{number(x2)},{number(y)} {number(x2 - 6)},{number(y - 3.5)} {number(x2 - 6)},{number(y + 3.5)}"
    return join([tag("line", x1=x1, x2=x2 - 4, y1=y, y2=y), tag("polygon", points=head)])


def _scene(label: str, *shapes: Html) -> Html:
    return tag("svg", *shapes, class_="scene", viewBox="0 0 210 104", role="img", aria_label=label)


def explain(setting: str) -> Html:
    """What `mono`, `cross`, `multi` or `rank_distance` means, drawn with an Arabic question."""
    if setting == "rank_distance":
        order = [("en", False), ("ar", True), ("fi", False), ("zh", False), ("fi", True), ("ar", False), ("zh", True)]
        boxes = [_chip(4 + 29 * i, 26, lang, "hit" if hit else "other", 26) for i, (lang, hit) in enumerate(order)]
        places = [tag("text", str(i + 1), x=17 + 29 * i, y=18, text_anchor="middle", class_="small") for i in range(len(order))]
        span = tag("polyline", points="46,54 46,64 191,64 191,54", class_="span")
        text = tag("text", "7 − 2 = rank distance 5", x=118.5, y=84, text_anchor="middle", class_="note")
        return _scene("A ranking with right passages at ranks 2, 5 and 7: rank distance 5", *boxes, *places, span, text)
    pools = {"mono": ["ar"], "cross": ["fi"], "multi": ["ar", "fi", "zh"]}
    question = join([_chip(4, 42, "ar ?", "question", 44), _arrow(54, 92, 52)])
    columns = pools[setting]
    width = 34 * len(columns) + 8
    frame = tag("rect", x=96, y=6, width=width, height=92, rx="6", class_="pool")
    spots = [(i, row) for i in range(len(columns)) for row in range(3)]
    boxes = [_chip(102 + 34 * i, 13 + 28 * row, columns[i], "hit" if row == 1 else "other") for i, row in spots]
    return _scene(f"An Arabic question and passages in {', '.join(columns)}", frame, question, *boxes)


def legend(scale: Scale) -> Html:
    """The colours of a heat map between the limits of its scale."""
    ramp = tag("i", class_="ramp")
    return tag("span", fraction(scale.low, 1), ramp, fraction(scale.high, 1), class_="legend")
