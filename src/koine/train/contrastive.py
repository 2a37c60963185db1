"""Training on pairs: the gradient of a step's batches, and the same loss on questions that training does not see."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from koine.backbones.base import TrainableEncoder
from koine.backbones.tokenizer import Tokens
from koine.params import Optimisation
from koine.runtime.errors import KoineError
from koine.train.batches import Batch, BatchPlan
from koine.train.loss import Documents, info_nce
from koine.train.optimiser import biases_and_norms
from koine.train.ranks import Ranks
from koine.train.tokens import TrainingSet

_DROPOUT, _NEGATIVES = 4, 7  # first numbers of the seeds of their random streams; `batches` has the others
VALIDATION = 0  # seed of what is drawn for the validation loss, the same for all models of a backbone
LARGEST_SCALE = 100.0  # of a learned temperature's inverse, as in CLIP (arXiv 2103.00020)


@dataclass(frozen=True)
class Part:
    """What a batch gave: its type, its loss, and how many pairs and tokens it had."""

    kind: str
    loss: torch.Tensor
    pairs: int
    tokens: int


class Contrastive:
    """InfoNCE on the batches of one or several plans.

    Args:
        model: what is trained.
        data: the training texts.
        plans: of each of a step's batches its plan and the weight of its loss.
        settings: of the training.
        seed: of its random draws.
        ranks: the processes among which a batch is split.

    Raises:
        KoineError: negatives are asked for and the data has none, or there are more processes than rows.
    """

    def __init__(
        self, model: TrainableEncoder, data: TrainingSet, plans: list[tuple[BatchPlan, float]], settings: Optimisation,
        seed: int, ranks: Ranks,
    ) -> None:  # fmt: skip
        if settings.batch_size < ranks.size:
            raise KoineError(f"optimisation.batch_size {settings.batch_size} is less than the {ranks.size} processes")
        if settings.num_negatives and not data.negatives.shape[1]:
            raise KoineError("optimisation.num_negatives: the data has none; set it to 0, or set train.mining.model to find some")
        self.model, self._data, self._plans, self.settings, self._seed, self._ranks = model, data, plans, settings, seed, ranks
        #: Of a learned temperature: how far log(1/temperature) is from its start.
        self.offset = torch.nn.Parameter(torch.zeros((), device=model.device))
        if settings.learn_temperature:
            # Every process computes all of its gradient, which is then summed over them.
            self.offset.register_hook(lambda gradient: gradient / ranks.size)  # type: ignore[no-untyped-call]

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""
        return [*self.model.parameters(), *([self.offset] if self.settings.learn_temperature else [])]

    @property
    def undecayed(self) -> list[torch.nn.Parameter]:
        """Biases, norms and the temperature: a gain, which decay would draw back to its start (CLIP decays none, either)."""
        return [*biases_and_norms(self.model), self.offset]

    @property
    def parts(self) -> int:
        """Batches in a step."""
        return len(self._plans)

    @property
    def temperature(self) -> float:
        """As it is now."""
        if not self.settings.learn_temperature:
            return self.settings.temperature
        return max(1 / LARGEST_SCALE, self.settings.temperature * math.exp(-float(self.offset.detach())))

    def draw(self, step: int) -> np.random.Generator:
        """The random numbers of a step."""
        return np.random.default_rng([self._seed, _DROPOUT, step])

    def backward(self, part: int, step: int, draw: np.random.Generator) -> Part:
        """Add the gradient of a batch's weighted loss.

        With `settings.mini_batch_size`, and with several processes, by GradCache (arXiv 2101.06983): vectors without a graph, the loss
        and its gradient by them, then each chunk again with a graph, and dropout as it was. Memory is that of a chunk, the
        gradient that of the batch.
        """
        plan, weight = self._plans[part]
        batch, settings, ranks = plan[step], self.settings, self._ranks
        queries = self._data.queries.take(self._data.query_rows[batch.questions, batch.query_langs])
        passages, documents = self._documents(batch, step)
        queries, passages = queries.drop(settings.query_dropout, draw), passages.drop(settings.passage_dropout, draw)
        chunks = math.ceil(len(queries) // ranks.size / (settings.mini_batch_size or len(queries)))
        ours = range(ranks.rank * chunks, (ranks.rank + 1) * chunks)
        sides = [(texts, np.array_split(np.arange(len(texts)), ranks.size * chunks)) for texts in (queries, passages)]

        def encoded(number: int) -> tuple[torch.Tensor, torch.Tensor]:
            torch.manual_seed((self._seed << 32) + step + (number << 48))
            with torch.autocast(self.model.device.type, torch.bfloat16, enabled=settings.bf16):
                one, two = (texts.take(split[number]) for texts, split in sides)
                return self.model.pair(one, two)

        def part_of(loss: torch.Tensor) -> Part:
            return Part(plan.type(step).value, loss.detach(), len(queries), len(queries.ids) + len(passages.ids))

        if ranks.size * chunks == 1:
            loss = self.loss(*encoded(0), documents, self._temperature())
            torch.autograd.backward(weight * loss)
            return part_of(loss)
        with torch.set_grad_enabled(chunks == 1):  # a single chunk keeps its graph
            held = [encoded(number) for number in ours]
        whole = []
        for (texts, split), own in zip(sides, zip(*held, strict=True), strict=True):
            vectors = ranks.gather(torch.cat(own), int(split[ours.start][0]), len(texts))
            whole.append(vectors.requires_grad_())
        loss = self.loss(whole[0], whole[1], documents, self._temperature())
        torch.autograd.backward(weight * loss)
        for number in ours:
            vectors_again = held[0] if chunks == 1 else encoded(number)
            gradients = [side.grad[split[number]] for side, (_, split) in zip(whole, sides, strict=True)]  # type: ignore[index]
            torch.autograd.backward(vectors_again, gradients)
        return part_of(loss)

    def validation_loss(self, data: TrainingSet, questions: npt.NDArray[np.int64], languages: list[int]) -> "ValidationLoss":
        """See `loop.Task.validation_loss`."""
        return ValidationLoss(self, data, questions, languages)

    def loss(
        self, queries: torch.Tensor, passages: torch.Tensor, documents: Documents, temperature: float | torch.Tensor
    ) -> torch.Tensor:
        """The loss that is trained, a scalar; see `info_nce`."""
        settings = self.settings
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=settings.bf16):
            return info_nce(
                queries, passages, documents, temperature=temperature, directions=settings.directions,
                partition_mode=settings.partition_mode, in_batch=settings.in_batch_negatives,
            )  # fmt: skip

    def _documents(self, batch: Batch, step: int) -> tuple[Tokens, Documents]:
        """The documents of a batch."""
        draw = np.random.default_rng([self._seed, _NEGATIVES, step])
        return documents_of(
            self._data, batch.questions, batch.passage_langs, self.settings.num_negatives, draw, self.model.device
        )

    def _temperature(self) -> float | torch.Tensor:
        """The temperature with its graph, if it is learned."""
        if not self.settings.learn_temperature:
            return self.settings.temperature
        self.offset.data.clamp_(max=math.log(LARGEST_SCALE * self.settings.temperature))
        return self.settings.temperature * (-self.offset).exp()


def documents_of(
    data: TrainingSet, questions: npt.NDArray[np.int64], langs: npt.NDArray[np.int64], negatives: int, draw: np.random.Generator,
    device: torch.device,
) -> tuple[Tokens, Documents]:  # fmt: skip
    """The passages of questions, and after them explicit negatives, in the language of their row's passage, if it has them.

    Args:
        data: all texts.
        questions: numbers of the questions, int64 `[B]`.
        langs: numbers of their passages' languages, int64 `[B]`.
        negatives: of each question, at most.
        draw: chooses them among those that there are.
        device: of the numbers that are returned.
    """
    rows, passage = data.passage_rows[questions, langs], data.passage_of[questions]
    row = np.arange(len(rows))
    if negatives:
        candidates = data.negatives[questions]
        found = np.where(candidates < 0, -1, data.text_rows[candidates, langs[:, None]])
        chosen = np.argsort(np.where(found < 0, 2.0, draw.random(found.shape)), axis=1)[:, :negatives]
        own, place = np.nonzero(np.take_along_axis(found, chosen, axis=1) >= 0)
        columns = chosen[own, place]
        rows = np.concatenate([rows, found[own, columns]])
        passage = np.concatenate([passage, candidates[own, columns]])
        row = np.concatenate([row, own])
    return data.passages.take(rows), Documents(torch.from_numpy(passage).to(device), torch.from_numpy(row).to(device))


@dataclass(frozen=True)
class _Encoded:
    """The questions of a validation batch that are in a language.

    Attributes:
        rows: their rows in the batch, ascending, int64 `[m]`.
        queries: vectors `[m, d]`.
        passages: vectors `[m + M, d]` of their documents.
        documents: what these are.
    """

    rows: npt.NDArray[np.int64]
    queries: torch.Tensor
    passages: torch.Tensor
    documents: Documents

    def places(self, rows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Where some of the rows stand here, int64 `[n]`."""
        return torch.from_numpy(np.searchsorted(self.rows, rows)).to(self.queries.device)


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
        if not task.settings.in_batch_negatives and not (data.negatives[questions] >= 0).any():
            raise KoineError(
                "train.validation: none of the questions has negatives, which in_batch: false compares alone; set it to true"
            )
        self._task, self._data, self._languages = task, data, languages
        self._batches = np.array_split(questions, max(1, math.ceil(len(questions) / task.settings.batch_size)))

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """Means over language pairs: `mono`, `cross` where there are several languages, and `loss`, the mean of the two.

        Every text is encoded once.
        """
        task = self._task
        task.model.eval()
        sums: dict[tuple[int, int], tuple[float, int]] = {}
        for number, questions in enumerate(self._batches):
            encoded = {lang: self._encoded(questions, lang, number) for lang in self._languages}
            for pair in itertools.product(self._languages, self._languages):
                one, two = encoded[pair[0]], encoded[pair[1]]
                both = np.intersect1d(one.rows, two.rows)
                if len(both) > 1:
                    places = two.places(both)
                    kept = torch.isin(two.documents.row, places)
                    row = torch.searchsorted(places, two.documents.row[kept])
                    documents = Documents(two.documents.passage[kept], row)
                    loss = task.loss(one.queries[one.places(both)], two.passages[kept], documents, task.temperature)
                    total, count = sums.get(pair, (0.0, 0))
                    sums[pair] = (total + float(loss) * len(both), count + len(both))
        task.model.train()
        means = {pair: total / count for pair, (total, count) in sums.items()}
        kinds = {
            "mono": [mean for (one, two), mean in means.items() if one == two],
            "cross": [mean for (one, two), mean in means.items() if one != two],
        }
        found = {kind: float(np.mean(own)) for kind, own in kinds.items() if own}
        return {"loss": round(float(np.mean(list(found.values()))), 5), **{kind: round(mean, 5) for kind, mean in found.items()}}

    def _encoded(self, questions: npt.NDArray[np.int64], lang: int, number: int) -> _Encoded:
        """The questions of batch `number` in a language, with their documents."""
        data, model, settings = self._data, self._task.model, self._task.settings
        rows = np.flatnonzero(data.query_rows[questions, lang] >= 0)
        own = questions[rows]
        draw = np.random.default_rng([VALIDATION, _NEGATIVES, number])
        texts, documents = documents_of(data, own, np.full(len(own), lang), settings.num_negatives, draw, model.device)
        if not len(rows):
            return _Encoded(rows, torch.empty(0, 0), torch.empty(0, 0), documents)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=settings.bf16):
            queries, passages = model.pair(data.queries.take(data.query_rows[own, lang]), texts)
        return _Encoded(rows, queries, passages, documents)
