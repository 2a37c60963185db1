"""Questions put aside as a benchmark: training sees nothing of them, and every language has the same ones."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from koine.collect.benchmark import collect_benchmark
from koine.collect.clean import hold_out
from koine.collect.merge import collect
from koine.filter.decide import filter
from koine.filter.heldout import filter_heldout
from koine.filter.score import filter_score
from koine.params import HeldOut, Params, Rules, Tokenizer
from koine.records import PARALLEL, QA, QRELS, QUERIES
from koine.runtime.errors import KoineError
from koine.runtime.files import write_jsonl
from koine.text.normalise import normalise
from koine.train.tokens import TrainingSet, train_tokens
from koine.translate.shard import translate
from koine.workflow.experiment import Experiment

Frames = Callable[..., pl.DataFrame]
OFF = {name: None for name in Rules.model_fields if name != "clean_source"}


def rows_of(draw: list[tuple[int, int, int]]) -> pl.DataFrame:
    """QA rows of (group, passage, question)."""
    base = {"domain": "", "licence": "", "lang": "en", "answer": None, "answer_start": None}
    return QA.frame(
        [
            {
                **base, "id": f"s/{i:03}", "source": f"s{group % 2}", "group": f"g{group}", "passage_id": f"p{passage}",
                "question": f"What is {question}?", "passage": f"Passage {passage}.",
                "negatives": [f"Passage {question}.", "No."],
            }
            for i, (group, passage, question) in enumerate(draw)
        ]
    )  # fmt: skip


@given(
    drawn=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 12)), min_size=2, max_size=40),
    wanted=st.integers(1, 20),
    order=st.randoms(use_true_random=False),
)
def test_nothing_of_what_is_held_out_is_left_to_train_on(
    drawn: list[tuple[int, int, int]], wanted: int, order: random.Random
) -> None:
    pairs = rows_of(drawn)
    settings = HeldOut(questions=wanted)
    try:
        training, heldout, dropped = hold_out(pairs, settings)
    except KoineError as error:
        assert "collect.heldout.questions" in str(error)
        return
    assert 0 < len(heldout) <= wanted and len(training)
    for column in ("id", "group", "passage_id"):
        assert not set(training[column]) & set(heldout[column])
    assert not {*map(normalise, training["question"])} & {*map(normalise, heldout["question"])}
    assert not set(training["negatives"].explode()) & set(heldout["passage"])
    assert sorted([*training["id"], *heldout["id"], *dropped["id"]]) == sorted(pairs["id"])
    shuffled = pairs.sample(fraction=1.0, shuffle=True, seed=order.randrange(2**31)).sort("id")
    assert all(one.equals(other) for one, other in zip(hold_out(shuffled, settings), (training, heldout, dropped), strict=True))


def test_only_the_named_sources_are_put_aside() -> None:
    pairs = rows_of([(n % 6, n, n) for n in range(60)])
    training, heldout, _ = hold_out(pairs, HeldOut(questions=10, sources=["s1"]))
    assert set(heldout["source"]) == {"s1"} and set(training["source"]) == {"s0", "s1"}


def test_what_cannot_be_split_is_said() -> None:
    with pytest.raises(KoineError, match=r"5 of 60 questions in 6 groups \(the smallest has 10\) cannot be put aside"):
        hold_out(rows_of([(n % 6, n, n) for n in range(60)]), HeldOut(questions=5))


LANGUAGES = ("fi", "sv")


@pytest.fixture
def chain(tmp_path: Path, qa: Frames) -> Path:
    """Collected, translated and filtered, with 12 of 60 questions put aside; `sv` has no translation of one of these."""
    words = ["red", "blue", "green", "small", "large"]
    rows = [
        {"id": f"test/{n:02}", "group": f"g{n // 3}", "question": f"Where is the {words[n % 5]} house number {n}?",
         "passage": f"House {n} is {words[n % 5]} and stands in street {n // 3}, where it was built."}
        for n in range(60)
    ]  # fmt: skip
    QA.write(qa(*rows), tmp_path / "source.parquet")
    collect([tmp_path / "source.parquet"], tmp_path, heldout=HeldOut(questions=12))
    qa_path, heldout = tmp_path / "qa.parquet", tmp_path / "heldout.parquet"
    lost = QA.read(heldout)["question"][0]
    for lang in LANGUAGES:
        texts = {text for row in rows for text in (row["question"], row["passage"]) if not (lang == "sv" and text == lost)}
        memory = ({"source_lang": "en", "target_lang": lang, "source": t, "target": f"{lang} {t}"} for t in sorted(texts))
        write_jsonl(tmp_path / f"{lang}.jsonl", memory)
        done = tmp_path / f"{lang}.done.parquet"
        translate(
            qa_path, done, source="en", target=lang, backend="memory", resources=[tmp_path / f"{lang}.jsonl"], heldout=heldout
        )
        scored = tmp_path / f"{lang}.scored.parquet"
        filter_score([done], qa_path, scored, lang=lang, among=("en", *LANGUAGES), heldout=heldout)
        filter(scored, tmp_path / f"{lang}.parquet", tmp_path / f"{lang}.json", rules=Rules(**OFF))
    return tmp_path


def test_every_language_asks_the_same_held_out_questions_of_the_whole_collection(chain: Path) -> None:
    parallel = [chain / f"{lang}.parquet" for lang in LANGUAGES]
    filter_heldout(chain / "qa.parquet", chain / "heldout.parquet", parallel, chain / "bench")
    folders = {lang: chain / "bench" / lang for lang in ("en", *LANGUAGES)}
    collect_benchmark(folders, chain / "heldout", reader="beir", candidate="passage", parallel_only=False)
    queries, qrels = QUERIES.read(chain / "heldout/queries.parquet"), QRELS.read(chain / "heldout/qrels.parquet")
    asked = QA.read(chain / "heldout.parquet")
    wanted = set(asked["id"][1:])  # the first has no translation into sv
    for lang in folders:
        own = queries.filter(lang=lang)
        assert set(own["id"]) == wanted == set(qrels.filter(lang=lang)["query_id"])
        prefix = "" if lang == "en" else f"{lang} "
        assert set(own["text"]) == {prefix + text for text in asked["question"][1:]}
    corpora = {lang: pl.read_ndjson(folder / "corpus.jsonl") for lang, folder in folders.items()}
    assert {lang: len(corpus) for lang, corpus in corpora.items()} == {"en": 60, "fi": 60, "sv": 59}
    assert set(corpora["fi"]["_id"]) == set(corpora["en"]["_id"]), "passages have one name in all languages"


def test_training_sees_none_of_them_in_any_language(chain: Path) -> None:
    heldout = QA.read(chain / "heldout.parquet")
    parallel = [chain / f"{lang}.parquet" for lang in LANGUAGES]
    assert all(set(PARALLEL.read(path)["id"]) & set(heldout["id"]) for path in parallel), "they were translated"
    train_tokens(chain / "qa.parquet", chain / "tokens", "static", Tokenizer(vocab_size=300), parallel=parallel)
    data = TrainingSet.open(chain / "tokens", "en")
    assert set(data.passage_ids) == set(QA.read(chain / "qa.parquet")["passage_id"])
    assert len(data.query_rows) == len(QA.read(chain / "qa.parquet"))


def test_none_left_in_every_language_is_an_error(chain: Path) -> None:
    empty = PARALLEL.read(chain / "fi.parquet").filter(pl.col("id").is_in(QA.read(chain / "qa.parquet")["id"].implode()))
    PARALLEL.write(empty, chain / "fi.parquet")
    with pytest.raises(KoineError, match="no held-out question passed the filter in every language"):
        filter_heldout(chain / "qa.parquet", chain / "heldout.parquet", [chain / "fi.parquet"], chain / "bench")


def config(**evaluate: Any) -> dict[str, Any]:
    default = json.loads(Params().model_dump_json())
    return default | {"recipe": "own", "evaluate": {"benchmarks": ["heldout"]} | evaluate}


def test_the_benchmark_and_its_questions_are_asked_for_together() -> None:
    with pytest.raises(KoineError, match=r"collect\.heldout\.questions: 0, and evaluate\.benchmarks has 'heldout'"):
        Experiment(config())
    asked = {**Params().collect.model_dump(), "heldout": {"questions": 9}}
    with pytest.raises(KoineError, match="has no 'heldout'"):
        Experiment(config(benchmarks=["sample"]) | {"collect": asked})
    sources = Experiment(config() | {"collect": asked}).sources
    assert sources.foreign == [] and sources.own_files == [] and len(sources.heldout_files) == 3 * 10
