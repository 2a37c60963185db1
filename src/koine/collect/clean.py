"""Duplicates go, and whatever a benchmark has seen goes: "training never saw the evaluation data", computed.

Contamination is looked for in every language of every benchmark at once, by normal form (see `normalise`): an
equal question, an equal passage, a run of n words shared with a benchmark text, or an article of the same title.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from koine.collect.normalise import normalise, quarters, words
from koine.params import Clean, HeldOut
from koine.records import TEXTS
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id

MINHASH_BANDS, MINHASH_ROWS = 20, 5  # finds pairs of Jaccard >= 0.8 with probability > 0.999
SHINGLE = 5
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


def near_duplicates(texts: Sequence[str], threshold: float) -> dict[int, int]:
    """Texts that nearly equal an earlier one, as {index: index of the first of its kind}.

    MinHash over word 5-grams finds the candidates (Broder 1997), the exact Jaccard similarity decides.
    """
    hasher = NgramHasher(SHINGLE)
    shingles = [hasher(words(text)) for text in texts]
    draw = np.random.default_rng(0)
    hashes = MINHASH_BANDS * MINHASH_ROWS
    factor = draw.integers(1, 2**63 - 1, size=hashes, dtype=np.uint64) | np.uint64(1)
    shift = draw.integers(0, 2**63 - 1, size=hashes, dtype=np.uint64)
    buckets: dict[tuple[int, bytes], int] = {}
    first: dict[int, int] = {}
    for index, own in enumerate(shingles):
        if not len(own):
            continue
        mixed = own[:, None] * factor + shift
        signature = (mixed >> np.uint64(16)).min(axis=0).reshape(MINHASH_BANDS, MINHASH_ROWS)
        keys = [(band, row.tobytes()) for band, row in enumerate(signature)]
        for candidate in sorted({buckets[key] for key in keys if key in buckets}):
            other = shingles[candidate]
            shared = len(np.intersect1d(own, other, assume_unique=True))
            if shared >= threshold * (len(own) + len(other) - shared):
                first[index] = candidate
                break
        else:
            for key in keys:
                buckets.setdefault(key, index)
    return first


def clean(pairs: pl.DataFrame, contamination: Contamination, settings: Clean) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Drop duplicates and contaminated pairs.

    Args:
        pairs: QA rows (`records.QA`), in the order of the recipe's sources.
        contamination: the texts of the recipe's benchmarks.
        settings: thresholds.

    Returns:
        The kept rows, sorted by id and without bad negatives, and the dropped ones with the columns `reason` and `against`.
    """
    reasons: dict[str, tuple[str, str]] = {}

    def drop(rows: pl.DataFrame, reason: str, against: str | None = None) -> None:
        for row_id, other in rows.select("id", pl.lit(against) if against else "against").iter_rows():
            reasons.setdefault(row_id, (reason, other))

    # One id may name one pair only, or translations could not be aligned.
    pairs = pairs.unique("id", keep="first", maintain_order=True)
    keyed = pairs.with_columns(
        _q=pl.col("question").map_elements(normalise, return_dtype=pl.String),
        _p=pl.col("passage_id"),
    )
    firsts = keyed.with_columns(against=pl.col("id").first().over("_q", "_p"))
    drop(firsts.filter(pl.col("id") != pl.col("against")), "duplicate pair")

    passages = pairs.unique("passage_id", keep="first", maintain_order=True).select("passage_id", "passage")
    ids, texts = passages["passage_id"].to_list(), passages["passage"].to_list()
    twins = near_duplicates(texts, settings.near_duplicate)
    for index, original in twins.items():
        drop(pairs.filter(passage_id=ids[index]), "near-duplicate passage", ids[original])

    for passage_id, text in zip(ids, texts, strict=True):
        if found := contamination.find(text):
            drop(pairs.filter(passage_id=passage_id), f"passage in a benchmark ({found[1]})", found[0])
    for row_id, text in pairs.select("id", "question").iter_rows():
        if found := contamination.find(text):
            reasons.setdefault(row_id, (f"question in a benchmark ({found[1]})", found[0]))
    banned: set[str] = set()
    if settings.contamination_titles:
        for group in pairs["group"].unique().sort():
            if benchmark := contamination.find_title(group):
                drop(pairs.filter(group=group), "article of a benchmark", benchmark)
                banned |= set(pairs.filter(group=group)["passage"])

    dropped = pairs.filter(pl.col("id").is_in(list(reasons))).sort("id")
    dropped = dropped.with_columns(
        reason=pl.Series([reasons[row_id][0] for row_id in dropped["id"]], dtype=pl.String),
        against=pl.Series([reasons[row_id][1] for row_id in dropped["id"]], dtype=pl.String),
    )
    kept = pairs.filter(~pl.col("id").is_in(list(reasons))).sort("id")
    if 0 < settings.max_questions < len(kept):
        chosen = sorted(kept["id"], key=text_id)[: settings.max_questions]
        kept = kept.filter(pl.col("id").is_in(chosen))
    return clean_negatives(kept, contamination, banned, settings.near_duplicate), dropped


