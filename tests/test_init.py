"""`koine init`: what is in the data is said, what is chosen has its reason, and the recipe is one that the workflow takes."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from koine.cli import app
from koine.collect.source import collect_source
from koine.params import load_recipe
from koine.records import QA
from koine.runtime.errors import KoineError
from koine.runtime.files import write_jsonl
from koine.workflow.experiment import Experiment

ROOT = Path(__file__).parents[1]
Run = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `koine init` in a checkout on a machine without network, GPU, Apertium or models; gives what it printed."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KOINE_MODELS", raising=False)
    monkeypatch.setattr("koine.people.init.gpus", list)

    def run(*words: str) -> str:
        result = CliRunner().invoke(app, ["init", *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


def questions(count: int = 200, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": n, "question": f"Who lives in house {n} of the street?", "group": f"Street {n // 5}",
         "passage": f"In house number {n} lives the baker with the blue door and {n} cats.", **more}
        for n in range(count)
    ]  # fmt: skip


def recipe(name: str = "mine") -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(f"recipes/{name}.yaml").read_text(encoding="utf-8"))
    return found


def test_a_recipe_is_written_that_the_workflow_takes(start: Run) -> None:
    write_jsonl(Path("qa.jsonl"), questions())
    said = start("mine", "--qa", "qa.jsonl", "--languages", "de,fi", "--languages", "sw", "--licence", "CC-BY-4.0")
    experiment = Experiment(load_recipe(Path("recipes/mine.yaml")))
    assert experiment.params.translate.languages == ["de", "fi", "sw"]
    assert experiment.params.collect.heldout.questions == 20 and "heldout" in experiment.sources.tested
    assert experiment.params.collect.registry["mine"].size == (200, 200)
    assert experiment.params.translate.decoding.model == "facebook/m2m100_418M"
    text = Path("recipes/mine.yaml").read_text(encoding="utf-8")
    for reason in ("MIT licence) has to be brought", "there are 40", "No GPU here", "Each choice is yours", "hold 100% of your"):
        assert reason.lower() in " ".join((text + said).replace("#", "").split()).lower(), reason
    assert "apt install" not in text
    assert "qa.jsonl jsonl 200 200 40 0 0 0% 14 14" in " ".join(said.split()) and "koine doctor recipes/mine.yaml" in said


def test_without_a_model_the_package_is_named_that_would_do(start: Run) -> None:
    write_jsonl(Path("qa.jsonl"), questions())
    start("mine", "--qa", "qa.jsonl", "--languages", "ca,fi")
    text = Path("recipes/mine.yaml").read_text(encoding="utf-8")
    assert text.count("apt install") == 1
    assert "or apt install apertium apertium-eng-cat, and koine init again." in " ".join(text.replace("#", "").split())


def test_what_the_recipe_reads_is_what_the_step_reads(start: Run) -> None:
    """Other names of columns, another separator: the flags that Snakemake would pass read the file."""
    rows = "".join(f"What is {n}?;A number, {n}.;{n // 2}\n" for n in range(100))
    Path("a.csv").write_text("query;context;url\n" + rows, encoding="utf-8")
    start("mine", "--qa", "a.csv", "--languages", "fi")
    experiment = Experiment(load_recipe(Path("recipes/mine.yaml")))
    named = ["question=query", "passage=context", "group=url"]
    assert shlex.split(experiment.jobs.collect_source["mine"]["flags"])[-6:] == [
        word for pair in named for word in ("--columns", pair)
    ]
    assert "there are 50 (a `url` each)" in " ".join(Path("recipes/mine.yaml").read_text().replace("#", "").split())
    words = [
        "collect-source",
        *experiment.jobs.collect_source["mine"]["files"],
        "--name",
        "mine",
        *shlex.split(experiment.jobs.collect_source["mine"]["flags"]),
    ]
    assert CliRunner().invoke(app, [*words, "--out", "qa.parquet"]).exit_code == 0
    first = QA.read(Path("qa.parquet")).to_dicts()[0]
    assert (first["question"], first["passage"], first["group"]) == ("What is 0?", "A number, 0.", "0")


def test_memories_come_before_engines(start: Run) -> None:
    rows = questions()
    write_jsonl(Path("qa.jsonl"), rows)
    every = {text for row in rows for text in (row["question"], row["passage"])}
    some = {row["question"] for row in rows[:100]}
    memory = [("de", text) for text in sorted(every)] + [("fi", text) for text in sorted(some)]
    write_jsonl(Path("m.jsonl"), ({"source_lang": "en", "target_lang": lang, "source": t, "target": t} for lang, t in memory))
    start("mine", "--qa", "qa.jsonl", "--languages", "de,fi,sw", "--memories", "m.jsonl")
    chosen = recipe()["translate"]
    assert chosen["backend"] == "ctranslate2" and chosen["backends"] == {"de": "memory"}
    assert chosen["resources"] == ["mine-memory"] and chosen["round_trip"] == ["fi", "sw"]
    text = Path("recipes/mine.yaml").read_text(encoding="utf-8")
    assert "# de: memory. Your memories hold 100% of the texts." in text and "# fi: ctranslate2. Your memories hold 25%" in text


def test_a_gpu_gets_a_pretrained_backbone(start: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koine.people.init.gpus", lambda: ["NVIDIA H100"])
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path / "models"))
    for name in ("intfloat/multilingual-e5-base", "facebook/nllb-200-distilled-600M"):
        (tmp_path / "models" / name).mkdir(parents=True)
    write_jsonl(Path("qa.jsonl"), questions())
    start("mine", "--qa", "qa.jsonl", "--languages", "wo,quy")
    chosen = recipe()
    assert (
        chosen["train"]["backbones"] == ["multilingual-e5-base"]
        and chosen["backbones"]["multilingual-e5-base"]["optimisation"]["bf16"]
    )
    assert chosen["translate"]["decoding"] == {"model": "facebook/nllb-200-distilled-600M", "compute_type": "float16"}
    assert "for research only (CC-BY-NC-4.0)" in Path("recipes/mine.yaml").read_text(encoding="utf-8")


def test_passages_alone_are_adapted_to_with_the_questions_of_others(start: Run) -> None:
    rows = [{"id": n, "text": f"House {n} is old. A baker lives in it with {n} cats. The door is blue."} for n in range(200)]
    write_jsonl(Path("p.jsonl"), rows)
    start("mine", "--passages", "p.jsonl", "--languages", "fi")
    experiment = Experiment(load_recipe(Path("recipes/mine.yaml")))
    assert experiment.params.collect.sources in (["squad-train", "mine"], ["squad-train-mirror", "mine"])
    assert experiment.params.collect.heldout.sources == ["mine"]
    assert experiment.params.train.datasets.domain == ["mine"] and "hybrid-daft" in experiment.params.train.strategies
    collect_source([Path("p.jsonl")], Path("o"), name="mine", reader="passages", lang="en", domain="", licence="")
    assert len(QA.read(Path("o"))) == 200


@pytest.mark.parametrize("same", [True, False])
def test_a_test_of_ones_own_is_parallel_where_ids_agree(start: Run, same: bool) -> None:
    write_jsonl(Path("qa.jsonl"), questions())
    for lang in ("en", "fi"):
        write_jsonl(Path(f"{lang}.jsonl"), [row | {"id": row["id"] if same else f"{lang}{row['id']}"} for row in questions(20)])
    start("mine", "--qa", "qa.jsonl", "--languages", "fi", "--tests", "en=en.jsonl", "--tests", "fi=fi.jsonl")
    experiment = Experiment(load_recipe(Path("recipes/mine.yaml")))
    assert set(experiment.sources.tested) == {"heldout", "mine-test"} and experiment.sources.foreign == ["mine-test"]
    assert experiment.params.evaluate.registry["mine-test"].native is not same


def test_a_hub_data_set_is_looked_at_where_it_is(start: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path / "hub"))
    folder = tmp_path / "hub/org/set"
    folder.mkdir(parents=True)
    write_jsonl(folder / "train.jsonl", ({"query": row["question"], "positive": row["passage"]} for row in questions()))
    start("mine", "--qa", "org/set", "--languages", "fi")
    entry = recipe()["collect"]["registry"]["mine"]
    assert entry["hub"] == "org/set" and entry["columns"] == {"question": "query", "passage": "positive"}


def broken_json(path: Path) -> None:
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in questions(60)) + '{"question": "Who?", "passage": \n', encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("name", "make", "words", "said"),
    [
        ("gone.jsonl", lambda path: None, (), r"gone\.jsonl: no such file or folder, and no id of a Hub data set"),
        ("a.jsonl", broken_json, (), r"a\.jsonl:61: "),
        ("a.csv", lambda path: path.write_text("frage,text\nWer?,Ada.\n"), (), r"no column of questions; it has frage, text"),
        ("a.jsonl", lambda path: write_jsonl(path, questions(9)), (), r"9 questions of 2 group\(s\) .* are too few"),
        ("a.jsonl", lambda path: write_jsonl(path, questions(90, group="all")), (), r"90 questions of 1 group\(s\)"),
        ("a.docx", lambda path: path.write_bytes(b"PK"), (), r"a\.docx: of what format is it\?"),
        ("a.json", lambda path: path.write_text("[]"), (), r"a\.json: not SQuAD format"),
        ("a.jsonl", lambda path: path.write_text(""), (), r"a\.jsonl: no rows in it"),
        ("a.jsonl", lambda path: write_jsonl(path, questions()), ("--languages", "english"), r"'english' is no language tag"),
        ("a.jsonl", lambda path: write_jsonl(path, questions()), ("--languages", "en"), r"en is the language of the data"),
        ("a.jsonl", lambda path: write_jsonl(path, questions()), ("--languages", "tlh"), r"translates into tlh; give a memory"),
        ("a.jsonl", lambda path: write_jsonl(path, questions()), ("--tests", "fi=no.jsonl"), r"no\.jsonl: no such file"),
    ],
)  # fmt: skip
def test_what_is_broken_is_said_and_nothing_is_written(
    start: Run, name: str, make: Callable[[Path], object], words: tuple[str, ...], said: str
) -> None:
    make(Path(name))
    languages = () if "--languages" in words else ("--languages", "fi")
    with pytest.raises(KoineError, match=said):
        start("mine", "--qa", name, *languages, *words)
    assert not list(Path("recipes").iterdir())


def test_questions_in_another_language_are_warned_of(start: Run) -> None:
    finnish = {"question": "Missä kaupungissa tämä talo sijaitsee ja kuka siinä asuu?"}
    write_jsonl(Path("qa.jsonl"), ({**row, **finnish} for row in questions()))
    said = " ".join(start("mine", "--qa", "qa.jsonl", "--languages", "fi").split())
    assert "100% of its questions do not look like English" in said


def test_a_recipe_is_not_replaced_unless_asked_for(start: Run) -> None:
    write_jsonl(Path("qa.jsonl"), questions())
    start("mine", "--qa", "qa.jsonl", "--languages", "fi")
    with pytest.raises(KoineError, match=r"recipes/mine\.yaml is there already; choose another name, or say --force"):
        start("mine", "--qa", "qa.jsonl", "--languages", "sv")
    start("mine", "--qa", "qa.jsonl", "--languages", "sv", "--force")
    assert recipe()["translate"]["languages"] == ["sv"]
    Path("recipes/mine.yaml").rename("recipes/another file.yaml")
    with pytest.raises(KoineError, match=r"recipes/another file\.yaml is called mine already; choose another name"):
        start("mine", "--qa", "qa.jsonl", "--languages", "fi")
    for name in ("sample", "heldout", "dvc", "raw", "translation", "Mine", "../x"):
        with pytest.raises(KoineError, match="cannot name a recipe"):
            start(name, "--qa", "qa.jsonl", "--languages", "fi")
