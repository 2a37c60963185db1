"""Commands for people: what a recipe lacks, promises and has given, and a model that is evaluated outside of the workflow."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace as Namespace
from typing import Any

import polars as pl
import pytest

from koine.collect import registry
from koine.collect.benchmark import collect_benchmark
from koine.collect.sample import collect_sample
from koine.params import Benchmark, Sample, load_recipe
from koine.params.recipe import recipe_files
from koine.people import benchmark as benchmarks
from koine.people.check import PROMISES, check, promises
from koine.people.doctor import doctor
from koine.people.evaluate import evaluate
from koine.people.fetch import fetch
from koine.people.show import show
from koine.people.standins.models import write_standins
from koine.records import PAIRS, TABLE
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, write_json
from koine.workflow.experiment import Experiment

ROOT = Path(__file__).parents[1]
RECIPES = [Path("params.yaml"), *recipe_files()]
ROW = {"recipe": "r", "backbone": "static", "strategy": "hybrid", "benchmark": "b", "setting": "multi", "metric": "map"}


def koine(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("koine")), *words]
    given = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    return subprocess.run(command, cwd=cwd, env=given, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml alone, out of reach of the Hub and of any mirror."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("KOINE_MIRROR", "KOINE_MODELS", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("koine.runtime.hub.ADDRESS", "file:///nowhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path


def recipe(text: str, name: str = "r") -> Path:
    path = Path(f"recipes/{name}.yaml")
    path.write_text(f"recipe: {name}\n{text}\n", encoding="utf-8")
    return path


def test_a_typo_in_params_is_answered_with_the_nearest_key() -> None:
    config = load_recipe(ROOT / "params.yaml")
    config["train"]["stategies"] = ["hybrid"]
    with pytest.raises(KoineError, match=r"train.stategies: no such parameter; did you mean 'strategies'"):
        Experiment(config)


@pytest.mark.parametrize("path", RECIPES[1:], ids=str)
def test_every_recipe_is_valid_and_its_name_is_its_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert Experiment(load_recipe(path)).params.recipe == path.stem


# --- doctor ------------------------------------------------------------------------------------------------------


def test_doctor_names_what_a_recipe_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("KOINE_MIRROR", str(tmp_path))
    monkeypatch.setattr("koine.runtime.hub.ADDRESS", "file:///nowhere")
    doctor(Path("params.yaml"))
    with pytest.raises(KoineError, match=r"squad-fi\.yaml lacks \d thing"):
        doctor(Path("recipes/squad-fi.yaml"))
    seen = " ".join(capsys.readouterr().err.split())
    assert "squad-fi-memory" in seen and "KOINE_MIRROR lacks" in seen


def test_doctor_says_which_model_the_hub_cannot_give(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not after minutes of work, as the run itself would; a model that was downloaded before is there without the Hub."""
    wanted = "backbones: {{other: {{kind: pretrained, start: {{model: {}}}}}}}\ntrain: {{backbones: [other]}}"
    path = recipe(wanted.format("some/model"))
    with pytest.raises(KoineError, match="lacks 1 thing"):
        doctor(path)
    said = capsys.readouterr().err
    assert "missing other        some/model comes from the Hub, which is not reachable: set KOINE_MODELS" in said
    commit = checkout / "cache/models--some--model/refs/main"
    commit.parent.mkdir(parents=True)
    commit.write_text("0" * 40)
    config = checkout / f"cache/models--some--model/snapshots/{'0' * 40}/config.json"
    config.parent.mkdir(parents=True)
    config.write_text("{}")
    doctor(path)
    config.unlink()
    monkeypatch.setattr("koine.runtime.hub.ADDRESS", path.resolve().as_uri())
    doctor(path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(KoineError):
        doctor(path)
    with pytest.raises(KoineError):
        doctor(recipe(wanted.format("a/folder/of/mine")))
    said = capsys.readouterr().err
    assert "HF_HUB_OFFLINE is set" in said and "a/folder/of/mine: no such folder, and no id of the Hub" in said


def test_doctor_names_every_file_and_folder_of_ones_own_that_is_missing(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scores by language, and folders of models: the run would find out after minutes, or not at all."""
    Path("own/encoder").mkdir(parents=True)
    path = recipe(
        "filter: {score: {external: 'own/scores-{lang}.jsonl', encoder: own/encoder}, rules: {external: 0.1, cosine: 0.1}}\n"
        "translate: {languages: [de, fi]}\ncollect: {sample: {languages: [en, de, fi]}}"
    )
    Path("own/scores-de.jsonl").touch()
    with pytest.raises(KoineError, match="lacks 1 thing"):
        doctor(path)
    said = capsys.readouterr().err
    assert "missing filter.score.external own/scores-fi.jsonl: no such file or folder" in said
    assert "ok      filter.score.external own/scores-de.jsonl" in said
    assert [line.split() for line in said.splitlines() if "own/encoder" in line] == [
        ["ok", "filter.score.encoder", "own/encoder"]
    ]


def test_no_password_of_a_store_is_printed(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    addresses = (
        "a\tssh://bob:SECRETPW@host/path\nb\thttps://SECRETPW@host\nc\tazure://c/d?sig=SECRETPW\nd\ts3://bucket/path\t(default)"
    )
    monkeypatch.setattr("koine.people.doctor._run", lambda *words: addresses)
    doctor()
    said = capsys.readouterr().err
    assert "SECRETPW" not in said
    for shown in ("ssh://bob:…@host/path", "https://…@host", "azure://c/d?…", "s3://bucket/path"):
        assert shown in said


def test_doctor_and_plan_start_without_torch() -> None:
    loaded = "import sys, koine.people.doctor, koine.people.plan, koine.people.init; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


# --- fetch -------------------------------------------------------------------------------------------------------


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
            fetch(Path("recipes/paper.yaml"), scale="full")
    said = str(lacking.value)
    assert "own/wikiqa/WikiQA.tsv: https://" in said and "sentence-transformers/LaBSE: neither a folder" in said
    assert "xlm-roberta" not in said and "m2m100" not in said and said.count("see above") == 1
    assert f"xlm-r-base: {tmp_path}/hub/FacebookAI/xlm-roberta-base" in capsys.readouterr().err
    words = ["--until", "collect_download", "--configfile", "recipes/paper.yaml", "--config", "scale=full"]
    assert asked[0][asked[0].index("--until") :] == words
    fetch(Path("params.yaml"))  # the sample needs nothing
    assert len(asked) == 2


# --- check -------------------------------------------------------------------------------------------------------


def results(value: float, folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    rows = [{**ROW, "mean": value, "ci_low": 0.4, "ci_high": 0.6, "n_seeds": 3, "n_queries": 7}]
    TABLE.frame(rows).write_csv(f"{folder}/table.csv")


@pytest.mark.parametrize(("scale", "folder"), [("", "results/r"), ("full", "results/r@full")])
def test_check_compares_promised_numbers_with_the_table(
    checkout: Path, capsys: pytest.CaptureFixture[str], scale: str, folder: str
) -> None:
    path = recipe("")
    with pytest.raises(KoineError, match=r"promises no numbers that could be checked"):
        check(path, scale=scale)
    promised = f"{HEADER}b,static,hybrid,multi,map,0.5,0.01\n"
    PROMISES.mkdir()
    promises(path, scale).write_text(promised, encoding="utf-8")
    with pytest.raises(KoineError, match="run the recipe first"):
        check(path, scale=scale)
    results(0.505, folder)
    check(path, scale=scale)
    assert "[OK]   b static hybrid multi map: 0.5050, expected 0.5 ± 0.01" in capsys.readouterr().err
    results(0.52, folder)
    with pytest.raises(KoineError, match="1 of 1 promised numbers do not hold"):
        check(path, scale=scale)
    promises(path, scale).write_text(promised.replace("hybrid", "hybird"), encoding="utf-8")
    with pytest.raises(KoineError):
        check(path, scale=scale)
    assert "[FAIL] b static hybird multi map: missing" in capsys.readouterr().err


HEADER = "benchmark,backbone,strategy,setting,metric,value,tolerance\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("benchmark,backbone,strategy,setting,metric,value\nb,s,h,multi,map,0.5\n", r"r\.csv: column 'tolerance' .* is missing"),
        (f"{HEADER}b,s,h,multi,map,much,0.1\n", r"r\.csv: not a CSV of promised"),
        (f"{HEADER}b,s,h,multi,map,,0.1\n", r"r\.csv: row 0: 'value' .* is null"),
        ("", r"r\.csv: not a CSV of promised"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_promised_numbers_is_said(checkout: Path, text: str, said: str) -> None:
    path = recipe("")
    PROMISES.mkdir()
    promises(path).write_text(text, encoding="utf-8")
    with pytest.raises(KoineError, match=said):
        check(path)


PROMISING = sorted((ROOT / PROMISES).glob("*.csv"))


@pytest.mark.parametrize("path", PROMISING, ids=lambda path: path.stem)
def test_the_promised_numbers_hold_in_the_results(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    name, _, scale = path.stem.partition("@")
    check(Path("params.yaml") if name == "sample" else Path(f"recipes/{name}.yaml"), scale=scale)


def test_every_committed_table_has_promised_numbers() -> None:
    tables = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    names = {Path(path).parent.name for path in tables if path.endswith("/table.csv")}
    assert {path.stem for path in PROMISING} == {"sample" if name == "results" else name for name in names}


# --- show --------------------------------------------------------------------------------------------------------


def test_show_takes_a_folder_or_the_recipe_that_made_it(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the name that the recipe gives itself, not by that of its file."""
    Path("recipes/other name.yaml").write_text("recipe: r\n", encoding="utf-8")
    results(0.5, "results/r")
    results(0.7, "results/r@full")
    show(Path("recipes/other name.yaml"))
    said = capsys.readouterr()
    assert ".500 .400–.600" in said.out and "report.html" not in said.err
    Path("results/r@full/report.html").touch()
    show(Path("recipes/other name.yaml"), scale="full")
    said = capsys.readouterr()
    assert ".700" in said.out and "results/r@full/report.html has the rest" in said.err
    show(Path("results/r"))
    with pytest.raises(KoineError, match=r"results/table\.csv: no such file"):
        show()


def test_a_narrow_terminal_gets_whole_numbers(checkout: Path) -> None:
    """Rich would cut the last digits off without a word."""
    rows = [
        {**ROW, "strategy": "grad-mix-half-of-16", "setting": setting, "metric": metric, "mean": mean, "ci_low": mean,
         "ci_high": mean, "n_seeds": 1, "n_queries": 7}
        for setting, metric, mean in (("mono", "map", 0.123), ("cross", "map", 0.234), ("multi", "map", 0.345),
                                      ("multi", "rank_distance", 12345.0))
    ]  # fmt: skip
    Path("results").mkdir()
    TABLE.frame(rows).write_csv("results/table.csv")
    for columns, shown in ((120, ".345 .345–.345"), (70, ".345")):
        said = koine("show", cwd=checkout, FORCE_COLOR="1", TERM="xterm", COLUMNS=str(columns)).stdout
        said = re.sub(r"\x1b\[\d*m", "", said)
        assert shown in said and "12345" in said and all(len(line) <= columns for line in said.splitlines())
        assert ("–" in said) == (columns == 120)


def test_make_shows_the_results_of_the_recipe_that_it_is_given() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory", "-n", "table", "RECIPE=recipes/my file.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    run, shown = (shlex.split(line) for line in said.stdout.splitlines()[-2:])
    assert run[-2:] == ["--configfile", "recipes/my file.yaml"] and shown == ["koine", "show", "recipes/my file.yaml"]


# --- evaluate ----------------------------------------------------------------------------------------------------


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
    collect_sample(tmp_path / "sample", sample=Sample(languages=["en", "de"], defect_rate=0.0))
    files = {lang: tmp_path / "sample" / "beir" / lang for lang in ("en", "de")}
    collect_benchmark(files, tmp_path / "bench", reader="beir")
    words = ["--model", str(tmp_path / "model"), "--benchmark", str(tmp_path / "bench"), "--out", str(tmp_path / "out")]
    result = koine("evaluate", *words, "--metrics", "map", "--metrics", "rank_distance", "--debias", "centre")
    assert result.returncode == 0, result.stderr
    pairs = PAIRS.check(pl.read_csv(tmp_path / "out" / "pairs.csv", schema_overrides=dict(PAIRS.columns)), "pairs")
    assert set(pairs["setting"]) == {"mono", "cross", "multi"}
    assert set(pairs["metric"]) == {"map", "rank_distance"}
    assert set(pairs["backbone"]) == {"model"} and set(pairs["strategy"]) == {"given+centre"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--settings", "both"), "--settings: Input should be 'mono', 'cross' or 'multi'"),
        (("--metrics", "mapp"), "--metrics: "),
        (("--trec", "-1"), "--trec: "),
        (("--debias", "zentrieren"), "unknown method 'zentrieren'"),
        (("--benchmark", "xquad"), "unknown benchmark 'xquad': try"),
    ],
)
def test_a_wrong_word_is_said_before_anything_is_encoded(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    given = {"--model": "no/model", "--benchmark": "xquad-r", "--out": str(tmp_path / "out"), words[0]: words[1]}
    result = koine("evaluate", *(word for pair in given.items() for word in pair))
    assert result.returncode == 1 and f"error: {said}" in result.stderr


def served(entry: Benchmark, languages: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a mirror in place that has small files of a benchmark, and give the registry their checksums."""
    monkeypatch.setenv("KOINE_MIRROR", str(Path("mirror").absolute()))
    files = {}
    for lang in languages:
        name = entry.files[lang].name
        answers = [{"text": "Answer", "answer_start": 0}]
        asked = {"id": "q", "question": f"In {lang}?", "answers": answers}
        paragraph = {"context": f"Answer in {lang}. More.", "sentence_breaks": [[0, 13], [14, 19]], "qas": [asked]}
        location = registry.downloads(entry)[name]["location"]
        path = Path("mirror", location.removeprefix("https://"))
        write_json(path, {"data": [{"title": "T", "paragraphs": [paragraph]}]})
        files[lang] = entry.files[lang].model_copy(update={"sha256": sha256(path)})
    monkeypatch.setitem(registry._built_in().benchmarks, "xquad-r", entry.model_copy(update={"files": files}))


def test_a_benchmark_is_downloaded_once_in_a_checkout(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(registry.benchmark("xquad-r"), ["de", "en"], monkeypatch)
    asked: list[str] = []
    download = benchmarks.collect_download

    def counted(out: Path, **wanted: Any) -> None:
        asked.append(wanted["location"])
        download(out, **wanted)

    def prepared() -> dict[str, bytes]:
        """The tables that a model is evaluated on."""
        asked.clear()
        tables: dict[str, bytes] = {}
        monkeypatch.setattr("koine.encode.texts.encode", lambda model, folder, *_, **__: tables.update(
            {path.name: path.read_bytes() for path in folder.glob("*.parquet")}))  # fmt: skip
        monkeypatch.setattr("koine.evaluate.vectors.evaluate_vectors", lambda *_, **__: None)
        evaluate(model="any", benchmark="xquad-r", out=Path("out"), device="cpu")
        return tables

    monkeypatch.setattr(benchmarks, "collect_download", counted)
    first = prepared()
    languages = len(asked)
    assert languages == len(set(asked)) > 1 and set(first) == {"queries.parquet", "passages.parquet", "qrels.parquet"}
    assert not Path("data").exists()
    Path("Snakefile").touch()
    for count in (languages, 0):
        assert prepared() == first and len(asked) == count
    next(Path("data/raw/xquad-r").iterdir()).write_bytes(b"cut short")
    assert prepared() == first and len(asked) == 1
