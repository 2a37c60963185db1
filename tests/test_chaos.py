"""Kills, two runs at once, full and closed disks, spoilt files: what a person sees, and that nothing is lost.

CI runs the first two; `pytest -m faults` the rest, which mounts small disks and so needs root.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from chaos import campaign
from test_workflow import ENV, LEAST, SMALL, checkout, run

from koine.params import laid_over

workflow, faults = pytest.mark.workflow, pytest.mark.faults


def least(folder: Path) -> Path:
    """A checkout of the smallest experiment."""
    checkout(folder)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    merged = laid_over(laid_over(params, SMALL), LEAST)
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, allow_unicode=True), encoding="utf-8")
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return least(tmp_path / "repository")


@workflow
@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_kills_change_nothing(small: Path, kills: int) -> None:
    command = ["snakemake", "--cores", "2", "--quiet", "rules"]
    tally = campaign(
        small, command, ENV, ["results/table.csv", "results/pairs.csv", "results/report.html"], kills=kills, seed=1, share=0.4
    )
    assert (tally.kills, tally.differences) == (kills, 0) and tally.runs >= 1


@workflow
def test_a_second_run_is_refused_and_the_first_ends(small: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "data/sample/collect/qa.parquet"]
    first = subprocess.Popen(command, cwd=small, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lock = small / ".snakemake/koine.lock"
    while not (lock.is_file() and lock.read_text()):
        assert first.poll() is None
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # it could have ended before the second asks
    second = subprocess.run(command, cwd=small, env=ENV, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"another run is on in this checkout (process {first.pid} on " in second.stdout + second.stderr
    assert (
        "data/sample/collect/qa.parquet"
        in subprocess.run([*command, "-n"], cwd=small, env=ENV, capture_output=True, text=True).stdout
    )
    first.send_signal(signal.SIGCONT)
    output, _ = first.communicate()
    assert first.returncode == 0, output
    assert subprocess.run(command, cwd=small, env=ENV, capture_output=True, check=False).returncode == 0


# --- disks and files ---------------------------------------------------------------------------------------------

#: A file that each rule makes.
MADE = {
    "collect_sample": "data/sample/raw/qa.jsonl",
    "collect_source": "data/sample/collect/sources/sample.parquet",
    "collect_benchmark": "data/sample/collect/benchmarks/sample/passages.parquet",
    "collect": "data/sample/collect/qa.parquet",
    "translate": "data/sample/translate/fi/0.parquet",
    "filter_score": "data/sample/filter/fi.scores.parquet",
    "filter": "data/sample/filter/fi.parquet",
    "train_tokens": "data/sample/train/static/queries.arrow",
    "train": "models/sample/static/hybrid/seed-1/model.safetensors",
    "encode_tokens": "data/sample/encode/static/tokens/sample/queries.arrow",
    "encode": "data/sample/encode/static/hybrid/seed-1/sample/passages.npy",
    "evaluate": "data/sample/evaluate/static/hybrid/seed-1/sample/pairs.csv",
    "evaluate_bm25": "data/sample/evaluate/bm25/untrained/seed-0/sample/pairs.csv",
    "index": "data/sample/index/static/hybrid/seed-1/sample/index.faiss",
    "report": "results/table.csv",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest experiment, run to its end."""
    folder = least(tmp_path_factory.mktemp("finished") / "repository")
    run(folder, "snakemake", "--cores", "all")
    return folder


@pytest.fixture
def disk(finished: Path, tmp_path: Path) -> Iterator[Path]:
    """The finished experiment with what it made on a disk of its own, of 64 MiB; logs and Snakemake's records are elsewhere."""
    folder, mounted = tmp_path / "repository", tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(mounted)], check=True)
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns("data", "models", "results"))
    for name in ("data", "models", "results"):
        shutil.copytree(finished / name, mounted / name)
        (folder / name).symlink_to(mounted / name)
    yield folder
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def again(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    command = ["snakemake", "--cores", "1", target]
    done = subprocess.run(command, cwd=folder, env=ENV, capture_output=True, text=True, check=False)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout + done.stderr)


