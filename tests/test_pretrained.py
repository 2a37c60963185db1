"""Pretrained backbones on stand-ins of their true architectures: trained, saved, opened by sentence-transformers, and
compared with vectors pooled by hand from the language model's own states."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import torch
from babel import Locale
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer, MT5EncoderModel, Trainer

from koine import backbones
from koine.backbones.base import TrainableEncoder
from koine.backbones.laser2 import convert
from koine.backbones.pretrained import PretrainedEncoder
from koine.backbones.tokenizer import SPECIAL, start_tokenizer
from koine.params import Backbone, Optimisation, Params, Start, parse, pretrained_backbones
from koine.people.standins.models import STANDINS, write_standins
from koine.records import PARALLEL, QA
from koine.runtime.errors import KoineError
from koine.train.checkpoint import Checkpoints
from koine.train.model import train
from koine.train.optimiser import biases_and_norms
from koine.train.tokens import train_tokens

torch.set_num_threads(1)
FEW = Optimisation(max_steps=3, batch_size=8, learning_rate=1e-3)
NAMES = sorted(pretrained_backbones())
TEXTS = ["France", "a longer text about Germany and the Netherlands " * 3, "Россия и Китай", "中国", "ประเทศไทย", "x"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("standins")
    write_standins(folder)
    return folder


@pytest.fixture(autouse=True)
def models(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINE_MODELS", str(hub))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def entry(name: str) -> Backbone:
    return Backbone.model_validate(pretrained_backbones()[name])


def fine_tuned(name: str, folder: Path, strategy: str = "hybrid") -> Path:
    """A model of a registry entry after a few steps on a toy corpus."""
    backbone = entry(name)
    settings = backbone.tokenizer.model_copy(update={"max_length": 24})
    rows = [
        {"id": f"q{i:02}", "passage_id": f"p{i:02}", "question": f"Where is {i}?", "passage": f"{i} is in France."}
        for i in range(30)
    ]
    empty = {"group": "", "source": "toy", "domain": "", "licence": "", "answer": None}
    QA.write(QA.frame([{**empty, "lang": "en", **row} for row in rows]), folder / "qa")
    PARALLEL.write(PARALLEL.frame([{**row, "lang": "de", "question": f"Wo ist {row['id']}?"} for row in rows]), folder / "de")
    train_tokens(folder / "qa", folder / "tokens", "pretrained", settings, backbone.start, [folder / "de"])
    train(
        folder / "tokens", folder / "model", strategy, "pretrained", backbone.start, optimisation=FEW, backbone=name,
        query_prefix=settings.query_prefix, passage_prefix=settings.passage_prefix, device="cpu",
    )  # fmt: skip
    return folder / "model"


def collect_source(folder: Path, name: str, texts: list[str]) -> np.ndarray:
    """Vectors from the language model's states: tokenised one by one, so nothing is padded."""
    hub_id = entry(name).start.model
    config, _, _, after = STANDINS[hub_id]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if config == "LSTM":
        ids = [tokenizer(text, truncation=True, max_length=24).input_ids for text in texts]
        lstm = {key.removeprefix("encoder."): value for key, value in load(folder / "1_LSTM").items()}
        return bilstm(load(folder)["emb_layer.weight"], lstm, ids)
    model = (MT5EncoderModel if config == "MT5Config" else AutoModel).from_pretrained(folder).eval()
    model = model.get_encoder() if config == "MBartConfig" else model
    vectors = []
    for text in texts:
        with torch.inference_mode():
            states = model(**tokenizer(text, truncation=True, max_length=24, return_tensors="pt", return_token_type_ids=False))
        states = states.last_hidden_state[0]
        pooling = after[0] if after else entry(name).start.pooling
        vector = {"mean": states.mean(0), "cls": states[0], "lasttoken": states[-1]}[pooling]
        for number, layer in enumerate(after[1:-1], 2):
            weights = {k.removeprefix("linear."): v for k, v in load(folder / f"{number}_Dense").items()}
            vector = functional.linear(vector, weights["weight"], weights.get("bias"))
            vector = torch.tanh(vector) if layer == "tanh" else vector
        vectors.append(functional.normalize(vector, dim=0))
    return torch.stack(vectors).numpy()


