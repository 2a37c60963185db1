"""Runs and qrels as TREC files, for any other tool: `en-fi.run` and `en-fi.qrels` of a cell, `en-all` of the pool.

Question ids are those of the benchmark, passages are `lang:id`. trec_eval reads scores as float32 and breaks ties by
document id; so that its order is Koine's, a tied score is written as the next smaller float32.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from koine.evaluate.ranks import Judgements, Scorer, Scores, rank
from koine.evaluate.texts import Texts
from koine.runtime.files import atomic

NOTHING = np.zeros(0, dtype=np.int64)


def write_trec(texts: Texts, scorer: Scorer, out: Path, *, tag: str, settings: Sequence[str], depth: int) -> None:
    """Write a run and its qrels for every cell.

    Args:
        texts: the benchmark.
        scorer: of its queries and passages.
        out: folder.
        tag: names the system in each line.
        settings: of mono, cross and multi, those that are wanted.
        depth: passages of a query.
    """
    passages = np.array([_word(f"{lang}:{name}") for lang, name in texts.passages.select("lang", "id").iter_rows()], dtype=object)
    for lang in texts.queries["lang"].unique(maintain_order=True):
        rows = np.flatnonzero(texts.queries["lang"] == lang)
        ids = [_word(name) for name in texts.queries["id"].gather(rows)]
        for doc_lang, numbers, reach in _cells(texts, lang, settings):
            judgements = texts.judgements(rows, reach)
            _, tops = rank(scorer, rows, reach, Judgements(NOTHING, NOTHING, NOTHING), texts.blocks, {"": numbers}, depth)
            top = tops[""]
            with atomic(out / f"{lang}-{doc_lang}.run") as temporary, temporary.open("w", encoding="utf-8") as stream:
                for query, columns, scores in zip(ids, top.columns, _untied(top.scores), strict=True):
                    lines = zip(columns[columns >= 0], scores, strict=False)
                    stream.writelines(f"{query} Q0 {passages[c]} {n} {s:.9g} {tag}\n" for n, (c, s) in enumerate(lines, start=1))
            with atomic(out / f"{lang}-{doc_lang}.qrels") as temporary, temporary.open("w", encoding="utf-8") as stream:
                both = zip(judgements.query, judgements.passage, strict=True)
                stream.writelines(f"{ids[query]} 0 {passages[passage]} 1\n" for query, passage in both)


def _cells(texts: Texts, lang: str, settings: Sequence[str]) -> Iterator[tuple[str, list[int], slice]]:
    """Name, languages and reach of each corpus that a language's queries are put to."""
    for number, doc_lang in enumerate(texts.languages):
        if ("mono" if doc_lang == lang else "cross") in settings:
            yield doc_lang, [number], texts.blocks[number]
    if "multi" in settings:
        yield "all", list(range(len(texts.languages))), slice(0, len(texts.passages))


def _untied(scores: Scores) -> Scores:
    """The same order as floats that fall strictly; `[n, depth]`."""
    falling = scores.copy()
    for place in range(1, scores.shape[1]):
        falling[:, place] = np.minimum(falling[:, place], np.nextafter(falling[:, place - 1], np.float32(-np.inf)))
    return falling


def _word(text: str) -> str:
    """An id without white space, which separates the fields of a TREC file."""
    return quote(text, safe="".join(c for c in map(chr, range(33, 127)) if c != "%")) if any(map(str.isspace, text)) else text
