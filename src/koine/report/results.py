"""The page's results: headline tables, language by language, and language bias."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from koine.params import SETTINGS, count_of
from koine.report.markup import DASH, Html, count, fraction, join, listing, rank, tag
from koine.report.statistics import MICRO
from koine.report.svg import Scale, bar, dot, legend
from koine.report.svg import growth as svg_growth
from koine.report.table import MAIN, UNSEEN
from koine.report.view import Estimate, View, named_language, value_text, whole

DARK = 0.6  # share of the colour scale from which text is light


def headline(view: View) -> Html:
    """One table per benchmark, with a dot and a whisker in every cell."""
    seeds = sorted({one.seeds for one in view.results.values()})
    over = f"{listing([str(n) for n in seeds], 'or')} seeds and over questions"
    if seeds == [1]:
        over = "questions; of one seed, it does not say how much training itself varies"
    note = tag(
        "p",
        "mAP, nDCG and accuracy: higher is better. Rank distance: lower is better. The dot is the mean, the whisker its "
        f"{view.coverage()} interval (bootstrap over {over}). ",
        tag("b", "Bold"),
        " is the best strategy of a backbone, and the shaded band its interval: a whisker outside the band differs clearly, one "
        "that reaches into it may not. Each column has its own scale, printed in its head.",
        class_="note",
    )
    return join([note, *_by_benchmark(view, lambda name: _headline_of(view, name))])


def _by_benchmark(view: View, section: Callable[[str], Html | None]) -> Iterator[Html]:
    """A section per benchmark, sub-pools folded below the whole."""
    for name in view.benchmarks:
        content = section(name)
        if content is None:
            continue
        if name == whole(name):
            yield join([tag("h3", name, tag("small", _extent(view, name))), content])
        else:
            what = "Languages that no model was trained in:" if name.endswith(f":{UNSEEN}") else "Sub-pool"
            summary = tag("summary", f"{what} {name}")
            yield tag("details", summary, tag("p", _extent(view, name), class_="note"), content)


def _extent(view: View, benchmark: str) -> str:
    queries = [one.queries for key, one in view.results.items() if key[0] == benchmark and key[3] in ("mono", "multi")]
    languages = len(view.languages(benchmark))
    parts = [count(languages, "language")] if languages else []
    return ", ".join([*parts, *([count(max(queries), "query", "queries")] if queries else [])])


def _headline_of(view: View, benchmark: str) -> Html | None:
    models = view.models(benchmark)
    if not models:
        return None
    scales = {}
    columns = view.columns(benchmark)
    for heading, setting, metric in columns:
        found = [view.get(benchmark, b, s, setting, metric) for b, names in models.items() for s in names]
        scales[heading] = Scale.over(value for one in found if one for value in (one.mean, *(one.ends or ())))
    head = [tag("th", "strategy", scope="col")]
    head += [
        tag("th", heading, tag("small", MAIN[metric]) if metric in MAIN else None, _axis(scales[heading], metric), scope="col")
        for heading, _, metric in columns
    ]
    rows: list[Html] = []
    for backbone, names in models.items():
        rows.append(tag("tr", tag("th", f"backbone {backbone}", colspan=str(len(head)), scope="colgroup"), class_="group"))
        for name in names:
            cells = [
                _headline_cell(
                    view.get(benchmark, backbone, name, setting, metric),
                    view.best(benchmark, backbone, setting, metric),
                    metric,
                    scales[heading],
                    view.colour(name),
                )
                for heading, setting, metric in columns
            ]
            rows.append(tag("tr", tag("th", view.label(name), class_="who", scope="row"), *cells))
    table = tag("table", tag("thead", tag("tr", *head)), tag("tbody", *rows), class_="head full")
    others = None if benchmark.endswith(f":{UNSEEN}") else _other_metrics(view, benchmark, models)
    return join([tag("div", table, class_="wide"), others])


def _axis(scale: Scale, metric: str) -> Html:
    """Both ends of a scale, at the ends of the space they stand for."""
    ends = [_tick(metric, value) for value in (scale.low, scale.high)]
    return tag("span", *(tag("span", text) for text in ends), class_="axis")


def _tick(metric: str, value: float) -> str:
    text = f"{value:,.0f}" if metric == "rank_distance" else f"{value:.3f}".rstrip("0").rstrip(".")
    return text[1:] if text.startswith("0.") else text


def _is_best(one: Estimate, best: Estimate | None, metric: str) -> bool:
    """As printed: what looks equal is equally bold."""
    return best is not None and one.text(metric) == best.text(metric)


def _headline_cell(one: Estimate | None, best: Estimate | None, metric: str, scale: Scale, colour: str) -> Html:
    if one is None:
        return tag("td", DASH)
    value = one.text(metric)
    low_high = tag("small", f"{value_text(metric, one.ends[0])} – {value_text(metric, one.ends[1])}") if one.ends else None
    drawn = dot(scale, one.mean, one.ends, best.ends if best else None)
    chosen = "best" if _is_best(one, best, metric) else None
    return tag("td", tag("span", value), low_high, tag("span", drawn, class_=colour), class_=chosen)


def _other_metrics(view: View, benchmark: str, models: Mapping[str, Sequence[str]]) -> Html | None:
    shown = {(setting, metric) for _, setting, metric in view.columns(benchmark)}
    own = (key[3:] for key in view.results if key[0] == benchmark and not key[4].endswith(MICRO))
    there = dict.fromkeys(name for name in own if name not in shown)
    columns = {setting: [metric for own, metric in there if own == setting] for setting in SETTINGS}
    columns = {setting: metrics for setting, metrics in columns.items() if metrics}
    if not columns:
        return None
    groups = [tag("th", name, colspan=str(len(metrics)), class_="first", scope="colgroup") for name, metrics in columns.items()]
    flat = [(setting, metric, i == 0) for setting, metrics in columns.items() for i, metric in enumerate(metrics)]
    heads = [tag("th", metric, class_="n first" if first else "n", scope="col") for _, metric, first in flat]
    rows: list[Html] = []
    for backbone, names in models.items():
        rows.append(tag("tr", tag("th", f"backbone {backbone}", colspan=str(len(flat) + 1)), class_="group"))
        for name in names:
            cells = []
            for setting, metric, first in flat:
                one = view.get(benchmark, backbone, name, setting, metric)
                best = one is not None and _is_best(one, view.best(benchmark, backbone, setting, metric), metric)
                classes = "n" + " first" * first + " best" * best
                title = f"interval {one.interval(metric)}" if one else None
                cells.append(tag("td", one.text(metric) if one else DASH, class_=classes, title=title))
            rows.append(tag("tr", tag("th", view.label(name), class_="who", scope="row"), *cells))
    head = tag("thead", tag("tr", tag("th", ""), *groups), tag("tr", tag("th", "strategy", scope="col"), *heads))
    table = tag("table", head, tag("tbody", *rows), class_="dense full")
    note = tag("p", "Point at a number for its interval.", class_="note")
    summary = tag("summary", "Other metrics: recall, ranks cut at 10 or 20, agreement between languages")
    return tag("details", summary, tag("div", table, class_="wide"), note)


def growth(view: View) -> Html | None:
    """The headline's values over the number of languages that a strategy was trained in, where it was trained in several."""
    families: dict[str, list[str]] = {}
    for name in view.strategies:
        families.setdefault(count_of(name)[0], []).append(name)
    families = {base: names for base, names in families.items() if len(names) > 1}
    if not families:
        return None
    note = tag(
        "p",
        "From left to right, models of the same strategy trained in more and more languages, in the order of the recipe and with "
        "the source language; steps and batches stay the same. Values are means over all languages of the benchmark, trained in "
        "or not. Point at a dot for its interval.",
        class_="note",
    )
    names = join([view.label(base if base in view.strategies else own[-1]) for base, own in families.items()], " ")

    def of(benchmark: str) -> Html | None:
        parts: list[Html] = []
        for backbone in view.models(benchmark):
            figures = [_grown(view, benchmark, backbone, families, *column) for column in view.columns(benchmark)]
            if any(figures):
                parts += [tag("h4", f"backbone {backbone}"), tag("div", *figures, class_="facets")]
        return join(parts) if parts else None

    return join([note, tag("p", names, class_="note"), *_by_benchmark(view, of)])


