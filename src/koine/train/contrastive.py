"""Training on pairs: the gradient of a step's batches, and the loss on questions held out of training."""

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
from koine.train.ranks import Ranks
from koine.train.tokens import TrainingSet

_DROPOUT, _NEGATIVES = 4, 7  # first numbers of the seeds of their random streams; `batches` has the others
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
        self.model, self._data, self._plans, self._settings, self._seed, self._ranks = model, data, plans, settings, seed, ranks
        #: Of a learned temperature: how far log(1/temperature) is from its start, to which weight decay draws it.
        self.offset = torch.nn.Parameter(torch.zeros((), device=model.device))
        if settings.learn_temperature:
            # Every process computes all of its gradient, which is then summed over them.
            self.offset.register_hook(lambda gradient: gradient / ranks.size)  # type: ignore[no-untyped-call]

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""
        return [*self.model.parameters(), *([self.offset] if self._settings.learn_temperature else [])]

    @property
    def parts(self) -> int:
        """Batches in a step."""
        return len(self._plans)

    @property
    def temperature(self) -> float:
        """As it is now."""
        return self._settings.temperature * math.exp(-float(self.offset.detach()))

    def draw(self, step: int) -> np.random.Generator:
        """The random numbers of a step."""
        return np.random.default_rng([self._seed, _DROPOUT, step])

    def backward(self, part: int, step: int, draw: np.random.Generator) -> Part:
        """Add the gradient of a batch's weighted loss.

        With `settings.chunk`, and with several processes, by GradCache (arXiv 2101.06983): vectors without a graph, the loss
        and its gradient by them, then each chunk again with a graph, and dropout as it was. Memory is that of a chunk, the
        gradient that of the batch.
        """
        plan, weight = self._plans[part]
        batch, settings, ranks = plan[step], self._settings, self._ranks
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
            loss = self._loss(*encoded(0), documents)
            torch.autograd.backward(weight * loss)
            return part_of(loss)
        with torch.set_grad_enabled(chunks == 1):  # a single chunk keeps its graph
            held = [encoded(number) for number in ours]
        whole = []
        for (texts, split), own in zip(sides, zip(*held, strict=True), strict=True):
            vectors = ranks.gather(torch.cat(own), int(split[ours.start][0]), len(texts))
            whole.append(vectors.requires_grad_())
        loss = self._loss(whole[0], whole[1], documents)
        torch.autograd.backward(weight * loss)
        for number in ours:
            vectors_again = held[0] if chunks == 1 else encoded(number)
            gradients = [side.grad[split[number]] for side, (_, split) in zip(whole, sides, strict=True)]  # type: ignore[index]
            torch.autograd.backward(vectors_again, gradients)
        return part_of(loss)

    def _documents(self, batch: Batch, step: int) -> tuple[Tokens, Documents]:
        """The passages of a batch, with explicit negatives after them: in the language of their row's passage, if it has them."""
        data = self._data
        rows, passage = data.passage_rows[batch.questions, batch.passage_langs], data.passage_of[batch.questions]
        row = np.arange(len(rows))
        if self._settings.num_negatives:
            candidates = data.negatives[batch.questions]
            found = np.where(candidates < 0, -1, data.text_rows[candidates, batch.passage_langs[:, None]])
            keys = np.random.default_rng([self._seed, _NEGATIVES, step]).random(found.shape)
            chosen = np.argsort(np.where(found < 0, 2.0, keys), axis=1)[:, : self._settings.num_negatives]
            own, place = np.nonzero(np.take_along_axis(found, chosen, axis=1) >= 0)
            columns = chosen[own, place]
            rows = np.concatenate([rows, found[own, columns]])
            passage = np.concatenate([passage, candidates[own, columns]])
            row = np.concatenate([row, own])
        device = self.model.device
        return data.passages.take(rows), Documents(torch.from_numpy(passage).to(device), torch.from_numpy(row).to(device))

    def _loss(self, queries: torch.Tensor, passages: torch.Tensor, documents: Documents) -> torch.Tensor:
        settings = self._settings
        scale: torch.Tensor | float = settings.temperature
        if settings.learn_temperature:
            self.offset.data.clamp_(max=math.log(LARGEST_SCALE * settings.temperature))
            scale = settings.temperature * (-self.offset).exp()
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=settings.bf16):
            return info_nce(
                queries, passages, documents, temperature=scale, directions=settings.directions,
                partition_mode=settings.partition_mode, in_batch=settings.in_batch_negatives,
            )  # fmt: skip


class HeldOut:
    """The loss on questions that training does not see, for every ordered pair of languages.

    Args:
        data: all texts.
        questions: numbers of the questions that are held out, int64 `[V]`.
        languages: numbers of the languages that count.
        settings: temperature, and how many questions are compared with each other.

    Raises:
        KoineError: no language has two of the questions.
    """

    def __init__(self, data: TrainingSet, questions: npt.NDArray[np.int64], languages: list[int], settings: Optimisation) -> None:
        if not (data.query_rows[questions][:, languages] >= 0).sum(axis=0).max(initial=0) > 1:
            raise KoineError(f"train.validation: holds {len(questions)} questions out, too few to compare; raise share")
        self._data, self._languages, self._settings = data, languages, settings
        self._batches = np.array_split(questions, max(1, math.ceil(len(questions) / settings.batch_size)))

    @torch.no_grad()
    def loss(self, model: TrainableEncoder) -> dict[str, float]:
        """Means over language pairs: `mono`, `cross` where there are several languages, and `loss`, the mean of the two.

        Every text is encoded once. All models of a backbone are compared on the same batches.
        """
        model.eval()
        sums: dict[tuple[int, int], tuple[float, int]] = {}
        for questions in self._batches:
            vectors = {lang: self._encoded(model, questions, lang) for lang in self._languages}
            for pair in itertools.product(self._languages, self._languages):
                both = np.flatnonzero((self._data.query_rows[questions][:, list(pair)] >= 0).all(axis=1))
                if len(both) > 1:
                    documents = Documents(torch.from_numpy(self._data.passage_of[questions[both]]), torch.arange(len(both)))
                    queries, passages = vectors[pair[0]][0][both], vectors[pair[1]][1][both]
                    loss = float(info_nce(queries, passages, documents, temperature=self._settings.temperature))
                    total, count = sums.get(pair, (0.0, 0))
                    sums[pair] = (total + loss * len(both), count + len(both))
        model.train()
        means = {pair: total / count for pair, (total, count) in sums.items()}
        kinds = {
            "mono": [mean for (one, two), mean in means.items() if one == two],
            "cross": [mean for (one, two), mean in means.items() if one != two],
        }
        found = {kind: float(np.mean(own)) for kind, own in kinds.items() if own}
        return {"loss": round(float(np.mean(list(found.values()))), 5), **{kind: round(mean, 5) for kind, mean in found.items()}}

    def _encoded(self, model: TrainableEncoder, questions: npt.NDArray[np.int64], lang: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of the questions and their passages in a language, float32 `[n, d]`; zeros where they are not in it."""
        there = np.flatnonzero(self._data.query_rows[questions, lang] >= 0)
        if not len(there):
            return torch.zeros(len(questions), 0), torch.zeros(len(questions), 0)
        queries = self._data.queries.take(self._data.query_rows[questions[there], lang])
        passages = self._data.passages.take(self._data.passage_rows[questions[there], lang])
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self._settings.bf16):
            parts = model.pair(queries, passages)
        whole = []
        for part in parts:
            rows = torch.zeros(len(questions), part.shape[1])
            rows[there] = part.float().cpu()
            whole.append(rows)
        return whole[0], whole[1]
