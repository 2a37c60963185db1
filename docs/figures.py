"""Draws the figures of the documentation: `python docs/figures.py` writes those in `docs/images`.

`headline` shows a committed table; the numbers of `reading` are computed here, by Koine's own metrics, from two rankings. A test
draws all of them again and compares. The files are plain SVG without scripts and fonts; their colours follow the reader's
(light or dark).
"""

import itertools
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import polars as pl

from koine.evaluate.metrics import metrics

IMAGES = Path(__file__).parent / "images"

STYLE = """
svg { color-scheme: light dark; font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  --paper: #fff; --ink: #1b2230; --muted: #5b6575; --line: #d5dae1; --panel: #f3f5f8; --accent: #0b5cad; --tint: #e3eefa; }
@media (prefers-color-scheme: dark) { svg {
  --paper: #11151b; --ink: #e4e9f0; --muted: #9aa5b5; --line: #364150; --panel: #191f28; --accent: #7db8f7; --tint: #1d3550; } }
text { fill: var(--ink); font-size: 14px; }
.small { font-size: 12px; fill: var(--muted); }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.head { font-weight: 650; }
.accent { fill: var(--accent); }
.number { font-size: 19px; font-weight: 650; font-variant-numeric: tabular-nums; }
.paper { fill: var(--paper); }
.box { fill: var(--panel); stroke: var(--line); }
.hit { fill: var(--tint); stroke: var(--accent); }
.arrow { fill: none; stroke: var(--muted); stroke-width: 1.4; }
.span { fill: none; stroke: var(--accent); stroke-width: 2; }
.bar { fill: var(--line); }
.ours { fill: var(--accent); }
.on { fill: var(--paper); }
.range { stroke: var(--ink); stroke-width: 1.3; }
marker path { fill: var(--muted); }
"""


