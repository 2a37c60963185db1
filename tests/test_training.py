"""Training on a toy corpus of two artificial languages: reproducible, and it learns what its strategy can teach."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn.utils import clip_grad_norm_, get_total_norm
from toy import FEW, STATIC, TRANSFORMER, VARIED, files, log_of, train_one

from koine import backbones, code
from koine.backbones.tokenizer import Tokens
from koine.encode.texts import encode
from koine.encode.tokens import encode_tokens
from koine.evaluate.vectors import evaluate_vectors
from koine.params import Architecture, Optimisation, Start, Tokenizer
from koine.records import Run
from koine.runtime import resume
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256
from koine.train.checkpoint import REQUEUE
from koine.train.optimiser import AdamW, biases_and_norms
from koine.train.surgery import gradvac, pcgrad
from koine.train.tokens import train_tokens


@pytest.mark.parametrize("strategy", ["untrained", "hybrid"])
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_the_same_inputs_give_the_same_bytes_and_another_seed_others(
    corpus: Path, tmp_path: Path, kind: str, strategy: str
) -> None:
    one = train_one(corpus, tmp_path / "one", kind, strategy)
    torch.rand(3)  # what else the process has drawn does not matter
    two = train_one(corpus, tmp_path / "two", kind, strategy)
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(two) for path in two.rglob("*") if path.is_file())
    differ = [name for name in names if (one / name).read_bytes() != (two / name).read_bytes()]
    assert [str(name) for name in differ if name.name != "speed.jsonl"] == []
    third = train_one(corpus, tmp_path / "three", kind, strategy, seed=2)
    assert (third / "model.safetensors").read_bytes() != (one / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "change", [{"query_dropout": 0.3}, {"passage_dropout": 0.3}, {"directions": ["query_to_doc", "doc_to_query"]}, {"bf16": True}]
)
def test_every_variant_of_the_loss_trains_reproducibly_to_its_own_weights(
    corpus: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    settings = FEW.model_copy(update=change)
    plain, one, two = (
        sha256(train_one(corpus, tmp_path / name, optimisation=optimisation) / "model.safetensors")
        for name, optimisation in (("plain", FEW), ("one", settings), ("two", settings))
    )
    assert one == two != plain


def test_strategies_start_from_the_same_weights_and_untrained_keeps_them(corpus: Path, tmp_path: Path) -> None:
    still = Optimisation(max_steps=1, batch_size=16, learning_rate=1e-30)
    digests = {
        sha256(train_one(corpus, tmp_path / strategy, strategy=strategy, optimisation=still) / "model.safetensors")
        for strategy in ("untrained", "en-en", "x-y", "hybrid@0.3")
    }
    assert len(digests) == 1
    assert log_of(tmp_path / "untrained") == []


def test_a_model_of_some_languages_is_trained_as_if_the_others_were_not_there(corpus: Path, tmp_path: Path) -> None:
    alone, source = tmp_path / "alone", tmp_path / "source"
    train_one(corpus, alone, strategy="x-x-mono", only=["en"])
    train_one(corpus, source, strategy="en-en")
    assert sha256(alone / "model.safetensors") == sha256(source / "model.safetensors")
    assert json.loads((alone / "koine.json").read_text())["languages"] == ["en"]
    both = train_one(corpus, tmp_path / "both", strategy="hybrid-of-2", only=["en", "xo"])
    assert sha256(both / "model.safetensors") == sha256(train_one(corpus, tmp_path / "all") / "model.safetensors")
    for only, message in ((["en", "fi"], "--only fi: the training texts are in en, xo"), (["xo"], "source language en must be")):
        with pytest.raises(KoineError, match=message):
            train_one(corpus, tmp_path / "none", only=only)


def test_koine_json_says_how_the_model_was_made_and_its_checksums_match(corpus: Path, tmp_path: Path) -> None:
    model = train_one(corpus, tmp_path / "model", strategy="hybrid@0.3", seed=7)
    made = json.loads((model / "koine.json").read_text())
    assert set(made["sha256"]) == {"model.safetensors", "tokenizer.json"}
    for name, digest in made["sha256"].items():
        assert sha256(model / name) == digest
    assert (made["kind"], made["backbone"], made["strategy"], made["alpha"], made["seed"]) == (
        "static", "toy-static", "hybrid@0.3", 0.3, 7,
    )  # fmt: skip
    assert (made["languages"], made["questions"]) == (["en", "xo"], 400)
    assert Optimisation.model_validate(made["optimisation"]) == FEW
    assert Architecture.model_validate(made["architecture"]) == STATIC
    assert (made["device"], made["processes"]) == ("cpu", 1)


@pytest.mark.parametrize(
    ("strategy", "types"), [("x-y", {"cross"}), ("x-x", {"mixed"}), ("x-x-mono", {"mono"}), ("hybrid", {"mono", "cross"})]
)
def test_the_log_is_json_lines_with_the_type_of_each_batch(corpus: Path, tmp_path: Path, strategy: str, types: set[str]) -> None:
    log = log_of(train_one(corpus, tmp_path / "model", strategy=strategy, optimisation=FEW.model_copy(update={"max_steps": 95})))
    assert [line["step"] for line in log] == [*range(0, 91, 10), 94]
    assert {line["type"] for line in log} == types
    assert all(0 < line["lr"] <= FEW.learning_rate and np.isfinite(line["loss"]) for line in log)  # type: ignore[operator, arg-type]


@pytest.mark.parametrize("warmup", [0.0, 0.1, 1.0])
def test_the_learning_rate_rises_to_its_peak_and_falls(corpus: Path, tmp_path: Path, warmup: float) -> None:
    settings = Optimisation(max_steps=101, batch_size=16, learning_rate=0.01, warmup_ratio=warmup)
    rates = [line["lr"] for line in log_of(train_one(corpus, tmp_path / "model", optimisation=settings))]
    peak = int(np.argmax(rates))  # type: ignore[arg-type]
    assert rates[: peak + 1] == sorted(rates[: peak + 1])  # type: ignore[type-var]
    assert rates[peak:] == sorted(rates[peak:], reverse=True)  # type: ignore[type-var]
    assert {0.0: 0, 0.1: 1, 1.0: 10}[warmup] == peak
    wanted = {0.0: (1, 1 / 101), 0.1: (1, 1 / 91), 1.0: (101 / 102, 101 / 102)}[warmup]
    assert (max(rates), rates[-1]) == pytest.approx([0.01 * share for share in wanted], abs=1e-7)  # type: ignore[type-var]


def test_a_loss_that_is_no_number_stops_the_training_with_the_remedy(corpus: Path, tmp_path: Path) -> None:
    settings = Optimisation(max_steps=20, batch_size=16).model_copy(update={"learning_rate": 1e38})  # a recipe may not say it
    with pytest.raises(KoineError, match=r"lower optimisation\.learning_rate"):
        train_one(corpus, tmp_path / "m", "transformer", optimisation=settings)
    assert not (tmp_path / "m/model.safetensors").exists()


def test_too_little_data_for_a_batch_stops_before_anything_is_written(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(KoineError, match="lower batch_size"):
        train_one(corpus, tmp_path / "m", optimisation=Optimisation(max_steps=2, batch_size=401))
    assert not (tmp_path / "m").exists()


def mean_average_precision(corpus: Path, model: Path, out: Path) -> dict[str, float]:
    encode(str(model), corpus / "toy", out / "vectors", device="cpu", encode_batch_size=64)
    evaluate_vectors(out / "vectors", corpus / "toy", out, run=Run("r", "b", "s", 1))
    pairs = pl.read_csv(out / "pairs.csv").filter(metric="map")
    return {setting: pairs.filter(setting=setting)["value"].mean() for setting in ("mono", "cross", "multi")}  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_the_loss_falls(corpus: Path, tmp_path: Path, kind: str) -> None:
    settings = Optimisation(max_steps=150, batch_size=32, learning_rate=0.1 if kind == "static" else 0.005)
    log = log_of(train_one(corpus, tmp_path / "model", kind, "x-y", optimisation=settings))
    assert log[-1]["loss"] < 0.5 * log[0]["loss"]  # type: ignore[operator]


def test_cross_lingual_batches_align_languages_and_monolingual_ones_do_not(corpus: Path, tmp_path: Path) -> None:
    settings = Optimisation(max_steps=200, batch_size=32, learning_rate=0.1)
    scores = {
        strategy: mean_average_precision(
            corpus,
            train_one(corpus, tmp_path / strategy, strategy=strategy, optimisation=settings),
            tmp_path / f"{strategy}.scores",
        )
        for strategy in ("untrained", "x-x-mono", "x-y", "hybrid")
    }
    for strategy in ("x-y", "hybrid"):
        assert scores[strategy]["cross"] > 0.8
        assert scores[strategy]["multi"] > scores["x-x-mono"]["multi"]
    assert scores["x-x-mono"]["cross"] < 0.3
    assert scores["untrained"]["cross"] < 0.3
    assert min(scores[strategy]["mono"] for strategy in scores) > 0.8  # words match within a language from the start


def test_a_trained_model_opens_as_the_encoder_of_its_kind(corpus: Path, tmp_path: Path) -> None:
    for kind in ("static", "transformer"):
        encoder = backbones.load(str(train_one(corpus, tmp_path / kind, kind)))
        assert type(encoder).__name__ == f"{kind.capitalize()}Encoder"


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_vectors_from_tokens_made_once_equal_those_made_on_the_way(corpus: Path, tmp_path: Path, kind: str) -> None:
    model, toy = train_one(corpus, tmp_path / "model", kind), corpus / "toy"
    prefix = "q: " * (kind == "transformer")
    encode_tokens(corpus / kind / "tokenizer.json", toy, tmp_path / "ids", kind, query_prefix=prefix)
    for name, ids in (("direct", None), ("once", tmp_path / "ids")):
        encode(str(model), toy, tmp_path / name, tokens=ids, device="cpu", encode_batch_size=64)
    for name in ("queries.npy", "passages.npy", "encode.json"):
        assert (tmp_path / "direct" / name).read_bytes() == (tmp_path / "once" / name).read_bytes()


def test_tokens_of_another_tokenizer_are_refused(corpus: Path, tmp_path: Path) -> None:
    model, toy = train_one(corpus, tmp_path / "model", "static"), corpus / "toy"
    train_tokens(corpus / "qa.parquet", tmp_path / "other", "static", Tokenizer(vocab_size=300))
    encode_tokens(tmp_path / "other/tokenizer.json", toy, tmp_path / "ids", "static")
    with pytest.raises(KoineError, match="not made with"):
        encode(str(model), toy, tmp_path / "out", tokens=tmp_path / "ids", device="cpu", encode_batch_size=64)


def test_the_optimiser_is_torchs_with_two_groups_to_the_bit() -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(size)) for size in ((5, 3), (4,), (6,), (2,))]
    theirs = [torch.nn.Parameter(parameter.detach().clone()) for parameter in ours]
    groups = [{"params": [theirs[0], theirs[2]], "weight_decay": 0.01}, {"params": [theirs[1], theirs[3]], "weight_decay": 0.0}]
    mine, oracle = AdamW(ours, 0.01, [ours[1], ours[3]]), torch.optim.AdamW(groups, fused=True)
    for step in range(5):
        for one, other in zip(ours[:3], theirs[:3], strict=True):  # the last one never has a gradient
            one.grad = torch.randn_like(one)
            other.grad = one.grad.clone()
        for group in oracle.param_groups:
            group["lr"] = 0.1 / (step + 1)
        mine.step(0.1 / (step + 1))
        oracle.step()
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_without_a_gradient_of_their_own_biases_and_norms_stay_and_matrices_shrink(corpus: Path) -> None:
    file = corpus / "transformer/tokenizer.json"
    nothing = Tokens(np.empty(0, np.int32), np.zeros(1, np.int64))
    model = backbones.create("transformer", Start(), TRANSFORMER, file, nothing, 1)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = AdamW(list(model.parameters()), 0.5, biases_and_norms(model))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(0.1)
    kept = {name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])}
    assert kept == {name for name in before if name.endswith("bias") or "LayerNorm" in name}
    for name in before.keys() - kept:
        torch.testing.assert_close(model.get_parameter(name), before[name] * (1 - 0.1 * 0.5))


# --- clipping ---------------------------------------------------------------------------------------------------------


def gradients_of(corpus: Path, out: Path, kind: str, strategy: str, settings: Optimisation) -> list[list[torch.Tensor]]:
    """What the optimiser gets in every step of a run that stays where it is."""
    gradients: list[list[torch.Tensor]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AdamW, "step", lambda self, lr: gradients.append([p.grad.clone() for p in self._parameters]))
        train_one(corpus, out, kind, strategy, optimisation=settings)
    return gradients


@pytest.mark.parametrize(
    ("kind", "strategy", "change"),
    [
        ("static", "hybrid", {}),
        ("transformer", "grad-mix", {"learn_temperature": True}),
        ("transformer", "pcgrad", {"mini_batch_size": 4}),
        ("transformer", "mlm", {}),
    ],
)
@pytest.mark.parametrize("longest", [0.02, 1e4])
def test_the_joint_gradient_is_clipped_as_torch_does(
    corpus: Path, tmp_path: Path, kind: str, strategy: str, change: dict[str, object], longest: float
) -> None:
    settings = FEW.model_copy(update={"max_steps": 4, **change})
    whole = gradients_of(corpus, tmp_path / "whole", kind, strategy, settings.model_copy(update={"max_grad_norm": 0.0}))
    clipped = gradients_of(corpus, tmp_path / "clipped", kind, strategy, settings.model_copy(update={"max_grad_norm": longest}))
    assert len(whole) == len(clipped) == 4
    for own, got in zip(whole, clipped, strict=True):
        parameters = [torch.nn.Parameter(torch.empty_like(gradient)) for gradient in own]
        for parameter, gradient in zip(parameters, own, strict=True):
            parameter.grad = gradient
        norm = clip_grad_norm_(parameters, longest)
        assert (float(norm) > longest) == (longest < 1)
        assert all(torch.equal(p.grad, gradient) for p, gradient in zip(parameters, got, strict=True))  # type: ignore[arg-type]


def test_a_huge_gradient_is_shortened_and_logged_as_long_as_it_was(corpus: Path, tmp_path: Path) -> None:
    settings = Optimisation(max_steps=2, batch_size=16, learning_rate=0.01, temperature=1e-4)
    (whole, *_), (clipped, *_) = (
        gradients_of(corpus, tmp_path / str(longest), "static", "x-y", settings.model_copy(update={"max_grad_norm": longest}))
        for longest in (0.0, 1.0)
    )
    noted = [log_of(tmp_path / name)[0]["gradient_norm"] for name in ("0.0", "1.0")]
    assert noted[0] == noted[1] == pytest.approx(float(get_total_norm(whole)), rel=1e-5)
    assert float(str(noted[0])) > 100
    assert float(get_total_norm(clipped)) == pytest.approx(1, abs=1e-5)


# --- gradients of two batches ------------------------------------------------------------------------------------------


def test_gradient_mixing_at_one_end_is_monolingual_and_at_the_other_cross_lingual(corpus: Path, tmp_path: Path) -> None:
    for alpha, plain in (("1", "x-x-mono"), ("0", "x-y")):
        mixed = train_one(corpus, tmp_path / f"mix{alpha}", strategy=f"grad-mix@{alpha}")
        alone = train_one(corpus, tmp_path / plain, strategy=plain)
        assert (mixed / "model.safetensors").read_bytes() == (alone / "model.safetensors").read_bytes()


@pytest.mark.parametrize("strategy", ["grad-mix", "pcgrad", "gradvac"])
def test_half_as_many_steps_see_as_many_pairs(corpus: Path, tmp_path: Path, strategy: str) -> None:
    whole, half = (log_of(train_one(corpus, tmp_path / name, strategy=name)) for name in (strategy, f"{strategy}-half"))
    assert [line["step"] for line in whole] == [0, 0, 10, 10, 11, 11]
    assert [line["step"] for line in half] == [0, 0, 5, 5]
    assert [line["type"] for line in half] == ["mono", "cross"] * 2
    assert ("cosine" in half[0]) == (strategy != "grad-mix")


def test_pcgrad_takes_from_each_gradient_its_part_against_the_other() -> None:
    one, two = torch.tensor([1.0, 0.0, 2.0]), torch.tensor([-2.0, 1.0, 0.5])
    joint, cosine = pcgrad().join([[one[:1], one[1:]], [two[:1], two[1:]]])
    dot = one @ two
    assert dot < 0
    expected = ((one - dot / (two @ two) * two) + (two - dot / (one @ one) * one)) / 2
    torch.testing.assert_close(torch.cat(joint), expected)
    assert cosine == pytest.approx(float(dot / one.norm() / two.norm()))
    alike, _ = pcgrad().join([[one], [one + two * two]])
    torch.testing.assert_close(alike[0], one + two * two / 2)  # no conflict: the mean


def test_gradvac_moves_gradients_towards_their_usual_cosine() -> None:
    surgery = gradvac()
    one, two = torch.tensor([1.0, 0.1]), torch.tensor([1.0, -0.1])
    for _ in range(20):  # usually they agree
        surgery.join([[one], [two]])
    joint, cosine = surgery.join([[torch.tensor([1.0, 0.0])], [torch.tensor([0.0, 1.0])]])
    assert cosine == 0
    assert float(joint[0].norm()) > float(torch.tensor([0.5, 0.5]).norm())
    again = gradvac()
    again.load(surgery.state())
    assert again.state().keys() == surgery.state().keys()
    torch.testing.assert_close(again.join([[one], [two]])[0], surgery.join([[one], [two]])[0], rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["static", "transformer"])
@pytest.mark.parametrize("chunk", [1, 5, 16])
def test_chunks_give_the_gradient_of_the_whole_batch(
    corpus: Path, kind: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients: list[list[torch.Tensor]] = []
    monkeypatch.setattr(AdamW, "step", lambda self, lr: gradients.append([p.grad.clone() for p in self._parameters]))
    one = Optimisation(max_steps=1, batch_size=16, directions=["query_to_doc", "doc_to_query"], query_dropout=0.1)
    for name, settings in (("whole", one), ("chunks", one.model_copy(update={"mini_batch_size": chunk}))):
        train_one(corpus, tmp_path / name, kind, optimisation=settings)
    for whole, chunked in zip(*gradients, strict=True):
        torch.testing.assert_close(chunked, whole, rtol=1e-4, atol=1e-7)


# --- resume ----------------------------------------------------------------------------------------------------------

#: Trains in a process of its own, which a signal ends; the arguments: corpus, out, kind, and where to send which signal.
KILLED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import toy
from koine.train import checkpoint, loop
corpus, out, kind, place, number, after = Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:7], int(sys.argv[7])
strategy = sys.argv[8]
calls = 0
def count():
    global calls
    calls += 1
    if calls == after:
        os.kill(os.getpid(), int(number))
if place == "step":
    step = loop.AdamW.step
    loop.AdamW.step = lambda self, lr: (step(self, lr), count())[0]
else:
    def half(tensors, path, metadata):
        safetensors(tensors, path, metadata=metadata)
        if calls == after - 1:
            os.truncate(path, os.path.getsize(path) // 2)
        count()
    safetensors, checkpoint.save_file = checkpoint.save_file, half
toy.train_one(corpus, out, kind, strategy, optimisation=toy.VARIED, checkpoint_minutes=0)
"""


