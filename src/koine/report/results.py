"""The page's results: headline tables, language by language, and language bias.

Rows and pictures carry what they are of (data-backbone, data-strategy, data-lang), which page.js filters by.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count as numbers
from typing import Any

import polars as pl

from koine.params import SETTINGS
from koine.report.commands import Commands
from koine.report.markup import DASH, Html, caption, count, fraction, join, listing, rank, script_name, tag
from koine.report.statistics import MICRO
from koine.report.svg import Scale, Spot, bar, dot, legend, trend
from koine.report.table import MAIN, UNSEEN
from koine.report.view import Estimate, View, named_language, script_of, value_text, whole
from koine.strategies import count_of

DARK = 0.6  # share of the colour scale from which text is light


def headline(view: View, commands: Commands) -> Html:
    """One table per benchmark, with a dot and a whisker in every cell, and behind it the commands that make it again."""
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
        "that reaches into it may not. Each column has its own scale, printed in its head. ",
        tag("b", "Press a number"),
        " for the commands that make it again.",
        class_="note",
    )
    places = numbers(1)
    return join([note, _filter(view), *_by_benchmark(view, lambda name: _headline_of(view, name, commands, places))])


def _filter(view: View) -> Html:
    """What page.js shows and hides rows by; without it, nothing is to be seen here."""
    languages = list(dict.fromkeys(lang for name in view.benchmarks for lang in view.languages(name)))
    scripts = {lang: script for lang in languages if (script := script_of(lang))}
    choices: dict[str, dict[str, Html]] = {
        "backbone": {name: tag("span", name) for name in view.backbones},
        "strategy": {name: view.label(name) for name in view.strategies},
        "lang": {lang: tag("span", named_language(lang)) for lang in languages},
        "script": {script: tag("span", f"{script_name(script)} ({script})") for script in sorted(set(scripts.values()))},
    }
    groups = []
    for key, names in choices.items():
        boxes = [
            tag("label", tag("input", type="checkbox", name=key, value=name, data_script=scripts.get(name)), text)
            for name, text in names.items()
        ]
        if len(boxes) > 1:
            groups.append(tag("fieldset", tag("legend", {"lang": "language"}.get(key, key)), *boxes))
    told = tag("p", tag("output", ""), tag("button", "Show all", type="reset"))
    about = "Tick what is to be seen in all tables, maps and bars of the page; of what nothing is ticked, all is."
    folded = tag("details", tag("summary", "Filter"), tag("p", about, class_="note"), *groups)
    return tag("form", folded, told, id="filter", hidden="", aria_label="Filter")


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


def _headline_of(view: View, benchmark: str, commands: Commands, places: Iterator[int]) -> Html | None:
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
    bodies: list[Html] = []
    for backbone, names in models.items():
        rows = [_group(f"backbone {backbone}", len(head))]
        for name in names:
            box, opens = _box(view, benchmark, backbone, name, commands, places)
            cells = [
                _headline_cell(
                    view.get(benchmark, backbone, name, setting, metric),
                    view.best(benchmark, backbone, setting, metric),
                    (setting, metric),
                    scales[heading],
                    view.colour(name),
                    opens,
                )
                for heading, setting, metric in columns
            ]
            rows.append(tag("tr", tag("th", view.label(name), box, class_="who", scope="row"), *cells, data_strategy=name))
        bodies.append(tag("tbody", *rows, data_backbone=backbone))
    said = caption(f"{benchmark}: the strategies' means with their intervals")
    table = tag("table", said, tag("thead", tag("tr", *head)), *bodies, class_="head full sort")
    others = None if benchmark.endswith(f":{UNSEEN}") else _other_metrics(view, benchmark, models)
    return join([tag("div", table, class_="wide"), others])


def _group(text: str, columns: int) -> Html:
    """The row that heads a backbone's rows."""
    return tag("tr", tag("th", text, colspan=str(columns), scope="rowgroup"), class_="group")