def tag(name: str, *inner: str, **attributes: object) -> str:
    """An element; `class_` is `class`, and `_` in other names is `-`."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{given}>{''.join(inner)}</{name}>" if inner else f"<{name}{given}/>"


def text(x: float, y: float, words: str, class_: str = "") -> str:
    """Words whose baseline starts at x, y."""
    return tag("text", escape(words), x=x, y=y, class_=class_) if class_ else tag("text", escape(words), x=x, y=y)


def box(x: float, y: float, width: float, height: float, class_: str = "box") -> str:
    """A rectangle with round corners."""
    return tag("rect", x=x, y=y, width=width, height=height, rx=6, class_=class_)


def drawing(width: int, height: int, title: str, about: str, inner: Sequence[str]) -> str:
    """A whole SVG file, with what it shows in words."""
    tip = tag("path", d="M0 0L7 3.5L0 7z")
    defs = tag("defs", tag("marker", tip, id="tip", markerWidth=7, markerHeight=7, refX=6, refY=3.5, orient="auto"))
    head = [tag("title", escape(title)), tag("desc", escape(about)), tag("style", STYLE), defs]
    head.append(tag("rect", width=width, height=height, rx=8, class_="paper"))
    lines = "\n".join([*head, *inner])
    sizes = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {sizes} role="img">\n{lines}\n</svg>\n'


# --- the chain ------------------------------------------------------------------------------------------------------------

STEPS = {
    "collect": "English questions",
    "translate": "into all languages",
    "filter": "bad pairs go",
    "train": "hybrid batches",
    "encode": "texts to vectors",
    "evaluate": "pairs and pool",
    "report": "table and page",
}


def chain() -> str:
    """The steps and what flows between them."""
    width, height, apart, top = 122, 52, 142, 74
    left = {name: 10 + apart * n for n, name in enumerate([*STEPS])}
    middle = {name: x + width / 2 for name, x in left.items()}
    bottom, under = top + height, 190

    def step(name: str, about: str, y: float) -> list[str]:
        x = left[name] if name in left else left["evaluate"]
        centre = x + width / 2
        return [box(x, y, width, height), text(centre, y + 23, name, "head middle"), text(centre, y + 41, about, "small middle")]

    def arrow(path: str) -> str:
        return tag("path", d=path, class_="arrow", marker_end="url(#tip)")

    inner = [part for name, about in STEPS.items() for part in step(name, about, top)]
    inner += step("index", "to search in", under - height / 2)
    for here, there in itertools.pairwise(STEPS):
        inner.append(arrow(f"M{left[here] + width} {top + height / 2}H{left[there] - 2}"))
    inner += [
        arrow(f"M{middle['collect']} {top}V34H{middle['encode']}V{top - 2}"),
        arrow(f"M{middle['filter']} 34V{top - 2}"),
        arrow(f"M{middle['encode']} {bottom}V{under}H{left['evaluate'] - 2}"),
        arrow(f"M{left['evaluate'] + width} {under}H{middle['report']}V{bottom + 2}"),
        text(middle["collect"] + 8, 26, "benchmarks", "small"),
        text(middle["filter"] + 8, 56, "are kept out of training", "small"),
        text(middle["encode"] + 8, 56, "are searched", "small"),
    ]
    about = (
        "collect, translate, filter, train, encode, evaluate, report, one after the other. Benchmarks go from collect to "
        "filter, which keeps them out of training, and to encode. From encode vectors also go to index, and from there to report."
    )
    return drawing(int(left["report"]) + width + 10, 228, "The chain of Koine's steps", about, inner)


# --- how to read the table ------------------------------------------------------------------------------------------------

QUESTION = "Mikä on Viron pääkaupunki?"
ENGLISH = "What is the capital of Estonia?"
#: Language and text of the passages; those in `RELEVANT` answer the question.
PASSAGES = {
    "fi+": ("fi", "Tallinna on Viron pääkaupunki."),
    "fi-": ("fi", "Riika on Latvian pääkaupunki."),
    "en+": ("en", "Tallinn is the capital of Estonia."),
    "en-": ("en", "Riga is the capital of Latvia."),
    "de+": ("de", "Tallinn ist die Hauptstadt von Estland."),
    "de-": ("de", "Riga ist die Hauptstadt von Lettland."),
}
RELEVANT = {"fi+", "en+", "de+"}
#: What each model ranks first, second, and so on.
RANKINGS = {
    "monolingual": ["fi+", "fi-", "en-", "en+", "de-", "de+"],
    "hybrid": ["fi+", "en+", "fi-", "de+", "en-", "de-"],
}


def measured(ranking: Sequence[str], languages: Sequence[str]) -> dict[str, float]:
    """Average precision (`map`) and rank distance of the question where the corpus is the passages of these languages."""
    corpus = [name for name in ranking if PASSAGES[name][0] in languages]
    ranks = np.array([rank for rank, name in enumerate(corpus, 1) if name in RELEVANT], dtype=np.int64)
    _, found = metrics(np.zeros_like(ranks), ranks, ["map", "rank_distance"])
    return {name: float(values[0]) for name, values in found.items()}


def numbers(model: str) -> dict[str, float]:
    """The four numbers of a model."""
    ranking = RANKINGS[model]
    pool = measured(ranking, ["fi", "en", "de"])
    cross = [measured(ranking, [language])["map"] for language in ("en", "de")]
    return {
        "mono": measured(ranking, ["fi"])["map"],
        "cross": sum(cross) / len(cross),
        "multi": pool["map"],
        "rank distance": pool["rank_distance"],
    }


def reading() -> str:
    """The example of `docs/reading.md`: one question, one pool, two models."""
    width, apart, top, row = 400, 424, 88, 38
    asked = tag("tspan", QUESTION, class_="head")
    inner = [tag("text", "A question in Finnish: ", asked, tag("tspan", f" ({ENGLISH})", class_="small"), x=14, y=32)]
    for n, model in enumerate(RANKINGS):
        x = 14 + apart * n
        inner.append(text(x, top - 18, f"What the {model} model ranks first to last", "head"))
        hits = []
        for rank, name in enumerate(RANKINGS[model], 1):
            y = top + row * (rank - 1)
            language, words = PASSAGES[name]
            hit = name in RELEVANT
            inner += [
                text(x + 14, y + 21, str(rank), "small end"),
                box(x + 22, y, width - 68, row - 6, "hit" if hit else "box"),
                text(x + 34, y + 21, language, "small head"),
                text(x + 60, y + 21, words),
            ]
            if hit:
                inner.append(text(x + width - 56, y + 21, "✓", "head accent end"))
                hits.append(y + (row - 6) / 2)
        edge = x + width - 38
        found = numbers(model)
        inner += [
            tag("path", d=f"M{edge} {hits[0]}h8V{hits[-1]}h-8", class_="span"),
            text(edge + 14, (hits[0] + hits[-1]) / 2 + 6, f"{found['rank distance']:.0f}", "number accent"),
        ]
        y = top + row * len(PASSAGES) + 8
        tile = (width - 18) / 4
        for m, (name, value) in enumerate(found.items()):
            left = x + m * (tile + 6)
            shown = f"{value:.0f}" if name == "rank distance" else f"{value:.2f}"
            label = name if name == "rank distance" else f"AP {name}"
            inner += [
                box(left, y, tile, 54),
                text(left + tile / 2, y + 20, label, "small middle"),
                text(left + tile / 2, y + 43, shown, "number middle"),
            ]
    ranked = "; ".join(
        f"the {model} model ranks " + ", ".join(PASSAGES[name][0] + (" (right)" if name in RELEVANT else "") for name in ranking)
        for model, ranking in RANKINGS.items()
    )
    return drawing(852, 392, "One question, six passages, two models", f"{QUESTION} Of six passages, {ranked}.", inner)


# --- the headline of README ------------------------------------------------------------------------------------------------

TABLE = Path(__file__).parents[1] / "results/squad-fi/table.csv"
BENCHMARK = "squad-dev-parallel:en+fi"
#: Backbone and strategy of a row, and what it is called.
ROWS = {
    ("bm25", "untrained"): "BM25",
    ("static", "untrained"): "untrained",
    ("static", "x-x-mono"): "monolingual batches",
    ("static", "x-y"): "cross-lingual batches",
    ("static", "hybrid"): "hybrid batches",
}
#: Setting and metric of a panel, its name and what is good.
PANELS = {
    ("mono", "map"): ("one language", "mAP, more is better"),
    ("cross", "map"): ("across two", "mAP, more is better"),
    ("multi", "map"): ("one pool of both", "mAP, more is better"),
    ("multi", "rank_distance"): ("language bias", "rank distance, less is better"),
}


def headline() -> str:
    """Strategies of `recipes/squad-fi.yaml`, with their intervals, in the three settings and by language bias."""
    table = pl.read_csv(TABLE).filter(benchmark=BENCHMARK)
    found = {(r["backbone"], r["strategy"], r["setting"], r["metric"]): r for r in table.iter_rows(named=True)}
    left, apart, bar, top, row = 168, 172, 140, 74, 30
    inner = [
        text(14, top + row * n + 16, name, "head accent" if name.startswith("hybrid") else "")
        for n, name in enumerate(ROWS.values())
    ]
    said = []
    for m, (panel, (name, about)) in enumerate(PANELS.items()):
        x = left + apart * m
        inner += [text(x, 32, name, "head"), text(x, 50, about, "small")]
        most = max(found[*system, *panel]["ci_high"] for system in ROWS)
        for n, (system, called) in enumerate(ROWS.items()):
            own, y = found[*system, *panel], top + row * n
            ends = [round(x + bar * own[key] / most, 1) for key in ("mean", "ci_low", "ci_high")]
            shown = f"{own['mean']:.0f}" if panel[1] == "rank_distance" else f"{own['mean']:.2f}".lstrip("0")
            inside = ends[0] - x > 60
            inner += [
                tag(
                    "rect",
                    x=x,
                    y=y,
                    width=round(ends[0] - x, 1),
                    height=22,
                    rx=3,
                    class_="ours" if called.startswith("hybrid") else "bar",
                ),
                tag("path", d=f"M{ends[1]} {y + 11}H{ends[2]}", class_="range"),
                text(x + 6 if inside else ends[2] + 6, y + 16, shown, "on" if inside and called.startswith("hybrid") else ""),
            ]
            said.append(f"{called}, {name}: {shown}")
    width, height = left + apart * len(PANELS) + 6, top + row * len(ROWS) + 12
    title = "Hybrid batches against their rivals on SQuAD's questions in English and Finnish"
    return drawing(width, height, title, "; ".join(said) + ". 95 % intervals over three seeds and 1,684 questions.", inner)


if __name__ == "__main__":
    for name, drawn in {"chain": chain(), "reading": reading(), "headline": headline()}.items():
        (IMAGES / f"{name}.svg").write_text(drawn, encoding="utf-8")
