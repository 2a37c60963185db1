"""The command line as people use it: help that teaches, errors without tracebacks, the commands beside the steps."""

import importlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from koine.cli import app, load
from koine.commands import PEOPLE, STEPS
from koine.records import QA

ROOT = Path(__file__).parents[1]


def koine(*arguments: str, cwd: Path = ROOT, **options: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "160", "HF_HUB_OFFLINE": "1"}
    command = [str(Path(sys.executable).parent / "koine"), *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, **options)


def test_every_command_and_every_option_says_what_it_is_for() -> None:
    for name in (*STEPS, *PEOPLE):
        command = load(name.replace("_", "-"))
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", "argument"), (name, parameter.name)


def test_every_rule_is_a_koine_command_and_every_step_command_is_a_rule() -> None:
    files = (ROOT / "workflow" / "rules").glob("*.smk")
    assert {name for path in files for name in re.findall(r"^rule (\w+):", path.read_text(), re.M)} == set(STEPS)


def test_every_command_is_the_function_of_its_name_and_is_listed_with_its_first_line() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    for name in (*STEPS, *PEOPLE):
        function = getattr(importlib.import_module({**STEPS, **PEOPLE}[name]), name)
        assert function.__name__ == name
        words = function.__doc__.strip().split("\n")[0].split()
        assert f" {name.replace('_', '-')} " in shown and " ".join(words[:5]) in " ".join(shown.replace("│", " ").split())


def test_an_unknown_command_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(app, ["collect-sourc"])
    assert result.exit_code == 2 and "collect-source" in result.output


def test_an_error_is_one_message_without_a_traceback(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"question": "q", "passage": "p"}\n{"question": "q"}\n', encoding="utf-8")
    result = koine("collect-source", str(bad), "--name", "x", "--reader", "jsonl", "--out", str(tmp_path / "x.parquet"))
    assert result.returncode == 1
    assert f"{bad}:2: 'passage' is missing" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_stopped_says_so_and_leaves_nothing_half(tmp_path: Path, sent: signal.Signals, status: int) -> None:
    os.mkfifo(tmp_path / "slow.jsonl")
    words = ["collect-source", "slow.jsonl", "--reader", "jsonl", "--name", "a", "--licence", "X", "--out", "a.parquet"]
    program = str(Path(sys.executable).with_name("koine"))
    command = subprocess.Popen([program, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    writer = None
    while writer is None:  # until the command reads
        assert command.poll() is None, command.communicate()
        with suppress(OSError):
            writer = os.open(tmp_path / "slow.jsonl", os.O_WRONLY | os.O_NONBLOCK)
    said = None
    while said is None:  # a signal between Python's opening and its first read is seen at the next one
        command.send_signal(sent)
        with suppress(subprocess.TimeoutExpired):
            said = command.communicate(timeout=10)[1]
    os.close(writer)
    assert command.returncode == status and "Traceback" not in said
    assert status != 130 or "the same command goes on from there" in said
    assert [path.name for path in tmp_path.iterdir()] == ["slow.jsonl"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["collect", "a", "--out", "o", "--expected", "squad"], "--expected squad: expected KEY=VALUE"),
        (["collect", "a", "--out", "o", "--expected", "squad=many"], "--expected: "),
        (["collect-benchmark", "--out", "o", "--reader", "beir", "--files", "en"], "--files en: expected KEY=VALUE"),
        (["collect-benchmark", "--out", "o", "--reader", "beir", *("--files", "en=a") * 2], "--files: 'en' is given twice"),
        (["collect-download", "--out", "o", "--hub", "a/b", "--columns", "question"], "--columns question: expected KEY=VALUE"),
        (["report", "a", "--out", "o", "--domains", "mlqa-r"], "--domains mlqa-r: expected KEY=VALUE"),
        (["report", "a", "--out", "o", "--published", "xlm-r"], "--published xlm-r: expected KEY=VALUE"),
    ],
)
def test_a_pair_that_is_none_is_told_before_anything_is_read(words: list[str], message: str) -> None:
    assert message in str(CliRunner().invoke(app, words).exception)


def test_a_full_disk_is_one_message_and_leaves_no_half_file(tmp_path: Path, qa: Callable[..., pl.DataFrame]) -> None:
    rows = [{"question": f"Who is {sha256(bytes([n])).hexdigest()}?", "passage": f"Number {n}."} for n in range(250)]
    QA.write(qa(*rows), tmp_path / "qa.parquet")
    memory = tmp_path / "memory.jsonl"
    entries = ({"source_lang": "en", "target_lang": "fi", "source": r["question"], "target": r["question"][::-1]} for r in rows)
    memory.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    call = [
        "translate", "--qa", str(tmp_path / "qa.parquet"), "--out", str(tmp_path / "0.parquet"), "--source", "en",
        "--target", "fi", "--backend", "memory", "--resources", str(memory),
    ]  # fmt: skip
    result = koine(*call, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY)))
    assert result.returncode == 1
    assert "the disk is full" in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["memory.jsonl", "qa.parquet"]
    assert koine(*call).returncode == 0
