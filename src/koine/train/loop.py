"""The training loop: AdamW with clipped gradients, linear warm-up and linear decay; exact resume, validation, early stopping."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from koine.backbones.base import TrainableEncoder
from koine.params import Optimisation
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.train.checkpoint import Checkpoints, State, stop, stopping
from koine.train.contrastive import Contrastive, Part
from koine.train.metrics import Line, Log, Metrics, Tracker
from koine.train.optimiser import AdamW
from koine.train.ranks import Ranks
from koine.train.surgery import Surgery, cosine
from koine.train.tokens import TrainingSet

LOG_EVERY = 10  # steps between two lines of the training log


class Task(Protocol):
    """What is descended: a step has one or several batches."""

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """What is trained."""

    @property
    def undecayed(self) -> list[torch.nn.Parameter]:
        """Those of the parameters that weight decay leaves alone."""

    @property
    def parts(self) -> int:
        """Batches in a step."""

    def draw(self, step: int) -> np.random.Generator:
        """The random numbers of a step."""

    def backward(self, part: int, step: int, draw: np.random.Generator) -> Part:
        """Add the gradient of one of a step's batches."""

    def validation_loss(
        self, data: TrainingSet, questions: npt.NDArray[np.int64], languages: list[int]
    ) -> Callable[[], dict[str, float]]:
        """What measures the task's loss on questions that it does not train on.

        Args:
            data: all texts.
            questions: numbers of these questions, int64 `[V]`.
            languages: numbers of the languages that count.

        Returns:
            A function that gives `loss`, and the parts that it is the mean of.

        Raises:
            KoineError: there is too little to measure.
        """


