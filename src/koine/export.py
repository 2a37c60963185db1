"""`koine export`: a model as an ONNX graph from token ids to normalised vectors, for services without torch.

sentence-transformers' own export was looked at first. It needs optimum-onnx, of which every release wants transformers < 4.58,
while sentence-transformers 6 wants 5; and its graph ends at the transformer, so that a service would have to pool by itself.
So torch's exporter is used (torch.onnx.export, by torch.export) on the whole chain of sentence-transformers modules, which
every model folder of Koine is, too.
"""

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import polars as pl
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

from koine import __version__, backbones
from koine.backbones import MANIFEST
from koine.backbones.base import Encoder, Kind, Vectors
from koine.backbones.onnx import GRAPH, INPUTS, OnnxEncoder
from koine.backbones.pretrained import FrozenEncoder
from koine.params import SETTINGS
from koine.records import Run
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json, sha256, write_json, write_text
from koine.runtime.hub import local_model, on_disk
from koine.runtime.resume import key

try:
    import onnx
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401  # torch's exporter asks for it
    from onnx import helper, numpy_helper
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass
except ImportError as error:
    raise KoineError(f"onnx is not installed ({error}); pip install 'koine[onnx]'") from None

Floats = npt.NDArray[np.float64]
OUTPUT = "sentence_embedding"
OPSET = 20
LEAST = 0.9999  # cosine of a float32 export to the model it was made of
BLOCK = 64  # weights of a matrix that share a scale in int8: of 32, 64, 128 the fastest; 32 loses a little less
INT8_PRODUCTS = 4  # onnxruntime's accuracy_level: inputs of a matrix product become int8 too, by blocks of a row
LARGEST = 2**31 - 2**20  # bytes of a protobuf message, with some room for what is no weight
LONGEST = 2048  # tokens: beyond, cutting a text is not checked, since attention would take too much memory
BATCH = 8
KINDS: tuple[Kind, ...] = ("query", "passage")
PARAGRAPH = "A long text of many short words is cut where the model no longer reads it , and what comes after is lost . "
#: What is encoded with both: scripts, letters that are folded, empty texts, special tokens as text.
TEXTS = (
    "Who founded the city on the river?",
    "The city was founded in 1243 by fishermen, on the left bank of the river, below the falls.",
    "Kuka perusti kaupungin joen rannalle?",
    "¿Quién fundó la ciudad junto al río?",
    "Кто основал город на реке?",
    "Ποιος ίδρυσε την πόλη; ﬁ ① İ ß e\u0301",
    "من أسس المدينة على النهر؟",
    "מי ייסד את העיר על הנהר?",
    "नदी पर शहर किसने बसाया?",
    "ใครก่อตั้งเมืองริมแม่น้ำ",
    "谁在河边建立了这座城市?",
    "川沿いに街を築いたのは誰ですか。",
    "강가에 도시를 세운 사람은 누구입니까?",
    "Nani alianzisha mji kando ya mto?",
    "ვინ დააარსა ქალაქი მდინარეზე?",
    "",
    " ",
    "a",
    "\U0001f600 never seen \u0e51",
    "<s> special </s> tokens in the text <unk> [SEP]",
    "two\nlines\tand  spaces ",
    " ".join(f"{n} {n * n}" for n in range(40)),
)
#: How a service uses the folder; it stands in docs/export.md and in the model card.
SERVE = """import json, numpy, onnxruntime, tokenizers

folder = "FOLDER"
prefixes = json.load(open(f"{folder}/koine.json"))["prefixes"]
tokenizer = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")  # cuts at max_length, and pads
session = onnxruntime.InferenceSession(f"{folder}/model.onnx")


def encode(texts, kind):  # "query" or "passage"; normalised float32 vectors, one a row
    found = tokenizer.encode_batch([prefixes[kind] + text for text in texts])
    ids, mask = ([getattr(one, part) for one in found] for part in ("ids", "attention_mask"))
    inputs = {"input_ids": numpy.array(ids, "int64"), "attention_mask": numpy.array(mask, "int64")}
    return session.run(None, inputs)[0]
"""


