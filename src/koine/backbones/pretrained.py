"""Encoders that others trained: fine-tuned (`PretrainedEncoder`), or as they are (`FrozenEncoder`).

Both are sentence-transformers models, so pooling, dense layers and normalisation are whatever their authors chose, and a
fine-tuned one is saved as what it was.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import tokenizers
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.sentence_transformer.modules import Pooling, WordEmbeddings
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.utils.import_utils import is_flash_attn_2_available

from koine.backbones.base import TrainableEncoder, Vectors, read_prefixes
from koine.backbones.tokenizer import Side, Tokens, max_length, read_tokenizer
from koine.params import Architecture, Start
from koine.runtime.errors import KoineError
from koine.runtime.files import write_text
from koine.runtime.hub import local_model, on_disk


class PretrainedEncoder(TrainableEncoder):
    """A pretrained model that is trained on.

    Args:
        model: modules that end in a vector per text.
        tokenizer: of `tokenizer.start_tokenizer`.
        prefixes: put before queries and passages.
    """

    kind = "pretrained"

    def __init__(self, model: SentenceTransformer, tokenizer: tokenizers.Tokenizer, prefixes: dict[Side, str]) -> None:
        super().__init__(tokenizer, prefixes)
        self.model = model
        inner = model.tokenizer.tokenizer if isinstance(model[0], WordEmbeddings) else model.tokenizer
        self._padding = (inner.pad_token_id, inner.padding_side == "left")

    @classmethod
    def create(
        cls, tokenizer_file: Path, *, start: Start, architecture: Architecture = Architecture(), texts: Tokens | None = None,
        seed: int = 0,
    ) -> Self:  # fmt: skip
        """Open what it starts from.

        Raises:
            KoineError: the folder is no model, or says no pooling and none is given.
        """
        if not start.model:
            raise KoineError("start.model: name the model that the backbone starts from")
        folder = local_model(start.model, start.revision)
        safe = {"use_safetensors": True}
        try:
            if start.pooling:
                states = _encoder_alone(Transformer(str(folder), model_kwargs=safe))
                modules = [states, Pooling(states.get_embedding_dimension(), start.pooling), Normalize()]
                model = SentenceTransformer(modules=modules, device="cpu")
            elif (folder / "modules.json").is_file():
                model = SentenceTransformer(str(folder), device="cpu", model_kwargs=safe)
            else:
                raise KoineError(f"{folder}: a language model (it has no modules.json); set start.pooling, as `mean`")
        except (OSError, ValueError) as error:
            raise KoineError(f"{folder}: no model that sentence-transformers loads: {str(error).splitlines()[0]}") from None
        if not isinstance(model[-1], Normalize):  # so that the folder gives the vectors that were trained
            model.append(Normalize())
        tokenizer = read_tokenizer(tokenizer_file)
        model.max_seq_length = max_length(tokenizer)
        return cls(model, tokenizer, {"query": "", "passage": ""})

    @classmethod
    def load(cls, model: str | Path, device: str = "cpu", revision: str = "") -> Self:
        """See `TrainableEncoder.load`."""
        folder = Path(model)
        tokenizer = read_tokenizer(folder / "tokenizer.json")
        modules = SentenceTransformer(str(folder), device="cpu", model_kwargs={"use_safetensors": True})
        return cls(modules, tokenizer, read_prefixes(folder)).to(device)

    def save(self, folder: Path) -> None:
        """See `TrainableEncoder.save`."""
        self.model.prompts = {"query": self.prefixes["query"], **dict.fromkeys(("passage", "document"), self.prefixes["passage"])}
        self.model.save_pretrained(str(folder), create_model_card=False)
        write_text(folder / "tokenizer.json", self.tokenizer.to_str(pretty=True))

    @property
    def language_model(self) -> PreTrainedModel:
        """See `TrainableEncoder.language_model`."""
        if not isinstance(self.model[0], Transformer):
            return super().language_model
        return cast(PreTrainedModel, self.model.transformers_model)

    @property
    def mask_token(self) -> int:
        """See `TrainableEncoder.mask_token`: the model's own, where its tokenizer has one."""
        tokenizer = self.model.tokenizer
        token = tokenizer.unk_token_id if tokenizer.mask_token_id is None else tokenizer.mask_token_id
        return int(token)

    def use_flash_attention(self) -> None:
        """Attend without padding, where flash-attention 2 is installed and the architecture knows it; for a GPU in bfloat16."""
        if is_flash_attn_2_available() and isinstance(self.model[0], Transformer):
            with suppress(ValueError):  # an architecture without it keeps torch's own
                self.language_model.set_attn_implementation("flash_attention_2")

    def forward(self, tokens: Tokens) -> torch.Tensor:
        """See `TrainableEncoder.forward`."""
        return functional.normalize(self.by_length(tokens, self._embed), dim=-1)

    def _embed(self, tokens: Tokens) -> torch.Tensor:
        pad, left = self._padding
        lengths = tokens.lengths
        places = np.arange(lengths.max(initial=0))
        mask = places[::-1] < lengths[:, None] if left else places < lengths[:, None]
        padded = np.full(mask.shape, pad, dtype=np.int64)
        padded[mask] = tokens.ids
        features = {"input_ids": torch.from_numpy(padded), "attention_mask": torch.from_numpy(mask.astype(np.int64))}
        if isinstance(self.model[0], WordEmbeddings):  # an LSTM follows, which wants to know
            features["sentence_lengths"] = torch.from_numpy(lengths)
        vectors: torch.Tensor = self.model({k: value.to(self.device) for k, value in features.items()})["sentence_embedding"]
        return vectors.float()


def _encoder_alone(states: Transformer) -> Transformer:
    """Take the encoder's states of a model that sentence-transformers loads with its decoder, as mBART (of T5 it does not).

    The decoder stays, so that plain sentence-transformers loads the saved folder, but without layers: it costs nothing, its
    states are not read, it gets no gradient.
    """
    model: Any = states.model
    if model.config.is_encoder_decoder and hasattr(model, "decoder"):
        states.modality_config = {"text": {"method": "forward", "method_output_name": "encoder_last_hidden_state"}}
        model.decoder.layers, model.config.decoder_layers = nn.ModuleList(), 0
    return states


class FrozenEncoder:
    """A sentence-transformers model with its own prompts and pooling.

    Args:
        model: folder or Hub id; `KOINE_MODELS=DIR` answers a Hub id with DIR/ORG/NAME.
        device: where it computes.
        revision: its commit on the Hub; empty for the newest.

    Raises:
        KoineError: neither a model folder nor reachable on the Hub.
    """

    def __init__(self, model: str, device: str, revision: str = "") -> None:
        try:
            safe = {"use_safetensors": True}
            self.model = SentenceTransformer(
                str(on_disk(model) or model), device=device, revision=revision or None, model_kwargs=safe
            )
        except (OSError, ValueError) as error:
            raise KoineError(f"{model}: no model that sentence-transformers loads ({error}); offline, see KOINE_MODELS") from None

    @classmethod
    def load(cls, model: str | Path, device: str = "cpu", revision: str = "") -> Self:
        """See `Encoder.load`."""
        return cls(str(model), device, revision)

    def encode(self, texts: Sequence[str], side: Side, *, batch_size: int) -> Vectors:
        """See `Encoder.encode`; `side` uses the model's own query and document prompts."""
        encode = self.model.encode_query if side == "query" else self.model.encode_document
        vectors = encode(list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)
