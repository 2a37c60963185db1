"""Parameters: one source of truth, so that files, schema, options and code can never tell different stories."""

import importlib
import json
import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jsonschema  # type: ignore[import-untyped]
import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from koine.collect import registry
from koine.command import command
from koine.commands import STEPS
from koine.params import (
    Backbone,
    Block,
    Optimisation,
    Params,
    Rules,
    Sample,
    Score,
    Tokenizer,
    flags,
    laid_over,
    parse,
)
from koine.params.__main__ import PARAMS_FILE, SCHEMA_FILE, render, schema
from koine.params.recipe import recipe_files
from koine.params.renamed import RENAMED
from koine.runtime.errors import KoineError

ROOT = Path(__file__).parents[1]


def blocks() -> list[type[Block]]:
    """Every kind of block, of the whole experiment downwards."""
    found: list[type[Block]] = []

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, Block) and kind not in found:
            found.append(kind)
            for field in kind.model_fields.values():
                visit(field.annotation)
        for inner in get_args(kind):
            visit(inner)

    visit(Params)
    return found


def taken() -> list[type[Block]]:
    """The blocks that commands take as options."""
    functions = [getattr(importlib.import_module(module), name) for name, module in STEPS.items()]
    kinds = [kind for function in functions for kind in get_type_hints(function).values()]
    return list(dict.fromkeys(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Block)))


# --- the generated files ---------------------------------------------------------------------------------


def test_the_generated_files_are_fresh() -> None:
    """After a change of a block run `python -m koine.params`."""
    assert (ROOT / PARAMS_FILE).read_text(encoding="utf-8") == render()
    assert (ROOT / SCHEMA_FILE).read_text(encoding="utf-8") == schema()


def test_params_yaml_says_just_the_defaults() -> None:
    assert parse(yaml.safe_load(render())) == parse({}) == Params()
    assert yaml.safe_load(render()) == Params().model_dump()


def test_the_schema_accepts_the_defaults_and_refuses_a_typo() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema()))
    assert validator.is_valid(yaml.safe_load(render()))
    assert not validator.is_valid({"trian": {}})
    assert not validator.is_valid({"filter": {"rules": {"language": 2}}})


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.__name__)
def test_every_parameter_is_explained_and_no_typo_passes(block: type[Block]) -> None:
    assert block.__doc__
    assert block.model_config["extra"] == "forbid"
    for name, field in block.model_fields.items():
        explained = field.description or (isinstance(field.annotation, type) and issubclass(field.annotation, Block))
        assert explained, f"{block.__name__}.{name} has no description"


def test_every_recipe_is_a_valid_experiment_of_its_own_name() -> None:
    base = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for path in recipe_files():
        recipe = parse(laid_over(base, yaml.safe_load((ROOT / path).read_text(encoding="utf-8")) or {}))
        for name in (*recipe.collect.sources, *recipe.translate.resources, *recipe.translate.reverse):
            registry.source(name, recipe)
        for name in recipe.evaluate.benchmarks:
            registry.benchmark(name, recipe)


# --- mistakes --------------------------------------------------------------------------------------------