def _grown(
    view: View, benchmark: str, backbone: str, families: Mapping[str, Sequence[str]], heading: str, setting: str, metric: str
) -> Html | None:
    lines = []
    for base, names in families.items():
        points = []
        for name in names:
            one, known = view.get(benchmark, backbone, name, setting, metric), view.trained.get((backbone, name))
            if one and known:
                text = f"{name}, {len(known)} languages: {one.text(metric)}, interval {one.interval(metric)}"
                points.append((len(known), one.mean, text))
        if len(points) > 1:
            lines.append((view.colour(base if base in view.strategies else names[-1]), sorted(points)))
    if not lines:
        return None
    up = Scale.over(value for _, points in lines for _, value, _ in points)
    caption = tag("figcaption", f"{heading}{f', {MAIN[metric]}' if metric in MAIN else ''}, by languages trained in")
    return tag("figure", caption, svg_growth(lines, up, f"{heading} of {benchmark} by number of training languages"))


def heat_maps(view: View, groups: pl.DataFrame) -> Html:
    """The mAP of every question language on every passage language, one map per model, and means by kind of language."""
    note = tag(
        "p",
        f"One map per strategy (of more than {FEW}, the six main ones): a row is the language of the questions, a column that of "
        "the passages; numbers are mAP (or what the benchmark is judged by), averaged over seeds. The outlined diagonal is ",
        tag("b", "mono"),
        ", everything else ",
        tag("b", "cross"),
        ". All maps of a benchmark share one colour scale. ",
        tag("span", "Languages in italics", class_="unseen"),
        " gave the model no training pairs. Point at a cell for its exact value.",
        class_="note",
    )

    def both(name: str) -> Html | None:
        maps = _maps_of(view, name)
        many = name == whole(name) and len(view.languages(name)) > 2
        return join([maps, _groups_of(view, groups, name) if many else None]) if maps else None

    return join([note, *_by_benchmark(view, both)])


