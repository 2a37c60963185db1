"""The page's language bias: rank distance as bars, and the languages of the first answers."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from koine.evaluate.chance import Counts
from koine.metrics import metric
from koine.names import target
from koine.report.maps import heat_map, maps_of
from koine.report.markup import Html, join, tag
from koine.report.sections import axis, by_benchmark
from koine.report.svg import Scale, bar
from koine.report.view import View, value_text

SHOWN = "rank_distance"  # what the bars are of, and the words below tell


def bias(view: View, indexes: Mapping[str, Mapping[str, Any]], answers: pl.DataFrame) -> Html | None:
    """Rank distance of every strategy as bars, and the languages of the first answers.

    Args:
        view: the evidence.
        indexes: index.json by `backbone/strategy/seed-N/benchmark`, which have the size of the pool.
        answers: languages of the first answers (`groups.answers`).
    """
    pools = {key.rpartition("/")[2]: entry["vectors"] for key, entry in indexes.items()}
    note = tag(
        "p",
        "Each question has right passages in several languages, and a model without preferences ranks them next to each other. "
        "Rank distance is the difference between the last and the first of their ranks in the pool of all languages, averaged "
        "over questions. ",
        tag("b", "Lower is better"),
        "; a single language that is ranked last is enough to make it large.",
        class_="note",
    )

    def both(name: str) -> Html | None:
        bars = _bars(view, name, pools.get(name))
        return join([bars, _answers(view, answers, name)]) if bars else None

    sections = list(by_benchmark(view, both))
    return join([note, *sections]) if sections else None


def _bars(view: View, benchmark: str, pool: int | None) -> Html | None:
    bars = {
        backbone: [(name, one) for name in names if (one := view.get(benchmark, backbone, name, "multi", SHOWN))]
        for backbone, names in view.models(benchmark).items()
    }
    shown = [one for estimates in bars.values() for _, one in estimates]
    if not shown:
        return None
    n, entry = len(view.languages(benchmark)), metric(SHOWN).entry
    counts = Counts(passages=pool or n, relevant=n, languages=n)
    marks = [target(entry.chance)(counts, None)] if pool else []
    scale = Scale.over([value for one in shown for value in (one.mean, *(one.ends or ()))] + marks, zero=True)
    grid: list[Html] = []
    for backbone, estimates in bars.items():
        rows = [tag("h4", f"backbone {backbone}")] if len(bars) > 1 and estimates else []
        for name, one in estimates:
            text = f"{one.text(SHOWN)}, interval {one.interval(SHOWN)}"
            drawn = tag("span", bar(scale, one.mean, one.ends, marks, text), class_=view.colour(name))
            ends = tag("small", f" {value_text(SHOWN, one.ends[0])} – {value_text(SHOWN, one.ends[1])}") if one.ends else None
            rows.append(tag("div", view.label(name), drawn, tag("span", tag("b", one.text(SHOWN)), ends), data_strategy=name))
        grid.append(tag("div", *rows, data_backbone=backbone))
    grid.append(axis(scale, SHOWN))
    least = target(entry.best)(counts, None)
    best = f"The best value possible is {least:.0f}, where a question has one right passage in each of the {n} languages."
    dashed = f" The dashed line is a random order of the {pool:,} passages: {value_text(SHOWN, marks[0])}." if marks else ""
    return join([tag("div", *grid, class_="bars"), tag("p", best + dashed, class_="note")])


def _answers(view: View, answers: pl.DataFrame, benchmark: str) -> Html | None:
    """Of the questions in a language, the share whose first passage is in each language: LAReQA's heat map."""
    rows = answers.filter(benchmark=benchmark).select("backbone", "strategy", "query_lang", "answer_lang", "share")
    shares = {tuple(key): share for *key, share in rows.iter_rows()}
    asked = {key[:3] for key in shares}
    languages = view.languages(benchmark)
    scale = Scale(0.0, 1.0, 0.1)
    maps: list[Html] = []
    for backbone, names in view.models(benchmark).items():
        figures = []
        for name in (name for name in view.contrasted() if name in names):
            cells = {
                (query, answer): shares.get((backbone, name, query, answer), 0.0)
                for query in languages if (backbone, name, query) in asked for answer in languages
            }  # fmt: skip
            figures.append(heat_map(view, backbone, name, cells, languages, scale))
        maps += maps_of(backbone, figures)
    if not maps:
        return None
    note = tag(
        "p",
        "A row is the language of the questions, a column that of the first passage found; without a preference, every column "
        "would have the same share.",
        class_="note",
    )
    return tag("details", tag("summary", "Which language the first answer is in"), note, *maps)
