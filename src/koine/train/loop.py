"""The training loop: AdamW with clipped gradients, linear warm-up and linear decay; exact resume, validation, early stopping."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from koine.backbones.base import TrainableEncoder
from koine.params import Optimisation
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.runtime.processes import Processes
from koine.train.checkpoint import Checkpoints, State, stop, stopping
from koine.train.log import Line, Log, LogWriter, Tracker
from koine.train.optimiser import AdamW
from koine.train.surgery import Surgery, cosine
from koine.train.task import BatchLoss, Task

LOG_EVERY = 10  # steps between two lines of the training log


@dataclass(frozen=True)
class Watch:
    """What is measured on the way.

    Attributes:
        validation_loss: on questions that are not trained on; measured every `eval_steps` steps and at the end; with
            `eval_steps` the best weights are kept.
        eval_steps: 0: at the end alone.
        patience: measurements without a lower loss after which the run ends; 0: it never ends early.
        batches: a task whose steps have a monolingual and a cross-lingual batch, the cosine of whose gradients is noted.
        cosine_every: steps between two of these.
    """

    validation_loss: Callable[[], dict[str, float]] | None = None
    eval_steps: int = 0
    patience: int = 0
    batches: Task | None = None
    cosine_every: int = 0

    def is_validated(self, step: int, steps: int) -> bool:
        """Whether the validation loss is measured after a step."""
        return self.validation_loss is not None and (
            step == steps - 1 or (self.eval_steps > 0 and (step + 1) % self.eval_steps == 0)
        )


class Descent:
    """A run: the steps of a task that are not done yet.

    Args:
        model: the encoder that the task trains.
        task: gives the gradients.
        steps: of the whole run.
        optimisation: learning rate and schedule, weight decay, and the norm to which the gradient of a step is clipped: that of
            all parameters, after surgery and after the processes' sum.
        checkpoints: where the run is resumed from.
        processes: of the run; the first one writes.
        surgery: joins the gradients of a step's batches; without it they are added.
        watch: what is measured on the way.
        track, name: a tracker, and what it calls the run.

    Raises:
        KoineError: the tracker is not installed.
    """

    def __init__(
        self, model: TrainableEncoder, task: Task, steps: int, optimisation: Optimisation, checkpoints: Checkpoints,
        processes: Processes, surgery: Surgery | None = None, watch: Watch = Watch(), track: Tracker = "none", name: str = "",
    ) -> None:  # fmt: skip
        self._model, self._task, self._steps, self._optimisation = model, task, steps, optimisation
        self._checkpoints, self._processes, self._surgery, self._watch = checkpoints, processes, surgery, watch
        self._parameters = task.parameters
        self._optimizer = AdamW(self._parameters, optimisation.weight_decay, task.undecayed)
        self._best: dict[str, torch.Tensor] = {}  # weights of the lowest validation loss so far
        self._first, self.log = 0, Log()
        if state := checkpoints.latest():
            self._resume(state)
        folder = checkpoints.folder if processes.first else checkpoints.folder / f"process-{processes.number}"
        self._writer = LogWriter(folder, self.log, track if processes.first else "none", name)

    def _resume(self, state: State) -> None:
        self._optimizer.load(state.tensors)
        if self._surgery:
            self._surgery.load(state.tensors)
        self._best = {key: value for key, value in state.tensors.items() if key.startswith("best.")}
        self._first, self.log = state.step, state.log
        say(f"resumes after step {self._first:,} of {self._steps:,}")

    def run(self) -> Log:
        """Do the steps.

        Returns:
            The log: of every tenth step its loss, rate and gradient norm (before clipping), and of every validation its losses.

        Raises:
            KoineError: the loss is no longer a number.
            SystemExit: SIGTERM or SIGUSR1 came; a checkpoint is written, and the same run resumes from it.
        """
        self._model.train()
        steps = range(self._first, self._steps)
        with stopping() as signalled:
            for step in progress(steps, "training", note=self._speed) if self._processes.first else steps:
                if self._watch.patience and _waited(self.log) >= self._watch.patience:
                    break
                self._step(step)
                if self._watch.is_validated(step, self._steps):
                    self._validate(step)
                came = self._processes.largest(signalled() or 0)
                if self._processes.first and (came or self._checkpoints.due()):
                    self._save(step)
                if came:
                    self._processes.leave()  # none ends before the checkpoint is written
                    stop(came, f"after step {step + 1:,} of {self._steps:,}")
        self._writer.close()
        if self._best:
            for i, parameter in enumerate(self._parameters):
                parameter.data.copy_(self._best[f"best.{i}"])
        return self.log

    def _speed(self) -> str:
        rates = self._writer.rates()
        return f", {rates['pairs_per_s']:,.0f} pairs/s, {rates['tokens_per_s']:,.0f} tokens/s"

    def _step(self, step: int) -> None:
        """Move the weights once, and log it now and then."""
        rate = self._optimisation.learning_rate * _schedule(step, self._steps, self._optimisation)
        noted: Line = {}
        if self._watch.batches and step % self._watch.cosine_every == 0:
            noted["cosine"] = round(self._watched_cosine(self._watch.batches, step), 5)
        is_logged = step % LOG_EVERY == 0 or step == self._steps - 1 or bool(noted)
        before = self._model.read.copy()
        losses, angle = self._backward(step)
        if angle is not None:
            noted["cosine"] = round(angle, 5)
        norm = get_total_norm([parameter.grad for parameter in self._parameters if parameter.grad is not None])
        if self._optimisation.max_grad_norm:
            clip_grads_with_norm_(self._parameters, self._optimisation.max_grad_norm, norm)
        self._optimizer.step(rate)
        if is_logged:
            noted |= {name: round(value, 6) for name, value in self._task.learned().items()}
            tokens, positions = self._model.read - before
            noted |= {"gradient_norm": round(float(norm), 5), "padding": round(float(1 - tokens / positions), 4)}
            self._write(step, losses, rate, noted)

    def _backward(self, step: int) -> tuple[list[BatchLoss], float | None]:
        """Leave the gradient of a step in the parameters; its batches' losses, and the cosine that surgery found."""
        draw = self._task.draw(step)
        _clear(self._parameters)
        losses, gradients = [], []
        for batch in range(self._task.batches):
            losses.append(self._task.backward(batch, step, draw))
            if self._surgery:
                self._processes.sum_gradients(self._parameters)
                gradients.append(_taken(self._parameters))
        self._writer.pairs += sum(loss.pairs for loss in losses)
        self._writer.tokens += sum(loss.tokens for loss in losses)
        if not self._surgery:
            self._processes.sum_gradients(self._parameters)
            return losses, None
        joint, angle = self._surgery.join(gradients)
        for parameter, gradient in zip(self._parameters, joint, strict=True):
            parameter.grad = gradient
        return losses, angle

    def _watched_cosine(self, task: Task, step: int) -> float:
        """The cosine of the gradients of a step's two batches."""
        gradients = []
        for batch in (0, 1):
            _clear(self._parameters)
            task.backward(batch, step, task.draw(step))
            self._processes.sum_gradients(self._parameters)
            gradients.append(_taken(self._parameters))
        return cosine(*gradients)

    def _write(self, step: int, losses: list[BatchLoss], rate: float, noted: Line) -> None:
        for batch in losses:
            if not torch.isfinite(batch.loss):
                raise KoineError(f"step {step}: the loss is {float(batch.loss)}; lower optimisation.learning_rate")
            line: Line = {"step": step, "type": batch.type, "loss": round(float(batch.loss), 5), "lr": round(rate, 8)}
            self._writer.write({**line, "tokens": batch.tokens, **noted})
        self._writer.speed(step)

    def _validate(self, step: int) -> None:
        """Measure the validation loss, and keep the weights where it is the lowest so far."""
        assert self._watch.validation_loss is not None
        # One process measures, so that all see the same loss and stop at the same step.
        losses = self._processes.of_first(self._watch.validation_loss() if self._processes.first else {})
        self._writer.write({"step": step, "type": "validation", **losses})
        if self._watch.eval_steps and not _waited(self.log):
            self._best = {f"best.{i}": parameter.detach().cpu().clone() for i, parameter in enumerate(self._parameters)}

    def _save(self, step: int) -> None:
        surgery = self._surgery.state() if self._surgery else {}
        self._checkpoints.save(State(step + 1, self._optimizer.state() | surgery | self._best, self.log))


def validations(log: Log) -> Log:
    """The lines of a log that hold validation losses."""
    return [line for line in log if line["type"] == "validation"]


def _waited(log: Log) -> int:
    """Validations since the one with the lowest loss; of equal ones the first counts."""
    losses = [float(str(line["loss"])) for line in validations(log)]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


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


def _schedule(step: int, steps: int, optimisation: Optimisation) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then linear decay to 0."""
    warmup = round(optimisation.warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (steps - step) / max(1, steps - warmup)
