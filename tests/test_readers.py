"""Readers: what a file says comes out, whole and in order; what it does not say is an error with its place."""

import csv
import gzip
import inspect
import io
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from koine.collect import formats
from koine.collect.benchmark import collect_benchmark
from koine.collect.formats.beir import read_qrels, read_texts
from koine.collect.formats.dictionary import LONGEST_TRANSLATION, read_dictionary
from koine.collect.formats.memory import Segment, read_memory
from koine.collect.formats.squad import Question, read_contexts, read_squad
from koine.collect.readers import READERS, Reader, folder_files, read_questions
from koine.collect.source import collect_source
from koine.names import target
from koine.params import Benchmark, Probe, Source
from koine.records import PASSAGES, QA, QRELS, QUERIES
from koine.runtime.errors import KoineError
from koine.runtime.files import write_jsonl

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)


def dump(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def lines(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return path


# --- SQuAD -----------------------------------------------------------------------------------------------


@st.composite
def squad_files(draw: st.DrawFn) -> tuple[dict[str, Any], list[Question]]:
    """A SQuAD document, and the answerable questions that it holds."""
    articles, expected = [], []
    for a in range(draw(st.integers(0, 3))):
        paragraphs = []
        for p in range(draw(st.integers(0, 3))):
            sentences = draw(st.lists(TEXT, min_size=1, max_size=3))
            context = " ".join(sentences)
            starts = [sum(len(s) + 1 for s in sentences[:n]) for n in range(len(sentences))]
            breaks = [[start, start + len(s)] for start, s in zip(starts, sentences, strict=True)]
            paragraph: dict[str, Any] = {"context": context, "qas": []}
            if with_breaks := draw(st.booleans()):
                paragraph["sentence_breaks"] = breaks
            for q in range(draw(st.integers(0, 3))):
                text = draw(TEXT)
                qa: dict[str, Any] = {"id": f"{a}.{p}.{q}", "question": text}
                if draw(st.booleans()):
                    qa["is_impossible"] = draw(st.booleans())
                answer = draw(st.sampled_from(sentences))
                qa["answers"] = [] if qa.get("is_impossible") else [{"text": answer, "answer_start": context.index(answer)}]
                paragraph["qas"].append(qa)
                if not qa.get("is_impossible"):
                    sentences_of = tuple((s, e) for s, e in breaks) if with_breaks else ()
                    expected.append(Question(qa["id"], text, answer, context.index(answer), f"Title {a}", context, sentences_of))
            paragraphs.append(paragraph)
        articles.append({"title": f"Title {a}", "paragraphs": paragraphs})
    return {"version": "1.1", "data": articles}, expected


@given(file=squad_files())
def test_squad_gives_every_answerable_question_in_order(
    tmp_path_factory: pytest.TempPathFactory, file: tuple[dict[str, Any], list[Question]]
) -> None:
    document, expected = file
    path = dump(tmp_path_factory.getbasetemp() / "squad.json", document)
    assert list(read_squad(path)) == expected
    contexts = [paragraph["context"] for article in document["data"] for paragraph in article["paragraphs"]]
    assert [context for _, context, _ in read_contexts(path)] == contexts


def test_squad_2_leaves_unanswerable_questions_out(tmp_path: Path) -> None:
    answerable = {"id": 1, "question": " Who? ", "answers": [{"text": "Ada", "answer_start": 0}], "is_impossible": False}
    unanswerable = {"id": 2, "question": "When?", "answers": [], "is_impossible": True, "plausible_answers": []}
    paragraph = {"context": "Ada wrote it. ", "qas": [answerable, unanswerable]}
    path = dump(tmp_path / "a.json", {"data": [{"title": "Ada", "paragraphs": [paragraph]}]})
    assert list(read_questions(path, "squad")) == [
        {"id": "1", "group": "Ada", "question": "Who?", "passage": "Ada wrote it.", "answer": "Ada", "answer_start": 0}
    ]


GOOD = {"context": "c", "qas": [{"id": "1", "question": "q", "answers": []}]}


NO_SQUAD: list[tuple[Any, str]] = [
    ({"data": [{"paragraphs": [GOOD, GOOD]}, {"paragraphs": [GOOD, {"qas": []}]}]}, "data[1].paragraphs[1]"),
    ({"data": [{"paragraphs": [{"context": None, "qas": GOOD["qas"]}]}]}, "data[0].paragraphs[0]"),
    ({"data": [{"paragraphs": [{**GOOD, "sentence_breaks": [[0]]}]}]}, "data[0].paragraphs[0]"),
    ({"data": [{"paragraphs": ["text"]}]}, "data[0].paragraphs[0]"),
    ({"data": ["text"]}, "data[0]"),
    ({"data": [{"paragraphs": 5}]}, "data[0]"),
    ({"data": [{"title": "no paragraphs"}]}, "data[0]"),
    ({"data": 5}, "no `data` list"),
    ({"version": "1.1"}, "no `data` list"),
    ([1, 2], "no `data` list"),
]
BAD_QUESTIONS: list[Any] = [
    None,
    5,
    ["q"],
    [{"question": "q"}],
    [{"id": 1, "question": None}],
    [{"id": 1, "question": "q", "answers": ["x"]}],
    [{"id": 1, "question": "q", "answers": [{"text": 5}]}],
    [{"id": 1, "question": "q", "answers": [{"text": "x", "answer_start": "y"}]}],
]


@pytest.mark.parametrize("read", [read_squad, read_contexts])
@pytest.mark.parametrize(("document", "place"), NO_SQUAD)
def test_what_is_not_squad_is_named_with_article_and_paragraph(
    tmp_path: Path, read: Callable[[Path], Any], document: Any, place: str
) -> None:
    path = dump(tmp_path / "a.json", document)
    with pytest.raises(KoineError) as error:
        list(read(path))
    assert str(error.value).startswith(f"{path}: {place}")


@pytest.mark.parametrize("qas", BAD_QUESTIONS)
def test_bad_questions_are_named_with_article_and_paragraph(tmp_path: Path, qas: Any) -> None:
    path = dump(tmp_path / "a.json", {"data": [{"paragraphs": [GOOD, {"context": "c", "qas": qas}]}]})
    with pytest.raises(KoineError) as error:
        list(read_squad(path))
    assert str(error.value).startswith(f"{path}: data[0].paragraphs[1]: not SQuAD format")


def test_articles_without_a_title_belong_to_no_group(tmp_path: Path) -> None:
    """A made-up title would be one that another file without titles has too."""
    path = dump(tmp_path / "a.json", {"data": [{"paragraphs": [GOOD]}]})
    assert [row["group"] for row in read_questions(path, "squad")] == [""]
    assert [title for title, *_ in read_contexts(path)] == [""]


# --- JSONL -----------------------------------------------------------------------------------------------


def test_jsonl_rows_are_named_by_their_line_unless_they_say_otherwise(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {"question": "q1", "passage": "p1"},
        "",
        {"id": "mine", "question": "q2", "passage": "p2", "answer": "a", "lang": "fi", "domain": "d", "group": "g"},
        {"id": None, "question": "q3", "passage": "p3", "answer": None},
    )
    rows = list(read_questions(path, "jsonl"))
    assert [row["id"] for row in rows] == ["1", "mine", "4"]
    assert rows[1]["lang"] == "fi"


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"passage": "p"}, "question"),
        ({"question": "q"}, "passage"),
        ({"question": " ", "passage": "p"}, "question"),
        ({"question": "q", "passage": ["p"]}, "passage"),
        ({"question": "q", "passage": "p", "answer": ["a"]}, "answer"),
        ({"question": "q", "passage": "p", "answer": 5}, "answer"),
        ({"question": "q", "passage": "p", "lang": 5}, "lang"),
        ({"question": "q", "passage": "p", "domain": {}}, "domain"),
    ],
)
def test_a_bad_jsonl_row_is_named_with_its_line_and_field(tmp_path: Path, row: dict[str, Any], field: str) -> None:
    path = lines(tmp_path / "a.jsonl", {"question": "q", "passage": "p"}, row)
    with pytest.raises(KoineError) as error:
        list(read_questions(path, "jsonl"))
    assert f"{path}:2: {field!r}" in str(error.value)


