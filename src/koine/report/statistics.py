"""The statistics of the tables: resampling over seeds and questions, and paired tests between two systems.

A question and its translations are one unit, since their scores are not independent: everything that is drawn or
exchanged here is a question id. A *system* is one backbone trained with one strategy; its seeds are runs of it. Call these
functions with one BLAS thread: a sum's last bits depend on how many threads share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import ndtr, ndtri  # of the normal distribution; scipy.stats is slow to import

from koine.metrics import metric
from koine.params import Report
from koine.records import SCORES
from koine.runtime.errors import KoineError

Floats = npt.NDArray[np.float64]

#: Of a mean over all queries of a setting; without it, over its cells (languages, or ordered pairs of them).
MICRO = ":micro"
PERMUTATIONS_AT_ONCE = 500


@dataclass(frozen=True)
class Sample:
    """One system on one benchmark, in one setting and metric.

    Attributes:
        resampled: the mean, then the means of the bootstrap's resamples, float64 `[1 + R]`.
        contributions: what each question adds to the mean, float64 `[questions]`; they sum to it.
        seeds: number of seeds.
        queries: number of (query, cell) values of one seed.
    """

    resampled: Floats
    contributions: Floats
    seeds: int
    queries: int

    @property
    def mean(self) -> float:
        """The estimate."""
        return float(self.resampled[0])

    def interval(self, confidence: float) -> tuple[float, float]:
        """Percentile interval."""
        return percentile(self.resampled[1:], confidence)


def percentile(resampled: Floats, confidence: float) -> tuple[float, float]:
    """The middle `confidence` of resampled values."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail])  # NaN: a resample of no question that has a value
    return float(low), float(high)


def resample(seeds: Sequence[pl.DataFrame], report: Report, *, micro: bool = True) -> dict[str, Sample]:
    """Every metric of a system in one setting, with resamples over seeds and, independently, over question ids.

    The macro mean is over cells of the mean over queries. The micro mean, `map:micro`, is over all queries alike; it is given
    for the metrics of single rankings, where cells differ in size: else both are the same. Two systems with the same
    questions and number of seeds see the same draws, so the difference of their resamples is a resample of their difference.

    Args:
        seeds: `records.SCORES` of one benchmark and setting, one frame per seed, with the same cells and queries.
        report: number of resamples, and the seed of the draws.
        micro: whether micro means are wanted, too; the columns are then names of metrics.

    Raises:
        KoineError: the seeds were evaluated on different queries.
    """
    first = seeds[0]
    cells = first.select("query_lang", "doc_lang").unique(maintain_order=True).with_row_index("cell")
    ids = first["query_id"].unique().sort()
    shape = (len(cells), len(ids))
    draw = np.random.default_rng([report.seed, len(ids)])
    # The first column weighs every question once: the point estimate goes through the same sums.
    weights = np.ones((len(ids), 1 + report.resamples))
    weights[:, 1:] = draw.multinomial(len(ids), np.full(len(ids), 1 / len(ids)), size=report.resamples).T
    chosen = draw.integers(len(seeds), size=(report.resamples, len(seeds)))
    places = []
    for frame in seeds:
        cell = frame.join(cells, on=["query_lang", "doc_lang"], how="left", maintain_order="left")["cell"].to_numpy()
        places.append(cell * len(ids) + ids.search_sorted(frame["query_id"]).to_numpy())
        if not np.array_equal(places[0], places[-1]):
            raise KoineError("the seeds of one system were evaluated on different queries; delete data/*/evaluate")
    samples: dict[str, Sample] = {}
    held: dict[bytes, Floats] = {}  # how many questions of each cell a resample holds: mostly the same for all metrics
    for name in (column for column in first.columns if column not in SCORES.columns):
        there = first[name].is_not_null().to_numpy()
        if not there.any():
            continue
        present = np.zeros(shape)
        present.flat[places[0][there]] = 1
        key = there.tobytes()
        if key not in held:
            held[key] = present @ weights
        sums = np.empty((len(seeds), *held[key].shape))
        contributions = np.zeros(len(ids))
        share = np.divide(1, present.sum(axis=1), out=np.zeros(len(cells)), where=present.any(axis=1)) / present.any(axis=1).sum()
        for number, frame in enumerate(seeds):
            if not np.array_equal(frame[name].is_not_null().to_numpy(), there):
                raise KoineError(f"the seeds of one system have {name} of different queries; delete data/*/evaluate")
            values = np.zeros(shape)
            values.flat[places[0][there]] = frame[name].to_numpy()[there]
            sums[number] = values @ weights
            contributions += share @ values / len(seeds)

        def sample(by_seed: Floats, contributions: Floats = contributions, queries: int = int(there.sum())) -> Sample:
            resampled = by_seed[chosen, np.arange(1, 1 + report.resamples)[:, None]].mean(axis=1)
            return Sample(np.concatenate([[by_seed[:, 0].mean()], resampled]), contributions, len(seeds), queries)

        with np.errstate(invalid="ignore"):  # a resample may hold no question of a cell: it does not count there
            samples[name] = sample(np.nansum(sums / held[key], axis=1) / (held[key] > 0).sum(axis=0))
            if micro and metric(name).entry.settings == "all" and len(set(held[key][:, 0])) > 1:
                samples[name + MICRO] = sample(sums.sum(axis=1) / held[key].sum(axis=0))
    return samples


