"""Ranks once, then every metric from the ranks of the relevant passages.

Settings (arXiv 2408.10536 section 4.1): *mono*, query and corpus in one language; *cross*, one ordered pair of
different languages; *multi*, the query against the union of all languages' corpora, where the parallel passages
of all languages are relevant. Queries without a relevant passage in a corpus do not count there.

Ties: of equal scores the passage that comes first in the benchmark's table ranks first. Scores are float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

METRICS = ("map", "map@20", "ndcg@10", "recall@1", "recall@10", "mrr", "rank_distance")
CHUNK = 256  # judgements compared at once: bounds memory at CHUNK x passages booleans


@dataclass(frozen=True)
class Judgements:
    """Relevant passages of the queries of one language.

    Attributes:
        query: row of the query, int64 `[J]`.
        passage: column of the relevant passage in the pool, int64 `[J]`.
        block: number of the passage's language, int64 `[J]`.
    """

    query: Ints
    passage: Ints
    block: Ints


def count_ahead(scores: npt.NDArray[np.float32], judgements: Judgements, blocks: Sequence[slice]) -> Ints:
    """How many passages of each language stand before each relevant passage.

    The rank of judgement j within language l is `1 + ahead[j, l]`, and within any pool of languages
    `1 + ahead[j, pool].sum()`: mono, cross, multi and every sub-pool come from this one table.

    Args:
        scores: of the queries of one language against the whole pool, `[n, N]`.
        judgements: J of them.
        blocks: columns of each language, L slices.

    Returns:
        int64 `[J, L]`.
    """
    ahead = np.empty((len(judgements.query), len(blocks)), dtype=np.int64)
    columns = np.arange(scores.shape[1])
    for start in range(0, len(ahead), CHUNK):
        part = slice(start, start + CHUNK)
        rows, own = scores[judgements.query[part]], judgements.passage[part, None]
        value = np.take_along_axis(rows, own, axis=1)
        before = rows > value
        before |= (rows == value) & (columns < own)
        for number, block in enumerate(blocks):
            ahead[part, number] = np.count_nonzero(before[:, block], axis=1)
    return ahead


def metrics(query: Ints, rank: Ints) -> tuple[Ints, dict[str, Floats]]:
    """Every metric of every query that has a relevant passage.

    Args:
        query: query of each judgement, int64 `[J]`.
        rank: rank of its relevant passage, from 1, int64 `[J]`.

    Returns:
        The Q distinct queries, sorted, and one float64 `[Q]` per name in `METRICS`:

        - map: `1/|R| sum_i i / rank_i` over the sorted ranks; map@20: hits to rank 20 over `min(|R|, 20)` (LAReQA).
        - ndcg@10 with binary gains, recall@k over |R|, mrr without cut-off.
        - rank_distance: largest less smallest rank of the relevant passages (arXiv 2408.10536 footnote 6).
    """
    order = np.lexsort((rank, query))
    query, rank = query[order], rank[order].astype(np.float64)
    queries, first, total = np.unique(query, return_index=True, return_counts=True)
    nth = np.arange(len(rank)) - np.repeat(first, total) + 1  # this is the query's n-th relevant passage

    def added(values: Floats) -> Floats:
        return np.add.reduceat(values, first) if len(values) else np.empty(0)

    def ideal(k: int) -> Floats:
        gains: Floats = np.cumsum(1 / np.log2(np.arange(2, k + 2)))[np.minimum(total, k) - 1]
        return gains

    return queries, {
        "map": added(nth / rank) / total,
        "map@20": added(np.where(rank <= 20, nth / rank, 0)) / np.minimum(total, 20),
        "ndcg@10": added(np.where(rank <= 10, 1 / np.log2(rank + 1), 0)) / ideal(10),
        "recall@1": added((rank <= 1).astype(np.float64)) / total,
        "recall@10": added((rank <= 10).astype(np.float64)) / total,
        "mrr": 1 / rank[first],
        "rank_distance": rank[first + total - 1] - rank[first],
    }
