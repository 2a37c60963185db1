"""A benchmark as its format gives it: one language after the other, each with queries, judgements and passages.

A corpus may have millions of passages, so passages come one by one; queries and judgements are small.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from koine.runtime.errors import KoineError

#: Files, or folders, by language.
Files = Mapping[str, Sequence[Path]]
#: Ids with texts, or query ids with passage ids.
Pairs = Iterable[tuple[str, str]]


class Language(NamedTuple):
    """One language of a benchmark.

    Attributes:
        lang: its name.
        queries: id and text of each.
        qrels: query id and passage id of each judgement that says "relevant".
        passages: id, group (article, or nothing) and text of each; can be read once.
    """

    lang: str
    queries: Sequence[tuple[str, str]]
    qrels: Sequence[tuple[str, str]]
    passages: Iterable[tuple[str, str, str]]


def judged(path: Path, lang: str, queries: Pairs, qrels: Pairs, passages: Pairs) -> Language:
    """A language whose queries without a judgement do not count; each judgement counts once.

    Args:
        path: where it is from, for messages.
        lang: the language.
        queries: id and text.
        qrels: query id and passage id.
        passages: id and text.

    Raises:
        KoineError: a judgement names a query that is not there.
    """
    relevant = list(dict.fromkeys(qrels))
    wanted = dict.fromkeys(query for query, _ in relevant)
    kept = {key: text for key, text in queries if key in wanted}
    if unknown := [query for query in wanted if query not in kept]:
        raise KoineError(f"{path}: a judgement names query {unknown[0]!r}, which is not there; are the files of one release?")
    return Language(lang, list(kept.items()), relevant, ((key, "", text) for key, text in passages))


def one_each(files: Files) -> Iterator[tuple[str, Path]]:
    """Each language with its only file or folder.

    Raises:
        KoineError: a language has several.
    """
    for lang, paths in files.items():
        if len(paths) != 1:
            raise KoineError(f"{paths[1]}: this format takes one file or folder of a language, and this is the second of {lang}")
        yield lang, paths[0]