def mistake(config: dict[str, Any]) -> str:
    with pytest.raises(KoineError) as error:
        parse(config)
    assert str(error.value).startswith("params.yaml, or the recipe laid over it: ")
    return str(error.value)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"trian": {}}, "trian: no such parameter; did you mean 'train'?"),
        ({"train": {"strategis": []}}, "train.strategis: no such parameter; did you mean 'strategies'?"),
        ({"filter": {"rules": {"langage": 1}}}, "filter.rules.langage: no such parameter; did you mean 'language'?"),
        (
            {"backbones": {"mine": {"kind": "static", "optimisation": {"stepps": 1}}}},
            "backbones.mine.optimisation.stepps: no such parameter; did you mean 'max_steps'?",
        ),
        (
            {"collect": {"registry": {"mine": {"path": "a", "reader": "jsonl", "files": {"en": {"nam": "b"}}}}}},
            "collect.registry.mine.files.en.nam: no such parameter; did you mean 'name'?",
        ),
        (
            {"evaluate": {"registry": {"mine": {"path": "a", "reader": "beir", "files": {}, "candidat": "passage"}}}},
            "evaluate.registry.mine.candidat: no such parameter; did you mean 'candidate'?",
        ),
        ({"encode": {"zzz": 1}}, "encode.zzz: no such parameter (known: dtype)"),
        ({"backbones": {}, "train": {"backbones": [{"static": 1}]}}, "train.backbones.0: Input should be a valid string"),
        ({"backbones": {}, "train": {"backbones": 5}}, "train.backbones: Input should be a valid list"),
        ({"train": {"strategies": ["hybird"]}}, "unknown strategy 'hybird'; did you mean 'hybrid'?"),
        ({"train": {"strategies": ["x-x-momo"]}}, "unknown strategy 'x-x-momo'; did you mean 'x-x-mono'?"),
        ({"train": {"strategies": ["hybrid@1.5"]}}, "unknown strategy 'hybrid@1.5'"),
        ({"train": {"strategies": ["hybrid-of-1"]}}, "unknown strategy 'hybrid-of-1'; did you mean 'hybrid'?"),
        ({"train": {"strategies": ["hybrid", "hybrid-of-11"]}}, "asks for more languages than the 10 that there are"),
        (
            {"train": {"backbones": ["xlmr"]}},
            "train.backbones: 'xlmr' is not in backbones, nor in the registry (static, tiny",
        ),
        ({"index": {"strategies": ["x-x"]}}, "index.strategies: 'x-x' is not in train.strategies"),
        ({"translate": {"languages": ["en", "fi"]}}, "translate.languages: 'en' is the source language"),
        ({"translate": {"languages": ["fi", "fi"]}}, "translate.languages: 'fi' stands twice"),
        ({"translate": {"languages": ["he", "iw"]}}, "translate.languages: 'he' and 'iw' are one language"),
        (
            {"translate": {"languages": ["eng", "fi"]}},
            "'en' is the source language; leave it out, by any name",
        ),
        ({"translate": {"languages": ["../../x"]}}, "'../../x' is no language tag"),
        ({"translate": {"languages": ["de;touch"]}}, "'de;touch' is no language tag"),
        ({"collect": {"sample": {"languages": ["en", "no", "nb"]}}}, "collect.sample.languages: 'no' and 'nb' are one language"),
        ({"evaluate": {"pools": ["en+fi+en"]}}, "evaluate.pools: en+fi+en: 'en' stands twice"),
        ({"evaluate": {"benchmarks": ["../../out"]}}, "evaluate.benchmarks.0: "),
        ({"collect": {"registry": {"x(1": {}}}}, "collect.registry.x(1"),
        ({"recipe": "raw"}, "'raw' is the name of a folder that all recipes share"),
        ({"recipe": "translation"}, "'translation' is the name of a folder that all recipes share"),
        ({"report": {"reference": "hybird"}}, "report.reference: 'hybird' is not in train.strategies; did you mean 'hybrid'?"),
        ({"train": {"strategies": ["x-x", "x-y"]}}, "report.reference: 'hybrid' is not in train.strategies (x-x, x-y)"),
        ({"train": {"strategies": ["x-x"]}, "report": {"reference": "nonsense"}}, "report.reference: 'nonsense'"),
        *(
            ({"backbones": {"static": {"kind": "static", "optimisation": {name: value}}}}, f"optimisation.{name}: ")
            for name, value in (
                ("learning_rate", 1e30),
                ("learning_rate", float("inf")),
                ("learning_rate", float("nan")),
                ("temperature", 1e-30),
                ("temperature", float("inf")),
                ("weight_decay", float("inf")),
                ("batch_size", 1),
                ("max_grad_norm", float("nan")),
            )
        ),
        (
            {"backbones": {"static": {"kind": "static", "architecture": {"hidden_size": 2_000_000_000}}}},
            "architecture.hidden_size: ",
        ),
        ({"translate": {"backends": {"sv": "memory"}}}, "translate.backends: 'sv' is not in translate.languages"),
        ({"translate": {"backends": {"fi": "transformers"}}}, "the backend transformers needs a model"),
        ({"filter": {"rules": {"language": 1.5}}}, "filter.rules.language: "),
        ({"recipe": "My recipe"}, "recipe: "),
        ({"collect": {"registry": {"a": {"path": "a", "url": "b", "reader": "jsonl", "files": {}}}}}, "exactly one of url"),
        ({"collect": {"registry": {"a": {"reader": "jsonl", "files": {}}}}}, "exactly one of url"),
    ],
)
def test_a_mistake_is_named_with_its_path_and_what_was_meant(config: dict[str, Any], expected: str) -> None:
    assert expected in mistake(config)