def bilstm(embeddings: torch.Tensor, weights: dict[str, torch.Tensor], texts: list[list[int]]) -> np.ndarray:
    """LASER2's vectors of texts as ids, one by one, so nothing is padded; `weights` under the names of `torch.nn.LSTM`."""
    hidden = weights["weight_hh_l0"].shape[1]
    layers = len(weights) // 8  # four tensors in each of two directions
    lstm = torch.nn.LSTM(embeddings.shape[1], hidden, layers, bidirectional=True)
    lstm.load_state_dict(weights)
    with torch.inference_mode():
        states = [lstm(embeddings[torch.tensor(ids)])[0] for ids in texts]
    return torch.stack([functional.normalize(own.max(dim=0).values, dim=0) for own in states]).numpy()


def load(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("name", NAMES)
def test_every_backbone_trains_and_gives_the_vectors_of_its_own_states(name: str, tmp_path: Path) -> None:
    model = fine_tuned(name, tmp_path)
    encoder = backbones.load(str(model))
    assert isinstance(encoder, TrainableEncoder)
    assert not list(model.rglob("*.bin"))
    plain = SentenceTransformer(str(model), device="cpu")
    for kind in ("query", "passage"):
        ours = encoder.encode(TEXTS, kind, batch_size=4)
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
        prefixed = [encoder.prefixes[kind] + text for text in TEXTS]
        np.testing.assert_allclose(ours, collect_source(model, name, prefixed), atol=1e-5)
        theirs = plain.encode(TEXTS, prompt_name=kind, batch_size=3)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_decayed_is_what_hugging_faces_trainer_does_not_decay(name: str, tmp_path: Path) -> None:
    start = entry(name).start
    (tmp_path / "tokenizer.json").write_text(start_tokenizer(start, 24).to_str())
    model = PretrainedEncoder.create(tmp_path / "tokenizer.json", start=start)
    decayed = Trainer.get_decay_parameter_names(None, model)
    spared = {id(parameter) for parameter in biases_and_norms(model)}
    assert spared
    assert [name for name, parameter in model.named_parameters() if id(parameter) not in spared] == [
        name for name, _ in model.named_parameters() if name in decayed
    ]


@pytest.mark.parametrize("name", ["xlm-r-base", "labse", "qwen3-embedding", "mbart-large-50", "laser2"])
def test_training_moves_every_weight_that_is_used_and_repeats_to_the_byte(name: str, tmp_path: Path) -> None:
    start = fine_tuned(name, tmp_path / "start", "untrained")
    one, two = (fine_tuned(name, tmp_path / part) for part in ("one", "two"))
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    differ = [str(path) for path in files if (one / path).read_bytes() != (two / path).read_bytes()]
    assert differ in ([], ["speed.jsonl"])
    before, after = load(start), load(one)
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    used = {key for key in before if "pooler" not in key and "decoder" not in key}
    assert used - moved <= {key for key in before if before[key].numel() <= 2}


def test_mbart_has_no_decoder_layers_and_no_cue_of_the_language(tmp_path: Path) -> None:
    model = fine_tuned("mbart-large-50", tmp_path)
    assert not [key for key in load(model) if key.startswith("decoder.layers")]
    plain = SentenceTransformer(str(model), device="cpu")
    codes = plain.tokenizer.convert_ids_to_tokens(plain.preprocess(TEXTS)["input_ids"][:, 0].tolist())
    assert codes == ["en_XX"] * len(TEXTS)


def published_laser2(folder: Path) -> tuple[sentencepiece.SentencePieceProcessor, dict[str, int], dict[str, torch.Tensor]]:
    """Tiny random laser2.pt and laser2.spm in the published layout: the pieces, the dictionary, the weights."""
    folder.mkdir()
    words = [name.lower() for lang in ("en", "de", "ru", "zh") for name in Locale(lang).territories.values()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words), model_prefix=str(folder / "laser2"), vocab_size=500, minloglevel=2, num_threads=1
    )
    spm = sentencepiece.SentencePieceProcessor(model_file=str((folder / "laser2.model").rename(folder / "laser2.spm")))
    pieces = [spm.id_to_piece(i) for i in range(3, 500)]
    known = [*SPECIAL, *reversed(pieces[:-60]), "never-cut"]  # another order than the .spm's; some only here, some only there
    params = {"num_embeddings": len(known), "padding_idx": 1, "embed_dim": 20, "hidden_size": 12, "num_layers": 5}
    torch.manual_seed(1)
    lstm = torch.nn.LSTM(params["embed_dim"], params["hidden_size"], params["num_layers"], bidirectional=True)
    weights = {"embed_tokens.weight": torch.randn(len(known), params["embed_dim"])}
    weights |= {f"lstm.{key}": value for key, value in lstm.state_dict().items()}
    dictionary = {piece: i for i, piece in enumerate(known)}
    checkpoint = {"params": params | {"bidirectional": True}, "model": weights, "dictionary": dictionary}
    torch.save(checkpoint, folder / "laser2.pt")
    return spm, dictionary, weights


