"""Training on pairs: the gradient of a step's batches, and the same loss on questions that training does not see."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from koine.backbones.tokenizer import Tokens
from koine.runtime.errors import KoineError
from koine.strategies import CROSS, MONO, Batches
from koine.train.batches import Batch, BatchSampler
from koine.train.loss import PassageRows, info_nce
from koine.train.optimiser import biases_and_norms
from koine.train.task import VALIDATION, BatchLoss, Setup
from koine.train.tokens import TrainingSet

_DROPOUT, _NEGATIVES = 4, 7  # first numbers of the seeds of their random streams; `batches` has the others
LARGEST_SCALE = 100.0  # of a learned temperature's inverse, as in CLIP (arXiv 2103.00020)


def contrastive(setup: Setup) -> "Contrastive":
    """InfoNCE on the batches of a strategy.

    Raises:
        KoineError: there is too little data for a batch, or there are no negatives, though some are asked for.
    """
    batches = setup.strategy.batches
    weights = (setup.alpha, 1 - setup.alpha) if setup.strategy.weighted else (1.0,) * len(batches)
    return Contrastive(setup, list(zip(samplers(setup, batches), weights, strict=True)))


def samplers(setup: Setup, batches: Sequence[Batches]) -> list[BatchSampler]:
    """The samplers of a step's batches.

    Raises:
        KoineError: there is too little data for a batch.
    """
    sources = np.unique(setup.data.sources, return_inverse=True)[1]
    return [
        BatchSampler(
            setup.available, kind, alpha=setup.alpha, batch_size=setup.optimisation.batch_size, steps=setup.steps,
            seed=setup.seed, languages=setup.languages, sources=sources, source_exponent=setup.datasets.sampling_exponent,
        )
        for kind in batches
    ]  # fmt: skip


class Contrastive:
    """InfoNCE on the batches of one or several samplers; see `task.Task`.

    Args:
        setup: what is trained, on which texts, and how.
        samplers: of each of a step's batches its sampler and the weight of its loss.

    Raises:
        KoineError: negatives are asked for and the data has none, or there are more processes than rows.
    """

    def __init__(self, setup: Setup, samplers: Sequence[tuple[BatchSampler, float]]) -> None:
        optimisation, data, processes = setup.optimisation, setup.data, setup.processes
        if optimisation.batch_size < processes.count:
            raise KoineError(f"optimisation.batch_size {optimisation.batch_size} is less than the {processes.count} processes")
        if optimisation.num_negatives and not data.negatives.shape[1]:
            raise KoineError("optimisation.num_negatives: the data has none; set it to 0, or set train.mining.model to find some")
        self.model, self.optimisation, self._setup, self._samplers = setup.model, optimisation, setup, samplers
        self._data, self._seed, self._processes = data, setup.seed, processes
        #: Of a learned temperature: how far log(1/temperature) is from its start.
        self.offset = torch.nn.Parameter(torch.zeros((), device=setup.model.device))
        if optimisation.learn_temperature:
            # Every process computes all of its gradient, which is then summed over them.
            self.offset.register_hook(lambda gradient: gradient / processes.count)  # type: ignore[no-untyped-call]

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""
        return [*self.model.parameters(), *([self.offset] if self.optimisation.learn_temperature else [])]

    @property
    def undecayed(self) -> list[torch.nn.Parameter]:
        """Biases, norms and the temperature: a gain, which decay would draw back to its start (CLIP decays none, either)."""
        return [*biases_and_norms(self.model), self.offset]

    @property
    def batches(self) -> int:
        """Number of batches in a step."""
        return len(self._samplers)

    @property
    def temperature(self) -> float:
        """As it is now."""
        if not self.optimisation.learn_temperature:
            return self.optimisation.temperature
        return max(1 / LARGEST_SCALE, self.optimisation.temperature * math.exp(-float(self.offset.detach())))

    def learned(self) -> dict[str, float]:
        """The temperature, if it is learned."""
        return {"temperature": self.temperature} if self.optimisation.learn_temperature else {}

    def watched(self) -> "Contrastive":
        """The same model at the same temperature on a monolingual and a cross-lingual batch a step."""
        other = Contrastive(self._setup, [(sampler, 1.0) for sampler in samplers(self._setup, (MONO, CROSS))])
        other.offset = self.offset
        return other

    def draw(self, step: int) -> np.random.Generator:
        """The random numbers of a step."""
        return np.random.default_rng([self._seed, _DROPOUT, step])

    def backward(self, batch: int, step: int, draw: np.random.Generator) -> BatchLoss:
        """Add the gradient of a batch's weighted loss.

        With `mini_batch_size`, and with several processes, by GradCache (arXiv 2101.06983): vectors without a graph, the loss
        and its gradient by them, then each mini-batch again with a graph, and dropout as it was. Memory is that of a mini-batch,
        the gradient that of the batch.
        """
        sampler, weight = self._samplers[batch]
        drawn, processes = sampler[step], self._processes
        queries = self._data.queries.take(self._data.query_rows[drawn.questions, drawn.query_langs])
        passages, rows = self._passages(drawn, step)
        queries = queries.drop(self.optimisation.query_dropout, draw)
        passages = passages.drop(self.optimisation.passage_dropout, draw)
        count = math.ceil(len(queries) // processes.count / (self.optimisation.mini_batch_size or len(queries)))
        if processes.count * count == 1:
            loss = self.loss(*self._encode(queries, passages, step), rows, self._temperature())
            torch.autograd.backward(weight * loss)
        else:
            loss = self._backward_in_mini_batches(queries, passages, rows, step, weight, count)
        return BatchLoss(drawn.type.value, loss.detach(), len(queries), len(queries.ids) + len(passages.ids))

    def _backward_in_mini_batches(
        self, queries: Tokens, passages: Tokens, rows: PassageRows, step: int, weight: float, count: int
    ) -> torch.Tensor:
        """Add the gradient of a batch's weighted loss, `count` mini-batches of each process one after the other."""
        processes = self._processes
        ours = range(processes.number * count, (processes.number + 1) * count)
        sides = [(texts, np.array_split(np.arange(len(texts)), processes.count * count)) for texts in (queries, passages)]

        def encoded(number: int) -> tuple[torch.Tensor, torch.Tensor]:
            one, two = (texts.take(split[number]) for texts, split in sides)
            return self._encode(one, two, step, number)

        with torch.set_grad_enabled(count == 1):  # a single mini-batch keeps its graph
            vectors = [encoded(number) for number in ours]
        whole = []
        for (texts, split), of_side in zip(sides, zip(*vectors, strict=True), strict=True):
            gathered = processes.gather(torch.cat(of_side), int(split[ours.start][0]), len(texts))
            whole.append(gathered.requires_grad_())
        loss = self.loss(whole[0], whole[1], rows, self._temperature())
        torch.autograd.backward(weight * loss)
        for number in ours:
            again = vectors[0] if count == 1 else encoded(number)
            gradients = [side.grad[split[number]] for side, (_, split) in zip(whole, sides, strict=True)]  # type: ignore[index]
            torch.autograd.backward(again, gradients)
        return loss

    def _encode(self, queries: Tokens, passages: Tokens, step: int, number: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of the texts of mini-batch `number`; the model's own dropout is that of the step and the mini-batch."""
        torch.manual_seed((self._seed << 32) + step + (number << 48))
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.optimisation.bf16):
            return self.model.pair(queries, passages)

    def validation_loss(self, data: TrainingSet, questions: npt.NDArray[np.int64], languages: list[int]) -> "ValidationLoss":
        """See `task.Task.validation_loss`."""
        return ValidationLoss(self, data, questions, languages)

    def loss(
        self, queries: torch.Tensor, passages: torch.Tensor, rows: PassageRows, temperature: float | torch.Tensor
    ) -> torch.Tensor:
        """The loss that is trained, a scalar; see `info_nce`."""
        optimisation = self.optimisation
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=optimisation.bf16):
            return info_nce(
                queries, passages, rows, temperature=temperature, directions=optimisation.directions,
                partition_mode=optimisation.partition_mode, in_batch=optimisation.in_batch_negatives,
            )  # fmt: skip

    def _passages(self, batch: Batch, step: int) -> tuple[Tokens, PassageRows]:
        """The passages of a batch."""
        draw = np.random.default_rng([self._seed, _NEGATIVES, step])
        return passages_of(
            self._data, batch.questions, batch.passage_langs, self.optimisation.num_negatives, draw, self.model.device
        )

    def _temperature(self) -> float | torch.Tensor:
        """The temperature with its graph, if it is learned."""
        if not self.optimisation.learn_temperature:
            return self.optimisation.temperature
        self.offset.data.clamp_(max=math.log(LARGEST_SCALE * self.optimisation.temperature))
        return self.optimisation.temperature * (-self.offset).exp()


