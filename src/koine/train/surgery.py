"""Gradient surgery: joins the gradients of a monolingual and a cross-lingual batch where they pull against each other.

PCGrad (arXiv 2001.06782) takes from each gradient its part against the other; GradVac (arXiv 2010.05874) pushes both towards
the cosine that they usually have. Both are torchjd's, whose sum of gradients is divided by their number here, so that the
step is as long as with the mean of the losses.
"""

from collections.abc import Sequence
from typing import Any

import torch

Gradients = Sequence[torch.Tensor]


def _gram(parts: Sequence[Gradients]) -> torch.Tensor:
    """Inner products of gradients, each a tensor per parameter; `[m, m]`."""
    return torch.tensor([[sum(float((a * b).sum()) for a, b in zip(one, two, strict=True)) for two in parts] for one in parts])


def cosine(one: Gradients, two: Gradients) -> float:
    """The cosine between two gradients."""
    gram = _gram([one, two])
    return float(gram[0, 1] / (gram[0, 0] * gram[1, 1]).sqrt())


class Surgery:
    """Joins the gradients of the parts of a step.

    Args:
        kind: `pcgrad` or `gradvac`.
    """

    def __init__(self, kind: str) -> None:
        from torchjd.aggregation import GradVacWeighting, PCGradWeighting  # seconds to import, and seldom asked for

        self._weighting: Any = PCGradWeighting() if kind == "pcgrad" else GradVacWeighting()

    def join(self, parts: Sequence[Gradients]) -> tuple[list[torch.Tensor], float]:
        """The joint gradient, and the cosine between the first two.

        Args:
            parts: of each part, the gradient of every parameter.
        """
        gram = _gram(parts)
        weights = (self._weighting(gram) / len(parts)).tolist()
        joint = [sum(weight * own for weight, own in zip(weights, owns, strict=True)) for owns in zip(*parts, strict=True)]
        return joint, float(gram[0, 1] / (gram[0, 0] * gram[1, 1]).sqrt())

    def state(self) -> dict[str, torch.Tensor]:
        """What a later step depends on: GradVac's usual cosines."""
        return {f"surgery.{name}": value for name, value in self._weighting.state_dict().items()}

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take up a `state`."""
        own = {name.removeprefix("surgery."): value for name, value in state.items() if name.startswith("surgery.")}
        if own:
            self._weighting._ensure_state(2, torch.float32)
            self._weighting.load_state_dict(own)
