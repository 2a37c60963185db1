"""AdamW, and the parameters that weight decay leaves alone."""

import re
from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.optim.adamw import adamw

_BIAS_OR_NORM = re.compile(r"bias|layernorm|rmsnorm|(?:^|\.|_)norm(?:\.|$)")  # in a parameter's name, as transformers has it


def biases_and_norms(module: nn.Module) -> list[nn.Parameter]:
    """The biases of a module and the weights of its normalisation layers (LayerNorm, RMSNorm).

    They set the level and the length of states, and do not fit noise as matrices do: weight decay would only shift them. The
    rule is that of Hugging Face's `Trainer.get_decay_parameter_names`, by the layer's type and the parameter's name.

    Args:
        module: an encoder, or an encoder with a head.

    Returns:
        Its parameters that are not decayed.
    """
    return [
        parameter
        for path, layer in module.named_modules()
        for name, parameter in layer.named_parameters(path, recurse=False)
        if isinstance(layer, nn.LayerNorm) or _BIAS_OR_NORM.search(name.lower())
    ]


class AdamW:
    """torch's fused AdamW (Loshchilov and Hutter 2019) with its defaults.

    `torch.optim.AdamW` computes the same, to the bit, but imports torch's compiler first, which takes longer than the
    sample's training.

    Args:
        parameters: what is trained.
        weight_decay: of all of them but the next ones.
        undecayed: those of them that are not decayed.
    """

    def __init__(self, parameters: list[nn.Parameter], weight_decay: float, undecayed: Iterable[nn.Parameter] = ()) -> None:
        spared = {id(parameter) for parameter in undecayed}
        self._parameters = parameters
        self._decays = [0.0 if id(parameter) in spared else weight_decay for parameter in parameters]
        self._means = [torch.zeros_like(parameter) for parameter in parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in parameters]
        self._steps = [torch.zeros((), device=parameter.device) for parameter in parameters]

    def state(self) -> dict[str, torch.Tensor]:
        """The parameters and all that a later step depends on."""
        return {name: value.detach().cpu().contiguous() for name, value in self._named().items()}

    @torch.no_grad()
    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take up a `state`."""
        for name, value in self._named().items():
            value.copy_(state[name])

    def _named(self) -> dict[str, torch.Tensor]:
        lists: dict[str, Sequence[torch.Tensor]]
        lists = {"parameter": self._parameters, "mean": self._means, "square": self._squares, "steps": self._steps}
        return {f"{name}.{i}": value for name, values in lists.items() for i, value in enumerate(values)}

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move every parameter that has a gradient."""
        for decay in dict.fromkeys(self._decays):
            used = [i for i, value in enumerate(self._decays) if value == decay and self._parameters[i].grad is not None]
            states = [[state[i] for i in used] for state in (self._parameters, self._means, self._squares, self._steps)]
            parameters, means, squares, steps = states
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            if used:
                adamw(
                    parameters, gradients, means, squares, [], steps,
                    fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=lr, weight_decay=decay, eps=1e-8, maximize=False,
                )  # fmt: skip