def passages_of(
    data: TrainingSet, questions: npt.NDArray[np.int64], langs: npt.NDArray[np.int64], num_negatives: int,
    draw: np.random.Generator, device: torch.device,
) -> tuple[Tokens, PassageRows]:  # fmt: skip
    """The passages of questions, and after them explicit negatives, in the language of their row's passage, if it has them.

    Args:
        data: all texts.
        questions: numbers of the questions, int64 `[B]`.
        langs: numbers of their passages' languages, int64 `[B]`.
        num_negatives: of each question, at most.
        draw: chooses them among those that there are.
        device: of the numbers that are returned.
    """
    text_rows, passage = data.passage_rows[questions, langs], data.passage_of[questions]
    row = np.arange(len(text_rows))
    if num_negatives:
        negatives = data.negatives[questions]
        negative_rows = np.where(negatives < 0, -1, data.text_rows[negatives, langs[:, None]])
        chosen = np.argsort(np.where(negative_rows < 0, 2.0, draw.random(negative_rows.shape)), axis=1)[:, :num_negatives]
        of_row, place = np.nonzero(np.take_along_axis(negative_rows, chosen, axis=1) >= 0)
        columns = chosen[of_row, place]
        text_rows = np.concatenate([text_rows, negative_rows[of_row, columns]])
        passage = np.concatenate([passage, negatives[of_row, columns]])
        row = np.concatenate([row, of_row])
    return data.passages.take(text_rows), PassageRows(torch.from_numpy(passage).to(device), torch.from_numpy(row).to(device))


