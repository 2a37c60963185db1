"""Objectives of domain adaptation, against transformers' masked language model and sentence-transformers' TSDAE on the same
token ids; on stand-ins of the true architectures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import DenoisingAutoEncoderLoss
from transformers import AutoConfig, AutoModelForMaskedLM

from koine import backbones
from koine.backbones.base import TrainableEncoder
from koine.backbones.pretrained import PretrainedEncoder
from koine.backbones.tokenizer import SPECIAL, Tokens, start_tokenizer, train_tokenizer
from koine.backbones.transformer import TransformerEncoder
from koine.params import Architecture, Backbone, Start, Tokenizer, pretrained_backbones
from koine.people.standins.models import write_standins
from koine.runtime.errors import KoineError
from koine.train.adapt import IGNORED, DenoisingAutoEncoder, MaskedLanguageModel, Objective, objective
from koine.train.optimiser import AdamW

torch.set_num_threads(1)
KINDS = {kind.name: kind for kind in (MaskedLanguageModel, DenoisingAutoEncoder)}
WORDS = ["France", "Germany", "Россия", "Китай", "ประเทศไทย", "चीन", "Spain", "Chad", "Peru", "Iran", "Cuba", "Mali"]
TEXTS = [" ".join(np.random.default_rng(i).choice(WORDS, 2 + i % 9)) for i in range(64)]
NAMES = ["xlm-r-base", "labse", "mbert", "mmbert-base", "mt5-base", "qwen3-embedding", "embeddinggemma"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins; those of XLM-R and mBERT have the weights of a head, as their checkpoints on the Hub."""
    folder = tmp_path_factory.mktemp("standins")
    write_standins(folder, [str(pretrained_backbones()[name]["start"]["model"]) for name in NAMES])
    for name in ("FacebookAI/xlm-roberta-base", "google-bert/bert-base-multilingual-cased"):
        torch.manual_seed(1)
        whole = AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(folder / name))
        torch.nn.init.normal_(whole.get_output_embeddings().bias)  # new ones are 0
        whole.save_pretrained(folder / name)
    return folder


