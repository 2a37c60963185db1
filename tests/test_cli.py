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
from types import SimpleNamespace as Namespace
from typing import Any

import polars as pl
import pytest
from koine.backbones.standins import write_standins
from koine.check import check, expectations
from koine.collect.steps import collect_benchmark
from koine.doctor import doctor, load_recipe
from koine.plan import Plan
from koine.provision import fetch
from typer.testing import CliRunner

from koine.cli import app
from koine.collect.sample import make_sample
from koine.records import PAIRS, QA, TABLE
from koine.runtime.errors import KoineError

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


def test_a_typo_in_params_is_answered_with_the_nearest_key() -> None:
    config = load_recipe(ROOT / "params.yaml")
    config["train"]["stategies"] = ["hybrid"]
    with pytest.raises(KoineError, match=r"train.stategies: no such parameter; did you mean 'strategies'"):
        Plan(config)


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid_and_its_name_is_its_files(recipe: Path) -> None:
    assert Plan(load_recipe(recipe)).params.recipe == recipe.stem


def test_doctor_names_what_a_recipe_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("KOINE_MIRROR", str(tmp_path))
    monkeypatch.setattr("koine.doctor.HUB", "file:///nowhere")
    assert doctor(Path("params.yaml"))
    assert not doctor(Path("recipes/squad-fi.yaml"))
    seen = " ".join(capsys.readouterr().err.split())
    assert "squad-fi-memory" in seen and "KOINE_MIRROR lacks" in seen


def test_doctor_says_which_model_the_hub_cannot_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not after minutes of work, as the run itself would; a model that was downloaded before is there without the Hub."""
    recipe = tmp_path / "any.yaml"
    recipe.write_text("backbones: {other: {kind: pretrained, start: {model: some/model}}}\ntrain: {backbones: [other]}\n")
    for name in ("KOINE_MIRROR", "KOINE_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("koine.doctor.HUB", "file:///nowhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert not doctor(recipe)
    assert (
        "missing other        some/model comes from the Hub, which is not reachable: set KOINE_MODELS" in capsys.readouterr().err
    )
    commit = tmp_path / "cache/models--some--model/refs/main"
    commit.parent.mkdir(parents=True)
    commit.write_text("0" * 40)
    config = tmp_path / f"cache/models--some--model/snapshots/{'0' * 40}/config.json"
    config.parent.mkdir(parents=True)
    config.write_text("{}")
    assert doctor(recipe)
    monkeypatch.setattr("koine.doctor.HUB", recipe.as_uri())
    config.unlink()
    assert doctor(recipe)
    recipe.write_text("backbones: {other: {kind: pretrained, start: {model: a/folder/of/mine}}}\ntrain: {backbones: [other]}\n")
    assert not doctor(recipe)
    assert "missing other        a/folder/of/mine: no such folder, and no id of the Hub" in capsys.readouterr().err


def test_fetch_brings_models_and_data_and_names_what_it_cannot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("Snakefile", "params.yaml", "recipes"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    asked: list[list[str]] = []
    monkeypatch.setattr("subprocess.run", lambda command, check: asked.append(command) or Namespace(returncode=len(asked) - 1))
    write_standins(tmp_path / "hub", ["FacebookAI/xlm-roberta-base", "facebook/m2m100_1.2B"])
    for _ in range(2):  # the second time the workflow fails
        with pytest.raises(KoineError, match="paper@full still lacks") as lacking:
            fetch(Path("recipes/paper.yaml"), "full")
    said = str(lacking.value)
    assert "own/wikiqa/WikiQA.tsv: https://" in said and "sentence-transformers/LaBSE: neither a folder" in said
    assert "xlm-roberta" not in said and "m2m100" not in said and said.count("see above") == 1
    assert f"xlm-r-base: {tmp_path}/hub/FacebookAI/xlm-roberta-base" in capsys.readouterr().err
    assert asked[0][asked[0].index("--until") :] == [
        "--until",
        "collect_fetch",
        "--configfile",
        "recipes/paper.yaml",
        "--config",
        "scale=full",
    ]
    fetch(Path("params.yaml"))  # the sample needs nothing
    fetch(Path("sample"))
    assert len(asked) == 2
    with pytest.raises(KoineError, match="tatoeba-eo could not be brought"):
        fetch(Path("tatoeba-eo"))  # one data set
    files = ["data/raw/tatoeba-eo/tatoeba.epo-eng.epo", "data/raw/tatoeba-eo/tatoeba.epo-eng.eng"]
    assert asked[2][-3:] == ["--keep-going", *files]
    with pytest.raises(KoineError, match="unknown benchmark 'tatoeba-xx'"):
        fetch(Path("tatoeba-xx"))


def test_check_compares_promised_numbers_with_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = tmp_path / "r.yaml"
    recipe.write_text("# expect:\n#   - [b, static, hybrid, multi, map, 0.5, 0.01]\nrecipe: r\n", encoding="utf-8")
    with pytest.raises(KoineError, match="run the recipe first"):
        check(recipe)
    row = {"recipe": "r", "backbone": "static", "strategy": "hybrid", "benchmark": "b", "setting": "multi", "metric": "map"}
    for value, holds in ((0.505, True), (0.52, False)):
        rows = [{**row, "mean": value, "ci_low": 0.4, "ci_high": 0.6, "n_seeds": 3, "n_queries": 7}]
        Path("results/r").mkdir(parents=True, exist_ok=True)
        TABLE.frame(rows).write_csv("results/r/table.csv")
        assert check(recipe) is holds
    recipe.write_text("recipe: r\n", encoding="utf-8")
    with pytest.raises(KoineError, match="nothing to check"):
        check(recipe)


def test_the_promised_numbers_hold_in_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    promising = [recipe for recipe in (Path("params.yaml"), *sorted(Path("recipes").glob("*.yaml"))) if expectations(recipe)]
    assert promising
    for recipe in promising:
        assert check(recipe), recipe


def test_a_model_that_koine_did_not_train_is_evaluated_by_one_command(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(
        ["which country has which currency", "Welche Währung hat welches Land"], trainers.BpeTrainer(special_tokens=["[UNK]"])
    )
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)]).save_pretrained(str(tmp_path / "model"))
    make_sample(tmp_path / "sample", languages=["en", "de"], seed=1, defect_rate=0.0)
    files = {lang: tmp_path / "sample" / "beir" / lang for lang in ("en", "de")}
    collect_benchmark(files, tmp_path / "bench", name="bench", reader="beir", candidate="passage", parallel_only=False)
    result = koine(
        "evaluate", "--model", str(tmp_path / "model"), "--benchmark", str(tmp_path / "bench"), "--out", str(tmp_path / "out")
    )
    assert result.returncode == 0, result.stderr
    pairs = PAIRS.check(pl.read_csv(tmp_path / "out" / "pairs.csv", schema_overrides=dict(PAIRS.columns)), "pairs")
    assert set(pairs["setting"]) == {"mono", "cross", "multi"}
    assert set(pairs["backbone"]) == {"model"}
