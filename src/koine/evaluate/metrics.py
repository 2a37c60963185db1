"""From the ranks of the relevant passages to every metric, by its name.

Settings (arXiv 2408.10536 section 4.1): *mono*, query and corpus in one language; *cross*, one ordered pair of
different languages; *multi*, the query against the union of all languages' corpora, where the parallel passages
of all languages are relevant. Queries without a relevant passage in a corpus do not count there.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from koine.evaluate.ranks import Ints

Floats = npt.NDArray[np.float64]


def metrics(query: Ints, rank: Ints, names: Sequence[str]) -> tuple[Ints, dict[str, Floats]]:
    """Metrics of every query that has a relevant passage.

    Args:
        query: query of each judgement, int64 `[J]`.
        rank: rank of its relevant passage, from 1, int64 `[J]`.
        names: of `koine.params.RANKED`, `@k` being any cut-off.

    Returns:
        The Q distinct queries, sorted, and one float64 `[Q]` per name. R are a query's relevant passages:

        - map: `1/|R| sum_i i / rank_i` over the sorted ranks; map@k: hits to rank k over `min(|R|, k)` (LAReQA, arXiv
          2004.05484).
        - ndcg@k with binary gains, recall@k over |R|.
        - mrr: one over the first rank; mrr@k: 0 where that is behind rank k. accuracy: whether the first passage is
          relevant.
        - rank_distance: largest less smallest rank of the relevant passages (arXiv 2408.10536 footnote 6).
    """
    order = np.lexsort((rank, query))
    query, rank = query[order], rank[order].astype(np.float64)
    queries, first, total = np.unique(query, return_index=True, return_counts=True)
    nth = np.arange(len(rank)) - np.repeat(first, total) + 1  # this is the query's n-th relevant passage

    def added(values: Floats) -> Floats:
        return np.add.reduceat(values, first) if len(values) else np.empty(0)

    def value(name: str) -> Floats:
        kind, _, cut = name.partition("@")
        k = int(cut) if cut else np.iinfo(np.int64).max
        hit = rank <= k
        found: Floats
        if kind == "map":
            found = added(np.where(hit, nth / rank, 0)) / np.minimum(total, k)
        elif kind == "ndcg":
            ideal = np.cumsum(1 / np.log2(np.arange(2, min(k, total.max(initial=1)) + 2)))
            found = added(np.where(hit, 1 / np.log2(rank + 1), 0)) / ideal[np.minimum(total, k) - 1]
        elif kind == "recall":
            found = added(hit.astype(np.float64)) / total
        elif kind == "mrr":
            found = np.where(hit[first], 1 / rank[first], 0)
        elif kind == "accuracy":
            found = (rank[first] == 1).astype(np.float64)
        elif kind == "rank_distance":
            found = rank[first + total - 1] - rank[first]
        else:
            raise ValueError(f"unknown metric {name!r}")
        return found

    return queries, {name: value(name) for name in names}