@dataclass(frozen=True)
class Difference:
    """One system less another.

    Attributes:
        estimate: difference of the means.
        low, high: its interval, over seeds and questions.
        p: two-sided, by randomisation over questions; of these trained models, not of others trained alike.
        effect: mean over standard deviation of the questions' differences (Cohen's d for pairs).
        detectable: the smallest true difference that a test at this level finds with a probability of .8.
        margin: differences within it are too small to matter.
        p_equal: of the hypothesis that the true difference lies outside the margin (two one-sided tests).
    """

    estimate: float
    low: float
    high: float
    p: float
    effect: float
    detectable: float
    margin: float
    p_equal: float


POWER = 0.8


def compare(pairs: Sequence[tuple[Sample, Sample, float]], report: Report) -> list[Difference]:
    """Compare two systems, for many pairs of them that were asked the same questions.

    - Interval and standard error are those of the bootstrap over seeds and questions.
    - The randomisation test (Smucker et al. 2007, doi 10.1145/1321440.1321528) exchanges the systems' answers to a question,
      in all languages at once.
    - Equivalence is by two one-sided tests (Schuirmann 1987, doi 10.1007/BF01068419) with that standard error, as is the
      smallest detectable difference, `(z_{1 - a/2} + z_{.8}) se`.

    Args:
        pairs: two systems each, and the margin of equivalence.
        report: coverage, level and permutations.
    """
    if not pairs:
        return []
    contributions = np.stack([a.contributions - b.contributions for a, b, _ in pairs], axis=1)  # [questions, pairs]
    values = _randomisation(contributions, report)
    level = 1 - report.confidence
    found = []
    for number, (a, b, margin) in enumerate(pairs):
        drawn = a.resampled[1:] - b.resampled[1:]
        estimate, error = a.mean - b.mean, float(np.nanstd(drawn, ddof=1))
        spread = float(contributions[:, number].std(ddof=1)) if len(contributions) > 1 else 0.0
        low, high = percentile(drawn, report.confidence)
        found.append(
            Difference(
                estimate=estimate,
                low=low,
                high=high,
                p=float(values[number]),
                effect=float(contributions[:, number].mean()) / spread if spread else 0.0,
                detectable=float(ndtri(1 - level / 2) + ndtri(POWER)) * error,
                margin=margin,
                p_equal=_outside(estimate, error, margin),
            )
        )
    return found


def _outside(estimate: float, error: float, margin: float) -> float:
    """The larger p of the two one-sided tests against plus and minus the margin."""
    if not error:
        return 0.0 if abs(estimate) < margin else 1.0
    return float(max(ndtr(-(estimate + margin) / error), ndtr((estimate - margin) / error)))


def _randomisation(contributions: Floats, report: Report) -> Floats:
    """Share of the random sign flips whose sum is at least as far from 0 as the true one; `[questions, k]` to `[k]`."""
    draw = np.random.default_rng([report.seed, len(contributions)])
    truth = np.abs(contributions.sum(axis=0)) * (1 - 1e-9)  # what is equal but for rounding counts as equal
    extreme = np.ones(contributions.shape[1])  # the true assignment is one of those possible
    for start in range(0, report.permutations, PERMUTATIONS_AT_ONCE):
        rows = min(PERMUTATIONS_AT_ONCE, report.permutations - start)
        signs = 2.0 * draw.integers(2, size=(rows, len(contributions)), dtype=np.int8) - 1.0
        extreme += (np.abs(signs @ contributions) >= truth).sum(axis=0)
    return extreme / (1 + report.permutations)


def holm(values: Sequence[float]) -> list[float]:
    """P adjusted for a family of tests (Holm 1979): `max_{j <= i} min(1, (m - j + 1) p_(j))`."""
    order = np.argsort(values, kind="stable")
    steps = np.minimum(1, np.array(values)[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.maximum.accumulate(steps)
    return [float(value) for value in adjusted]
