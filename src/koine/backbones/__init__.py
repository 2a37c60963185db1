"""Backbones: encoders behind one interface, texts in, L2-normalised float32 vectors `[n, d]` out.

`base.Encoder` is the interface; `static` and `transformer` are trained from scratch, `pretrained` starts from any
model that sentence-transformers loads, `onnx` runs what `koine export` wrote. `load(model)` opens a folder or a Hub id,
`create` makes what training starts from.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from koine.runtime.errors import KoineError
from koine.runtime.files import read_json

if TYPE_CHECKING:
    from koine.backbones.base import Encoder, TrainableEncoder
    from koine.backbones.tokenizer import Tokens
    from koine.params import Architecture, Start

#: Koine's own file in a model folder: how it was made, and the sha256 of its files.
MANIFEST = "koine.json"


def create(
    kind: str, start: "Start", architecture: "Architecture", tokenizer_file: Path, texts: "Tokens", seed: int
) -> "TrainableEncoder":
    """An encoder to train: a pretrained one, or one with random weights.

    Args:
        kind: `static`, `transformer` or `pretrained`.
        start: the pretrained model.
        architecture: dimensions and layers of the others.
        tokenizer_file: a tokenizer of `backbones.tokenizer`.
        texts: the training passages, for weights that start from word frequencies.
        seed: draws the weights.
    """
    if kind == "pretrained":
        from koine.backbones.pretrained import PretrainedEncoder

        return PretrainedEncoder.create(start, tokenizer_file)
    if kind == "static":
        from koine.backbones.static import StaticEncoder

        return StaticEncoder.create(architecture, tokenizer_file, texts, seed)
    from koine.backbones.transformer import TransformerEncoder

    return TransformerEncoder.create(architecture, tokenizer_file, texts, seed)


def load(model: str, device: str = "cpu") -> "Encoder":
    """Open a trained model.

    Args:
        model: a folder that Koine or sentence-transformers saved, or `koine export` wrote, or a Hub id.
        device: where it computes; an exported model computes on the CPU.

    Raises:
        KoineError: its files are cut short, or are none of a model.
    """
    try:
        return _load(model, device)
    except SafetensorError as error:
        raise KoineError(f"{model}: no whole weights ({error}); delete them and run again") from None


def _load(model: str, device: str) -> "Encoder":
    manifest = Path(model) / MANIFEST
    kind = read_json(manifest)["kind"] if manifest.is_file() else "frozen"
    if kind == "static":
        from koine.backbones.static import StaticEncoder

        return StaticEncoder.load(Path(model)).to(device)
    if kind == "transformer":
        from koine.backbones.transformer import TransformerEncoder

        return TransformerEncoder.load(Path(model)).to(device)
    if kind == "onnx":
        from koine.backbones.onnx import OnnxEncoder

        return OnnxEncoder(Path(model))
    from koine.backbones.pretrained import FrozenEncoder, PretrainedEncoder

    return PretrainedEncoder.load(Path(model)).to(device) if kind == "pretrained" else FrozenEncoder(model, device)
