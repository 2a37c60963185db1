"""Both engines, one truth: Snakemake and DVC agree on what is up to date, in a clone whose file times are scrambled.

One scratch repository runs two small recipes that share a data set through `dvc repro`, pushes to a folder and is
cloned; the tests look at the clone. Slow (minutes): `pytest -m workflow`.
"""

import itertools
import json
import logging
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import polars as pl
import pytest
import yaml
from moto.server import ThreadedMotoServer
from standins import save_marian, sentences

from koine.params import Block, Params, laid_over
from koine.runtime.files import sha256
from koine.workflow.experiment import Experiment

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]  # one worker makes the scratch repository

ROOT = Path(__file__).parents[1]
# Small enough for CI: two languages, one strategy, one seed, few steps. The shape of the DAG is the same.
SMALL = {
    "collect": {"sample": {"languages": ["en", "fi"]}},
    "translate": {"languages": ["fi"]},
    "backbones": {"static": {"optimisation": {"max_steps": 20, "batch_size": 64}, "architecture": {"hidden_size": 16}}},
    "train": {
        "strategies": ["hybrid", "hybrid+lir"],
        "seeds": [1],
        "validation": {"share": 0.1, "eval_steps": 5, "early_stopping_patience": 9},
    },
    "report": {"resamples": 50, "permutations": 100},
}
#: The smallest experiment.
LEAST = {"train": {"strategies": ["hybrid"]}}
#: A data set of the mirror, which both recipes read.
TOY = {
    "lang": "en",
    "licence": "CC0-1.0",
    "mirror": "local/toy/{name}",
    "files": {"en": {"name": "toy.jsonl"}},
    "reader": "jsonl",
}
SHARED = {"collect": {"sources": ["sample", "toy"], "registry": {"toy": TOY}}}
RECIPES = {"one": laid_over(SMALL, SHARED), "two": laid_over(laid_over(SMALL, LEAST), SHARED)}
STAGES = {name: f"recipes/dvc.yaml:{name}" for name in RECIPES}
RAW = "recipes/dvc.yaml:raw"
#: What stands in the environment and must stand in no file.
SECRET = "a-secret-of-the-environment"
ENV = {
    **os.environ,
    "DVC_NO_ANALYTICS": "1",
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "KOINE_MIRROR": "",
    "HF_TOKEN": SECRET,
    "AWS_SECRET_ACCESS_KEY": SECRET,
}


