"""A chain of sentence-transformers modules as an ONNX graph: from token ids to normalised vectors.

sentence-transformers' own export was looked at first. It needs optimum-onnx, of which every release wants transformers < 4.58,
while sentence-transformers 6 wants 5; and its graph ends at the transformer, so that a service would have to pool by itself.
So torch's exporter is used (torch.onnx.export, by torch.export) on the whole chain of sentence-transformers modules, which
every model folder of Koine is, too.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import tokenizers
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.sentence_transformer.modules import LSTM, Pooling, StaticEmbedding, WordEmbeddings
from sentence_transformers.sentence_transformer.modules.dropout import Dropout
from sentence_transformers.sentence_transformer.modules.layer_norm import LayerNorm
from torch import nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from koine.backbones.onnx import INPUTS
from koine.runtime.errors import KoineError

try:
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401  # torch's exporter asks for it
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass
except ImportError as error:
    raise KoineError(f"onnx is not installed ({error}); pip install 'koine[onnx]'") from None

OUTPUT = "sentence_embedding"
OPSET = 20
LARGEST = 2**31 - 2**20  # bytes of a protobuf message, with some room for what is no weight


def refuse(chain: SentenceTransformer, model: str) -> None:
    """Say which part of a model there is no graph for, before it is traced."""
    known = (Transformer, StaticEmbedding, WordEmbeddings, LSTM, Pooling, Dense, Normalize, LayerNorm, Dropout)
    for module in chain:
        if type(module) not in known:
            names = ", ".join(module.__name__ for module in known)
            raise KoineError(f"{model}: a module {type(module).__name__} cannot be exported, only {names}")
        if isinstance(module, Pooling) and not module.include_prompt and any(prefixes(chain).values()):
            raise KoineError(f"{model}: its pooling leaves out the prompt, which an exported graph cannot tell from the text")


def prefixes(chain: SentenceTransformer) -> dict[str, str]:
    """What sentence-transformers' `encode_query` and `encode_document` put before a text."""
    names = {"query": ("query",), "passage": ("document", "passage", "corpus")}
    prompts = {
        kind: next((name for name in each if name in chain.prompts), chain.default_prompt_name) for kind, each in names.items()
    }
    return {kind: chain.prompts.get(name or "") or "" for kind, name in prompts.items()}