@pytest.mark.parametrize("reader", ["squad", "jsonl"])
def test_an_answer_beyond_any_text_is_refused_with_its_place(tmp_path: Path, reader: str) -> None:
    row = {"id": 1, "question": "Who?", "passage": "Ada.", "answer_start": 10**30}
    answer = {"text": "Ada", "answer_start": 10**30}
    paragraph = {"context": "Ada.", "qas": [{"id": "1", "question": "Who?", "answers": [answer]}]}
    path = tmp_path / "a"
    path.write_text(
        json.dumps(row if reader == "jsonl" else {"data": [{"title": "t", "paragraphs": [paragraph]}]}), encoding="utf-8"
    )
    with pytest.raises(KoineError, match=str(path)):
        collect_source([path], tmp_path / "o", name="x", reader=reader, lang="en", domain="", licence="")  # type: ignore[arg-type]


def test_a_source_keeps_what_its_rows_say(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "a.jsonl",
        {"id": 7, "question": " Who? ", "passage": " Ada.\n", "answer": "Ada", "lang": "fr", "domain": "d", "group": 3},
        {"id": 8, "question": "When?", "passage": "Ada."},
        {"id": 7, "question": "Who?", "passage": "the same question with another passage is left out"},
        {"id": 7, "question": "Where?", "passage": "another question of the same id"},
        {"id": 7, "question": "Why?", "passage": "and one more"},
        {"id": "7#2", "question": "Whose?", "passage": "an id that is given already"},
    )
    collect_source([path], tmp_path / "qa.parquet", name="mine", reader="jsonl", lang="en", domain="x", licence="CC0")
    first, second, *others = QA.read(tmp_path / "qa.parquet").to_dicts()
    assert [(row["id"], row["question"]) for row in others] == [
        ("mine/7#2", "Where?"), ("mine/7#3", "Why?"), ("mine/7#2#2", "Whose?")
    ]  # fmt: skip
    assert (first["id"], first["question"], first["passage"], first["answer"]) == ("mine/7", "Who?", "Ada.", "Ada")
    assert (first["lang"], first["domain"], first["group"], first["licence"]) == ("fr", "d", "3", "CC0")
    assert (second["lang"], second["domain"], second["answer"]) == ("en", "x", None)
    assert first["passage_id"] == second["passage_id"] == second["group"]