Cells = dict[tuple[str, str], float]
#: The strategies that get maps where there are more than FEW; pairs.csv has the others.
FEW = 8
MAPPED = ("untrained", "en-en", "x-x", "x-x-mono", "x-y", "hybrid")


def _maps_of(view: View, benchmark: str) -> Html | None:
    own = view.pairs.filter(pl.col("setting").is_in(["mono", "cross"]), benchmark=benchmark, metric=view.metric(benchmark))
    keys = ["backbone", "strategy", "query_lang", "doc_lang"]
    means = own.group_by(keys, maintain_order=True).agg(pl.col("value").mean())
    few = len(view.strategies) <= FEW
    maps: dict[tuple[str, str], Cells] = {}
    for backbone, strategy, query, doc, value in means.iter_rows():
        if value is not None and math.isfinite(value) and (few or strategy in MAPPED):
            maps.setdefault((backbone, strategy), {})[query, doc] = value
    if not maps:
        return None
    highest = max(value for cells in maps.values() for value in cells.values())
    scale = Scale(0.0, max(1, math.ceil(highest * 10 - 1e-9)) / 10, 0.1)
    languages = view.languages(benchmark)
    parts: list[Html] = [tag("p", legend(scale))]
    for backbone in view.backbones:
        figures = [
            tag(
                "figure",
                tag("figcaption", view.label(name)),
                _heat_map(maps[backbone, name], languages, view.trained.get((backbone, name), languages), scale),
            )
            for name in view.strategies
            if (backbone, name) in maps
        ]
        if figures:
            parts += [tag("h4", f"backbone {backbone}"), tag("div", *figures, class_="maps")]
    return join(parts)


#: Groups of languages on the page; groups.csv also has scripts, and each with zero-shot languages apart.
GROUPED = {"seen": "training", "family": "family", "word_order": "word order", "resources": "resource level"}