def export(model: str, out: Path, *, int8: bool = False, benchmark: str = "") -> None:
    """Write a model as an ONNX graph, and check that it gives the model's vectors.

    The folder appears whole or not at all: a float32 graph whose vectors have a cosine below `LEAST` to the model's leaves
    none. The same model and versions give the same bytes.

    Args:
        model: a folder that Koine or sentence-transformers saved, or a Hub id.
        out: folder, which must not be there; gets model.onnx (above 2 GiB with its weights beside it, in model.onnx.data),
            tokenizer.json, koine.json and a model card. The graph takes `INPUTS` and gives `OUTPUT`, float32 `[n, d]`.
        int8: store matrices and token embeddings in 8 bits.
        benchmark: with `int8`, what it costs is measured on: name in the registry, or folder of `collect-benchmark`.

    Raises:
        KoineError: the model has a part that cannot be exported, or the graph gives other vectors.
    """
    if out.exists():
        raise KoineError(f"{out}: is there already; delete it, or name another folder")
    if benchmark and not int8:
        raise KoineError("--benchmark measures what 8 bits cost: it goes with --int8")
    if benchmark and not Path(benchmark).is_dir():
        from koine.collect import registry

        registry.benchmark(benchmark)  # a wrong name is said now, not after minutes
    folder = on_disk(model) or local_model(model)
    encoder = backbones.load(str(folder))
    if isinstance(encoder, OnnxEncoder):
        raise KoineError(f"{model}: is exported already; export the model that it was made of")
    if isinstance(encoder, nn.Module):
        encoder.float()
    chain = encoder.model if isinstance(encoder, FrozenEncoder) else FrozenEncoder(str(folder), "cpu").model
    chain.float().eval()  # weights may be stored in half precision
    _refuse(chain, model)
    tokenizer = _tokenizer(chain, model)
    cut = tokenizer.truncation["max_length"] if tokenizer.truncation else None
    texts = [*TEXTS, PARAGRAPH * (1 + min(cut or 0, LONGEST) // len(PARAGRAPH.split()))]
    wanted = {kind: encoder.encode(texts, kind, batch_size=BATCH) for kind in KINDS}
    about: dict[str, Any] = {
        "kind": "onnx",
        "precision": "float32",
        "dim": wanted["query"].shape[1],
        "max_length": cut,
        "prefixes": _prefixes(chain),
        "inputs": list(INPUTS),
        "output": OUTPUT,
        "opset": OPSET,
        "source": _source(model, folder),
        "versions": {name: version(name) for name in ("torch", "transformers", "sentence-transformers", "onnx", "onnxruntime")}
        | {"koine": __version__},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}.", suffix=".part", dir=out.parent) as scratch:
        made = Path(scratch) / "float32"
        made.mkdir()
        _write_graph(chain, made / GRAPH, model)
        cosines = _complete(made, tokenizer, about, wanted, texts)
        say(f"{model}: least cosine to the model's own vectors {min(cosines):.6f}, {len(cosines)} comparisons")
        if not min(cosines) >= LEAST:
            raise KoineError(f"{model}: the exported graph gives other vectors (cosine {min(cosines):.5f}); nothing was written")
        if int8:
            made = _to_int8(made, Path(scratch) / "int8", tokenizer, about, wanted, texts, benchmark)
        card = folder / "README.md"
        write_text(made / "README.md", _card(card.read_text(encoding="utf-8") if card.is_file() else "", about))
        for path in made.iterdir():
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
        made.rename(out)
    say(f"{out}: {about['bytes'] / 1e6:,.1f} MB")


def _refuse(chain: SentenceTransformer, model: str) -> None:
    """Say which part of a model there is no graph for, before it is traced."""
    known = (Transformer, StaticEmbedding, WordEmbeddings, LSTM, Pooling, Dense, Normalize, LayerNorm, Dropout)
    for module in chain:
        if type(module) not in known:
            names = ", ".join(one.__name__ for one in known)
            raise KoineError(f"{model}: a module {type(module).__name__} cannot be exported, only {names}")
        if isinstance(module, Pooling) and not module.include_prompt and any(_prefixes(chain).values()):
            raise KoineError(f"{model}: its pooling leaves out the prompt, which an exported graph cannot tell from the text")


def _prefixes(chain: SentenceTransformer) -> dict[str, str]:
    """What sentence-transformers' `encode_query` and `encode_document` put before a text."""
    names = {"query": ("query",), "passage": ("document", "passage", "corpus")}
    found = {kind: next((own for own in each if own in chain.prompts), chain.default_prompt_name) for kind, each in names.items()}
    return {kind: chain.prompts.get(own or "") or "" for kind, own in found.items()}


def _tokenizer(chain: SentenceTransformer, model: str) -> tokenizers.Tokenizer:
    """The model's tokenizer, which adds its special tokens, cuts and pads (on the right) without being told to."""
    first = chain[0]
    if isinstance(first, StaticEmbedding):  # it leaves out the special tokens
        tokenizer = tokenizers.Tokenizer.from_str(first.tokenizer.to_str())
        tokenizer.post_processor = tokenizers.processors.Sequence([])
        tokenizer.enable_padding()
        return tokenizer
    own: Any = chain.tokenizer
    own = own.tokenizer if isinstance(first, WordEmbeddings) else own
    if not isinstance(own, PreTrainedTokenizerFast):
        raise KoineError(f"{model}: needs a tokenizer of the fast kind (tokenizer.json)")
    tokenizer = tokenizers.Tokenizer.from_str(own.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    if chain.max_seq_length and chain.max_seq_length < 2**31:  # no limit is written as a very large one
        tokenizer.enable_truncation(chain.max_seq_length, direction=own.truncation_side)
    tokenizer.enable_padding(pad_id=own.pad_token_id or 0, pad_token=own.pad_token or "[PAD]")
    return tokenizer


def _source(model: str, folder: Path) -> dict[str, Any]:
    """What was exported: its name, one digest of all its weights, and how Koine made it, if it did."""
    weights = sorted(path for path in folder.rglob("*.safetensors") if path.is_file())
    digest = key([str(path.relative_to(folder)) for path in weights], weights, [])
    name = Path(model).resolve().name if Path(model).is_dir() else model
    made = read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    if "strategy" in made:
        name = f"{made['backbone']}/{made['strategy']}/seed-{made['seed']}"
    return {"model": name, "sha256": digest, "koine": made or None}


# --- the graph -------------------------------------------------------------------------------------------------


class _Graph(nn.Module):
    """Token ids and where they are no padding, int64 `[n, longest]`, to L2-normalised float32 vectors `[n, d]`."""

    def __init__(self, chain: SentenceTransformer) -> None:
        super().__init__()
        rewritten: dict[type, Any] = {StaticEmbedding: _Mean, LSTM: _Recurrence}
        self.stages = nn.ModuleList(rewritten[type(own)](own) if type(own) in rewritten else own for own in chain)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        features = dict(zip(INPUTS, (input_ids, attention_mask), strict=True))
        for stage in self.stages:
            features = stage(features)
        return functional.normalize(features["sentence_embedding"], dim=-1)


class _Mean(nn.Module):
    """`StaticEmbedding` on padded ids; a text without tokens becomes the zero vector."""

    def __init__(self, own: StaticEmbedding) -> None:
        super().__init__()
        self.weight = own.embedding.weight

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        mask = features["attention_mask"].unsqueeze(-1).to(self.weight.dtype)
        rows = functional.embedding(features["input_ids"], self.weight) * mask
        return {**features, "sentence_embedding": rows.sum(dim=1) / mask.sum(dim=1).clamp(min=1)}


class _Recurrence(nn.Module):
    """`LSTM` as ONNX's operator of that name, which knows each text's length; torch.export would unroll it for one length."""

    def __init__(self, own: LSTM) -> None:
        super().__init__()
        self.hidden, self.ends = own.encoder.hidden_size, ("", "_reverse")[: 1 + own.bidirectional]
        self.layers = nn.ModuleList(nn.ParameterList(self._layer(own.encoder, number)) for number in range(own.num_layers))

    def _layer(self, encoder: nn.LSTM, number: int) -> list[torch.Tensor]:
        """W, R and B of a layer: [directions, 4 or 8 times the hidden size, ...], gates in ONNX's order."""

        def part(name: str) -> torch.Tensor:
            own = [getattr(encoder, f"{name}_l{number}{end}").detach().chunk(4) for end in self.ends]
            return torch.stack([torch.cat([i, o, f, c]) for i, f, c, o in own])

        return [part("weight_ih"), part("weight_hh"), torch.cat([part("bias_ih"), part("bias_hh")], dim=1)]

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        states = features["token_embeddings"].transpose(0, 1)
        lengths = features["attention_mask"].sum(dim=1).clamp(min=1).to(torch.int32)
        about: dict[str, Any] = {"hidden_size": self.hidden, "direction": "bidirectional" if len(self.ends) > 1 else "forward"}
        for layer in self.layers:
            shape = (states.shape[0], len(self.ends), states.shape[1], self.hidden)
            inputs = [states, *cast(nn.ParameterList, layer), lengths]
            (found,) = torch.onnx.ops.symbolic_multi_out("LSTM", inputs, about, dtypes=[states.dtype], shapes=[shape])
            states = found.transpose(1, 2).flatten(start_dim=2)
        return {**features, "token_embeddings": states.transpose(0, 1)}


def _write_graph(chain: SentenceTransformer, path: Path, model: str) -> None:
    """Trace a model with batch and length left open, and write it without what differs between two runs."""
    if isinstance(chain[0], Transformer):
        language: Any = chain.transformers_model
        language.set_attn_implementation("eager")  # of the fused one, T5's export fails
    graph = _Graph(chain)
    ids = torch.zeros(2, 7, dtype=torch.int64)
    mask = torch.tensor([[1] * 7, [1] * 4 + [0] * 3])  # with padding, so that no mask is taken to be empty
    shape = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    try:
        with _quiet():
            program = torch.onnx.export(
                graph, (ids, mask), input_names=INPUTS, output_names=[OUTPUT], dynamic_shapes=(shape, shape),
                opset_version=OPSET, verbose=False, dynamo=True,
            )  # fmt: skip
            assert program is not None, "dynamo=True returns it"
            ClearMetadataAndDocStringPass()(program.model)  # stack traces, with this machine's paths
    except torch.onnx.OnnxExporterError as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        raise KoineError(f"{model}: torch cannot export it to ONNX: {cause}") from None
    size = sum(own.numel() * own.element_size() for own in graph.state_dict().values())
    program.save(path, external_data=size > LARGEST)


@contextmanager
def _quiet() -> Iterator[None]:
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


# --- 8 bits ----------------------------------------------------------------------------------------------------


def _to_int8(
    made: Path, out: Path, tokenizer: tokenizers.Tokenizer, about: dict[str, Any], wanted: Mapping[Kind, Vectors],
    texts: Sequence[str], benchmark: str,
) -> Path:  # fmt: skip
    """Make the 8-bit folder beside the float32 one, and measure what it costs; returns `out`."""
    before = about["bytes"]
    out.mkdir()
    _quantise(made / GRAPH, out / GRAPH)
    about["precision"] = "int8"
    cosines = _complete(out, tokenizer, about, wanted, texts)
    loss: dict[str, Any] = {
        "bytes": {"float32": before, "int8": about["bytes"]},
        "cosine": {"least": round(min(cosines), 6), "mean": round(float(np.mean(cosines)), 6)},
    }
    rows = [
        ["size, MB", f"{before / 1e6:,.1f}", f"{about['bytes'] / 1e6:,.1f}"],
        ["least cosine", "", f"{min(cosines):.5f}"],
        ["mean cosine", "", f"{np.mean(cosines):.5f}"],
    ]
    if benchmark:
        loss["benchmark"] = Path(benchmark).name
        loss["map"] = found = _evaluate({"float32": made, "int8": out}, benchmark, out.parent)
        rows += [[f"mAP {setting}", f"{own['float32']:.4f}", f"{own['int8']:.4f}"] for setting, own in found.items()]
    table("what 8 bits cost", ["", "float32", "int8"], rows)
    about["loss"] = loss
    write_json(out / MANIFEST, about)
    return out


def _quantise(source: Path, target: Path) -> None:
    """A graph with 8-bit token embeddings and matrices; both are computed with as they are, nothing is unpacked first.

    onnxruntime's `quantize_dynamic` takes one scale for the inputs of a whole batch. So a text's vector changes with the texts
    beside it, and loses more (benchmarks/export.py). Here each row of a batch has scales of its own.
    """
    with _quiet():
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        graph = onnx.load(source)
        _rows_to_int8(graph)
        quantiser = MatMulNBitsQuantizer(graph, bits=8, block_size=BLOCK, is_symmetric=True, accuracy_level=INT8_PRODUCTS)
        logging.getLogger(MatMulNBitsQuantizer.__module__).setLevel(logging.ERROR)
        quantiser.process()
    large = graph.ByteSize() > LARGEST
    onnx.save_model(quantiser.model.model, target, save_as_external_data=large, location=f"{target.name}.data")


def _rows_to_int8(model: onnx.ModelProto) -> None:
    """Make the table that the token ids index one of 8 bits, with one scale per row: the largest value of a row is 127."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    for place, node in enumerate(graph.node):
        if node.op_type == "Gather" and node.input[1] == INPUTS[0] and node.input[0] in stored:
            name, ids, result = node.input[0], node.input[1], node.output[0]
            rows = numpy_helper.to_array(stored[name])
            scales = np.abs(rows).max(axis=1, keepdims=True) / np.float32(127)
            codes = np.rint(np.divide(rows, scales, out=np.zeros_like(rows), where=scales > 0)).astype(np.int8)
            graph.initializer.append(numpy_helper.from_array(codes, f"{name}.int8"))
            graph.initializer.append(numpy_helper.from_array(scales, f"{name}.scale"))
            made = [
                helper.make_node("Gather", [f"{name}.int8", ids], [f"{result}.int8"]),
                helper.make_node("Cast", [f"{result}.int8"], [f"{result}.codes"], to=onnx.TensorProto.FLOAT),
                helper.make_node("Gather", [f"{name}.scale", ids], [f"{result}.scale"]),
                helper.make_node("Mul", [f"{result}.codes", f"{result}.scale"], [result]),
            ]
            graph.node.remove(node)
            for number, own in enumerate(made):
                graph.node.insert(place + number, own)
            if not any(name in other.input for other in graph.node):
                graph.initializer.remove(stored[name])
            return


def _evaluate(folders: Mapping[str, Path], benchmark: str, scratch: Path) -> dict[str, dict[str, float]]:
    """The mAP of each folder in each setting of a benchmark: the mean over its language pairs."""
    from koine.evaluate.model import evaluate_model

    found: dict[str, dict[str, float]] = {}
    for precision, folder in folders.items():
        out, named = scratch / f"{precision}.evaluated", Run("", "onnx", precision, 0)
        evaluate_model(str(folder), benchmark, out, run=named, pools=[], settings=[], names=["map"], device="cpu")
        means = pl.read_csv(out / "pairs.csv").group_by("setting").agg(pl.col("value").mean())
        found[precision] = dict(means.iter_rows())
    known = [setting for setting in SETTINGS if setting in found["int8"]]
    return {setting: {precision: round(own[setting], 6) for precision, own in found.items()} for setting in known}


# --- the folder ------------------------------------------------------------------------------------------------


def _complete(
    folder: Path, tokenizer: tokenizers.Tokenizer, about: dict[str, Any], wanted: Mapping[Kind, Vectors], texts: Sequence[str]
) -> list[float]:
    """Put beside a graph what its encoder reads, note sizes and cosines, and return all cosines to the wanted vectors."""
    write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True))
    files = {path.name: sha256(path) for path in sorted(folder.glob("*")) if path.name != MANIFEST}
    about |= {"bytes": sum(path.stat().st_size for path in folder.glob(f"{GRAPH}*")), "sha256": files}
    write_json(folder / MANIFEST, about)
    encoder = OnnxEncoder(folder)
    try:
        cosines = compare(encoder, wanted, texts)
    except Exception as error:  # the library's errors have no parent of their own
        raise KoineError(
            f"{about['source']['model']}: the exported graph does not run: {str(error).splitlines()[0]}; nothing was written"
        ) from None
    about["cosine"] = {"least": round(min(cosines), 6), "mean": round(float(np.mean(cosines)), 6), "comparisons": len(cosines)}
    write_json(folder / MANIFEST, about)
    return cosines


def compare(encoder: Encoder, wanted: Mapping[Kind, Vectors], texts: Sequence[str]) -> list[float]:
    """Cosines of an encoder's vectors to others, for texts in padded batches and for each text alone.

    Args:
        encoder: of n texts.
        wanted: vectors `[n, d]` of each kind.
        texts: the texts.

    Returns:
        4 n cosines; two vectors that are both zero count as equal, what is not finite as -1.
    """
    found = [cosine(encoder.encode(texts, kind, batch_size=size), own) for kind, own in wanted.items() for size in (BATCH, 1)]
    return [float(value) for value in np.concatenate(found)]


def cosine(one: Vectors, two: Vectors) -> Floats:
    """Cosines of the rows of two arrays `[n, d]`, float64 `[n]`; see `compare`."""
    first, second = one.astype(np.float64), two.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (first * second).sum(axis=1) / lengths
    found[~first.any(axis=1) & ~second.any(axis=1)] = 1
    return np.nan_to_num(found, nan=-1)


def _card(own: str, about: Mapping[str, Any]) -> str:
    """The model's card, with a first part on the export; `own` is empty where the model has none."""
    head, body = "", own
    if own.startswith("---\n") and "\n---\n" in own:
        head, body = own[4:].split("\n---\n", 1)
    head = re.sub(r"^library_name:.*\n?", "", head + "\n", flags=re.MULTILINE).strip("\n")
    source, cosine = about["source"], about["cosine"]
    lines = [
        f"# {source['model']} in ONNX, {about['precision']}",
        "",
        f"Text to a normalised vector of {about['dim']} dimensions, made by `koine export`; see `koine.json`. Its cosine to the",
        f"vector of the model that was exported is {cosine['least']:.5f} at least, {cosine['mean']:.5f} on average "
        f"({cosine['comparisons']} comparisons).",
        "",
        "```python",
        SERVE.strip("\n"),
        "```",
        "",
    ]
    if loss := about.get("loss"):
        size = loss["bytes"]
        lines += [
            "| | float32 | int8 |",
            "|---|---|---|",
            f"| size, MB | {size['float32'] / 1e6:.1f} | {size['int8'] / 1e6:.1f} |",
            *(
                f"| mAP {setting}, {loss['benchmark']} | {value['float32']:.4f} | {value['int8']:.4f} |"
                for setting, value in loss.get("map", {}).items()
            ),
            "",
        ]
    if body.strip():
        lines += ["What follows is the card of the model that was exported.", "", body.strip("\n"), ""]
    return "\n".join([*(["---", "library_name: onnx", *([head] if head else []), "---"]), *lines])