def test_many_questions_of_one_id_take_no_longer_than_of_many(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *({"id": 0, "question": f"What is {n}?", "passage": "A number."} for n in range(30_000)))
    collect_source([path], tmp_path / "qa.parquet", name="mine", reader="jsonl", lang="en", domain="", licence="")
    assert QA.read(tmp_path / "qa.parquet")["id"].to_list() == ["mine/0", *(f"mine/0#{n}" for n in range(2, 30_001))]


def test_a_source_without_questions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KoineError, match=r"a\.jsonl: no questions in it"):
        collect_source([lines(tmp_path / "a.jsonl")], tmp_path / "o", name="x", reader="jsonl", lang="en", domain="", licence="")


def test_a_memory_holds_no_questions(tmp_path: Path) -> None:
    with pytest.raises(KoineError, match="unknown reader of questions 'memory'"):
        list(read_questions(tmp_path / "a", "memory"))


# --- the registry ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "entry"), READERS.items())
def test_an_entry_says_all_that_is_to_be_known_of_a_format(name: str, entry: Reader) -> None:
    assert entry.words and entry.reads
    for function in (*entry.reads.values(), *([entry.files] if entry.files else [])):
        assert callable(target(function)), function
    if entry.tables:
        assert entry.files and {*target(entry.tables).values()} == {
            str(path.relative_to("x")) for path in folder_files(name, Path("x"), "test")
        }
    taken = {
        gives: {*inspect.signature(target(function)).parameters} - {"path", "folder", "files"}
        for gives, function in entry.reads.items()
    }
    assert taken.get("questions", set()) == ({"columns"} if entry.columns else set())
    if "benchmark" in taken:
        assert taken["benchmark"] == {option for option, has in (("candidate", entry.sentences), ("split", entry.split)) if has}


