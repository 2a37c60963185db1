"""The page's headline tables: every strategy on every benchmark, with what filters the page, and the other metrics."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count as numbers

from koine.metrics import MAIN
from koine.params import SETTINGS
from koine.report.commands import Commands
from koine.report.markup import DASH, Html, caption, join, listing, script_name, tag
from koine.report.sections import axis, by_benchmark, heading_row
from koine.report.statistics import MICRO
from koine.report.svg import Scale, dot
from koine.report.table import UNSEEN
from koine.report.view import Estimate, View, better, judged_by, named_language, script_of, value_text, whole


def headline(view: View, commands: Commands) -> Html:
    """One table per benchmark, with a dot and a whisker in every cell, and behind it the commands that make it again."""
    seeds = sorted({one.seeds for one in view.results.values()})
    over = f"{listing([str(n) for n in seeds], 'or')} seeds and over questions"
    if seeds == [1]:
        over = "questions; of one seed, it does not say how much training itself varies"
    note = tag(
        "p",
        f"{listing(judged_by('higher'))}: higher is better. {listing(judged_by('lower')).capitalize()}: lower is better. "
        "The dot is the mean, the whisker its "
        f"{view.coverage()} interval (bootstrap over {over}). ",
        tag("b", "Bold"),
        " is the best strategy of a backbone, and the shaded band its interval: a whisker outside the band differs clearly, one "
        "that reaches into it may not. Each column has its own scale, printed in its head. ",
        tag("b", "Press a number"),
        " for the commands that make it again.",
        class_="note",
    )
    places = numbers(1)
    return join([note, _filter(view), *by_benchmark(view, lambda name: _headline_of(view, name, commands, places))])


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
        tag(
            "th",
            heading,
            tag("small", MAIN[metric]) if metric in MAIN else None,
            axis(scales[heading], metric),
            scope="col",
            data_better=better(metric),
        )
        for heading, _, metric in columns
    ]
    bodies: list[Html] = []
    for backbone, names in models.items():
        rows = [heading_row(f"backbone {backbone}", len(head))]
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
    heads = [
        tag("th", metric, class_="n first" if first else "n", scope="col", data_better=better(metric))
        for _, metric, first in flat
    ]
    bodies: list[Html] = []
    for backbone, names in models.items():
        rows = [heading_row(f"backbone {backbone}", len(flat) + 1)]
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
