"""The folder of an exported model: its graph, what stands beside it, and the check that it gives the model's vectors."""

import os
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import tokenizers
from torch import nn

from koine import __version__, backbones
from koine.backbones.base import Encoder, Vectors
from koine.backbones.manifest import MANIFEST, entry
from koine.backbones.onnx import GRAPH, INPUTS, OnnxEncoder
from koine.backbones.pretrained import FrozenEncoder
from koine.backbones.tokenizer import Side
from koine.params import SETTINGS
from koine.people.evaluate import evaluate
from koine.people.export.graph import OPSET, OUTPUT, prefixes, refuse, write_graph
from koine.people.export.graph import tokenizer as tokenizer_of
from koine.people.export.quantise import quantise
from koine.records import Run
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json, sha256, write_json, write_text
from koine.runtime.hub import local_model, on_disk
from koine.runtime.resume import key

Floats = npt.NDArray[np.float64]
LEAST = 0.9999  # cosine of a float32 export to the model it was made of
LONGEST = 2048  # tokens: beyond, cutting a text is not checked, since attention would take too much memory
BATCH = 8
SIDES: tuple[Side, ...] = ("query", "passage")
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


def write(model: str, out: Path, *, int8: bool, benchmark: str) -> None:
    """Write the folder; it appears whole or not at all.

    Args:
        model, out, int8, benchmark: as of `koine export`.

    Raises:
        KoineError: the model has a part that cannot be exported, or the graph gives other vectors.
    """
    folder = on_disk(model) or local_model(model)
    if not entry(folder).exports:
        raise KoineError(f"{model}: is exported already; export the model that it was made of")
    encoder = backbones.load(str(folder))
    if isinstance(encoder, nn.Module):
        encoder.float()
    chain = encoder.model if isinstance(encoder, FrozenEncoder) else FrozenEncoder(str(folder), "cpu").model
    chain.float().eval()  # weights may be stored in half precision
    refuse(chain, model)
    tokenizer = tokenizer_of(chain, model)
    cut = tokenizer.truncation["max_length"] if tokenizer.truncation else None
    texts = [*TEXTS, PARAGRAPH * (1 + min(cut or 0, LONGEST) // len(PARAGRAPH.split()))]
    wanted = {kind: encoder.encode(texts, kind, batch_size=BATCH) for kind in SIDES}
    about: dict[str, Any] = {
        "kind": "onnx",
        "precision": "float32",
        "dim": wanted["query"].shape[1],
        "max_length": cut,
        "prefixes": prefixes(chain),
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
        write_graph(chain, made / GRAPH, model)
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


def _source(model: str, folder: Path) -> dict[str, Any]:
    """What was exported: its name, one digest of all its weights, and how Koine made it, if it did."""
    weights = sorted(path for path in folder.rglob("*.safetensors") if path.is_file())
    digest = key([str(path.relative_to(folder)) for path in weights], weights, "")
    name = Path(model).resolve().name if Path(model).is_dir() else model
    made = read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    if "strategy" in made:
        name = f"{made['backbone']}/{made['strategy']}/seed-{made['seed']}"
    return {"model": name, "sha256": digest, "koine": made or None}


def _to_int8(
    made: Path, out: Path, tokenizer: tokenizers.Tokenizer, about: dict[str, Any], wanted: Mapping[Side, Vectors],
    texts: Sequence[str], benchmark: str,
) -> Path:  # fmt: skip
    """Make the 8-bit folder beside the float32 one, and measure what it costs; returns `out`."""
    before = about["bytes"]
    out.mkdir()
    quantise(made / GRAPH, out / GRAPH)
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
        loss["map"] = means = _evaluate({"float32": made, "int8": out}, benchmark, out.parent)
        rows += [[f"mAP {setting}", f"{value['float32']:.4f}", f"{value['int8']:.4f}"] for setting, value in means.items()]
    table("what 8 bits cost", ["", "float32", "int8"], rows)
    about["loss"] = loss
    write_json(out / MANIFEST, about)
    return out


def _evaluate(folders: Mapping[str, Path], benchmark: str, scratch: Path) -> dict[str, dict[str, float]]:
    """The mAP of each folder in each setting of a benchmark: the mean over its language pairs."""
    means: dict[str, dict[str, float]] = {}
    for precision, folder in folders.items():
        out, run = scratch / f"{precision}.evaluated", Run(backbone="onnx", strategy=precision)
        evaluate(model=str(folder), benchmark=benchmark, out=out, metrics=["map"], run=run, device="cpu")
        by_setting = pl.read_csv(out / "pairs.csv").group_by("setting").agg(pl.col("value").mean())
        means[precision] = dict(by_setting.iter_rows())
    known = [setting for setting in SETTINGS if setting in means["int8"]]
    return {setting: {precision: round(value[setting], 6) for precision, value in means.items()} for setting in known}


def _complete(
    folder: Path, tokenizer: tokenizers.Tokenizer, about: dict[str, Any], wanted: Mapping[Side, Vectors], texts: Sequence[str]
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


def compare(encoder: Encoder, wanted: Mapping[Side, Vectors], texts: Sequence[str]) -> list[float]:
    """Cosines of an encoder's vectors to others, for texts in padded batches and for each text alone.

    Args:
        encoder: of n texts.
        wanted: vectors `[n, d]` of each kind.
        texts: the texts.

    Returns:
        4 n cosines; two vectors that are both zero count as equal, what is not finite as -1.
    """
    cosines = [
        cosine(encoder.encode(texts, kind, batch_size=size), vectors) for kind, vectors in wanted.items() for size in (BATCH, 1)
    ]
    return [float(value) for value in np.concatenate(cosines)]


def cosine(ours: Vectors, theirs: Vectors) -> Floats:
    """Cosines of the rows of two arrays `[n, d]`, float64 `[n]`; see `compare`."""
    first, second = ours.astype(np.float64), theirs.astype(np.float64)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosines: Floats = (first * second).sum(axis=1) / lengths
    cosines[~first.any(axis=1) & ~second.any(axis=1)] = 1
    return np.nan_to_num(cosines, nan=-1)


def _card(card: str, about: Mapping[str, Any]) -> str:
    """The model's card, with a first part on the export; `card` is empty where the model has none."""
    head, body = "", card
    if card.startswith("---\n") and "\n---\n" in card:
        head, body = card[4:].split("\n---\n", 1)
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
