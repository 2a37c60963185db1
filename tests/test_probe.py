"""The language probe against scikit-learn's ridge regression; the NLI probe against its logistic regression; XNLI's files."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from koine import backbones
from koine.evaluate import probe as module
from koine.evaluate.language import RIDGE, language_probe
from koine.evaluate.probe import L2, LABELS, Example, Probe, evaluate_probe, probe, read_nli
from koine.records import PAIRS, SCORES, Run
from koine.runtime.errors import KoineError

LANGUAGES = ["ar", "de", "en", "zh"]


def parallel(questions: int, trace: float, dim: int = 12) -> tuple[np.ndarray, list[str], list[str]]:
    """Vectors of questions in four languages: noise, and as much of the language as `trace` says."""
    rng = np.random.default_rng(0)
    languages = [lang for lang in LANGUAGES for _ in range(questions)]
    groups = [f"q{number}" for _ in LANGUAGES for number in range(questions)]
    marks = np.repeat(rng.normal(size=(len(LANGUAGES), dim)), questions, axis=0)
    return (rng.normal(size=(len(groups), dim)) + trace * marks).astype(np.float32), languages, groups


# --- languages -------------------------------------------------------------------------------------------------


def test_languages_that_stand_apart_are_all_found() -> None:
    assert language_probe(*parallel(100, trace=50)).all()


def test_vectors_without_a_trace_of_language_are_guessed() -> None:
    accuracy = language_probe(*parallel(1500, trace=0)).mean()
    assert accuracy == pytest.approx(1 / 4, abs=4 * np.sqrt(0.25 * 0.75 / 6000))


def test_translations_with_equal_vectors_give_one_right_answer_per_question() -> None:
    """Perfect alignment: the four questions of a group are one point, so exactly one of their languages can be named."""
    vectors, languages, groups = parallel(200, trace=0)
    correct = language_probe(np.tile(vectors[:200], (4, 1)), languages, groups)
    assert correct.mean() == 1 / 4


def test_the_probe_is_ridge_regression_on_each_fold() -> None:
    vectors, languages, groups = parallel(150, trace=0.4)
    order = sorted(set(groups), key=lambda group: hashlib.blake2b(group.encode()).digest())
    second = np.isin(groups, order[len(order) // 2 :])
    target = np.array([LANGUAGES.index(lang) for lang in languages])
    wanted = np.zeros(len(groups), dtype=bool)
    for tested in (second, ~second):
        own = Ridge(alpha=RIDGE).fit(vectors[~tested].astype(np.float64), np.eye(4)[target[~tested]])
        wanted[tested] = own.predict(vectors[tested].astype(np.float64)).argmax(axis=1) == target[tested]
    assert 0.3 < wanted.mean() < 0.95
    assert np.array_equal(language_probe(vectors, languages, groups), wanted)


def test_the_order_of_rows_and_threads_do_not_matter() -> None:
    vectors, languages, groups = parallel(100, trace=0.3)
    correct = language_probe(vectors, languages, groups)
    shuffled = np.random.default_rng(2).permutation(len(groups))
    again = language_probe(vectors[shuffled], [languages[i] for i in shuffled], [groups[i] for i in shuffled])
    assert np.array_equal(again, correct[shuffled])
    with threadpool_limits(2, user_api="blas"):
        assert np.array_equal(language_probe(vectors, languages, groups), correct)


def test_one_group_alone_is_an_error() -> None:
    with pytest.raises(KoineError, match="two groups"):
        language_probe(np.eye(2, dtype=np.float32), ["en", "de"], ["q", "q"])


# --- XNLI's files ------------------------------------------------------------------------------------------------

XNLI = (
    "language\tgold_label\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\tsentence1\tsentence2\t"
    "promptID\tpairID\tgenre\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tsentence1_tokenized\tsentence2_tokenized\tmatch\n"
    'ar\tneutral\t\t\t\t\tوقال، ماما\t"اتصل" بأمه\t1\t1\tfacetoface\tneutral\tneutral\tneutral\tneutral\tneutral\tx\ty\tTrue\n'
    "en\tcontradiction\t\t\t\t\tAnd he said, Mama\tHe didn't say\u2028 a word\t1\t2\tfacetoface\tc\tc\tc\tc\tc\tx\ty\tTrue\n"
    "en\t-\t\t\t\t\tAnd he said, Mama\tnobody agreed\t1\t3\tfacetoface\tc\tc\tc\tc\tc\tx\ty\tTrue\n"
)


def test_each_published_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "xnli.test.tsv").write_text(XNLI, encoding="utf-8")
    expected = [
        Example("1", "ar", "وقال، ماما", '"اتصل" بأمه', LABELS.index("neutral")),
        Example("2", "en", "And he said, Mama", "He didn't say\u2028 a word", LABELS.index("contradiction")),
    ]
    assert read_nli(tmp_path / "xnli.test.tsv") == expected
    header, *rows = (line.split("\t") for line in XNLI.rstrip("\n").split("\n"))
    lines = [json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) + "\n" for row in rows]
    (tmp_path / "xnli.test.jsonl").write_text("".join(lines), encoding="utf-8")
    assert read_nli(tmp_path / "xnli.test.jsonl") == expected
    translated = 'premise\thypo\tlabel\nConceptually "cream\tProduct\tneutral\nyou know\tYou lose\tcontradictory\n'
    (tmp_path / "multinli.train.de.tsv").write_text(translated, encoding="utf-8")
    assert read_nli(tmp_path / "multinli.train.de.tsv") == [
        Example("2", "de", 'Conceptually "cream', "Product", LABELS.index("neutral")),
        Example("3", "de", "you know", "You lose", LABELS.index("contradiction")),
    ]
    multinli = {"annotator_labels": ["entailment"], "genre": "fiction", "gold_label": "entailment", "pairID": "31193n"}
    multinli |= {"sentence1": "one", "sentence2": "two", "sentence1_parse": "", "promptID": "31193"}
    (tmp_path / "multinli_1.0_train.jsonl").write_text(json.dumps(multinli) + "\n", encoding="utf-8")
    assert read_nli(tmp_path / "multinli_1.0_train.jsonl") == [Example("31193n", "en", "one", "two", LABELS.index("entailment"))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("premise\thypo\tlabel\na\tb\tmaybe\n", r"x\.tsv:2: unknown label 'maybe'"),
        ("a\tb\n1\t2\n", r"x\.tsv:2: no 'sentence1'"),
        ("premise\thypo\tlabel\na\tb\n", r"x\.tsv:2: no 'label'"),
        ("", "no examples"),
    ],
)
def test_a_file_of_another_kind_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(KoineError, match=message):
        read_nli(tmp_path / "x.tsv")


# --- the NLI probe -------------------------------------------------------------------------------------------------


def pairs(number: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vectors and pairs whose label depends, with noise, on what a linear probe sees."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(60, 5))
    vectors[:, 4] = 1  # a feature that never varies
    premise, hypothesis = rng.integers(0, 60, (2, number))
    product = vectors[premise, 0] * vectors[hypothesis, 0] + vectors[hypothesis, 1]
    label = np.digitize(product + rng.normal(scale=0.3, size=number), [-0.5, 0.5])
    return vectors.astype(np.float32), premise, hypothesis, label


def test_it_is_logistic_regression_on_standardised_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 128)  # several blocks, the last one shorter
    vectors, premise, hypothesis, label = pairs(900, 0)
    u, v = vectors[premise], vectors[hypothesis]
    features = np.concatenate([u, v, np.abs(u - v), u * v], axis=1).astype(np.float64)
    for size in (60, 600):  # where the penalty is most of it, and where it is little
        other = make_pipeline(StandardScaler(), LogisticRegression(C=1 / L2, max_iter=5000, tol=1e-9))
        other.fit(features[:size], label[:size])
        own = Probe(vectors, premise[:size], hypothesis[:size], label[:size])
        assert own._weights[:-1] == pytest.approx(other[1].coef_.T, abs=5e-3)
        agree = own.predict(vectors, premise[600:], hypothesis[600:]) == other.predict(features[600:])
        assert agree.mean() > 0.99
    assert other.score(features[600:], label[600:]) > 0.7
    assert np.array_equal(own._weights, Probe(vectors, premise[:600], hypothesis[:600], label[:600])._weights)


class Marked:
    """An encoder of made-up sentences `LANGUAGE s t`: a vector from the numbers, the same in every language."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str], kind: str, *, batch_size: int) -> np.ndarray:
        assert kind == "query"
        self.seen += texts
        table = np.random.default_rng(5).normal(size=(50, 8))
        return table[[int(text.split()[1]) for text in texts]].astype(np.float32)


