"""The interface of all encoders, and what the trainable ones share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt
import tokenizers
import torch
from torch import nn

from koine.backbones.kinds import KINDS
from koine.backbones.tokenizer import SPECIAL, Side, Tokens, tokenize
from koine.params import Architecture, Start
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json, write_json

if TYPE_CHECKING:
    from transformers import PreTrainedModel  # takes seconds to import

Vectors = npt.NDArray[np.float32]
#: Tokens of texts that are padded together: few, so that there is little padding; more where small products waste the device.
GROUP_TOKENS = {"cpu": 1024, "cuda": 16384}
COMPILER = "inductor"


def length_groups(lengths: npt.NDArray[np.int64], device: torch.device) -> list[npt.NDArray[np.int64]]:
    """Rows of texts of like length, longest first: at most `GROUP_TOKENS` tokens, padding included, or one text."""
    order = np.argsort(-lengths, kind="stable")
    groups: list[npt.NDArray[np.int64]] = []
    while len(order):
        size = max(1, GROUP_TOKENS[device.type] // max(1, int(lengths[order[0]])))
        groups.append(order[:size])
        order = order[size:]
    return groups


class Encoder(Protocol):
    """Texts in, vectors out."""

    @classmethod
    def load(cls, model: str | Path, device: str = "cpu", revision: str = "") -> Self:
        """Open a model: a folder, or a Hub id, at its revision, where the kind knows them."""

    def encode(self, texts: Sequence[str], side: Side, *, batch_size: int) -> Vectors:
        """L2-normalised float32 vectors `[n, d]` of texts; `side` chooses the prefix.

        Args:
            texts: n texts.
            side: of a pair.
            batch_size: texts encoded at once; another number changes the last digits of a transformer's vectors.
        """


class TrainableEncoder(nn.Module, ABC):
    """An encoder whose forward pass takes ragged token ids.

    Subclasses say how ids become vectors and how the weights are stored; the folder they save is one that
    `sentence_transformers.SentenceTransformer` loads.

    Attributes:
        kind: name of its entry in `kinds.KINDS`.
        tokenizer: of `tokenizer.train_tokenizer` or `tokenizer.start_tokenizer`.
        prefixes: put before queries and passages.
        read: so far: tokens, and positions with their padding, int64 `[2]`.
    """

    kind: ClassVar[str]

    def __init__(self, tokenizer: tokenizers.Tokenizer, prefixes: dict[Side, str]) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.prefixes = prefixes
        self.read = np.zeros(2, dtype=np.int64)

    @classmethod
    @abstractmethod
    def create(cls, tokenizer_file: Path, *, start: Start, architecture: Architecture, texts: Tokens, seed: int) -> Self:
        """What training starts from; see `backbones.create`."""

    @classmethod
    @abstractmethod
    def load(cls, model: str | Path, device: str = "cpu", revision: str = "") -> Self:
        """Open a folder that `save` wrote; it has no revisions."""

    @abstractmethod
    def forward(self, tokens: Tokens) -> torch.Tensor:
        """L2-normalised vectors `[n, d]` of n texts."""

    def by_length(self, tokens: Tokens, embed: Callable[[Tokens], torch.Tensor]) -> torch.Tensor:
        """`embed` of texts, those of like length together: a batch is what it was, with less padding.

        Args:
            tokens: n texts.
            embed: vectors `[m, d]` of m texts; called with the texts of each of `length_groups`.
        """
        lengths = tokens.lengths
        groups = length_groups(lengths, self.device)
        self.read += len(tokens.ids), sum(len(group) * int(lengths[group[0]]) for group in groups)
        if len(groups) == 1:
            return embed(tokens)
        vectors = torch.cat([embed(tokens.take(group)) for group in groups])
        place = np.empty(len(tokens), dtype=np.int64)
        place[np.concatenate(groups)] = np.arange(len(tokens))
        return vectors[torch.from_numpy(place).to(vectors.device)]

    @property
    def language_model(self) -> "PreTrainedModel":
        """The transformer in it.

        Raises:
            KoineError: there is none.
        """
        raise KoineError("this backbone reads tokens without their context; take a transformer")

    @property
    def mask_token(self) -> int:
        """The id of what hides a token in masked language modelling.

        Tokenizers of ours have no mask token, and get none, so that files keep their bytes: the unknown token says the same.
        """
        return SPECIAL.index("<unk>")

    def checkpoint_gradients(self) -> None:
        """Compute states again on the way back, instead of holding them (gradient checkpointing).

        Raises:
            KoineError: the backbone is no transformer.
        """
        self.language_model.activation_checkpointing_enable()

    def compile_model(self) -> None:
        """Compile a transformer (torch.compile); texts of any number and length run through one program.

        Raises:
            KoineError: the backbone is no transformer.
        """
        self.language_model.compile(backend=COMPILER, dynamic=True)

    def use_flash_attention(self) -> None:
        """Attend without padding where that is installed; of pretrained transformers."""

    def pair(self, queries: Tokens, passages: Tokens) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of queries and passages of a training batch."""
        return self(queries), self(passages)

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write weights and configuration for sentence-transformers into `folder`."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def tokenize(self, texts: Sequence[str], side: Side) -> Tokens:
        """Token ids of texts with the prefix of their side."""
        return tokenize(self.tokenizer, texts, self.prefixes[side], KINDS[self.kind].special_tokens)

    def encode(self, texts: Sequence[str], side: Side, *, batch_size: int) -> Vectors:
        """See `Encoder.encode`."""
        return self.encode_tokens(self.tokenize(texts, side), batch_size=batch_size)

    @torch.inference_mode()
    def encode_tokens(self, tokens: Tokens, *, batch_size: int) -> Vectors:
        """Vectors `[n, d]` of n texts. Texts of like length are encoded together and put back in order."""
        self.eval()
        order = np.argsort(tokens.lengths, kind="stable")
        batches = [
            self(tokens.take(order[start : start + batch_size])).float().cpu().numpy()
            for start in range(0, len(order), batch_size)
        ]
        vectors = np.concatenate(batches)
        result = np.empty_like(vectors)
        result[order] = vectors
        return result


def write_sentence_transformer(folder: Path, modules: Sequence[tuple[str, str]], prefixes: dict[Side, str]) -> None:
    """Write the files that make a folder a sentence-transformers model: modules.json and the configuration.

    Args:
        folder: the model.
        modules: (sub-folder, class) of each module in order; the first one lies in the root (`""`).
        prefixes: become the prompts `query`, `passage` and `document`.
    """
    write_json(
        folder / "modules.json",
        [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(modules)],
    )
    write_json(
        folder / "config_sentence_transformers.json",
        {
            "__version__": {name: version(name.replace("_", "-")) for name in ("sentence_transformers", "transformers")},
            "default_prompt_name": None,
            "model_type": "SentenceTransformer",
            "prompts": {"query": prefixes["query"], "passage": prefixes["passage"], "document": prefixes["passage"]},
            "similarity_fn_name": "cosine",
        },
    )


def write_normalize(folder: Path) -> None:
    """The configuration of sentence-transformers' `Normalize` module."""
    write_json(
        folder / "config.json",
        {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"},
    )


NORMALIZE = "sentence_transformers.base.modules.normalize.Normalize"


def read_prefixes(folder: Path) -> dict[Side, str]:
    """The prefixes that `write_sentence_transformer` stored."""
    prompts = read_json(folder / "config_sentence_transformers.json")["prompts"]
    return {"query": prompts["query"], "passage": prompts["passage"]}
