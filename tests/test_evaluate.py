"""Metrics against ir_measures and naive formulas; the encode, evaluate and index steps on hand-made benchmarks."""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import ir_measures
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from koine import backbones
from koine.encode.texts import encode
from koine.encode.vectors import read_vectors
from koine.evaluate import ranks as ranks_module
from koine.evaluate.bm25 import evaluate_bm25
from koine.evaluate.cells import Asked
from koine.evaluate.consistency import consistency
from koine.evaluate.metrics import metrics
from koine.evaluate.ranks import Judgements, Top, rank
from koine.evaluate.vectors import evaluate_vectors
from koine.index.build import index
from koine.params import Encode
from koine.records import PAIRS, PASSAGES, QRELS, QUERIES, SCORES, Run, read_parquet
from koine.runtime.errors import KoineError

RUN = Run("recipe", "static", "hybrid", 1)
ORACLE = {
    "map": ir_measures.AP,
    "map@3": ir_measures.AP @ 3,
    "ndcg@3": ir_measures.nDCG @ 3,
    "ndcg@10": ir_measures.nDCG @ 10,
    "recall@1": ir_measures.R @ 1,
    "recall@10": ir_measures.R @ 10,
    "mrr": ir_measures.RR,
    "mrr@3": ir_measures.RR @ 3,
    "accuracy": ir_measures.Success @ 1,
}
LOOPED = ("map@20", "rank_distance")
NAMES = (*ORACLE, *LOOPED)


# --- oracles -----------------------------------------------------------------------------------------------


def ranking(scores: np.ndarray, columns: Sequence[int]) -> list[int]:
    """Columns by falling score; of equal ones the first in the table first."""
    return sorted(columns, key=lambda column: (-float(scores[column]), column))


def lareqa_average_precision_at_20(ranked: list[int], relevant: set[int]) -> float:
    """`Σ_{i ≤ 20, hit} (hits so far / i) / min(|R|, 20)` of LAReQA's `mean_avg_prec_at_k`, as a loop."""
    hits, total = 0, 0.0
    for position, column in enumerate(ranked[:20], start=1):
        if column in relevant:
            hits += 1
            total += hits / position
    return total / min(len(relevant), 20)


def oracle(rankings: dict[str, list[int]], relevant: dict[str, set[int]]) -> dict[str, dict[str, float]]:
    """Every metric by query, from ir_measures (fed with `-rank`, so that no ties are left to it) and loops."""
    queries = [query for query in rankings if relevant[query]]
    run = [
        ir_measures.ScoredDoc(query, str(column), -float(rank))
        for query in queries
        for rank, column in enumerate(rankings[query])
    ]
    qrels = [ir_measures.Qrel(query, str(column), 1) for query in queries for column in relevant[query]]
    result: dict[str, dict[str, float]] = {query: {} for query in queries}
    names = {measure: name for name, measure in ORACLE.items()}
    if queries:
        for value in ir_measures.iter_calc(list(ORACLE.values()), qrels, run):
            result[value.query_id][names[value.measure]] = value.value
    for query in queries:
        ranks = [rank for rank, column in enumerate(rankings[query], start=1) if column in relevant[query]]
        result[query]["rank_distance"] = max(ranks) - min(ranks)
        result[query]["map@3"] *= len(ranks) / min(len(ranks), 3)  # trec_eval divides by |R|, LAReQA by the hits that fit
        result[query]["map@20"] = lareqa_average_precision_at_20(rankings[query], relevant[query])
    return result


@st.composite
def scored_pools(draw: st.DrawFn) -> tuple[np.ndarray, list[slice], Judgements]:
    """A score matrix with ties, its languages' blocks, and judgements: several per query and language, or none."""
    sizes = draw(st.lists(st.integers(1, 14), min_size=1, max_size=4))
    queries = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.normal(size=(queries, sum(sizes))).round(draw(st.sampled_from([0, 1, 3]))).astype(np.float32)
    ends = np.cumsum(sizes)
    blocks = [slice(int(end - size), int(end)) for end, size in zip(ends, sizes, strict=True)]
    relevant = rng.random(scores.shape) < draw(st.sampled_from([0.05, 0.2, 0.6]))
    query, passage = np.nonzero(relevant)
    return scores, blocks, Judgements(query, passage, np.searchsorted(ends, passage, side="right"))


