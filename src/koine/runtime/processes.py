"""Several processes that do one job, each on a GPU of its own: in training a batch is split among them, its negatives are not.

`torchrun --standalone --nproc-per-node 4 --no-python koine train …` starts four, which find each other by torchrun's environment
variables. Every process encodes its share of a batch, all get all vectors, and the gradients are summed: it is the gradient of
one process on the whole batch, but for rounding, and for what a model's own dropout draws.
"""

import os
from collections.abc import Sequence
from typing import Self, TypeVar

import torch
from torch import distributed

T = TypeVar("T")


class Ranks:
    """The processes of a job.

    Attributes:
        rank: number of this process, from 0.
        size: how many there are.
        device: where this one computes.
    """

    def __init__(self, rank: int, size: int, device: str) -> None:
        self.rank, self.size, self.device = rank, size, device

    @classmethod
    def join(cls, device: str) -> Self:
        """Meet the other processes, if torchrun started any.

        Args:
            device: `cpu` or `cuda`; of GPUs each process takes the one of its number on its machine.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls(0, 1, device)
        if device == "cuda":
            device = f"cuda:{os.environ['LOCAL_RANK']}"
            torch.cuda.set_device(device)
        distributed.init_process_group("gloo" if device == "cpu" else "nccl")
        return cls(distributed.get_rank(), size, device)

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def gather(self, own: torch.Tensor, start: int, count: int) -> torch.Tensor:
        """The rows of all processes, without a graph.

        Args:
            own: this process's rows, `[m, d]`.
            start: number of the first of them.
            count: rows in all, n.

        Returns:
            `[n, d]`.
        """
        rows = torch.zeros(count, own.shape[1], dtype=own.dtype, device=own.device)
        rows[start : start + len(own)] = own.detach()
        if self.size > 1:
            distributed.all_reduce(rows)  # the others' rows are zeros here, so the sum is exact
        return rows

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Add the gradients of all processes up; each one gets the sum."""
        if self.size > 1:
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            joint = torch.cat([gradient.reshape(-1) for gradient in gradients])
            distributed.all_reduce(joint)
            parts = torch.split(joint, [gradient.numel() for gradient in gradients])
            for gradient, part in zip(gradients, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def agree(self, number: int) -> int:
        """The largest number that any process gives."""
        if self.size == 1:
            return number
        largest = torch.tensor(number, device=self.device)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return int(largest)

    def told(self, found: T) -> T:
        """What the first process found."""
        if self.size == 1:
            return found
        shared = [found]
        distributed.broadcast_object_list(shared)
        return shared[0]

    def leave(self) -> None:
        """Part from the others, after all have come so far."""
        if self.size > 1:
            distributed.barrier()
            distributed.destroy_process_group()
