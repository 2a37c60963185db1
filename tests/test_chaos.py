"""Kills, and two runs at once: the table is the same, and no lock needs a hand."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from chaos import campaign
from test_workflow import ENV, SMALL, checkout

from koine.params import laid_over

pytestmark = pytest.mark.workflow

LEAST = {
    "collect": {"sample": {"languages": ["en", "fi"]}},
    "translate": {"languages": ["fi"]},
    "train": {"strategies": ["hybrid"]},
}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    folder = checkout(tmp_path / "repository")
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    least = laid_over(laid_over(params, SMALL), LEAST)
    (folder / "params.yaml").write_text(yaml.safe_dump(least, allow_unicode=True), encoding="utf-8")
    return folder


def test_ten_kills_change_nothing(small: Path) -> None:
    command = ["snakemake", "--cores", "2", "--quiet", "rules"]
    tally = campaign(small, command, ENV, ["results/table.csv", "results/pairs.csv", "results/report.html"], kills=10, seed=1)
    assert (tally.kills, tally.differences) == (10, 0) and tally.runs >= 1


def test_a_second_run_is_refused_and_the_first_ends(small: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "data/sample/collect/qa.parquet"]
    first = subprocess.Popen(command, cwd=small, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lock = small / ".snakemake/koine.lock"
    while not (lock.is_file() and lock.read_text()):
        assert first.poll() is None
        time.sleep(0.02)
    second = subprocess.run(command, cwd=small, env=ENV, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"another run is on in this checkout (process {first.pid} on " in second.stdout + second.stderr
    assert (
        "data/sample/collect/qa.parquet"
        in subprocess.run([*command, "-n"], cwd=small, env=ENV, capture_output=True, text=True).stdout
    )
    output, _ = first.communicate()
    assert first.returncode == 0, output
    assert subprocess.run(command, cwd=small, env=ENV, capture_output=True, check=False).returncode == 0
