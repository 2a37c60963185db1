"""Records of what was made: each recipe stores its own, gets them back in a clone, and never believes one of another file."""

import itertools
import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from koine.params import Params
from koine.runtime.errors import KoineError
from koine.runtime.files import lock, read_json, sha256
from koine.workflow.provenance import INCOMPLETE, METADATA, UNKNOWN, Provenance, lasting, read_record, record_path, write_record

TABLE, MODEL, RAW = (
    "results/mine/table.csv",
    "models/mine/static/hybrid/seed-1/model.safetensors",
    "data/raw/xquad-r/xquad.ar.json",
)
CLOCK = itertools.count(1.0)
PAIRS = f"data/mine/{'a/' * 120}pairs.csv"  # its record's name is longer than a file name may be


@dataclass
class Layout:
    """What an experiment says of the recipe `mine`."""

    params: Params = field(default_factory=lambda: Params(recipe="mine"))
    data: str = "data/mine"
    model_folder: str = "models/mine"
    results: str = "results/mine"
    sources: Any = field(default_factory=lambda: SimpleNamespace(sample="data/mine/raw", downloads={"xquad-r": {}}))
    jobs: Any = field(default_factory=lambda: SimpleNamespace(translate_convert={}))
    own_files: list[str] = field(default_factory=list)

    def named_paths(self) -> list[tuple[str, Path]]:
        return [("data", Path(file)) for file in self.own_files]


def made(file: str, content: str, rule: str, flags: str, *inputs: str) -> None:
    """What a job of Snakemake leaves: the file and its record."""
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text(content)
    sums = {name: f"sha256:{sha256(Path(name))}" for name in inputs}
    params = [repr(flags), repr("0123456789abcdef"), repr("content fedcba9876543210")]  # the last one is of own files
    write_record(file, {"rule": rule, "params": params, "input": list(inputs), "input_checksums": sums, "endtime": next(CLOCK)})


def experiment(flags: str) -> None:
    """All jobs of a recipe with some parameter; the data set is fetched once."""
    if not Path(RAW).exists():
        made(RAW, "raw", "collect_download", "--location here")
    made(MODEL, f"weights {flags}", "train", flags, RAW)
    made(PAIRS, f"pairs {flags}", "evaluate_vectors", flags, MODEL)
    made(TABLE, f"table {flags}", "report", "", PAIRS)


def run(flags: str) -> None:
    """A whole run: what the Snakefile does before, at the start and at the end."""
    Provenance(Layout()).restore()
    Provenance(Layout()).began()
    experiment(flags)
    Provenance(Layout()).store()


def records() -> dict[str, Any]:
    return {file: (record := read_record(file)) and lasting(record) for file in (TABLE, PAIRS, MODEL, RAW)}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which a run with the parameter `old` has ended."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run("old")
    return tmp_path / "here"


