"""Exported models against torch: cosines, size, speed on one core, and the mAP that 8 bits cost.

    python benchmarks/export.py static=models/squad-fi/static/hybrid/seed-1 tiny=models/squad-fi/tiny/hybrid/seed-1
    python benchmarks/export.py minilm=sentence-transformers/all-MiniLM-L6-v2 --benchmark sample

Needs $KOINE_MIRROR: the texts are 256 questions and 64 passages of SQuAD dev, by length in batches of 32, tokenised on the
way. Times are of the processor, not of the clock, so that other work on the machine counts little; in turn with torch, the
median of five rounds. The rival of Koine's 8 bits is onnxruntime's `quantize_dynamic` (8-bit matrices, one scale per column).
Writes benchmarks/results/export.json.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

import numpy as np
import torch
from _machine import update_results
from onnxruntime.quantization import QuantType, quantize_dynamic

from koine import backbones
from koine.backbones.base import Encoder, Vectors
from koine.collect.formats.squad import read_squad
from koine.people.export import export
from koine.people.export.folder import cosine
from koine.runtime.console import table

ROUNDS, BATCH = 5, 32
TORCH = "torch, one core"


def main() -> None:
    """Export each model in both precisions, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="NAME=FOLDER_OR_HUB_ID")
    parser.add_argument("--benchmark", default="squad-dev-parallel")
    given = parser.parse_args()
    torch.set_num_threads(1)
    asked = list(read_squad(Path(os.environ["KOINE_MIRROR"]) / "local/squad/dev-v1.1.json"))
    passages = list(dict.fromkeys(question.context for question in asked))
    texts = [question.text for question in asked[:: len(asked) // 256][:256]] + passages[:: len(passages) // 64][:64]
    for name, model in (pair.split("=", 1) for pair in given.models):
        with tempfile.TemporaryDirectory() as scratch:
            rows = measure(name, model, given.benchmark, texts, Path(scratch))
        table(name, ["figure", "value", "unit", "against"], rows)
        update_results("export", rows)


def measure(name: str, model: str, benchmark: str, texts: list[str], scratch: Path) -> list[tuple[str, float, str, str]]:
    """Figures of one model."""
    export(model=model, out=scratch / "float32")
    export(model=model, out=scratch / "int8", int8=True, benchmark=benchmark)
    loss = json.loads((scratch / "int8/koine.json").read_text())["loss"]
    encoders = {kind: backbones.load(str(scratch / kind)) for kind in ("float32", "int8")}
    shutil.copytree(scratch / "float32", scratch / "dynamic")
    quantize_dynamic(
        scratch / "float32/model.onnx", scratch / "dynamic/model.onnx", op_types_to_quantize=["MatMul"], per_channel=True,
        weight_type=QuantType.QInt8,
    )  # fmt: skip
    if (scratch / "dynamic/model.onnx").stat().st_size < 0.99 * loss["bytes"]["float32"]:  # a static model has no matrices
        encoders["dynamic"] = backbones.load(str(scratch / "dynamic"))
    times, vectors = timed({"torch": backbones.load(model), **encoders}, texts)
    rows = []
    for kind, encoder in encoders.items():
        found, alone = cosine(vectors[kind], vectors["torch"]), encoder.encode(texts, "passage", batch_size=1)
        rows += [
            (f"export.{name}.{kind}.vs_torch", round(float(np.median(times["torch"] / times[kind])), 2), "times", TORCH),
            (f"export.{name}.{kind}.cosine.least", round(float(found.min()), 6), "cosine", "torch"),
            (f"export.{name}.{kind}.cosine.mean", round(float(found.mean()), 6), "cosine", "torch"),
            (
                f"export.{name}.{kind}.cosine.batch",
                round(float(cosine(vectors[kind], alone).min()), 6),
                "least cosine",
                "the same text alone",
            ),
            (
                f"export.{name}.{kind}.bytes",
                round((scratch / kind / "model.onnx").stat().st_size / loss["bytes"]["float32"], 3),
                "share",
                "float32",
            ),
        ]
    for setting, value in loss["map"].items():
        rows.append((f"export.{name}.float32.map.{setting}", value["float32"], "mAP", benchmark))
        rows.append((f"export.{name}.int8.map_loss.{setting}", round(value["float32"] - value["int8"], 6), "mAP", "float32"))
    return rows


def timed(encoders: dict[str, Encoder], texts: list[str]) -> tuple[dict[str, np.ndarray], dict[str, Vectors]]:
    """Seconds of each encoder in each round, and its vectors; the encoders take turns."""
    seconds: dict[str, list[float]] = {kind: [] for kind in encoders}
    vectors: dict[str, Vectors] = {}
    for number in range(ROUNDS + 1):
        for kind, encoder in encoders.items():
            begin = time.process_time()
            vectors[kind] = encoder.encode(texts, "passage", batch_size=BATCH)
            if number:  # the first round warms up
                seconds[kind].append(time.process_time() - begin)
    return {kind: np.array(own) for kind, own in seconds.items()}, vectors


if __name__ == "__main__":
    main()