def _box(
    view: View, benchmark: str, backbone: str, strategy: str, commands: Commands, places: Iterator[int]
) -> tuple[Html | None, str | None]:
    """What the numbers of a row open, with the commands that make the row again; and its id.

    It opens without a script. page.js narrows the pattern to the cell, and adds what copies the commands.
    """
    row = commands.row(backbone, strategy, benchmark)
    if row is None:
        return None, None
    name = f"c{next(places)}"
    searched = view.metric(benchmark) != "accuracy" and benchmark == whole(benchmark)
    alone = commands.alone(backbone, strategy, benchmark) if searched else None
    at = row.rindex("'")
    parts = [
        tag("pre", row[:at], tag("span", ""), row[at:]),
        tag("p", "Or one of its trained models alone:") if alone else None,
        tag("pre", alone) if alone else None,
    ]
    return tag("div", *parts, id=name, popover="", role="dialog", aria_label=f"{backbone} {strategy} on {benchmark}"), name


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


def _headline_cell(
    one: Estimate | None, best: Estimate | None, column: tuple[str, str], scale: Scale, colour: str, opens: str | None
) -> Html:
    if one is None:
        return tag("td", DASH)
    setting, metric = column
    value = one.text(metric)
    shown = tag("button", value, popovertarget=opens, value=f"{setting},{metric},") if opens else tag("b", value)
    low_high = tag("small", f"{value_text(metric, one.ends[0])} – {value_text(metric, one.ends[1])}") if one.ends else None
    drawn = dot(scale, one.mean, one.ends, best.ends if best else None)
    chosen = "best" if _is_best(one, best, metric) else None
    return tag("td", shown, low_high, tag("span", drawn, class_=colour), class_=chosen)


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
    bodies: list[Html] = []
    for backbone, names in models.items():
        rows = [_group(f"backbone {backbone}", len(flat) + 1)]
        for name in names:
            cells = []
            for setting, metric, first in flat:
                one = view.get(benchmark, backbone, name, setting, metric)
                best = one is not None and _is_best(one, view.best(benchmark, backbone, setting, metric), metric)
                classes = "n" + " first" * first + " best" * best
                title = f"interval {one.interval(metric)}" if one else None
                cells.append(tag("td", one.text(metric) if one else DASH, class_=classes, title=title))
            rows.append(tag("tr", tag("th", view.label(name), class_="who", scope="row"), *cells, data_strategy=name))
        bodies.append(tag("tbody", *rows, data_backbone=backbone))
    head = tag("thead", tag("tr", tag("td"), *groups), tag("tr", tag("th", "strategy", scope="col"), *heads))
    table = tag("table", caption(f"{benchmark}: other metrics"), head, *bodies, class_="dense full sort")
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
                points.append(Spot(float(len(known)), one.mean, one.ends, text))
        if len(points) > 1:
            lines.append((view.colour(base if base in view.strategies else names[-1]), sorted(points, key=lambda spot: spot.x)))
    if not lines:
        return None
    title = tag("figcaption", f"{heading}{f', {MAIN[metric]}' if metric in MAIN else ''}, by languages trained in")
    said = f"{heading} of {benchmark} by number of training languages"
    return tag("figure", title, trend(lines, _up(lines), said, doubling=True))


def _up(lines: Sequence[tuple[str, Sequence[Spot]]]) -> Scale:
    return Scale.over(value for _, spots in lines for spot in spots for value in (spot.y, *(spot.ends or ())))


