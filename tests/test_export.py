"""Exported models: the vectors of the model they were made of, for every architecture, without torch to serve them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import toy
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import CNN, Pooling
from tokenizers import Tokenizer as FastTokenizer

from koine import backbones
from koine.backbones.onnx import OnnxEncoder
from koine.backbones.pretrained import PretrainedEncoder
from koine.backbones.tokenizer import start_tokenizer
from koine.params import Backbone, pretrained_backbones
from koine.people.export import export
from koine.people.export import graph as exported
from koine.people.export.folder import SERVE, TEXTS, cosine
from koine.people.export.quantise import quantise
from koine.people.standins.models import write_standins
from koine.runtime.errors import KoineError

torch.set_num_threads(1)

#: One of each: pooling (mean, CLS, last token, maximum), dense layers, encoders of T5 and mBART, sliding windows, an LSTM.
PRETRAINED = ["labse", "mt5-base", "mbart-large-50", "laser2", "mmbert-base", "embeddinggemma", "qwen3-embedding"]
FOREIGN = "sentence-transformers/all-MiniLM-L6-v2"
LONG = [" ".join(chr(0x4E00 + 7 * n) for n in range(250)), "a very long text that is cut " * 40]
DOCS = Path(__file__).parents[1] / "docs"


def saved(name: str, folder: Path, hub: Path, corpus: Path) -> Path:
    """A model with prefixes that cuts texts at 16 or 24 tokens; `foreign` has no koine.json, and prompts of its own."""
    if name in ("static", "transformer"):
        return toy.train_one(corpus, folder / name, name)
    if name == "foreign":
        model = SentenceTransformer(str(hub / FOREIGN), device="cpu")
        model.prompts, model.max_seq_length = {"query": "ask ", "document": "tell "}, 24
        model.save(str(folder / name))
        return folder / name
    start = Backbone.model_validate(pretrained_backbones()[name]).start
    start = start.model_copy(update={"model": str(hub / start.model)})
    start_tokenizer(start, 24).save(str(folder / f"{name}.json"))
    encoder = PretrainedEncoder.create(folder / f"{name}.json", start=start)
    encoder.prefixes = {"query": "ask: ", "passage": " "}
    encoder.save(folder / name)
    (folder / name / "koine.json").write_text('{"kind": "pretrained"}')
    return folder / name


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    entries = [Backbone.model_validate(pretrained_backbones()[name]) for name in PRETRAINED]
    write_standins(folder, [*(entry.start.model for entry in entries), FOREIGN])
    return folder


@pytest.fixture(scope="module")
def made(hub: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """A model and its export, each made once."""
    folder = tmp_path_factory.mktemp("export")

    def one(name: str) -> tuple[Path, Path]:
        model, out = folder / name, folder / f"{name}.onnx"
        if not out.is_dir():
            export(model=str(saved(name, folder, hub, corpus)), out=out)
        return model, out

    return one


def served(folder: Path) -> Callable[[list[str], str], np.ndarray]:
    """`encode` of the lines that the documentation gives a service."""
    named: dict[str, Callable[[list[str], str], np.ndarray]] = {}
    exec(SERVE.replace("FOLDER", str(folder)), named)
    return named["encode"]


@pytest.mark.parametrize(
    "name", ["static", "transformer", "foreign", *(pytest.param(name, marks=pytest.mark.slow) for name in PRETRAINED)]
)
def test_an_export_gives_the_models_vectors(name: str, made: Callable[[str], tuple[Path, Path]]) -> None:
    model, out = made(name)
    encoder, encode = backbones.load(str(model)), served(out)
    texts = [*TEXTS, *LONG]
    for kind in ("query", "passage"):
        wanted = encoder.encode(texts, kind, batch_size=8)  # type: ignore[arg-type]
        together, alone = encode(texts, kind), np.concatenate([encode([text], kind) for text in texts])
        assert together.dtype == np.float32
        for got in (together, alone, backbones.load(str(out)).encode(texts, kind, batch_size=5)):  # type: ignore[arg-type]
            assert cosine(got, wanted).min() > 0.9999
            assert np.abs(got - wanted).max() < 1e-4
    assert np.array_equal(*(encode([text + end for text in LONG], "passage") for end in ("", " and another end")))
    if name != "static":  # whose toy has no prefixes
        assert np.abs(encode(["words"], "query") - encode(["words"], "passage")).max() > 1e-3
    about = json.loads((out / "koine.json").read_text())
    assert 0.9999 < about["cosine"]["least"] <= 1
    assert about["bytes"] == (out / "model.onnx").stat().st_size


def test_a_service_needs_onnxruntime_tokenizers_and_numpy_alone(made: Callable[[str], tuple[Path, Path]]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "export.md").read_text(), flags=re.DOTALL)
    assert SERVE in blocks
    model, out = made("transformer")
    others = ["torch", "transformers", "sentence_transformers", "onnx", "koine"]
    lines = f"import sys; sys.modules |= dict.fromkeys({others})\n{SERVE.replace('FOLDER', str(out))}"
    lines += "print(json.dumps(encode(['one text', 'another, longer text'], 'query').tolist()))"
    said = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True).stdout
    wanted = backbones.load(str(model)).encode(["one text", "another, longer text"], "query", batch_size=2)
    assert np.abs(np.array(json.loads(said)) - wanted).max() < 1e-5


def test_batch_and_length_are_left_open_and_nothing_of_the_machine_is_written(
    made: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    model, out = made("transformer")
    graph = onnx.load(out / "model.onnx").graph
    for tensor in graph.input:
        assert [size.dim_param for size in tensor.type.tensor_type.shape.dim] == ["batch", "length"]
    export(model=str(model), out=tmp_path / "again")
    for path in out.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
        assert b"site-packages" not in path.read_bytes()
        assert str(model).encode() not in path.read_bytes()


@pytest.mark.parametrize("kind", ["static", pytest.param("transformer", marks=pytest.mark.slow)])
def test_8_bits_are_smaller_and_their_loss_is_told(
    kind: str, made: Callable[[str], tuple[Path, Path]], corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, whole = made(kind)
    export(model=str(model), out=tmp_path / "int8", int8=True, benchmark=str(corpus / "toy"))
    about = json.loads((tmp_path / "int8/koine.json").read_text())
    loss = about["loss"]
    assert about["precision"] == "int8"
    assert (tmp_path / "int8/model.onnx").stat().st_size == loss["bytes"]["int8"] < 0.6 * loss["bytes"]["float32"]
    assert loss["bytes"]["float32"] == (whole / "model.onnx").stat().st_size
    assert 0.99 < loss["cosine"]["least"] <= loss["cosine"]["mean"] <= 1
    assert set(loss["map"]) == {"mono", "cross", "multi"}
    card = (tmp_path / "int8/README.md").read_text()
    for setting, value in loss["map"].items():
        assert abs(value["float32"] - value["int8"]) < 0.05
        assert f"| mAP {setting}, toy | {value['float32']:.4f} | {value['int8']:.4f} |" in card
    assert "what 8 bits cost" in capsys.readouterr().out
    encoder = OnnxEncoder(tmp_path / "int8")
    texts = list(TEXTS)
    one, many = (encoder.encode(texts, "query", batch_size=size) for size in (1, 8))
    assert cosine(one, many).min() > 0.9999  # no text's scale depends on its neighbours


def test_the_rows_of_8_bits_are_off_by_half_a_step(made: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> None:
    model, whole = made("static")
    quantise(whole / "model.onnx", tmp_path / "model.onnx")
    tensors = {own.name: onnx.numpy_helper.to_array(own) for own in onnx.load(tmp_path / "model.onnx").graph.initializer}
    codes, scales = (next(own for name, own in tensors.items() if name.endswith(end)) for end in (".int8", ".scale"))
    rows = backbones.load(str(model)).embedding.weight.detach().numpy()  # type: ignore[attr-defined]
    assert codes.dtype == np.int8
    assert (np.abs(codes * scales - rows) <= 0.501 * scales).all()


@pytest.mark.parametrize("int8", [False, True])
def test_a_large_model_has_its_weights_beside_it(
    int8: bool, made: Callable[[str], tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = made("static")
    monkeypatch.setattr(exported, "LARGEST", 1000)
    export(model=str(model), out=tmp_path / "out", int8=int8)
    about = json.loads((tmp_path / "out/koine.json").read_text())
    assert (tmp_path / "out/model.onnx").stat().st_size < 5000
    assert about["bytes"] == sum(path.stat().st_size for path in (tmp_path / "out").glob("model.onnx*"))
    assert set(about["sha256"]) == {"model.onnx", "model.onnx.data", "tokenizer.json"}
    wanted = backbones.load(str(model)).encode(TEXTS, "query", batch_size=8)
    assert cosine(served(tmp_path / "out")(list(TEXTS), "query"), wanted).min() > (0.999 if int8 else 0.9999)


# --- what is refused -------------------------------------------------------------------------------------------


def test_a_graph_with_other_vectors_is_not_written(
    made: Callable[[str], tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = made("static")
    forward = exported.Mean.forward

    def wrong(self: exported.Mean, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {**forward(self, features), "sentence_embedding": forward(self, features)["sentence_embedding"] + 1}

    monkeypatch.setattr(exported.Mean, "forward", wrong)
    with pytest.raises(KoineError, match=r"other vectors \(cosine .*; nothing was written"):
        export(model=str(model), out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_what_torch_cannot_export_is_one_message(
    made: Callable[[str], tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = made("static")

    def fails(*_: object) -> None:
        raise ValueError("no such operator\nand a long report")

    monkeypatch.setattr(exported.Mean, "forward", fails)
    with pytest.raises(KoineError, match=r"static: torch cannot export it to ONNX: .*$") as error:
        export(model=str(model), out=tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_module_without_a_graph_is_an_error_that_names_it(hub: Path, tmp_path: Path) -> None:
    states = Transformer(str(hub / FOREIGN))
    layers = [states, CNN(states.get_embedding_dimension(), 8), Pooling(24)]
    SentenceTransformer(modules=layers, device="cpu").save(str(tmp_path / "model"))
    with pytest.raises(KoineError, match=r"model: a module CNN cannot be exported, only Transformer, "):
        export(model=str(tmp_path / "model"), out=tmp_path / "out")


def test_pooling_without_the_prompt_is_an_error(hub: Path, tmp_path: Path) -> None:
    states = Transformer(str(hub / FOREIGN))
    layers = [states, Pooling(states.get_embedding_dimension(), include_prompt=False)]
    model = SentenceTransformer(modules=layers, prompts={"query": "ask ", "document": ""}, device="cpu")
    model.save(str(tmp_path / "model"))
    with pytest.raises(KoineError, match="pooling leaves out the prompt"):
        export(model=str(tmp_path / "model"), out=tmp_path / "out")


def test_arguments_that_do_not_fit_are_errors(made: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> None:
    model, out = made("static")
    for message, given in (
        ("is there already", {"model": str(model), "out": out}),
        ("goes with --int8", {"model": str(model), "out": tmp_path / "out", "benchmark": "sample"}),
        ("is exported already", {"model": str(out), "out": tmp_path / "out"}),
        (
            "try squad-dev-parallel",
            {"model": str(model), "out": tmp_path / "out", "int8": True, "benchmark": "squad-dev-paralel"},
        ),
    ):
        with pytest.raises(KoineError, match=message):
            export(**given)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_what_is_missing_or_cut_short_is_an_error(
    made: Callable[[str], tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out = made("static")
    for path in out.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: 1000 if path.suffix == ".onnx" else None])
    with pytest.raises(KoineError, match=r"model\.onnx: not a whole model \(.*\); run koine export again"):
        backbones.load(str(tmp_path))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(KoineError, match=r"onnxruntime is not installed .*pip install 'koine\[onnx\]'"):
        backbones.load(str(out))


@pytest.mark.parametrize("name", ["static", pytest.param("qwen3-embedding", marks=pytest.mark.slow)])
def test_the_tokenizer_cuts_and_pads_by_itself(name: str, made: Callable[[str], tuple[Path, Path]]) -> None:
    tokenizer = FastTokenizer.from_file(str(made(name)[1] / "tokenizer.json"))
    long, short = tokenizer.encode_batch([LONG[0], "a"])
    assert len(long.ids) == len(short.ids) == json.loads((made(name)[1] / "koine.json").read_text())["max_length"]
    assert short.attention_mask[0] == 1 and short.attention_mask[-1] == 0


def test_nobody_is_told_that_a_model_is_used(tmp_path: Path) -> None:
    """onnxruntime's official builds note each session under the home folder and report it to their maker, by default."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    }
    command = [sys.executable, "-c", "import koine, onnxruntime"]
    subprocess.run(command, env={**environment, "HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []
