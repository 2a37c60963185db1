"""`static`: the mean of token embeddings, as sentence-transformers' StaticEmbedding; no context, very fast."""

from pathlib import Path
from typing import Self

import numpy as np
import tokenizers
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from koine.backbones.base import NORMALIZE, TrainableEncoder, read_prefixes, write_normalize, write_sentence_transformer
from koine.backbones.tokenizer import Side, Tokens, read_tokenizer
from koine.params import Architecture, Start
from koine.runtime.files import atomic, write_text

LEAST_IDF = 0.02  # a token in every text keeps a little weight, so that it can learn
MODULES = [
    ("", "sentence_transformers.sentence_transformer.modules.static_embedding.StaticEmbedding"),
    ("1_Normalize", NORMALIZE),
]


class StaticEncoder(TrainableEncoder):
    """An embedding bag: `normalise(mean(E[token] for token in text))`."""

    kind = "static"

    def __init__(self, tokenizer: tokenizers.Tokenizer, prefixes: dict[Side, str], weights: torch.Tensor) -> None:
        super().__init__(tokenizer, prefixes)
        self.embedding = nn.EmbeddingBag.from_pretrained(weights, freeze=False, mode="mean")

    @classmethod
    def create(cls, tokenizer_file: Path, *, start: Start, architecture: Architecture, texts: Tokens, seed: int) -> Self:
        """Random weights, standard normal; with `architecture.idf`, each token's row times its share of the largest idf.

        A mean of such rows is a random projection of a tf-idf vector: the start already matches words.
        """
        tokenizer = read_tokenizer(tokenizer_file)
        vocab_size = tokenizer.get_vocab_size()
        draw = torch.Generator().manual_seed(seed)
        weights = torch.randn(vocab_size, architecture.hidden_size, generator=draw)
        if architecture.idf:
            frequency = texts.document_frequency(vocab_size)
            idf = np.log((len(texts) + 1) / (frequency + 1)) / np.log(len(texts) + 1)
            weights *= torch.from_numpy(idf.clip(min=LEAST_IDF)).float()[:, None]
        return cls(tokenizer, {"query": "", "passage": ""}, weights)

    @classmethod
    def load(cls, model: str | Path, device: str = "cpu", revision: str = "") -> Self:
        """See `TrainableEncoder.load`."""
        folder = Path(model)
        tokenizer = read_tokenizer(folder / "tokenizer.json")
        weights = load_file(folder / "model.safetensors")["embedding.weight"]
        return cls(tokenizer, read_prefixes(folder), weights).to(device)

    def save(self, folder: Path) -> None:
        """See `TrainableEncoder.save`."""
        with atomic(folder / "model.safetensors") as temporary:
            save_file({"embedding.weight": self.embedding.weight.detach().cpu().contiguous()}, temporary)
        write_text(folder / "tokenizer.json", self.tokenizer.to_str(pretty=True))
        write_normalize(folder / "1_Normalize")
        write_sentence_transformer(folder, MODULES, self.prefixes)

    def pair(self, queries: Tokens, passages: Tokens) -> tuple[torch.Tensor, torch.Tensor]:
        """See `TrainableEncoder.pair`; one pass over both, so that there is one dense gradient, not a sum of two."""
        vectors = self(queries + passages)
        return vectors[: len(queries)], vectors[len(queries) :]

    def forward(self, tokens: Tokens) -> torch.Tensor:
        """See `TrainableEncoder.forward`; a text without tokens becomes the zero vector."""
        self.read += len(tokens.ids)
        ids = torch.from_numpy(tokens.ids).to(self.device)
        offsets = torch.from_numpy(tokens.offsets[:-1].astype("int32")).to(self.device)
        return functional.normalize(self.embedding(ids, offsets), dim=-1)
