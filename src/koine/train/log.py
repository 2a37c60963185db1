"""What a training run writes while it runs: its log, its speed, and curves elsewhere when asked."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from koine.runtime.errors import KoineError

Line = dict[str, object]
Log = list[Line]
Tracker = Literal["none", "tensorboard", "wandb"]


class LogWriter:
    """Streams lines to `train.jsonl`, what no rerun would repeat to `speed.jsonl`, and both to a tracker.

    Args:
        folder: where the two files lie.
        log: what was logged before the run was broken off; new lines are added to it.
        track: a tracker, too; its curves are named `name`.
        name: of the run.

    Raises:
        KoineError: the tracker is not installed.
    """

    def __init__(self, folder: Path, log: Log, track: Tracker, name: str) -> None:
        self.log = log
        self._send = _tracker(track, name)
        folder.mkdir(parents=True, exist_ok=True)
        self._lines = (folder / "train.jsonl").open("w", encoding="utf-8", buffering=1)
        self._lines.writelines(json.dumps(line) + "\n" for line in log)
        self._speed = (folder / "speed.jsonl").open("a" if log else "w", encoding="utf-8", buffering=1)
        self.pairs = self.tokens = 0
        self._start = time.perf_counter()

    def write(self, line: Line) -> None:
        """Log a line; the same in every run of the same inputs."""
        self.log.append(line)
        self._lines.write(json.dumps(line) + "\n")
        kind = line.get("type")
        step = line.get("step")
        for name, value in line.items():
            if isinstance(value, float) and isinstance(step, int):
                self._send(f"{name}/{kind}" if name == "loss" or kind == "validation" else name, value, step)

    def rates(self) -> Line:
        """Speed since the run began (or went on), and the largest memory so far in GB."""
        seconds = time.perf_counter() - self._start
        if torch.cuda.is_available():
            memory = torch.cuda.max_memory_allocated()
        else:  # kilobytes, but bytes on macOS
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return {
            "pairs_per_s": round(self.pairs / seconds, 1),
            "tokens_per_s": round(self.tokens / seconds, 1),
            "memory_gb": round(memory / 1e9, 3),
        }

    def speed(self, step: int) -> None:
        """Note the speed at a step."""
        rates = self.rates()
        self._speed.write(json.dumps({"step": step, **rates}) + "\n")
        for name, value in rates.items():
            self._send(name, float(str(value)), step)

    def close(self) -> None:
        """Close the files."""
        self._lines.close()
        self._speed.close()


def _tracker(track: Tracker, name: str) -> Callable[[str, float, int], None]:
    """What takes the name of a curve, a value and a step."""
    if track == "none":
        return lambda curve, value, step: None
    try:
        if track == "tensorboard":
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(f"runs/{name}")
            return lambda curve, value, step: writer.add_scalar(curve, value, step)
        import wandb

        run = wandb.init(project="koine", name=name, resume="allow")
        return lambda curve, value, step: run.log({curve: value}, step=step)
    except ImportError:
        raise KoineError(f"execution.track: {track} is not installed: pip install {track}") from None
