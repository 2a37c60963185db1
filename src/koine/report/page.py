"""results/report.html: one self-contained page that a person reads, from the title to the versions.

The page is a pure function of the evidence: no dates, no network, no random names. It is put together here from the
sections of `prose` (the summary), `headline`, `trends`, `maps` and `bias` (results), `proof` (differences, claims),
`published` and `origins` (data, training, indexes, cost); `view` looks things up for them, `commands` says how to make them
again, `svg` draws, and `markup` builds the elements and escapes every text. `style` writes the styles, and what sorts,
filters and copies is in page.js: the page is whole without it. A policy in the head lets the browser run that script and
those styles alone, and ask for nothing.
"""

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from koine.params import BM25, Report
from koine.report import origins, proof
from koine.report.bias import bias
from koine.report.commands import Commands
from koine.report.headline import headline
from koine.report.maps import heat_maps
from koine.report.markup import Html, caption, count, join, tag
from koine.report.prose import summary
from koine.report.published import beside
from koine.report.style import style
from koine.report.svg import explain
from koine.report.trends import alphas, growth
from koine.report.view import View, in_words, whole


@dataclass(frozen=True)
class Evidence:
    """Everything the page shows.

    Attributes:
        table: headline results (`records.TABLE`).
        pairs: every cell of every run (`records.PAIRS`).
        answers: languages of the first answers (`groups.answers`).
        groups: means by kind of language (`groups.groups`).
        contrasts: differences between systems (`records.CONTRASTS`).
        claims: verdicts (`records.CLAIMS`).
        published: the paper's tables beside ours (`records.PUBLISHED`).
        collected: collect.json; empty if there is none.
        filtered: a summary per language.
        models: koine.json of each model.
        curves: training log of each model, in the same order.
        indexes: index.json by `backbone/strategy/seed-N/benchmark`.
        report: parameters of the intervals and the comparisons.
    """

    table: pl.DataFrame
    pairs: pl.DataFrame
    answers: pl.DataFrame
    groups: pl.DataFrame
    contrasts: pl.DataFrame
    claims: pl.DataFrame
    published: pl.DataFrame
    collected: dict[str, Any]
    filtered: list[dict[str, Any]]
    models: list[dict[str, Any]]
    curves: list[list[dict[str, Any]]]
    indexes: dict[str, dict[str, Any]]
    report: Report


def render(evidence: Evidence) -> str:
    """The page as HTML."""
    view = View.of(evidence.table, evidence.pairs, evidence.models, evidence.report)
    commands = Commands.of(evidence.pairs, evidence.models, evidence.report)
    models, curves = evidence.models, evidence.curves
    source = next((model["languages"][0] for model in models if model.get("languages")), None)
    found = {
        "claims": ("Verdicts", proof.claimed(evidence.claims)),
        "terms": ("In plain words", _terms(view)),
        "results": ("Results", headline(view, commands) if view.results else None),
        "proof": ("Is the difference real?", proof.differences(view, evidence.contrasts)),
        "published": ("Published tables", beside(evidence.published)),
        "alpha": ("How much monolingual?", alphas(view)),
        "growth": ("More languages", growth(view)),
        "languages": ("Language by language", heat_maps(view, evidence.groups) if len(view.pairs) else None),
        "bias": ("Language bias", bias(view, evidence.indexes, evidence.answers)),
        "data": ("Data", origins.data(evidence.collected, evidence.filtered, source)),
        "training": ("Training", origins.training(view, models, curves)),
        "cost": ("Cost", origins.cost(view, models, curves, evidence.filtered)),
        "indexes": ("Indexes", origins.indexes(evidence.indexes)),
        "again": ("Run it again", _again(commands, models)),
    }
    sections = {name: (title, content) for name, (title, content) in found.items() if content}
    links = [tag("a", title, href=f"#{name}") for name, (title, _) in sections.items()]
    body = [tag("section", tag("h2", title), content, id=name, aria_label=title) for name, (title, content) in sections.items()]
    # Nothing of the data may stand in either: their digests are the policy.
    styles = style(view)
    script = Html(Path(__file__).with_name("page.js").read_text(encoding="utf-8"))
    policy = f"default-src 'none'; style-src {_digest(styles)}; script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Koine: {view.recipe}"),
        tag("style", styles),
    )
    page = [
        tag("a", "Skip to the results", href="#main", class_="skip"),
        tag("nav", tag("b", "Koine"), *links, _theme(), aria_label="Sections"),
        tag("main", _top(view, evidence), *body, id="main"),
        tag("p", "", id="said", class_="sr", role="status"),
        tag("script", script),
    ]
    return "<!doctype html>\n" + tag("html", head, tag("body", *page), lang="en") + "\n"


