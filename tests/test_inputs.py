"""What a parameter names outside of the recipe is an input of the rules that read it: its content, or its revision, counts."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest

from koine.params import Block, Names, Params, laid_over
from koine.params.recipe import load_recipe
from koine.workflow.experiment import Experiment

ROOT = Path(__file__).parents[1]

BEIR = {"corpus.jsonl": '{"_id": "p", "text": "A passage."}\n', "queries.jsonl": '{"_id": "q", "text": "A question?"}\n'}
MODEL = {"config.json": "{}", "model.safetensors": "weights"}


def of_model(base: dict[str, Any]) -> dict[str, Any]:
    """A backbone that starts from a model."""
    return {"backbones": {"start": {"kind": "pretrained", "start": base}}, "train": {"backbones": ["start"]}}


#: By parameter: how a recipe names something with it, the file that is then edited, and the rules that read it.
NAMED: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "Source.path": (
        {
            "collect": {
                "sources": ["mine"],
                "registry": {"mine": {"path": "own/{name}", "files": {"en": {"name": "qa.jsonl"}}, "reader": "jsonl"}},
            },
        },
        "own/qa.jsonl",
        {"collect_source"},
    ),
    "Benchmark.path": (
        {
            "evaluate": {
                "benchmarks": ["sample", "test"],
                "registry": {"test": {"path": "own/{name}", "files": {"en": {"name": "beir"}}, "reader": "beir"}},
            },
        },
        "own/beir/corpus.jsonl",
        {"collect_benchmark"},
    ),
    "Probe.path": ({"evaluate": {"probes": ["xnli"]}}, "own/xnli/xnli.test.tsv", {"evaluate_probe"}),
    "Evaluate.domains": ({"evaluate": {"domains": {"sample": "own/labels.csv"}}}, "own/labels.csv", {"collect_domains"}),
    "Decoding.model": (
        {
            "translate": {
                "backends": {"fi": "ctranslate2", "de": "transformers"},
                "decoding": {"model": "own/{source}-{target}"},
            },
        },
        "own/en-fi/model.safetensors",
        {"translate", "translate_convert"},
    ),
    "Scores.external": ({"filter": {"score": {"external": "own/{lang}.jsonl"}}}, "own/fi.jsonl", {"filter_score"}),
    "Scores.encoder": ({"filter": {"score": {"encoder": "own/encoder"}}}, "own/encoder/model.safetensors", {"filter_score"}),
    "Start.model": (of_model({"model": "own/encoder"}), "own/encoder/model.safetensors", {"train", "train_tokens"}),
    "Mining.model": ({"train": {"mining": {"model": "own/encoder"}}}, "own/encoder/model.safetensors", {"train_mine"}),
}

#: By parameter: the same with an id of the Hub, at a revision.
AT_REVISION: dict[str, tuple[dict[str, Any], tuple[str, ...], set[str]]] = {
    "Decoding.model": (
        {"translate": {"backends": {"fi": "transformers"}, "decoding": {"model": "org/{source}-{target}"}}},
        ("translate", "decoding", "revision"),
        {"translate"},
    ),
    "Scores.encoder": ({"filter": {"score": {"encoder": "org/e"}}}, ("filter", "score", "encoder_revision"), {"filter_score"}),
    "Start.model": (of_model({"model": "org/e"}), ("backbones", "start", "start", "revision"), {"train", "train_tokens"}),
    "Mining.model": ({"train": {"mining": {"model": "org/e"}}}, ("train", "mining", "revision"), {"train_mine"}),
}


def named() -> dict[str, str]:
    """Every parameter that names something outside of the recipe, as `Block.field`, and what it names."""
    found: dict[str, str] = {}
    seen: set[type[Block]] = set()

    def mark(annotation: Any) -> str:
        if get_origin(annotation) is Annotated:
            marks = [about.what for about in get_args(annotation)[1:] if isinstance(about, Names)]
            return marks[0] if marks else mark(get_args(annotation)[0])
        return next(filter(None, map(mark, get_args(annotation))), "")

    def visit(kind: Any) -> None:
        if isinstance(kind, type) and issubclass(kind, Block) and kind not in seen:
            seen.add(kind)
            for name, field in kind.model_fields.items():
                if what := mark(field.rebuild_annotation()):
                    found[f"{kind.__name__}.{name}"] = what
                visit(field.annotation)
        for inner in get_args(kind):
            visit(inner)

    visit(Params)
    from koine.params import Probe  # of the registry alone

    visit(Probe)
    return found


def test_every_parameter_that_names_a_path_or_a_model_is_tested_here() -> None:
    assert named().keys() == NAMED.keys()
    assert {name for name, what in named().items() if what == "model"} == AT_REVISION.keys()


@pytest.mark.parametrize("block", [kind for kind in Block.__subclasses__()], ids=lambda kind: kind.__name__)  # noqa: C416
def test_what_says_that_it_is_a_file_is_marked_as_one(block: type[Block]) -> None:
    """A new parameter that names a file or a model is no plain text."""
    for name, field in block.model_fields.items():
        says = (field.description or "").lower()
        if any(words in says for words in ("folder or hub id", "hub id or folder", "own scores", "your own file:")):
            assert f"{block.__name__}.{name}" in {*named()} | {"Score.encoder", "Score.external"}, name


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with own files of every kind."""
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    files = {
        "qa.jsonl": '{"question": "q", "passage": "p"}\n',
        "labels.csv": "query_id,domain\n",
        **{f"{lang}.jsonl": '{"id": "sample/0", "score": 0.9}\n' for lang in Params().translate.languages},
        **{f"beir/{name}": text for name, text in BEIR.items()},
        "beir/qrels/test.tsv": "query-id\tcorpus-id\tscore\nq\tp\t1\n",
        **{f"xnli/{name}": "x\n" for name in ("multinli.train.en.tsv", "xnli.test.tsv")},
        **{f"{model}/{name}": text for model in ("encoder", "en-fi", "en-de") for name, text in MODEL.items()},
    }
    for name, text in files.items():
        path = Path("own", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (10**9, 10**9))
    return tmp_path