def killed(corpus: Path, out: Path, kind: str, place: str, number: int, after: int, strategy: str = "hybrid") -> int:
    """Train until a signal comes at a step, or in the midst of a checkpoint; the exit code."""
    arguments = [str(Path(__file__).parent), str(corpus), str(out), kind, place, str(int(number)), str(after), strategy]
    return subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("kind", "place", "after"),
    [("static", "step", 1), ("static", "step", 7), ("transformer", "step", 12), ("static", "write", 5)],
)
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    corpus: Path, tmp_path: Path, kind: str, place: str, after: int
) -> None:
    whole = train_one(corpus, tmp_path / "whole", kind, optimisation=VARIED)
    assert killed(corpus, tmp_path / "broken", kind, place, signal.SIGKILL, after) == -signal.SIGKILL
    assert not (tmp_path / "broken").exists()
    steps: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        step = AdamW.step
        patch.setattr(AdamW, "step", lambda self, lr: (step(self, lr), steps.append(lr))[0])
        resumed = train_one(corpus, tmp_path / "broken", kind, optimisation=VARIED)
    assert files(resumed) == files(whole)
    assert len(steps) == VARIED.max_steps - (after - 1)  # the step that was killed was not in a checkpoint yet
    assert not (tmp_path / ".broken").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_scheduler_that_stops_a_run_finds_a_checkpoint_and_the_code_to_start_it_again(
    corpus: Path, tmp_path: Path, number: int
) -> None:
    whole = train_one(corpus, tmp_path / "whole", optimisation=VARIED)
    assert killed(corpus, tmp_path / "broken", "static", "step", number, 4) == REQUEUE
    assert (tmp_path / ".broken" / "step-000000004.safetensors").is_file()
    assert files(train_one(corpus, tmp_path / "broken", optimisation=VARIED)) == files(whole)


