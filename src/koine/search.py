"""`koine search`: a question in any language, the nearest passages of all languages."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from koine import backbones
from koine.filter.scores import detector
from koine.index.kinds import open_index
from koine.records import PASSAGES
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json

BIAS_DEPTH = 10  # results that are looked at for a preference for the query's language


@dataclass(frozen=True)
class Hit:
    """A passage that was found."""

    rank: int
    score: float  # the cosine, or what codes leave of it
    lang: str
    id: str
    text: str


@dataclass(frozen=True)
class Found:
    """What a question found; `lang` is the question's language, None where it is not known."""

    question: str
    lang: str | None
    hits: list[Hit]
    warning: str | None


def search(model: str, index: Path, question: str, *, count: int, lang: str | None, device: str) -> Found:
    """Search an index.

    Args:
        model: what made the index: a folder or Hub id.
        index: folder of `koine index`.
        question: in any language.
        count: how many passages.
        lang: the question's language; None lets lingua say, among the languages of the index.
        device: where the question is encoded.

    Raises:
        KoineError: no index there, or one of another model's dimensions.
    """
    about = read_json(index / "index.json")
    opened = open_index(index / "index.faiss", about["kind"])
    query = backbones.load(model, device).encode([question], "query", batch_size=1)
    if query.shape[1] != opened.d:
        raise KoineError(f"{index}: holds vectors of {opened.d} dimensions, {model} gives {query.shape[1]}: not its index")
    depth = min(max(count, BIAS_DEPTH), opened.ntotal)
    scores, rows = (found[0] for found in opened.search(query, depth))
    known = rows >= 0  # probed lists may hold fewer
    texts = pl.concat([PASSAGES.part(index / "ids.parquet", ["id", "lang", "text"], int(row), 1) for row in rows[known]])
    hits = [
        Hit(rank, round(float(score), 4), own["lang"], own["id"], own["text"])
        for rank, (score, own) in enumerate(zip(scores[known], texts.iter_rows(named=True), strict=True), start=1)
    ]
    lang = lang or identify(question, about["languages"])
    return Found(question, lang, hits[:count], preference(hits[:BIAS_DEPTH], lang, parallel=about["parallel"]))


def identify(text: str, among: list[str]) -> str | None:
    """The language of a text among some, by lingua; None where it knows fewer than two of them, or cannot say."""
    lingua, known = detector(tuple(sorted(among)))
    told = lingua.detect_language_of(text) if lingua else None
    return next((code for code, language in known.items() if language == told), None)


def preference(hits: list[Hit], lang: str | None, *, parallel: bool) -> str | None:
    """A warning, where the best are all in the question's language although the pool says the same in others."""
    if not parallel or len(hits) < BIAS_DEPTH or {hit.lang for hit in hits} != {lang}:
        return None
    return (
        f"the {BIAS_DEPTH} best are all in {lang}, the question's language, while the pool holds the same passages in other "
        "languages: the model prefers the language it is asked in (see rank_distance in docs/evaluate.md)"
    )


def show(found: Found) -> None:
    """Print what was found as a table that fits the terminal."""
    out = Console(highlight=False)
    grid = Table(box=SIMPLE, padding=(0, 1), pad_edge=False, expand=True)
    grid.add_column("", justify="right", no_wrap=True)
    for name in ("score", "lang"):
        grid.add_column(name, no_wrap=True)
    grid.add_column("passage", no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column("id", no_wrap=True, overflow="ellipsis", max_width=24)
    for hit in found.hits:
        grid.add_row(str(hit.rank), f"{hit.score:.3f}", hit.lang, " ".join(hit.text.split()), hit.id)
    out.print(f"{found.question}  ({found.lang or 'language unknown'})", markup=False, soft_wrap=True)
    out.print(grid)
