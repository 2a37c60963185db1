"""Gradient surgery: joins the gradients of a monolingual and a cross-lingual batch where they pull against each other.

PCGrad (arXiv 2001.06782) takes from each gradient its part against the other; GradVac (arXiv 2010.05874) pushes both towards
the cosine that they usually have. Both are torchjd's, whose sum of gradients is divided by their number here, so that the
step is as long as with the mean of the losses.
"""

from collections.abc import Sequence
from typing import Any

import torch

Gradients = Sequence[torch.Tensor]  # a tensor for each parameter


def _products(gradients: Sequence[Gradients]) -> torch.Tensor:
    """Inner products of m gradients, float32 `[m, m]`."""
    return torch.tensor(
        [[sum(float((a * b).sum()) for a, b in zip(one, two, strict=True)) for two in gradients] for one in gradients]
    )


def _cosine(products: torch.Tensor) -> float:
    """The cosine between the first two gradients, by the `_products` of all."""
    return float(products[0, 1] / (products[0, 0] * products[1, 1]).sqrt())


def cosine(one: Gradients, two: Gradients) -> float:
    """The cosine between two gradients."""
    return _cosine(_products([one, two]))


class Surgery:
    """Joins the gradients of a step's batches.

    Args:
        weighting: torchjd's: weights `[m]` of m gradients, by their inner products `[m, m]`.
    """

    def __init__(self, weighting: Any) -> None:
        self._weighting = weighting

    def join(self, gradients: Sequence[Gradients]) -> tuple[list[torch.Tensor], float]:
        """The joint gradient, and the cosine between the first two.

        Args:
            gradients: of each batch.
        """
        products = _products(gradients)
        weights = (self._weighting(products) / len(gradients)).tolist()
        joint = [
            sum(weight * gradient for weight, gradient in zip(weights, of_parameter, strict=True))
            for of_parameter in zip(*gradients, strict=True)
        ]
        return joint, _cosine(products)

    def state(self) -> dict[str, torch.Tensor]:
        """What a later step depends on: GradVac's usual cosines."""
        return {f"surgery.{name}": value for name, value in self._weighting.state_dict().items()}

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take up a `state`."""
        cosines = {name.removeprefix("surgery."): value for name, value in state.items() if name.startswith("surgery.")}
        if cosines:
            self._weighting._ensure_state(2, torch.float32)
            self._weighting.load_state_dict(cosines)


def pcgrad() -> Surgery:
    """Each gradient loses its part against the other."""
    from torchjd.aggregation import PCGradWeighting  # seconds to import, and seldom asked for

    return Surgery(PCGradWeighting())


def gradvac() -> Surgery:
    """Both gradients are turned towards the cosine that they usually have."""
    from torchjd.aggregation import GradVacWeighting

    return Surgery(GradVacWeighting())