@pytest.fixture(autouse=True)
def models(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINE_MODELS", str(hub))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def encoder(name: str, folder: Path) -> TrainableEncoder:
    """A backbone of the registry, or one from scratch."""
    torch.manual_seed(7)  # a pretrained model whose folder has no pooler draws one
    file, settings = folder / "tokenizer.json", Tokenizer(vocab_size=300, max_length=24)
    if name in ("static", "transformer"):
        train_tokenizer(TEXTS, settings, file)
        shape = Architecture(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, idf=False)
        return backbones.create(name, Start(), shape, file, Tokens(np.empty(0, np.int32), np.zeros(1, np.int64)), 1)
    start = Backbone.model_validate(pretrained_backbones()[name]).start
    file.write_text(start_tokenizer(start, settings.max_length).to_str())
    return PretrainedEncoder.create(file, start=start)


def specials(tokens: Tokens) -> Tokens:
    """The tokens that frame a text."""
    ends = np.isin(np.arange(len(tokens.ids)), [tokens.offsets[:-1], tokens.offsets[1:] - 1])
    return tokens.keep(ends)


def adapt(made: Objective, steps: int) -> list[float]:
    tokens, optimizer, losses = made.encoder.tokenize(TEXTS, "passage"), AdamW(list(made.parameters()), 0.0), []
    made.train()
    for step in range(steps):
        torch.manual_seed(step)
        made.zero_grad()
        loss = made(tokens, np.random.default_rng([1, step]))
        loss.backward()
        optimizer.step(3e-3)
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", ["xlm-r-base", "mbert", "labse", "mmbert-base", "transformer"])
def test_mlm_is_the_loss_of_transformers_on_the_same_masked_ids(name: str, tmp_path: Path) -> None:
    made = objective(MaskedLanguageModel, encoder(name, tmp_path), seed=3).eval()
    tokens = made.encoder.tokenize(TEXTS, "passage")
    shown, labels = made.mask(tokens, np.random.default_rng(5))
    if name in ("xlm-r-base", "mbert"):  # all weights, those of the head too, are the folder's
        theirs = AutoModelForMaskedLM.from_pretrained(made.model.config._name_or_path)
    else:
        theirs = AutoModelForMaskedLM.from_config(made.model.config)
        theirs.load_state_dict(made.model.state_dict(), strict=False)  # ours may have a pooler
    ids, mask = shown.padded(theirs.config.pad_token_id)
    given = [torch.from_numpy(array) for array in (ids, mask, labels.padded(IGNORED)[0])]
    expected = theirs.eval()(input_ids=given[0], attention_mask=given[1], labels=given[2]).loss
    torch.testing.assert_close(made(tokens, np.random.default_rng(5)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["xlm-r-base", "mbert", "labse"])
def test_tsdae_is_the_loss_of_sentence_transformers_on_the_same_ids(name: str, tmp_path: Path) -> None:
    made = objective(DenoisingAutoEncoder, encoder(name, tmp_path), seed=3).eval()
    made.encoder.save(tmp_path / "model")
    theirs = DenoisingAutoEncoderLoss(SentenceTransformer(str(tmp_path / "model"), device="cpu")).eval()
    theirs.decoder.load_state_dict(made.model.state_dict())
    tokens = made.encoder.tokenize(TEXTS, "passage")
    features = []
    for texts in (made.delete(tokens, np.random.default_rng(5)), tokens):
        ids, mask = texts.padded(made.model.config.pad_token_id)
        features.append({"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask).long()})
    expected = theirs(features, torch.empty(0))
    torch.testing.assert_close(made(tokens, np.random.default_rng(5)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["labse", "transformer"])
def test_15_percent_are_hidden_of_which_80_masked_10_swapped_10_left(name: str, tmp_path: Path) -> None:
    made = objective(MaskedLanguageModel, encoder(name, tmp_path))
    tokens = made.encoder.tokenize(TEXTS * 100, "passage")
    shown, labels = made.mask(tokens, np.random.default_rng(0))
    np.testing.assert_array_equal(shown.offsets, tokens.offsets)
    np.testing.assert_array_equal(specials(shown).ids, specials(tokens).ids)
    assert (specials(labels).ids == IGNORED).all()
    hidden = labels.ids != IGNORED
    np.testing.assert_array_equal(labels.ids[hidden], tokens.ids[hidden])
    np.testing.assert_array_equal(shown.ids[~hidden], tokens.ids[~hidden])
    masked = shown.ids[hidden] == made.encoder.tokenizer.token_to_id("<unk>" if name == "transformer" else "[UNK]")
    left = shown.ids[hidden] == tokens.ids[hidden]
    assert hidden.sum() / (len(tokens.ids) - len(specials(tokens).ids)) == pytest.approx(0.15, abs=0.01)
    assert masked.mean() == pytest.approx(0.8, abs=0.02)
    assert left.mean() == pytest.approx(0.1, abs=0.02)
    assert set(shown.ids[hidden][~masked & ~left]).isdisjoint(range(len(SPECIAL)))


def test_a_mask_token_masks_where_the_tokenizer_has_one(hub: Path, tmp_path: Path) -> None:
    model = encoder("mbert", tmp_path)
    assert isinstance(model, PretrainedEncoder)
    model.model.tokenizer.mask_token = "France"
    made = objective(MaskedLanguageModel, model)
    shown, labels = made.mask(model.tokenize(TEXTS, "passage"), np.random.default_rng(0))
    own = model.model.tokenizer.convert_tokens_to_ids("France")
    assert (shown.ids[labels.ids != IGNORED] == own).mean() > 0.6


def test_60_percent_are_deleted_but_neither_special_tokens_nor_all_others(tmp_path: Path) -> None:
    made = objective(DenoisingAutoEncoder, encoder("labse", tmp_path))
    tokens = made.encoder.tokenize([*TEXTS * 100, "Mali", ""], "passage")
    left = made.delete(tokens, np.random.default_rng(0))
    np.testing.assert_array_equal(specials(left).ids, specials(tokens).ids)
    assert (left.lengths[:-1] > 2).all()
    assert left.lengths[-1] == 2
    long = tokens.lengths >= 10
    assert (left.lengths[long] - 2).sum() / (tokens.lengths[long] - 2).sum() == pytest.approx(0.4, abs=0.01)
    assert torch.isfinite(made(tokens, np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("mlm", "transformer"),
        ("tsdae", "transformer"),
        *(pytest.param(kind, name, marks=pytest.mark.slow) for kind in ("mlm", "tsdae") for name in ("xlm-r-base", "labse")),
        pytest.param("mlm", "mmbert-base", marks=pytest.mark.slow),
    ],
)
def test_steps_lower_the_loss_in_the_encoder_s_own_weights_and_repeat_to_the_byte(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    model = encoder(name, tmp_path)
    before = model.encode(TEXTS, "passage", batch_size=8)
    made = objective(KINDS[kind], model, seed=3)
    parameters = list(made.parameters())
    own = list(model.parameters())
    assert len({id(parameter) for parameter in parameters}) == len(parameters)
    assert all(one is two for one, two in zip(parameters, own, strict=False))
    assert sum(parameter.shape == own[0].shape for parameter in parameters) == 1, "the output embedding is the input's"
    losses = adapt(made, 30)
    assert np.mean(losses[-5:]) < 0.8 * losses[0]
    after = model.encode(TEXTS, "passage", batch_size=8)
    assert not np.allclose(before, after, atol=1e-3)
    model.save(tmp_path / "model")
    cls = type(model)
    assert isinstance(model, TransformerEncoder | PretrainedEncoder)
    np.testing.assert_allclose(cls.load(tmp_path / "model").encode(TEXTS, "passage", batch_size=8), after, atol=1e-6)
    theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(TEXTS, prompt_name="passage")
    np.testing.assert_allclose(theirs, after, atol=1e-5)
    torch.rand(3)  # what else the process has drawn does not matter
    again = objective(KINDS[kind], encoder(name, tmp_path / "two"), seed=3)
    assert adapt(again, 30) == losses
    again.encoder.save(tmp_path / "again")
    files = sorted(path.relative_to(tmp_path / "model") for path in (tmp_path / "model").rglob("*") if path.is_file())
    assert [file for file in files if (tmp_path / "model" / file).read_bytes() != (tmp_path / "again" / file).read_bytes()] == []


def test_an_adapted_model_can_be_adapted_again(tmp_path: Path) -> None:
    """The head is not saved with the encoder, and the encoder's weights win over those of the folder it came from."""
    model = encoder("xlm-r-base", tmp_path)
    adapt(objective(MaskedLanguageModel, model), 3)
    vectors = model.encode(TEXTS, "passage", batch_size=8)
    objective(DenoisingAutoEncoder, model)
    np.testing.assert_array_equal(model.encode(TEXTS, "passage", batch_size=8), vectors)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("mlm", "static", "context; take a transformer"),
        ("tsdae", "static", "context; take a transformer"),
        ("mlm", "mt5-base", r"mlm: transformers has no head for encoders of type mt5; take XLM-R .*mBERT, LaBSE.*ModernBERT"),
        ("mlm", "qwen3-embedding", "mlm: .* qwen3"),
        ("mlm", "embeddinggemma", "mlm: .* gemma3"),
        ("tsdae", "mt5-base", r"tsdae: .*; take XLM-R .*mBERT, LaBSE"),
        ("tsdae", "qwen3-embedding", "tsdae: .* qwen3"),
        ("tsdae", "mmbert-base", "tsdae: .* modernbert"),
    ],
)
def test_what_cannot_be_adapted_is_an_error_that_says_what_can(kind: str, name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(KoineError, match=message):
        objective(KINDS[kind], encoder(name, tmp_path))
