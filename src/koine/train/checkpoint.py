"""Exact resume: the state of a training run, beside its output and keyed by all that determines the result.

A run that was killed resumes from its last checkpoint and ends with the same weights, to the bit, as one that was not:
batches and dropout are functions of seed and step, so weights, moments of the optimiser and the number of the step are
all the state there is, and where they are asked for, the best weights so far and GradVac's usual cosines. A checkpoint of other
data, parameters or code is never resumed.
"""

import json
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from koine.runtime.console import say
from koine.runtime.files import atomic
from koine.train.log import Log

KEPT = 2  # the last one, and the one before it in case the last cannot be read
REQUEUE = 75  # EX_TEMPFAIL of sysexits.h: "try again later"; name it as RequeueExit in slurm.conf


@dataclass
class State:
    """Where a run stands: `step` batches are done."""

    step: int
    tensors: dict[str, torch.Tensor]
    log: Log


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: where they lie; no declared output.
        key: digest of all that determines the result (`runtime.resume.key`).
        every: seconds between two of them; changes no result.
    """

    def __init__(self, folder: Path, key: str, every: float) -> None:
        self.folder = folder
        self._key, self._every = key, every
        self._last = time.monotonic()

    def latest(self) -> State | None:
        """The newest checkpoint of this run that can be read; None where there is none."""
        for path in sorted(self.folder.glob("step-*.safetensors"), reverse=True):
            try:
                with safe_open(path, framework="pt") as stream:
                    about = stream.metadata()
                    if about["key"] == self._key:
                        tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
                        return State(int(about["step"]), tensors, json.loads(about["log"]))
            except (SafetensorError, OSError, KeyError) as error:
                say(f"{path}: cannot be read ({error}); the checkpoint before it is used")
        return None

    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self._last >= self._every

    def save(self, state: State) -> None:
        """Write a checkpoint atomically, and delete all but the last ones."""
        about = {"key": self._key, "step": str(state.step), "log": json.dumps(state.log)}
        with atomic(self.folder / f"step-{state.step:09}.safetensors") as temporary:
            save_file(state.tensors, temporary, metadata=about)
        kept = sorted(self.folder.glob("step-*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[:-KEPT]:
            path.unlink()
        self._last = time.monotonic()

    def clear(self) -> None:
        """Delete all of them: the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def stopping() -> Iterator[Callable[[], int | None]]:
    """Hold SIGINT, SIGTERM and SIGUSR1 back; the function that is yielded tells which one came, if one did."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    held = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, note) for number in held}
    try:
        yield lambda: came[0] if came else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop(number: int, where: str) -> None:
    """End the process on a signal, after the checkpoint is written.

    Raises:
        KeyboardInterrupt: on SIGINT.
        SystemExit: with `REQUEUE`, on the others: a scheduler shall start the job again.
    """
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    say(f"stopped {where} by {signal.Signals(number).name}; a checkpoint is written, the same command resumes from it")
    raise SystemExit(REQUEUE)
