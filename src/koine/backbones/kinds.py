"""The kinds of backbones, one entry each: what training may start from, and what can be opened.

An entry says all that the rest of Koine wants to know of a kind before its module, which takes seconds to import, is there. To
add one is to add an entry and the module with its class (docs/extend.md).
"""

from dataclasses import dataclass
from typing import Literal

from koine.names import Registry, entry_of


@dataclass(frozen=True)
class Kind:
    """One entry.

    Attributes:
        words: what it is, for people.
        encoder: its class, a `base.TrainableEncoder` where it is trained, else a `base.Encoder`.
        starts_from: what training starts from: random weights (`scratch`), or the model that `start.model` names; `nothing`:
            it is opened, and never trained.
        reads_context: whether it is a transformer, which reads tokens in their context: what `mlm` and `tsdae` teach, and what
            `gradient_checkpointing` and `torch_compile` are for.
        special_tokens: whether texts are framed by the tokenizer's special tokens.
        rates: of rates.yaml, what `koine plan` reckons it with: the beginning of their names; empty: its parameters say it.
        computes_on: where `koine plan` takes it to compute.
        exports: whether `koine export` makes a graph of it.
    """

    words: str
    encoder: str
    starts_from: Literal["scratch", "model", "nothing"] = "scratch"
    reads_context: bool = True
    special_tokens: bool = True
    rates: str = ""
    computes_on: Literal["cpu", "gpu"] = "cpu"
    exports: bool = True

    @property
    def is_trained(self) -> bool:
        """Whether training may start from it."""
        return self.starts_from != "nothing"


KINDS: Registry[Kind] = {
    "static": Kind(
        words="averages token embeddings, from scratch",
        encoder="koine.backbones.static:StaticEncoder",
        reads_context=False,
        special_tokens=False,
        rates="static",
    ),
    "transformer": Kind(
        words="has XLM-R's architecture, from scratch",
        encoder="koine.backbones.transformer:TransformerEncoder",
    ),
    "pretrained": Kind(
        words="starts from a model",
        encoder="koine.backbones.pretrained:PretrainedEncoder",
        starts_from="model",
        computes_on="gpu",
    ),
    "onnx": Kind(
        words="what `koine export` wrote",
        encoder="koine.backbones.onnx:OnnxEncoder",
        starts_from="nothing",
        exports=False,
    ),
    "frozen": Kind(
        words="any model that sentence-transformers loads, as it is",
        encoder="koine.backbones.pretrained:FrozenEncoder",
        starts_from="nothing",
    ),
}


def trained_kind(name: str) -> str:
    """The name of a kind that is trained.

    Raises:
        ValueError: there is none of this name; the message has the nearest one.

    >>> trained_kind("transfomer")
    Traceback (most recent call last):
    ValueError: unknown kind of backbone 'transfomer'; did you mean 'transformer'? (known: static, transformer, pretrained)
    """
    entry_of({known: kind for known, kind in KINDS.items() if kind.is_trained}, name, "kind of backbone")
    return name