def test_a_scale_is_laid_over_its_recipe_and_named_with_it() -> None:
    recipe = {"recipe": "paper", "train": {"seeds": [1], "alpha": 0.4}, "scales": {"full": {"train": {"seeds": [1, 2]}}}}
    offline, full = parse(recipe), parse({**recipe, "scale": "full"})
    assert (offline.recipe, offline.train.seeds, offline.train.alpha) == ("paper", [1], 0.4)
    assert (full.recipe, full.train.seeds, full.train.alpha) == ("paper@full", [1, 2], 0.4)
    with pytest.raises(KoineError, match="'big' is not among the recipe's: full"):
        parse({**recipe, "scale": "big"})
    for wrong, message in (({}, "not among the recipe's: it has none"), ({"full": None}, "scales.full: expected parameters")):
        with pytest.raises(KoineError, match=message):
            parse({"scale": "full", "scales": wrong})
    assert "scales: " in mistake({"scale": "full", "scales": ["full"]})


def test_all_mistakes_are_told_at_once() -> None:
    message = mistake({"trian": {}, "train": {"alpha": 2}, "report": {"confidence": 1}})
    assert "3 mistake(s)" in message
    assert len(message.splitlines()) == 4


@pytest.mark.parametrize(
    "strategy", ["untrained", "en-en", "x-x", "x-x-mono", "x-y", "hybrid", "hybrid@0", "hybrid@0.3", "hybrid@1", "hybrid-of-2"]
)
def test_every_strategy_is_known(strategy: str) -> None:
    assert parse({"train": {"strategies": [strategy]}, "index": {"strategies": []}}).train.strategies == [strategy]


def test_parameters_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValidationError):
        Params().train.alpha = 0.1  # type: ignore[misc]


# --- options ---------------------------------------------------------------------------------------------


def from_options(kind: type[Block], options: str) -> Block:
    """What a command that takes such a block gets when these options are typed."""
    got: list[Block] = []

    def take(block: Block) -> None:
        got.append(block)

    take.__annotations__["block"] = kind
    app = typer.Typer()
    app.command()(command(take))
    typer.main.get_command(app).main(shlex.split(options), standalone_mode=False)
    return got[0]


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a parameter's type; which of them are in range is for the model to say."""
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if annotation is bool:
        return st.booleans()
    if annotation is int:
        return st.integers(0, 10**6)
    if annotation is str:
        return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
    if annotation == list[str]:
        return st.lists(values(str), min_size=1, max_size=3)
    numbers = st.floats(0, 1) | st.floats(1, 1e6)
    return st.none() | numbers if type(None) in get_args(annotation) else numbers


@st.composite
def any_block(draw: st.DrawFn) -> Block:
    kind = draw(st.sampled_from(taken()))

    def allowed(name: str, value: Any) -> bool:
        try:
            kind.model_validate({name: value})
        except ValidationError:
            return False
        return True

    fields = kind.model_fields.items()
    return kind(**{n: draw(values(f.annotation).filter(partial(allowed, n))) for n, f in fields})


def test_commands_take_blocks() -> None:
    assert {Sample, Score, Rules, Tokenizer, Optimisation} <= set(taken())


@pytest.mark.parametrize("kind", taken(), ids=lambda kind: kind.__name__)
def test_the_options_of_the_defaults_are_the_defaults(kind: type[Block]) -> None:
    assert from_options(kind, flags(kind())) == from_options(kind, "") == kind()


@given(block=any_block())
def test_options_say_what_the_block_says(block: Block) -> None:
    assert from_options(type(block), flags(block)) == block


