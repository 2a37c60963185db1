"""The workflow on a real Slurm (`cluster.py`): the same table, and what becomes of jobs that fail or lose time or node.

`pytest -m slurm` runs what CI runs, `pytest -m faults` the rest, which waits for time limits and lost nodes. Both need
root and Debian's slurmctld, slurmd and slurm-client.
"""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster import Cluster, slurm
from test_workflow import ENV, SMALL, checkout, run

from koine.params import laid_over

TABLES = ("table.csv", "pairs.csv", "report.html")
#: Nodes of one processor: a group's parts run one after the other. Polled often, as the jobs are short.
HERE = [
    "--profile",
    "profiles/slurm",
    "--cores",
    "1",
    "--max-threads",
    "1",
    "--latency-wait",
    "10",
    "--slurm-status-command",
    "squeue",
]
HERE += ["--slurm-init-seconds-before-status-checks", "3", "--default-resources", "mem_mb=1000", "slurm_account=none"]
HERE += ["slurm_partition=main", "runtime=10 * attempt"]
MEMORY = ["train:mem_mb=1500", "encode:mem_mb=1500", "train_tokens:mem_mb=1500", "filter_score:mem_mb=1500"]
Submit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small experiment that ran without Slurm, with two shards of each language."""
    folder = checkout(tmp_path_factory.mktemp("local"))
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    small = laid_over(params, laid_over(SMALL, {"translate": {"shards": 2}}))
    (folder / "params.yaml").write_text(yaml.safe_dump(small, allow_unicode=True), encoding="utf-8")
    run(folder, "snakemake", "--cores", "all")
    return folder


@pytest.fixture
def submit(cluster: Cluster) -> Submit:
    """Runs Snakemake in a folder, its jobs on the cluster; the exit status is the test's to judge."""

    def run_there(folder: Path, *options: str, memory: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = ["snakemake", *options, *HERE, "--set-resources", *MEMORY, *memory]  # the last takes all that follows
        environment = ENV | {"SLURM_CONF": cluster.environment["SLURM_CONF"]}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        return subprocess.CompletedProcess(command, done.returncode, done.stdout + done.stderr)

    return run_there


def fresh(local: Path, folder: Path) -> Path:
    """The experiment's inputs without what was made of them."""
    shutil.copytree(local, folder, ignore=shutil.ignore_patterns("data", "models", "results", "logs", ".snakemake"))
    return folder


def without_models(local: Path, folder: Path, **train: Any) -> Path:
    """The experiment up to its tokens, with other settings of training."""
    shutil.copytree(local, folder, ignore=shutil.ignore_patterns("results", "models"))
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    (folder / "params.yaml").write_text(yaml.safe_dump(laid_over(params, train), allow_unicode=True), encoding="utf-8")
    return folder


def same_tables(one: Path, other: Path) -> bool:
    return all((one / "results" / name).read_bytes() == (other / "results" / name).read_bytes() for name in TABLES)


@pytest.mark.slurm
def test_the_table_is_the_local_one_to_the_byte(local: Path, tmp_path: Path, submit: Submit) -> None:
    folder = fresh(local, tmp_path / "on-slurm")
    done = submit(folder)
    assert done.returncode == 0, done.stdout
    assert same_tables(folder, local)
    assert "Submitted array job" in done.stdout  # the shards of translation
    jobs = set(re.findall(r"SLURM job ?I?D? ?'?(\d+)", done.stdout, flags=re.I))
    steps = int(re.findall(r"(\d+) of \1 steps \(100%\) done", done.stdout)[-1])
    assert len(jobs) < steps / 2, "short jobs travel in groups"
    assert "Nothing to be done" in submit(folder).stdout


@pytest.mark.slurm
def test_a_failing_job_is_reported_with_the_end_of_its_log(local: Path, tmp_path: Path, submit: Submit) -> None:
    folder = without_models(local, tmp_path / "failing")
    (folder / "data/sample/train/static/tokenizer.json").write_text("{}")  # as a broken disk would
    done = submit(
        folder,
        "--retries",
        "0",
        "--rerun-triggers",
        "mtime",
        "--ignore-incomplete",
        "models/sample/static/hybrid/seed-1/koine.json",
    )
    assert done.returncode == 1
    assert "Error in rule train" in done.stdout and "logs/models/sample/static/hybrid/seed-1/train.log" in done.stdout
    assert "error: " in done.stdout[done.stdout.index("Error in rule train") :], done.stdout


# --- faults ------------------------------------------------------------------------------------------------------

#: A training of two minutes on a core of its own, more than the first attempt is given.
LONG = {
    "backbones": {"static": {"optimisation": {"steps": 60_000}}},
    "train": {"strategies": ["hybrid"], "validation": {"eval_steps": 0, "share": 0.0, "early_stopping_patience": 0}},
}
MODEL = "models/sample/static/hybrid/seed-1"


@pytest.fixture(scope="module")
def unbroken(local: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long training that nothing disturbed."""
    folder = without_models(local, tmp_path_factory.mktemp("unbroken") / "run", **LONG)
    run(folder, "snakemake", "--cores", "1", f"{MODEL}/koine.json")
    return folder


def weights(folder: Path) -> bytes:
    return (folder / MODEL / "model.safetensors").read_bytes()


def when_training(cluster: Cluster, act: Callable[[str, str], object]) -> threading.Thread:
    """Do something to the training job (id, node) once it has run for ten seconds."""

    def watch() -> None:
        seen = 0.0
        while True:
            running = [job for job in cluster.jobs() if job[1] == "RUNNING"]
            if running and seen and time.monotonic() > seen + 10:
                act(running[0][0], running[0][2])
                return
            if running and not seen:
                seen = time.monotonic()
            time.sleep(0.2)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


@pytest.mark.faults
def test_a_job_out_of_time_is_given_more_and_its_training_goes_on_to_the_same_weights(
    unbroken: Path, local: Path, tmp_path: Path, submit: Submit
) -> None:
    folder = without_models(local, tmp_path / "short", **LONG)
    done = submit(folder, f"{MODEL}/koine.json", memory=("train:runtime=attempt",))
    assert done.returncode == 0, done.stdout
    assert "Trying to restart job" in done.stdout
    assert "resumes after step" in (folder / "logs" / MODEL / "train.log").read_text()
    assert weights(folder) == weights(unbroken)


@pytest.mark.faults
def test_a_job_whose_node_dies_ends_on_another(
    unbroken: Path, local: Path, tmp_path: Path, submit: Submit, cluster: Cluster
) -> None:
    folder = without_models(local, tmp_path / "dark", **LONG)
    killed = []
    watcher = when_training(cluster, lambda job, node: (cluster.kill_node(node), killed.append(node)))
    done = submit(folder, "--retries", "0", f"{MODEL}/koine.json")
    watcher.join()
    cluster.start_node(killed[0])
    assert done.returncode == 0, done.stdout
    assert weights(folder) == weights(unbroken)


@pytest.mark.faults
def test_the_same_command_finishes_what_scancel_ended(
    unbroken: Path, local: Path, tmp_path: Path, submit: Submit, cluster: Cluster
) -> None:
    folder = without_models(local, tmp_path / "cancelled", **LONG)
    watcher = when_training(cluster, lambda job, node: cluster.run("scancel", job))
    done = submit(folder, "--retries", "0", f"{MODEL}/koine.json")
    watcher.join()
    assert done.returncode == 1 and "CANCELLED" in done.stdout, done.stdout
    done = submit(folder, "--retries", "0", f"{MODEL}/koine.json")
    assert done.returncode == 0, done.stdout
    assert weights(folder) == weights(unbroken)
