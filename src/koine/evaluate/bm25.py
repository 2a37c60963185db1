"""BM25: the lexical baseline, in any script, with neither stemmer nor stop words.

Words are found by script, not by language, so one analyser serves the pool of all languages.
"""

import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import bm25s
import numpy as np
import numpy.typing as npt
import regex

from koine.evaluate.ranks import Ints, Scores
from koine.text.scripts import UNSPACED

K1, B = 1.2, 0.75  # Lucene's defaults
_WORD = r"[\w\p{M}]"  # letters, digits and marks
# By script extensions: ー belongs to kana (and, what is less right, ʼ and the mark of g̃ to Thai).
_EXTENSIONS = "".join(rf"\p{{scx={name}}}" for scripts in UNSPACED for name in scripts.names)
_UNSPACED = f"[[{_EXTENSIONS}]&&{_WORD}]"
_RUNS = regex.compile(rf"(?P<unspaced>{_UNSPACED}+)|(?:[{_WORD}--{_UNSPACED}])+", regex.V1)
_CHARACTER = regex.compile(r"\X")


def analyse(text: str) -> list[str]:
    r"""The terms of a text: words (`[\w\p{M}]+`), or characters and their bigrams where words are not set apart.

    Text is compared in NFKC and without case. Han, kana, Thai, Lao, Khmer and Myanmar are unspaced; a character is there a
    grapheme cluster, so that a Thai consonant keeps its vowel and tone. Bigrams need no dictionary and come close to segmented
    words (for Chinese: Nie, Gao, Zhang and Zhou 2000, doi 10.1145/355214.355235). Korean is spaced and taken by words.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    terms = []
    for run in _RUNS.finditer(folded):
        if run["unspaced"] is None:
            terms.append(run[0])
        else:
            characters = _CHARACTER.findall(run[0])
            terms += characters
            terms += map("".join, itertools.pairwise(characters))
    return terms


class Bm25:
    """BM25 scores of queries against one collection (Robertson's, in Lucene's variant).

    `score(q, d) = Σ_{t in q} ln(1 + (N - df_t + ½) / (df_t + ½)) · tf_td / (tf_td + k1 (1 - b + b |d| / mean |d|))`

    Document frequencies and the mean length are the collection's. So the scores within one language are not a slice of the
    pool's: make one `Bm25` per language's corpus for mono and cross, where it is the collection that is searched, and one of
    all passages for multi. In the pool, a word of one language is rarer than it is at home, by what other languages add to N.

    Args:
        passages: N texts.
    """

    def __init__(self, passages: Sequence[str]) -> None:
        self._size = len(passages)
        terms = [analyse(text) for text in passages]
        self._index: bm25s.BM25 | None = None
        if any(terms):
            self._index = bm25s.BM25(k1=K1, b=B, method="lucene", backend="numpy")
            self._index.index(terms, create_empty_token=False, show_progress=False)

    def scores(self, queries: Sequence[str]) -> npt.NDArray[np.float32]:
        """Scores of n queries, float32 `[n, N]`; 0 where they share no term. A term that a query repeats counts as often."""
        scores = np.zeros((len(queries), self._size), dtype=np.float32)
        if self._index is not None:
            for row, query in enumerate(queries):
                scores[row] = self._index.get_scores_from_ids(self._index.get_tokens_ids(analyse(query)))
        return scores


@dataclass(frozen=True)
class Lexical:
    """BM25 as a `ranks.Scorer`, with statistics of each of several collections.

    Attributes:
        queries: texts of all queries.
        collections: runs of columns, one after the other, and what scores them.
    """

    queries: Sequence[str]
    collections: Sequence[tuple[slice, Bm25]]

    @classmethod
    def of(cls, queries: Sequence[str], passages: Sequence[str], blocks: Sequence[slice]) -> "Lexical":
        """One collection per block of passages."""
        return cls(queries, [(block, Bm25(passages[block])) for block in blocks])

    def scores(self, rows: Ints, columns: slice) -> Scores:
        """See `ranks.Scorer`."""
        asked = [self.queries[row] for row in rows]
        parts = []
        for block, collection in self.collections:
            low, high = max(block.start, columns.start), min(block.stop, columns.stop)
            if low < high:
                parts.append(collection.scores(asked)[:, low - block.start : high - block.start])
        return np.hstack(parts)

    def at(self, rows: Ints, columns: Ints) -> Scores:
        """See `ranks.Scorer`."""
        whole = self.scores(rows, slice(0, self.collections[-1][0].stop))
        found: Scores = np.take_along_axis(whole, columns, axis=1)
        return found
