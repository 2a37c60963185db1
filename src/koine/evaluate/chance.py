"""The best value of each metric, and the mean that random orders of a corpus have (`koine.metrics` names them)."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """What the value depends on.

    Attributes:
        passages: of the corpus or pool, N.
        relevant: of them those that are relevant to a query, R, at least 1.
        languages: of the pool, L. Each has as many passages, and as many relevant ones.
    """

    passages: int
    relevant: int
    languages: int = 1


def one(counts: Counts, k: int | None) -> float:
    """The best fraction."""
    return 1.0


def most_recall(counts: Counts, k: int | None) -> float:
    """No more than k of the relevant passages can be among the first k."""
    return min(k or counts.passages, counts.relevant) / counts.relevant


def most_recall_elsewhere(counts: Counts, k: int | None) -> float:
    """The same of the relevant passages in other languages than the query's."""
    others = counts.relevant * (counts.languages - 1) // counts.languages
    return most_recall(Counts(counts.passages, others), k)


def least_rank_distance(counts: Counts, k: int | None) -> float:
    """All relevant passages stand side by side: `R - 1`."""
    return float(counts.relevant - 1)


def share_of_a_language(counts: Counts, k: int | None) -> float:
    """One language in L."""
    return 1 / counts.languages


def average_precision(counts: Counts, k: int | None) -> float:
    """`1/N sum_{r <= k} (1/r + (r - 1)/r (R - 1)/(N - 1))`, over `min(R, k) / R`.

    Without a cut-off it is that of Bestgen 2015, "Exact expected average precision of the random baseline".
    """
    n, relevant, depth = counts.passages, counts.relevant, min(k or counts.passages, counts.passages)
    others = (relevant - 1) / (n - 1) if n > 1 else 0.0
    total = sum((1 + (rank - 1) * others) / rank for rank in range(1, depth + 1)) / n
    return total * relevant / min(relevant, k or relevant)


def ndcg(counts: Counts, k: int | None) -> float:
    """Every rank holds a relevant passage with the probability `R / N`."""
    gains = [1 / math.log2(rank + 1) for rank in range(1, min(k or counts.passages, counts.passages) + 1)]
    return counts.relevant / counts.passages * sum(gains) / sum(gains[: counts.relevant])


def recall(counts: Counts, k: int | None) -> float:
    """The share of the corpus that k passages are, `k / N`."""
    return min(k or counts.passages, counts.passages) / counts.passages


def reciprocal_rank(counts: Counts, k: int | None) -> float:
    """`sum_{r <= k} P(r) / r` with P(r), the probability that the first relevant passage is the r-th."""
    return sum(chance / rank for rank, chance in itertools.islice(enumerate(_firsts(counts), start=1), k))


def accuracy(counts: Counts, k: int | None) -> float:
    """The share of the corpus that is relevant, `R / N`."""
    return counts.relevant / counts.passages


def rank_distance(counts: Counts, k: int | None) -> float:
    """The expected range of R ranks among N, `(N + 1) (R - 1) / (R + 1)`."""
    return (counts.passages + 1) * (counts.relevant - 1) / (counts.relevant + 1)


def rankc(counts: Counts, k: int | None) -> float:
    """Two random lists of j passages share `j² / N` of them: `sum_j w_j j / N`, `w_j ∝ e^(k - j)`."""
    depth = k or counts.passages
    weights = [math.exp(-j) for j in range(depth)]
    shared = (min(j, counts.passages) ** 2 / counts.passages / j for j in range(1, depth + 1))
    return sum(weight * share for weight, share in zip(weights, shared, strict=True)) / sum(weights)


def _firsts(counts: Counts) -> Iterator[float]:
    """The probabilities that the first relevant passage has rank 1, 2, … each."""
    before = 1.0  # that no relevant passage stood before
    for rank in range(1, counts.passages - counts.relevant + 2):
        here = counts.relevant / (counts.passages - rank + 1)
        yield before * here
        before *= 1 - here