def test_every_module_of_a_format_is_in_the_registry_or_shared_by_several() -> None:
    named = {function.partition(":")[0] for entry in READERS.values() for function in entry.reads.values()}
    found = {f"{formats.__name__}.{module.name}" for module in pkgutil.iter_modules(formats.__path__)}
    assert found - named == {f"{formats.__name__}.{shared}" for shared in ("languages", "pieces", "qrels", "rows")}


def test_an_unknown_reader_is_an_error_with_the_nearest_one_and_all_that_there_are(tmp_path: Path) -> None:
    source = {"path": "own/{name}", "files": {"en": {"name": "a"}}}
    with pytest.raises(ValidationError, match=r"unknown reader of a source 'sqad'; did you mean 'squad'.*omos-qa.*dictionary"):
        Source.model_validate({**source, "reader": "sqad"})
    with pytest.raises(ValidationError, match="unknown reader of a source 'lines'"):
        Source.model_validate({**source, "reader": "lines"})
    with pytest.raises(ValidationError, match="unknown reader of a benchmark 'memory'"):
        Benchmark.model_validate({**source, "reader": "memory"})
    with pytest.raises(ValidationError, match="unknown reader of a probe 'jsonl'"):
        Probe.model_validate({"path": "{name}", "files": {"train": {"name": "a"}, "test": {"name": "b"}}, "reader": "jsonl"})
    with pytest.raises(KoineError, match="did you mean 'mewsli-x'"):
        collect_benchmark({"en": tmp_path}, tmp_path / "o", reader="mewsli")
    with pytest.raises(KoineError, match="did you mean 'csv'"):
        collect_source([tmp_path], tmp_path / "o", name="x", reader="cvs")


def test_the_schema_lists_the_readers() -> None:
    kinds = {Source: {"questions", "memory", "dictionary"}, Benchmark: {"questions", "benchmark"}, Probe: {"nli"}}
    for kind, gives in kinds.items():
        listed = kind.model_json_schema()["properties"]["reader"]["enum"]
        assert listed == [name for name, entry in READERS.items() if gives & {*entry.reads}]


def test_columns_that_nothing_reads_are_refused() -> None:
    source = {"files": {"en": {"name": "a"}}, "columns": {"question": "query"}}
    with pytest.raises(
        ValidationError, match="columns: reader squad knows its columns; only jsonl, csv and data sets of the Hub"
    ):
        Source.model_validate({**source, "path": "own/{name}", "reader": "squad"})
    assert Source.model_validate({**source, "hub": "a/b", "reader": "squad"}).columns
    assert Source.model_validate({**source, "path": "own/{name}", "reader": "csv"}).columns


# --- any JSON at all -------------------------------------------------------------------------------------

