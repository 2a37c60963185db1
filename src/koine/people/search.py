"""`koine search`: a question in any language, the nearest passages of all languages."""

import sys
import unicodedata
from dataclasses import asdict, dataclass
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from rich.box import SIMPLE
from rich.console import Console, OverflowMethod
from rich.table import Table

from koine import backbones
from koine.filter.scores import detector
from koine.index.files import ABOUT, Opened, open_files
from koine.runtime.console import cell, say, visible
from koine.runtime.device import Device, resolve, use_threads
from koine.runtime.errors import KoineError
from koine.runtime.hub import model_digest

if TYPE_CHECKING:
    from koine.backbones.base import Vectors  # takes seconds to import

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


def search(
    question: str, /, *, model: str, index: Path, count: Annotated[int, Field(ge=1)] = 10, lang: str = "", json: bool = False,
    device: Device = "cpu",
) -> None:  # fmt: skip
    """Search an index: the nearest passages of all languages, best first.

    koine search --model models/sample/static/hybrid/seed-1 --index data/sample/index/static/hybrid/seed-1/sample "Mikä…?"

    Args:
        question: In any language.
        model: The model that made the index: folder or Hub id.
        index: Folder of `koine index`.
        count: Passages that are shown.
        lang: The question's language (BCP 47); by default it is identified.
        json: Print JSON instead of a table.
        device: Where to compute.

    Raises:
        KoineError: as `find`.
    """
    use_threads()
    answer = find(model, index, question, count=count, lang=lang or None, device=resolve(device))
    if json:
        sys.stdout.write(visible(dumps(asdict(answer), ensure_ascii=False, indent=2), sys.stdout.encoding) + "\n")
    else:
        show(answer)
    if answer.warning:
        say(f"warning: {answer.warning}")


def find(model: str, index: Path, question: str, *, count: int, lang: str | None, device: str) -> Found:
    """Search an index.

    Args:
        model: what made the index, or a copy of it: a folder or Hub id.
        index: folder of `koine index`.
        question: in any language.
        count: how many passages.
        lang: the question's language; None lets lingua say, among the languages of the index.
        device: where the question is encoded.

    Raises:
        KoineError: the question is blank, or no Unicode; no whole index there, one of another model, or one of vectors that
            were debiased: only with all passages of a language can its questions be treated alike.
    """
    _check_question(question)
    with open_files(index) as opened:
        if opened.about.method:
            raise KoineError(
                f"{index}: holds vectors after encode-debias ({opened.about.method}), which a question does not go through here; "
                "search an index of the vectors as koine encode wrote them"
            )
        encoder = backbones.load(model, device)  # brings a Hub id's files
        digest = model_digest(model)
        if digest != opened.about.model:
            raise KoineError(
                f"{model}: not the model that made {index}: the sha256 of its files is {str(digest)[:12]}…, the one in "
                f"{index / ABOUT} {opened.about.model[:12]}…. Search with that model, or encode and index again with this one"
            )
        query = encoder.encode([question], "query", batch_size=1)
        if not query.any():
            raise KoineError(f"{model}: gives this question no vector, for it knows none of its words; ask in other words")
        hits = _nearest(opened, query, max(count, BIAS_DEPTH))
    lang = lang or identify(question, opened.about.languages)
    return Found(question, lang, hits[:count], preference(hits[:BIAS_DEPTH], lang, parallel=opened.about.parallel))


def _check_question(question: str) -> None:
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise KoineError(
            f"the question is not valid Unicode at character {error.start + 1}: the terminal or script that wrote it and the "
            "locale of this shell have different encodings; set both to UTF-8, as by LC_ALL=C.UTF-8"
        ) from None
    if all(unicodedata.category(letter)[0] in "CZ" for letter in question):  # controls and spaces
        raise KoineError("the question is blank; give some words to search for")


def _nearest(opened: Opened, query: "Vectors", depth: int) -> list[Hit]:
    scores, rows = (column[0] for column in opened.index.search(query, min(depth, opened.index.ntotal)))
    known = rows >= 0  # probed lists may hold fewer
    return [
        Hit(rank, round(float(score), 4), passage["lang"], passage["id"], passage["text"])
        for rank, (score, passage) in enumerate(zip(scores[known], opened.texts(rows[known]), strict=True), start=1)
    ]


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


def show(answer: Found) -> None:
    """Print what was found as a table that fits the terminal."""
    out = Console(highlight=False)
    grid = Table(box=SIMPLE, padding=(0, 1), pad_edge=False, expand=True)
    grid.add_column("", justify="right", no_wrap=True)
    for name in ("score", "lang"):
        grid.add_column(name, no_wrap=True)
    cut: OverflowMethod = "ellipsis" if out.encoding.startswith("utf") else "crop"
    grid.add_column("passage", no_wrap=True, overflow=cut, ratio=1)
    grid.add_column("id", no_wrap=True, overflow=cut, max_width=24)
    for hit in answer.hits:
        row = (hit.rank, f"{hit.score:.3f}", hit.lang, " ".join(hit.text.split()), hit.id)
        grid.add_row(*(cell(value, out) for value in row))
    out.print(cell(f"{answer.question}  ({answer.lang or 'language unknown'})", out), soft_wrap=True)
    out.print(grid)