def jobs(recipe: dict[str, Any]) -> dict[str, Any]:
    """What Snakemake compares of every rule's jobs, by rule."""
    experiment = Experiment(laid_over(load_recipe(Path("params.yaml")), {"recipe": "mine", **recipe}))
    found = {rule: jobs for rule, jobs in vars(experiment.jobs).items() if not rule.startswith("_")}
    return {**found, "evaluate_probe": [found["evaluate_probe"], experiment.probes]}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {rule for rule in before if before[rule] != after[rule]}


def leaves(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for value in found.values():
            yield from leaves(value)
    elif isinstance(found, list):
        for value in found:
            yield from leaves(value)
    else:
        yield str(found)


@pytest.mark.parametrize("parameter", NAMED)
def test_what_a_parameter_names_is_an_input_and_counts_by_content(checkout: Path, parameter: str) -> None:
    recipe, edited, readers = NAMED[parameter]
    path = Path(edited)
    before = jobs(recipe)
    for rule in readers:
        assert edited in {*leaves(before[rule])}, rule
    os.utime(path)  # touched alone
    assert changed(before, jobs(recipe)) == set()
    text = path.read_bytes()
    path.write_bytes(text[:-1] + b"#")  # of the same size, and older than whatever was made of it
    os.utime(path, (10**8, 10**8))
    assert changed(before, jobs(recipe)) == readers
    path.write_bytes(text)
    assert changed(before, jobs(recipe)) == set()


@pytest.mark.parametrize("parameter", AT_REVISION)
def test_a_model_of_the_hub_counts_by_its_revision(checkout: Path, parameter: str) -> None:
    recipe, place, readers = AT_REVISION[parameter]
    pinned: dict[str, Any] = {place[-1]: "abc"}
    for key in reversed(place[:-1]):
        pinned = {key: pinned}
    assert changed(jobs(recipe), jobs(laid_over(recipe, pinned))) == readers