@dataclass(frozen=True)
class Matrix:
    """A scorer that knows all scores."""

    all: np.ndarray

    def scores(self, rows: np.ndarray, columns: slice) -> np.ndarray:
        return self.all[rows, columns]

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return self.all[rows[:, None], columns]


def ranked(scores: np.ndarray, judgements: Judgements, blocks: Sequence[slice], depth: int = 0) -> tuple[np.ndarray, Top]:
    """Ranks of all queries of a score matrix, and the top of all languages."""
    everything = {"all": range(len(blocks))}
    rows, reach = np.arange(len(scores)), slice(0, scores.shape[1])
    ahead, tops = rank(Matrix(scores), rows, reach, judgements, blocks, everything, depth)
    return ahead, tops["all"]


# --- metrics -------------------------------------------------------------------------------------------------


@given(scored_pools(), st.data())
@given_settings(max_examples=60)
def test_every_metric_in_every_setting_equals_ir_measures(
    pool: tuple[np.ndarray, list[slice], Judgements], data: st.DataObject
) -> None:
    scores, blocks, judgements = pool
    ahead = ranked(scores, judgements, blocks)[0]
    everything = list(range(len(blocks)))
    some = sorted(data.draw(st.sets(st.sampled_from(everything), min_size=1)))
    for members in [*([one] for one in everything), everything, some]:  # mono and cross, multi, a sub-pool
        own = np.isin(judgements.block, members)
        queries, values = metrics(judgements.query[own], 1 + ahead[own][:, members].sum(axis=1), NAMES)
        columns = [column for member in members for column in range(blocks[member].start, blocks[member].stop)]
        rankings = {str(q): ranking(scores[q], columns) for q in range(len(scores))}
        relevant: dict[str, set[int]] = {query: set() for query in rankings}
        for query, passage in zip(judgements.query[own], judgements.passage[own], strict=True):
            relevant[str(query)].add(int(passage))
        wanted = oracle(rankings, relevant)
        assert [str(query) for query in queries] == sorted(wanted, key=int)
        assert set(values) == set(NAMES)
        for name, column in values.items():
            assert column.dtype == np.float64
            assert column.tolist() == pytest.approx([wanted[str(query)][name] for query in queries], abs=1e-9), name
            if name != "rank_distance":
                assert ((column >= 0) & (column <= 1 + 1e-12)).all(), name


@given(scored_pools())
def test_counts_ahead_are_positions_in_a_stable_sort(pool: tuple[np.ndarray, list[slice], Judgements]) -> None:
    scores, blocks, judgements = pool
    ahead = ranked(scores, judgements, blocks)[0]
    assert ahead.shape == (len(judgements.query), len(blocks))
    for j, (query, passage) in enumerate(zip(judgements.query, judgements.passage, strict=True)):
        order = np.argsort(-scores[query], kind="stable").tolist()
        before = order[: order.index(passage)]
        assert ahead[j].tolist() == [sum(block.start <= column < block.stop for column in before) for block in blocks]


@given(scored_pools(), st.integers(1, 12), st.data())
def test_the_top_of_a_pool_is_the_head_of_a_stable_sort_of_it(
    pool: tuple[np.ndarray, list[slice], Judgements], depth: int, data: st.DataObject
) -> None:
    scores, blocks, judgements = pool
    members = sorted(data.draw(st.sets(st.sampled_from(range(len(blocks))), min_size=1)))
    rows, reach = np.arange(len(scores)), slice(0, scores.shape[1])
    top = rank(Matrix(scores), rows, reach, judgements, blocks, {"some": members}, depth)[1]["some"]
    columns = [column for member in members for column in range(blocks[member].start, blocks[member].stop)]
    for row, (found, values) in enumerate(zip(top.columns, top.scores, strict=True)):
        wanted = ranking(scores[row], columns)[:depth]
        assert found.tolist() == wanted + [-1] * (depth - len(wanted))
        assert values[: len(wanted)].tolist() == scores[row, wanted].tolist()