@pytest.mark.parametrize(
    ("block", "options"),
    [
        (Rules(language=None, clean_source=False), "--language none --script 0.3"),
        (Tokenizer(query_prefix="Query: ", passage_prefix="it's"), "--query-prefix 'Query: ' --passage-prefix 'it'\"'\"'s'"),
        (Tokenizer(query_prefix="--learning-rate 5"), "--query-prefix '--learning-rate 5' --passage-prefix ''"),
        (Score(neighbours=["nb", "et"]), "--neighbours nb --neighbours et"),
        (Optimisation(partition_mode="per_direction", learning_rate=1e-5), "--learning-rate 1e-05"),
    ],
)
def test_options_are_quoted_for_the_shell(block: Block, options: str) -> None:
    assert options in flags(block)
    assert from_options(type(block), flags(block)) == block


def test_every_parameter_is_among_the_options_of_its_block() -> None:
    for kind in taken():
        words = {word.removeprefix("--").removeprefix("no-") for word in shlex.split(flags(kind())) if word.startswith("--")}
        scalar = {name for name, field in kind.model_fields.items() if getattr(kind(), name) not in ([], {})}
        assert words == {kind.prefix + name.replace("_", "-") for name in scalar}


@pytest.mark.parametrize("options", ["--language 2", "--length=-1", "--numbers 0.x%"])
def test_an_option_out_of_range_is_named(options: str) -> None:
    with pytest.raises(KoineError, match=rf"^{re.split('[ =]', options)[0]}: "):
        from_options(Rules, options)


def test_a_backbone_says_what_kind_it_is() -> None:
    with pytest.raises(ValidationError):
        Backbone()  # type: ignore[call-arg]
    assert "backbones.mine.kind" in mistake({"backbones": {"mine": {}}})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--no-in-batch-negatives", "explicit negatives alone"),
        ("--temperature 0.005 --learn-temperature", "at least 0.01"),
        ("--directions doc_to_query", "query_to_doc comes first"),
        ("--directions everything", "^--directions: "),
    ],
)
def test_options_that_do_not_go_together_are_a_message(options: str, message: str) -> None:
    with pytest.raises(KoineError, match=message):
        from_options(Optimisation, options)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"mining": {"model": "static/hybird"}}, "did you mean 'hybrid'"),
        ({"mining": {"model": "static/hybrid+lir"}}, "the miner is a trained model"),
        ({"mining": {"model": "static/mlm"}}, "static, which mlm cannot train"),
        ({"validation": {"share": 0.1, "languages": ["xx"]}}, "'xx' is not in the languages that are trained on"),
        ({"validation": {"eval_steps": 5}}, "no question is kept from training"),
        ({"datasets": {"domain": ["nowhere"]}}, "'nowhere' is not in collect.sources"),
        ({"strategies": ["daft"]}, "name its sources under datasets.domain"),
        ({"strategies": ["hybrid+lir+mlm"]}, "unknown strategy"),
        ({"strategies": ["lir"]}, "unknown strategy"),
        ({"strategies": ["untrained+hybrid"]}, "unknown strategy"),
        ({"seeds": [2**32]}, "less than"),
    ],
)
def test_what_training_cannot_do_is_said_before_it_starts(train: dict[str, object], message: str) -> None:
    with pytest.raises(KoineError, match=message):
        parse({"train": train})


def every_block() -> dict[str, type[Block]]:
    todo, found = [Block], {}
    while todo:
        found |= {one.__name__: one for one in todo[-1].__subclasses__()}
        todo = [*todo[:-1], *todo[-1].__subclasses__()]
    return found


def test_an_old_name_is_an_error_that_says_the_new_one() -> None:
    with pytest.raises(KoineError, match=r"backbones\.static\.optimisation\.lr: is called learning_rate now"):
        parse({"backbones": {"static": {"kind": "static", "optimisation": {"lr": 0.1}}}})
    for name, renamed in RENAMED.items():
        fields = every_block()[name].model_fields
        assert not fields.keys() & renamed.keys()
        for new in renamed.values():
            *block, own = new.split()[0].rstrip(",").split(".")  # with a dot: in another block
            assert own in (type(getattr(Params(), block[0])).model_fields if block else fields)
