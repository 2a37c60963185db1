"""Negatives: what a row brings along arrives in every language as the same passage, and what is mined is the hardest."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tokenizers import Tokenizer as FastTokenizer

from koine.backbones.tokenizer import read_tokens, tokenize
from koine.collect.clean import clean_pairs
from koine.collect.contamination import Contamination
from koine.collect.merge import collect
from koine.collect.source import collect_source
from koine.filter.decide import filter
from koine.filter.score import filter_score
from koine.filter.table import SCORED
from koine.params import Clean, Mining, Rules, Tokenizer
from koine.records import MINED, PARALLEL, PASSAGES, QA, QRELS, QUERIES
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id, write_jsonl
from koine.train import mine as mining
from koine.train.mine import hardest, train_mine
from koine.train.tokens import TrainingSet, train_tokens
from koine.translate.shard import translate

Frames = Callable[..., pl.DataFrame]
OFF: dict[str, Any] = {name: None for name in Rules.model_fields if name != "clean_source"}
LANGUAGES = ["en", "fi", "sv"]


# --- from a file to the training set -------------------------------------------------------------------------


def passage(number: int) -> str:
    return f"In the year {1500 + number} the town of {'abcdefgh'[number % 8]}ville{number} was founded by its people."


def translation(text: str, lang: str) -> str:
    return f"{lang} " + " ".join(f"{word}{lang}" if word.isalpha() else word for word in text.split())


def build(
    folder: Path, rows: Sequence[dict[str, Any]], without: Sequence[tuple[str, str]] = (), wrong: Sequence[str] = ()
) -> Path:
    """All steps from rows of a JSONL file to token files; returns the folder.

    Args:
        folder: where.
        rows: the file's.
        without: (text, language) that the memory lacks.
        wrong: texts whose Swedish has another number in it.
    """
    bench = folder / "bench"
    QUERIES.write(QUERIES.frame([{"id": "q", "lang": "en", "text": "what is asked in the benchmark"}]), bench / "queries.parquet")
    held = {"en": passage(70), "fi": translation(passage(71), "fi")}
    PASSAGES.write(
        PASSAGES.frame([{"id": "p", "lang": lang, "group": "The Article", "text": text} for lang, text in held.items()]),
        bench / "passages.parquet",
    )
    QRELS.write(QRELS.frame([{"query_id": "q", "lang": "en", "passage_id": "p"}]), bench / "qrels.parquet")
    write_jsonl(folder / "raw.jsonl", rows)
    collect_source([folder / "raw.jsonl"], folder / "s.parquet", name="s", reader="jsonl", lang="en", domain="", licence="")
    collect([folder / "s.parquet"], folder, benchmarks=[bench], clean=Clean(contamination_ngram=8))
    texts = {t.strip() for row in rows for t in (row["question"], row["passage"], *row.get("negatives", ()))}
    for lang in LANGUAGES[1:]:
        pairs = {text: translation(text, lang) for text in sorted(texts) if (text, lang) not in without}
        pairs |= {text: re.sub(r"\d{4}", "1234", pairs[text]) for text in wrong if lang == "sv"}
        memory = [{"source_lang": "en", "target_lang": lang, "source": s, "target": t} for s, t in pairs.items()]
        write_jsonl(folder / f"{lang}.jsonl", memory)
        done, scored = folder / f"{lang}.done.parquet", folder / f"{lang}.scored.parquet"
        translate(folder / "qa.parquet", done, source="en", target=lang, backend="memory", resources=[folder / f"{lang}.jsonl"])
        filter_score([done], folder / "qa.parquet", scored, lang=lang, among=LANGUAGES, benchmarks=[bench], contamination_ngram=8)
        filter(scored, folder / f"{lang}.parquet", folder / f"{lang}.json", rules=Rules(**{**OFF, "numbers": 1.0}))
    parallel = [folder / f"{lang}.parquet" for lang in LANGUAGES[1:]]
    train_tokens(folder / "qa.parquet", folder / "tokens", "static", Tokenizer(vocab_size=300), parallel=parallel)
    return folder


def texts_of(data: TrainingSet, numbers: Sequence[int], lang: str) -> list[list[int] | None]:
    """Token ids of passage numbers in a language, None where it has not the passage."""
    rows = data.text_rows[list(numbers), data.languages.index(lang)]
    return [None if row < 0 else data.passages.take(np.array([row])).ids.tolist() for row in rows]


def ids_of(folder: Path, texts: Sequence[str | None]) -> list[list[int] | None]:
    tokenizer = FastTokenizer.from_file(str(folder / "tokens/tokenizer.json"))
    return [None if text is None else tokenize(tokenizer, [text], "", False).ids.tolist() for text in texts]


def test_each_negative_arrives_in_each_language_as_the_right_text(tmp_path: Path) -> None:
    rows = [{"id": f"{n:02}", "question": f"Who founded {n}?", "passage": passage(n)} for n in range(12)]
    draw = np.random.default_rng(1)
    for row in rows[2:]:  # of other rows, of no row, its own, one twice, and one with spaces around it
        others = draw.choice([k for k in range(12) if k != int(row["id"])], 3, replace=False)
        named = [*(passage(k) for k in others), passage(20 + int(row["id"]) % 3)]
        row["negatives"] = [named[0], row["passage"], *named, f" {passage(30)}\n"]
    rows[1]["negatives"] = []
    without, wrong = [(passage(21), "fi"), (passage(30), "fi"), (passage(3), "sv")], [passage(22), passage(5)]
    folder = build(tmp_path, rows, without, wrong)
    data = TrainingSet.open(folder / "tokens", "en")
    assert data.languages == LANGUAGES
    assert data.negatives.shape == (12, 5)
    for number, row in enumerate(rows):
        own = data.negatives[number]
        wanted = [text for text in dict.fromkeys(t.strip() for t in row.get("negatives", ())) if text != row["passage"]]
        assert (own < 0).tolist() == [k >= len(wanted) for k in range(5)]
        for lang in LANGUAGES:
            left = [
                None
                if (text, lang) in without or (lang == "sv" and text in wrong)
                else text
                if lang == "en"
                else translation(text, lang)
                for text in wanted
            ]
            assert texts_of(data, own[: len(wanted)], lang) == ids_of(folder, left)
        (positive,) = texts_of(data, [data.passage_of[number]], "en")
        assert [positive] == ids_of(folder, [row["passage"]])
    assert (data.passage_rows == data.text_rows[data.passage_of]).all()
    # A passage is one, whether it is a positive or a negative.
    assert len(data.text_rows) == 12 + 3 + 1
    kept = read_tokens(folder / "tokens/passages.arrow")[1]
    assert len(kept) == len(kept.unique(["passage_id", "lang"]))
    # The pair stays when its negatives go.
    assert data.available[:, 1].sum() == 12
    assert data.available[:, 2].sum() == 12 - 2


def test_a_pair_keeps_the_ids_and_the_texts_of_its_negatives_side_by_side(tmp_path: Path) -> None:
    rows = [{"id": str(n), "question": f"Who founded {n}?", "passage": passage(n)} for n in range(4)]
    rows[0]["negatives"] = [passage(8), passage(1), passage(9)]
    folder = build(tmp_path, rows, without=[(passage(8), "fi")], wrong=[passage(1), passage(8), passage(9)])
    finnish, swedish = (PARALLEL.read(folder / f"{lang}.parquet") for lang in ("fi", "sv"))
    first, *others = finnish.select("negative_ids", "negatives").rows()
    kept = [passage(1), passage(9)]
    assert first == ([text_id(text) for text in kept], [translation(text, "fi") for text in kept])
    assert others == [(None, None)] * 3
    assert swedish.select("id", "negative_ids", "negatives").rows() == [(f"s/{n}", None, None) for n in (0, 2, 3)]
    stored = read_tokens(folder / "tokens/queries.arrow")[1]
    assert stored.filter(id="s/0")["negative_ids"].to_list() == [[text_id(t) for t in rows[0]["negatives"]], first[0], None]


def test_negatives_of_a_benchmark_vanish(tmp_path: Path) -> None:
    inside = "As is well known, " + passage(70).lower().removesuffix(".") + ", and so on."
    rows = [{"id": str(n), "question": f"Who founded {n}?", "passage": passage(n)} for n in range(4)]
    rows[0]["negatives"] = [passage(70), passage(9), inside]
    rows[1]["negatives"] = [passage(70)]
    rows[2]["negatives"] = [passage(71), passage(50)]  # in the benchmark in Finnish only; and of an article that it has
    rows.append({"id": "4", "question": "Who founded 50?", "passage": passage(50), "group": "the article"})
    folder = build(tmp_path, rows)
    qa = QA.read(folder / "qa.parquet")
    assert qa["negatives"].to_list() == [[passage(9)], None, [passage(71)], None]
    finnish, swedish = (PARALLEL.read(folder / f"{lang}.parquet") for lang in ("fi", "sv"))
    assert finnish["negatives"].to_list() == [[translation(passage(9), "fi")], None, None, None]
    assert swedish["negatives"].to_list() == [[translation(passage(n), "sv")] if n else None for n in (9, 0, 71, 0)]


def test_what_nearly_equals_the_answering_passage_is_no_negative(qa: Frames) -> None:
    words = [f"word{n}" for n in range(100)]
    own, near, other = " ".join(words), " ".join([*words, "more"]), " ".join(words[:50])
    frame = qa({"passage": own, "negatives": [near, other]}, {"passage": other, "negatives": [near]}, {})
    kept, dropped = clean_pairs(frame, Contamination(13), Clean())
    assert dropped.is_empty()
    assert kept["negatives"].to_list() == [[other], [near], None]


def test_a_corpus_without_negatives_costs_one_empty_column(tmp_path: Path) -> None:
    plain = [{"id": str(n), "question": f"Who founded {n}?", "passage": passage(n // 2)} for n in range(8)]
    one, two = build(tmp_path / "one", plain), build(tmp_path / "two", [{**row, "negatives": [passage(7)]} for row in plain])
    data, other = TrainingSet.open(one / "tokens", "en"), TrainingSet.open(two / "tokens", "en")
    assert data.negatives.shape == (8, 0)
    assert other.negatives.shape == (8, 1)
    assert read_tokens(one / "tokens/queries.arrow")[1]["negative_ids"].null_count() == 8 * 3
    for lang in ("fi", "sv"):  # negatives decide nothing about pairs
        left, right = (pl.read_parquet(folder / f"{lang}.parquet") for folder in (one, two))
        assert left.drop("negative_ids", "negatives").equals(right.drop("negative_ids", "negatives"))
        assert SCORED.read(one / f"{lang}.scored.parquet")["negative_scores"].null_count() == 8


@pytest.mark.parametrize("rule", [{"length": "50%"}, {"numbers": 1.0, "repetition": 0.1}, {}])
def test_a_negative_is_judged_as_the_passage_that_it_is_elsewhere(tmp_path: Path, rule: dict[str, Any]) -> None:
    """Every passage is a negative of the next question; it stays there just where its own pair stays."""
    rows = [{"id": f"{n:02}", "question": "Who?", "passage": passage(n) * (1 + n % 3), "group": str(n)} for n in range(12)]
    for row, after in zip(rows, [*rows[1:], rows[0]], strict=True):
        after["negatives"] = [row["passage"]]
    folder = build(tmp_path, rows, wrong=[row["passage"] for row in rows[::4]])
    scored = SCORED.read(folder / "sv.scored.parquet").with_columns(question_length=None).cast({"question_length": pl.Float64})
    SCORED.write(scored, tmp_path / "scored")
    filter(tmp_path / "scored", tmp_path / "kept", tmp_path / "summary", rules=Rules(**{**OFF, **rule}))
    kept = PARALLEL.read(tmp_path / "kept")
    stays = set(kept["passage_id"])
    for row in kept.iter_rows(named=True):
        wanted = text_id(rows[int(row["id"].removeprefix("s/")) - 1]["passage"])
        assert row["negative_ids"] == ([wanted] if wanted in stays else None)
    assert (len(stays) == 12) == (not rule)


@pytest.mark.parametrize("given", [[" "], ["a", None], ["a", 5], 5, {}, {"a": "b"}, [["a"]], "", True])
def test_malformed_negatives_are_named_with_their_line(tmp_path: Path, given: Any) -> None:
    good = {"question": "q", "passage": "p", "negatives": ["n"]}
    write_jsonl(tmp_path / "a.jsonl", [good, {**good, "negatives": given}])
    with pytest.raises(KoineError, match=r"a\.jsonl:2: 'negatives' is no list of texts but"):
        collect_source([tmp_path / "a.jsonl"], tmp_path / "o", name="s", reader="jsonl", lang="en", domain="", licence="")


def test_a_single_text_is_one_negative_and_nothing_is_none(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "a.jsonl", [{"question": "q", "passage": "p", "negatives": given} for given in ("n", None, [], ["p"])])
    collect_source([tmp_path / "a.jsonl"], tmp_path / "o", name="s", reader="jsonl", lang="en", domain="", licence="")
    assert QA.read(tmp_path / "o")["negatives"].to_list() == [["n"], None, None, None]


# --- mining --------------------------------------------------------------------------------------------------


def brute_force(
    queries: np.ndarray,
    passages: np.ndarray,
    passage_of: np.ndarray,
    question_of: np.ndarray,
    count: int,
    margin: float,
    depth: int,
) -> tuple[list[list[tuple[int, float]]], int]:
    """Question by question: what is better than all beyond `depth`, no answer, and below the margin."""
    found, rejected = [], 0
    for i, query in enumerate(queries):
        scores = [round(float(query @ vector), 6) for vector in passages]
        beyond = sorted(scores, reverse=True)[depth] if depth < len(scores) else -np.inf
        answers = {passage_of[j] for j in range(len(queries)) if question_of[j] == question_of[i]}
        wrong = [(p, s) for p, s in enumerate(scores) if p not in answers and s > beyond]
        below = [(p, s) for p, s in wrong if s < (1 - margin) * scores[passage_of[i]]]
        rejected += len(wrong) - len(below)
        found.append(sorted(below, key=lambda pair: (-pair[1], pair[0]))[:count])
    return found, rejected


@given(st.data())
def test_mining_equals_brute_force_ties_and_margins_included(data: st.DataObject) -> None:
    n, m, d = (data.draw(st.integers(1, most)) for most in (9, 130, 4))
    seeds = st.integers(0, 2**32 - 1)
    whole = data.draw(st.booleans())  # few whole numbers tie often, real ones never
    draw = np.random.default_rng(data.draw(seeds))
    queries, passages = (
        (draw.integers(-2, 3, (k, d)) if whole else draw.standard_normal((k, d))).astype(np.float32) for k in (n, m)
    )
    passage_of = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, m - 1)))
    question_of = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, 3)))
    count, depth = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 140))
    margin = data.draw(st.sampled_from([0.75, 0.5, 0.05, 0.0, -1.0]))
    numbers, scores, rejected = hardest(
        queries, passages, passage_of, question_of, num_negatives=count, relative_margin=margin, range_max=depth
    )
    wanted, over = brute_force(queries, passages, passage_of, question_of, count, margin, depth)
    assert numbers.shape == scores.shape == (n, count)
    for own, values, expected in zip(numbers, scores, wanted, strict=True):
        assert own.tolist() == [p for p, _ in expected] + [-1] * (count - len(expected))
        assert values[: len(expected)] == pytest.approx([s for _, s in expected], abs=2e-6)
    assert rejected == over


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    queries, passages = (draw.integers(-2, 3, (k, 5)).astype(np.float32) for k in (50, 40))
    given = (queries, passages, draw.integers(0, 40, 50), np.arange(50))
    whole = hardest(*given, num_negatives=3, relative_margin=0.05, range_max=20)
    monkeypatch.setattr(mining, "BLOCK", 7)
    parts = hardest(*given, num_negatives=3, relative_margin=0.05, range_max=20)
    assert all(np.array_equal(one, two) for one, two in zip(whole, parts, strict=True))


class Letters:
    """An encoder that sees which letters a text has."""

    def encode(self, texts: Sequence[str], kind: str, *, batch_size: int) -> np.ndarray:
        counts = np.array([[text.lower().count(chr(97 + k)) for k in range(26)] for text in texts], dtype=np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koine.backbones.load", lambda model, device, revision: Letters())


@pytest.mark.usefixtures("letters")
def test_no_passage_that_answers_an_equal_question_is_mined(
    tmp_path: Path, qa: Frames, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": "c", "question": "aab?", "passage": "aaab"},
        {"id": "a", "question": "AAB", "passage": "aabb"},  # the same question, with another answer
        {"id": "b", "question": "bba", "passage": "aabb"},
        {"id": "d", "question": "xyz", "passage": "xyz"},
    ]
    QA.write(qa(*rows), tmp_path / "qa")
    train_mine(tmp_path / "qa", tmp_path / "mined", Mining(model="any", num_negatives=2, relative_margin=-0.5), "cpu")
    mined = MINED.read(tmp_path / "mined")
    aaab, aabb, xyz = (text_id(text) for text in ("aaab", "aabb", "xyz"))
    assert mined["id"].to_list() == ["a", "b", "c", "d"]
    ties = sorted([aaab, aabb])
    assert mined["negative_ids"].to_list() == [[xyz], [aaab, xyz], [xyz], ties]
    assert mined["scores"].to_list()[3] == [0.0, 0.0]
    assert "4 questions: 2 with 2, 2 with 1; 0 passages" in capfd.readouterr().err
    train_mine(tmp_path / "qa", tmp_path / "few", Mining(model="any", num_negatives=2, relative_margin=0.5), "cpu")
    assert MINED.read(tmp_path / "few")["negative_ids"].to_list() == [[xyz], [xyz], [xyz], ties]
    assert "4 questions: 1 with 2, 3 with 1; 1 passages" in capfd.readouterr().err


def test_a_miner_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KoineError, match="--model: name the folder or Hub id"):
        train_mine(tmp_path / "qa", tmp_path / "mined", Mining())


def test_vectors_that_are_not_finite_are_an_error(tmp_path: Path, qa: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("koine.backbones.load", lambda model, device, revision: Letters())
    QA.write(qa({"passage": "1234"}), tmp_path / "qa")  # no letter: 0 / 0
    with np.errstate(invalid="ignore"), pytest.raises(KoineError, match="not finite"):
        train_mine(tmp_path / "qa", tmp_path / "mined", Mining(model="any", num_negatives=2), "cpu")


@pytest.mark.usefixtures("letters")
def test_mined_negatives_come_after_the_explicit_ones_once(tmp_path: Path) -> None:
    rows = [{"id": str(n), "question": f"Who founded {'abcdefgh'[n]}ville?", "passage": passage(n)} for n in range(8)]
    rows[0]["negatives"] = [passage(3), passage(20)]
    folder = build(tmp_path, rows)
    train_mine(folder / "qa.parquet", folder / "mined", Mining(model="any", num_negatives=7, relative_margin=-1), "cpu")
    mined = dict(MINED.read(folder / "mined").select("id", "negative_ids").iter_rows())
    data = TrainingSet.open(folder / "tokens", "en", folder / "mined")
    explicit = TrainingSet.open(folder / "tokens", "en").negatives
    assert data.negatives[0, :2].tolist() == explicit[0].tolist()
    passage_ids = sorted({text_id(t) for row in rows for t in (row["passage"], *row.get("negatives", ()))})
    for number, row in enumerate(rows):
        wanted = dict.fromkeys([*(text_id(text) for text in row.get("negatives", ())), *mined[f"s/{number}"]])
        own = data.negatives[number]
        assert [passage_ids[k] for k in own if k >= 0] == list(wanted)
        assert data.passage_of[number] not in own
        assert (data.text_rows[own[own >= 0]] >= 0).all()  # the corpus has its passages in all languages


@pytest.mark.usefixtures("letters")
@pytest.mark.parametrize("column", ["id", "negative_ids"])
def test_negatives_mined_in_another_corpus_are_an_error(tmp_path: Path, column: str) -> None:
    folder = build(tmp_path, [{"id": str(n), "question": f"Who founded {n}?", "passage": passage(n)} for n in range(8)])
    row = {"id": "s/0", "negative_ids": [text_id(passage(1))], "scores": [0.5]}
    MINED.write(MINED.frame([row]), folder / "mined")
    assert TrainingSet.open(folder / "tokens", "en", folder / "mined").negatives.shape == (8, 1)
    MINED.write(MINED.frame([{**row, column: "other" if column == "id" else ["other"]}]), folder / "mined")
    with pytest.raises(KoineError, match="mine again"):
        TrainingSet.open(folder / "tokens", "en", folder / "mined")


def test_the_model_that_finds_them_is_opened_at_its_revision(tmp_path: Path, qa: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(model: str, **given: object) -> None:
        raise ValueError(f"{model} at {given['revision']}")

    QA.write(qa({"id": "a", "question": "b", "passage": "c"}), tmp_path / "qa")
    monkeypatch.setattr("koine.backbones.pretrained.SentenceTransformer", opened)
    with pytest.raises(KoineError, match="org/model at refs/pr/1"):
        train_mine(tmp_path / "qa", tmp_path / "mined", Mining(model="org/model", revision="refs/pr/1"), "cpu")