@given(scored_pools(), st.integers(1, 200))
def test_scores_in_blocks_give_what_scores_at_once_give(pool: tuple[np.ndarray, list[slice], Judgements], held: int) -> None:
    scores, blocks, judgements = pool
    with pytest.MonkeyPatch.context() as patch:
        at_once = ranked(scores, judgements, blocks, depth=5)
        patch.setattr(ranks_module, "HELD", held)
        in_blocks = ranked(scores, judgements, blocks, depth=5)
    assert np.array_equal(at_once[0], in_blocks[0])
    assert np.array_equal(at_once[1].columns, in_blocks[1].columns)
    assert np.array_equal(at_once[1].scores, in_blocks[1].scores)


def naive_consistency(scores: np.ndarray, a: int, b: int, k: int) -> tuple[float, float]:
    """RankC (arXiv 2310.10378) and Spearman's correlation over the union, for two rows of scores, as loops."""
    one, two = (ranking(scores[row], range(scores.shape[1]))[:k] for row in (a, b))
    weights = [np.exp(len(one) - j) for j in range(1, len(one) + 1)]
    rankc = sum(w * len({*one[:j]} & {*two[:j]}) / j for j, w in enumerate(weights, start=1)) / sum(weights)
    union = sorted({*one, *two})
    if min(len(np.unique(scores[row, union])) for row in (a, b)) == 1:
        return rankc, 0.0
    return rankc, spearmanr(scores[a, union], scores[b, union]).statistic


@given(st.integers(2, 4), st.integers(1, 4), st.integers(2, 12), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_consistency_equals_naive_formulas(languages: int, questions: int, size: int, depth: int, seed: int) -> None:
    depth = min(depth, size)
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(languages * questions, size)).round(1).astype(np.float32)
    asked, known = {}, {}
    for lang in range(languages):
        rows = lang * questions + np.flatnonzero(rng.random(questions) < 0.8)
        top = [ranking(scores[row], range(size))[:depth] for row in rows]
        columns = np.array(top, dtype=np.int64).reshape(-1, depth)
        ids = pl.Series([f"q{row % questions}" for row in rows], dtype=pl.String)
        asked[str(lang)] = Asked(rows, ids, Top(columns, scores[rows[:, None], columns]))
        known |= {(row % questions, lang): row for row in rows.tolist()}
    for lang, values in consistency(asked, Matrix(scores)).items():
        for place, row in enumerate(asked[lang].rows.tolist()):
            others = [known[key] for key in known if key[0] == row % questions and key[1] != int(lang)]
            wanted = [naive_consistency(scores, row, other, depth) for other in others]
            for value, of in zip(values, zip(*wanted, strict=True) if wanted else [[np.nan]] * 2, strict=True):
                assert value[place] == pytest.approx(np.mean(of), abs=1e-9, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 60)), unique=True, max_size=40), st.randoms())
def test_metrics_do_not_depend_on_the_order_of_judgements(pairs: list[tuple[int, int]], random: Any) -> None:
    shuffled = random.sample(pairs, len(pairs))
    (one, two), (values, again) = zip(
        *(metrics(*np.array(rows, dtype=np.int64).reshape(-1, 2).T, NAMES) for rows in (pairs, shuffled)), strict=True
    )
    assert np.array_equal(one, two)
    assert all(np.array_equal(values[name], again[name]) for name in NAMES)


def test_no_judgements_give_no_queries() -> None:
    empty = np.empty(0, dtype=np.int64)
    queries, values = metrics(empty, empty, NAMES)
    assert len(queries) == 0
    assert all(len(column) == 0 for column in values.values())


