"""Ranks of the relevant passages, from scores that are computed block by block.

Every metric comes from two things: how many passages of each language stand before each relevant passage, and the first
few passages of each pool. Scores are float32. Of equal scores the passage that comes first in the benchmark's table ranks
first; so a ranking is unique, and every pool's ranking is a part of the whole pool's.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

HELD = 2**30  # bytes of scores that are in memory at once


class Scorer(Protocol):
    """What scores queries against passages."""

    def scores(self, rows: Ints, columns: slice) -> Scores:
        """Scores of these queries against a run of passages, float32 `[n, columns]`; the same for the same arguments."""

    def at(self, rows: Ints, columns: Ints) -> Scores:
        """Scores of each query against passages of its own, given as `[n, k]`; float32 `[n, k]`."""


@dataclass(frozen=True)
class Vectors:
    """Scores as inner products of vectors.

    Attributes:
        queries: float32 `[q, d]`.
        passages: float32 or float16 `[N, d]`; a memory map is read block by block.
    """

    queries: Scores
    passages: npt.NDArray[np.floating]

    def scores(self, rows: Ints, columns: slice) -> Scores:
        """See `Scorer`."""
        product: Scores = self.queries[rows] @ np.asarray(self.passages[columns], dtype=np.float32).T
        return product

    def at(self, rows: Ints, columns: Ints) -> Scores:
        """See `Scorer`."""
        product: Scores = np.einsum("nd,nkd->nk", self.queries[rows], np.asarray(self.passages[columns], dtype=np.float32))
        return product


@dataclass(frozen=True)
class Judgements:
    """Relevant passages of the queries of one language.

    Attributes:
        query: row of the query among those ranked together, in rising order, int64 `[J]`.
        passage: column of the relevant passage, int64 `[J]`.
        block: number of the passage's language, int64 `[J]`.
    """

    query: Ints
    passage: Ints
    block: Ints


@dataclass(frozen=True)
class Top:
    """The first passages of a pool.

    Attributes:
        columns: best first, int64 `[n, depth]`; -1 where the pool holds fewer.
        scores: float32 `[n, depth]`; -inf there.
    """

    columns: Ints
    scores: Scores

    def to(self, depth: int) -> "Top":
        """The first `depth` of them."""
        return Top(self.columns[:, :depth], self.scores[:, :depth])


def rank(
    scorer: Scorer, rows: Ints, reach: slice, judgements: Judgements, blocks: Sequence[slice],
    pools: Mapping[str, Sequence[int]], depth: int,
) -> tuple[Ints, dict[str, Top]]:  # fmt: skip
    """Rank the passages within reach for some queries, holding `HELD` bytes of scores at a time.

    Args:
        scorer: what scores.
        rows: the queries, int64 `[n]`.
        reach: the columns that are ranked.
        judgements: J relevant passages among them.
        blocks: columns of each language, L slices.
        pools: numbers of the languages whose passages make up each pool.
        depth: how many first passages of each pool are wanted.

    Returns:
        How many passages of each language stand before each relevant passage, int64 `[J, L]`; and the top of each pool.
    """
    step = max(1, HELD // (4 * max(1, len(rows))))
    chunks = [slice(start, min(start + step, reach.stop)) for start in range(reach.start, reach.stop, step)]
    whole = scorer.scores(rows, chunks[0]) if len(chunks) == 1 else None

    def scored() -> Iterator[tuple[slice, Scores]]:
        # Computed twice where they are not held: to the bit the same, as a tie must stay one.
        yield from ((chunk, scorer.scores(rows, chunk) if whole is None else whole) for chunk in chunks)

    own = np.empty(len(judgements.query), dtype=np.float32)
    for chunk, scores in scored():
        here = (judgements.passage >= chunk.start) & (judgements.passage < chunk.stop)
        own[here] = scores[judgements.query[here], judgements.passage[here] - chunk.start]
    ahead = np.zeros((len(own), len(blocks)), dtype=np.int64)
    empty = Top(np.full((len(rows), depth), -1), np.full((len(rows), depth), -np.inf, dtype=np.float32))
    tops = dict.fromkeys(pools, empty)
    for chunk, scores in scored():
        ahead += count_ahead(scores, own, judgements, blocks, chunk.start)
        for name, members in pools.items() if depth else ():
            parts = [block for number in members if (block := _cut(blocks[number], chunk)).stop > block.start]
            tops[name] = _merged(tops[name], *_best(scores, parts, chunk.start, depth))
    return ahead, tops


def count_ahead(scores: Scores, own: Scores, judgements: Judgements, blocks: Sequence[slice], start: int = 0) -> Ints:
    """How many of these passages, by language, stand before each relevant passage.

    The rank of judgement j within language l is `1 + ahead[j, l]`, and within any pool of languages
    `1 + ahead[j, pool].sum()`: mono, cross, multi and every sub-pool come from this one table.

    Args:
        scores: of the queries of one language against the columns from `start` on, `[n, m]`.
        own: score of each relevant passage, `[J]`.
        judgements: J of them.
        blocks: columns of each language, L slices.
        start: column that the first of `scores` is.

    Returns:
        int64 `[J, L]`.
    """
    ahead = np.zeros((len(own), len(blocks)), dtype=np.int64)
    cut = [_cut(block, slice(start, start + scores.shape[1])) for block in blocks]
    queries, first = np.unique(judgements.query, return_index=True)
    for row, part in zip(queries, itertools.starmap(slice, itertools.pairwise([*first, len(own)])), strict=True):
        line, value, passage = scores[row], own[part, None], judgements.passage[part]
        before = line > value
        judged, column = np.divmod(np.flatnonzero(line == value), len(line))  # itself, and seldom another
        earlier = column + start < passage[judged]
        before[judged[earlier], column[earlier]] = True
        for number, block in enumerate(cut):  # bits are counted faster than booleans are added up
            bits = np.packbits(before[:, block.start - start : block.stop - start], axis=1)
            ahead[part, number] = np.bitwise_count(bits).sum(axis=1, dtype=np.int64)
    return ahead


def _cut(block: slice, chunk: slice) -> slice:
    """The part of a block in a chunk; empty at the chunk's start where they do not meet."""
    low, high = max(block.start, chunk.start), min(block.stop, chunk.stop)
    return slice(low, high) if low < high else slice(chunk.start, chunk.start)