def tokenizer(chain: SentenceTransformer, model: str) -> tokenizers.Tokenizer:
    """The model's tokenizer, which adds its special tokens, cuts and pads (on the right) without being told to."""
    first = chain[0]
    if isinstance(first, StaticEmbedding):  # it leaves out the special tokens
        tokenizer = tokenizers.Tokenizer.from_str(first.tokenizer.to_str())
        tokenizer.post_processor = tokenizers.processors.Sequence([])
        tokenizer.enable_padding()
        return tokenizer
    fast: Any = chain.tokenizer
    fast = fast.tokenizer if isinstance(first, WordEmbeddings) else fast
    if not isinstance(fast, PreTrainedTokenizerFast):
        raise KoineError(f"{model}: needs a tokenizer of the fast kind (tokenizer.json)")
    tokenizer = tokenizers.Tokenizer.from_str(fast.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    if chain.max_seq_length and chain.max_seq_length < 2**31:  # no limit is written as a very large one
        tokenizer.enable_truncation(chain.max_seq_length, direction=fast.truncation_side)
    tokenizer.enable_padding(pad_id=fast.pad_token_id or 0, pad_token=fast.pad_token or "[PAD]")
    return tokenizer


class Graph(nn.Module):
    """Token ids and where they are no padding, int64 `[n, longest]`, to L2-normalised float32 vectors `[n, d]`."""

    def __init__(self, chain: SentenceTransformer) -> None:
        super().__init__()
        rewritten: dict[type, Any] = {StaticEmbedding: Mean, LSTM: Recurrence}
        self.stages = nn.ModuleList(rewritten[type(module)](module) if type(module) in rewritten else module for module in chain)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The vectors of a batch."""
        features = dict(zip(INPUTS, (input_ids, attention_mask), strict=True))
        for stage in self.stages:
            features = stage(features)
        return functional.normalize(features["sentence_embedding"], dim=-1)


class Mean(nn.Module):
    """`StaticEmbedding` on padded ids; a text without tokens becomes the zero vector."""

    def __init__(self, module: StaticEmbedding) -> None:
        super().__init__()
        self.weight = module.embedding.weight

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Add the mean of the token embeddings as `sentence_embedding`, float32 `[n, d]`."""
        mask = features["attention_mask"].unsqueeze(-1).to(self.weight.dtype)
        rows = functional.embedding(features["input_ids"], self.weight) * mask
        return {**features, "sentence_embedding": rows.sum(dim=1) / mask.sum(dim=1).clamp(min=1)}


class Recurrence(nn.Module):
    """`LSTM` as ONNX's operator of that name, which knows each text's length; torch.export would unroll it for one length."""

    def __init__(self, module: LSTM) -> None:
        super().__init__()
        self.hidden, self.ends = module.encoder.hidden_size, ("", "_reverse")[: 1 + module.bidirectional]
        self.layers = nn.ModuleList(nn.ParameterList(self._layer(module.encoder, number)) for number in range(module.num_layers))

    def _layer(self, encoder: nn.LSTM, number: int) -> list[torch.Tensor]:
        """W, R and B of a layer: [directions, 4 or 8 times the hidden size, ...], gates in ONNX's order."""

        def part(name: str) -> torch.Tensor:
            gates = [getattr(encoder, f"{name}_l{number}{end}").detach().chunk(4) for end in self.ends]
            return torch.stack([torch.cat([i, o, f, c]) for i, f, c, o in gates])

        return [part("weight_ih"), part("weight_hh"), torch.cat([part("bias_ih"), part("bias_hh")], dim=1)]

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Replace `token_embeddings`, float32 `[n, longest, d]`, by the states."""
        states = features["token_embeddings"].transpose(0, 1)
        lengths = features["attention_mask"].sum(dim=1).clamp(min=1).to(torch.int32)
        about: dict[str, Any] = {"hidden_size": self.hidden, "direction": "bidirectional" if len(self.ends) > 1 else "forward"}
        for layer in self.layers:
            shape = (states.shape[0], len(self.ends), states.shape[1], self.hidden)
            inputs = [states, *cast(nn.ParameterList, layer), lengths]
            (encoded,) = torch.onnx.ops.symbolic_multi_out("LSTM", inputs, about, dtypes=[states.dtype], shapes=[shape])
            states = encoded.transpose(1, 2).flatten(start_dim=2)
        return {**features, "token_embeddings": states.transpose(0, 1)}


def write_graph(chain: SentenceTransformer, path: Path, model: str) -> None:
    """Trace a model with batch and length left open, and write it without what differs between two runs."""
    if isinstance(chain[0], Transformer):
        language: Any = chain.transformers_model
        language.set_attn_implementation("eager")  # of the fused one, T5's export fails
    graph = Graph(chain)
    ids = torch.zeros(2, 7, dtype=torch.int64)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])  # with padding, so that no mask is taken to be empty
    shape = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    try:
        with quiet():
            program = torch.onnx.export(
                graph, (ids, mask), input_names=INPUTS, output_names=[OUTPUT], dynamic_shapes=(shape, shape),
                opset_version=OPSET, verbose=False, dynamo=True,
            )  # fmt: skip
            assert program is not None, "dynamo=True returns it"
            ClearMetadataAndDocStringPass()(program.model)  # stack traces, with this machine's paths
    except torch.onnx.OnnxExporterError as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        raise KoineError(f"{model}: torch cannot export it to ONNX: {cause}") from None
    size = sum(tensor.numel() * tensor.element_size() for tensor in graph.state_dict().values())
    program.save(path, external_data=size > LARGEST)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what the exporters tell their own developers."""
    root, torchs = logging.getLogger(), logging.getLogger("torch.onnx")
    level, handler = torchs.level, logging.NullHandler()
    torchs.setLevel(logging.ERROR)
    root.addHandler(handler)  # onnxruntime's quantiser sets the root logger up where it has no handler
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeHandler(handler)
        torchs.setLevel(level)