def run(folder: Path, *command: str, env: dict[str, str] | None = None) -> str:
    """Output of a command; its whole output is the message of a failure."""
    result = subprocess.run(command, cwd=folder, env=ENV | (env or {}), capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
    return result.stdout + result.stderr


def nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    return {path[0]: nested(path[1:], value) if len(path) > 1 else value}


def planned(
    folder: Path, overrides: dict[str, Any] | None = None, name: str = "none", recipe: str = "one", package: Path = ROOT
) -> dict[str, str]:
    """Rules that Snakemake would run, with the reasons of their jobs; `overrides` are laid over the recipe."""
    options = ["--configfile", f"recipes/{recipe}.yaml"]
    if overrides:
        changed = folder / f".override-{name}.yaml"
        changed.write_text(yaml.safe_dump(overrides), encoding="utf-8")
        options.append(str(changed))
    output = run(folder, "snakemake", "-n", "--nolock", *options, env={"PYTHONPATH": str(package / "src")})
    jobs = re.findall(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    reason: (.*)$", output, flags=re.MULTILINE)
    reasons: dict[str, str] = {}
    for rule, reason in jobs:
        if rule != "all":
            reasons[rule] = reasons.get(rule, "") + reason
    assert jobs or "Nothing to be done" in output, output
    return reasons


def leaves(block: Block, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, value) of every parameter."""
    for name, value in block:
        if isinstance(value, Block):
            yield from leaves(value, (*path, name))
        elif isinstance(value, dict):
            for key, entry in value.items():
                yield from leaves(entry, (*path, name, key))
        else:
            yield (*path, name), value


def checkout(folder: Path) -> Path:
    """A copy of what git tracks, as it is now, without results."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file() and not name.startswith("results/") and not name.endswith("dvc.lock"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def edit(path: Path, changes: dict[str, Any]) -> None:
    """Lay parameters over a recipe, or stages over dvc.yaml."""
    before = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(laid_over(before, changes), allow_unicode=True, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose two recipes and their data set went through `dvc repro`, committed and pushed."""
    base = tmp_path_factory.mktemp("origin")
    repository = checkout(base / "repository")
    questions = [{"question": f"What is item {n}?", "passage": f"Item {n} weighs {n * 7} grams."} for n in range(40)]
    (base / "mirror/local/toy").mkdir(parents=True)
    (base / "mirror/local/toy/toy.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in questions), encoding="utf-8")
    stages = yaml.safe_load((repository / "recipes/dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for path in (repository / "recipes").glob("*.yaml"):
        path.unlink()
    mine = {"raw": {**stages["raw-squad-dev-en-fi"], "outs": [{"data/raw/toy": {"persist": True}}]}}
    mine["raw"] |= {
        "cmd": "snakemake --cores all data/raw/toy/toy.jsonl --configfile recipes/one.yaml",
        "params": [{"recipes/one.yaml": ["collect.registry.toy"]}],
    }
    for name, recipe in RECIPES.items():
        (repository / f"recipes/{name}.yaml").write_text(yaml.safe_dump({"recipe": name, **recipe}), encoding="utf-8")
        mine[name] = {**stages["alpha"], "vars": [{"file": name, "name": name, "results": f"results/{name}", "options": ""}]}
    (repository / "recipes/dvc.yaml").write_text(yaml.safe_dump({"stages": mine}, sort_keys=False), encoding="utf-8")
    run(repository, "git", "init", "-q", "-b", "main")
    for key, value in (("user.name", "test"), ("user.email", "test@example.org")):
        run(repository, "git", "config", key, value)
    run(repository, "dvc", "remote", "add", "-d", "local", str(base / "remote"))
    run(repository, "dvc", "repro", "-q", "recipes/dvc.yaml", env={"KOINE_MIRROR": str(base / "mirror")})
    run(repository, "git", "add", "-A")
    run(repository, "git", "commit", "-q", "-m", "Two experiments")
    run(repository, "dvc", "push", "-q")
    return repository


@pytest.fixture(scope="module")
def clone(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone after `dvc pull` of both recipes, every file time set to a random moment."""
    folder = tmp_path_factory.mktemp("clone") / "repository"
    run(origin, "git", "clone", "-q", str(origin), str(folder))
    run(folder, "dvc", "pull", "-q", *STAGES.values())
    draw = random.Random(0)
    for path in folder.rglob("*"):
        if path.is_file() and ".git/" not in str(path):
            moment = draw.uniform(1.5e9, 1.7e9)
            os.utime(path, (moment, moment))
    return folder


def test_a_scrambled_clone_has_nothing_to_do_in_either_engine(clone: Path) -> None:
    """Nor does one recipe's run make the other forget; the data set, which nothing needs now, did not come along."""
    assert not (clone / "data/raw").exists()
    assert planned(clone) == planned(clone, recipe="two") == {}
    assert "up to date" in run(clone, "dvc", "status", *STAGES.values())
    assert run(clone / "recipes", "dvc", "repro", "-s", *RECIPES).count("didn't change, skipping") == 2


def test_a_table_names_the_data_and_models_that_it_was_made_of(origin: Path) -> None:
    for name in RECIPES:
        inputs = json.loads((origin / f"results/{name}/inputs.json").read_text(encoding="utf-8"))
        assert inputs["table"] == sha256(origin / f"results/{name}/table.csv")
        assert inputs["sources"]["toy"]["files"] == {"toy.jsonl": sha256(origin / "data/raw/toy/toy.jsonl")}
        assert inputs["sources"]["toy"]["licence"] == TOY["licence"]
        for file, digest in inputs["models"].items():
            assert digest == sha256(origin / file)
        assert {"train", "report"} < set(inputs["code"])


def test_a_data_set_comes_from_the_store_and_its_entry_alone_makes_it_stale(origin: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "-q", str(origin), "clone")
    clone = tmp_path / "clone"
    run(clone, "dvc", "pull", "-q", RAW)
    assert (clone / "data/raw/toy/toy.jsonl").read_bytes() == (origin / "data/raw/toy/toy.jsonl").read_bytes()
    edit(clone / "recipes/one.yaml", {"collect": {"registry": {"toy": {"files": {"en": {"sha256": "0" * 64}}}}}})
    assert "recipes/one.yaml" in run(clone, "dvc", "status", RAW)
    output = run(clone, "snakemake", "-n", "data/raw/toy/toy.jsonl", "--configfile", "recipes/one.yaml")
    assert "Params have changed" in output


def test_without_the_store_it_is_said_which_versions_are_missing(origin: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "-q", str(origin), "clone")
    clone = tmp_path / "clone"
    run(clone, "dvc", "remote", "add", "-f", "-d", "local", str(tmp_path / "empty"))
    said = run(clone, "dvc", "status", "-c")
    for out in yaml.safe_load((clone / "recipes/dvc.lock").read_text(encoding="utf-8"))["stages"]["two"]["outs"]:
        if out["path"].startswith(("data", "models")):
            assert out["md5"] in said
    assert re.search("missing: +results/two/pairs.csv", said)
    assert re.search("not in cache: +data/two", run(clone, "dvc", "status", STAGES["two"]))


def test_no_secret_of_the_environment_is_written(origin: Path) -> None:
    """Into data, logs, model cards, the engines' own records: nowhere below the repository and its store."""
    files = [path for path in origin.parent.rglob("*") if path.is_file()]
    assert any("logs" in path.parts for path in files) and any(path.name == "koine.json" for path in files)
    assert not [path for path in files if SECRET.encode() in path.read_bytes() and path.name != "test_workflow.py"]


def test_a_clone_without_the_store_makes_its_committed_tables_again(origin: Path, tmp_path: Path) -> None:
    run(tmp_path, "git", "clone", "-q", str(origin), "bare")
    assert (tmp_path / "bare" / "results/one/table.csv").is_file()
    output = run(tmp_path / "bare", "snakemake", "-n", "results/one/table.csv", "--configfile", "recipes/one.yaml")
    made = set(re.findall(r"^(?:local)?rule (\w+):$", output, flags=re.MULTILINE))
    assert made == set(FEEDS) - {"report_cards"}  # which come after the table


def test_execution_settings_rerun_nothing_in_either_engine(clone: Path) -> None:
    other = {"execution": {"workers": 2, "translate_threads": 2, "translate_batch_tokens": 7, "checkpoint_minutes": 1}}
    assert planned(clone, other, "execution") == {}
    params = clone / "params.yaml"
    before = params.read_text(encoding="utf-8")
    try:
        edit(params, other)
        assert "up to date" in run(clone, "dvc", "status", *STAGES.values())
    finally:
        params.write_text(before, encoding="utf-8")


# The rule that reads a parameter first; the longest matching path counts.
READERS = {
    ("recipe",): "",  # another recipe is another folder: everything is made there
    ("collect", "sample"): "collect_sample",
    ("collect", "clean"): "collect",
    ("translate", "shards"): "translate",
    ("translate", "decoding"): None,  # a memory needs no model
    ("filter", "score"): "filter_score",
    ("filter", "rules"): "filter",
    ("backbones", "static"): "train_tokens",
    ("backbones", "static", "start"): None,  # of pretrained backbones
    ("backbones", "static", "architecture"): "train",
    ("backbones", "static", "optimisation"): "train",
    ("backbones", "tiny"): None,  # not trained in this experiment
    ("train",): "train",
    ("train", "mining"): None,  # no backbone takes negatives
    ("encode",): "encode",  # and `encode_debias`, which follows it
    ("index",): "index",
    ("report",): "report",
    ("compute",): "train",
    ("compute", "encode_batch_size"): "encode",
}
# Which rules read a rule's output.
FEEDS = {
    "collect_download": ["collect_source"],
    "collect_sample": ["collect_source", "collect_benchmark", "translate", "filter"],
    "collect_source": ["collect"],
    "collect_benchmark": ["collect", "filter_score", "encode_tokens", "encode", "index", "evaluate_vectors", "evaluate_bm25"],
    "collect": ["translate", "filter_score", "train_tokens", "report"],
    "translate": ["filter_score"],
    "filter_score": ["filter"],
    "filter": ["train_tokens", "report"],
    "train_tokens": ["train", "encode_tokens"],
    "encode_tokens": ["encode"],
    "train": ["encode", "report", "report_cards"],
    "encode": ["encode_debias", "index", "evaluate_vectors"],
    "encode_debias": ["evaluate_vectors"],
    "index": ["report"],
    "evaluate_vectors": ["report"],
    "evaluate_bm25": ["report"],
    "report": ["report_cards"],
    "report_cards": [],
}


def and_what_follows(rule: str) -> set[str]:
    """A rule and all rules that depend on it."""
    return {rule}.union(*(and_what_follows(reader) for reader in FEEDS[rule]))


# Parameters that choose what is made: files appear or disappear, instead of being made again.
CHOOSING = {
    ("scale",),
    ("scales",),
    ("collect", "sources"),
    ("collect", "registry"),
    ("collect", "sample", "languages"),
    ("collect", "heldout", "questions"),
    ("collect", "heldout", "sources"),
    ("translate", "source"),
    ("translate", "languages"),
    ("translate", "backend"),
    ("translate", "backends"),
    ("translate", "resources"),
    ("translate", "reverse"),
    ("translate", "round_trip"),
    ("backbones", "static", "start", "model"),
    ("backbones", "static", "optimisation", "gradient_checkpointing"),  # of transformers
    ("backbones", "static", "optimisation", "torch_compile"),
    ("backbones", "tiny", "start", "model"),
    ("train", "backbones"),
    ("train", "strategies"),
    ("train", "seeds"),
    ("train", "datasets", "domain"),
    ("train", "validation", "sources"),
    ("index", "kind"),
    ("index", "strategies"),
    ("evaluate", "benchmarks"),
    ("evaluate", "registry"),
    ("evaluate", "candidates"),
    ("evaluate", "pools"),
    ("evaluate", "probes"),
    ("evaluate", "bm25"),
}


def other_value(path: tuple[str, ...], value: Any) -> Any:
    """A valid value that differs."""
    special = {
        "recipe": "other",
        "kind": "transformer",
        "dtype": "float16",
        "device": "cpu",
        "neighbours": ["sv"],
        "languages": ["en", "fi"],
        "query_prefix": "Q: ",
        "passage_prefix": "P: ",
        "model": "org/model",
        "revision": "main",
        "compute_type": "float32",
        "pooling": "mean",
        "pair_per": "batch",
        "encoder": "org/encoder",
        "encoder_revision": "main",
        "partition_mode": "per_direction",
        "reference": "hybrid+lir",
        "external": "scores.jsonl",
        "directions": ["query_to_doc", "doc_to_doc"],
        "metrics": ["map"],
        "home_benchmark": "sample",
    }
    if path[-1] in special and value is not None:  # a rule that is off, such as `external`, gets a number below
        return special[path[-1]]
    if value is None:
        return 0.5
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value / 2 + 0.01 if value <= 1 else value + 1


# What a parameter is changed together with, to be valid.
TOGETHER = {("backbones", name, "optimisation", "in_batch_negatives"): {"num_negatives": 1} for name in ("static", "tiny")}


def reader_of(path: tuple[str, ...]) -> str | None:
    return READERS[max((key for key in READERS if path[: len(key)] == key), key=len)]


def result_parameters() -> list[tuple[tuple[str, ...], Any]]:
    small = laid_over(Params().model_dump(), SMALL)
    return [(p, v) for p, v in leaves(Params.model_validate(small)) if p[0] != "execution" and p not in CHOOSING]


def with_another(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The layer of a recipe that changes one parameter."""
    changed = nested(path, other_value(path, value))
    return laid_over(changed, nested(path[:-1], TOGETHER[path])) if path in TOGETHER else changed


def test_each_result_parameter_stands_in_the_flags_of_its_rule_and_of_none_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Snakemake, which reruns what has other flags: the next test asks it for one parameter of each rule."""
    monkeypatch.chdir(tmp_path)
    small = laid_over(Params().model_dump(), SMALL)

    def compared(layer: dict[str, Any]) -> dict[str, Any]:
        experiment = Experiment(laid_over(small, layer))
        found = {rule: jobs for rule, jobs in vars(experiment.jobs).items() if rule in FEEDS}
        return {**found, "train": (found["train"], experiment.launch)}

    before = compared({})
    for path, value in result_parameters():
        if reader := reader_of(path):
            after = compared(with_another(path, value))
            found = {rule for rule in before if before[rule] != after[rule]}
            assert reader in found, path
            assert found <= and_what_follows(reader), (path, found)


def test_a_result_parameter_of_each_rule_reruns_it_and_what_follows_in_both_engines(clone: Path) -> None:
    first: dict[str | None, tuple[tuple[str, ...], Any]] = {}
    for path, value in result_parameters():
        first.setdefault(reader_of(path), (path, value))
    assert set(first) == set(READERS.values())

    def look(item: tuple[tuple[str, ...], Any]) -> tuple[tuple[str, ...], dict[str, str]]:
        path, value = item
        return path, planned(clone, with_another(path, value), "-".join(path))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, reasons in pool.map(look, first.values()):
            reader = reader_of(path)
            if reader is None:
                assert reasons == {}, path
            elif reader == "":
                assert set(reasons) >= {"train", "report"}, path
            else:
                assert set(reasons) == and_what_follows(reader), (path, reasons)
                assert "Params have changed" in reasons[reader], (path, reasons)
    # DVC watches the recipe, and whole blocks of params.yaml: test_versions has them all.
    for file in ("params.yaml", "recipes/one.yaml"):
        before = (clone / file).read_text(encoding="utf-8")
        edit(clone / file, {"report": {"resamples": 60}})
        assert file in run(clone, "dvc", "status", STAGES["one"])
        (clone / file).write_text(before, encoding="utf-8")


def test_a_comment_reruns_nothing_and_a_statement_its_step_and_what_follows(clone: Path) -> None:
    """In the clone's own package; of each module and rule, test_code has it."""
    module = clone / "src/koine/index/build.py"
    before = module.read_text(encoding="utf-8")
    statement = "    made = read_made(vectors)\n"
    assert statement in before
    try:
        module.write_text(before + "\n# A comment.\n", encoding="utf-8")
        assert planned(clone, package=clone) == {}
        module.write_text(before.replace(statement, statement + "    assert made\n"), encoding="utf-8")
        reasons = planned(clone, package=clone)
        assert "Params have changed" in reasons["index"]
        assert set(reasons) == and_what_follows("index")
    finally:
        module.write_text(before, encoding="utf-8")


@pytest.fixture
def s3() -> Iterator[dict[str, str]]:
    """Environment of an S3 API on loopback that has a bucket `koine`."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it notes every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    account = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1"}
    yield {**account, "ENDPOINT": f"http://{host}:{port}"}
    server.stop()


def test_a_changed_recipe_reruns_for_real_and_its_older_version_comes_back_from_s3(
    origin: Path, tmp_path: Path, s3: dict[str, str]
) -> None:
    """DVC makes what Snakemake makes from scratch; of two versions in an object store, a colleague takes the first one back."""
    session = boto3.session.Session(s3["AWS_ACCESS_KEY_ID"], s3["AWS_SECRET_ACCESS_KEY"], region_name=s3["AWS_DEFAULT_REGION"])
    session.client("s3", endpoint_url=s3["ENDPOINT"]).create_bucket(Bucket="koine")
    mine, theirs, scratch = tmp_path / "mine", tmp_path / "theirs", tmp_path / "scratch"
    shutil.copytree(origin, mine, symlinks=True)
    run(mine, "dvc", "remote", "add", "-f", "-d", "store", "s3://koine/store")
    run(mine, "dvc", "remote", "modify", "store", "endpointurl", s3["ENDPOINT"])
    run(mine, "dvc", "push", "-q", env=s3)
    run(mine, "git", "commit", "-q", "-am", "A store")
    run(mine, "git", "tag", "old")
    changes = ["+filter.rules.round_trip_chrf=0.5", "backbones.static.optimisation.max_steps=30"]
    options = [word for change in changes for word in ("-S", f"recipes/two.yaml:{change}")]
    output = run(mine, "dvc", "exp", "run", STAGES["two"], *options)
    ran = set(re.findall(r"^(?:local)?rule (\w+):$", output, flags=re.MULTILINE)) - {"all"}
    assert ran == and_what_follows("filter") - {"encode_debias"}  # which this recipe lacks
    assert planned(mine) == {}  # the other one
    run(mine, "git", "commit", "-q", "-am", "Other parameters")
    run(mine, "dvc", "push", "-q", STAGES["two"], env=s3)

    run(tmp_path, "git", "clone", "-q", str(mine), str(scratch))
    shutil.rmtree(scratch / "results")
    mirror = {"KOINE_MIRROR": str(origin.parent / "mirror")}
    run(scratch, "snakemake", "--cores", "all", "--configfile", "recipes/two.yaml", env=mirror)
    for name in ("table.csv", "pairs.csv", "report.html", "inputs.json", "../../data/two/provenance.jsonl"):
        assert (scratch / "results/two" / name).read_bytes() == (mine / "results/two" / name).read_bytes(), name

    run(tmp_path, "git", "clone", "-q", str(mine), str(theirs))
    run(theirs, "dvc", "pull", "-q", STAGES["two"], RAW, env=s3)
    weights, raw = "models/two/static/hybrid/seed-1/model.safetensors", "data/raw/toy/toy.jsonl"
    new = (theirs / weights).read_bytes()
    assert new == (mine / weights).read_bytes() and planned(theirs, recipe="two") == {}
    assert (theirs / raw).read_bytes() == (origin / raw).read_bytes()
    run(theirs, "git", "checkout", "-q", "old")
    run(theirs, "dvc", "pull", "-q", STAGES["two"], env=s3)
    assert new != (theirs / weights).read_bytes() == (origin / weights).read_bytes()
    assert planned(theirs, recipe="two") == {}
    (theirs / "results/two/table.csv").unlink()
    run(theirs, "snakemake", "--cores", "all", "--configfile", "recipes/two.yaml")
    assert (theirs / "results/two/table.csv").read_bytes() == (origin / "results/two/table.csv").read_bytes()

    results = "results/two"  # the sample was not made here
    changed = json.loads(run(mine, "dvc", "metrics", "diff", "old", "--json", "--targets", f"{results}/metrics.json"))
    moved = {name: row["diff"] for name, row in changed[f"{results}/metrics.json"].items() if row["diff"]}
    assert "sample.static.hybrid.multi.map" in moved
    shown = run(mine, "dvc", "exp", "show", "--csv", "--rev", "HEAD", "-n", "2")
    assert "recipes/two.yaml:backbones.static.optimisation.max_steps" in shown.splitlines()[0]
    shown = run(mine, "dvc", "plots", "diff", "old", "--json", "--targets", f"{results}/table.csv")
    assert "errors" not in json.loads(shown) and f"{results}/table.csv" in shown


@pytest.mark.slow
def test_squad_runs_from_raw_file_to_table_with_opus_mt_of_its_own(tmp_path: Path) -> None:
    """The neural path of recipes/squad.yaml: converts, translates, translates back, scores, trains on what came out."""
    hub = tmp_path / "hub" / "Helsinki-NLP"
    save_marian(hub / "opus-mt-en-fi", "en", "fi")
    save_marian(hub / "opus-mt-fi-en", "fi", "en")
    repository = checkout(tmp_path / "repository")
    finnish = dict(zip(sentences("en"), sentences("fi"), strict=True))
    pairs = [{"question": one, "passage": other} for one, other in itertools.product(finnish, list(finnish)[::9])]
    (repository / "toy.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    source = {"lang": "en", "licence": "ours", "path": "{name}", "files": {"en": {"name": "toy.jsonl"}}, "reader": "jsonl"}
    toy = {
        "collect": {"sources": ["toy"], "registry": {"toy": source}, "clean": {"near_duplicate": 1.0}},
        # The toy's Finnish has no grammar and no case, and four words are too few to judge.
        "filter": {"rules": {"language": None, "alignment": None, "length": None}},
        "translate": {"decoding": {"compute_type": "float32"}, "shards": 2},
        "backbones": {"static": {"tokenizer": {"vocab_size": 300}, "optimisation": {"max_steps": 5, "batch_size": 16}}},
        "train": {"strategies": ["hybrid"], "seeds": [1]},
        "evaluate": {"benchmarks": ["sample"]},
        "report": {"resamples": 50},
    }
    (repository / "toy.yaml").write_text(yaml.safe_dump(toy), encoding="utf-8")
    command = ["snakemake", "--cores", "2", "--configfile", "recipes/squad.yaml", "toy.yaml"]
    run(repository, *command, env={"KOINE_MODELS": str(tmp_path / "hub")})
    kept = pl.read_parquet(repository / "data/squad/filter/fi.parquet")
    assert set(kept.select("question", "passage").rows()) == {(finnish[p["question"]], finnish[p["passage"]]) for p in pairs}
    scores = pl.read_parquet(repository / "data/squad/filter/fi.scores.parquet")
    assert scores["passage_round_trip_chrf"].min() == 1
    assert "squad,static,hybrid" in (repository / "results/squad/table.csv").read_text(encoding="utf-8")
