"""The registries of strategies and of kinds of backbones: every entry is whole, and a new one is known everywhere."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from toy import log_of, train_one

from koine import backbones
from koine.backbones.base import TrainableEncoder
from koine.backbones.kinds import KINDS, Kind
from koine.backbones.manifest import kind_of
from koine.backbones.static import StaticEncoder
from koine.backbones.transformer import TransformerEncoder
from koine.cli import load
from koine.names import target
from koine.params import Backbone, Params, parse
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, write_json
from koine.strategies import CROSS, PAIRS, STRATEGIES, Chain, Strategy
from koine.train.surgery import Surgery
from koine.workflow.experiment import Experiment

# --- strategies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_an_entry_of_a_strategy_is_whole(name: str) -> None:
    strategy = STRATEGIES[name]
    assert strategy.words and len(strategy.colour) == 2
    assert strategy.trains == (strategy.languages != "none")
    assert not (strategy.weighted or strategy.gradients) or len(strategy.batches) == 2
    if strategy.trains:
        assert callable(target(strategy.objective))
    if strategy.gradients:
        assert isinstance(target(strategy.gradients)(), Surgery)
    assert (strategy.objective == PAIRS) == bool(strategy.batches)
    assert Chain.parse(name).last.strategy is strategy


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hybird", "did you mean 'hybrid'"),
        ("x-y@0.3", "did you mean 'x-y'"),
        ("mlm+hybird", "did you mean 'hybrid'"),
        ("untrained+hybrid", "'untrained' trains nothing, so it is no part of a chain"),
    ],
)
def test_an_unknown_strategy_is_answered_with_the_nearest(name: str, message: str, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        Chain.parse(name)
    with pytest.raises(KoineError, match=f"--strategy: .*{message}"):
        train_one(corpus, tmp_path / "model", strategy=name)


def test_a_strategy_that_recombines_what_there_is_is_one_entry(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Strategy(
        words="cross-lingual batches, half as many", colour=("#000", "#fff"), objective=PAIRS, batches=(CROSS,), steps=0.5
    )
    monkeypatch.setitem(STRATEGIES, "x-y-half", new)
    monkeypatch.setattr("koine.code.digest", lambda rule, entries=(): rule)  # the entry stands in no file
    log = log_of(train_one(corpus, tmp_path / "model", strategy="x-y-half"))
    assert {line["type"] for line in log} == {"cross"}
    assert log[-1]["step"] == 5
    monkeypatch.setattr("koine.code.Digests.digest", lambda self, rule, entries=(): rule)  # the entry stands in no file
    given = Params().model_dump() | {"train": {"strategies": ["x-y-half", "hybrid"]}}
    experiment = Experiment(parse(given).model_dump())
    assert "static/x-y-half/seed-1" in experiment.models.runs
    flags = experiment.jobs.train["static"]["x-y-half"]["1"]["flags"]
    assert "--pair-per" in flags and "--alpha" not in flags
    with pytest.raises(KoineError, match="did you mean 'x-y-half'"):
        parse({"train": {"strategies": ["x-y-halff"]}})


def test_each_training_gets_the_flags_and_files_that_its_objective_reads() -> None:
    given: dict[str, Any] = Params().model_dump()
    strategies = ["untrained", "hybrid", "pcgrad", "mlm"]
    given["train"] |= {"backbones": ["tiny"], "strategies": strategies, "gradient_cosine_every": 5}
    given["train"]["mining"]["model"] = "org/miner"
    given["backbones"] = {
        "tiny": {"kind": "transformer", "architecture": {"num_hidden_layers": 1, "num_attention_heads": 2},
                 "optimisation": {"num_negatives": 2}},
    }  # fmt: skip
    jobs = {name: seeds["1"] for name, seeds in Experiment(given).jobs.train["tiny"].items()}
    assert {name for name, job in jobs.items() if any("mined" in file for file in job["files"])} == {"hybrid", "pcgrad"}
    assert {name for name, job in jobs.items() if "--gradient-cosine-every" in job["flags"]} == {"hybrid"}
    assert {name for name, job in jobs.items() if "--datasets-" in job["flags"] or "--validation-" in job["flags"]} == {
        "hybrid", "pcgrad", "mlm"
    }  # fmt: skip


# --- kinds of backbones ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_an_entry_of_a_kind_says_what_its_class_is(name: str) -> None:
    kind, encoder = KINDS[name], target(KINDS[name].encoder)
    assert kind.words
    assert issubclass(encoder, TrainableEncoder) == kind.is_trained
    if kind.is_trained:
        assert encoder.kind == name
        assert (encoder.language_model is not TrainableEncoder.language_model) == kind.reads_context


def test_an_unknown_kind_is_an_error_with_the_nearest_everywhere(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(KoineError, match=r"backbones\.mine\.kind: unknown kind of backbone 'statc'; did you mean 'static'"):
        parse({"backbones": {"mine": {"kind": "statc"}}})
    with pytest.raises(KoineError, match="--kind: unknown kind of backbone 'transformers'; did you mean 'transformer'"):
        load("encode-tokens").main(
            ["--tokenizer", "t", "--benchmark", "b", "--out", "o", "--kind", "transformers"], standalone_mode=False
        )
    for loaded in ("onnx", "frozen"):  # opened, never trained
        with pytest.raises(KoineError, match=r"known: static, transformer, pretrained"):
            parse({"backbones": {"mine": {"kind": loaded}}})
    model = train_one(corpus, tmp_path / "model", strategy="untrained")
    for wrong, message in (({"kind": "statik"}, "'statik'; did you mean 'static'"), ({}, "'None'"), ([], "'None'")):
        write_json(model / "koine.json", wrong)
        with pytest.raises(KoineError, match=f"koine.json: unknown kind of backbone {message}"):
            backbones.load(str(model))


def test_a_new_kind_is_one_entry_and_one_module(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubled(StaticEncoder):
        """Trained as static, with special tokens."""

        kind = "doubled"

    module: Any = types.ModuleType("koine.backbones.doubled")
    module.Doubled = Doubled
    monkeypatch.setitem(sys.modules, "koine.backbones.doubled", module)
    entry = Kind(words="twice", encoder="koine.backbones.doubled:Doubled", reads_context=False, rates="static")
    monkeypatch.setitem(KINDS, "doubled", entry)
    monkeypatch.setattr("koine.code.digest", lambda rule, entries=(): rule)  # the entry stands in no file
    # Special tokens frame the texts of `transformer`'s token files, too.
    model = train_one(corpus, tmp_path / "model", "doubled", tokens=corpus / "transformer")
    assert kind_of(model) == "doubled"
    assert isinstance(backbones.load(str(model)), Doubled)
    assert Backbone(kind="doubled").kind == "doubled"
    monkeypatch.setattr("koine.code.Digests.digest", lambda self, rule, entries=(): rule)  # the entry stands in no file
    experiment = Experiment(Params().model_dump() | {"backbones": {"static": {"kind": "doubled"}}})
    assert experiment.jobs.train_tokens["static"]["flags"].startswith("--kind doubled ")


def test_a_model_is_opened_as_the_kind_that_made_it(corpus: Path, tmp_path: Path) -> None:
    for kind, encoder in (("static", StaticEncoder), ("transformer", TransformerEncoder)):
        model = train_one(corpus, tmp_path / kind, kind, "untrained")
        assert type(backbones.load(str(model))) is encoder
    assert kind_of("org/name") == "frozen"
    assert sha256(tmp_path / "static/tokenizer.json") == sha256(corpus / "static/tokenizer.json")
