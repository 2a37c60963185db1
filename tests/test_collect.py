"""Collect: benchmarks are the published ones, duplicates go, and nothing that a benchmark holds is trained on."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from koine.collect import registry
from koine.collect.benchmark import collect_benchmark
from koine.collect.clean import clean_pairs, near_duplicates
from koine.collect.contamination import Contamination, NgramHasher, benchmark_contamination
from koine.collect.download import collect_download
from koine.collect.formats.memory import read_memory
from koine.collect.formats.squad import read_squad
from koine.collect.merge import collect
from koine.collect.source import collect_source
from koine.params import Clean
from koine.people.benchmark import prepare_benchmark
from koine.records import PASSAGES, QA, QRELS, QUERIES
from koine.runtime.errors import KoineError
from koine.text.normalise import normalise, words

Frames = Callable[..., pl.DataFrame]

# One word each, in scripts with and without spaces.
VOCABULARY = ["alpha", "beta", "gamma", "1999", "привет", "мир", "كتاب", "سلام", "नमस्ते", "किताब", "中", "国", "人", "ก", "ё"]
SENTENCES = st.lists(st.sampled_from(VOCABULARY), max_size=12)


def grams(tokens: list[str], n: int) -> set[tuple[str, ...]]:
    """The runs of n words, where two Chinese characters or four Thai ones are a word, as long as they must be."""
    weight = {token: 2 if token in "中国人" else 1 if token == "ก" else 4 for token in tokens}
    runs = ((tokens[i:j] for j in range(i + 1, len(tokens) + 1)) for i in range(len(tokens)))
    found = (next((run for run in longer if sum(weight[t] for t in run) >= 4 * n), None) for longer in runs)
    return {tuple(run) for run in found if run}


# --- published benchmarks --------------------------------------------------------------------------------

XQUAD_R = {
    **{"ar": 1222, "de": 1276, "el": 1234, "en": 1180, "es": 1215, "hi": 1244},
    **{"ru": 1219, "th": 852, "tr": 1167, "vi": 1209, "zh": 1196},
}
MLQA_R = {"ar": 2545, "de": 2362, "en": 6264, "es": 1787, "hi": 2426, "vi": 2828, "zh": 2322}
MLQA_R_QUESTIONS = {"ar": 517, "de": 512, "en": 1148, "es": 500, "hi": 507, "vi": 511, "zh": 504}


@pytest.fixture(scope="module")
def prepared(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Prepares a benchmark of the registry once, from the mirror; gives its folder."""
    scratch = tmp_path_factory.mktemp("benchmarks")

    def prepare(name: str) -> Path:
        if not (scratch / name / "qrels.parquet").exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("KOINE_MIRROR", str(mirror))
                prepare_benchmark(name, scratch)
        return scratch / name

    return prepare


def counts(path: Path) -> dict[str, int]:
    return dict(pl.read_parquet(path).group_by("lang").len().iter_rows())


def test_xquad_r_has_the_published_counts_and_is_parallel(prepared: Callable[[str], Path]) -> None:
    folder = prepared("xquad-r")
    assert counts(folder / "passages.parquet") == XQUAD_R
    assert counts(folder / "queries.parquet") == dict.fromkeys(XQUAD_R, 1190)
    assert counts(folder / "qrels.parquet") == dict.fromkeys(XQUAD_R, 1190)
    ids = QUERIES.read(folder / "queries.parquet").group_by("lang").agg(pl.col("id").sort())["id"]
    assert all(ids[0].to_list() == other.to_list() for other in ids)


def test_mlqa_r_has_the_published_counts(prepared: Callable[[str], Path]) -> None:
    folder = prepared("mlqa-r")
    assert counts(folder / "passages.parquet") == MLQA_R
    assert counts(folder / "queries.parquet") == MLQA_R_QUESTIONS