def alphas(view: View) -> Html | None:
    """The headline's values over α, the share of monolingual batches (or of their loss), where there are several."""

    def of(benchmark: str) -> Html | None:
        parts: list[Html] = []
        for backbone in view.models(benchmark):
            figures = [_over_alpha(view, benchmark, backbone, *column) for column in view.columns(benchmark)]
            if any(figures):
                drawn = [tag("h4", f"backbone {backbone}"), tag("div", *figures, class_="facets")]
                parts.append(tag("div", *drawn, data_backbone=backbone))
        return join(parts) if parts else None

    found = list(_by_benchmark(view, of))
    if not found:
        return None
    note = tag(
        "p",
        "From left to right, more and more of the batches (of grad-mix: of the loss) are monolingual. At 0 stands x-y, at 1 "
        "x-x-mono, where the recipe has no hybrid@0 or hybrid@1. Whiskers are intervals. Point at a dot for its numbers.",
        class_="note",
    )
    names = join([view.label(base) for base in view.mixtures()], " ")
    return join([note, tag("p", names, class_="note"), *found])


def _over_alpha(view: View, benchmark: str, backbone: str, heading: str, setting: str, metric: str) -> Html | None:
    lines = []
    for base, members in view.mixtures().items():
        spots: dict[float, Spot] = {}
        for name in members:
            one, alpha = view.get(benchmark, backbone, name, setting, metric), view.alphas.get((backbone, name))
            if one and alpha is not None:
                text = f"{name}, α = {alpha:g}: {one.text(metric)}, interval {one.interval(metric)}"
                spots.setdefault(alpha, Spot(alpha, one.mean, one.ends, text))
        if len(spots) > 1:
            lines.append((view.colour(base), [spots[alpha] for alpha in sorted(spots)]))
    if not lines:
        return None
    title = tag("figcaption", f"{heading}{f', {MAIN[metric]}' if metric in MAIN else ''}, by α")
    return tag("figure", title, trend(lines, _up(lines), f"{heading} of {benchmark} by α"))


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
        below = [_languages_of(view, name), _groups_of(view, groups, name)] if many else []
        return join([maps, *below]) if maps else None

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
            _map(view, name, maps[backbone, name], languages, view.trained.get((backbone, name), languages), scale)
            for name in view.strategies
            if (backbone, name) in maps
        ]
        parts += _maps(backbone, figures)
    return join(parts)


def _map(view: View, name: str, cells: "Cells", languages: Sequence[str], seen: Sequence[str], scale: Scale) -> Html:
    return tag("figure", tag("figcaption", view.label(name)), _heat_map(name, cells, languages, seen, scale), data_strategy=name)


def _maps(backbone: str, figures: Sequence[Html]) -> list[Html]:
    """The maps of a backbone, if there are any."""
    inner = [tag("h4", f"backbone {backbone}"), tag("div", *figures, class_="maps")]
    return [tag("div", *inner, data_backbone=backbone)] if figures else []