def hold_out(pairs: pl.DataFrame, settings: HeldOut) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Put questions aside as a benchmark: whole groups, so that nothing about an article or entity is seen in training.

    Args:
        pairs: clean QA rows (`records.QA`).
        settings: how many questions, and of which sources.

    Returns:
        The rows to train on, the held-out ones, and what is dropped for their sake, with `reason` and `against` as of `clean`:
        rows of other groups that ask a held-out question or have its passage. Held-out passages are no negatives.

    Raises:
        KoineError: no group is small enough, or nothing is left to train on.
    """
    own = pairs.filter(pl.col("source").is_in(settings.sources or pairs["source"].unique().to_list()))
    sizes = dict(own.group_by("group").len().iter_rows())
    chosen, left = [], settings.questions
    for group in sorted(sizes, key=text_id):
        if sizes[group] <= left:
            chosen.append(group)
            left -= sizes[group]
    heldout = own.filter(pl.col("group").is_in(chosen))
    rest = pairs.join(heldout, on="id", how="anti", maintain_order="left")
    if heldout.is_empty() or rest.is_empty():
        smallest = min(sizes.values(), default=0)
        raise KoineError(
            f"collect.heldout.questions: {settings.questions} of {len(own):,} questions in {len(sizes):,} groups (the smallest "
            f"has {smallest:,}) cannot be put aside: whole groups go, and some must be left to train on"
        )
    asked = {normalise(row["question"]): row["id"] for row in heldout.iter_rows(named=True)}
    answer = dict(heldout.select("passage_id", "id").iter_rows())
    same_passage = pl.col("passage_id").replace_strict(answer, default=None, return_dtype=pl.String)
    questions = pl.col("question").map_elements(normalise, return_dtype=pl.String)
    same_question = questions.replace_strict(asked, default=None, return_dtype=pl.String)
    rest = rest.with_columns(
        reason=pl.when(same_passage.is_not_null()).then(pl.lit("passage is held out")).otherwise(pl.lit("question is held out")),
        against=pl.coalesce(same_passage, same_question),
    )
    dropped = rest.filter(pl.col("against").is_not_null())
    training = rest.filter(pl.col("against").is_null()).drop("reason", "against")
    if training.is_empty():
        raise KoineError("collect.heldout.questions: every other question is asked, or answered, by a held-out one too")
    seen = pl.element().is_in(heldout["passage"].unique().implode())
    negatives = pl.col("negatives").list.eval(pl.element().filter(~seen))
    negatives = pl.when(negatives.list.len() > 0).then(negatives)
    return training.with_columns(negatives=negatives), heldout, dropped


def clean_negatives(pairs: pl.DataFrame, contamination: Contamination, banned: set[str], threshold: float) -> pl.DataFrame:
    """Drop negatives that stand in a benchmark, and those that nearly equal the passage of their row.

    Args:
        pairs: QA rows; one that loses all its negatives has null.
        contamination: the texts of the benchmarks.
        banned: passages of articles that a benchmark has too.
        threshold: of `near_duplicates`.
    """
    negatives = pairs["negatives"].explode().drop_nulls().unique(maintain_order=True)
    if negatives.is_empty():
        return pairs
    bad = banned | {text for text in negatives if contamination.find(text)}
    texts = list(dict.fromkeys([*pairs["passage"], *negatives]))
    twins = near_duplicates(texts, threshold)
    kind = {text: twins.get(index, index) for index, text in enumerate(texts)}
    rows = pairs.select("passage", "negatives").iter_rows()
    left = [[text for text in own or () if text not in bad and kind[text] != kind[passage]] or None for passage, own in rows]
    return pairs.with_columns(negatives=pl.Series(left, dtype=TEXTS))
