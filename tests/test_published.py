"""QA data sets as they are published: each format is read, or refused with its place; the real files have their counts."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from koine.collect import registry
from koine.collect.benchmark import collect_benchmark
from koine.collect.formats import rows
from koine.collect.formats.dpr import NEGATIVES
from koine.collect.formats.pieces import WORDS, located, pieces
from koine.collect.formats.rows import json_rows
from koine.collect.formats.triples import read_questions as read_triples
from koine.collect.merge import collect
from koine.collect.readers import read_questions
from koine.collect.source import collect_source
from koine.licences import labelled, terms
from koine.params import Params
from koine.people.benchmark import prepare_benchmark
from koine.records import PASSAGES, QA, QRELS, QUERIES
from koine.report.origins import _collected
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json
from koine.translate.released import Released
from koine.workflow.experiment import Experiment

Frames = Callable[..., pl.DataFrame]


def encoded(name: str, value: object) -> bytes:
    """JSON; JSONL where the name says so; text as it is."""
    if isinstance(value, str):
        return value.encode()
    if ".jsonl" in name:
        return "".join(json.dumps(row) + "\n" for row in value).encode()  # type: ignore[attr-defined]
    return json.dumps(value, indent=1).encode()


def dump(path: Path, value: object) -> Path:
    """A file of `encoded`, packed where its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = encoded(path.name, value)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


# --- each format, as it is published ---------------------------------------------------------------------

PLOT = "Ada Lovelace meets Charles Babbage. She writes the first program."
STORY = "(CNN) -- Rain fell on Tuesday.\n\n\n\nThe mayor, Ada Byron, opened the bridge."
ARTICLE = "On engines\n\nThe engine has a mill. It has a store.\n\nAda wrote notes on it."
WIKIQA = (
    "QuestionID\tQuestion\tDocumentID\tDocumentTitle\tSentenceID\tSentence\tLabel\r\n"
    "Q1\thow are glacier caves formed?\tD1\tGlacier cave\tD1-0\tA partly submerged glacier cave .\t0\r\n"
    "Q1\thow are glacier caves formed?\tD1\tGlacier cave\tD1-3\tA glacier cave is formed within the ice .\t1\r\n"
)


def passage(title: str, text: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "text": text, **more}