def test_more_than_twenty_relevant_passages_can_fill_the_first_twenty_ranks() -> None:
    _, values = metrics(np.zeros(25, dtype=np.int64), np.arange(1, 26), NAMES)
    assert values["map@20"][0] == pytest.approx(1)
    assert values["recall@10"][0] == pytest.approx(10 / 25)
    assert values["ndcg@10"][0] == pytest.approx(1)


def test_rank_distance_of_random_scores_is_the_closed_form() -> None:
    """`(N + 1)(n - 1)/(n + 1)` at XQuAD-R's sizes, 13,014 candidates with 11 relevant ones: 10,846."""
    size, relevant, queries = 13_014, 11, 400
    assert (size + 1) * (relevant - 1) / (relevant + 1) == pytest.approx(10_846, abs=1)
    rng = np.random.default_rng(11)
    scores = rng.random((queries, size), dtype=np.float32)
    passage = np.concatenate([rng.choice(size, relevant, replace=False) for _ in range(queries)])
    query = np.repeat(np.arange(queries), relevant)
    ahead = ranked(scores, Judgements(query, passage, np.zeros_like(query)), [slice(0, size)])[0]
    distance = metrics(query, 1 + ahead[:, 0], ["rank_distance"])[1]["rank_distance"]
    error = distance.std() / np.sqrt(queries)
    assert distance.mean() == pytest.approx((size + 1) * (relevant - 1) / (relevant + 1), abs=3.5 * error)


# --- the evaluate step -----------------------------------------------------------------------------------------


LANGUAGES = ["en", "fi", "zh"]


def write_benchmark(folder: Path) -> Path:
    """Three languages; some questions have no gold passage in some languages, one has two, one none at all."""
    rng = np.random.default_rng(2)
    queries, passages, qrels = [], [], []
    for lang in LANGUAGES:
        queries += [{"id": f"q{n}", "lang": lang, "text": f"{lang} question {n}"} for n in range(6) if (n, lang) != (5, "fi")]
        passages += [{"id": f"p{n}", "lang": lang, "group": f"g{n // 2}", "text": f"{lang} passage {n}"} for n in range(9)]
        qrels += [{"query_id": f"q{n}", "lang": lang, "passage_id": f"p{n}"} for n in range(5) if (n, lang) != (3, "zh")]
    qrels.append({"query_id": "q0", "lang": "fi", "passage_id": "p7"})
    qrels = [qrels[i] for i in rng.permutation(len(qrels))]
    QUERIES.write(QUERIES.frame(queries), folder / "queries.parquet")
    PASSAGES.write(PASSAGES.frame(passages), folder / "passages.parquet")
    QRELS.write(QRELS.frame(qrels), folder / "qrels.parquet")
    return folder


