"""What a metric is computed from: the queries of one language, ranked against one corpus or pool."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from koine.evaluate.ranks import Ints, Scorer, Top

Floats = npt.NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True)
class Relevant:
    """The ranks of the relevant passages of Q queries, J ranks in all.

    Attributes:
        queries: those that have a relevant passage, in rising order, int64 `[Q]`.
        ranks: from 1, rising within a query, float64 `[J]`.
        first: where the ranks of each query begin, int64 `[Q]`.
        total: how many each query has, int64 `[Q]`.
        nth: 1, 2, … within a query, int64 `[J]`.
    """

    queries: Ints
    ranks: Floats
    first: Ints
    total: Ints
    nth: Ints

    @classmethod
    def of(cls, query: Ints, rank: Ints) -> "Relevant":
        """Sort judgements by query and rank.

        Args:
            query: query of each judgement, int64 `[J]`.
            rank: rank of its relevant passage, from 1, int64 `[J]`.
        """
        order = np.lexsort((rank, query))
        query, ranks = query[order], rank[order].astype(np.float64)
        queries, first, total = np.unique(query, return_index=True, return_counts=True)
        return cls(queries, ranks, first, total, np.arange(len(ranks)) - np.repeat(first, total) + 1)

    def summed(self, values: Floats) -> Floats:
        """The sum over the relevant passages of each query: float64 `[J]` to `[Q]`."""
        return np.add.reduceat(values, self.first) if len(values) else np.empty(0)


@dataclass(frozen=True)
class Asked:
    """The queries of one language and the first passages of a pool for them.

    Attributes:
        rows: of the benchmark's queries, int64 `[n]`.
        ids: question ids, equal in all languages, `[n]`.
        top: of the pool.
    """

    rows: Ints
    ids: pl.Series
    top: Top


@dataclass(frozen=True)
class Pool:
    """The queries of all languages, put to one pool of passages.

    Attributes:
        asked: by language.
        scorer: of all queries and passages of the benchmark.
        passage_langs: the language of each passage of the benchmark, `[N]`.
    """

    asked: Mapping[str, Asked]
    scorer: Scorer
    passage_langs: pl.Series
    _made: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` returns, made once for all languages and metrics that need it."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made


@dataclass(frozen=True)
class Ranked:
    """The queries of one language, ranked against one corpus or pool: what `Metric.compute` takes.

    Attributes:
        relevant: ranks of the relevant passages. A metric has a value for each of its queries.
        lang: of the queries.
        elsewhere: ranks of the relevant passages in other languages than the queries'; None outside of the multi setting.
        pool: what the languages share; None outside of the multi setting.
    """

    relevant: Relevant
    lang: str = ""
    elsewhere: Relevant | None = None
    pool: Pool | None = None