KEYS = ["data", "paragraphs", "context", "qas", "id", "question", "answers", "text", "answer_start", "sentence_breaks"]
KEYS += ["title", "passage", "answer", "negatives", "_id", "source", "target", "source_lang", "target_lang", "is_impossible"]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["", "a", "x y", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
SQUADLIKE = st.fixed_dictionaries(
    {
        "data": st.lists(
            st.fixed_dictionaries({"paragraphs": st.lists(ANY | st.dictionaries(st.sampled_from(KEYS), ANY), max_size=2)})
        )
    }
)


@given(document=ANY | SQUADLIKE, reader=st.sampled_from(["squad", "jsonl"]))
def test_no_json_makes_a_source_fail_but_by_a_message(
    tmp_path_factory: pytest.TempPathFactory, document: object, reader: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = dump(folder / "any.json", document)
    try:
        collect_source([path], folder / "any.parquet", name="x", reader=reader, lang="en", domain="", licence="")
    except KoineError as error:
        assert str(error)


@given(document=ANY | SQUADLIKE, candidate=st.sampled_from(["passage", "sentence", "sentence+context"]))
def test_no_json_makes_a_benchmark_fail_but_by_a_message(
    tmp_path_factory: pytest.TempPathFactory, document: object, candidate: Any
) -> None:
    folder = tmp_path_factory.getbasetemp()
    path = dump(folder / "any.json", document)
    try:
        collect_benchmark({"en": path}, folder / "any", reader="squad", candidate=candidate, parallel_only=False)
    except KoineError as error:
        assert str(error)


@given(row=ANY)
def test_no_json_makes_a_memory_or_beir_file_fail_but_by_a_message(tmp_path_factory: pytest.TempPathFactory, row: object) -> None:
    path = dump(tmp_path_factory.getbasetemp() / "any.jsonl", row)
    for read in (lambda: list(read_memory(path)), lambda: dict(read_texts(path))):
        try:
            read()
        except KoineError as error:
            assert f"{path}:1" in str(error)


# --- BEIR ------------------------------------------------------------------------------------------------


def beir(folder: Path, *qrels: str, split: str = "test") -> Path:
    lines(folder / "queries.jsonl", *({"_id": f"q{n}", "text": f"question {n}"} for n in range(3)))
    lines(folder / "corpus.jsonl", *({"_id": f"p{n}", "title": "T" * n, "text": f"passage {n}"} for n in range(3)))
    lines(folder / "qrels" / f"{split}.tsv", *qrels)
    return folder


HEAD = "query-id\tcorpus-id\tscore"


def test_beir_puts_a_title_before_its_text(tmp_path: Path) -> None:
    beir(tmp_path)
    assert dict(read_texts(tmp_path / "corpus.jsonl")) == {"p0": "passage 0", "p1": "T passage 1", "p2": "TT passage 2"}


@pytest.mark.parametrize("head", [[HEAD], []], ids=["header", "no header"])
def test_beir_gives_positive_judgements_with_or_without_a_header(tmp_path: Path, head: list[str]) -> None:
    beir(tmp_path, *head, "q0\tp0\t1", "q0\tp1\t0", "q1\tp2\t2", "q2\tp2\t-1")
    assert list(read_qrels(tmp_path)) == [("q0", "p0"), ("q1", "p2")]
    assert list(read_questions(tmp_path, "beir")) == [
        {"id": "q0", "question": "question 0", "passage": "passage 0"},
        {"id": "q1", "question": "question 1", "passage": "TT passage 2"},
    ]


def test_beir_prefers_test_to_dev_to_train(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        beir(tmp_path, HEAD, f"{split}\tp0\t1", split=split)
        assert list(read_qrels(tmp_path)) == [(split, "p0")]


@pytest.mark.parametrize("row", ["q0 p0 1", "q0\t0\tp0\t1", "q0\tp0\tyes", "q0\tp0\t0.5", "q0\tp0"])
def test_a_bad_judgement_is_named_with_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(KoineError, match=r"test\.tsv:3: expected query-id, corpus-id and an integer score"):
        list(read_qrels(beir(tmp_path, HEAD, "q0\tp0\t1", row)))


def test_judgements_that_are_not_there_or_not_utf8_or_of_unknown_texts_are_errors(tmp_path: Path) -> None:
    with pytest.raises(KoineError, match="none of test"):
        list(read_qrels(tmp_path))
    with pytest.raises(KoineError, match="'p9', which neither queries nor corpus hold"):
        list(read_questions(beir(tmp_path, HEAD, "q0\tp9\t1"), "beir"))
    (tmp_path / "qrels/test.tsv").write_bytes(b"q\xe9\tp0\t1\n")
    with pytest.raises(KoineError, match=r"test\.tsv: not UTF-8"):
        list(read_qrels(tmp_path))


@pytest.mark.parametrize("split", ["test", "dev"])
def test_a_source_is_a_beir_folder_or_its_files_packed_or_not(tmp_path: Path, split: str) -> None:
    """By hand a folder; from Snakemake the files that it consists of."""
    folder = beir(tmp_path / "raw", HEAD, "q0\tp2\t1", split=split)
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress((folder / "corpus.jsonl").read_bytes()))
    (folder / "corpus.jsonl").unlink()
    (folder / "README.md").write_text("more", encoding="utf-8")
    files = folder_files("beir", folder, "")
    assert [path.relative_to(folder).as_posix() for path in files] == ["corpus.jsonl.gz", "queries.jsonl", f"qrels/{split}.tsv"]
    for paths in ([folder], files, [folder / "README.md", *files[::-1]], [files[2]]):
        collect_source(paths, tmp_path / "qa.parquet", name="s", reader="beir")
        assert QA.read(tmp_path / "qa.parquet").select("question", "passage").rows() == [("question 0", "TT passage 2")]
    with pytest.raises(KoineError, match=r"README\.md: no questions in it"):
        collect_source([folder / "README.md"], tmp_path / "qa.parquet", name="s", reader="beir")


@pytest.mark.parametrize("row", [{"text": "t"}, {"_id": "a"}, {"_id": "a", "text": None}, {"_id": "a", "text": 5}])
def test_a_bad_beir_row_is_named_with_its_line(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(KoineError, match=r"a\.jsonl:2: BEIR rows need"):
        list(read_texts(lines(tmp_path / "a.jsonl", {"_id": "x", "text": "x"}, row)))


def test_a_beir_benchmark_keeps_every_passage_and_the_judged_queries(tmp_path: Path) -> None:
    folders = {lang: beir(tmp_path / lang, HEAD, "q0\tp0\t1", "q0\tp1\t1", "q2\tp2\t1") for lang in ("en", "fi")}
    collect_benchmark(folders, tmp_path / "out", reader="beir", candidate="passage", parallel_only=False)
    queries, qrels = QUERIES.read(tmp_path / "out/queries.parquet"), QRELS.read(tmp_path / "out/qrels.parquet")
    assert queries.select("lang", "id").rows() == [(lang, i) for lang in ("en", "fi") for i in ("q0", "q2")]
    assert len(qrels) == 6
    assert len(PASSAGES.read(tmp_path / "out/passages.parquet")) == 6


def test_beir_folders_have_no_sentences(tmp_path: Path) -> None:
    with pytest.raises(KoineError, match="whole passages only"):
        collect_benchmark(
            {"en": beir(tmp_path, HEAD)}, tmp_path / "out", reader="beir", candidate="sentence", parallel_only=False
        )


# --- memories --------------------------------------------------------------------------------------------

SEGMENTS = st.builds(Segment, *[st.sampled_from(["en", "fi", "zh"])] * 2, st.text(max_size=9), st.text(max_size=9))


@given(segments=st.lists(SEGMENTS, max_size=5))
def test_a_jsonl_memory_gives_its_segments_in_order(tmp_path_factory: pytest.TempPathFactory, segments: list[Segment]) -> None:
    path = lines(tmp_path_factory.getbasetemp() / "memory.jsonl", *map(vars, segments))
    assert list(read_memory(path)) == segments


@pytest.mark.parametrize("key", ["source_lang", "target_lang", "source", "target"])
def test_a_memory_row_without_a_field_is_named_with_its_line(tmp_path: Path, key: str) -> None:
    row = vars(Segment("en", "fi", "a", "b"))
    missing = {name: value for name, value in row.items() if name != key}
    with pytest.raises(KoineError, match=rf"a\.jsonl:2: a memory row needs '{key}'"):
        list(read_memory(lines(tmp_path / "a.jsonl", row, missing)))
    with pytest.raises(KoineError, match=r"a\.jsonl:1: all four fields of a memory row are text"):
        list(read_memory(lines(tmp_path / "a.jsonl", {**row, key: 5})))


def tmx(path: Path, body: str) -> Path:
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><tmx version="1.4"><header/><body>{body}</body></tmx>', encoding="utf-8"
    )
    return path


def tuv(lang: str, text: str) -> str:
    return f'<tuv xml:lang="{lang}"><seg>{text}</seg></tuv>'


def test_tmx_gives_every_ordered_pair_of_languages(tmp_path: Path) -> None:
    units = (
        f"<tu>{tuv('en-GB', ' colour ')}{tuv('fi', 'väri')}{tuv('ZH', '颜色')}</tu><tu>{tuv('en', 'a')}{tuv('de-AT', 'b')}</tu>"
    )
    assert set(read_memory(tmx(tmp_path / "a.tmx", units))) == {
        *(Segment("en", "fi", "colour", "väri"), Segment("en", "zh", "colour", "颜色"), Segment("fi", "zh", "väri", "颜色")),
        *(Segment("fi", "en", "väri", "colour"), Segment("zh", "en", "颜色", "colour"), Segment("zh", "fi", "颜色", "väri")),
        *(Segment("en", "de", "a", "b"), Segment("de", "en", "b", "a")),
    }


def test_tmx_markup_within_a_segment_is_dropped_and_its_text_kept(tmp_path: Path) -> None:
    unit = f"<tu><prop type='x'>note</prop>{tuv('en', 'a &amp; <ph/><hi>b</hi> c')}{tuv('fi', 'd')}</tu>"
    assert next(read_memory(tmx(tmp_path / "a.tmx", unit))) == Segment("en", "fi", "a & b c", "d")


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("<tu><tuv><seg>a</seg></tuv></tu>", "without xml:lang"),
        ("<tu><tuv xml:lang='en'/></tu>", "without xml:lang or <seg>"),
        ("<tu>", "not well-formed XML"),
    ],
)
def test_a_bad_tmx_is_named(tmp_path: Path, unit: str, message: str) -> None:
    with pytest.raises(KoineError, match=rf"a\.tmx: .*{message}"):
        list(read_memory(tmx(tmp_path / "a.tmx", unit)))


