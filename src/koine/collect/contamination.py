"""What benchmarks contain, and whether a text stands in one: "training never saw the evaluation data", computed.

Contamination is looked for in every language of every benchmark at once, by normal form (see `text.normalise`): an equal
question, an equal passage, a run of n words shared with a benchmark text, or an article of the same title.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from koine.records import PASSAGES, QRELS, QUERIES
from koine.text.normalise import normalise, quarters, words

BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2⁶⁴


class NgramHasher:
    """Hashes runs of n words to 64 bits, vectorised; the same in every process, unlike Python's `hash`.

    In scripts without spaces, where `words` gives characters, a run is as long as n words are. How long it is
    depends on nothing but itself, so that a run is found in whatever text it stands.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._ids: dict[str, int] = {}
        self._quarters: list[int] = []

    def __call__(self, tokens: list[str]) -> npt.NDArray[np.uint64]:
        """Distinct hashes of the runs of n words of a text; none where it is shorter."""
        for token in tokens:
            if token not in self._ids:
                self._ids[token] = len(self._ids)
                self._quarters.append(quarters(token))
        ids = [self._ids[token] for token in tokens]
        sizes = np.array([self._quarters[i] for i in ids], dtype=np.int64)
        ends = np.cumsum(sizes)
        last = np.searchsorted(ends, ends - sizes + 4 * self.n)  # of the run that starts here
        last = last[last < len(tokens)]
        mixed = (np.array(ids, dtype=np.uint64) + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(27)  # spreads small numbers over 64 bits (splitmix64)
        # A run is a polynomial in BASE; a difference of prefix sums, divided by the power where it starts.
        before = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed * _powers(BASE, len(ids)))])
        return np.unique((before[last + 1] - before[: len(last)]) * _powers(pow(BASE, -1, 2**64), len(last)))


def _powers(base: int, count: int) -> npt.NDArray[np.uint64]:
    """1, base, base², …, modulo 2⁶⁴."""
    return np.cumprod(np.array([1] + [base] * (count - 1), dtype=np.uint64)[:count])


class Contamination:
    """What the benchmarks contain, ready to be asked about a training text."""

    def __init__(self, ngram: int) -> None:
        self._ngrams = NgramHasher(ngram)
        self._titles: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        self._parts: dict[int, str] = {}

    def add(self, benchmark: str, texts: Iterable[str], titles: Iterable[str] = ()) -> None:
        """Remember texts (questions, passages; any language) and article titles of a benchmark."""
        for text in texts:
            tokens = words(text)
            key = " ".join(tokens)
            if key and key not in self._whole:
                self._whole[key] = benchmark
                for gram in self._ngrams(tokens).tolist():
                    self._parts.setdefault(gram, benchmark)
        for title in filter(None, titles):
            self._titles.setdefault(_title_key(title), benchmark)

    def find(self, text: str) -> tuple[str, str] | None:
        """(benchmark, `equal` or `n-gram`) where the text, or n words in a row of it, stand in a benchmark."""
        tokens = words(text)
        benchmark = self._whole.get(" ".join(tokens))
        if benchmark is not None:
            return benchmark, "equal"
        for gram in self._ngrams(tokens).tolist():
            if gram in self._parts:
                return self._parts[gram], "n-gram"
        return None

    def find_title(self, title: str) -> str | None:
        """The benchmark that has an article of this title."""
        return self._titles.get(_title_key(title))


def _title_key(title: str) -> str:
    return normalise(title.replace("_", " "))


#: With more passages than this to a judgement, a corpus is there to be searched, and its other passages are no test data.
SEARCHED = 20


def benchmark_contamination(folders: Iterable[Path], ngram: int) -> Contamination:
    """All texts and titles of prepared benchmarks, folders of `collect_benchmark`; of a corpus to search, what is relevant.

    A corpus such as MIRACL's is a whole Wikipedia: most of what one could train on stands in it, and nearly nothing of it
    is asked for.
    """
    contamination = Contamination(ngram)
    for folder in folders:
        contamination.add(folder.name, QUERIES.read(folder / "queries.parquet")["text"])
        passages, qrels = PASSAGES.scan(folder / "passages.parquet"), QRELS.read(folder / "qrels.parquet")
        if passages.select(pl.len()).collect().item() > SEARCHED * len(qrels):
            relevant = qrels.lazy().select("lang", id="passage_id").unique()
            passages = passages.join(relevant, on=["lang", "id"], how="semi", maintain_order="left")
        tested = passages.select("group", "text").collect(engine="streaming")
        contamination.add(folder.name, tested["text"], tested["group"].unique())
    return contamination
