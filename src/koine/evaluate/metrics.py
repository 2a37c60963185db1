"""Metrics of the ranks of the relevant passages, and of the first passages of a pool (`koine.metrics` names them).

Settings (arXiv 2408.10536 section 4.1): *mono*, query and corpus in one language; *cross*, one ordered pair of
different languages; *multi*, the query against the union of all languages' corpora, where the parallel passages
of all languages are relevant. Queries without a relevant passage in a corpus do not count there.

Each function takes Q queries and the cut-off, R being a query's relevant passages, and returns float64 `[Q]`.
"""

from collections.abc import Sequence

import numpy as np

from koine.evaluate.cells import Floats, Ranked, Relevant
from koine.evaluate.ranks import Ints
from koine.metrics import metric
from koine.names import target


def compute(ranked: Ranked, names: Sequence[str]) -> dict[str, Floats]:
    """Some metrics of the queries of a cell.

    Args:
        ranked: Q queries.
        names: of metrics.

    Returns:
        float64 `[Q]` by name, NaN where a query has no value; without those that mean nothing here.

    Raises:
        ValueError: no metric is called so.
    """
    values = {}
    for name in names:
        _, entry, cutoff = metric(name)
        value: Floats | None = target(entry.compute)(ranked, cutoff)
        if value is not None:
            values[name] = value
    return values


def metrics(query: Ints, rank: Ints, names: Sequence[str]) -> tuple[Ints, dict[str, Floats]]:
    """Metrics of every query that has a relevant passage, from ranks alone.

    Args:
        query: query of each judgement, int64 `[J]`.
        rank: rank of its relevant passage, from 1, int64 `[J]`.
        names: of metrics that need no more.

    Returns:
        The Q distinct queries, sorted, and one float64 `[Q]` per name.

    Raises:
        ValueError: no metric is called so.

    >>> metrics(np.array([0, 0]), np.array([1, 4]), ["map", "recall@1", "rank_distance"])[1]
    {'map': array([0.75]), 'recall@1': array([0.5]), 'rank_distance': array([3.])}
    """
    ranked = Ranked(Relevant.of(query, rank))
    return ranked.relevant.queries, compute(ranked, names)


def average_precision(ranked: Ranked, k: int | None) -> Floats:
    """`1/|R| sum_i i / rank_i` over the sorted ranks; with a cut-off, hits to rank k over `min(|R|, k)` (arXiv 2004.05484)."""
    of = ranked.relevant
    hit = of.ranks <= _depth(k)
    return of.summed(np.where(hit, of.nth / of.ranks, 0)) / np.minimum(of.total, _depth(k))


def ndcg(ranked: Ranked, k: int | None) -> Floats:
    """Discounted cumulative gain to rank k with binary gains, over that of the best order."""
    of, depth = ranked.relevant, _depth(k)
    ideal = np.cumsum(1 / np.log2(np.arange(2, min(depth, of.total.max(initial=1)) + 2)))
    gains: Floats = of.summed(np.where(of.ranks <= depth, 1 / np.log2(of.ranks + 1), 0)) / ideal[np.minimum(of.total, depth) - 1]
    return gains


def recall(ranked: Ranked, k: int | None) -> Floats:
    """Share of R that stands at rank k or before."""
    of = ranked.relevant
    return of.summed((of.ranks <= _depth(k)).astype(np.float64)) / of.total


def reciprocal_rank(ranked: Ranked, k: int | None) -> Floats:
    """One over the first rank; with a cut-off, 0 where that is behind rank k."""
    first: Floats = ranked.relevant.ranks[ranked.relevant.first]
    return np.where(first <= _depth(k), 1 / first, 0.0)


def accuracy(ranked: Ranked, k: int | None) -> Floats:
    """1 where the first passage is relevant."""
    first: Floats = (ranked.relevant.ranks[ranked.relevant.first] == 1).astype(np.float64)
    return first


def rank_distance(ranked: Ranked, k: int | None) -> Floats:
    """Largest less smallest rank of R (arXiv 2408.10536 footnote 6)."""
    of = ranked.relevant
    distance: Floats = of.ranks[of.first + of.total - 1] - of.ranks[of.first]
    return distance


def target_language_recall(ranked: Ranked, k: int | None) -> Floats | None:
    """Recall of the relevant passages in other languages than the query's (arXiv 2606.18801); NaN where there are none."""
    of = ranked.elsewhere
    if of is None:
        return None
    values = np.full(len(ranked.relevant.queries), np.nan)
    values[np.searchsorted(ranked.relevant.queries, of.queries)] = recall(Ranked(of), k)
    return values


def same_language(ranked: Ranked, k: int | None) -> Floats | None:
    """Share of the first k passages of the pool that are in the query's language."""
    if ranked.pool is None:
        return None
    columns = ranked.pool.asked[ranked.lang].top.columns[ranked.relevant.queries, :k]
    spoken = ranked.pool.passage_langs.gather(np.maximum(columns, 0).ravel()) == ranked.lang
    there = columns >= 0
    shares: Floats = (spoken.to_numpy().reshape(columns.shape) & there).sum(axis=1) / there.sum(axis=1)
    return shares


def _depth(k: int | None) -> int:
    return k or np.iinfo(np.int64).max
