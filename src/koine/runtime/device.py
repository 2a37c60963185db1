"""Where a job computes: the device that was asked for, and the threads that it was given."""

import os
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]


def resolve(device: Device) -> str:
    """The device to compute on: `auto` is a GPU where there is one. Unless it is the CPU, a GPU is leased (`gpus.lease`)."""
    if device == "cpu":
        return device
    from koine.runtime.gpus import lease

    lease()  # before torch counts them
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def use_threads() -> None:
    """Let torch use the threads that the job has."""
    if threads := os.environ.get("OMP_NUM_THREADS"):
        import torch

        torch.set_num_threads(int(threads))
