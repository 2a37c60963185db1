"""Benchmarks of the field: the registry is whole, and each published format is read, row by row, or refused with its place."""

import gzip
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.parquet import ParquetFile
from typer.testing import CliRunner

from koine import languages
from koine.cli import app
from koine.collect import benchmark as module
from koine.collect import registry
from koine.collect.benchmark import collect_benchmark
from koine.collect.contamination import SEARCHED, benchmark_contamination
from koine.collect.formats.lines import read_benchmark as read_lines
from koine.params import SETTINGS, Benchmark, Params, Source, language_of, parse
from koine.people.benchmark import prepare_benchmark
from koine.records import PASSAGES, QRELS, QUERIES
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id
from koine.workflow.experiment import Experiment

KNOWN = registry._built_in()


def write(path: Path, *rows: object) -> Path:
    """Rows as JSONL (or as they are, if they are text), packed if the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def tables(folder: Path) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str], set[tuple[str, str, str]]]:
    """(lang, id) to text of the queries and of the passages, and the judgements as (query, lang, passage)."""
    queries = {(lang, key): text for key, lang, text in QUERIES.read(folder / "queries.parquet").iter_rows()}
    passages = {(lang, key): text for key, lang, _, text in PASSAGES.read(folder / "passages.parquet").iter_rows()}
    return queries, passages, set(QRELS.read(folder / "qrels.parquet").iter_rows())


def collect(files: dict[str, Path], out: Path, reader: Any, **options: Any) -> Any:
    given: dict[str, Any] = {"candidate": "passage", "parallel_only": False, **options}
    collect_benchmark(files, out, reader=reader, **given)
    return tables(out)


# --- the registry ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "entry"), [*KNOWN.sources.items(), *KNOWN.benchmarks.items()])
def test_every_entry_says_its_licence_and_version_and_knows_its_languages(name: str, entry: Source) -> None:
    assert entry.licence
    assert entry.version or len(entry.revision) == registry.COMMIT
    for key in entry.files:
        for lang in [] if key == "all" else key.split("-") if entry.reader == "memory" else [language_of(key)]:
            assert languages.name(lang) != lang, lang
    if isinstance(entry, Benchmark):
        assert set(entry.settings) <= set(SETTINGS)
        assert not entry.native or entry.settings == ["mono"]
        assert ("accuracy" in entry.metrics) == (entry.reader == "lines")


def test_the_registry_has_112_pairs_of_tatoeba_and_a_set_for_each_list() -> None:
    assert len(KNOWN.sets["tatoeba"]) == 112
    assert len(KNOWN.sets["tatoeba-xtreme-r"]) == 41
    assert {*KNOWN.sets["tatoeba-xtreme-r"], "tatoeba-es", "tatoeba-ca", "tatoeba-gl", "tatoeba-eo"} <= {*KNOWN.sets["tatoeba"]}
    assert set(KNOWN.sets["tatoeba"]) <= set(KNOWN.benchmarks)
    for name in KNOWN.sets["tatoeba"]:
        entry = registry.benchmark(name)
        assert (entry.settings, entry.metrics) == (["cross"], ["accuracy"])
        assert [*entry.files] == [name.removeprefix("tatoeba-"), "en"]


def test_all_pairs_of_tatoeba_have_the_published_bytes_and_lines(mirror: Path) -> None:
    total = 0
    for name in KNOWN.sets["tatoeba"]:
        counts = set()
        for lang, file in registry.benchmark(name).files.items():
            path = mirror / str(registry.benchmark(name).url).format(name=file.name).removeprefix("https://")
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256, name
            counts.update(len(language.queries) for language in read_lines({lang: [path]}))
        assert len(counts) == 1, name
        total += counts.pop()
    assert total == 88_877


TYDIQA = {"ar": 921, "bn": 113, "en": 440, "fi": 782, "id": 565, "ko": 276, "ru": 812, "sw": 499, "te": 669}


def test_tydiqa_has_the_published_5077_questions_none_of_which_two_languages_share(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOINE_MIRROR", str(mirror))
    queries, passages, qrels = tables(prepare_benchmark("tydiqa-goldp", tmp_path))
    asked = pl.Series([lang for lang, _ in queries]).value_counts()
    assert dict(asked.iter_rows()) == TYDIQA
    assert len(qrels) == len({key for _, key in queries}) == sum(TYDIQA.values()) == 5077
    assert all((lang, query) in queries and (lang, passage) in passages for query, lang, passage in qrels)


def recipe(**evaluate: Any) -> dict[str, Any]:
    return {**Params(recipe="mine").model_dump(), "evaluate": evaluate}


def test_a_set_stands_for_its_members_in_a_recipe_and_is_named_elsewhere() -> None:
    experiment = Experiment(recipe(benchmarks=["tatoeba-xtreme-r", "xquad-r", "tatoeba-es"]))
    assert [*experiment.sources.tested] == [*KNOWN.sets["tatoeba-xtreme-r"], "xquad-r"]
    with pytest.raises(KoineError, match="tatoeba is a set of 112 benchmarks, such as tatoeba-af"):
        registry.benchmark("tatoeba")
    mine = {"path": "x/{name}", "files": {"en": {"name": "en"}}, "reader": "lines"}
    assert [*Experiment(recipe(benchmarks=["tatoeba"], registry={"tatoeba": mine})).sources.tested] == ["tatoeba"]


def test_the_plan_says_the_metrics_of_each_benchmark() -> None:
    experiment = Experiment(recipe(benchmarks=["squad-dev-parallel", "tatoeba-es", "mr-tydi"]))
    usual = Benchmark.model_fields["metrics"].get_default()
    assert {"map", "recall@10", "mrr", "rank_distance"} <= {*usual}
    asked = {name: re.findall(r"--metrics (\S+)", job["flags"]) for name, job in experiment.jobs.evaluate_vectors.items()}
    assert asked == {"squad-dev-parallel": [*usual], "tatoeba-es": ["accuracy"], "mr-tydi": ["mrr@100", "recall@100"]}


@pytest.mark.parametrize("metric", ["recall", "ndcg", "map@0", "MAP", "accuracy@1", "f1", ""])
def test_a_metric_that_is_none_is_an_error_of_the_recipe(metric: str) -> None:
    entry = {"path": "x/{name}", "files": {"en": {"name": "en"}}, "reader": "lines", "metrics": [metric]}
    with pytest.raises(KoineError, match=r"evaluate\.registry\.mine\.metrics"):
        parse(recipe(benchmarks=["mine"], registry={"mine": entry}))


def test_the_list_of_sources_names_each_with_its_licence() -> None:
    shown = CliRunner().invoke(app, ["sources"])
    assert shown.exit_code == 0
    rows = {row[0]: row for row in registry.listing()}
    assert set(rows) == {*KNOWN.sources, *KNOWN.benchmarks, *KNOWN.probes, *KNOWN.sets} - {*KNOWN.sets["tatoeba"]}
    assert all(all(cells) for cells in rows.values())
    assert all(name in shown.stdout for name in rows)
    assert rows["miracl"] == ("miracl", "benchmark", "18", "Apache-2.0", "9c09abc", "Hub: mteb/MIRACLRetrieval")


# --- the Hub, as mteb lays data sets out -------------------------------------------------------------------


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes a copy of a data set's repository below KOINE_MODELS; the Hub itself is out of reach."""
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")

    def put(name: str, configs: dict[str, tuple[str, pl.DataFrame]]) -> None:
        folder = tmp_path / "hub" / name
        for config, (split, frame) in configs.items():
            (folder / config).mkdir(parents=True)
            frame.write_parquet(folder / config / f"{split}-00000-of-00001.parquet")
        files = [{"config_name": c, "data_files": [{"split": s, "path": f"{c}/{s}-*"}]} for c, (s, _) in configs.items()]
        (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': files})}---\n", encoding="utf-8")

    return put


def some_of(name: str, langs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a benchmark of the registry have a few of its languages alone."""
    entry = registry.benchmark(name)
    few = entry.model_copy(update={"files": {lang: entry.files[lang] for lang in langs}})
    monkeypatch.setitem(registry._built_in().benchmarks, name, few)


@pytest.mark.parametrize(
    ("name", "repository", "folders", "corpus_split"),
    [
        ("miracl", "mteb/MIRACLRetrieval", {"fi": "fi", "sw": "sw"}, "dev"),
        ("miracl-hard", "mteb/MIRACLRetrievalHardNegatives", {"fi": "fi", "sw": "sw"}, "dev"),
        ("mr-tydi", "mteb/mrtidy", {"fi": "finnish", "sw": "swahili"}, "train"),
    ],
)
def test_beir_tables_of_the_hub_become_a_benchmark_with_queries_of_their_own(
    hub: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    name: str, repository: str, folders: dict[str, str], corpus_split: str,
) -> None:  # fmt: skip
    split = registry.benchmark(name).split
    configs = {}
    for lang, folder in folders.items():
        corpus = pl.DataFrame({"_id": ["1#0", "1#1", "2#0"], "title": ["T", "T", ""], "text": [f"{lang} a", f"{lang} b", "c"]})
        queries = pl.DataFrame({"_id": ["0", "7", "9"], "text": [f"{lang} first?", f"{lang} second?", "not judged?"]})
        judged = pl.DataFrame({"query-id": ["0", "0", "7"], "corpus-id": ["1#0", "1#1", "2#0"], "score": [1.0, 0.0, 1.0]})
        configs |= {f"{folder}-corpus": (corpus_split, corpus), f"{folder}-queries": (split, queries)}
        configs |= {f"{folder}-qrels": (split, judged)}
    hub(repository, configs)
    some_of(name, [*folders], monkeypatch)
    queries, passages, qrels = tables(prepare_benchmark(name, tmp_path / "scratch"))
    assert queries == {
        (lang, f"{lang}:{key}"): f"{lang} {text}?" for lang in folders for key, text in (("0", "first"), ("7", "second"))
    }
    assert passages == {
        (lang, key): text for lang in folders for key, text in (("1#0", f"T {lang} a"), ("1#1", f"T {lang} b"), ("2#0", "c"))
    }
    assert qrels == {(f"{lang}:{query}", lang, passage) for lang in folders for query, passage in (("0", "1#0"), ("7", "2#0"))}


def test_the_workflow_fetches_the_three_tables_of_each_language_of_a_hub_benchmark() -> None:
    experiment = Experiment(recipe(benchmarks=["mr-tydi"]))
    assert len(experiment.jobs.collect_download["mr-tydi"]) == 3 * 11
    flags = experiment.jobs.collect_download["mr-tydi"]["finnish/qrels/test.tsv"]
    revision = registry.benchmark("mr-tydi").revision
    assert flags == f"--hub mteb/mrtidy --revision {revision} --split test --config finnish-qrels"
    assert {path.removeprefix("data/raw/mr-tydi/") for path in experiment.jobs.collect_benchmark["mr-tydi"]["files"]} == set(
        experiment.jobs.collect_download["mr-tydi"]
    )
    assert experiment.sources.hub_ids["mr-tydi"] == ("mteb/mrtidy", revision)


def test_a_split_that_is_not_there_is_named(hub: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub("mteb/belebele", {"fin_Latn": ("train", pl.DataFrame({"a": [1]}))})
    frame = pl.DataFrame({"a": [1]})
    frame.write_parquet(tmp_path / "hub/mteb/belebele/fin_Latn/dev-0.parquet")
    readme = tmp_path / "hub/mteb/belebele/README.md"
    files = [{"split": s, "path": f"fin_Latn/{s}-*"} for s in ("train", "dev")]
    readme.write_text(f"---\n{yaml.safe_dump({'configs': [{'config_name': 'fin_Latn', 'data_files': files}]})}---\n")
    some_of("belebele", ["fi"], monkeypatch)
    with pytest.raises(KoineError, match="mteb/belebele: no split test; it has train, dev"):
        prepare_benchmark("belebele", tmp_path / "scratch")


# --- Belebele --------------------------------------------------------------------------------------------


def belebele(lang: str, link: str, number: int, passage: str) -> dict[str, Any]:
    """A row with the published fields."""
    choices = {f"mc_answer{n}": f"{lang} choice {n}" for n in range(1, 5)}
    asked = {
        "link": link,
        "question_number": number,
        "flores_passage": f"{lang} {passage}",
        "question": f"{lang} {link} {number}?",
    }
    return {**asked, **choices, "correct_answer_num": "2", "dialect": lang, "ds": "2023-05-03"}


LINKS = [("https://en.wikibooks.org/wiki/A", 1, "passage a"), ("https://en.wikibooks.org/wiki/A", 2, "passage a"),
         ("https://en.wikinews.org/wiki/B", 1, "passage b")]  # fmt: skip


def test_questions_of_belebele_retrieve_their_passage_in_every_language(
    hub: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {code: [belebele(code, *row) for row in LINKS] for code in ("fin_Latn", "zho_Hant")}
    hub("mteb/belebele", {code: ("test", pl.DataFrame(own)) for code, own in rows.items()})
    some_of("belebele", ["fi", "zh-Hant"], monkeypatch)
    queries, passages, qrels = tables(prepare_benchmark("belebele", tmp_path / "scratch"))
    assert queries["zh-Hant", "https://en.wikibooks.org/wiki/A#2"] == "zho_Hant https://en.wikibooks.org/wiki/A 2?"
    assert len(queries) == len(qrels) == 6
    assert passages == {
        (lang, link): f"{code} {passage}"
        for lang, code in (("fi", "fin_Latn"), ("zh-Hant", "zho_Hant"))
        for link, _, passage in LINKS
    }
    assert all(passage == query.rpartition("#")[0] for query, _, passage in qrels)


@pytest.mark.parametrize("field", ["link", "question_number", "question", "flores_passage"])
@pytest.mark.parametrize("value", [None, ["x"]])
def test_a_row_of_belebele_without_a_field_is_named(tmp_path: Path, field: str, value: object) -> None:
    rows = [belebele("fi", *row) for row in LINKS]
    path = write(tmp_path / "fin_Latn.jsonl", *rows[:2], {**rows[2], field: value})
    with pytest.raises(KoineError, match=rf"fin_Latn\.jsonl:3: '{field}' is missing or no text; a row of Belebele has link"):
        collect({"fi": path}, tmp_path / "out", "belebele")


# --- MIRACL and Mr. TyDi, as their authors publish them ------------------------------------------------------


def miracl(folder: Path, lang: str) -> Path:
    docs = [{"docid": f"{n}#0", "title": f"Title {n}", "text": f"{lang} text {n}"} for n in range(12)]
    for n, doc in enumerate(docs):  # a file a passage: docs-10 comes after docs-9
        write(folder / f"miracl-corpus-v1.0-{lang}/docs-{n}.jsonl.gz", doc)
    for split in ("train", "dev", "testA"):
        topics = folder / f"miracl-v1.0-{lang}/topics/topics.miracl-v1.0-{lang}-{split}.tsv"
        qrels = folder / f"miracl-v1.0-{lang}/qrels/qrels.miracl-v1.0-{lang}-{split}.tsv"
        write(topics, f"0\t{lang} {split} first?", f"13#1\t{lang} {split} second?", f"99\t{lang} {split} without answer?")
        write(qrels, "0\tQ0\t10#0\t1", "0\tQ0\t3#0\t0", "13#1\tQ0\t2#0\t1", "13#1\tQ0\t11#0\t1", "99\tQ0\t0#0\t0")
    return folder


def test_miracl_as_published_is_read(tmp_path: Path) -> None:
    files = {lang: miracl(tmp_path / lang, lang) for lang in ("fi", "yo")}
    queries, passages, qrels = collect(files, tmp_path / "out", "trec", native=True, split="dev")
    assert queries == {
        (lang, f"{lang}:{key}"): f"{lang} dev {n}?" for lang in files for key, n in (("0", "first"), ("13#1", "second"))
    }
    assert passages == {(lang, f"{n}#0"): f"Title {n} {lang} text {n}" for lang in files for n in range(12)}
    assert [*passages] == [(lang, f"{n}#0") for lang in files for n in range(12)]
    assert {row for row in qrels if row[1] == "yo"} == {
        ("yo:0", "yo", "10#0"),
        ("yo:13#1", "yo", "2#0"),
        ("yo:13#1", "yo", "11#0"),
    }


def mr_tydi(folder: Path) -> Path:
    write(folder / "topic.tsv", "0\tall of them")
    write(folder / "qrels.txt", "0 Q0 26569#0 1")
    for split in ("train", "dev", "test"):
        write(folder / f"topic.{split}.tsv", f"46\tMikä on {split}?")
        write(folder / f"qrels.{split}.txt", "46 Q0 26569#0 1")
    contents = {"id": "26569#0", "contents": "Otsikko\n\nTeksti."}
    write(folder / "collection/docs.jsonl.gz", contents, {"id": "1#1", "contents": "Toinen\n\nTeksti."})
    return folder


def test_mr_tydi_as_published_is_read(tmp_path: Path) -> None:
    found = collect({"fi": mr_tydi(tmp_path / "fi")}, tmp_path / "out", "trec", split="test")
    assert found == (
        {("fi", "46"): "Mikä on test?"},
        {("fi", "26569#0"): "Otsikko\n\nTeksti.", ("fi", "1#1"): "Toinen\n\nTeksti."},
        {("46", "fi", "26569#0")},
    )


SPOILT: list[tuple[str, list[object], str]] = [
    ("topic.test.tsv", ["46\tgood?", "47"], r"topic\.test\.tsv:2: expected query id and question, tab-separated"),
    ("topic.test.tsv", ["46\t "], r"topic\.test\.tsv:1: expected query id"),
    ("qrels.test.txt", ["46 Q0 26569#0 1", "46 26569#0 1"], r"qrels\.test\.txt:2: expected a TREC judgement"),
    ("qrels.test.txt", ["46 Q0 26569#0 yes"], r"qrels\.test\.txt:1: expected a TREC judgement"),
    ("qrels.test.txt", ["48 Q0 26569#0 1"], r"fi: a judgement names query '48', which is not there"),
    ("qrels.test.txt", ["46 Q0 9#9 1"], r"fi: a judgement names passage '9#9', which is not there"),
    ("collection/docs.jsonl.gz", [{"id": "26569#0", "contents": "c"}, {"contents": "c"}], r"docs\.jsonl\.gz:2: 'id' is missing"),
    ("collection/docs.jsonl.gz", [{"id": "26569#0", "contents": ["c"]}], r"docs\.jsonl\.gz:1: 'contents' is missing or no text"),
    ("collection/docs.jsonl.gz", [{"docid": "26569#0", "title": "t"}], r"docs\.jsonl\.gz:1: 'text' is missing or no text"),
    ("collection/docs.jsonl.gz", [{"title": "t", "text": "x"}], r"docs\.jsonl\.gz:1: 'docid' is missing or no text"),
    ("collection/docs.jsonl.gz", ["{"], r"docs\.jsonl\.gz:1: not valid JSON"),
    ("topic.a-test.tsv", ["46\tgood?"], r"fi: 2 files of topics \(topic….test.tsv\), expected one"),
]


@pytest.mark.parametrize(("file", "rows", "message"), SPOILT)
def test_a_spoilt_file_of_topics_judgements_or_passages_is_named(
    tmp_path: Path, file: str, rows: list[object], message: str
) -> None:
    write(mr_tydi(tmp_path / "fi") / file, *rows)
    with pytest.raises(KoineError, match=message):
        collect({"fi": tmp_path / "fi"}, tmp_path / "out", "trec", split="test")
    assert not list((tmp_path / "out").glob("*.parquet"))


@pytest.mark.parametrize("file", ["topic.test.tsv", "qrels.test.txt", "collection/docs.jsonl.gz"])
def test_a_missing_file_of_a_folder_is_named(tmp_path: Path, file: str) -> None:
    (mr_tydi(tmp_path / "fi") / file).unlink()
    with pytest.raises(KoineError, match=r"fi: (0 files of (topics|judgements)|no corpus)"):
        collect({"fi": tmp_path / "fi"}, tmp_path / "out", "trec", split="test")


def test_a_corpus_that_was_cut_short_is_named(tmp_path: Path) -> None:
    path = mr_tydi(tmp_path / "fi") / "collection/docs.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(KoineError, match=r"docs\.jsonl\.gz: not a whole gzip file"):
        collect({"fi": tmp_path / "fi"}, tmp_path / "out", "trec", split="test")


def test_own_folders_are_inputs_of_the_workflow_with_all_their_files(tmp_path: Path) -> None:
    entry = {
        "path": f"{tmp_path}/{{name}}",
        "files": {"fi": {"name": "fi"}, "yo": {"name": "yo"}},
        "reader": "trec",
        "split": "dev",
    }
    miracl(tmp_path / "fi", "fi")
    experiment = Experiment(recipe(benchmarks=["mine"], registry={"mine": {**entry, "native": True, "settings": ["mono"]}}))
    names = [Path(path).name for path in experiment.jobs.collect_benchmark["mine"]["files"]]
    assert names == [
        "topics.miracl-v1.0-fi-dev.tsv",
        "qrels.miracl-v1.0-fi-dev.tsv",
        *(f"docs-{n}.jsonl.gz" for n in range(12)),
        "yo",
    ]
    assert "--native --split dev" in experiment.jobs.collect_benchmark["mine"]["flags"]


# --- large corpora -----------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=4), batch=st.integers(1, 4))
def test_passages_are_written_batch_by_batch_and_languages_stand_together(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], batch: int
) -> None:
    folder = tmp_path_factory.mktemp("large")
    files = {}
    for lang, size in zip(["en", "fi", "sw", "te"], sizes, strict=False):
        files[lang] = write(
            folder / lang / "corpus.jsonl.gz", *({"_id": f"p{n}", "text": f"{lang} {n}"} for n in range(size))
        ).parent
        write(files[lang] / "queries.jsonl", {"_id": "q", "text": "?"})
        write(files[lang] / "qrels/test.tsv", *([f"q\tp{size - 1}\t1"] if size else []))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", batch)
        collect(files, folder / "out", "beir")
    written = ParquetFile(folder / "out/passages.parquet").metadata
    held = [written.row_group(number).num_rows for number in range(written.num_row_groups)]
    rows = PASSAGES.read(folder / "out/passages.parquet").select("lang", "id").rows()
    assert rows == [(lang, f"p{n}") for lang, size in zip(files, sizes, strict=False) for n in range(size)]
    assert max(held, default=0) <= batch


def test_the_same_passages_give_the_same_bytes(tmp_path: Path) -> None:
    for out in ("first", "second"):
        collect({"fi": mr_tydi(tmp_path / "fi")}, tmp_path / out, "trec", split="test")
    first, second = ((tmp_path / out / "passages.parquet").read_bytes() for out in ("first", "second"))
    assert first == second


def test_of_a_corpus_to_search_only_what_is_relevant_counts_as_test_data(tmp_path: Path) -> None:
    """A whole Wikipedia as candidates: training on its other passages is no cheating, and stays possible."""
    for name, size in (("small", SEARCHED), ("large", SEARCHED + 1)):
        folder = tmp_path / name / "raw"
        write(folder / "corpus.jsonl", *({"_id": f"p{n}", "text": f"{name} passage number {n}"} for n in range(size)))
        write(folder / "queries.jsonl", {"_id": "q", "text": f"{name} question"})
        write(folder / "qrels/test.tsv", "q\tp7\t1")
        collect({"en": folder}, tmp_path / name, "beir")
    found = benchmark_contamination([tmp_path / "small", tmp_path / "large"], 13)
    assert found.find("small question") and found.find("large question")
    assert found.find("small passage number 7") and found.find("small passage number 8")
    assert found.find("large passage number 7") and not found.find("large passage number 8")


# --- MKQA --------------------------------------------------------------------------------------------------


def mkqa(number: int, **answers: list[dict[str, Any]]) -> dict[str, Any]:
    """A row with the published fields, in a few of the languages."""
    queries = {lang: f"{lang} question {number}" for lang in answers}
    return {"example_id": number, "queries": queries, "query": f"question {number}", "answers": answers}


def answer(kind: str, text: str | None) -> dict[str, Any]:
    return {"type": kind, "entity": "Q1" if kind == "entity" else None, "text": text, "aliases": ["another name"]}


MKQA = [
    mkqa(-5, en=[answer("entity", "Dave Edmunds")], zh_tw=[answer("entity", "戴維"), answer("entity", "戴夫")]),
    mkqa(6, en=[answer("date", "1963")], zh_tw=[answer("date", "1963")]),
    mkqa(7, en=[answer("unanswerable", None)], zh_tw=[answer("unanswerable", None)]),
    mkqa(8, en=[answer("long_answer", None)], zh_tw=[answer("long_answer", None)]),
    mkqa(9, en=[answer("number", "1963"), answer("number", "1963")], zh_tw=[{"type": "number", "text": "1964"}]),
]


def test_questions_of_mkqa_retrieve_their_answers_among_all_answers(tmp_path: Path) -> None:
    path = write(tmp_path / "mkqa.jsonl.gz", *MKQA)
    queries, passages, qrels = collect({"en": path, "zh-Hant": path}, tmp_path / "out", "mkqa")
    assert queries == {
        (lang, str(n)): f"{key} question {n}" for lang, key in (("en", "en"), ("zh-Hant", "zh_tw")) for n in (-5, 6, 9)
    }
    texts = {lang: {text for (own, _), text in passages.items() if own == lang} for lang in ("en", "zh-Hant")}
    assert texts == {"en": {"Dave Edmunds", "1963"}, "zh-Hant": {"戴維", "戴夫", "1963", "1964"}}
    assert {(query, passages[lang, passage]) for query, lang, passage in qrels if lang == "zh-Hant"} == {
        *(("-5", "戴維"), ("-5", "戴夫"), ("6", "1963"), ("9", "1964")),
    }
    assert ("9", "en", text_id("1963")) in qrels


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**MKQA[0], "queries": {"en": "q"}}, r"queries: 'zh_tw' is missing or no text; a row of MKQA has"),
        ({**MKQA[0], "answers": {"en": []}}, r"answers: 'zh_tw' is missing or no list; a row of MKQA has"),
        ({**MKQA[0], "answers": {"zh_tw": [{"type": "entity"}]}}, r"answers: zh_tw: 'text' is missing or no text"),
        ({**MKQA[0], "answers": {"zh_tw": ["text"]}}, r"answers: zh_tw: 'type' is missing or no text"),
        ({**MKQA[0], "example_id": None}, r"'example_id' is missing or no text"),
        ({**MKQA[0], "queries": None}, r"queries: 'zh_tw' is missing"),
    ],
)
def test_a_row_of_mkqa_without_a_field_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "mkqa.jsonl.gz", MKQA[1], row)
    with pytest.raises(KoineError, match=rf"mkqa\.jsonl\.gz:2: {message}"):
        collect({"zh-Hant": path}, tmp_path / "out", "mkqa")


# --- Mewsli-X ----------------------------------------------------------------------------------------------

ENTITIES = [
    {"entity_id": "Q1757", "title": "Helsinki", "description": "Helsinki on Suomen pääkaupunki.", "description_language": "fi",
     "description_url": "https://fi.wikipedia.org/wiki?curid=1", "sentence_spans": [{"start": 0, "end": 31}]},
    {"entity_id": "Q33", "title": "Finland", "description": "Finland is a country.", "description_language": "en",
     "description_url": "https://en.wikipedia.org/wiki?curid=2", "sentence_spans": [{"start": 0, "end": 21}]},
    {"entity_id": "Q9", "title": "Lungsod", "description": "Isang lungsod.", "description_language": "tl",
     "description_url": "https://tl.wikipedia.org/wiki?curid=3", "sentence_spans": [{"start": 0, "end": 14}]},
]  # fmt: skip
ARTICLE = "Transit strike\n\nIn Helsinki, the union\nhas gone on strike. Finland waits."
CONTEXT = {
    "document_title": "Transit strike",
    "document_url": "https://en.wikinews.org/wiki?curid=34985",
    "document_id": "en-34985",
    "language": "en",
    "text": ARTICLE,
    "sentence_spans": [{"start": 0, "end": 14}, {"start": 16, "end": 58}, {"start": 59, "end": 73}],
}


def mention(key: str, start: int, text: str, entity: str) -> dict[str, Any]:
    span = {"start": start, "end": start + len(text), "text": text}
    return {"example_id": key, "mention_span": span, "entity_id": entity, "metadata": {"curid": "34985"}}


ARTICLES = {"context": CONTEXT, "mentions": [mention("c795", 19, "Helsinki", "Q1757"), mention("d24f", 59, "Finland", "Q33")]}


def mewsli(folder: Path, *articles: object, entities: list[dict[str, Any]] = ENTITIES) -> dict[str, Path]:
    write(folder / "candidate_set_entities.jsonl", *entities)
    write(folder / "wikinews_mentions-test.jsonl", *articles)
    return dict.fromkeys(["en", "fi", "fil"], folder)


def test_mentions_of_mewsli_x_retrieve_their_entity_whatever_language_describes_it(tmp_path: Path) -> None:
    found = collect(mewsli(tmp_path / "m", ARTICLES), tmp_path / "out", "mewsli-x", split="test")
    assert found == (
        {("en", "c795"): "Helsinki: In Helsinki, the union has gone on strike.", ("en", "d24f"): "Finland: Finland waits."},
        {
            ("en", "Q33"): "Finland Finland is a country.",
            ("fi", "Q1757"): "Helsinki Helsinki on Suomen pääkaupunki.",
            ("fil", "Q9"): "Lungsod Isang lungsod.",
        },
        {("c795", "fi", "Q1757"), ("d24f", "en", "Q33")},
    )


@pytest.mark.parametrize(
    ("article", "message"),
    [
        ({**ARTICLES, "context": {**CONTEXT, "text": ""}}, r"test\.jsonl:2: context.text is empty; get-mewsli-x\.sh puts"),
        ({"mentions": []}, r"test\.jsonl:2: KeyError: 'context'; a row of Mewsli-X has context"),
        ({**ARTICLES, "context": {**CONTEXT, "sentence_spans": None}}, r"test\.jsonl:2: TypeError: "),
        ({"context": CONTEXT}, r"test\.jsonl:2: KeyError: 'mentions'"),
        (
            {**ARTICLES, "mentions": [{**mention("x", 0, "T", "Q33"), "entity_id": 33}]},
            r"test\.jsonl:2: TypeError: 33 is not text",
        ),
        ({**ARTICLES, "mentions": [mention("x", 0, "T", "Q404")]}, r"mention x is of Q404, which is no candidate"),
    ],
)
def test_a_row_of_mewsli_x_without_a_field_is_named(tmp_path: Path, article: object, message: str) -> None:
    with pytest.raises(KoineError, match=message):
        collect(mewsli(tmp_path / "m", ARTICLES, article), tmp_path / "out", "mewsli-x", split="test")


@pytest.mark.parametrize("field", ["entity_id", "title", "description", "description_language"])
def test_an_entity_without_a_field_is_named(tmp_path: Path, field: str) -> None:
    spoilt = {key: value for key, value in ENTITIES[1].items() if key != field}
    with pytest.raises(KoineError, match=rf"candidate_set_entities\.jsonl:2: '{field}' is missing or no text; an entity"):
        collect(mewsli(tmp_path / "m", entities=[ENTITIES[0], spoilt]), tmp_path / "out", "mewsli-x", split="test")


def test_what_one_has_to_get_oneself_is_said_with_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KoineError, match=r"own/mewsli-x: not there; https://github\.com/.*put both into own/mewsli-x/"):
        prepare_benchmark("mewsli-x", tmp_path)
    experiment = Experiment(recipe(benchmarks=["mewsli-x"]))
    wanted = ["own/mewsli-x/candidate_set_entities.jsonl", "own/mewsli-x/wikinews_mentions-test.jsonl"]
    assert (
        experiment.sources.own_files
        == experiment.jobs.collect_benchmark["mewsli-x"]["files"]
        == [*experiment.sources.homes]
        == wanted
    )


# --- whatever a file holds -----------------------------------------------------------------------------------

KEYS = ["_id", "id", "docid", "contents", "title", "text", "link", "question_number", "question", "flores_passage"]
KEYS += ["example_id", "queries", "answers", "type", "en", "context", "mentions", "entity_id", "language", "description"]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["", "a", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=12,
)


@settings(max_examples=50)
@given(row=ANY, reader=st.sampled_from(["belebele", "mkqa", "trec", "mewsli-x", "beir"]))
def test_no_json_makes_a_benchmark_fail_but_by_a_message(
    tmp_path_factory: pytest.TempPathFactory, row: object, reader: Any
) -> None:
    folder = mr_tydi(tmp_path_factory.getbasetemp() / "any")
    for name in (
        "any.jsonl",
        "collection/docs.jsonl.gz",
        "candidate_set_entities.jsonl",
        "wikinews_mentions-test.jsonl",
        "corpus.jsonl",
    ):
        text = json.dumps(row)
        (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    write(folder / "queries.jsonl", {"_id": "46", "text": "?"})
    write(folder / "qrels/test.tsv", "46\ta\t1")
    path = folder / "any.jsonl" if reader in ("belebele", "mkqa") else folder
    try:
        collect({"en": path}, folder / "out", reader, split="test")
    except KoineError as error:
        assert str(error)
