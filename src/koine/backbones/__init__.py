"""Backbones: encoders behind one interface, texts in, L2-normalised float32 vectors `[n, d]` out.

`base.Encoder` is the interface, `kinds` the registry of what implements it. `load(model)` opens a folder or a Hub id, `create`
makes what training starts from.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from koine.backbones.kinds import KINDS
from koine.backbones.manifest import entry
from koine.names import target
from koine.runtime.errors import KoineError

if TYPE_CHECKING:
    from koine.backbones.base import Encoder, TrainableEncoder
    from koine.backbones.tokenizer import Tokens
    from koine.params import Architecture, Start


def create(
    kind: str, start: "Start", architecture: "Architecture", tokenizer_file: Path, texts: "Tokens", seed: int
) -> "TrainableEncoder":
    """An encoder to train: a pretrained one, or one with random weights.

    Args:
        kind: name of one that is trained, in `kinds.KINDS`.
        start: the pretrained model, for a kind that starts from one.
        architecture: dimensions and layers, for a kind that starts from scratch.
        tokenizer_file: a tokenizer of `backbones.tokenizer`.
        texts: the training passages, for weights that start from word frequencies.
        seed: draws the weights.

    Raises:
        KoineError: there is no such model.
    """
    encoder: type[TrainableEncoder] = target(KINDS[kind].encoder)
    return encoder.create(tokenizer_file, start=start, architecture=architecture, texts=texts, seed=seed)


def load(model: str, device: str = "cpu", revision: str = "") -> "Encoder":
    """Open a trained model.

    Args:
        model: a folder that Koine or sentence-transformers saved, or `koine export` wrote, or a Hub id.
        device: where it computes; an exported model computes on the CPU.
        revision: commit, branch or tag of a Hub id; empty for its main branch.

    Raises:
        KoineError: its files are cut short, or are none of a model, or its koine.json names no known kind.
    """
    encoder: type[Encoder] = target(entry(model).encoder)
    try:
        return encoder.load(model, device, revision)
    except SafetensorError as error:
        raise KoineError(f"{model}: no whole weights ({error}); delete them and run again") from None
