"""Whether parallel questions are answered alike in every language: RankC and MRC@k.

Both look at the first passages of the pool of all languages. A model that prefers the query's language gives questions
that say the same, in different languages, different lists.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from scipy.stats import rankdata

from koine.evaluate.cells import Asked, Floats, Pool, Ranked
from koine.evaluate.ranks import Ints, Scorer


def rankc(ranked: Ranked, k: int | None) -> Floats | None:
    """RankC of the first k passages with the other languages' (`consistency`), float64 `[Q]`."""
    return None if ranked.pool is None else _compared(ranked.pool, k)[ranked.lang][0][ranked.relevant.queries]


def mrc(ranked: Ranked, k: int | None) -> Floats | None:
    """Mean rank correlation over the first k passages (`consistency`), float64 `[Q]`."""
    return None if ranked.pool is None else _compared(ranked.pool, k)[ranked.lang][1][ranked.relevant.queries]


def _compared(pool: Pool, k: int | None) -> dict[str, tuple[Floats, Floats]]:
    """Both, of all queries of each language."""

    def make() -> dict[str, tuple[Floats, Floats]]:
        asked = {lang: Asked(one.rows, one.ids, one.top.to(k or one.top.columns.shape[1])) for lang, one in pool.asked.items()}
        return consistency(asked, pool.scorer)

    return pool.once(f"consistency@{k}", make)


def consistency(asked: Mapping[str, Asked], scorer: Scorer) -> dict[str, tuple[Floats, Floats]]:
    """RankC and mean rank correlation of every query, as means over the other languages that ask the same question.

    RankC (arXiv 2310.10378, equation 3): `sum_j w_j |top_j(a) ∩ top_j(b)| / j` over depths j = 1..k, `w_j ∝ e^(k-j)`.
    The lists are those of one pool, so an id needs no translation.

    MRC@k (arXiv 2509.06195): Spearman's correlation of the two queries' scores over the union of both lists; 0 where all
    scores of one are equal.

    Args:
        asked: by language.
        scorer: of the same queries and passages.

    Returns:
        By language RankC and MRC, float64 `[n]` each, NaN where no other language asks the question.
    """
    totals = {lang: np.zeros((3, len(one.rows))) for lang, one in asked.items()}  # sums of both, and how many
    languages = list(asked)
    for number, a in enumerate(languages):
        for b in languages[number + 1 :]:
            here, there = _shared(asked[a].ids, asked[b].ids)
            if not len(here):
                continue
            values = np.stack([*_compare(asked[a], asked[b], here, there, scorer), np.ones(len(here))])
            totals[a][:, here] += values  # both measures are symmetric
            totals[b][:, there] += values
    with np.errstate(invalid="ignore"):
        return {lang: (total[0] / total[2], total[1] / total[2]) for lang, total in totals.items()}


def _shared(a: pl.Series, b: pl.Series) -> tuple[Ints, Ints]:
    """Positions of equal ids."""
    left, right = (pl.DataFrame({"id": ids, name: np.arange(len(ids))}) for name, ids in (("a", a), ("b", b)))
    both = left.join(right, on="id", maintain_order="left")
    return both["a"].to_numpy(), both["b"].to_numpy()


def _compare(a: Asked, b: Asked, here: Ints, there: Ints, scorer: Scorer) -> tuple[Floats, Floats]:
    first, second = a.top.columns[here], b.top.columns[there]
    k = first.shape[1]
    # same[n, i, j]: a's i-th passage is b's j-th; the first j of both share the ones of its upper left corner.
    same = (first[:, :, None] == second[:, None, :]) & (first >= 0)[:, :, None]
    shared = np.cumsum(np.cumsum(same, axis=1), axis=2)[:, np.arange(k), np.arange(k)]
    weights = np.exp(-np.arange(k, dtype=np.float64))
    rankc = (shared / np.arange(1, k + 1)) @ (weights / weights.sum())
    new = ~same.any(axis=1) & (second >= 0)  # of the union, what the first list does not hold already
    counts = np.hstack([first >= 0, new])
    scores = (  # of the passages in both lists; those of one's own are known
        np.hstack([a.top.scores[here], scorer.at(a.rows[here], np.maximum(second, 0))]),
        np.hstack([scorer.at(b.rows[there], np.maximum(first, 0)), b.top.scores[there]]),
    )
    return rankc, _spearman(*(np.where(counts, each, np.nan).astype(np.float64) for each in scores))


def _spearman(a: Floats, b: Floats) -> Floats:
    """Row by row, over the columns that are not NaN (in both the same); 0 where either side is constant."""
    # What does not count ranks behind all that does.
    ranks = [np.where(np.isnan(each), np.nan, rankdata(np.nan_to_num(each, nan=np.inf), axis=1)) for each in (a, b)]
    x, y = (each - np.nanmean(each, axis=1, keepdims=True) for each in ranks)
    spread = np.sqrt(np.nansum(x * x, axis=1) * np.nansum(y * y, axis=1))
    rho: Floats = np.divide(np.nansum(x * y, axis=1), spread, out=np.zeros(len(a)), where=spread > 0)
    return rho