def write_vectors(folder: Path, benchmark: Path, dtype: str = "float32") -> Path:
    rng = np.random.default_rng(3)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("queries", "passages"):
        vectors = rng.normal(size=(len(read_parquet(benchmark / f"{name}.parquet")), 4))
        np.save(folder / f"{name}.npy", (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(dtype))
    (folder / "encode.json").write_text('{"model": "any"}')
    return folder


@pytest.fixture
def benchmark_folder(tmp_path: Path) -> Path:
    return write_benchmark(tmp_path / "toy")


@pytest.fixture
def evaluated(tmp_path: Path, benchmark_folder: Path) -> Path:
    vectors = write_vectors(tmp_path / "vectors", benchmark_folder)
    names = [*NAMES, "tlr@3", "same_language@1", "rankc@3", "mrc@3", "language_probe"]
    evaluate_vectors(vectors, benchmark_folder, tmp_path / "out", run=RUN, pools=["en+fi", "en+xx"], metrics=names, trec=27)
    return tmp_path / "out"


def test_scores_equal_a_naive_evaluation_in_every_cell(evaluated: Path, benchmark_folder: Path, tmp_path: Path) -> None:
    queries, passages, qrels = (
        read_parquet(benchmark_folder / f"{name}.parquet").rows(named=True) for name in ("queries", "passages", "qrels")
    )
    matrix = np.load(tmp_path / "vectors/queries.npy") @ np.load(tmp_path / "vectors/passages.npy").T
    gold = {(row["query_id"], row["lang"], row["passage_id"]) for row in qrels}
    got = {
        (row["benchmark"], row["setting"], row["query_lang"], row["doc_lang"], row["query_id"]): row
        for row in SCORES.read(evaluated / "scores.parquet").rows(named=True)
    }
    wanted: dict[tuple[str, ...], dict[str, float]] = {}
    for (name, members), query_lang in itertools.product({"toy": LANGUAGES, "toy:en+fi": ["en", "fi"]}.items(), LANGUAGES):
        if query_lang not in members:
            continue
        for doc_lang in [*members, "all"]:
            columns = [c for c, p in enumerate(passages) if p["lang"] in (members if doc_lang == "all" else [doc_lang])]
            own = {q["id"]: row for row, q in enumerate(queries) if q["lang"] == query_lang}
            rankings = {i: ranking(matrix[row], columns) for i, row in own.items()}
            relevant = {i: {c for c in columns if (i, passages[c]["lang"], passages[c]["id"]) in gold} for i in own}
            setting = "multi" if doc_lang == "all" else "mono" if doc_lang == query_lang else "cross"
            for query, values in oracle(rankings, relevant).items():
                wanted[name, setting, query_lang, doc_lang, query] = values
                if setting == "multi":
                    first = rankings[query][:3]
                    elsewhere = {c for c in relevant[query] if passages[c]["lang"] != query_lang}
                    values["tlr@3"] = len(elsewhere & {*first}) / len(elsewhere)
                    values["same_language@1"] = float(passages[first[0]]["lang"] == query_lang)
    assert set(got) == set(wanted)
    for key, values in wanted.items():
        if key[1] != "multi":
            pooled = ["rank_distance", "tlr@3", "same_language@1", "rankc@3", "mrc@3", "language_probe", "top_lang"]
            assert all(got[key][metric] is None for metric in pooled)
            del values["rank_distance"]
        for metric, value in values.items():
            assert got[key][metric] == pytest.approx(value, abs=1e-9), (key, metric)


def test_ir_measures_reads_the_same_numbers_from_the_trec_files(evaluated: Path) -> None:
    scores = SCORES.read(evaluated / "scores.parquet").filter(benchmark="toy")
    cells = scores.select("setting", "query_lang", "doc_lang").unique().rows()
    assert len(cells) == 12
    for setting, query_lang, doc_lang in cells:
        own = scores.filter(setting=setting, query_lang=query_lang, doc_lang=doc_lang)
        cell = str(evaluated / "trec" / f"{query_lang}-{doc_lang}")
        qrels, run = ir_measures.read_trec_qrels(cell + ".qrels"), ir_measures.read_trec_run(cell + ".run")
        measures = {measure: name for name, measure in ORACLE.items() if name != "map@3"}
        values = ir_measures.iter_calc(list(measures), qrels, run)
        found = {(value.query_id, measures[value.measure]): value.value for value in values}
        wanted = {(row["query_id"], name): row[name] for row in own.rows(named=True) for name in measures.values()}
        assert found == pytest.approx(wanted, abs=1e-9)


def test_bm25_is_measured_on_each_corpus_in_mono_and_cross_and_on_the_pool_in_multi(
    benchmark_folder: Path, tmp_path: Path
) -> None:
    evaluate_bm25(benchmark_folder, tmp_path, recipe="recipe", metrics=["mrr", "rank_distance", "rankc@3", "language_probe"])
    scores = SCORES.read(tmp_path / "scores.parquet")
    # "en question 3" shares its number with "en passage 3" alone, and with "fi passage 3"; its language with all of English.
    assert scores.filter(setting="mono", query_id="q3")["mrr"].to_list() == [1.0, 1.0]
    assert scores.filter(setting="cross", query_id="q3", query_lang="en", doc_lang="fi")["mrr"].to_list() == [1.0]
    assert set(scores.filter(setting="multi")["top_lang"] == scores.filter(setting="multi")["query_lang"]) == {True}
    assert "language_probe" not in scores.columns  # there are no vectors
    pairs = pl.read_csv(tmp_path / "pairs.csv")
    assert set(pairs.select("backbone", "strategy", "seed").rows()) == {("bm25", "untrained", 0)}


def test_queries_without_gold_in_a_corpus_are_left_out_there_and_the_rest_counted(evaluated: Path) -> None:
    pairs = pl.read_csv(evaluated / "pairs.csv").filter(benchmark="toy", metric="map")
    counted = {(row["query_lang"], row["doc_lang"]): row["n_queries"] for row in pairs.rows(named=True)}
    # Question 5 has no gold anywhere, question 3 none in Chinese.
    assert counted == {(q, d): 4 if d == "zh" else 5 for q in LANGUAGES for d in [*LANGUAGES, "all"]}
    settings = {(row["query_lang"], row["doc_lang"]): row["setting"] for row in pairs.rows(named=True)}
    assert Counter(settings.values()) == {"mono": 3, "cross": 6, "multi": 3}
    assert all(setting == "mono" for (q, d), setting in settings.items() if q == d)


def test_pairs_are_the_means_of_scores(evaluated: Path) -> None:
    pairs = PAIRS.check(pl.read_csv(evaluated / "pairs.csv", schema_overrides=dict(PAIRS.columns)), "pairs")
    scores = SCORES.read(evaluated / "scores.parquet")
    cell = ["benchmark", "setting", "query_lang", "doc_lang"]
    assert not pairs.select(*cell, "metric").is_duplicated().any()
    assert pairs.select(*cell).unique().height == scores.select(*cell).unique().height
    for row in pairs.rows(named=True):
        own = scores.filter(**{name: row[name] for name in cell})
        assert row["n_queries"] == own[row["metric"]].count()
        assert row["value"] == pytest.approx(own[row["metric"]].mean(), abs=1e-6)
        assert (row["recipe"], row["backbone"], row["strategy"], row["seed"]) == ("recipe", "static", "hybrid", 1)
    for metric in ("rank_distance", "tlr@3", "same_language@1", "rankc@3", "mrc@3", "language_probe"):
        assert set(pairs.filter(metric=metric)["setting"]) == {"multi"}


def test_pools_with_languages_that_a_benchmark_lacks_are_left_out(evaluated: Path) -> None:
    assert set(pl.read_csv(evaluated / "pairs.csv")["benchmark"]) == {"toy", "toy:en+fi"}


def test_the_cells_of_a_sub_pool_are_those_of_the_whole(evaluated: Path) -> None:
    """Mono and cross do not know which pool they stand in: encode once, slice for everything."""
    scores = SCORES.read(evaluated / "scores.parquet").filter(pl.col("setting") != "multi")
    inside = pl.col("query_lang").is_in(["en", "fi"]) & pl.col("doc_lang").is_in(["en", "fi"])
    whole = scores.filter(inside, benchmark="toy").drop("benchmark")
    assert whole.equals(scores.filter(benchmark="toy:en+fi").drop("benchmark"))


def test_evaluating_twice_gives_the_same_bytes(evaluated: Path, benchmark_folder: Path, tmp_path: Path) -> None:
    names = pl.read_parquet(evaluated / "scores.parquet").columns[6:]
    evaluate_vectors(tmp_path / "vectors", benchmark_folder, tmp_path / "again", run=RUN, pools=["en+fi", "en+xx"], metrics=names)
    for name in ("pairs.csv", "scores.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (evaluated / name).read_bytes()


def test_a_judgement_given_twice_counts_once(evaluated: Path, benchmark_folder: Path, tmp_path: Path) -> None:
    qrels = QRELS.read(benchmark_folder / "qrels.parquet")
    QRELS.write(pl.concat([qrels, qrels]), benchmark_folder / "qrels.parquet")
    names = pl.read_parquet(evaluated / "scores.parquet").columns[6:]
    evaluate_vectors(tmp_path / "vectors", benchmark_folder, tmp_path / "again", run=RUN, pools=["en+fi"], metrics=names)
    assert (tmp_path / "again/pairs.csv").read_bytes() == (evaluated / "pairs.csv").read_bytes()


def test_identical_passages_rank_in_the_order_of_the_table(tmp_path: Path, benchmark_folder: Path) -> None:
    vectors = write_vectors(tmp_path / "vectors", benchmark_folder)
    np.save(vectors / "passages.npy", np.ones((27, 4), dtype=np.float32))
    evaluate_vectors(vectors, benchmark_folder, tmp_path / "out", run=RUN)
    scores = SCORES.read(tmp_path / "out/scores.parquet").filter(setting="mono", query_lang="en")
    assert scores.sort("query_id")["mrr"].to_list() == [1 / rank for rank in range(1, 6)]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def drop_row(path: Path) -> None:
    np.save(path, np.load(path)[1:])


def put(value: float) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        vectors = np.load(path)
        vectors[0, 0] = value
        np.save(path, vectors)

    return spoil


@pytest.mark.parametrize("name", ["queries.npy", "passages.npy"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (Path.unlink, "not a whole .npy file"),
        (empty, "not a whole .npy file"),
        (cut, "not a whole .npy file"),
        (drop_row, "vectors for"),
        (put(float("nan")), "not finite"),  # NaN would rank first: perfect scores for a broken model
        (put(float("inf")), "not finite"),
    ],
    ids=["missing", "empty", "cut", "row count", "nan", "inf"],
)
def test_vectors_that_do_not_fit_are_an_error_that_names_the_file(
    tmp_path: Path, benchmark_folder: Path, name: str, spoil: Callable[[Path], None], message: str
) -> None:
    vectors = write_vectors(tmp_path / "vectors", benchmark_folder)
    spoil(vectors / name)
    for step in (
        lambda: evaluate_vectors(vectors, benchmark_folder, tmp_path / "out", run=RUN),
        lambda: index(vectors, benchmark_folder, tmp_path / "out"),
    ):
        with pytest.raises(KoineError, match=f"{name}: .*{message}"):
            step()
    assert not (tmp_path / "out").exists()


def test_a_language_torn_apart_in_the_passages_is_an_error(tmp_path: Path, benchmark_folder: Path) -> None:
    passages = PASSAGES.read(benchmark_folder / "passages.parquet")
    PASSAGES.write(passages[[*range(1, len(passages)), 0]], benchmark_folder / "passages.parquet")
    vectors = write_vectors(tmp_path / "vectors", benchmark_folder)
    with pytest.raises(KoineError, match="passages of en do not stand together"):
        evaluate_vectors(vectors, benchmark_folder, tmp_path / "out", run=RUN)


# --- the encode step ---------------------------------------------------------------------------------------------


class HashingEncoder:
    """A vector of each text's own digest, and a list of the calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    @staticmethod
    def vector(text: str, kind: str) -> np.ndarray:
        drawn = np.frombuffer(hashlib.sha256((kind + text).encode()).digest(), dtype=np.uint8).astype(np.float32) - 127.5
        return (drawn / np.linalg.norm(drawn)).astype(np.float32)

    def encode(self, texts: Sequence[str], kind: str, *, batch_size: int) -> np.ndarray:
        self.calls.append((kind, list(texts)))
        return np.stack([self.vector(text, kind) for text in texts])


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> HashingEncoder:
    fake = HashingEncoder()
    monkeypatch.setattr(backbones, "load", lambda model, device="cpu": fake)
    return fake


@pytest.mark.parametrize("shuffled", [False, True])
def test_row_i_of_the_vectors_is_text_i_of_the_table(
    tmp_path: Path, benchmark_folder: Path, encoder: HashingEncoder, shuffled: bool
) -> None:
    if shuffled:  # a table in which the languages do not stand together
        for name, schema in (("queries", QUERIES), ("passages", PASSAGES)):
            path = benchmark_folder / f"{name}.parquet"
            schema.write(schema.read(path).sample(fraction=1, shuffle=True, seed=1), path)
    encode("any", benchmark_folder, tmp_path / "vectors", device="cpu", encode_batch_size=7)
    for name, kind in (("queries", "query"), ("passages", "passage")):
        texts = read_parquet(benchmark_folder / f"{name}.parquet")["text"].to_list()
        vectors = read_vectors(tmp_path / "vectors" / f"{name}.npy", len(texts))
        assert np.array_equal(vectors, np.stack([encoder.vector(text, kind) for text in texts]))


def test_each_text_is_encoded_once_in_two_calls_per_language(
    tmp_path: Path, benchmark_folder: Path, encoder: HashingEncoder
) -> None:
    encode("any", benchmark_folder, tmp_path / "vectors", device="cpu", encode_batch_size=7)
    assert len(encoder.calls) == 2 * len(LANGUAGES)
    assert json.loads((tmp_path / "vectors/encode.json").read_text()) == {
        "encoder_calls": 6,
        "query": 3,
        "passage": 3,
        "model": None,
    }
    encoded = Counter((kind, text) for kind, texts in encoder.calls for text in texts)
    assert set(encoded.values()) == {1}
    evaluate_vectors(tmp_path / "vectors", benchmark_folder, tmp_path / "out", run=RUN)
    assert len(encoder.calls) == 6


def test_float16_halves_the_files_and_is_read_as_float32(tmp_path: Path, benchmark_folder: Path, encoder: HashingEncoder) -> None:
    for dtype in ("float32", "float16"):
        encode("any", benchmark_folder, tmp_path / dtype, Encode(dtype=dtype), device="cpu", encode_batch_size=7)  # type: ignore[arg-type]
    one, half = (read_vectors(tmp_path / dtype / "passages.npy", 27) for dtype in ("float32", "float16"))
    assert np.load(tmp_path / "float16/passages.npy").dtype == np.float16
    assert half.dtype == np.float32
    assert np.abs(one - half).max() < 1e-3


# --- the index step ----------------------------------------------------------------------------------------------


def test_a_flat_index_finds_what_the_exact_ranking_finds(tmp_path: Path, benchmark_folder: Path) -> None:
    vectors = write_vectors(tmp_path / "vectors", benchmark_folder)
    index(vectors, benchmark_folder, tmp_path / "index")
    summary = json.loads((tmp_path / "index/index.json").read_text())
    assert summary["recall@10"] == 1.0
    assert (summary["vectors"], summary["dim"]) == (27, 4)
    assert summary["bytes"] == (tmp_path / "index/index.faiss").stat().st_size
    loaded = faiss.read_index(str(tmp_path / "index/index.faiss"))
    passages, queries = np.load(vectors / "passages.npy"), np.load(vectors / "queries.npy")
    assert loaded.ntotal == 27
    _, found = loaded.search(queries, 10)
    assert np.array_equal(found, np.argsort(-(queries @ passages.T), axis=1, kind="stable")[:, :10])
    ids = PASSAGES.read(tmp_path / "index/ids.parquet")
    assert ids.equals(PASSAGES.read(benchmark_folder / "passages.parquet"))
    _, itself = loaded.search(passages, 1)
    assert itself[:, 0].tolist() == list(range(len(ids)))


def test_an_index_of_fewer_passages_than_the_depth_works(tmp_path: Path, benchmark_folder: Path) -> None:
    PASSAGES.write(PASSAGES.read(benchmark_folder / "passages.parquet")[:3], benchmark_folder / "passages.parquet")
    vectors = write_vectors(tmp_path / "vectors", benchmark_folder)
    index(vectors, benchmark_folder, tmp_path / "index")
    assert json.loads((tmp_path / "index/index.json").read_text())["recall@10"] == 1.0
