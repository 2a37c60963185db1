"""Triples of ids, as MS MARCO (arXiv 1611.09268) and mMARCO (arXiv 2108.13897) have them."""

from collections.abc import Iterator
from pathlib import Path

from koine.collect.formats.dpr import NEGATIVES
from koine.collect.formats.rows import tab_separated
from koine.collect.readers import Record
from koine.runtime.errors import KoineError

COLLECTION = "*collection.tsv"


def folder_files(folder: Path, split: str = "") -> list[Path]:
    """The triples, queries and collection of a folder; the folder itself, where it is not there yet.

    Raises:
        KoineError: one of them is not there, or two fit.
    """
    if not folder.is_dir():
        return [folder]
    found = [sorted(folder.glob(pattern)) for pattern in ("triples*.tsv", "*queries.train.tsv", COLLECTION)]
    if any(len(paths) != 1 for paths in found):
        raise KoineError(
            f"{folder}: put triples.train.ids.small.tsv, one language's …queries.train.tsv and its …collection.tsv into it"
        )
    return [path for paths in found for path in paths]


def read_questions(folder: Path) -> Iterator[Record]:
    """Questions of triples of ids (query, passage, one that does not answer), each pair once with its first ten negatives.

    Raises:
        KoineError: a row has other fields, or names what is not there.
    """
    if not folder.is_dir():
        raise KoineError(f"{folder}: no such folder")
    triples, queries, collection = folder_files(folder)
    wrong: dict[tuple[str, str], dict[str, None]] = {}
    for query, passage, negative in tab_separated(triples, 3, "ids of a query, its passage and another passage"):
        negatives = wrong.setdefault((query, passage), {})
        if len(negatives) < NEGATIVES:
            negatives[negative] = None
    needed = {key for (_, passage), negatives in wrong.items() for key in (passage, *negatives)}
    asked = {key: text for key, text in tab_separated(queries, 2, "id and text of a query") if text}
    texts = {key: text for key, text in tab_separated(collection, 2, "id and text of a passage") if key in needed}
    for (query, passage), negatives in wrong.items():
        for key, known, where in ((query, asked, queries), *((key, texts, collection) for key in (passage, *negatives))):
            if not known.get(key, "").strip():
                raise KoineError(f"{triples}: names {key}, which {where} has not, or without text; are they of one release?")
        yield {
            "id": f"{query}-{passage}",
            "question": asked[query],
            "passage": texts[passage],
            "negatives": [texts[key] for key in negatives],
        }