# --- dictionaries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("house {n} (abode) :: Haus {n}, Wohnung {f}", ["Haus", "Wohnung"]),
        ("abate {v} (to lessen) :: nachlassen, sich legen (storm)", ["nachlassen", "sich legen"]),
        ("king {n} (monarch) :: 國王, 国王 /guówáng/", ["国王"]),
        ("abase {v} (to lower) :: 羞辱 /xiūrǔ/, 貶低, 贬低 /biǎndī/", ["羞辱", "贬低"]),
        ("abandon {v} (to leave behind) :: 遗弃", ["遗弃"]),
        ("book {n} :: كِتَاب {m} /kitāb/", ["كِتَاب"]),
        ("Aaron's rod {n} (mullein) SEE: mullein ::", []),
        ("abatage {n} (abattage) SEE: abattage :: something", []),
        ("the {article} (article) :: Not used in Turkish (you may use demonstratives instead.)", []),
        ("a {n} (the letter A) :: [English letter names are called as in English]", []),
        ("have {v} :: no direct equivalent in Finnish", []),
        ("stranger {n} :: " + " ".join(["word"] * LONGEST_TRANSLATION), [" ".join(["word"] * LONGEST_TRANSLATION)]),
        ("stranger {n} :: " + " ".join(["word"] * (LONGEST_TRANSLATION + 1)), []),
        ("# English :: German dictionary", []),
        ("no braces :: kein Eintrag", []),
        ("empty {n} (sense) :: ", []),
        ("", []),
    ],
)
def test_a_dictionary_entry_gives_clean_translations_and_nothing_else(tmp_path: Path, entry: str, expected: list[str]) -> None:
    word = entry.split(" {")[0]
    path = lines(tmp_path / "d.txt", entry)
    assert list(read_dictionary(path)) == [(word, translation) for translation in expected]


