"""What training can do besides: several processes, a validation loss, explicit negatives, chains, and what it measures."""

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional
from toy import FEW, STATIC, TRANSFORMER, VARIED, files, log_of, train_one

from koine import backbones
from koine.backbones import base
from koine.backbones.base import TrainableEncoder
from koine.backbones.tokenizer import Tokens
from koine.params import Datasets, Languages, Optimisation, Start, Validation
from koine.records import MINED
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256
from koine.runtime.processes import Processes
from koine.strategies import CROSS, STRATEGIES
from koine.train import contrastive
from koine.train.batches import Batch, BatchSampler, BatchType
from koine.train.contrastive import Contrastive, ValidationLoss
from koine.train.loss import PassageRows
from koine.train.optimiser import AdamW
from koine.train.task import Setup
from koine.train.tokens import TrainingSet

torch.set_num_threads(1)


def weights(model: Path) -> str:
    return sha256(model / "model.safetensors")


# --- several processes -----------------------------------------------------------------------------------------------

GRADIENT = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch, toy
from koine.params import Optimisation
from koine.train import loop
corpus, out, kind, strategy, options = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5], eval(sys.argv[6])
def save(self, lr):
    torch.save([p.grad for p in self._parameters], out.with_suffix("." + os.environ.get("RANK", "0")))