def _languages_of(view: View, benchmark: str) -> Html | None:
    """A row for each model and language of the questions, to be sorted and filtered; the strategies are those of the maps."""
    metric = view.metric(benchmark)
    few = len(view.strategies) <= FEW
    wanted = pl.col("metric").is_in([metric, "rank_distance"]) & (pl.lit(few) | pl.col("strategy").is_in(MAPPED))
    keys = ["backbone", "strategy", "query_lang", "setting", "metric"]
    means = view.pairs.filter(wanted, benchmark=benchmark).group_by(keys).agg(pl.col("value").mean())
    values = {tuple(key): value for *key, value in means.iter_rows()}
    columns = view.columns(benchmark)
    rows = []
    for backbone, names in view.models(benchmark).items():
        for name in names:
            seen = view.trained.get((backbone, name), [])
            for lang in view.languages(benchmark):
                found = [(m, values.get((backbone, name, lang, setting, m))) for _, setting, m in columns]
                if all(value is None for _, value in found):
                    continue
                texts = [named_language(lang), script_of(lang), "yes" if lang in seen else "no"]
                cells = [tag("td", text) for text in (backbone, name, *texts)]
                cells += [tag("td", value_text(m, value)) for m, value in found]
                rows.append(tag("tr", *cells, data_lang=lang))  # page.js reads the rest
    if not rows:
        return None
    heads = [tag("th", text, scope="col") for text in ("backbone", "strategy", "questions in", "script", "trained in")]
    heads += [tag("th", heading, class_="n", scope="col") for heading, _, _ in columns]
    said = caption(f"{benchmark}: {MAIN[metric]} and rank distance by language of the questions")
    table = tag("table", said, tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="compact full sort")
    note = f"{MAIN[metric]} by the language of the questions; in cross, the mean over the other languages' passages."
    parts = [tag("summary", "Every language as a table"), tag("p", note, class_="note"), tag("div", table, class_="wide")]
    return tag("details", *parts, class_="langs")


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
        bodies: list[Html] = []
        for by, title in GROUPED.items():
            body = [_group(title, len(columns) + 1)]
            for group, languages in ((group, languages) for of, group, languages in rows if of == by):
                cells = [means.get((backbone, name, setting, by, group)) for setting, name in columns]
                head = tag("th", f"{group} ({languages})", class_="who", scope="row")
                body.append(tag("tr", head, *(tag("td", fraction(value), class_="n") for value in cells)))
            bodies += [tag("tbody", *body)] if len(body) > 1 else []
        head = tag("thead", tag("tr", tag("th", f"backbone {backbone}", scope="col"), *heads))
        table = tag("table", caption(f"{benchmark}, {backbone}: by kind of language"), head, *bodies, class_="dense full sort")
        parts.append(tag("div", table, class_="wide", data_backbone=backbone))
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


def _heat_map(name: str, cells: Cells, languages: Sequence[str], seen: Sequence[str], scale: Scale) -> Html:
    def header(code: str, scope: str, lang: str | None) -> Html:
        mark = None if code in seen else "unseen"
        return tag("th", tag("span", code, class_=mark), scope=scope, title=named_language(code), data_lang=lang)

    head = tag("thead", tag("tr", tag("td"), *(header(code, "col", code) for code in languages)))
    rows = []
    for query in languages:
        row = [header(query, "row", None)]
        for doc in languages:
            if (query, doc) not in cells:
                row.append(tag("td", DASH, class_="none"))
                continue
            value = cells[query, doc]
            row.append(_heated(value, scale, "same" if query == doc else None, fraction(value, 4)))
        rows.append(tag("tr", *row, data_lang=query))
    long = any(len(code) > 3 for code in languages)
    said = caption(f"{name}: a row is the language of the questions")
    return tag("table", said, head, tag("tbody", *rows), class_="heat long" if long else "heat")


def _heated(value: float, scale: Scale, class_: str | None, title: str) -> Html:
    """A cell coloured by its value."""
    classes = " ".join(filter(None, [class_, f"v{100 * scale.at(value):.0f}"]))
    return tag("td", fraction(value, 2), class_=classes, title=title)


def shades() -> str:
    """The style sheet of what has a share of 100: the policy of the page forbids styles in elements."""
    rules = [f".v{share} {{ --v: {share}; }}" for share in range(101)]
    dark = ", ".join(f".heat .v{share}" for share in range(101) if share > 100 * DARK)
    return "\n".join([*rules, f"{dark} {{ color: var(--on-hot); }}"])


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
            figures.append(_map(view, name, cells, languages, seen, scale))
        parts += _maps(backbone, figures)
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
        rows = [tag("h4", f"backbone {backbone}")] if len(bars) > 1 and found else []
        for name, one in found:
            text = f"{rank(one.mean)}, interval {one.interval('rank_distance')}"
            drawn = tag("span", bar(scale, one.mean, one.ends, marks, text), class_=view.colour(name))
            ends = tag("small", f" {rank(one.ends[0])} – {rank(one.ends[1])}") if one.ends else None
            rows.append(tag("div", view.label(name), drawn, tag("span", tag("b", rank(one.mean)), ends), data_strategy=name))
        grid.append(tag("div", *rows, data_backbone=backbone))
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