def test_mlqa_r_has_a_gold_answer_for_11548_of_25194_queries_in_another_language(prepared: Callable[[str], Path]) -> None:
    folder = prepared("mlqa-r")
    asked = QUERIES.read(folder / "queries.parquet").select("id", asked="lang")
    judged = QRELS.read(folder / "qrels.parquet").select("lang", id="query_id").unique()
    overlap = asked.join(judged, on="id")
    assert len(asked) * (len(MLQA_R) - 1) == 25_194
    assert len(overlap.filter(pl.col("asked") != pl.col("lang"))) == 11_548
    english = dict(overlap.filter(asked="en").group_by("lang").len().iter_rows())
    assert english == MLQA_R_QUESTIONS  # every question was asked in English too
    assert len(overlap.filter(asked="hi", lang="vi")) == 177


@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r"])
def test_a_candidate_is_sentence_and_context_without_newlines(prepared: Callable[[str], Path], name: str) -> None:
    folder = prepared(name)
    passages = PASSAGES.read(folder / "passages.parquet")
    assert not passages["text"].str.contains("\n", literal=True).any()
    for lang, file in registry.benchmark(name).files.items():
        expected, seen = [], set()
        for article in json.loads((folder / "raw" / file.name).read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                context = paragraph["context"]
                if context not in seen:
                    seen.add(context)
                    expected += [(context[i:j] + context).replace("\n", "") for i, j in paragraph["sentence_breaks"]]
        assert passages.filter(lang=lang)["text"].to_list() == expected


@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r", "squad-dev-parallel"])
def test_every_gold_candidate_exists_and_holds_its_answer(prepared: Callable[[str], Path], name: str) -> None:
    folder = prepared(name)
    passages = {(lang, i): text for i, lang, _, text in PASSAGES.read(folder / "passages.parquet").iter_rows()}
    gold = {(lang, query): passages[lang, passage] for query, lang, passage in QRELS.read(folder / "qrels.parquet").iter_rows()}
    assert len(passages) == len(PASSAGES.read(folder / "passages.parquet"))
    if name != "squad-dev-parallel":  # there the answers of some translations are known not to be
        for lang, file in registry.benchmark(name).files.items():
            for question in read_squad(folder / "raw" / file.name):
                start = question.answer_start or 0
                head = question.context[start : start + 5].replace("\n", "")
                assert head in gold[lang, question.id]


def test_squad_dev_parallel_has_the_1684_questions_that_all_six_languages_have(prepared: Callable[[str], Path]) -> None:
    folder = prepared("squad-dev-parallel")
    files = registry.benchmark("squad-dev-parallel").files
    raw = {lang: {question.id for question in read_squad(folder / "raw" / file.name)} for lang, file in files.items()}
    assert {lang: len(ids) for lang, ids in raw.items()} == {
        **{"en": 10_570, "es": 6_583, "da": 7_603},
        **{"it": 6_895, "sv": 5_211, "fi": 4_877},
    }
    everywhere = set.intersection(*raw.values())
    assert len(everywhere) == 1_684
    assert counts(folder / "queries.parquet") == counts(folder / "qrels.parquet") == dict.fromkeys(files, 1_684)
    assert set(QUERIES.read(folder / "queries.parquet")["id"]) == everywhere
    gold = QRELS.read(folder / "qrels.parquet").select("lang", id="passage_id").unique()
    assert (
        len(gold)
        == len(PASSAGES.read(folder / "passages.parquet").join(gold, on=["lang", "id"]))
        == sum(counts(folder / "passages.parquet").values())
    )


def test_squad_train_has_87599_questions_and_shares_four_titles_with_mlqa_r(
    prepared: Callable[[str], Path], mirror: Path
) -> None:
    questions = list(read_squad(mirror / "local/squad/train-v1.1.json"))
    assert len(questions) == 87_599
    titles = PASSAGES.read(prepared("mlqa-r") / "passages.parquet").filter(lang="en")["group"].unique()
    contamination = Contamination(13)
    contamination.add("mlqa-r", [], titles)
    shared = {title for title in {question.title for question in questions} if contamination.find_title(title)}
    assert len(shared) == 4


def test_the_finnish_memory_has_102796_segments_and_nearly_as_many_back(mirror: Path) -> None:
    # The README of the mirror says "each way"; the way back is 136 rows shorter.
    for direction, count in {("en", "fi"): 102_796, ("fi", "en"): 102_660}.items():
        segments = read_memory(mirror / "local/squad-fi" / f"memory.{'-'.join(direction)}.jsonl")
        assert sum((segment.source_lang, segment.target_lang) == direction for segment in segments) == count


@pytest.mark.parametrize("find", [registry.source, registry.benchmark])
def test_an_unknown_name_gives_the_nearest_ones(find: Callable[[str], object]) -> None:
    with pytest.raises(KoineError, match=r"unknown \w+ 'sampel': try sample"):
        find("sampel")


# --- candidates, on a small file -------------------------------------------------------------------------


def squad(path: Path, context: str, breaks: list[list[int]] | None, *questions: tuple[str, str], title: str | None = "T") -> Path:
    qas = [{"id": i, "question": f"{i}?", "answers": [{"text": a, "answer_start": context.find(a)}]} for i, a in questions]
    paragraph = {"context": context, "qas": qas, **({} if breaks is None else {"sentence_breaks": breaks})}
    article = {"paragraphs": [paragraph], **({} if title is None else {"title": title})}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"data": [article]}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("candidate", "texts", "gold"),
    [
        ("sentence", ["Ada wrote. ", "Bob read."], "p0s1"),
        ("sentence+context", ["Ada wrote. Ada wrote. Bob read.", "Bob read.Ada wrote. Bob read."], "p0s1"),
        ("passage", ["Ada wrote.\n Bob read."], "p0"),
    ],
)
def test_the_gold_candidate_is_where_the_answer_starts(tmp_path: Path, candidate: Any, texts: list[str], gold: str) -> None:
    path = squad(tmp_path / "a.json", "Ada wrote.\n Bob read.", [[0, 12], [12, 21]], ("who", "Bob"))
    collect_benchmark({"en": path}, tmp_path, reader="squad", candidate=candidate, parallel_only=False)
    assert PASSAGES.read(tmp_path / "passages.parquet")["text"].to_list() == texts
    assert QRELS.read(tmp_path / "qrels.parquet").rows() == [("who", "en", gold)]


