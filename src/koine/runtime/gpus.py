"""The GPUs of one machine: each job leases one by a file lock, and sees no other.

Snakemake counts GPUs and does not say which one a job may use. A lock goes with its process, so no dead job holds a GPU. Under
Slurm, which gives each job its own, and under torchrun, nothing is leased.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from koine.runtime.console import say
from koine.runtime.files import lock

VISIBLE = "CUDA_VISIBLE_DEVICES"
PAUSE = 0.5  # seconds between two looks for a free slot

_held: IO[str] | None = None  # for as long as this process lives


def lease() -> str | None:
    """Wait for a free GPU, and let CUDA see it alone; to be called before torch looks for GPUs.

    The slots are those that `CUDA_VISIBLE_DEVICES` names, else all of the machine, by UUID; one process leases once. The locks
    lie in a folder of the user in the machine's temporary folder, so that all checkouts share them.

    Returns:
        The GPU, as `CUDA_VISIBLE_DEVICES` now names it; None where there is none, or where others give them out.
    """
    global _held
    given_out = os.environ.get("SLURM_JOB_ID") or os.environ.get("LOCAL_RANK")
    if given_out or _held or not (slots := _slots()):
        return os.environ.get(VISIBLE) if _held else None
    folder = Path(tempfile.gettempdir()) / f"koine-gpus-{os.getuid()}"
    told = False
    while True:
        for slot in slots:
            if stream := lock(folder / slot.replace("/", "_")):
                _held, os.environ[VISIBLE] = stream, slot
                return slot
        if not told:
            say(f"waiting for a GPU: all {len(slots)} are leased to your other jobs (see {folder}); --device cpu needs none")
            told = True
        time.sleep(PAUSE)


def gpus() -> list[str]:
    """The names of the GPUs that CUDA may use here, without asking torch, which takes seconds to load."""
    known: dict[str, str] = {}
    for index, uuid, name in _asked("index,uuid,name"):
        known |= {index: name, uuid: name}
    return [known.get(slot, slot) for slot in _slots()] if known else []


def _slots() -> list[str]:
    if VISIBLE in os.environ:
        named = [name.strip() for name in os.environ[VISIBLE].split(",")]
        return [] if "-1" in named else [name for name in named if name]  # CUDA's word for none
    return [uuid for uuid, *_ in _asked("uuid")]


def _asked(fields: str) -> list[tuple[str, ...]]:
    """What NVIDIA's driver says of each GPU of the machine; nothing where there is no driver."""
    try:
        found = subprocess.run(
            ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = found.stdout.splitlines() if found.returncode == 0 else []
    return [tuple(field.strip() for field in line.split(",", fields.count(","))) for line in lines if line.strip()]
