"""Encoders: the same vectors as sentence-transformers gives for the saved folder, whatever the batch or the order."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer as FastTokenizer

from koine import backbones
from koine.backbones.base import TrainableEncoder
from koine.backbones.pretrained import FrozenEncoder
from koine.backbones.tokenizer import tokenize, train_tokenizer
from koine.params import Architecture, Start, Tokenizer
from koine.runtime.errors import KoineError

torch.set_num_threads(1)

TEXTS = [
    "Who founded the city on the river?",
    "Кто основал город на реке?",
    "谁在河边建立了这座城市?",
    "من أسس المدينة على النهر؟",
    "नदी पर शहर किसने बसाया?",
    "ใครก่อตั้งเมืองริมแม่น้ำ",
    "Ποιος ίδρυσε την πόλη; ﬁ ① İ ß e\u0301",
    "a",
    "\U0001f600 never seen \u0e51",
    "<s> special </s> tokens <pad> in the text <unk>",
    "two\nlines\tand  spaces ",
    "a very long text that is cut " * 40,
    " ".join(chr(0x4E00 + 7 * n) for n in range(250)),
    *(f"number {n} " + "word " * (n % 23) for n in range(30)),
]
LONG = [text for text in TEXTS if len(text) > 200]
PREFIXES = {"query": "Query: ", "passage": "Passage: "}


@pytest.fixture(scope="module", params=["static", "transformer"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of each kind, with prefixes and a short maximal length."""
    out = tmp_path_factory.mktemp(request.param)
    settings = Tokenizer(vocab_size=300, max_length=24, query_prefix="Query: ", passage_prefix="Passage: ")
    train_tokenizer(TEXTS, settings, out / "tokenizer.json")
    tokenizer = FastTokenizer.from_file(str(out / "tokenizer.json"))
    tokens = tokenize(tokenizer, TEXTS, "Passage: ", request.param == "transformer")
    shape = (
        Architecture(hidden_size=32)
        if request.param == "static"
        else Architecture(hidden_size=32, num_hidden_layers=2, num_attention_heads=2)
    )
    model = backbones.create(request.param, Start(), shape, out / "tokenizer.json", tokens, seed=1)
    model.prefixes = dict(PREFIXES)  # type: ignore[arg-type]
    model.save(out / "model")
    (out / "model/koine.json").write_text(f'{{"kind": "{request.param}"}}')
    return out / "model"


@pytest.fixture
def plain(folder: Path) -> SentenceTransformer:
    return SentenceTransformer(str(folder), device="cpu")


def cosines(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)


def test_sentence_transformers_gives_the_same_vectors_for_the_folder(folder: Path, plain: SentenceTransformer) -> None:
    encoder = backbones.load(str(folder))
    assert isinstance(encoder, TrainableEncoder)
    for kind, theirs in (("query", plain.encode_query), ("passage", plain.encode_document)):
        wanted = np.asarray(theirs(TEXTS, show_progress_bar=False))
        got = encoder.encode(TEXTS, kind, batch_size=8)  # type: ignore[arg-type]
        assert got.shape == wanted.shape == (len(TEXTS), 32)
        assert cosines(got, wanted).min() > 0.9999
        assert np.abs(got - wanted).max() < 1e-5


def test_each_kind_of_text_gets_its_prefix(folder: Path, plain: SentenceTransformer) -> None:
    encoder = backbones.load(str(folder))
    bare = [text for text in TEXTS if text not in LONG]
    vectors = {kind: encoder.encode(bare, kind, batch_size=8) for kind in ("query", "passage")}  # type: ignore[arg-type]
    for kind, prefix in PREFIXES.items():
        by_hand = np.asarray(plain.encode([prefix + text for text in bare], prompt="", show_progress_bar=False))
        assert cosines(vectors[kind], by_hand).min() > 0.9999
    assert np.abs(vectors["query"] - vectors["passage"]).max() > 0.01


def test_vectors_are_float32_of_length_one(folder: Path) -> None:
    vectors = backbones.load(str(folder)).encode(TEXTS, "passage", batch_size=8)
    assert vectors.dtype == np.float32
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-6


@pytest.mark.parametrize("batch_size", [1, 3, 1000])
def test_neither_batch_size_nor_order_changes_a_vector(folder: Path, batch_size: int) -> None:
    encoder = backbones.load(str(folder))
    wanted = encoder.encode(TEXTS, "query", batch_size=8)
    order = np.random.default_rng(1).permutation(len(TEXTS))
    got = encoder.encode([TEXTS[i] for i in order], "query", batch_size=batch_size)
    assert np.abs(got - wanted[order]).max() < 1e-6