def _groups_of(view: View, groups: pl.DataFrame, benchmark: str) -> Html | None:
    """The mAP of questions in each group of languages, for the strategies that have maps."""
    few = len(view.strategies) <= FEW
    own = groups.filter(pl.col("by").is_in(list(GROUPED)), benchmark=benchmark, metric=view.metric(benchmark))
    means = {
        tuple(key): value for *key, value in own.select("backbone", "strategy", "setting", "by", "group", "value").iter_rows()
    }
    rows = own.group_by("by", "group").agg(pl.col("languages").max()).sort("group").rows()
    parts: list[Html] = []
    for backbone, names in view.models(benchmark).items():
        columns = [
            (setting, name)
            for setting in SETTINGS for name in names
            if (few or name in MAPPED) and any(key[:3] == (backbone, name, setting) for key in means)
        ]  # fmt: skip
        if not columns:
            continue
        heads = [tag("th", f"{setting} {name}", class_="n", scope="col") for setting, name in columns]
        body: list[Html] = []
        for by, title in GROUPED.items():
            body.append(tag("tr", tag("th", title, colspan=str(len(columns) + 1), scope="colgroup"), class_="group"))
            for group, languages in ((group, languages) for of, group, languages in rows if of == by):
                cells = [means.get((backbone, name, setting, by, group)) for setting, name in columns]
                head = tag("th", f"{group} ({languages})", class_="who", scope="row")
                body.append(tag("tr", head, *(tag("td", fraction(value), class_="n") for value in cells)))
        head = tag("thead", tag("tr", tag("th", f"backbone {backbone}", scope="col"), *heads))
        parts.append(tag("div", tag("table", head, tag("tbody", *body), class_="dense full"), class_="wide"))
    if not parts:
        return None
    note = tag(
        "p",
        f"{MAIN[view.metric(benchmark)]} of the questions in a group's languages (how many), averaged over languages. Family is "
        "Glottolog's, word order WALS 81A, the resource level the class of Joshi et al. 2020, from 0 to 5. Zero-shot: no model "
        "was trained in the language. groups.csv has more.",
        class_="note",
    )
    return tag("details", tag("summary", "By family, word order and resource level of the question's language"), note, *parts)


def _heat_map(cells: Cells, languages: Sequence[str], seen: Sequence[str], scale: Scale) -> Html:
    def header(code: str, scope: str) -> Html:
        mark = None if code in seen else "unseen"
        return tag("th", tag("span", code, class_=mark), scope=scope, title=named_language(code))

    head = tag("thead", tag("tr", tag("th", ""), *(header(code, "col") for code in languages)))
    rows = []
    for query in languages:
        row = [header(query, "row")]
        for doc in languages:
            if (query, doc) not in cells:
                row.append(tag("td", DASH, class_="none"))
                continue
            value = cells[query, doc]
            row.append(_heated(value, scale, "same" if query == doc else None, fraction(value, 4)))
        rows.append(tag("tr", *row))
    long = any(len(code) > 3 for code in languages)
    return tag("table", head, tag("tbody", *rows), class_="heat long" if long else "heat")


def _heated(value: float, scale: Scale, class_: str | None, title: str) -> Html:
    """A cell coloured by its value."""
    share = scale.at(value)
    classes = " ".join(filter(None, [class_, "hot" if share > DARK else None])) or None
    return tag("td", fraction(value, 2), class_=classes, style=f"--v:{100 * share:.0f}%", title=title)


ANSWERED = ("x-x-mono", "x-y", "hybrid")  # the strategies whose answers are shown by language


