"""How much vectors tell about the language of their texts: a linear probe that identifies it."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits

from koine.evaluate.cells import Floats, Pool, Ranked
from koine.evaluate.ranks import Vectors
from koine.runtime.errors import KoineError

RIDGE = 1.0  # λ


def probed(ranked: Ranked, k: int | None) -> Floats | None:
    """1 where the probe identifies the language of a query, float64 `[Q]`; None without vectors, or with too few queries."""
    pool = ranked.pool
    if pool is None or not isinstance(pool.scorer, Vectors) or len(pool.asked) < 2:
        return None
    vectors = pool.scorer.queries
    identified = pool.once("language probe", lambda: _identified(pool, vectors))
    return None if identified is None else identified[ranked.lang][ranked.relevant.queries]


def _identified(pool: Pool, vectors: npt.NDArray[np.floating]) -> dict[str, Floats] | None:
    """What the probe says of all queries of each language."""
    ids = pl.concat([asked.ids for asked in pool.asked.values()])
    if ids.n_unique() < 2:
        return None
    rows = np.concatenate([asked.rows for asked in pool.asked.values()])
    languages = np.repeat(list(pool.asked), [len(asked.rows) for asked in pool.asked.values()])
    correct = language_probe(vectors[rows], languages.tolist(), ids.to_list())
    return {lang: correct[languages == lang].astype(np.float64) for lang in pool.asked}


def language_probe(vectors: npt.NDArray[np.floating], languages: Sequence[str], groups: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether a linear probe, trained on other texts, names the language of each vector.

    Two folds by group: a probe is trained on each and tested on the other, so that a question and its translations never
    stand on both sides. The probe is ridge regression with an intercept onto one-hot languages, `W = (XᵀX + λI)⁻¹ XᵀY` of
    centred X and Y, and the language of the largest output is its answer. Where no language leaves a trace, its accuracy
    is that of guessing, 1/L; 1 means that every vector shows its language.

    Args:
        vectors: `[n, d]`.
        languages: of the n texts.
        groups: what must not be torn apart, as the question's id, of the n texts. Half of the groups make a fold, by the
            order of their hashes.

    Returns:
        bool `[n]`. Computed in float64 and by one thread: the same bytes on any number of cores.

    Raises:
        KoineError: fewer than two groups.
    """
    names, target = np.unique(np.asarray(languages), return_inverse=True)
    group, of = np.unique(np.asarray(groups), return_inverse=True)
    if len(group) < 2:
        raise KoineError(f"the language probe needs two groups of texts, to train on one; there are {len(group)}")
    order = np.argsort([hashlib.blake2b(str(name).encode("utf-8", "surrogatepass")).digest() for name in group])
    second = np.zeros(len(group), dtype=bool)
    second[order[len(group) // 2 :]] = True
    tested = second[of]
    correct = np.zeros(len(target), dtype=bool)
    with threadpool_limits(1, user_api="blas"):
        for fold in (tested, ~tested):
            x, y = vectors[~fold].astype(np.float64), np.eye(len(names))[target[~fold]]
            centre = x.mean(axis=0)
            x -= centre
            weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0)))
            outputs = (vectors[fold].astype(np.float64) - centre) @ weights + y.mean(axis=0)
            correct[fold] = outputs.argmax(axis=1) == target[fold]
    return correct
