"""GPU slots: one job each, freed however a job ends, left alone where others give them out. Fake slots, real locks."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from koine.runtime import gpus

JOB = """
import sys
from koine.runtime import gpus
gpus.PAUSE = 0.01
print(gpus.lease(), gpus.lease(), gpus.os.environ.get(gpus.VISIBLE), flush=True)
sys.stdin.read()
"""
Job = subprocess.Popen[str]


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Job]]:
    """Starts a process that leases a slot, says which, and holds it until its input ends."""
    for name in ("SLURM_JOB_ID", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    started: list[Job] = []

    def start(visible: str | None = "0,1", **environment: str) -> Job:
        given = {**os.environ, "TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": visible or "", **environment}
        if visible is None:
            del given["CUDA_VISIBLE_DEVICES"]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen([sys.executable, "-c", JOB], env=given, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def said(process: Job) -> list[str]:
    assert process.stdout
    return process.stdout.readline().split()


def test_jobs_side_by_side_see_one_gpu_each_and_the_next_waits_for_the_first_that_ends(job: Callable[..., Job]) -> None:
    first, second = job(), job()
    seen = {said(first)[0]: first, said(second)[0]: second}
    assert set(seen) == {"0", "1"}
    third = job()
    assert third.stderr and "waiting for a GPU: all 2 are leased" in third.stderr.readline()
    seen["1"].communicate()  # it ends well
    assert said(third) == ["1"] * 3  # the same the second time it asks, and what CUDA will see


def test_a_dead_jobs_slot_is_free(job: Callable[..., Job]) -> None:
    holder = job("7")
    assert said(holder) == ["7"] * 3
    holder.send_signal(signal.SIGKILL)
    assert said(job("7")) == ["7"] * 3


def test_a_gpu_of_another_name_is_another_slot(job: Callable[..., Job]) -> None:
    assert said(job("GPU-1/MIG-2")) == ["GPU-1/MIG-2"] * 3
    assert said(job("GPU-1/MIG-3")) == ["GPU-1/MIG-3"] * 3


@pytest.mark.parametrize("given", [{"SLURM_JOB_ID": "5"}, {"LOCAL_RANK": "0"}])
def test_slurm_and_torchrun_give_gpus_out_themselves(job: Callable[..., Job], given: dict[str, str]) -> None:
    for _ in range(3):  # more than there are slots
        assert said(job("0,1", **given)) == ["None", "None", "0,1"]


@pytest.mark.parametrize("visible", ["", "-1"])
def test_where_no_gpu_is_seen_none_is_leased(job: Callable[..., Job], visible: str) -> None:
    assert said(job(visible))[:2] == ["None", "None"]


def test_all_gpus_of_the_machine_are_slots_by_their_uuids(job: Callable[..., Job], tmp_path: Path) -> None:
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf 'GPU-a\\nGPU-b\\n'\n")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    assert {said(job(None, PATH=path))[2] for _ in range(2)} == {"GPU-a", "GPU-b"}
    program.write_text("#!/bin/sh\nexit 9\n")
    assert said(job(None, PATH=path)) == ["None"] * 3


@pytest.mark.parametrize(
    ("visible", "names"),
    [(None, ["NVIDIA H100", "NVIDIA L4"]), ("1", ["NVIDIA L4"]), ("GPU-a", ["NVIDIA H100"]), ("MIG-x", ["MIG-x"]), ("-1", [])],
)
def test_gpus_are_named_without_torch(
    visible: str | None, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    whole = "0, GPU-a, NVIDIA H100\\n1, GPU-b, NVIDIA L4\\n"
    program.write_text(f"#!/bin/sh\ncase $1 in *uuid) printf 'GPU-a\\nGPU-b\\n';; *) printf '{whole}';; esac\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    assert gpus.gpus() == names
    program.write_text("#!/bin/sh\nexit 9\n")
    assert gpus.gpus() == []