@dataclass(frozen=True)
class _Encoded:
    """The questions of a validation batch that are in a language.

    Attributes:
        batch_rows: their rows in the batch, ascending, int64 `[m]`.
        queries: vectors, float32 `[m, d]`.
        passages: vectors of their passages and explicit negatives, float32 `[m + M, d]`.
        rows: what these are.
    """

    batch_rows: npt.NDArray[np.int64]
    queries: torch.Tensor
    passages: torch.Tensor
    rows: PassageRows

    def places(self, batch_rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Where some of the batch's rows stand here, int64 `[n]`."""
        return torch.from_numpy(np.searchsorted(self.batch_rows, batch_rows)).to(self.queries.device)


class ValidationLoss:
    """The loss that a task trains, on questions that it does not see, for every ordered pair of languages.

    Temperature (as it is at the moment), directions and negatives are those of the training; the model is in evaluation mode,
    and no token is left out. Batches and negatives are the same for all models of a backbone.

    Args:
        task: what is trained.
        data: all texts.
        questions: numbers of the questions, int64 `[V]`.
        languages: numbers of the languages that count.

    Raises:
        KoineError: no language has two of the questions, or explicit negatives alone are compared and there are none.
    """

    def __init__(self, task: Contrastive, data: TrainingSet, questions: npt.NDArray[np.int64], languages: list[int]) -> None:
        if not (data.query_rows[questions][:, languages] >= 0).sum(axis=0).max(initial=0) > 1:
            raise KoineError(f"train.validation: {len(questions)} questions are too few to compare; raise share")
        if not task.optimisation.in_batch_negatives and not (data.negatives[questions] >= 0).any():
            raise KoineError(
                "train.validation: none of the questions has negatives, which in_batch_negatives: false compares alone; "
                "set it to true"
            )
        self._task, self._data, self._languages = task, data, languages
        self._batches = np.array_split(questions, max(1, math.ceil(len(questions) / task.optimisation.batch_size)))

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Means over language pairs: `mono`, `cross` where there are several languages, and `loss`, the mean of the two.

        Every text is encoded once.
        """
        self._task.model.eval()
        sums: dict[tuple[int, int], tuple[float, int]] = {}
        for number, questions in enumerate(self._batches):
            encoded = {lang: self._encoded(questions, lang, number) for lang in self._languages}
            for pair in itertools.product(self._languages, self._languages):
                loss, count = self._loss_of(encoded[pair[0]], encoded[pair[1]])
                if count > 1:
                    total, before = sums.get(pair, (0.0, 0))
                    sums[pair] = (total + loss * count, before + count)
        self._task.model.train()
        pairs = {pair: total / count for pair, (total, count) in sums.items()}
        of_setting = {
            "mono": [loss for (one, two), loss in pairs.items() if one == two],
            "cross": [loss for (one, two), loss in pairs.items() if one != two],
        }
        means = {setting: float(np.mean(losses)) for setting, losses in of_setting.items() if losses}
        rounded = {setting: round(mean, 5) for setting, mean in means.items()}
        return {"loss": round(float(np.mean(list(means.values()))), 5), **rounded}

    def _loss_of(self, one: _Encoded, two: _Encoded) -> tuple[float, int]:
        """The loss of queries in one language and passages in another, and of how many questions: those that both have."""
        both = np.intersect1d(one.batch_rows, two.batch_rows)
        if len(both) < 2:
            return 0.0, len(both)
        places = two.places(both)
        kept = torch.isin(two.rows.row, places)
        rows = PassageRows(two.rows.passage[kept], torch.searchsorted(places, two.rows.row[kept]))
        loss = self._task.loss(one.queries[one.places(both)], two.passages[kept], rows, self._task.temperature)
        return float(loss), len(both)

    def _encoded(self, questions: npt.NDArray[np.int64], lang: int, number: int) -> _Encoded:
        """The questions of batch `number` in a language, with their passages and explicit negatives."""
        data, model, optimisation = self._data, self._task.model, self._task.optimisation
        batch_rows = np.flatnonzero(data.query_rows[questions, lang] >= 0)
        present = questions[batch_rows]
        draw = np.random.default_rng([VALIDATION, _NEGATIVES, number])
        langs = np.full(len(present), lang)
        texts, rows = passages_of(data, present, langs, optimisation.num_negatives, draw, model.device)
        if not len(batch_rows):
            return _Encoded(batch_rows, torch.empty(0, 0), torch.empty(0, 0), rows)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=optimisation.bf16):
            queries, passages = model.pair(data.queries.take(data.query_rows[present, lang]), texts)
        return _Encoded(batch_rows, queries, passages, rows)