def _answers_of(view: View, answers: pl.DataFrame, benchmark: str) -> Html | None:
    """Of the questions in a language, the share whose first passage is in each language: LAReQA's heat map."""
    own = answers.filter(benchmark=benchmark)
    columns = ["backbone", "strategy", "query_lang", "answer_lang", "share"]
    shares = {tuple(key): share for *key, share in own.select(columns).iter_rows()}
    languages = view.languages(benchmark)
    scale = Scale(0.0, 1.0, 0.1)
    parts: list[Html] = []
    for backbone, names in view.models(benchmark).items():
        figures = []
        for name in (name for name in names if name in ANSWERED):
            cells = {
                (query, answer): shares.get((backbone, name, query, answer), 0.0)
                for query in languages if (backbone, name, query) in {key[:3] for key in shares} for answer in languages
            }  # fmt: skip
            seen = view.trained.get((backbone, name), languages)
            figures.append(tag("figure", tag("figcaption", view.label(name)), _heat_map(cells, languages, seen, scale)))
        if figures:
            parts += [tag("h4", f"backbone {backbone}"), tag("div", *figures, class_="maps")]
    if not parts:
        return None
    note = tag(
        "p",
        "A row is the language of the questions, a column that of the first passage found; without a preference, every column "
        "would have the same share.",
        class_="note",
    )
    return tag("details", tag("summary", "Which language the first answer is in"), note, *parts)


def bias(view: View, indexes: Mapping[str, Mapping[str, Any]], answers: pl.DataFrame) -> Html | None:
    """Rank distance of every strategy as bars, and the languages of the first answers."""
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
        bars = _bias_of(view, name, pools.get(name))
        return join([bars, _answers_of(view, answers, name)]) if bars else None

    parts = list(_by_benchmark(view, both))
    return join([note, *parts]) if parts else None


def _bias_of(view: View, benchmark: str, pool: int | None) -> Html | None:
    bars = {
        backbone: [(name, one) for name in names if (one := view.get(benchmark, backbone, name, "multi", "rank_distance"))]
        for backbone, names in view.models(benchmark).items()
    }
    shown = [one for found in bars.values() for _, one in found]
    if not shown:
        return None
    n = len(view.languages(benchmark))
    chance = (pool + 1) * (n - 1) / (n + 1) if pool else None
    marks = [chance] if chance else []
    scale = Scale.over([value for one in shown for value in (one.mean, *(one.ends or ()))] + marks, zero=True)
    grid: list[Html] = []
    for backbone, found in bars.items():
        if len(bars) > 1 and found:
            grid.append(tag("h4", f"backbone {backbone}", style="grid-column:1/-1;margin-bottom:0"))
        for name, one in found:
            text = f"{rank(one.mean)}, interval {one.interval('rank_distance')}"
            drawn = tag("span", bar(scale, one.mean, one.ends, marks, text), class_=view.colour(name))
            ends = tag("small", f" {rank(one.ends[0])} – {rank(one.ends[1])}") if one.ends else None
            grid += [view.label(name), drawn, tag("span", tag("b", rank(one.mean)), ends)]
    grid.append(_axis(scale, "rank_distance"))
    best = f"The best value possible is {n - 1}, where a question has one right passage in each of the {n} languages."
    dashed = f" The dashed line is a random order of the {pool:,} passages: {rank(chance)}." if chance else ""
    return join([tag("div", *grid, class_="bars"), tag("p", best + dashed, class_="note")])


NAMED = 3  # strategies that a sentence lists; of more it says how many


def winners(view: View, benchmark: str, backbone: str) -> list[str]:
    """Who is best in which settings, by the main metric, as `x-y in cross (its interval overlaps that of hybrid)`."""
    where: dict[tuple[str, str], list[str]] = {}
    metric = view.metric(benchmark)
    for setting in SETTINGS:
        found = {name: one for name in view.strategies if (one := view.get(benchmark, backbone, name, setting, metric))}
        best = view.best(benchmark, backbone, setting, metric)
        if best is None or len(found) < 2:
            continue
        first = next(name for name, one in found.items() if one is best)
        close = [name for name, one in found.items() if name != first and one.overlaps(best)]
        others = f"that of {listing(close)}" if len(close) <= NAMED else f"those of {len(close)} others"
        overlap = f" (its interval overlaps {others})" if close else ""
        where.setdefault((first, overlap), []).append(setting)
    return [f"{first} in {listing(settings)}{overlap}" for (first, overlap), settings in where.items()]
