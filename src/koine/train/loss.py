"""InfoNCE over in-batch negatives."""

import torch
from torch.nn import functional


def info_nce(
    queries: torch.Tensor, passages: torch.Tensor, passage_of: torch.Tensor, *, temperature: float, symmetric: bool
) -> torch.Tensor:
    """Mean over the batch of `-log softmax_j(cos(q_i, p_j) / temperature)` at j = i.

    Equation 1 of arXiv 2408.10536 with a temperature and with the other rows' positives as negatives (as E5 and
    sentence-transformers' MultipleNegativesRankingLoss have it). Rows on the same passage, in whatever language,
    are no negatives of each other: they are masked by passage number, since their texts differ.

    Args:
        queries, passages: L2-normalised vectors, float32 `[B, d]`; row i belongs to row i.
        passage_of: passage number of each row, int64 `[B]`.
        temperature: cosines are divided by it.
        symmetric: average with the loss from passage to query.

    Returns:
        A scalar.
    """
    scores = (queries @ passages.T).float() / temperature  # under autocast the product is in bfloat16
    same = passage_of[:, None] == passage_of[None, :]
    same.fill_diagonal_(False)
    scores = scores.masked_fill(same, float("-inf"))
    target = torch.arange(len(scores), device=scores.device)
    loss = functional.cross_entropy(scores, target)
    return (loss + functional.cross_entropy(scores.T, target)) / 2 if symmetric else loss
