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


class Processes:
    """The processes of a job.

    Attributes:
        number: of this process, from 0 (torch calls it its rank).
        count: how many there are.
        device: where this one computes.
    """

    def __init__(self, number: int, count: int, device: str) -> None:
        self.number, self.count, self.device = number, count, device

    @classmethod
    def join(cls, device: str) -> Self:
        """Meet the other processes, if torchrun started any.

        Args:
            device: `cpu` or `cuda`; of GPUs each process takes the one of its number on its machine.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls(0, 1, device)
        if device == "cuda":
            device = f"cuda:{os.environ['LOCAL_RANK']}"
            torch.cuda.set_device(device)
        distributed.init_process_group("gloo" if device == "cpu" else "nccl")
        return cls(distributed.get_rank(), count, device)

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.number == 0

    def gather(self, rows: torch.Tensor, start: int, total: int) -> torch.Tensor:
        """The rows of all processes, without a graph.

        Args:
            rows: this process's, `[m, d]`.
            start: number of the first of them.
            total: rows of all processes, n.

        Returns:
            `[n, d]`.
        """
        gathered = torch.zeros(total, rows.shape[1], dtype=rows.dtype, device=rows.device)
        gathered[start : start + len(rows)] = rows.detach()
        if self.count > 1:
            distributed.all_reduce(gathered)  # the others' rows are zeros here, so the sum is exact
        return gathered

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Add the gradients of all processes up; each one gets the sum."""
        if self.count > 1:
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            joint = torch.cat([gradient.reshape(-1) for gradient in gradients])
            distributed.all_reduce(joint)
            sums = torch.split(joint, [gradient.numel() for gradient in gradients])
            for gradient, total in zip(gradients, sums, strict=True):
                gradient.copy_(total.view_as(gradient))

    def largest(self, number: int) -> int:
        """The largest number that any process gives."""
        if self.count == 1:
            return number
        largest = torch.tensor(number, device=self.device)
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
        return int(largest)

    def of_first(self, value: T) -> T:
        """The value of the first process; what the others give does not count."""
        if self.count == 1:
            return value
        shared = [value]
        distributed.broadcast_object_list(shared)
        return shared[0]

    def leave(self) -> None:
        """Part from the others, after all have come so far."""
        if self.count > 1:
            distributed.barrier()
            distributed.destroy_process_group()
