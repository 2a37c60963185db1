"""Where encoders compute: the device of a job, and how many threads of the CPU."""

import os
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]


def resolve(device: Device) -> str:
    """The device that a job computes on; a GPU is leased first, so that no other job of this machine takes it.

    Args:
        device: `auto` is `cuda` where torch finds a GPU, else `cpu`.

    Returns:
        `cpu` or `cuda`.
    """
    if device == "cpu":
        return device
    from koine.runtime.gpus import lease

    lease()  # before torch counts them
    if device == "cuda":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def threads() -> int:
    """How many threads `OMP_NUM_THREADS` gives this job: its first positive number; 0 where it holds none.

    OpenMP allows a list there, one number for each level of nested loops.
    """
    words = os.environ.get("OMP_NUM_THREADS", "").split(",")
    return next((int(word) for word in words if word.strip().isdecimal() and int(word)), 0)


def use_threads() -> None:
    """Let torch use the job's `threads`; torch's own number where the job is given none."""
    if count := threads():
        import torch

        torch.set_num_threads(count)
