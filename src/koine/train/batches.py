"""Hybrid batches: which questions a batch holds, and in which language each question and passage is.

A batch has a type. In a *monolingual* batch every question and passage is in one language, drawn uniformly
("equally among all possible languages", arXiv 2408.10536 section 3), or by size. In a *cross-lingual* batch each row
draws an ordered pair of different languages uniformly from those in which its question exists, or the batch draws one
pair for all its rows. In a *mixed* batch each row draws one language for both sides (LAReQA's X-X, arXiv 2004.05484).
`koine.strategies` says which strategy has which.

A batch is a pure function of (data, parameters, seed, step): any batch can be asked for at any time, in any order, which makes
an exact resume possible. Questions are drawn without replacement: each stream (a language's monolingual batches, the
cross-lingual ones) goes through a new permutation of its questions in every epoch, and drops the incomplete last batch.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from koine.params import Languages
from koine.runtime.errors import KoineError
from koine.strategies import Batches

# First numbers of the seeds of independent random streams.
_TYPES, _LANGUAGES, _EPOCHS, _ROWS, _PAIRS, _DATASETS = 0, 1, 2, 3, 5, 6  # 4 and 7 are of `contrastive`, 8 and 9 of `adapt`


class BatchType(StrEnum):
    """What the rows of a batch have in common."""

    MONO = "mono"
    CROSS = "cross"
    MIXED = "mixed"


@dataclass(frozen=True)
class Batch:
    """Rows of one batch: question numbers and language numbers, each int64 `[B]`."""

    type: BatchType
    questions: npt.NDArray[np.int64]
    query_langs: npt.NDArray[np.int64]
    passage_langs: npt.NDArray[np.int64]


def _draw_by_size(sizes: npt.NDArray[np.int64], exponent: float, draw: np.random.Generator, steps: int) -> npt.NDArray[np.int64]:
    """A language or data set for each step, with probability proportional to size^exponent."""
    if not exponent or not sizes.any():
        return draw.integers(len(sizes), size=steps)
    weights = sizes.astype(np.float64) ** exponent
    return draw.choice(len(sizes), size=steps, p=weights / weights.sum())


class BatchSampler:
    """The batches of one training run, by the number of the step.

    Args:
        available: whether question i exists in language l (0 is the source language), bool `[n, L]`.
        batches: how their rows draw languages.
        alpha: probability that a batch is monolingual, where `batches.mono` says none.
        batch_size: rows of a batch.
        steps: number of batches.
        seed: of all draws.
        languages: how languages are drawn. With `equal_languages` cross-lingual rows draw both independently (LAReQA's
            X-Y), not two different ones. A language of n questions is drawn for a monolingual batch with probability
            ∝ n^`sampling_exponent`; 0 is uniform. `pair_per`: each `row` of a cross-lingual batch draws its own pair, or the
            `batch` draws one, uniformly among those with a batch of common questions.
        sources: number of question i's data set, int64 `[n]`; used with `source_exponent`.
        source_exponent: a batch is of one data set, drawn among those with enough questions that it may hold; one with n of
            them has probability ∝ n^source_exponent. None: data sets share batches.

    Raises:
        KoineError: a language, or the set of questions that exist in two languages (with `pair_per: batch`, in every two), is
            smaller than a batch.

    >>> from koine.strategies import CROSS, MONO
    >>> available = np.ones((100, 3), dtype=bool)  # 100 questions in three languages
    >>> made = {"alpha": 0.5, "batch_size": 4, "steps": 2, "seed": 1, "languages": Languages()}
    >>> batch = BatchSampler(available, MONO, **made)[0]
    >>> batch.type.value, batch.query_langs.tolist(), batch.passage_langs.tolist()
    ('mono', [1, 1, 1, 1], [1, 1, 1, 1])
    >>> batch = BatchSampler(available, CROSS, **made)[0]
    >>> batch.type.value, bool((batch.query_langs != batch.passage_langs).all())
    ('cross', True)
    """

    def __init__(
        self, available: npt.NDArray[np.bool_], batches: Batches, *, alpha: float, batch_size: int, steps: int, seed: int,
        languages: Languages, sources: npt.NDArray[np.int64] | None = None, source_exponent: float | None = None,
    ) -> None:  # fmt: skip
        self._available = available
        self._batch_size = batch_size
        self._seed = seed
        self._equal_languages = languages.equal_languages
        count = available.shape[1]
        share = alpha if batches.mono is None else batches.mono
        mono = np.random.default_rng([seed, _TYPES]).random(steps) < share
        drawn = _draw_by_size(
            available.sum(axis=0), languages.sampling_exponent, np.random.default_rng([seed, _LANGUAGES]), steps
        )
        other = BatchType(batches.rest)
        self._types = [BatchType.MONO if is_mono else other for is_mono in mono]
        # Stream of each step: a language's number, `count` for rows in several languages, or one of the pairs after it.
        self._streams = np.where(mono, 0 if batches.source_only else drawn, count)
        several = available.sum(axis=1) >= (2 if other is BatchType.CROSS and not languages.equal_languages else 1)
        self._members = {lang: np.flatnonzero(available[:, lang]) for lang in range(count)}
        self._members[count] = np.flatnonzero(several)
        # The languages of the questions and passages of a stream's batches; None where each row draws its own.
        self._language_of: dict[int, tuple[int, int] | None] = {lang: (lang, lang) for lang in range(count)} | {count: None}
        if languages.pair_per == "batch" and other is BatchType.CROSS and not mono.all():
            for one, two in itertools.product(range(count), repeat=2):
                both = np.flatnonzero(available[:, one] & available[:, two])
                if (languages.equal_languages or one != two) and len(both) >= batch_size:
                    stream = max(self._members) + 1
                    self._language_of[stream], self._members[stream] = (one, two), both
            if len(self._members) == count + 1:
                raise KoineError(
                    f"with train.languages.pair_per: batch, no two languages have {batch_size} questions in common; "
                    "lower batch_size, or draw pairs by row"
                )
            chosen = np.random.default_rng([seed, _PAIRS]).integers(len(self._members) - count - 1, size=steps) + count + 1
            self._streams = np.where(mono, self._streams, chosen)
        if sources is not None and source_exponent is not None:
            self._split(sources, source_exponent)
        # How many batches of its stream came before each step.
        self._turns = np.zeros(steps, dtype=np.int64)
        for stream in np.unique(self._streams).tolist():
            its_steps = np.flatnonzero(self._streams == stream)
            self._turns[its_steps] = np.arange(len(its_steps))
            if len(self._members[stream]) < batch_size:
                what = "questions in two languages" if stream == count else f"questions in language number {stream}"
                raise KoineError(
                    f"only {len(self._members[stream])} {what}, fewer than batch_size {batch_size}; "
                    "lower batch_size, or collect and keep more"
                )
        self._epoch: tuple[tuple[int, int], npt.NDArray[np.int64]] | None = None

    def _split(self, sources: npt.NDArray[np.int64], exponent: float) -> None:
        """Cut every stream into one for each data set with enough questions, and draw one of them for each step."""
        for stream in np.unique(self._streams).tolist():
            members = self._members[stream]
            by_source = [members[sources[members] == source] for source in np.unique(sources[members])]
            large = [questions for questions in by_source if len(questions) >= self._batch_size]
            if large:
                steps = np.flatnonzero(self._streams == stream)
                draw = np.random.default_rng([self._seed, _DATASETS, stream])
                chosen = _draw_by_size(np.array([len(questions) for questions in large]), exponent, draw, len(steps))
                first = max(self._members) + 1
                self._streams[steps] = first + chosen
                self._members |= {first + number: questions for number, questions in enumerate(large)}
                self._language_of |= dict.fromkeys(range(first, first + len(large)), self._language_of[stream])

    def __len__(self) -> int:
        return len(self._types)

    def __iter__(self) -> Iterator[Batch]:
        return (self[step] for step in range(len(self)))

    def type(self, step: int) -> BatchType:
        """The type of a step's batch."""
        return self._types[step]

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step, from 0."""
        kind, stream = self._types[step], int(self._streams[step])
        questions = self._draw(stream, int(self._turns[step]))
        if pair := self._language_of[stream]:
            one, two = pair
            return Batch(kind, questions, np.full(self._batch_size, one), np.full(self._batch_size, two))
        first, second = self._draw_languages(questions, step)
        return Batch(kind, questions, first, first if kind is BatchType.MIXED else second)

    def _draw(self, stream: int, turn: int) -> npt.NDArray[np.int64]:
        """The questions of a stream's batch number `turn`."""
        members = self._members[stream]
        epoch, position = divmod(turn, len(members) // self._batch_size)
        if self._epoch is None or self._epoch[0] != (stream, epoch):
            order = np.random.default_rng([self._seed, _EPOCHS, stream, epoch]).permutation(members)
            self._epoch = ((stream, epoch), order)
        start = position * self._batch_size
        return self._epoch[1][start : start + self._batch_size]

    def _draw_languages(self, questions: npt.NDArray[np.int64], step: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Two languages per row among its available ones, uniformly; different ones, where equal are not allowed."""
        draw = np.random.default_rng([self._seed, _ROWS, step])
        shape = (len(questions), self._available.shape[1])
        keys = np.where(self._available[questions], draw.random(shape), -1.0)
        if self._equal_languages:
            again = np.where(self._available[questions], draw.random(shape), -1.0)
            return keys.argmax(axis=1), again.argmax(axis=1)
        order = np.argsort(-keys, axis=1)
        return order[:, 0], order[:, 1] if shape[1] > 1 else order[:, 0]