def test_sentences_that_the_file_does_not_have_are_an_error(tmp_path: Path) -> None:
    bare = squad(tmp_path / "bare.json", "Ada wrote.", None, ("who", "Ada"))
    with pytest.raises(KoineError, match=r"bare\.json: no sentence_breaks in paragraph 0; use candidate: passage"):
        collect_benchmark({"en": bare}, tmp_path, reader="squad", candidate="sentence", parallel_only=False)
    outside = squad(tmp_path / "outside.json", "Ada wrote. Bob.", [[0, 10]], ("who", "Bob"))
    with pytest.raises(KoineError, match=r"outside\.json: question who: its answer starts in no sentence"):
        collect_benchmark({"en": outside}, tmp_path, reader="squad", candidate="sentence", parallel_only=False)


def test_parallel_only_keeps_the_questions_of_every_language_and_their_passages(tmp_path: Path) -> None:
    files = {
        "en": squad(tmp_path / "en.json", "Ada wrote.", None, ("who", "Ada"), ("what", "wrote")),
        "fi": squad(tmp_path / "fi.json", "Ada kirjoitti.", None, ("who", "Ada"), ("when", "kirjoitti")),
    }
    collect_benchmark(files, tmp_path, reader="squad", candidate="passage", parallel_only=True)
    assert QUERIES.read(tmp_path / "queries.parquet").select("lang", "id").rows() == [("en", "who"), ("fi", "who")]
    assert len(PASSAGES.read(tmp_path / "passages.parquet")) == len(QRELS.read(tmp_path / "qrels.parquet")) == 2