def examples(number: int, seed: int, lang: str, wrong: bool = False) -> list[Example]:
    rng, table = np.random.default_rng(seed), np.random.default_rng(5).normal(size=(50, 8))
    result = []
    for index, (one, two) in enumerate(rng.integers(0, 50, (number, 2))):
        label = int(np.digitize(table[one, 0] * table[two, 0], [-0.3, 0.3]))
        result.append(Example(str(index), lang, f"{lang} {one}", f"{lang} {two}", (label + wrong) % 3))
    return result


def test_every_distinct_text_is_encoded_once() -> None:
    encoder = Marked()
    train, test = examples(400, 1, "en"), examples(100, 2, "en")
    correct = probe(lambda texts: encoder.encode(texts, "query", batch_size=1), train, test)
    assert set(Counter(encoder.seen).values()) == {1}
    assert correct.shape == (100,)
    assert correct.mean() > 0.8


def test_a_language_is_judged_by_its_own_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Marked()
    monkeypatch.setattr(backbones, "load", lambda model, device: encoder)

    def write(name: str, rows: list[Example]) -> Path:
        lines = [
            {"language": e.lang, "gold_label": LABELS[e.label], "sentence1": e.premise, "sentence2": e.hypothesis, "pairID": e.id}
            for e in rows
        ]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return tmp_path / name

    train = write("train.jsonl", examples(400, 1, "en"))
    test = write("test.jsonl", [*examples(100, 2, "en"), *examples(90, 3, "sw"), *examples(90, 3, "ur", wrong=True)])
    evaluate_probe("any", [train], [test], tmp_path / "out", name="xnli", run=Run("r", "b", "s", 1), device="cpu")
    pairs = PAIRS.check(pl.read_csv(tmp_path / "out/pairs.csv", schema_overrides=dict(PAIRS.columns)), "pairs")
    assert pairs["query_lang"].to_list() == pairs["doc_lang"].to_list() == ["en", "sw", "ur"]
    assert pairs["n_queries"].to_list() == [100, 90, 90]
    assert set(zip(pairs["benchmark"], pairs["setting"], pairs["metric"], strict=True)) == {("xnli", "mono", "accuracy")}
    english, swahili, wrong = pairs["value"]
    assert min(english, swahili) > 0.8
    assert wrong < 0.2
    scores = SCORES.read(tmp_path / "out/scores.parquet")
    assert scores.group_by("query_lang").agg(pl.col("accuracy").mean()).sort("query_lang")["accuracy"].to_list() == pytest.approx(
        [english, swahili, wrong], abs=1e-6
    )