loop.AdamW.step = save
settings = Optimisation(max_steps=1, batch_size=15, query_dropout=0.1, **options)
toy.train_one(corpus, out, kind, strategy, optimisation=settings)
"""


def gradient(corpus: Path, out: Path, processes: int, *arguments: str) -> list[list[torch.Tensor]]:
    """Of each process, the gradient that it steps with."""
    script = out.with_suffix(".py")
    script.write_text(GRADIENT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    start = launch if processes > 1 else [sys.executable]
    command = [*start, str(script), str(Path(__file__).parent), str(corpus), str(out), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [torch.load(out.with_suffix(f".{rank}"), weights_only=True) for rank in range(processes)]


@pytest.mark.parametrize(
    ("kind", "strategy", "options"),
    [
        ("static", "hybrid", "{}"),
        pytest.param("transformer", "pcgrad", "{'mini_batch_size': 4}", marks=pytest.mark.slow),
        pytest.param("transformer", "grad-mix", "{'learn_temperature': True, 'max_grad_norm': .05}", marks=pytest.mark.slow),
    ],
)
def test_two_processes_have_the_gradient_of_one(corpus: Path, tmp_path: Path, kind: str, strategy: str, options: str) -> None:
    (alone,) = gradient(corpus, tmp_path / "one", 1, kind, strategy, options)
    for own in gradient(corpus, tmp_path / "two", 2, kind, strategy, options):
        for got, wanted in zip(own, alone, strict=True):
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)


# --- the validation loss ----------------------------------------------------------------------------------------------

FAR = Validation(sources=["far"])


def data_of(corpus: Path, kind: str = "static") -> TrainingSet:
    return TrainingSet.open(corpus / kind, "en")


def far_of(data: TrainingSet) -> npt.NDArray[np.int64]:
    return np.flatnonzero(np.array(data.sources) == "far")


class OneBatch:
    """A sampler of one batch: some questions in two languages."""

    def __init__(self, questions: npt.NDArray[np.int64], one: int, two: int) -> None:
        self.batch = Batch(BatchType.CROSS, questions, np.full(len(questions), one), np.full(len(questions), two))

    def __getitem__(self, step: int) -> Batch:
        return self.batch

    def type(self, step: int) -> BatchType:
        return self.batch.type


def task_of(data: TrainingSet, model: TrainableEncoder, optimisation: Optimisation, *samplers: OneBatch) -> Contrastive:
    setup = Setup(
        model, data, data.available, STRATEGIES["x-y"], 0.5, 3, 1, optimisation, Languages(), Datasets(), Processes(0, 1, "cpu")
    )
    return Contrastive(setup, [(sampler, 1.0) for sampler in samplers])  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["static", "transformer"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"directions": ["query_to_doc", "doc_to_query"], "partition_mode": "per_direction"},
        {"directions": ["query_to_doc", "doc_to_query", "query_to_query", "doc_to_doc"]},
        {"num_negatives": 3},
        {"num_negatives": 3, "directions": ["query_to_doc", "doc_to_doc"]},
        {"num_negatives": 3, "in_batch_negatives": False, "temperature": 1.0},
        {"learn_temperature": True},
        {"bf16": True},
    ],
    ids=lambda settings: "-".join(settings) or "plain",
)
def test_the_validation_loss_is_the_training_loss_of_the_same_batch(
    corpus: Path, tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    data = TrainingSet.open(corpus / kind, "en", with_negatives(corpus, tmp_path, 3))
    shape = STATIC if kind == "static" else TRANSFORMER
    model = backbones.create(kind, Start(), shape, corpus / kind / "tokenizer.json", data.passages, 1)
    questions = np.arange(320, 350)  # in both languages
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
    whole = Optimisation(batch_size=30, **settings)
    task = task_of(data, model, whole, *(OneBatch(questions, one, two) for one, two in pairs))
    for offset in (0.0, 0.7, 9.0):  # the last one is beyond the largest scale
        task.offset.data.fill_(offset)
        measured = task.validation_loss(data, questions, [0, 1])()
        trained = [float(task.backward(part, 3, task.draw(3)).loss) for part in range(4)]
        close = {"rel": 5e-3 if whole.bf16 else 1e-5, "abs": 1e-5}
        assert measured["mono"] == pytest.approx((trained[0] + trained[3]) / 2, **close)
        assert measured["cross"] == pytest.approx((trained[1] + trained[2]) / 2, **close)
        assert trained[0] > 0.01
        if not whole.learn_temperature:
            break


def test_validation_questions_bring_their_own_negatives_the_same_each_time(corpus: Path, tmp_path: Path) -> None:
    mined = with_negatives(corpus, tmp_path, 3)
    data = TrainingSet.open(corpus / "static", "en", mined)
    seen: list[list[int]] = []
    documents = contrastive.passages_of

    def watched(data: TrainingSet, *arguments: Any) -> tuple[Tokens, PassageRows]:
        texts, found = documents(data, *arguments)
        if set(arguments[0].tolist()) <= set(range(300, 400)):
            seen.append(found.passage.tolist())
        return texts, found

    settings = FEW.model_copy(update={"num_negatives": 2, "max_steps": 4})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contrastive, "passages_of", watched)
        train_one(
            corpus, tmp_path / "one", mined=mined, optimisation=settings, validation=Validation(sources=["far"], eval_steps=2)
        )
        train_one(corpus, tmp_path / "two", mined=mined, optimisation=settings, validation=FAR, seed=2, strategy="x-y")
    batches = 7 * 2  # of the two languages
    assert len(seen) == 3 * batches
    assert seen[:batches] == seen[batches : 2 * batches] == seen[2 * batches :]
    held = set(data.passage_of[300:].tolist())
    assert {passage for own in seen for passage in own} > held  # those of a question's negatives that are trained on, too
    alone = FEW.model_copy(update={"num_negatives": 1, "in_batch_negatives": False})
    few = MINED.read(mined).filter(~pl.col("id").is_in([f"q{i}" for i in range(300, 400)]))
    MINED.write(few, tmp_path / "few.parquet")
    with pytest.raises(KoineError, match="none of the questions has negatives"):
        train_one(corpus, tmp_path / "none", mined=tmp_path / "few.parquet", optimisation=alone, validation=FAR)


@pytest.mark.parametrize("strategy", ["mlm", "tsdae"])
def test_what_adapts_to_texts_is_validated_by_its_own_loss(corpus: Path, tmp_path: Path, strategy: str) -> None:
    settings = Optimisation(max_steps=30, batch_size=16, learning_rate=3e-3)
    plain = train_one(corpus, tmp_path / "plain", "transformer", strategy, optimisation=settings, validation=FAR)
    often = Validation(sources=["far"], eval_steps=10)
    measured = train_one(corpus, tmp_path / "measured", "transformer", strategy, optimisation=settings, validation=often)
    losses = [line["loss"] for line in log_of(measured) if line["type"] == "validation"]
    assert len(losses) == 3
    assert losses[2] < losses[1] < losses[0]  # type: ignore[operator]
    assert weights(plain) == weights(measured)
    made = json.loads((plain / "koine.json").read_text())["validated"]
    assert made == {"step": 29, "type": "validation", "loss": losses[2], "questions": 100}
    trained = [float(str(line["loss"])) for line in log_of(measured) if line["type"] == strategy]
    assert made["loss"] == pytest.approx(trained[-1], rel=0.2)


def test_the_validation_loss_is_the_mean_of_info_nce_over_all_pairs_of_languages(corpus: Path, tmp_path: Path) -> None:
    made = json.loads((train_one(corpus, tmp_path / "model", validation=FAR) / "koine.json").read_text())["validated"]
    data, encoder = data_of(corpus), backbones.load(str(tmp_path / "model"))
    held = far_of(data)
    batches = np.array_split(held, np.ceil(len(held) / FEW.batch_size))
    means: dict[str, list[float]] = {"mono": [], "cross": []}
    for one in (0, 1):
        for two in (0, 1):
            total = count = 0.0
            for batch in batches:
                own = batch[(data.query_rows[batch][:, [one, two]] >= 0).all(axis=1)]
                if len(own) < 2:
                    continue
                queries = encoder(data.queries.take(data.query_rows[own, one]))  # type: ignore[operator]
                passages = encoder(data.passages.take(data.passage_rows[own, two]))  # type: ignore[operator]
                loss = functional.cross_entropy(queries @ passages.T / FEW.temperature, torch.arange(len(own)))
                total, count = total + float(loss.detach()) * len(own), count + len(own)
            means["mono" if one == two else "cross"].append(total / count)
    assert made["questions"] == len(held) == 100
    assert made["mono"] == pytest.approx(np.mean(means["mono"]), abs=1e-4)
    assert made["cross"] == pytest.approx(np.mean(means["cross"]), abs=1e-4)
    assert made["loss"] == pytest.approx((made["mono"] + made["cross"]) / 2, abs=2e-5)


def test_validation_questions_are_not_trained_on_and_measuring_them_changes_nothing(corpus: Path, tmp_path: Path) -> None:
    plain = train_one(corpus, tmp_path / "plain", validation=FAR)
    measured = train_one(corpus, tmp_path / "measured", validation=Validation(sources=["far"], eval_steps=3))
    assert weights(plain) != weights(train_one(corpus, tmp_path / "all"))
    lines = [line for line in log_of(measured) if line["type"] == "validation"]
    assert [line["step"] for line in lines] == [2, 5, 8, 11]
    # The last one is the best here, so that the weights are those of the run that was not measured on the way.
    assert min(lines, key=lambda line: line["loss"]) == lines[-1]  # type: ignore[arg-type, return-value]
    assert weights(plain) == weights(measured)
    english = train_one(corpus, tmp_path / "english", validation=Validation(sources=["far"], languages=["en"]))
    assert "cross" not in json.loads((english / "koine.json").read_text())["validated"]
    with pytest.raises(KoineError, match=r"'fi' is not among en, xo"):
        train_one(corpus, tmp_path / "other", validation=Validation(sources=["far"], languages=["fi"]))


def test_a_share_holds_whole_passages_out(corpus: Path, tmp_path: Path) -> None:
    made = train_one(corpus, tmp_path / "model", validation=Validation(share=0.25))
    assert 70 < json.loads((made / "koine.json").read_text())["validated"]["questions"] < 130


OVERFIT = {
    "static": Optimisation(max_steps=40, batch_size=16, learning_rate=0.5),
    "transformer": Optimisation(max_steps=40, batch_size=16, learning_rate=0.05, learn_temperature=True),
}
EARLY = Validation(sources=["far"], eval_steps=2, early_stopping_patience=3)


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_training_ends_early_with_the_best_weights_also_when_it_was_broken_off(corpus: Path, tmp_path: Path, kind: str) -> None:
    settings = {"strategy": "en-en", "optimisation": OVERFIT[kind], "validation": EARLY}
    early = train_one(corpus, tmp_path / "early", kind, **settings)  # type: ignore[arg-type]
    losses = [line["loss"] for line in log_of(early) if line["type"] == "validation"]
    best = int(np.argmin(losses))  # type: ignore[arg-type]
    assert len(losses) == best + 1 + EARLY.early_stopping_patience < 20
    made = json.loads((early / "koine.json").read_text())["validated"]
    assert (made["loss"], made["step"]) == (losses[best], 2 * best + 1)
    encoder = backbones.load(str(early))
    data = data_of(corpus, kind)
    # A learned temperature is measured as it was at that step, and kept with its weights.
    then = {"learn_temperature": False, "temperature": json.loads((early / "koine.json").read_text()).get("temperature", 0.06)}
    task = task_of(data, encoder, OVERFIT[kind].model_copy(update=then))  # type: ignore[arg-type]
    assert ValidationLoss(task, data, far_of(data), [0, 1])()["loss"] == losses[best]
    step = AdamW.step
    for stop in (2 * best + 4, 2 * (best + EARLY.early_stopping_patience) + 2):
        count = 0

        def broken(self: AdamW, lr: float, stop: int = stop) -> None:
            nonlocal count
            count += 1
            if count == stop + 1:
                raise RuntimeError
            step(self, lr)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(AdamW, "step", broken)
            try:
                train_one(corpus, tmp_path / f"again{stop}", kind, checkpoint_minutes=0, **settings)  # type: ignore[arg-type]
            except RuntimeError:
                assert count == stop + 1
        resumed = train_one(corpus, tmp_path / f"again{stop}", kind, **settings)  # type: ignore[arg-type]
        assert files(resumed) == files(early)


@pytest.mark.parametrize("share", [0.0001, 0.004])
def test_too_few_validation_questions_are_said_before_training(corpus: Path, tmp_path: Path, share: float) -> None:
    with pytest.raises(KoineError, match="too few to compare; raise share"):
        train_one(corpus, tmp_path / "model", validation=Validation(share=share))
    assert not (tmp_path / "model").exists()


def test_their_passages_are_nobodys_negatives(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    documents = Contrastive._passages

    def watched(self: Contrastive, batch: Batch, step: int) -> tuple[Tokens, PassageRows]:
        texts, found = documents(self, batch, step)
        seen.update(found.passage.tolist())
        return texts, found

    monkeypatch.setattr(Contrastive, "_passages", watched)
    settings = FEW.model_copy(update={"num_negatives": 3, "max_steps": 40})
    train_one(corpus, tmp_path / "m", optimisation=settings, mined=with_negatives(corpus, tmp_path, 3), validation=FAR)
    assert len(seen) > 250
    assert max(seen) < 300  # the last hundred are for validation


# --- negatives -------------------------------------------------------------------------------------------------------


def with_negatives(corpus: Path, folder: Path, per_question: int) -> Path:
    """Mined negatives: of question i the passages i+1, i+2, …"""
    ids = [f"q{i:03}" for i in range(400)]
    wrong = [[f"p{(i + 1 + k) % 400:03}" for k in range(per_question)] for i in range(400)]
    frame = MINED.frame({"id": ids, "negative_ids": wrong, "scores": [[0.5] * per_question] * 400})
    MINED.write(frame, folder / "mined.parquet")
    return folder / "mined.parquet"


def test_negatives_stand_in_the_language_of_their_rows_passage(corpus: Path, tmp_path: Path) -> None:
    mined = with_negatives(corpus, tmp_path, 3)
    data = TrainingSet.open(corpus / "static", "en", mined)
    settings = Optimisation(max_steps=3, batch_size=32, num_negatives=2)
    sampler = BatchSampler(data.available, CROSS, alpha=0.5, batch_size=32, steps=3, seed=1, languages=Languages())
    model = backbones.create("static", Start(), STATIC, corpus / "static/tokenizer.json", data.passages, 1)
    task = task_of(data, model, settings, sampler)  # type: ignore[arg-type]
    for step in range(3):
        batch = sampler[step]
        texts, rows = task._passages(batch, step)
        assert len(texts) == len(rows.row)
        assert rows.row[:32].tolist() == list(range(32))
        count = np.bincount(rows.row[32:].numpy(), minlength=32)
        assert count.max() == 2
        words = [model.tokenizer.decode(texts.take(np.array([place])).ids.tolist()) for place in range(len(texts))]
        for place, row in enumerate(rows.row.tolist()):
            language = data.languages[batch.passage_langs[row]]
            assert all(word.endswith("xo") for word in words[place].split()) == (language == "xo")
            distance = (int(rows.passage[place]) - int(data.passage_of[batch.questions[row]])) % 400
            assert distance == 0 if place < 32 else distance in (1, 2, 3)


def test_negatives_are_asked_for_only_where_there_are_any(corpus: Path, tmp_path: Path) -> None:
    settings = FEW.model_copy(update={"num_negatives": 1})
    with pytest.raises(KoineError, match=r"negatives.*mining"):
        train_one(corpus, tmp_path / "none", optimisation=settings)
    mined = with_negatives(corpus, tmp_path, 1)
    one = train_one(corpus, tmp_path / "one", optimisation=settings, mined=mined)
    assert weights(one) == weights(train_one(corpus, tmp_path / "two", optimisation=settings, mined=mined))
    assert weights(one) != weights(train_one(corpus, tmp_path / "plain"))
    printed = settings.model_copy(update={"in_batch_negatives": False, "temperature": 1.0})
    log = log_of(train_one(corpus, tmp_path / "printed", optimisation=printed, mined=mined))
    assert all(0 < float(str(line["loss"])) < np.log(18) + 1 for line in log)


# --- settings of the loss and of memory ------------------------------------------------------------------------------


def test_a_learned_temperature_moves_is_noted_and_goes_on_after_a_break(corpus: Path, tmp_path: Path) -> None:
    settings = VARIED.model_copy(update={"learn_temperature": True})
    whole = train_one(corpus, tmp_path / "whole", optimisation=settings)
    noted = [line["temperature"] for line in log_of(whole)]
    assert len(set(noted)) == len({line["step"] for line in log_of(whole)})
    assert json.loads((whole / "koine.json").read_text())["temperature"] == pytest.approx(noted[-1], abs=1e-6)
    count = 0

    def broken(self: AdamW, lr: float) -> None:
        nonlocal count
        count += 1
        if count == 8:
            raise RuntimeError
        step(self, lr)

    step = AdamW.step
    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(AdamW, "step", broken)
        train_one(corpus, tmp_path / "broken", optimisation=settings, checkpoint_minutes=0)
    assert files(train_one(corpus, tmp_path / "broken", optimisation=settings)) == files(whole)


def test_recomputing_states_gives_the_same_weights(corpus: Path, tmp_path: Path) -> None:
    plain = train_one(corpus, tmp_path / "plain", "transformer")
    again = train_one(
        corpus, tmp_path / "again", "transformer", optimisation=FEW.model_copy(update={"gradient_checkpointing": True})
    )
    assert weights(plain) == weights(again)
    with pytest.raises(KoineError, match="context"):
        train_one(corpus, tmp_path / "static", optimisation=FEW.model_copy(update={"gradient_checkpointing": True}))


def test_a_compiled_transformer_learns_the_same_and_is_saved_as_itself(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "COMPILER", "aot_eager")  # traces and differentiates as inductor does, without a C++ compiler
    plain = train_one(corpus, tmp_path / "plain", "transformer")
    fused = train_one(corpus, tmp_path / "fused", "transformer", optimisation=FEW.model_copy(update={"torch_compile": True}))
    for name, tensor in load_file(plain / "model.safetensors").items():
        assert torch.allclose(tensor, load_file(fused / "model.safetensors")[name], atol=1e-5), name


# --- data sets and chains --------------------------------------------------------------------------------------------

DOMAIN = Datasets(domain=["far"])


@pytest.mark.parametrize(("strategy", "questions"), [("daft", 100), ("hybrid", 300), ("hybrid-daft", 400)])
def test_strategies_train_on_the_target_domain_the_rest_or_both(
    corpus: Path, tmp_path: Path, strategy: str, questions: int
) -> None:
    whole = Optimisation(max_steps=1, batch_size=questions, learning_rate=0.01)
    only = {"hybrid": "hybrid@1", "hybrid-daft": "hybrid-daft@1"}.get(strategy, strategy)
    languages = Languages(sampling_exponent=1.0)
    settings = {"strategy": only, "datasets": DOMAIN, "languages": languages, "seed": 3}
    train_one(corpus, tmp_path / "fits", optimisation=whole, **settings)  # type: ignore[arg-type]
    with pytest.raises(KoineError, match=f"only {questions} questions"):
        more = whole.model_copy(update={"batch_size": questions + 1})
        train_one(corpus, tmp_path / "not", optimisation=more, **settings)  # type: ignore[arg-type]


def test_a_chain_goes_on_from_the_model_before_it(corpus: Path, tmp_path: Path) -> None:
    first = train_one(corpus, tmp_path / "daft", strategy="daft", datasets=DOMAIN)
    still = Optimisation(max_steps=1, batch_size=16, learning_rate=1e-30)
    settings = {"strategy": "daft+hybrid", "datasets": DOMAIN, "further": first}
    kept = train_one(corpus, tmp_path / "kept", optimisation=still, **settings)  # type: ignore[arg-type]
    assert weights(kept) == weights(first)
    further = train_one(corpus, tmp_path / "further", **settings)  # type: ignore[arg-type]
    assert weights(further) not in {weights(first), weights(train_one(corpus, tmp_path / "hybrid", datasets=DOMAIN))}
    assert json.loads((further / "koine.json").read_text())["strategy"] == "daft+hybrid"
    for wrong in ({"strategy": "daft+hybrid"}, {"strategy": "hybrid", "further": first}, {"strategy": "hybrid+lir"}):
        with pytest.raises(KoineError, match="--strategy"):
            train_one(corpus, tmp_path / "wrong", datasets=DOMAIN, **wrong)  # type: ignore[arg-type]
    other = train_one(corpus, tmp_path / "other", "transformer")
    with pytest.raises(KoineError, match="cannot be trained"):
        train_one(corpus, tmp_path / "no", **{**settings, "further": other})  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["mlm", "tsdae"])
def test_texts_alone_adapt_an_encoder_which_a_chain_then_trains(corpus: Path, tmp_path: Path, strategy: str) -> None:
    settings = Optimisation(max_steps=30, batch_size=16, learning_rate=3e-3)
    adapted = train_one(corpus, tmp_path / strategy, "transformer", strategy, optimisation=settings, datasets=DOMAIN)
    losses = [line["loss"] for line in log_of(adapted)]
    assert {line["type"] for line in log_of(adapted)} == {strategy}
    assert losses[-1] < losses[0]  # type: ignore[operator]
    assert weights(adapted) != weights(train_one(corpus, tmp_path / "untrained", "transformer", "untrained"))
    further = train_one(corpus, tmp_path / "further", "transformer", f"{strategy}+hybrid", further=adapted)
    assert weights(further) != weights(train_one(corpus, tmp_path / "hybrid", "transformer"))
    with pytest.raises(KoineError, match="context"):
        train_one(corpus, tmp_path / "static", "static", strategy)


# --- what is measured ------------------------------------------------------------------------------------------------


def test_the_cosine_of_both_gradients_can_be_watched_and_changes_nothing(corpus: Path, tmp_path: Path) -> None:
    plain = train_one(corpus, tmp_path / "plain")
    watched = train_one(corpus, tmp_path / "watched", gradient_cosine_every=4)
    assert weights(plain) == weights(watched)
    cosines = {line["step"]: line["cosine"] for line in log_of(watched) if "cosine" in line}
    assert set(cosines) == {0, 4, 8}
    # The first step's batches are PCGrad's first ones.
    assert cosines[0] == log_of(train_one(corpus, tmp_path / "pcgrad", strategy="pcgrad"))[0]["cosine"]


@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_padding_and_speed_are_noted(corpus: Path, tmp_path: Path, kind: str) -> None:
    model = train_one(corpus, tmp_path / "model", kind)
    for line in log_of(model):
        assert line["padding"] == 0 if kind == "static" else 0 <= float(str(line["padding"])) < 0.4
        assert int(str(line["tokens"])) > FEW.batch_size
    speed = [json.loads(line) for line in (model / "speed.jsonl").read_text().splitlines()]
    assert [line["step"] for line in speed] == [0, 10, 11]
    assert all(line["pairs_per_s"] > 0 and line["tokens_per_s"] > 0 and line["memory_gb"] > 0 for line in speed)


def test_curves_are_sent_to_tensorboard_when_asked(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert folder == f"runs/{tmp_path}/model"

        def add_scalar(self, curve: str, value: float, step: int) -> None:
            sent.append((curve, step))

    stub = types.ModuleType("torch.utils.tensorboard")
    stub.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stub)
    train_one(corpus, tmp_path / "model", strategy="x-y", track="tensorboard")
    assert {step for curve, step in sent if curve == "loss/cross"} == {0, 10, 11}
    assert {"lr", "gradient_norm", "pairs_per_s", "memory_gb"} <= {curve for curve, _ in sent}


def test_a_tracker_that_is_not_there_is_named_before_training(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(KoineError, match="pip install wandb"):
        train_one(corpus, tmp_path / "model", track="wandb")
    assert not (tmp_path / "model").exists()


def test_mined_negatives_of_another_corpus_are_refused(corpus: Path, tmp_path: Path) -> None:
    frame = MINED.frame({"id": ["q000"], "negative_ids": [["nowhere"]], "scores": [[0.5]]})
    MINED.write(frame, tmp_path / "mined.parquet")
    with pytest.raises(KoineError, match="not of the questions and passages"):
        TrainingSet.open(corpus / "static", "en", tmp_path / "mined.parquet")
