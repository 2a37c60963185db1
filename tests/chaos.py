"""Runs that are killed at random moments, all their processes at once, and started again with the same command."""

import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from koine.runtime.console import say

OUTPUTS = ("data", "models", "results", "logs", ".snakemake")


@dataclass
class Tally:
    """What a campaign came to; `differences` are runs whose tables were not those of the unbroken one."""

    kills: int = 0
    runs: int = 0
    differences: int = 0
    seconds: float = 0.0
    undisturbed: float = 0.0

    @property
    def wasted(self) -> float:
        """Share of the time that was spent on what was lost, and on starting again."""
        return 1 - self.runs * self.undisturbed / self.seconds


def campaign(
    folder: Path, command: list[str], environment: dict[str, str], tables: list[str], kills: int, seed: int, share: float = 1.0
) -> Tally:
    """Run an experiment unbroken, then again and again from nothing, killed `kills` times in all.

    Args:
        folder: the checkout; what was made in it is deleted.
        command: that starts, and starts again.
        environment: of the command.
        tables: results that must be the same bytes each time.
        kills: SIGKILLs of the whole process group in all.
        seed: draws the moments.
        share: of the unbroken run's time, within which a start is killed. The smaller, the more often a run is killed; it must
            leave time for the longest job.

    Raises:
        RuntimeError: the command failed of itself.
    """
    draw, tally = random.Random(seed), Tally()

    def attempt(patience: float | None) -> bool:
        """Whether it ended before it was killed."""
        start = time.monotonic()
        output = folder / "chaos.log"
        with output.open("w") as stream:
            run = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                if run.wait(patience):
                    raise RuntimeError(f"{' '.join(command)} failed after {tally.kills} kills:\n{output.read_text()[-6000:]}")
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
                tally.kills += 1
                return False
            finally:
                tally.seconds += time.monotonic() - start
        return True

    def clean() -> None:
        for name in OUTPUTS:
            shutil.rmtree(folder / name, ignore_errors=True)

    clean()
    attempt(None)
    expected = [(folder / table).read_bytes() for table in tables]
    tally.undisturbed, tally.seconds = tally.seconds, 0.0
    while tally.kills < kills:
        clean()
        while not attempt(draw.uniform(0, share * tally.undisturbed) if tally.kills < kills else None):
            pass
        tally.runs += 1
        tally.differences += [(folder / table).read_bytes() for table in tables] != expected
        say(f"{tally.kills} of {kills} kills, {tally.runs} runs, {tally.differences} differences")
    return tally