def test_senses_stay_apart_and_in_order(tmp_path: Path) -> None:
    path = lines(tmp_path / "d.txt", "bank {n} (institution) :: Bank {f}", "bank {n} (edge of river) :: Ufer {n}, Bank {f}")
    assert list(read_dictionary(path)) == [("bank", "Bank"), ("bank", "Ufer"), ("bank", "Bank")]


@pytest.mark.parametrize("read", [read_dictionary, read_memory])
@pytest.mark.parametrize("name", ["absent.txt", "absent.tmx", "absent.jsonl"])
def test_a_missing_resource_is_named(tmp_path: Path, read: Callable[[Path], Any], name: str) -> None:
    with pytest.raises(KoineError, match=r"absent\.\w+: no such file"):
        list(read(tmp_path / name))


def test_a_dictionary_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_bytes(b"coffee {n} :: caf\xe9\n")
    with pytest.raises(KoineError, match=r"d\.txt: not UTF-8"):
        list(read_dictionary(tmp_path / "d.txt"))


def test_the_published_dictionaries_give_only_words(mirror: Path) -> None:
    folder = mirror / "raw.githubusercontent.com/open-dsl-dict/wiktionary-dict/74c2c11f3398606ef334dd6d0d3ecb9555a44faf/src"
    for name in ("en-tr-enwiktionary.txt", "en-cmn-enwiktionary.txt"):
        entries = list(read_dictionary(folder / name))
        assert len(entries) > 15_000
        assert not [entry for entry in entries if set(entry[1]) & set("{}[]()/;") or "not used" in entry[1].casefold()]
        assert all(0 < len(translation.split()) <= LONGEST_TRANSLATION for _, translation in entries)
        assert "the" not in {word for word, _ in entries if "tr-" in name}


