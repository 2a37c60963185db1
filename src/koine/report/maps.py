"""The page's language by language: heat maps of query and passage languages, and what they come to by kind of language."""

import math
from collections.abc import Sequence

import polars as pl

from koine.metrics import HEADLINE, MAIN, metric
from koine.params import SETTINGS
from koine.report.markup import DASH, Html, caption, fraction, join, listing, tag
from koine.report.sections import by_benchmark, heading_row
from koine.report.svg import Scale, legend
from koine.report.view import FEW, View, better, named_language, script_of, value_text, whole


def heat_maps(view: View, groups: pl.DataFrame) -> Html:
    """The main metric of every question language on every passage language, one map per model, and means by kind of language."""
    first = next(iter(MAIN.values()))
    note = tag(
        "p",
        f"One map per strategy (of more than {FEW}, the main ones): a row is the language of the questions, a column that of "
        f"the passages; numbers are {first} (or what the benchmark is judged by), averaged over seeds. The outlined diagonal is ",
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

    return join([note, *by_benchmark(view, both)])


Cells = dict[tuple[str, str], float]


def _maps_of(view: View, benchmark: str) -> Html | None:
    own = view.pairs.filter(pl.col("setting").is_in(["mono", "cross"]), benchmark=benchmark, metric=view.metric(benchmark))
    keys = ["backbone", "strategy", "query_lang", "doc_lang"]
    means = own.group_by(keys, maintain_order=True).agg(pl.col("value").mean())
    mapped = view.mapped()
    maps: dict[tuple[str, str], Cells] = {}
    for backbone, strategy, query, doc, value in means.iter_rows():
        if value is not None and math.isfinite(value) and strategy in mapped:
            maps.setdefault((backbone, strategy), {})[query, doc] = value
    if not maps:
        return None
    highest = max(value for cells in maps.values() for value in cells.values())
    scale = Scale(0.0, max(1, math.ceil(highest * 10 - 1e-9)) / 10, 0.1)
    languages = view.languages(benchmark)
    drawn: list[Html] = [tag("p", legend(scale))]
    for backbone in view.backbones:
        figures = [
            heat_map(view, backbone, name, maps[backbone, name], languages, scale)
            for name in view.strategies
            if (backbone, name) in maps
        ]
        drawn += maps_of(backbone, figures)
    return join(drawn)


def heat_map(view: View, backbone: str, name: str, cells: Cells, languages: Sequence[str], scale: Scale) -> Html:
    """The map of a model: a row for each language of the questions; languages that it was not trained in are marked.

    Args:
        view: the evidence.
        backbone, name: the model's; `name` is its strategy.
        cells: values by row and column.
        languages: rows and columns.
        scale: of the colours.
    """
    seen = view.trained.get((backbone, name), languages)
    return tag("figure", tag("figcaption", view.label(name)), _table(name, cells, languages, seen, scale), data_strategy=name)


def maps_of(backbone: str, figures: Sequence[Html]) -> list[Html]:
    """The maps of a backbone, if there are any."""
    inner = [tag("h4", f"backbone {backbone}"), tag("div", *figures, class_="maps")]
    return [tag("div", *inner, data_backbone=backbone)] if figures else []


def _languages_of(view: View, benchmark: str) -> Html | None:
    """A row for each model and language of the questions, to be sorted and filtered; the strategies are those of the maps."""
    main = view.metric(benchmark)
    wanted = pl.col("metric").is_in([main, *HEADLINE]) & pl.col("strategy").is_in(view.mapped())
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
    heads += [tag("th", heading, class_="n", scope="col", data_better=better(name)) for heading, _, name in columns]
    measured = listing([MAIN[main], *(metric(name).heading for name in HEADLINE)])
    said = caption(f"{benchmark}: {measured} by language of the questions")
    table = tag("table", said, tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="compact full sort")
    note = f"{MAIN[main]} by the language of the questions; in cross, the mean over the other languages' passages."
    parts = [tag("summary", "Every language as a table"), tag("p", note, class_="note"), tag("div", table, class_="wide")]
    return tag("details", *parts, class_="langs")


#: Groups of languages on the page; groups.csv also has scripts, and each with zero-shot languages apart.
GROUPED = {"seen": "training", "family": "family", "word_order": "word order", "resources": "resource level"}


def _groups_of(view: View, groups: pl.DataFrame, benchmark: str) -> Html | None:
    """The main metric of questions in each group of languages, for the strategies that have maps."""
    mapped = view.mapped()
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
            if name in mapped and any(key[:3] == (backbone, name, setting) for key in means)
        ]  # fmt: skip
        if not columns:
            continue
        heads = [tag("th", f"{setting} {name}", class_="n", scope="col") for setting, name in columns]
        bodies: list[Html] = []
        for by, title in GROUPED.items():
            body = [heading_row(title, len(columns) + 1)]
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


def _table(name: str, cells: Cells, languages: Sequence[str], seen: Sequence[str], scale: Scale) -> Html:
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