def _digest(text: str) -> str:
    """What a policy calls a script or a style sheet with exactly this text."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _theme() -> Html:
    """Light, dark, or what the system says; page.css reads the choice."""
    choices = [
        tag("label", tag("input", type="radio", name="theme", value=name, checked="" if name == "auto" else None), name)
        for name in ("auto", "light", "dark")
    ]
    return tag("fieldset", tag("legend", "Colours", class_="sr"), *choices, class_="theme")


def _top(view: View, evidence: Evidence) -> Html:
    """Title, what was found, and the size of the experiment."""
    questions = evidence.collected.get("kept", 0)
    languages = {lang for model in evidence.models for lang in model.get("languages", [])}
    seeds = len({model["seed"] for model in evidence.models})
    shape = [
        count(len([name for name in view.backbones if name != BM25]), "backbone"),
        count(len({model["strategy"] for model in evidence.models}), "strategy", "strategies"),
        count(seeds, "seed"),
    ]
    pools = sum(name == whole(name) for name in view.benchmarks)
    tiles = [
        (len(evidence.models), "models: " + " × ".join(shape)),
        (questions, "questions to train on, before translation"),
        (len(languages), "languages in training"),
        (pools, "benchmark" if pools == 1 else "benchmarks"),
    ]
    shown = [tag("div", tag("b", f"{value:,}"), tag("span", text)) for value, text in tiles if value]
    return tag(
        "header",
        tag("p", "Multilingual retrieval: an experiment with Koine", class_="eyebrow"),
        tag("h1", view.recipe),
        *summary(view),
        tag("div", *shown, class_="tiles") if shown else None,
    )


def _terms(view: View) -> Html:
    """Settings, the measures and the strategies."""
    scenes = {
        "mono": ("mono", "Questions and passages in the same language."),
        "cross": ("cross", "Questions in one language, passages in another; the mean over all ordered pairs of languages."),
        "multi": ("multi", "One pool with the passages of all languages; each of them has its own right passage."),
        "rank_distance": ("rank distance", "In multi: how far apart the first and the last right passage are ranked."),
    }
    figures = [tag("figure", explain(name), tag("h3", title), tag("figcaption", text)) for name, (title, text) in scenes.items()]
    intro = tag(
        "p",
        "A retriever turns questions and passages into vectors, and answers a question with the passages whose vectors are "
        "nearest. A multilingual one should find the right passage whatever language either is in, and should not rank passages "
        "by their language. It is tested in three settings (filled boxes are right passages):",
    )
    measure = tag(
        "p",
        tag("b", "mAP"),
        " (mean average precision) says how high the right passages stand: 1 if they always come first, .5 if the one right "
        "passage always comes second. Values are averaged over languages, or over pairs of languages, so that each counts the "
        "same.",
    )
    rows = []
    for name in view.strategies:
        words, example = in_words(name)
        rows.append(
            tag("tr", tag("th", view.label(name), class_="who", scope="row"), tag("td", words), tag("td", tag("code", example)))
        )
    heads = ("strategy", "a training batch holds", "three batches of two pairs")
    head = tag("tr", *(tag("th", text, scope="col") for text in heads))
    table = tag("table", caption("Strategies"), tag("thead", head), tag("tbody", *rows), class_="prose")
    strategies = tag("div", table, class_="wide") if rows else None
    lead = tag("p", "Under each strategy a training batch holds:") if rows else None
    return join([intro, tag("div", *figures, class_="scenes"), measure, lead, strategies])


def _again(commands: Commands, models: list[dict[str, Any]]) -> Html:
    """The command that makes this page, and the versions it was made with."""
    parts = [
        tag("p", "Everything on this page is made again from raw inputs by"),
        tag("pre", commands.snakemake()),
        tag("p", "What is there and still true is not made again; ", tag("code", "snakemake -n"), " says what would run."),
    ]
    if versions := (models[0] if models else {}).get("versions"):
        words = ", ".join(f"{name} {value}" for name, value in versions.items())
        parts.append(tag("p", f"Versions: {words}.", class_="note"))
    return join(parts)