# --- normal form -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("„Äpfel“  ", '"äpfel"'),
        ("STRASSE", "straße"),
        ("ﬁre １２", "fire 12"),
        ("A\u030a", "Å"),
        ("What?!\nNow.", "what now"),
        ("你好，世界", "你好世界。"),
    ],
)
def test_texts_that_differ_in_case_layout_and_punctuation_only_are_the_same(a: str, b: str) -> None:
    assert normalise(a) == normalise(b) != ""


@given(text=st.text())
def test_the_normal_form_is_stable(text: str) -> None:
    assert words(normalise(text)) == words(text)


def test_scripts_without_spaces_are_cut_into_characters_with_their_marks() -> None:
    assert words("中国人 in ที่นี่") == ["中", "国", "人", "in", "ที่", "นี่"]
    assert words("किताब है") == ["किताब", "है"]


# --- n-grams ---------------------------------------------------------------------------------------------


@given(texts=st.lists(SENTENCES, min_size=1, max_size=4), n=st.integers(1, 4))
def test_runs_of_words_have_equal_hashes_just_when_they_are_equal(texts: list[list[str]], n: int) -> None:
    hasher = NgramHasher(n)
    hashes = [set(hasher(tokens).tolist()) for tokens in texts]
    assert [len(found) for found in hashes] == [len(grams(tokens, n)) for tokens in texts]
    for tokens, found in zip(texts, hashes, strict=True):
        assert len(found & hashes[0]) == len(grams(tokens, n) & grams(texts[0], n))


def test_hashes_and_near_duplicates_are_the_same_in_every_process() -> None:
    script = (
        "from koine.collect.clean import NgramHasher, near_duplicates\n"
        f"tokens = {VOCABULARY!r} * 9\n"
        "texts = [' '.join(tokens[i:i + 99 + i]) for i in range(9)]\n"
        "print(NgramHasher(13)(tokens).tolist(), near_duplicates(texts, 0.8))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE) for seed in "12"
    ]
    first, second = (process.communicate()[0] for process in running)
    assert first == second != b""


@given(bench=SENTENCES, train=SENTENCES, n=st.integers(1, 4))
def test_contamination_is_found_just_where_n_words_or_all_are_shared(bench: list[str], train: list[str], n: int) -> None:
    contamination = Contamination(n)
    contamination.add("b", [" ".join(bench)])
    shared = grams(bench, n) & grams(train, n)
    expected = ("b", "equal") if bench and bench == train else ("b", "n-gram") if shared else None
    assert contamination.find(" ".join(train)) == expected


@given(data=st.data())
def test_a_run_of_a_benchmark_is_found_in_whatever_text_it_is_put(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 13))
    bench = data.draw(st.lists(st.sampled_from(VOCABULARY), min_size=n, max_size=60).filter(lambda b: grams(b, n)))
    run = " ".join(data.draw(st.sampled_from(sorted(grams(bench, n)))))
    around = st.text("xyz ,.!?«»-\n书กขк", max_size=30)
    text = f"{data.draw(around)} {run.upper()} {data.draw(around)}"
    contamination = Contamination(n)
    contamination.add("other", ["entirely different text"])
    contamination.add("b", [" ".join(bench)])
    found = contamination.find(text)
    assert found is not None
    assert found[0] == "b"


# --- near-duplicates -------------------------------------------------------------------------------------


def passage(seed: int, length: int = 200) -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choices("abcdefghij", k=6)) for _ in range(length)]


def test_every_slightly_changed_passage_is_found_and_no_merely_similar_one() -> None:
    originals = [passage(seed) for seed in range(60)]
    edited, similar = [], []
    for seed, tokens in enumerate(originals):
        at = random.Random(-seed).randrange(10, 190)
        edited.append([*tokens[:at], "changed", *tokens[at + 1 :]])  # 5 of its 196 runs of 5 words are others
        similar.append([*tokens[:120], *passage(1000 + seed, 80)])  # shares 116 of 276 runs
    texts = [" ".join(tokens) for tokens in (*originals, *edited, *similar)]
    assert near_duplicates(texts, 0.9) == {60 + n: n for n in range(60)}
    assert near_duplicates(texts, 1.0) == {}