#: Reader, file, content as published, expected questions as (id, group, question, passage, answer, negatives), other passages.
PUBLISHED: dict[str, tuple[str, str, Any, list[tuple[Any, ...]], list[str]]] = {
    "wikiqa": (
        "wikiqa",
        "WikiQA.tsv",
        WIKIQA,
        [("Q1/D1-3", "Glacier cave", "how are glacier caves formed?", "A glacier cave is formed within the ice .", None, None)],
        ["A partly submerged glacier cave ."],
    ),
    "dpr": (
        "dpr",
        "biencoder-nq-train.json.gz",
        [
            {
                "dataset": "nq_train_psgs_w100",
                "question": "who wrote the first program",
                "answers": ["Ada Lovelace", "Ada"],
                "positive_ctxs": [passage("Program", "Ada wrote it.", score=1000, title_score=1, passage_id="1")],
                "negative_ctxs": [passage("Rain", "It rains.")],
                "hard_negative_ctxs": [passage("Engine", "Babbage built it.")],
            },
            {"question": "nothing found", "answers": [], "positive_ctxs": [], "negative_ctxs": [], "hard_negative_ctxs": []},
        ],
        [
            (
                *("1", "Program", "who wrote the first program", "Program Ada wrote it.", "Ada"),
                ["Engine Babbage built it.", "Rain It rains."],
            )
        ],
        ["Engine Babbage built it.", "Rain It rains."],
    ),
    "a retriever's results": (
        "dpr",
        "train.json",
        [
            {
                "question": "Where was Ada born?",
                "answers": ["London"],
                "ctxs": [
                    passage("Ada", "She was a countess.", id="wiki:1", score="9", has_answer=False),
                    passage("Ada", "Born in London.", id="wiki:2", score="8", has_answer=True),
                ],
            }
        ],
        [("1", "Ada", "Where was Ada born?", "Ada Born in London.", "London", ["Ada She was a countess."])],
        ["Ada She was a countess."],
    ),
    "mr-tydi": (
        "dpr",
        "train.jsonl.gz",
        [
            {
                "query_id": "1",
                "query": "When was quantum field theory developed?",
                "positive_passages": [{"docid": "25267#12", **passage("Quantum field theory", "In the 1920s.")}],
                "negative_passages": [{"docid": "346489#8", **passage("Bohm", "Another theory.")}] * 2,
            }
        ],
        [
            (
                *("1", "Quantum field theory", "When was quantum field theory developed?", "Quantum field theory In the 1920s."),
                *(None, ["Bohm Another theory."] * 2),
            )
        ],
        ["Bohm Another theory."] * 2,
    ),
    "duorc": (
        "duorc",
        "SelfRC_train.json",
        [
            {
                "id": "/m/03vyhn",
                "plot": f"{PLOT}\n",
                "title": "Engines",
                "qa": [
                    {"id": "b4", "question": "Who meets Babbage?", "answers": ["Lovelace"], "no_answer": False},
                    {"id": "b5", "question": "Who is she?", "answers": ["a countess"], "no_answer": False},
                    {"id": "b6", "question": "Who sings?", "answers": [], "no_answer": True},
                ],
            }
        ],
        [
            ("b4", "Engines", "Who meets Babbage?", PLOT, "Lovelace", None),
            ("b5", "Engines", "Who is she?", PLOT, None, None),
        ],
        [PLOT],
    ),
    "newsqa": (
        "newsqa",
        "combined-newsqa-data-v1.json",
        {
            "data": [
                {
                    "storyId": "./cnn/stories/1.story",
                    "text": STORY,
                    "type": "train",
                    "questions": [
                        {"q": "Who opened it?", "consensus": {"s": 45, "e": 55}, "isAnswerAbsent": 0.0, "isQuestionBad": 0.0},
                        {"q": "Who sang?", "consensus": {"noAnswer": True}, "isAnswerAbsent": 1.0},
                        {"q": "???", "consensus": {"badQuestion": True}},
                    ],
                },
                {"storyId": "2", "text": "Rain.", "type": "test", "questions": [{"q": "?", "consensus": {"s": 0, "e": 4}}]},
            ],
            "version": "1",
        },
        [
            (
                *("./cnn/stories/1.story#1", "./cnn/stories/1.story", "Who opened it?"),
                *("The mayor, Ada Byron, opened the bridge.", "Ada Byron,", None),
            )
        ],
        ["(CNN) -- Rain fell on Tuesday.", "The mayor, Ada Byron, opened the bridge."],
    ),
    "nfL6": (
        "faq",
        "nfL6.json",
        [{"main_category": "Education", "question": "why?", "nbestanswers": ["So."], "answer": "Because.", "id": "2020338"}],
        [("2020338", None, "why?", "Because.", None, None)],
        [],
    ),
    "mfaq": (
        "faq",
        "train.jsonl",
        [
            {
                "domain": "example.org",
                "num_pairs": 2,
                "qa_pairs": [{"question": "a?", "answer": "A.", "language": "en"}, {"question": "b?", "answer": "B."}],
            }
        ],
        [("1-1", "example.org", "a?", "A.", None, None), ("1-2", "example.org", "b?", "B.", None, None)],
        [],
    ),
    "covid-qa": (
        "articles",
        "covidQA.json",
        {
            "data": [
                {
                    "paragraphs": [
                        {
                            "context": ARTICLE,
                            "document_id": 630,
                            "qas": [
                                {  # the published offsets of some answers do not count their leading space
                                    "question": "Who wrote on it?",
                                    "id": 262,
                                    "answers": [{"text": " Ada", "answer_start": 51}],
                                    "is_impossible": False,
                                },
                                {"question": "Why?", "id": 263, "answers": [], "is_impossible": True},
                            ],
                        }
                    ]
                }
            ]
        },
        [("262", "document 630", "Who wrote on it?", "Ada wrote notes on it.", "Ada", None)],
        ["On engines", "The engine has a mill. It has a store.", "Ada wrote notes on it."],
    ),
    "medquad": (
        "medquad",
        "medquad.jsonl",
        [
            {
                "id": "1-1",
                "question": "What is it?",
                "passage": "A cold.",
                "domain": "health",
                "source": "CDC",
                "url": "https://u/1",
            },
            {
                "id": "1-1",
                "question": "What is that?",
                "passage": "A flu.",
                "domain": "health",
                "source": "CDC",
                "url": "https://u/1",
            },
        ],
        [
            ("1", "https://u/1", "What is it?", "A cold.", None, None),
            ("2", "https://u/1", "What is that?", "A flu.", None, None),
        ],
        [],
    ),
    "pubmedqa": (
        "pubmedqa",
        "ori_pqal.json",
        {"21645374": {"QUESTION": "Does it?", "CONTEXTS": ["A.", "B."], "LONG_ANSWER": "It does.", "final_decision": "yes"}},
        [("21645374", "PMID 21645374", "Does it?", "A. B.", None, None)],
        [],
    ),
    "selqa": (
        "selqa",
        "selqa-ass-dev.json",
        [
            {
                "section": "Museums",
                "question": "Where is it?",
                "article": "Israel",
                "is_paraphrase": True,
                "topic": "COUNTRY",
                "answers": [2, 0],
                "candidates": ["One.", "", "In Jerusalem."],
                "q_types": ["where"],
            }
        ],
        [("1", "Israel", "Where is it?", "One. In Jerusalem.", "In Jerusalem.", None)],
        ["One. In Jerusalem."],
    ),
    "qed": (
        "qed",
        "qed-dev.jsonlines",
        [
            {
                "example_id": -3290814144789249484,
                "title_text": "Nobel",
                "question_text": "who got it",
                "paragraph_text": "It went to Roentgen .",
                "original_nq_answers": [[{"start": 11, "end": 19, "string": "Roentgen"}]],
                "annotation": {"explanation_type": "single_sentence"},
            },
            {
                "example_id": 2,
                "title_text": "Nobel",
                "question_text": "who else",
                "paragraph_text": "Nobody .",
                "original_nq_answers": [[{"start": 0, "end": 6, "string": "Nobody"}]],
                "annotation": {"explanation_type": "none"},
            },
        ],
        [("-3290814144789249484", "Nobel", "who got it", "It went to Roentgen .", "Roentgen", None)],
        ["It went to Roentgen .", "Nobody ."],
    ),
    "omos-qa": (
        "omos-qa",
        "dev_en.json",
        [
            {"id": 1, "question": "Where?", "answers": [1], "context": "Shops\nBy the river.", "pageId": 7, "language": "en"},
            {"id": 2, "question": "When?", "answers": [1], "context": "Shops\nAt the river.", "pageId": 7, "language": "en"},
            {"id": 3, "question": "Why?", "answers": [], "context": "Nothing", "pageId": 8, "language": "en"},
        ],
        [
            ("1", "page 7", "Where?", "Shops\nBy the river.", "By the river.", None),
            ("2", "page 7", "When?", "Shops\nBy the river.", "By the river.", None),
        ],
        ["Shops\nBy the river."] * 2 + ["Nothing"],
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_format_gives_its_questions_and_its_other_passages(tmp_path: Path, name: str) -> None:
    reader, file, content, wanted, others = PUBLISHED[name]
    path = dump(tmp_path / file, content)
    records = list(read_questions(path, reader))
    fields = ("id", "group", "question", "passage", "answer", "negatives")
    assert [tuple(record.get(field) for field in fields) for record in records] == wanted
    for record in records:
        if (start := record.get("answer_start")) is not None:
            assert record["passage"][start:].startswith(record["answer"])
    assert [record["passage"] for record in read_questions(path, reader, others=True) if "question" not in record] == others


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_format_becomes_a_source_and_a_benchmark(tmp_path: Path, name: str) -> None:
    reader, file, content, wanted, others = PUBLISHED[name]
    path = dump(tmp_path / file, content)
    collect_source([path], tmp_path / "qa.parquet", name="mine", reader=reader, licence="X")  # type: ignore[arg-type]
    assert QA.read(tmp_path / "qa.parquet")["question"].to_list() == [row[2] for row in wanted]
    out = tmp_path / "mine"
    collect_benchmark({"en": path}, out, reader=reader, candidate="passage", parallel_only=False)  # type: ignore[arg-type]
    assert QUERIES.read(out / "queries.parquet")["text"].to_list() == [row[2] for row in wanted]
    passages = PASSAGES.read(out / "passages.parquet")
    assert set(passages["text"]) == {*others, *(row[3] for row in wanted)}
    assert len(passages) == passages["text"].n_unique()
    texts = dict(passages.select("id", "text").iter_rows())
    gold = {(query, texts[key]) for query, _, key in QRELS.read(out / "qrels.parquet").iter_rows()}
    assert gold == {(str(row[0]), row[3]) for row in wanted}


@pytest.mark.parametrize(
    ("name", "change", "place"),
    [
        ("nfL6", lambda rows: rows[0].pop("answer"), "item 1: 'answer' is missing; a row has question and answer"),
        ("nfL6", lambda rows: rows.append(5), "item 2: .*; a row has question and answer"),
        ("duorc", lambda rows: rows[0].update(plot=" "), "item 1: ' ' is no text; a row of DuoRC has"),
        ("dpr", lambda rows: rows[0].pop("positive_ctxs"), "item 1: 'positive_passages' is missing; a row has question and"),
        ("mr-tydi", lambda rows: rows[0].update(query=None), ":1: None is no text; a row has question"),
        ("newsqa", lambda whole: whole["data"][0].pop("text"), "item 1: 'text' is missing; a story"),
        ("covid-qa", lambda whole: whole["data"][0].pop("paragraphs"), "item 1: 'paragraphs' is missing"),
        ("pubmedqa", lambda whole: whole["21645374"].update(CONTEXTS=[]), "21645374: '' is no text; an article of PubMedQA"),
        ("selqa", lambda rows: rows[0].update(answers=[9]), "item 1: list index out of range; a row of SelQA"),
        ("qed", lambda rows: rows[1].pop("annotation"), ":2: 'annotation' is missing; a row of QED"),
        ("omos-qa", lambda rows: rows[0].update(id=True), "item 1: True is no id; a row of OMoS-QA"),
        ("medquad", lambda rows: rows[1].pop("url"), ":2: 'url' is missing; a row of MedQuAD"),
    ],
)
def test_a_row_of_another_format_is_named_with_its_place_and_a_remedy(
    tmp_path: Path, name: str, change: Callable[[Any], Any], place: str
) -> None:
    reader, file, content, _, _ = PUBLISHED[name]
    content = json.loads(json.dumps(content))
    change(content)
    path = dump(tmp_path / file, content)
    with pytest.raises(KoineError, match=place) as error:
        list(read_questions(path, reader))
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WIKIQA.replace("\t1\r", "\tyes\r"), r":3: Label is 'yes'; WikiQA has"),
        (WIKIQA.replace("\tD1-0", ""), r":2: 6 fields, but the first line has 7"),
        (WIKIQA.replace("Sentence\t", "Text\t"), r":2: 'Sentence' is missing; WikiQA has"),
    ],
)
def test_a_bad_row_of_wikiqa_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(KoineError, match=message):
        list(read_questions(dump(tmp_path / "WikiQA.tsv", text), "wikiqa"))


