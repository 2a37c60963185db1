"""The command line as people use it: help that teaches, errors without tracebacks, the commands beside the steps."""

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

from koine.cli import app
from koine.records import QA

ROOT = Path(__file__).parents[1]


def koine(*arguments: str, cwd: Path = ROOT, **options: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "COLUMNS": "160", "HF_HUB_OFFLINE": "1"}
    command = [str(Path(sys.executable).parent / "koine"), *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, **options)


def test_every_command_and_every_option_says_what_it_is_for() -> None:
    import typer

    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", "argument"), (name, parameter.name)


def test_every_rule_is_a_koine_command_and_every_step_command_is_a_rule() -> None:
    import typer

    rules = {
        name
        for path in (ROOT / "workflow" / "rules").glob("*.smk")
        for name in re.findall(r"^rule (\w+):", path.read_text(), re.M)
    }
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    steps = {name.replace("-", "_") for name, command in commands.items() if command.rich_help_panel == "Steps of the chain"}
    assert rules == steps


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
        (["collect", "a", "--out", "o", "--expect", "squad"], "--expect squad: expected NAME=VALUE"),
        (["collect", "a", "--out", "o", "--expect", "squad=many"], "--expect: 'many' is no number of questions"),
        (["collect-benchmark", "--out", "o", "--reader", "beir", "--file", "en"], "--file en: expected NAME=VALUE"),
        (["collect-fetch", "--out", "o", "--hub", "a/b", "--column", "question"], "--column question: expected NAME=VALUE"),
        (["report", "a", "--out", "o", "--domains", "mlqa-r"], "--domains mlqa-r: expected NAME=VALUE"),
        (["report", "a", "--out", "o", "--published", "xlm-r"], "--published xlm-r: expected NAME=VALUE"),
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
        "--target", "fi", "--backend", "memory", "--resource", str(memory),
    ]  # fmt: skip
    result = koine(*call, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY)))
    assert result.returncode == 1
    assert "the disk is full" in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["memory.jsonl", "qa.parquet"]
    assert koine(*call).returncode == 0