@pytest.fixture
def elsewhere(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Goes on in a clone into which DVC brings some folders."""

    def go(*folders: str) -> None:
        clone = checkout.parent / "clone"
        for folder in folders:
            shutil.copytree(checkout / folder, clone / folder, dirs_exist_ok=True)
        monkeypatch.chdir(clone)

    return go


def test_a_clone_gets_the_records_back_and_also_those_of_data_sets_that_it_lacks(elsewhere: Any) -> None:
    before = records()
    elsewhere("data/mine", "models", "results")
    assert not any(records().values())
    Provenance(Layout()).restore()
    assert records() == before and all(before.values())
    assert not Path(RAW).exists()


def test_a_data_set_brings_its_record_to_a_recipe_that_has_none_of_its_own(elsewhere: Any) -> None:
    before = records()
    elsewhere("data/raw")
    other = SimpleNamespace(sample="-", downloads={})
    Provenance(Layout(Params(recipe="other"), "data/other", "models/other", sources=other)).restore()
    assert read_record(RAW) == before[RAW]


def test_a_file_of_another_version_is_made_again(elsewhere: Any) -> None:
    elsewhere("data/mine", "results")
    Provenance(Layout()).restore()
    Path(MODEL).parent.mkdir(parents=True)
    Path(MODEL).write_text("weights of somebody")  # come later
    Provenance(Layout()).restore()
    record = read_record(MODEL)
    assert record and record["params"] == UNKNOWN
    made(MODEL, "weights that were made here", "train", "other")
    Provenance(Layout()).restore()
    assert read_record(MODEL) != record
    Path(TABLE).write_text("spoilt")
    shutil.rmtree(METADATA)
    Provenance(Layout()).restore()
    record = read_record(TABLE)
    assert record and record["params"] == UNKNOWN


def test_an_older_version_brings_its_records_but_only_for_files_that_are_its_own(checkout: Path) -> None:
    old = records()
    for folder in ("data/mine", "models", "results"):
        shutil.copytree(folder, f"old/{folder}")
    run("new")
    new = records()
    assert new[MODEL] != old[MODEL] and new[RAW] == old[RAW]
    shutil.copytree("old/data/mine", "data/mine", dirs_exist_ok=True)  # as `dvc checkout data/mine`
    Provenance(Layout()).restore()
    assert records() == {**old, MODEL: new[MODEL], TABLE: new[TABLE]}
    shutil.copytree("old/models", "models", dirs_exist_ok=True)
    shutil.copytree("old/results", "results", dirs_exist_ok=True)
    shutil.rmtree(".snakemake")
    Provenance(Layout()).restore()
    assert records() == old


class Killed(BaseException):
    pass


def killing(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Let this process die at the write with this number: before it is in its place."""
    left, replace = iter(range(after)), Path.replace

    def write(self: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", write)


@pytest.mark.parametrize("after", range(16))
def test_a_run_that_is_killed_at_any_write_loses_nothing(checkout: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Not even where its jobs gave the same bytes as before, which alone would not tell the records apart."""
    with monkeypatch.context() as patch:
        killing(patch, after)
        with suppress(Killed):
            Provenance(Layout()).began()
            made(MODEL, "weights old", "train", "new", RAW)  # the same weights by other parameters
            made(PAIRS, "pairs new", "evaluate_vectors", "new", MODEL)
            made(TABLE, "table new", "report", "", PAIRS)
            Provenance(Layout()).store()
        live = records()
    Provenance(Layout()).restore()
    assert records() == live
    shutil.rmtree(".snakemake")  # a clone of what is stored now
    Provenance(Layout()).restore()
    unstored = {file for file in (TABLE, PAIRS, MODEL, RAW) if records()[file] != live[file]}
    assert all((read_record(file) or {})["params"] == UNKNOWN for file in unstored)  # killed between file and record
    assert unstored <= {TABLE, PAIRS} and not list(Path().rglob("*.part"))


def test_a_restore_that_is_killed_at_any_write_is_done_again(elsewhere: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = records()
    elsewhere("data", "models", "results")
    for after in range(7):
        with monkeypatch.context() as patch:
            killing(patch, after)
            with suppress(Killed):
                Provenance(Layout()).restore()
        Provenance(Layout()).restore()
        assert records() == before
        shutil.rmtree(".snakemake")


def test_a_file_that_was_half_made_keeps_the_record_of_the_last_whole_one(checkout: Path) -> None:
    before = Path("data/mine/provenance.jsonl").read_text()
    Provenance(Layout()).began()
    Path(PAIRS).write_text("hal")
    mark = record_path(INCOMPLETE, PAIRS)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    Provenance(Layout()).restore()
    assert Path("data/mine/provenance.jsonl").read_text() == before


def test_nothing_is_stored_while_another_run_is_on(checkout: Path) -> None:
    before = Path("data/mine/provenance.jsonl").read_text()
    Provenance(Layout()).began()
    held = lock(Path(".snakemake/koine.lock"))
    experiment("new")
    Provenance(Layout()).restore()  # of `snakemake -n`, in another shell
    assert Path("data/mine/provenance.jsonl").read_text() == before
    assert held
    held.close()
    Provenance(Layout()).restore()
    assert Path("data/mine/provenance.jsonl").read_text() != before


def test_two_runs_that_make_the_same_store_the_same(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where a job made other bytes by the same parameters, as a GPU may, the digest is that of what lies there."""
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    run("old")
    stored = Path("data/mine/provenance.jsonl").read_bytes()
    assert stored == (checkout / "data/mine/provenance.jsonl").read_bytes()
    Provenance(Layout()).began()
    made(MODEL, "weights in another rounding", "train", "old", RAW)
    Provenance(Layout()).store()
    assert sha256(Path(MODEL)) in Path("data/mine/provenance.jsonl").read_text()


def test_records_of_a_checkout_that_never_stored_any_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    experiment("old")
    Provenance(Layout()).restore()
    rows = [json.loads(line)["file"] for line in Path("data/mine/provenance.jsonl").read_text().splitlines()]
    assert rows == sorted([TABLE, PAIRS, MODEL, RAW])


def test_a_table_names_by_digest_what_it_was_made_of(checkout: Path) -> None:
    inputs = read_json(Path("results/mine/inputs.json"))
    assert inputs["table"] == sha256(Path(TABLE))
    assert inputs["models"] == {MODEL: sha256(Path(MODEL))}
    source = inputs["sources"]["xquad-r"]
    assert source["files"] == {"xquad.ar.json": sha256(Path(RAW))}
    assert source["licence"] and source["version"] and source["url"]
    assert inputs["code"] == dict.fromkeys(("collect_download", "evaluate_vectors", "report", "train"), "0123456789abcdef")
    before = Path("results/mine/inputs.json").read_bytes()
    Provenance(Layout()).began()
    made(MODEL, "weights of a run that did not come to the table", "train", "new", RAW)
    Provenance(Layout()).store()
    assert Path("results/mine/inputs.json").read_bytes() == before
    Path("own.csv").write_text("scores")
    made(PAIRS, "pairs", "evaluate_vectors", "own", MODEL, "own.csv")
    made(TABLE, "table", "report", "", PAIRS)
    Provenance(Layout()).store()
    assert read_json(Path("results/mine/inputs.json"))["own"] == {"own.csv": sha256(Path("own.csv"))}


@pytest.mark.parametrize(("dep", "seen"), [("own/mine.jsonl", True), ("own", True), ("own/other.jsonl", False)])
def test_dvc_must_depend_on_the_users_own_files(dep: str, seen: bool, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = {"cmd": "snakemake", "deps": ["src/koine", dep]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"sample": {"cmd": "snakemake", "deps": ["src/koine"]}}}))
    Path("recipes").mkdir()
    Path("recipes/dvc.yaml").write_text(json.dumps({"stages": {"clinic": stage, "raw": {"cmd": "snakemake"}}}))
    layout = Layout(own_files=["own/mine.jsonl"])
    Provenance(layout).restore()  # by Snakemake alone
    monkeypatch.setenv("DVC_STAGE", "recipes/dvc.yaml:raw")
    Provenance(layout).restore()
    said = r"^recipes/dvc\.yaml: clinic does not depend on own/mine\.jsonl, so"
    for stage_name in ("recipes/dvc.yaml:clinic", "clinic"):  # from the checkout's root, and from recipes/
        monkeypatch.setenv("DVC_STAGE", stage_name)
        with nullcontext() if seen else pytest.raises(KoineError, match=said):
            Provenance(layout).restore()