def descend(
    model: TrainableEncoder, task: Task, steps: int, settings: Optimisation, checkpoints: Checkpoints, *,
    ranks: Ranks, surgery: Surgery | None = None, probe: tuple[Contrastive, int] | None = None,
    validation_loss: Callable[[], dict[str, float]] | None = None, every: int = 0, patience: int = 0, track: Tracker = "none",
    name: str = "",
) -> Log:  # fmt: skip
    """Do all steps that are not done yet.

    Args:
        model: the encoder that the task trains.
        task: gives the gradients.
        steps: of the whole run.
        settings: learning rate and schedule, weight decay, and the norm to which the gradient of a step is clipped: that of
            all parameters, after surgery and after the processes' sum.
        checkpoints: where the run goes on from.
        ranks: the processes of the run; the first one writes.
        surgery: joins the gradients of a step's batches; without it they are added.
        probe: a monolingual and a cross-lingual batch of a step, and after how many steps the cosine of their gradients is noted.
        validation_loss: measured every `every` steps and at the end; with `every` the best weights are kept.
        patience: measurements without a lower loss after which the run ends; 0: it never ends early.
        track, name: a tracker, and what it calls the run.

    Returns:
        The log: of every tenth step its loss, rate and gradient norm (before clipping), and of every validation its losses.

    Raises:
        KoineError: the loss is no longer a number.
        SystemExit: SIGTERM or SIGUSR1 came; a checkpoint is written, and the same call goes on from it.
    """
    parameters = task.parameters
    optimizer = AdamW(parameters, settings.weight_decay, task.undecayed)
    first, log = 0, Log()
    best: dict[str, torch.Tensor] = {}  # weights of the lowest validation loss so far
    if state := checkpoints.latest():
        optimizer.load(state.tensors)
        if surgery:
            surgery.load(state.tensors)
        best = {key: value for key, value in state.tensors.items() if key.startswith("best.")}
        first, log = state.step, state.log
        say(f"goes on after step {first:,} of {steps:,}")
    model.train()
    folder = checkpoints.folder if ranks.first else checkpoints.folder / f"rank-{ranks.rank}"
    metrics = Metrics(folder, log, track if ranks.first else "none", name)

    def rates() -> str:
        now = metrics.rates()
        return f", {now['pairs_per_s']:,.0f} pairs/s, {now['tokens_per_s']:,.0f} tokens/s"

    with stopping() as signalled:
        for step in progress(range(first, steps), "training", note=rates) if ranks.first else range(first, steps):
            if patience and _waited(log) >= patience:
                break
            rate = settings.learning_rate * _schedule(step, steps, settings)
            found: Line = {}
            if probe and step % probe[1] == 0:
                found["cosine"] = round(cosine(*[_gradient(probe[0], part, step, ranks, parameters) for part in (0, 1)]), 5)
            logged = step % LOG_EVERY == 0 or step == steps - 1 or bool(found)
            draw = task.draw(step)
            before = model.read.copy()
            _clear(parameters)
            parts, gradients = [], []
            for part in range(task.parts):
                parts.append(task.backward(part, step, draw))
                if surgery:
                    ranks.sum_gradients(parameters)
                    gradients.append(_taken(parameters))
            metrics.pairs += sum(part.pairs for part in parts)
            metrics.tokens += sum(part.tokens for part in parts)
            if surgery:
                joint, angle = surgery.join(gradients)
                found["cosine"] = round(angle, 5)
                for parameter, gradient in zip(parameters, joint, strict=True):
                    parameter.grad = gradient
            else:
                ranks.sum_gradients(parameters)
            norm = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
            if settings.max_grad_norm:
                clip_grads_with_norm_(parameters, settings.max_grad_norm, norm)
            optimizer.step(rate)
            if isinstance(task, Contrastive) and settings.learn_temperature:
                found["temperature"] = round(task.temperature, 6)
            if logged:
                tokens, positions = model.read - before
                found |= {"gradient_norm": round(float(norm), 5), "padding": round(float(1 - tokens / positions), 4)}
                for done in parts:
                    if not torch.isfinite(done.loss):
                        raise KoineError(f"step {step}: the loss is {float(done.loss)}; lower optimisation.learning_rate")
                    line: Line = {"step": step, "type": done.kind, "loss": round(float(done.loss), 5), "lr": round(rate, 8)}
                    metrics.write({**line, "tokens": done.tokens, **found})
                metrics.speed(step)
            if validation_loss and ((every and (step + 1) % every == 0) or step == steps - 1):
                # One process measures, so that all see the same loss and stop at the same step.
                losses = ranks.told(validation_loss() if ranks.first else {})
                metrics.write({"step": step, "type": "validation", **losses})
                if every and not _waited(log):
                    best = {f"best.{i}": parameter.detach().cpu().clone() for i, parameter in enumerate(parameters)}
            came = ranks.agree(signalled() or 0)
            if ranks.first and (came or checkpoints.due()):
                state = State(step + 1, optimizer.state() | (surgery.state() if surgery else {}) | best, log)
                checkpoints.save(state)
            if came:
                ranks.leave()  # none ends before the checkpoint is written
                stop(came, f"after step {step + 1:,} of {steps:,}")
    metrics.close()
    if best:
        for i, parameter in enumerate(parameters):
            parameter.data.copy_(best[f"best.{i}"])
    return log


def validations(log: Log) -> Log:
    """The lines of a log that hold validation losses."""
    return [line for line in log if line["type"] == "validation"]


def _waited(log: Log) -> int:
    """Validations since the one with the lowest loss; of equal ones the first counts."""
    losses = [float(str(line["loss"])) for line in validations(log)]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def _gradient(task: Contrastive, part: int, step: int, ranks: Ranks, parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    """The gradient of one batch alone."""
    _clear(parameters)
    task.backward(part, step, task.draw(step))
    ranks.sum_gradients(parameters)
    return _taken(parameters)


def _clear(parameters: list[torch.nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.grad = None


def _taken(parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    """The gradients, which are then none."""
    gradients = []
    for parameter in parameters:
        gradients.append(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
        parameter.grad = None
    return gradients


def _schedule(step: int, steps: int, settings: Optimisation) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then linear decay to 0."""
    warmup = round(settings.warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (steps - step) / max(1, steps - warmup)