@given(
    texts=st.lists(st.lists(st.sampled_from(VOCABULARY[:3]), max_size=9), max_size=8),
    threshold=st.sampled_from([0.3, 0.5, 0.9, 1.0]),
)
def test_whatever_is_called_a_near_duplicate_is_one_of_an_earlier_kept_text(texts: list[list[str]], threshold: float) -> None:
    found = near_duplicates([" ".join(tokens) for tokens in texts], threshold)
    for index, first in found.items():
        a, b = grams(texts[index], 5), grams(texts[first], 5)
        assert first < index
        assert first not in found
        assert len(a & b) / len(a | b) >= threshold
    runs = [frozenset(grams(tokens, 5)) for tokens in texts]
    assert all(index in found for index, own in enumerate(runs) if own and own in runs[:index])  # equal ones never escape


# --- clean -----------------------------------------------------------------------------------------------

LONG = " ".join(passage(7))


def reasons(pairs: pl.DataFrame, contamination: Contamination | None = None, **settings: Any) -> dict[str, tuple[str, str]]:
    """What is dropped; and that every row is either kept or dropped, each once."""
    kept, dropped = clean_pairs(pairs, contamination or Contamination(13), Clean(**settings))
    assert sorted([*kept["id"], *dropped["id"]]) == sorted(pairs["id"].unique())
    assert kept["id"].is_sorted()
    assert QA.check(kept, "kept").equals(kept)
    return {row["id"]: (row["reason"], row["against"]) for row in dropped.to_dicts()}


def test_equal_questions_on_one_passage_are_one(qa: Frames) -> None:
    pairs = qa(
        {"id": "b", "question": "Who wrote it?", "passage": "Ada."},
        {"id": "a", "question": "who WROTE it", "passage": "Ada."},
        {"id": "c", "question": "Who wrote it?", "passage": "Bob."},
        {"id": "d", "question": "Who read it?", "passage": "Ada."},
    )
    assert reasons(pairs) == {"a": ("duplicate pair", "b")}


def test_an_id_names_one_pair(qa: Frames) -> None:
    kept, _ = clean_pairs(qa({"id": "a", "question": "1?"}, {"id": "a", "question": "2?"}), Contamination(13), Clean())
    assert kept["question"].to_list() == ["1?"]


def test_the_questions_of_a_nearly_equal_passage_go_and_those_of_a_similar_one_stay(qa: Frames) -> None:
    tokens = LONG.split()
    near, similar = " ".join([*tokens[:-1], "changed"]), " ".join([*tokens[:120], *passage(8, 80)])
    pairs = qa(*({"id": name, "passage": text} for name, text in {"a": LONG, "b": near, "c": similar}.items()))
    original = pairs["passage_id"][0]
    assert reasons(pairs) == {"b": ("near-duplicate passage", original)}
    assert reasons(pairs, near_duplicate=1.0) == {}


def contaminated() -> Contamination:
    contamination = Contamination(5)
    contamination.add("bench", ["Kuka kirjoitti ensimmäisen tietokoneohjelman, ja milloin?", "Ada did."], ["Ada_Lovelace"])
    return contamination


def test_each_kind_of_contamination_goes_and_is_named_with_its_benchmark(qa: Frames) -> None:
    pairs = qa(
        {"id": "clean", "question": "Who wrote the first program?", "passage": "It was Ada.", "group": "Programs"},
        {"id": "equal question", "question": "KUKA kirjoitti ensimmäisen tietokoneohjelman ja milloin"},
        {"id": "question n-gram", "question": "Siis kuka kirjoitti: “ensimmäisen tietokoneohjelman” ja?"},
        {"id": "equal passage", "passage": "ada did"},
        {"id": "passage n-gram", "passage": "He asked kuka kirjoitti ensimmäisen tietokoneohjelman ja so on."},
        {"id": "title", "passage": "Born in 1815.", "group": "ada lovelace"},
    )
    assert reasons(pairs, contaminated()) == {
        "equal question": ("question in a benchmark (equal)", "bench"),
        "question n-gram": ("question in a benchmark (n-gram)", "bench"),
        "equal passage": ("passage in a benchmark (equal)", "bench"),
        "passage n-gram": ("passage in a benchmark (n-gram)", "bench"),
        "title": ("article of a benchmark", "bench"),
    }