# --- CSV, passages without questions ---------------------------------------------------------------------------


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1).filter(str.strip)


@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ","), ("a.csv", ";"), ("a.csv", "\t"), ("a.tsv", "\t"), ("a.csv.gz", ",")]
)
@given(rows=st.lists(st.tuples(FIELD, FIELD), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_csv_is_read_back_as_it_was_written(tmp_path: Path, name: str, separator: str, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / name
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(["query", "passage", "lang"])
    writer.writerows([*row, ""] for row in rows)
    content = text.getvalue().encode("utf-8-sig")  # as spreadsheets do
    path.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    read = list(read_questions(path, "csv", columns={"question": "query"}))
    assert [(row["question"], row["passage"]) for row in read] == rows
    assert all(row.get("lang") is None for row in read)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", r"a\.csv:1: expected a header"),
        ("question,question\n", r"a\.csv:1: expected a header with a name for each column"),
        ("question,passage\nWho?\n", r"a\.csv:2: 1 fields, the header has 2"),
        ("question,passage\nWho?,Ada.\nWho, then?,Bob.\n", r"a\.csv:3: 3 fields, the header has 2; quote such fields"),
        ('question,passage\nWho?,"Ada', r"a\.csv:2: not CSV \(unexpected end of data\)"),
        ("question,passage\nWho?,\n", r"a\.csv:2: 'passage' is missing or empty"),
        ("question,passage,answer_start\nWho?,Ada.,x\n", r"a\.csv:2: 'answer_start' is no whole number but 'x'"),
        (b"question,passage\nWho?,\xff\n", r"a\.csv:2: not UTF-8"),
    ],
)
def test_spoilt_csv_is_refused_by_its_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(KoineError, match=said):
        list(read_questions(path, "csv"))


def test_a_missing_column_is_named_as_the_file_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "Who?"}\n', encoding="utf-8")
    with pytest.raises(KoineError, match=r"a\.jsonl:1: 'p' is missing or empty"):
        list(read_questions(path, "jsonl", columns={"question": "q", "passage": "p"}))


def test_a_passage_is_asked_for_by_one_of_its_sentences(tmp_path: Path) -> None:
    """Inverse cloze task: the question is a sentence, which nine in ten passages then lack."""
    about = "Number {n} is the first of them. It was built of stone in {n}. Nobody lives in house {n} now."
    texts = [about.format(n=n) for n in range(300)]
    path = tmp_path / "p.jsonl"
    rows = [{"id": n, "title": f"House {n}", "text": text} for n, text in enumerate(texts)]
    write_jsonl(path, [*rows, {"text": "Only one sentence."}])
    rows = list(read_questions(path, "passages"))
    assert [row["id"] for row in rows] == [str(n) for n in range(300)], "one sentence is no question about the rest"
    kept = 0
    for row, text in zip(rows, texts, strict=True):
        assert row["question"] in text and row["group"] == f"House {row['id']}"
        whole = f"House {row['id']} {text}"
        kept += row["passage"] == whole
        assert row["passage"] in (whole, " ".join(whole.replace(row["question"], "").split()))
    assert 10 < kept < 60
    places = {text.index(row["question"]) > 0 for row, text in zip(rows, texts, strict=True)}
    assert places == {True, False} and rows == list(read_questions(path, "passages"))
    path.write_text('{"title": "x"}\n', encoding="utf-8")
    with pytest.raises(KoineError, match=r"p\.jsonl:1: 'text' is missing or empty"):
        list(read_questions(path, "passages"))
