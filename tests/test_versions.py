"""DVC has a stage for each experiment with results and for each data set that they read, and the stages store it all."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from koine.params import Params, load_recipe
from koine.workflow.experiment import Experiment

ROOT = Path(__file__).parents[1]
BESIDE: dict[str, Any] = yaml.safe_load((ROOT / "recipes/dvc.yaml").read_text(encoding="utf-8"))["stages"]
#: Names of the stages, by that of the experiment.
EXPERIMENTS = {"sample": "sample", **{stage["vars"][0]["name"]: name for name, stage in BESIDE.items() if "vars" in stage}}
BLOCKS = set(Params.model_fields) - {"execution", "scale", "scales"}
RESULTS = re.findall(r"<results>/([\w.]+)", (ROOT / "workflow/rules/report.smk").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    """The stages of both files as DVC reads them."""
    return {stage.name: stage for stage in Repo(str(ROOT)).index.stages}


@pytest.fixture(scope="module")
def plans() -> dict[str, Experiment]:
    """The plan of each experiment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        names = {name: name.partition("@") for name in EXPERIMENTS if name != "sample"}
        found = {name: Experiment(load_recipe(Path(f"recipes/{file}.yaml"), scale)) for name, (file, _, scale) in names.items()}
        return {"sample": Experiment(load_recipe(Path("params.yaml"))), **found}


def outs(stage: Any) -> dict[str, bool]:
    """The outputs of a stage, and whether DVC keeps them in its store; what is not there is in git."""
    assert all(out.persist for out in stage.outs), stage
    return {out.def_path: out.use_cache for out in stage.outs}


def test_each_experiment_with_results_in_git_has_a_stage() -> None:
    tracked = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {folder or "sample" for folder in re.findall(r"^results/(?:(.+)/)?table.csv$", tracked, re.M)} == set(EXPERIMENTS)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_stage_is_its_recipe_and_stores_all_that_comes_of_it(name: str, stages: Any, plans: dict[str, Experiment]) -> None:
    stage, experiment = stages[EXPERIMENTS[name]], plans[name]
    file, _, scale = name.partition("@")
    assert experiment.params.recipe == name and EXPERIMENTS[name] == name.replace("@", "-")
    options = f" --configfile recipes/{file}.yaml" + f" --config scale={scale}" * bool(scale)
    assert stage.cmd == "snakemake --cores all" + options * (name != "sample")
    tables = {f"{experiment.results}/{file}" for file in {*RESULTS, "inputs.json"}}
    assert set(outs(stage)) == {experiment.data, experiment.model_folder, *tables}
    deps = {dep.def_path for dep in stage.deps}
    assert {"Snakefile", "workflow", "src/koine", "params.yaml"} <= deps
    assert name == "sample" or f"recipes/{file}.yaml" in deps
    assert {key for dep in stage.deps if dep.def_path == "params.yaml" for key in dep.params} == BLOCKS
    for _, own in experiment.named_paths():
        assert any(own.is_relative_to(dep) for dep in deps), own


def test_a_bare_dvc_repro_makes_the_sample_alone_and_needs_no_network(
    plans: dict[str, Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Snakefile", "params.yaml", "dvc.yaml", "profiles", "recipes", "src", "workflow"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    assert [stage.addressing for stage in Repo.init(no_scm=True).reproduce(dry=True)] == ["sample"]
    assert not plans["sample"].sources.downloads and not plans["sample"].named_models


def test_each_data_set_that_an_experiment_reads_has_a_stage(stages: Any, plans: dict[str, Experiment]) -> None:
    fetched = {source for experiment in plans.values() for source in experiment.sources.downloads}
    raw = {path: stage for stage in stages.values() for path in outs(stage) if path.startswith("data/raw/")}
    assert set(raw) == {f"data/raw/{source}" for source in fetched}
    for path, stage in raw.items():
        name = path.removeprefix("data/raw/")
        (registry,) = stage.deps  # a file of entries, and the keys of this one
        entries = yaml.safe_load((ROOT / registry.def_path).read_text(encoding="utf-8"))
        for key in registry.params:
            entry = entries
            for part in key.split("."):
                entry = entry[part]
            assert entry
        assert any(key.endswith(f".{name.removeprefix('tatoeba-')}") for key in registry.params)
        files = " ".join(f"{path}/{file}" for experiment in plans.values() for file in experiment.sources.downloads.get(name, ()))
        assert stage.cmd in (f"koine fetch {name}", f"snakemake --cores all {files} --configfile {registry.def_path}")


def test_what_lies_in_git_is_not_stored_twice(stages: Any) -> None:
    stored = {path: cached for stage in stages.values() for path, cached in outs(stage).items()}
    asked = subprocess.run(["git", "check-ignore", "--stdin"], cwd=ROOT, input="\n".join(stored), capture_output=True, text=True)
    assert {path for path, cached in stored.items() if cached} == set(asked.stdout.splitlines())