@faults
@pytest.mark.parametrize("rule", MADE)
def test_a_full_disk_is_one_message_and_the_same_command_goes_on(rule: str, disk: Path, finished: Path) -> None:
    target = MADE[rule]
    (disk / target).unlink()
    filler = disk.parent / "disk/filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(1 << 12))
    stopped = again(disk, target)
    assert stopped.returncode == 1
    if "No space left" not in stopped.stdout or 'bin/koine"' in stopped.stdout:  # else Snakemake itself could not go on
        assert "the disk is full" in stopped.stdout and "Traceback" not in stopped.stdout, stopped.stdout
    filler.unlink()
    done = again(disk, target)
    assert done.returncode == 0, done.stdout
    assert (disk / target).read_bytes() == (finished / target).read_bytes()
    assert not list((disk.parent / "disk").rglob("*.part"))


@faults
@pytest.mark.parametrize("rule", MADE)
def test_a_disk_that_is_read_only_is_one_message(rule: str, disk: Path) -> None:
    target = MADE[rule]
    (disk / target).unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(disk.parent / "disk")], check=True)
    stopped = again(disk, target)
    assert stopped.returncode == 1
    assert re.search("Write-protected output files|read-only", stopped.stdout, flags=re.I), stopped.stdout


#: A file that is cut in two behind Snakemake's back, and what its reader makes.
CUT = {
    MADE["collect_sample"]: MADE["collect_source"],
    MADE["collect"]: "data/sample/translate/fi/0.parquet",
    MADE["translate"]: MADE["filter_score"],
    "data/sample/train/static/tokenizer.json": MADE["train"],
    MADE["train_tokens"]: MADE["train"],
    MADE["train"]: MADE["encode"],
    "models/sample/static/hybrid/seed-1/koine.json": MADE["encode"],
    MADE["encode_tokens"]: MADE["encode"],
    MADE["encode"]: MADE["evaluate"],
    MADE["evaluate"]: MADE["report"],
}


@faults
@pytest.mark.parametrize("cut", CUT)
def test_a_file_that_was_cut_is_named_and_nothing_comes_of_it(cut: str, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    shutil.copytree(finished, folder, symlinks=True)
    whole = (folder / cut).read_bytes()
    (folder / cut).write_bytes(whole[: len(whole) // 2])
    (folder / CUT[cut]).unlink()
    stopped = again(folder, CUT[cut])
    assert stopped.returncode == 1 and "Traceback" not in stopped.stdout, stopped.stdout
    error = next(line for line in stopped.stdout.splitlines() if line.startswith("error: "))
    assert str(Path(cut).parent) in error, error
    (folder / cut).unlink()
    done = again(folder, CUT[cut])
    assert done.returncode == 0, done.stdout
    assert (folder / cut).read_bytes() == whole
    assert (folder / CUT[cut]).read_bytes() == (finished / CUT[cut]).read_bytes()


@faults
def test_a_shard_that_was_deleted_is_made_again_where_it_is_needed(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    shutil.copytree(finished, folder, symlinks=True)
    (folder / MADE["translate"]).unlink()
    assert "Nothing to be done" in again(folder, "results/table.csv").stdout  # the table that there is came of a whole one
    (folder / MADE["filter_score"]).unlink()
    assert again(folder, MADE["filter_score"]).returncode == 0
    for rule in ("translate", "filter_score"):
        assert (folder / MADE[rule]).read_bytes() == (finished / MADE[rule]).read_bytes()


@faults
def test_a_clock_that_was_set_back_reruns_nothing_and_hides_no_change(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    shutil.copytree(finished, folder, symlinks=True)
    for path in folder.rglob("*"):
        if path.is_file() and "sample/train" in str(path):  # made "tomorrow", before the clock was set back
            os.utime(path, (time.time() + 86_400,) * 2)
    assert "Nothing to be done" in again(folder, "results/table.csv").stdout
    params = (folder / "params.yaml").read_text(encoding="utf-8")
    (folder / "params.yaml").write_text(params.replace("resamples: 50", "resamples: 60"), encoding="utf-8")
    assert "rule report" in run(folder, "snakemake", "-n", "results/table.csv")