def test_laser2_converted_gives_the_vectors_of_its_published_files(tmp_path: Path) -> None:
    spm, dictionary, weights = published_laser2(tmp_path / "published")
    subprocess.run([sys.executable, "-m", "koine.backbones.laser2", tmp_path / "published", tmp_path / "converted"], check=True)
    texts = [*TEXTS, "  FRANCE \t und\u3000Ｄeutschland ", "☃☃ snow", "Ĳsland ﬁ é"]
    cut = [[dictionary.get(piece, 3) for piece in spm.encode(text.lower(), out_type=str)] for text in texts]
    assert any(3 in ids for ids in cut)
    lstm = {key.removeprefix("lstm."): value for key, value in weights.items() if key.startswith("lstm.")}
    wanted = bilstm(weights["embed_tokens.weight"], lstm, [[*ids, dictionary["</s>"]] for ids in cut])
    encoder = backbones.load(str(tmp_path / "converted"))
    for got in (
        encoder.encode(texts, "query", batch_size=len(texts)),
        encoder.encode(texts, "passage", batch_size=1),
        SentenceTransformer(str(tmp_path / "converted"), device="cpu").encode(texts, batch_size=4),
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_laser2_files_that_are_not_as_published_are_errors(tmp_path: Path) -> None:
    published_laser2(tmp_path / "published")
    torch.save({"model": Path}, tmp_path / "published/laser2.pt")
    for folder, reason in ((tmp_path, "FileNotFoundError"), (tmp_path / "published", "UnpicklingError")):
        with pytest.raises(KoineError, match=reason):
            convert(folder, tmp_path / "out")


def test_dropout_is_the_same_when_a_chunk_is_encoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LaBSE has dropout: the second pass over a chunk must drop what the first one did."""
    seen: list[torch.Tensor] = []
    forward = PretrainedEncoder.forward
    monkeypatch.setattr(PretrainedEncoder, "forward", lambda self, tokens: seen.append(forward(self, tokens)) or seen[-1])
    monkeypatch.setattr("test_pretrained.FEW", Optimisation(max_steps=1, batch_size=8, mini_batch_size=4))
    fine_tuned("labse", tmp_path)
    first, again = seen[:4], seen[4:]
    assert len(again) == 4
    for one, two in zip(first, again, strict=True):
        torch.testing.assert_close(one, two.detach(), rtol=0, atol=0)
    assert not torch.equal(first[0], first[2])


def test_a_checkpoint_belongs_to_the_weights_that_training_started_from(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    monkeypatch.setattr(
        "koine.train.model.Checkpoints", lambda folder, key, every: keys.append(key) or Checkpoints(folder, key, every)
    )
    for name in ("one", "two", "three"):
        shutil.copytree(hub / "sentence-transformers/LaBSE", tmp_path / name / "sentence-transformers/LaBSE")
        monkeypatch.setenv("KOINE_MODELS", str(tmp_path / name))
        if name == "three":
            path = tmp_path / name / "sentence-transformers/LaBSE/model.safetensors"
            save_file({key: value + 1e-3 for key, value in load(path.parent).items()}, path, metadata={"format": "pt"})
        fine_tuned("labse", tmp_path / name)
    assert keys[0] == keys[1] != keys[2]


def test_a_language_model_without_pooling_is_an_error_that_says_so(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(KoineError, match=r"xlm-roberta-base: a language model .* set start\.pooling"):
        PretrainedEncoder.create(tmp_path / "tokenizer.json", start=Start(model="FacebookAI/xlm-roberta-base"))


def test_a_recipe_names_a_backbone_of_the_registry_and_its_own_entry_wins() -> None:
    given = Params().model_dump()
    given["train"]["backbones"] = ["labse", "static"]
    assert parse(given).backbones["labse"].start.model == "sentence-transformers/LaBSE"
    given["backbones"]["labse"] = {"kind": "pretrained", "start": {"model": "own/labse"}}
    assert parse(given).backbones["labse"].start.model == "own/labse"
    given["backbones"]["labse"] = {"optimisation": {"max_steps": 7}}
    usual = entry("labse").optimisation.model_dump()
    assert parse(given).backbones["labse"].optimisation.model_dump() == usual | {"max_steps": 7}
    given["train"]["backbones"] = ["lapse"]
    with pytest.raises(KoineError, match=r"'lapse' is not in backbones, nor in the registry; did you mean 'labse'"):
        parse(given)


def test_a_pretrained_backbone_needs_a_model_and_no_other_has_one() -> None:
    for wrong in ({"kind": "pretrained"}, {"kind": "static", "start": {"model": "a/b"}}):
        with pytest.raises(ValueError, match=r"start\.model"):
            Backbone.model_validate(wrong)


def test_every_entry_has_a_stand_in() -> None:
    assert {entry(name).start.model for name in NAMES} == set(STANDINS)


@pytest.mark.parametrize(("installed", "asked"), [(True, ["flash_attention_2"]), (False, [])])
def test_flash_attention_is_asked_for_where_it_is_installed(
    installed: bool, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = PretrainedEncoder.load(fine_tuned("xlm-r-base", tmp_path))
    got: list[str] = []
    monkeypatch.setattr("koine.backbones.pretrained.is_flash_attn_2_available", lambda: installed)
    monkeypatch.setattr(type(encoder.language_model), "set_attn_implementation", lambda self, name: got.append(name))
    encoder.use_flash_attention()
    assert got == asked


# --- what a folder must not do -----------------------------------------------------------------------------------


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture(params=["pickle", "own module", "own module at the root", "own class of transformers"])
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A model folder that would make a file if its code ran or its pickle was read, and that file."""
    folder, sign = tmp_path / "hub/evil/model", tmp_path / "it-ran"
    write_standins(tmp_path / "hub", ["sentence-transformers/LaBSE"])
    (tmp_path / "hub/evil").mkdir()
    (tmp_path / "hub/sentence-transformers/LaBSE").rename(folder)
    (folder / "evil.py").write_text(f"from pathlib import Path\nPath({str(sign)!r}).touch()\nclass Evil: pass\n")
    modules, config = json.loads((folder / "modules.json").read_text()), json.loads((folder / "config.json").read_text())
    if request.param == "pickle":
        torch.save({"a": Runs(sign)}, folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    elif request.param == "own class of transformers":
        config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}}
    else:
        modules[-1]["type"] = "evil.Evil"
        if "root" in request.param:
            modules[-1]["path"] = ""
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config.json").write_text(json.dumps(config))
    return folder, sign


def test_no_code_of_a_model_folder_runs_and_no_pickle_is_read(
    hostile: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sign = hostile
    monkeypatch.setenv("KOINE_MODELS", str(folder.parents[1]))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for opened in (
        lambda: backbones.load("evil/model"),
        lambda: start_tokenizer(Start(model="evil/model"), 16),
        lambda: PretrainedEncoder.create(folder / "tokenizer.json", start=Start(model="evil/model")),
    ):
        try:
            opened()
        except KoineError as error:
            assert "model" in str(error)
        assert not sign.exists()
    with pytest.raises(KoineError, match=r"safetensors|trust_remote_code|no model that"):
        backbones.load("evil/model")
