"""`transformer`: XLM-R's architecture from scratch, masked mean of the last layer's states, L2-normalised."""

from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import tokenizers
import torch
from torch.nn import functional
from transformers import AutoModel, PreTrainedModel, XLMRobertaConfig, XLMRobertaModel

from koine.backbones.base import NORMALIZE, TrainableEncoder, read_prefixes, write_normalize, write_sentence_transformer
from koine.backbones.tokenizer import SPECIAL, Side, Tokens, max_length, read_tokenizer
from koine.params import Architecture, Start
from koine.runtime.files import write_json, write_text

PAD = SPECIAL.index("<pad>")
MODULES = [
    ("", "sentence_transformers.base.modules.transformer.Transformer"),
    ("1_Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling"),
    ("2_Normalize", NORMALIZE),
]


class TransformerEncoder(TrainableEncoder):
    """XLM-R, small: `normalise(mean(states of the tokens that are no padding))`."""

    kind = "transformer"

    def __init__(self, tokenizer: tokenizers.Tokenizer, prefixes: dict[Side, str], model: PreTrainedModel) -> None:
        super().__init__(tokenizer, prefixes)
        self.model = model

    @classmethod
    def create(cls, tokenizer_file: Path, *, start: Start, architecture: Architecture, texts: Tokens, seed: int) -> Self:
        """Random weights, as transformers initialises XLM-R."""
        tokenizer = read_tokenizer(tokenizer_file)
        torch.manual_seed(seed)
        config = XLMRobertaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=architecture.hidden_size,
            num_hidden_layers=architecture.num_hidden_layers,
            num_attention_heads=architecture.num_attention_heads,
            intermediate_size=4 * architecture.hidden_size,
            max_position_embeddings=max_length(tokenizer) + PAD + 1,  # XLM-R counts from PAD + 1
            hidden_dropout_prob=0.0,  # a small model on much data underfits; dropout only slows it
            attention_probs_dropout_prob=0.0,
            pad_token_id=PAD,
            type_vocab_size=1,
        )
        model = XLMRobertaModel(config, add_pooling_layer=False)
        return cls(tokenizer, {"query": "", "passage": ""}, model)

    @classmethod
    def load(cls, model: str | Path, device: str = "cpu", revision: str = "") -> Self:
        """See `TrainableEncoder.load`."""
        folder = Path(model)
        tokenizer = read_tokenizer(folder / "tokenizer.json")
        states = AutoModel.from_pretrained(folder, add_pooling_layer=False, use_safetensors=True)
        return cls(tokenizer, read_prefixes(folder), states).to(device)

    def save(self, folder: Path) -> None:
        """See `TrainableEncoder.save`."""
        self.model.save_pretrained(folder)
        write_text(folder / "tokenizer.json", self.tokenizer.to_str(pretty=True))
        first, pad, last, unknown = SPECIAL
        write_json(
            folder / "tokenizer_config.json",
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "model_max_length": max_length(self.tokenizer),
                "bos_token": first,
                "eos_token": last,
                "cls_token": first,
                "sep_token": last,
                "pad_token": pad,
                "unk_token": unknown,
            },
        )
        write_json(
            folder / "sentence_bert_config.json",
            {
                "transformer_task": "feature-extraction",
                "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
                "module_output_name": "token_embeddings",
            },
        )
        dim = self.model.config.hidden_size
        pooling = {"embedding_dimension": dim, "pooling_mode": "mean", "include_prompt": True}
        write_json(folder / "1_Pooling" / "config.json", pooling)
        write_normalize(folder / "2_Normalize")
        write_sentence_transformer(folder, MODULES, self.prefixes)

    @property
    def language_model(self) -> PreTrainedModel:
        """See `TrainableEncoder.language_model`."""
        return self.model

    def forward(self, tokens: Tokens) -> torch.Tensor:
        """See `TrainableEncoder.forward`."""
        # On CPU and in bfloat16, torch's fused attention goes backwards 8 times slower than plain products.
        half = self.training and self.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        self.model.set_attn_implementation("eager" if half else "sdpa")
        # All texts' embeddings at once, then group by group: one gradient of the whole table, not one per group.
        embedded = self.model.get_input_embeddings()(torch.from_numpy(np.append(tokens.ids, PAD)).to(self.device))
        numbered = Tokens(np.arange(len(tokens.ids), dtype=np.int32), tokens.offsets)
        return functional.normalize(self.by_length(numbered, partial(self._mean, embedded)), dim=-1)

    def _mean(self, embedded: torch.Tensor, places: Tokens) -> torch.Tensor:
        """Mean states `[m, d]` of m texts whose tokens are rows of `embedded`; its last row is padding."""
        padded, mask = places.padded(len(embedded) - 1)
        attention = torch.from_numpy(mask).to(self.device)
        inputs = embedded[torch.from_numpy(padded).to(self.device)]
        states = self.model(inputs_embeds=inputs, attention_mask=attention).last_hidden_state
        weights = attention.unsqueeze(-1).to(states.dtype)
        mean: torch.Tensor = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return mean.float()
