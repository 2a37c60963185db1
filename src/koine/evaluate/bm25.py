"""BM25: the lexical baseline, in any script, with neither stemmer nor stop words.

Words are found by script, not by language, so one analyser serves the pool of all languages.
"""

import itertools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bm25s
import numpy as np
import numpy.typing as npt
import polars as pl
import regex

from koine.evaluate.ranks import Ints, Scores
from koine.evaluate.score import score
from koine.evaluate.tables import write
from koine.evaluate.texts import Texts
from koine.metrics import USUAL, MetricName
from koine.params import BM25, SETTINGS, Setting
from koine.records import Run
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
        blocks = []
        for block, collection in self.collections:
            low, high = max(block.start, columns.start), min(block.stop, columns.stop)
            if low < high:
                blocks.append(collection.scores(asked)[:, low - block.start : high - block.start])
        return np.hstack(blocks)

    def at(self, rows: Ints, columns: Ints) -> Scores:
        """See `ranks.Scorer`."""
        whole = self.scores(rows, slice(0, self.collections[-1][0].stop))
        scores: Scores = np.take_along_axis(whole, columns, axis=1)
        return scores


def evaluate_bm25(
    benchmark: Path, out: Path, *, recipe: str = "", pools: Sequence[str] = (), settings: Sequence[Setting] = SETTINGS,
    metrics: Sequence[MetricName] = USUAL,
) -> None:  # fmt: skip
    """Evaluate BM25, the lexical baseline, on every language pair and the pool of all languages, as `evaluate-vectors` does.

    In mono and cross its statistics are those of the language's own corpus, in multi those of the pool of all languages.

    Args:
        benchmark: Folder of `koine collect-benchmark`.
        out: Folder of the result: scores.parquet and pairs.csv; in the tables it is `bm25 untrained`.
        recipe: Name of the recipe in the tables.
        pools: Sub-pool such as en+fi, evaluated beside the whole where all its languages exist; its name is BENCHMARK:en+fi.
        settings: What is evaluated: mono, cross, multi.
        metrics: Metric such as map or ndcg@10; those that compare languages are of the multi setting alone.

    Raises:
        KoineError: a file of the benchmark is missing.
        ValueError: no metric is called so.
    """
    texts = Texts.read(benchmark)
    queries, passages = texts.queries["text"].to_list(), texts.passages["text"].to_list()
    scores = [
        score(texts, Lexical.of(queries, passages, blocks), benchmark.name, pools=pools, settings=some, metrics=metrics)
        for some, blocks in (
            ([setting for setting in settings if setting != "multi"], texts.blocks),
            ([setting for setting in settings if setting == "multi"], [slice(0, len(passages))]),
        )
        if some
    ]
    write(pl.concat(scores, how="diagonal"), out, Run(recipe, BM25, "untrained"))