def test_titles_can_be_left_out_of_it(qa: Frames) -> None:
    assert reasons(qa({"group": "Ada Lovelace"}), contaminated(), contamination_titles=False) == {}


def test_all_questions_of_a_contaminated_passage_go(qa: Frames) -> None:
    pairs = qa({"id": "a", "passage": "Ada did."}, {"id": "b", "passage": "Ada did."}, {"id": "c"})
    assert set(reasons(pairs, contaminated())) == {"a", "b"}


@given(n=st.integers(1, 30), most=st.integers(1, 30), order=st.randoms(use_true_random=False))
def test_which_questions_are_kept_does_not_depend_on_their_order(n: int, most: int, order: random.Random) -> None:
    base = {"source": "t", "domain": "", "licence": "", "lang": "en", "answer": None}
    rows = [
        {**base, "id": f"t/{i}", "passage_id": f"p{i}", "group": f"g{i}", "question": f"q {i}", "passage": f"p {i}"}
        for i in range(n)
    ]
    kept, _ = clean_pairs(QA.frame(rows), Contamination(13), Clean(max_questions=most))
    order.shuffle(rows)
    again, _ = clean_pairs(QA.frame(rows), Contamination(13), Clean(max_questions=most))
    assert kept.equals(again)
    assert len(kept) == min(n, most)
    if n > 1:  # more questions never push one out that fewer had kept
        fewer, _ = clean_pairs(QA.frame(rows), Contamination(13), Clean(max_questions=max(1, most - 1)))
        assert set(fewer["id"]) <= set(kept["id"])


# --- the step --------------------------------------------------------------------------------------------


def test_nothing_of_a_benchmark_in_any_of_its_languages_is_left(tmp_path: Path, qa: Frames) -> None:
    files = {
        "en": squad(tmp_path / "en.json", "Ada wrote the first program in the year 1843.", None, ("who", "Ada"), title="Ada"),
        "fi": squad(
            tmp_path / "fi.json", "Ada kirjoitti ensimmäisen ohjelman vuonna 1843.", None, ("who", "Ada"), title="Ada (fi)"
        ),
    }
    bench = tmp_path / "bench"
    collect_benchmark(files, bench, reader="squad", candidate="passage", parallel_only=False)
    QA.write(
        qa(
            {"id": "fi", "passage": "Kuten tiedetään, Ada kirjoitti ensimmäisen ohjelman vuonna 1843, siis kauan sitten."},
            {"id": "title", "passage": "Something else.", "group": "ada (FI)"},
            {"id": "ok", "passage": "Bob read it."},
            {"id": "twice", "passage": "Bob read it.", "question": "Question number 2?"},
        ),
        tmp_path / "source.parquet",
    )
    collect([tmp_path / "source.parquet"], tmp_path / "out", benchmarks=[bench], clean=Clean(contamination_ngram=6))
    assert QA.read(tmp_path / "out/qa.parquet")["id"].to_list() == ["ok"]
    report = json.loads((tmp_path / "out/collect.json").read_text())
    assert (report["collected"], report["kept"], report["passages"]) == (4, 1, 1)
    assert sum(report["dropped"].values()) == 3
    assert sum(row["len"] for row in report["contamination"]) == 2
    assert {row["against"] for row in report["contamination"]} == {"bench"}
    dropped = pl.read_parquet(tmp_path / "out/dropped.parquet")
    assert dropped.select("id", "reason").rows() == [
        ("fi", "passage in a benchmark (n-gram)"),
        ("title", "article of a benchmark"),
        ("twice", "duplicate pair"),
    ]