def test_a_run_stopped_after_its_last_step_ends_when_started_again(corpus: Path, tmp_path: Path) -> None:
    whole = train_one(corpus, tmp_path / "whole", optimisation=VARIED)
    assert killed(corpus, tmp_path / "broken", "static", "step", signal.SIGTERM, VARIED.max_steps) == REQUEUE
    assert files(train_one(corpus, tmp_path / "broken", optimisation=VARIED)) == files(whole)


def test_a_checkpoint_cut_short_is_passed_over_for_the_one_before(corpus: Path, tmp_path: Path) -> None:
    whole = train_one(corpus, tmp_path / "whole", optimisation=VARIED)
    killed(corpus, tmp_path / "broken", "static", "step", signal.SIGKILL, 9)
    before, last = sorted((tmp_path / ".broken").glob("step-*.safetensors"))
    assert (before.stem, last.stem) == ("step-000000007", "step-000000008")
    os.truncate(last, last.stat().st_size - 1)
    assert files(train_one(corpus, tmp_path / "broken", optimisation=VARIED)) == files(whole)


def test_what_gradvac_remembers_is_taken_up_again(corpus: Path, tmp_path: Path) -> None:
    whole = train_one(corpus, tmp_path / "whole", strategy="gradvac", optimisation=VARIED)
    killed(corpus, tmp_path / "broken", "static", "step", signal.SIGKILL, 7, "gradvac")
    assert files(train_one(corpus, tmp_path / "broken", strategy="gradvac", optimisation=VARIED)) == files(whole)