def _best(scores: Scores, parts: Sequence[slice], start: int, depth: int) -> tuple[Ints, Scores]:
    """Columns and scores of the `depth` best of these parts, best first, in as many columns as there are."""
    columns = np.concatenate([np.arange(part.start, part.stop) for part in parts] or [np.zeros(0, dtype=np.int64)])
    held = scores if len(columns) == scores.shape[1] else scores[:, columns - start]
    depth = min(depth, len(columns))
    if not depth:
        return np.zeros((len(scores), 0), dtype=np.int64), np.zeros((len(scores), 0), dtype=np.float32)
    least = np.partition(held, -depth, axis=1)[:, -depth]  # all above it are in, and the first of those equal to it
    chosen = np.empty((len(scores), depth), dtype=np.int64)
    for row, line in enumerate(held):
        among = np.flatnonzero(line >= least[row])
        chosen[row] = among[np.argsort(-line[among], kind="stable")[:depth]]
    return columns[chosen], np.take_along_axis(held, chosen, axis=1)


def _merged(top: Top, columns: Ints, scores: Scores) -> Top:
    """The best of a top and of passages that stand behind it in the table."""
    both, values = np.hstack([top.columns, columns]), np.hstack([top.scores, scores])
    order = np.argsort(-values, axis=1, kind="stable")[:, : top.columns.shape[1]]
    return Top(np.take_along_axis(both, order, axis=1), np.take_along_axis(values, order, axis=1))