def test_articles_without_titles_are_not_taken_for_one_another(tmp_path: Path) -> None:
    theirs = squad(tmp_path / "bench.json", "Ada wrote it.", None, ("who", "Ada"), title=None)
    ours = squad(tmp_path / "ours.json", "Bob read something else.", None, ("whom", "Bob"), title=None)
    collect_benchmark({"en": theirs}, tmp_path / "b", reader="squad", candidate="passage", parallel_only=False)
    collect_source([ours], tmp_path / "o.parquet", name="o", reader="squad", lang="en", domain="", licence="")
    collect([tmp_path / "o.parquet"], tmp_path / "out", benchmarks=[tmp_path / "b"])
    assert len(QA.read(tmp_path / "out/qa.parquet")) == 1


def test_nothing_left_is_an_error(tmp_path: Path, qa: Frames) -> None:
    path = squad(tmp_path / "en.json", "Ada wrote it.", None, ("who", "Ada"))
    collect_benchmark({"en": path}, tmp_path / "b", reader="squad", candidate="passage", parallel_only=False)
    QA.write(qa({"passage": "Ada wrote it."}), tmp_path / "source.parquet")
    with pytest.raises(KoineError, match="nothing is left to train on"):
        collect([tmp_path / "source.parquet"], tmp_path / "out", benchmarks=[tmp_path / "b"])


def test_the_names_of_benchmarks_are_those_of_their_folders(tmp_path: Path) -> None:
    path = squad(tmp_path / "en.json", "Ada wrote it.", None, ("who", "Ada"))
    for name in ("first", "second"):
        collect_benchmark({"en": path}, tmp_path / name, reader="squad", candidate="passage", parallel_only=False)
    contamination = benchmark_contamination([tmp_path / "first", tmp_path / "second"], 13)
    assert contamination.find("who?") == contamination.find("ADA wrote it") == ("first", "equal")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set in the shape of a Hub repository, below KOINE_MODELS; the Hub itself is out of reach."""
    folder = tmp_path / "hub" / "org" / "questions"
    folder.mkdir(parents=True)
    columns = {"query": ["who?", "where?"], "text": ["me", "here"], "extra": [1, 2], "wrong": ["you", "there"]}
    pl.DataFrame({**columns, "all_wrong": [["you", "they"], None]}).write_parquet(folder / "train.parquet")
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_a_hub_data_set_becomes_our_jsonl_by_its_columns(hub: Path) -> None:
    columns = {"question": "query", "passage": "text"}
    collect_download(hub / "out.jsonl", hub="org/questions", columns=columns)
    collect_source([hub / "out.jsonl"], hub / "qa.parquet", name="hub", reader="jsonl", lang="en", domain="", licence="")
    rows = QA.read(hub / "qa.parquet")
    assert rows.select("question", "passage").rows() == [("who?", "me"), ("where?", "here")]


@pytest.mark.parametrize(("column", "wanted"), [("wrong", [["you"], ["there"]]), ("all_wrong", [["you", "they"], None])])
def test_a_hub_column_of_texts_or_of_lists_gives_negatives(hub: Path, column: str, wanted: list[list[str] | None]) -> None:
    columns = {"question": "query", "passage": "text", "negatives": column}
    collect_download(hub / "out.jsonl", hub="org/questions", columns=columns)
    collect_source([hub / "out.jsonl"], hub / "qa.parquet", name="hub", reader="jsonl", lang="en", domain="", licence="")
    assert QA.read(hub / "qa.parquet")["negatives"].to_list() == wanted


def test_a_missing_hub_column_and_an_unknown_data_set_are_named(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("datasets.config", "huggingface_hub.constants"):
        monkeypatch.setattr(f"{module}.HF_HUB_OFFLINE", True)  # read once, when they are imported; else they try for long
    with pytest.raises(KoineError, match="no column answer; it has query, text, extra, wrong, all_wrong"):
        collect_download(hub / "out.jsonl", hub="org/questions", columns={"question": "answer"})
    with pytest.raises(KoineError, match="KOINE_MODELS/org/nothing"):
        collect_download(hub / "out.jsonl", hub="org/nothing")