def test_a_checkpoint_of_other_settings_is_not_gone_on_with(corpus: Path, tmp_path: Path) -> None:
    killed(corpus, tmp_path / "broken", "static", "step", signal.SIGKILL, 9)
    whole = train_one(corpus, tmp_path / "whole")
    assert files(train_one(corpus, tmp_path / "broken")) == files(whole)


@pytest.mark.parametrize("entry", ["koine.strategies:STRATEGIES[hybrid]", "koine.backbones.kinds:KINDS[static]"])
def test_a_checkpoint_belongs_to_the_code_of_its_strategy_and_kind(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    killed(corpus, tmp_path / "broken", "static", "step", signal.SIGKILL, 9)
    steps: list[float] = []
    step, digest = AdamW.step, code.digest
    monkeypatch.setattr(AdamW, "step", lambda self, lr: (step(self, lr), steps.append(lr))[0])
    monkeypatch.setattr(code, "digest", lambda rule, entries=(): digest(rule, entries) + ("edited" if entry in entries else ""))
    train_one(corpus, tmp_path / "broken", optimisation=VARIED)
    assert len(steps) == VARIED.max_steps


def test_a_key_is_of_inputs_files_and_code(tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_text(text)
    usual = resume.key([1, "x"], [tmp_path / "a"], "0123")
    assert usual == resume.key([1, "x"], [tmp_path / "b"], "0123")
    others = {
        resume.key([2, "x"], [tmp_path / "a"], "0123"),
        resume.key([1, "x"], [tmp_path / "c"], "0123"),
        resume.key([1, "x"], [], "0123"),
        resume.key([1, "x"], [tmp_path / "a"], "4567"),
    }
    assert len({usual, *others}) == 5
