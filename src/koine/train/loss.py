"""InfoNCE over in-batch and explicit negatives."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from koine.params import Direction, PartitionMode


@dataclass(frozen=True)
class PassageRows:
    """What the passages of a batch are: B positives, then M explicit negatives.

    Attributes:
        passage: number of each, the same in all languages, int64 `[B + M]`.
        row: the row that each belongs to, int64 `[B + M]`; of the positives 0 to B - 1.
    """

    passage: torch.Tensor
    row: torch.Tensor


def info_nce(
    queries: torch.Tensor, passages: torch.Tensor, rows: PassageRows, *, temperature: float | torch.Tensor,
    directions: Sequence[Direction] = ("query_to_doc",), partition_mode: PartitionMode = "joint", in_batch: bool = True,
) -> torch.Tensor:  # fmt: skip
    """Mean over the batch of `-log softmax_j(cos(q_i, p_j) / temperature)` at j = i.

    Equation 1 of arXiv 2408.10536 with a temperature, and with the other rows' positives as negatives, too (as E5 and
    sentence-transformers' MultipleNegativesRankingLoss have it); without `in_batch` and at temperature 1 it is the equation as
    printed. Rows on the same passage, in whatever language, are no negatives of each other: they are masked by passage number,
    since their texts differ.

    Args:
        queries: L2-normalised vectors, float32 `[B, d]`.
        passages: likewise, float32 `[B + M, d]`; the first B belong to the queries.
        rows: what the passages are.
        temperature: cosines are divided by it.
        directions: what is compared; `query_to_doc` and further terms, as sentence-transformers' loss of that name defines them.
        partition_mode: `joint`: one softmax over all directions, as in arXiv 2308.03281; `per_direction`: the mean of one
            for each.
        in_batch: whether other rows' positives are negatives of a query.

    Returns:
        A scalar, float32.

    >>> queries, passages = torch.eye(2), torch.eye(2)  # each query is its passage, and nothing of the other
    >>> rows = PassageRows(torch.tensor([7, 8]), torch.tensor([0, 1]))
    >>> round(float(info_nce(queries, passages, rows, temperature=1.0)), 4)  # -log(e / (e + 1))
    0.3133
    >>> rows = PassageRows(torch.tensor([7, 7]), torch.tensor([0, 1]))  # both rows are on one passage
    >>> float(info_nce(queries, passages, rows, temperature=1.0))
    0.0
    """
    count = len(queries)
    numbers = torch.arange(count, device=queries.device)
    same = rows.passage[:count, None] == rows.passage[None, :]

    def compared(direction: Direction) -> torch.Tensor:
        here, there = direction.split("_to_")
        others = queries if there == "query" else passages
        # Under autocast the product is in bfloat16.
        scores = ((queries if here == "query" else passages[:count]) @ others.T).float() / temperature
        hidden = same[:, : len(others)].clone()
        if here == there:
            hidden |= numbers[:, None] == rows.row[None, : len(others)]  # what belongs to one query is not compared
        else:
            hidden[numbers, numbers] = False
        if direction == "query_to_doc" and not in_batch:
            hidden[:, :count] = numbers[:, None] != numbers[None, :]
        return scores.masked_fill(hidden, float("-inf"))

    scores = [compared(direction) for direction in directions]
    partitions = [torch.cat(scores, dim=1)] if partition_mode == "joint" and len(scores) > 1 else scores
    return torch.stack([functional.cross_entropy(partition, numbers) for partition in partitions]).mean()
