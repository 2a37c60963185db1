"""What a training is made of (`Setup`), and what it descends (`Task`): the objective of a strategy makes the one of the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from koine.backbones.base import TrainableEncoder
from koine.params import Datasets, Languages, Optimisation
from koine.runtime.processes import Processes
from koine.strategies import Strategy
from koine.train.tokens import TrainingSet

VALIDATION = 0  # seed of what is drawn for the validation loss, the same for all models of a backbone


@dataclass(frozen=True)
class Setup:
    """What a task is made of.

    Attributes:
        model: what is trained.
        data: the training texts.
        available: whether question i is trained on in language l, bool `[n, L]`.
        strategy: what is trained.
        alpha: probability that a batch is monolingual, or the weight of its loss, where the strategy takes one.
        steps: of the whole run.
        seed: of all draws.
        optimisation, languages, datasets: see these.
        processes: among which a batch is split.
    """

    model: TrainableEncoder
    data: TrainingSet
    available: npt.NDArray[np.bool_]
    strategy: Strategy
    alpha: float
    steps: int
    seed: int
    optimisation: Optimisation
    languages: Languages
    datasets: Datasets
    processes: Processes


@dataclass(frozen=True)
class BatchLoss:
    """The loss of a batch, a scalar, with the batch's type, and how many pairs (or texts) and tokens it had."""

    type: str
    loss: torch.Tensor
    pairs: int
    tokens: int


class Task(Protocol):
    """What is descended: a step has one or several batches."""

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""

    @property
    def undecayed(self) -> list[torch.nn.Parameter]:
        """Those of the parameters that weight decay leaves alone."""

    @property
    def batches(self) -> int:
        """Number of batches in a step."""

    def draw(self, step: int) -> np.random.Generator:
        """The random numbers of a step."""

    def backward(self, batch: int, step: int, draw: np.random.Generator) -> BatchLoss:
        """Add the gradient of one of a step's batches, numbered from 0."""

    def learned(self) -> dict[str, float]:
        """What it learns besides the weights, as it is now, by name: for the log and koine.json."""

    def watched(self) -> "Task | None":
        """The same model on a monolingual and a cross-lingual batch a step, whose gradients are compared; None without pairs."""

    def validation_loss(
        self, data: TrainingSet, questions: npt.NDArray[np.int64], languages: list[int]
    ) -> Callable[[], dict[str, float]]:
        """What measures the task's loss on questions that it does not train on.

        Args:
            data: all texts.
            questions: numbers of these questions, int64 `[V]`.
            languages: numbers of the languages that count.

        Returns:
            A function that gives `loss`, and the means that it is the mean of.

        Raises:
            KoineError: there is too little to measure.
        """