@pytest.mark.parametrize("text", ["", "5", "[", '[{"question": "q"', '[{"question" "q"}]', "[1, 2", '{"data": ', "null"])
def test_a_broken_or_empty_file_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(KoineError, match=r"a\.json"):
        list(read_questions(dump(tmp_path / "a.json", text), "faq"))
    with pytest.raises(KoineError, match=r"b\.json: no such file"):
        list(read_questions(tmp_path / "b.json", "faq"))
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(b"[1, 2, 3]")[:-9])
    with pytest.raises(KoineError, match=r"c\.json\.gz: not a whole gzip file"):
        list(read_questions(tmp_path / "c.json.gz", "faq"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=8,
)


@given(items=st.lists(JSON, max_size=5), chunk=st.integers(1, 30), indent=st.sampled_from([None, 1]))
def test_a_list_that_is_read_piece_by_piece_is_the_list(
    tmp_path_factory: pytest.TempPathFactory, items: list[Any], chunk: int, indent: int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "list.json"
    path.write_text(json.dumps(items, indent=indent) + "\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "CHUNK", chunk)
        assert [row for _, _, row in json_rows(path)] == items


KEYS = ["data", "paragraphs", "context", "qas", "id", "question", "answers", "text", "answer_start", "plot", "title", "qa"]
KEYS += ["no_answer", "storyId", "type", "questions", "q", "consensus", "s", "e", "qa_pairs", "answer", "ctxs", "has_answer"]
KEYS += ["positive_ctxs", "query", "positive_passages", "passage", "url", "CONTEXTS", "QUESTION", "candidates", "article"]
KEYS += ["topic", "title_text", "question_text", "paragraph_text", "original_nq_answers", "annotation", "pageId"]
KEYS += ["explanation_type"]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["", "a", "train", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@given(
    document=ANY,
    reader=st.sampled_from(sorted({reader for reader, *_ in PUBLISHED.values()})),
    file=st.sampled_from(["a.json", "a.jsonl"]),
)
def test_no_json_makes_a_published_format_fail_but_by_a_message(
    tmp_path_factory: pytest.TempPathFactory, document: object, reader: Any, file: str
) -> None:
    path = tmp_path_factory.getbasetemp() / file
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        collect_source([path], path.with_suffix(".parquet"), name="x", reader=reader, lang="en", domain="", licence="")
        collect_benchmark({"en": path}, path.with_suffix(""), reader=reader, candidate="passage", parallel_only=False)
    except KoineError as error:
        assert str(error)


# --- pieces of long texts --------------------------------------------------------------------------------


@given(
    st.lists(
        st.lists(st.integers(1, 120).map(lambda n: " ".join(["w"] * n) + "."), min_size=1, max_size=6).map(" ".join), max_size=4
    )
)
def test_pieces_hold_every_word_once_and_at_most_200_of_them(paragraphs: list[str]) -> None:
    text = "\n \n".join(paragraphs)
    found = [text[start:end] for start, end in pieces(text)]
    assert " ".join(found).split() == text.split()
    assert all(piece == piece.strip() and piece and "\n" not in piece and len(piece.split()) <= WORDS for piece in found)
    assert len(found) >= len(paragraphs)


def test_the_piece_of_an_answer_is_where_it_starts() -> None:
    text = "First. " * 150 + "\n\n" + "The answer " + "is here. " * 150
    asked = [("1", "?", text.index("The answer"), "The answer"), ("2", "?", text.index("The answer"), text.strip()[-1300:])]
    within, over = (record for record in located(text, "g", asked) if "question" in record)
    assert within["passage"].startswith("The answer") and (within["answer"], within["answer_start"]) == ("The answer", 0)
    assert (over["answer"], over["answer_start"]) == (None, None)  # it does not end in its piece


# --- triples ---------------------------------------------------------------------------------------------


def mmarco(folder: Path, language: str, word: str) -> Path:
    dump(folder / "triples.train.ids.small.tsv", "".join(f"7\t1\t{n}\n" for n in range(2, 15)) + "8\t2\t1\n7\t1\t3\n")
    dump(folder / f"{language}_queries.train.tsv", f"7\t{word} seven?\n8\t{word} eight?\n9\tnot asked\n")
    dump(folder / f"{language}_collection.tsv", "".join(f"{n}\t{word} {n}\n" for n in range(20)))
    return folder


def test_triples_become_pairs_with_their_first_negatives(tmp_path: Path) -> None:
    first, second = read_triples(mmarco(tmp_path, "english", "passage"))
    assert (first["id"], first["question"], first["passage"]) == ("7-1", "passage seven?", "passage 1")
    assert first["negatives"] == [f"passage {n}" for n in range(2, 2 + NEGATIVES)]
    assert (second["id"], second["passage"], second["negatives"]) == ("8-2", "passage 2", ["passage 1"])


def test_translated_triples_are_released_translations(tmp_path: Path, qa: Frames) -> None:
    english, german = mmarco(tmp_path / "english", "english", "passage"), mmarco(tmp_path / "german", "german", "Absatz")
    collect_source([*english.iterdir()], tmp_path / "qa.parquet", name="mmarco", reader="triples")
    released = Released([german], "en", "de", QA.read(tmp_path / "qa.parquet"))
    texts = ["passage seven?", "passage 1", "passage 11", "passage 14"]
    assert released.translate(texts) == ["Absatz seven?", "Absatz 1", "Absatz 11", None]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("triples.train.ids.small.tsv", "1 2 3\n", r"small\.tsv:1: expected ids of a query, its passage and another passage"),
        ("triples.train.ids.small.tsv", "1\t2\t3\n", r"small\.tsv: names 1, which .*queries\.train\.tsv has not"),
        ("triples.train.ids.small.tsv", "7\t2\t77\n", r"small\.tsv: names 77, which .*_collection\.tsv has not"),
        ("english_queries.train.tsv", "7\n", r"queries\.train\.tsv:1: expected id and text of a query"),
        ("german_collection.tsv", "", r"put triples\.train\.ids\.small\.tsv, one language's"),
    ],
)
def test_triples_that_do_not_fit_are_named(tmp_path: Path, file: str, text: str, message: str) -> None:
    mmarco(tmp_path, "english", "passage")
    dump(tmp_path / file, text)
    with pytest.raises(KoineError, match=message):
        list(read_triples(tmp_path))


# --- a source as a benchmark -----------------------------------------------------------------------------


def test_equal_questions_share_their_passages_and_equal_ids_are_refused(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": n, "question": "What is it?", "passage": f"It is {n}."} for n in (1, 2)]
    rows.append({"id": 3, "question": "Why?", "passage": "It is 1.", "negatives": ["So what."]})
    path = dump(tmp_path / "a.jsonl", rows)
    collect_benchmark({"en": path}, tmp_path / "a", reader="jsonl", candidate="passage", parallel_only=False)
    judged = QRELS.read(tmp_path / "a/qrels.parquet").group_by("query_id").len().sort("query_id")
    assert dict(judged.iter_rows()) == {"1": 2, "2": 2, "3": 1}
    assert set(PASSAGES.read(tmp_path / "a/passages.parquet")["text"]) == {"It is 1.", "It is 2.", "So what."}
    dump(path, [*rows, {"id": 3, "question": "Who?", "passage": "It is 1."}])
    with pytest.raises(KoineError, match=r"a\.jsonl: two questions have the id '3'"):
        collect_benchmark({"en": path}, tmp_path / "b", reader="jsonl", candidate="passage", parallel_only=False)


def test_a_language_may_have_several_files(tmp_path: Path) -> None:
    for name in ("en", "en2", "fi", "fi2"):
        number = 1 + name.count("2")
        dump(tmp_path / f"{name}.jsonl", [{"id": number, "question": f"{name}?", "passage": f"{name}."}])
        squad = {"context": f"{name}.", "qas": [{"id": str(number), "question": f"{name}?", "answers": []}]}
        dump(tmp_path / f"{name}.json", {"data": [{"title": "T", "paragraphs": [squad]}]})
    for reader, suffix in (("jsonl", "jsonl"), ("squad", "json")):
        keys = {"en": "en", "en/2": "en2", "fi": "fi", "fi/2": "fi2"}
        files = {key: tmp_path / f"{name}.{suffix}" for key, name in keys.items()}
        collect_benchmark(files, tmp_path / "o", reader=reader, candidate="passage", parallel_only=True)  # type: ignore[arg-type]
        queries = QUERIES.read(tmp_path / "o/queries.parquet")
        assert queries.rows() == [("1", "en", "en?"), ("2", "en", "en2?"), ("1", "fi", "fi?"), ("2", "fi", "fi2?")]
    with pytest.raises(KoineError, match="takes one file or folder of a language, and this is the second of en"):
        collect_benchmark(files, tmp_path / "o", reader="lines", candidate="passage", parallel_only=False)


# --- the registry ----------------------------------------------------------------------------------------

#: Table 9 of arXiv 2408.10536.
TABLE_9 = {
    **{"wikiqa": 1_469, "mr-tydi-train": 3_547, "duorc": 33_298, "newsqa": 59_496, "natural-questions": 113_535},
    **{"yahoo-answers": 135_557, "entity-questions": 176_975, "mfaq": 3_567_659, "mmarco": 39_780_811},
}


def test_the_english_sources_of_the_paper_are_known_with_their_counts_and_homes() -> None:
    known = registry._built_in()
    assert {name: entry.expected for name, entry in known.sources.items() if entry.expected} == TABLE_9
    assert all(known.sources[name].home for name in [*TABLE_9, "mmarco-translations", "squadshifts"])
    assert {*known.sources["mmarco"].files, *known.sources["mmarco-translations"].files} == {
        *("ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "nl", "pt", "ru", "vi", "zh")
    }


def test_a_name_of_both_a_source_and_a_benchmark_is_the_same_data() -> None:
    known = registry._built_in()
    for name in {*known.sources} & {*known.benchmarks} - {"sample"}:
        assert registry.downloads(known.sources[name]) == registry.downloads(known.benchmarks[name])


QUESTIONS = {
    **{"medquad": 16_407, "covid-qa": 1_380, "pubmedqa": 1_000, "selqa-dev": 785, "qed-dev": 1_204, "omos-qa-train": 380},
    **{"jaquad-train": 31_748, "tydiqa-train": 3_696, "tydiqa-train-ko": 1_625, "tydiqa-train-sw": 2_755},
    **{"squad-train-mirror": 87_599},
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_published_files_have_their_counts(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from koine.runtime.download import download

    monkeypatch.setenv("KOINE_MIRROR", str(mirror))
    entry = registry.source(name)
    for file, wanted in registry.downloads(entry).items():
        download(wanted["location"], wanted["sha256"], tmp_path / file)
    files = [tmp_path / file.name for file in entry.files.values()]
    out = tmp_path / "qa.parquet"
    collect_source(files, out, name=name, reader=entry.reader, lang=entry.lang, domain=entry.domain, licence=entry.licence)
    rows = QA.read(out)
    assert len(rows) == QUESTIONS[name]
    assert rows["group"].str.len_chars().min() and rows["domain"].str.len_chars().min()  # type: ignore[operator]
    placed = rows.filter(pl.col("answer_start").is_not_null() & pl.col("answer").is_not_null())
    if entry.reader != "squad":  # whose offsets are as published
        answers = placed.select("passage", "answer", "answer_start").rows()
        assert all(passage[start:].startswith(answer) for passage, answer, start in answers)
    if name == "covid-qa":
        assert len(placed) == 1_371
        assert rows["passage"].str.split(" ").list.len().max() < 600  # type: ignore[operator]


#: Questions, passages and judgements of each language.
BENCHMARKS: dict[str, dict[str, tuple[int, int, int]]] = {
    "medquad": {"en": (16_407, 15_809, 22_302)},
    "covid-qa": {"en": (1_380, 3_691, 1_399)},
    "pubmedqa": {"en": (1_000, 1_000, 1_000)},
    "selqa": {"en": (1_590, 1_164, 1_590)},
    "qed": {"en": (1_204, 1_343, 1_204)},
    "omos-qa": {
        **{"en": (535, 441, 545), "de": (535, 441, 541), "fr": (535, 441, 543)},
        **{"ar": (535, 441, 549), "uk": (535, 441, 547)},
    },
    "jaquad": {"ja": (3_939, 1_431, 3_939)},
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_benchmarks_of_other_domains_have_their_counts(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("KOINE_MIRROR", str(mirror))
    folder = prepare_benchmark(name, tmp_path)
    schemas = {"queries": QUERIES, "passages": PASSAGES, "qrels": QRELS}
    tables = [schema.read(folder / f"{file}.parquet") for file, schema in schemas.items()]
    counts = {lang: tuple(len(table.filter(lang=lang)) for table in tables) for lang in tables[0]["lang"].unique()}
    assert counts == BENCHMARKS[name]
    assert len({tuple(part["id"].sort()) for part in tables[0].partition_by("lang")}) == 1  # parallel


# --- licences, and the counts of the literature ------------------------------------------------------------


@pytest.mark.parametrize(
    ("licence", "forbidden"),
    [
        ("CC-BY-SA-4.0", []),
        ("CC-BY-NC-4.0 AND OANC", ["non-commercial"]),
        ("CC-BY-NC-ND-4.0", ["non-commercial", "no-derivatives"]),
        ("CC-BY-NC-4.0 OR CC-BY-4.0", []),
        ("Newswire, research only, no redistribution", ["non-commercial", "no-redistribution"]),
        ("LicenseRef-Yahoo-Webscope", ["non-commercial", "no-redistribution"]),
        ("", []),
    ],
)
def test_a_licence_says_what_it_forbids(licence: str, forbidden: list[str]) -> None:
    assert terms(licence) == forbidden
    assert labelled(licence) == (f"{licence} ({', '.join(forbidden)})" if forbidden else licence)


def test_the_list_of_sources_says_what_their_licences_forbid() -> None:
    rows = {row[0]: row[3] for row in registry.listing()}
    assert rows["wikiqa"] == "LicenseRef-MSR-Data (non-commercial, no-redistribution)"
    assert rows["mlqa-r"] == "CC-BY-NC-4.0 (non-commercial)"
    assert rows["duorc"] == "MIT"


def test_another_count_than_the_literature_s_is_said_and_kept(
    tmp_path: Path, qa: Frames, capsys: pytest.CaptureFixture[str]
) -> None:
    QA.write(qa({"source": "wikiqa", "licence": "CC-BY-NC-4.0"}, {"source": "duorc"}), tmp_path / "a.parquet")
    collect([tmp_path / "a.parquet"], tmp_path, expected={"wikiqa": 1469, "duorc": 1})
    said = capsys.readouterr().err
    assert "wikiqa: 1 questions kept; the literature reports 1,469" in said and "duorc" not in said
    counts = read_json(tmp_path / "collect.json")
    assert counts["sources"] == [
        {"source": "duorc", "licence": "", "questions": 1, "expected": 1},
        {"source": "wikiqa", "licence": "CC-BY-NC-4.0", "questions": 1, "expected": 1469},
    ]
    assert "CC-BY-NC-4.0 (non-commercial)" in "".join(map(str, _collected(counts)))


def test_the_plan_compares_the_sources_that_have_a_count() -> None:
    recipe = {**Params(recipe="mine").model_dump(), "collect": {"sources": ["squad-train", "wikiqa"]}}
    assert Experiment(recipe).jobs.collect["flags"].endswith(" --expected wikiqa=1469")
    assert "--expect" not in Experiment(Params().model_dump()).jobs.collect["flags"]