def test_what_follows_the_maximal_length_changes_nothing(folder: Path) -> None:
    encoder = backbones.load(str(folder))
    one, two = (encoder.encode([text + end for text in LONG], "passage", batch_size=8) for end in ("", " and an other end"))
    assert np.array_equal(one, two)


def test_the_words_of_a_text_change_its_vector(folder: Path) -> None:
    vectors = backbones.load(str(folder)).encode(TEXTS[:8], "query", batch_size=8)
    similar = vectors @ vectors.T
    assert (similar - np.eye(8)).max() < 0.999


def test_loading_and_saving_again_gives_the_same_weights(folder: Path, tmp_path: Path) -> None:
    encoder = backbones.load(str(folder))
    assert isinstance(encoder, TrainableEncoder)
    encoder.save(tmp_path / "again")
    for name in ("model.safetensors", "tokenizer.json", "modules.json", "config_sentence_transformers.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_encoding_switches_training_mode_off_and_leaves_no_gradient(folder: Path) -> None:
    encoder = backbones.load(str(folder))
    assert isinstance(encoder, TrainableEncoder)
    encoder.train()
    encoder.encode(TEXTS[:2], "query", batch_size=2)
    assert not encoder.training
    assert all(parameter.grad is None for parameter in encoder.parameters())


# --- pretrained ------------------------------------------------------------------------------------------------


@pytest.fixture
def foreign(folder: Path, tmp_path: Path) -> Path:
    """A model that plain sentence-transformers saved, with prompts of its own and without koine.json."""
    model = SentenceTransformer(str(folder), device="cpu")
    model.prompts = {"query": "ask ", "document": "tell "}
    model.save(str(tmp_path / "models/org/name"))
    assert not (tmp_path / "models/org/name/koine.json").exists()
    return tmp_path / "models/org/name"


def test_a_model_that_koine_did_not_make_opens_with_its_own_prompts(foreign: Path) -> None:
    encoder = backbones.load(str(foreign))
    assert isinstance(encoder, FrozenEncoder)
    plain = SentenceTransformer(str(foreign), device="cpu")
    for kind, prompt in (("query", "ask "), ("passage", "tell ")):
        got = encoder.encode(TEXTS, kind, batch_size=4)  # type: ignore[arg-type]
        wanted = np.asarray(plain.encode([prompt + text for text in TEXTS], prompt="", show_progress_bar=False))
        assert got.dtype == np.float32
        assert cosines(got, wanted).min() > 0.9999
        assert np.abs(np.linalg.norm(got, axis=1) - 1).max() < 1e-6


def test_koine_models_answers_a_hub_id(foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    got = backbones.load("org/name").encode(TEXTS, "query", batch_size=4)
    assert np.allclose(got, backbones.load(str(foreign)).encode(TEXTS, "query", batch_size=4), atol=1e-6)


def test_a_folder_still_opens_where_koine_models_is_set(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path))
    monkeypatch.chdir(folder.parent)
    (folder / "koine.json").rename(folder / "hidden.json")
    try:
        assert isinstance(backbones.load("model"), FrozenEncoder)
    finally:
        (folder / "hidden.json").rename(folder / "koine.json")


@pytest.mark.parametrize("made", [False, True])
def test_an_unknown_model_is_an_error_that_names_koine_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    # Offline as by HF_HUB_OFFLINE=1, which the library reads when it is imported.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    name = "no-org/no-model"
    if made:  # a folder that is no model
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(KoineError, match=f"(?s){name}: no model .*KOINE_MODELS"):
        backbones.load(name)


@pytest.mark.parametrize("budget", [1, 30, 200, 10**6])
def test_texts_of_like_length_are_embedded_together_and_come_back_in_order(
    folder: Path, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = backbones.load(str(folder))
    assert isinstance(encoder, TrainableEncoder)
    tokens = encoder.tokenize(TEXTS, "passage")
    wanted = encoder(tokens).detach()
    monkeypatch.setattr("koine.backbones.base.GROUP_TOKENS", {"cpu": budget})
    torch.testing.assert_close(encoder(tokens).detach(), wanted, rtol=0, atol=1e-6)
