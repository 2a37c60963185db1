"""Centring and LIR against numpy oracles, on planted language directions, and by the commands that apply them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits
from typer.testing import CliRunner

from koine import backbones
from koine.cli import app
from koine.encode.debias import encode_debias, normalise, remove
from koine.encode.vectors import read_vectors, write_vectors
from koine.evaluate.vectors import evaluate_vectors
from koine.params import Encode
from koine.records import PAIRS, PASSAGES, QRELS, QUERIES, Run
from koine.runtime.errors import KoineError

LANGUAGES = ["en", "fi", "zh"]
TOPICS, DIM = 20, 32


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def write_benchmark(folder: Path) -> Path:
    """`TOPICS` parallel questions and passages in three languages; question n is answered by passage n."""
    rows = [(lang, n) for lang in LANGUAGES for n in range(TOPICS)]
    queries = [{"id": f"q{n}", "lang": lang, "text": f"{lang} question {n}"} for lang, n in rows]
    passages = [{"id": f"p{n}", "lang": lang, "group": "", "text": f"{lang} passage {n}"} for lang, n in rows]
    qrels = [{"query_id": f"q{n}", "lang": lang, "passage_id": f"p{n}"} for lang, n in rows]
    QUERIES.write(QUERIES.frame(queries), folder / "queries.parquet")
    PASSAGES.write(PASSAGES.frame(passages), folder / "passages.parquet")
    QRELS.write(QRELS.frame(qrels), folder / "qrels.parquet")
    return folder


def planted(strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Queries and passages, `[3 TOPICS, DIM]`: a topic's own direction plus, `strength` times, the language's."""
    axes = np.linalg.qr(np.random.default_rng(5).normal(size=(DIM, DIM)))[0]
    topics, languages = axes[:TOPICS], axes[TOPICS : TOPICS + 3]
    both = unit(np.concatenate([topics + strength * language for language in languages])).astype(np.float32)
    return both, both.copy()


def store(folder: Path, queries: np.ndarray, passages: np.ndarray) -> Path:
    write_vectors(queries.astype(np.float32), folder / "queries.npy")
    write_vectors(passages.astype(np.float32), folder / "passages.npy")
    return folder


def stored(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    return np.load(folder / "queries.npy"), np.load(folder / "passages.npy")


@pytest.fixture
def benchmark_folder(tmp_path: Path) -> Path:
    return write_benchmark(tmp_path / "toy")


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Random directions, with an offset that all languages share and one of each."""
    rng = np.random.default_rng(4)
    offsets = rng.normal(size=DIM) + np.repeat(rng.normal(size=(3, DIM)), TOPICS, axis=0)
    return store(tmp_path / "vectors", *(unit(rng.normal(size=(3 * TOPICS, DIM)) + offsets) for _ in range(2)))


def oracle(queries: np.ndarray, passages: np.ndarray, rank: int) -> list[np.ndarray]:
    """Both sides debiased by `np.linalg.svd` of each language's block of passages; by its mean, for rank 0."""
    sides = []
    for side in (queries, passages):
        parts = []
        for block in np.split(np.arange(3 * TOPICS), 3):
            own, collection = side[block].astype(np.float64), passages[block].astype(np.float64)
            first = np.linalg.svd(collection.T)[0][:, :rank]  # d x n, as in the paper
            parts.append(own - (own @ first @ first.T if rank else collection.mean(axis=0)))
        sides.append(unit(np.concatenate(parts)))
    return sides


# --- against the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "rank"), [("centre", 0), ("lir", 1), ("lir@1", 1), ("lir@3", 3)])
def test_vectors_equal_the_oracles(tmp_path: Path, benchmark_folder: Path, vectors: Path, method: str, rank: int) -> None:
    encode_debias(vectors, benchmark_folder, tmp_path / "out", method)
    for got, wanted in zip(stored(tmp_path / "out"), oracle(*stored(vectors), rank), strict=True):
        assert got.dtype == np.float32
        assert np.abs(got - wanted).max() < 1e-6
        assert np.linalg.norm(got, axis=1) == pytest.approx(1, abs=1e-6)
    assert json.loads((tmp_path / "out/encode.json").read_text()) == {"encoder_calls": 0, "model": None, "method": method}


matrices = st.builds(
    lambda seed, rows, dim: np.random.default_rng(seed).normal(size=(rows, dim)) + 1,
    st.integers(0, 2**32 - 1),
    st.integers(5, 40),
    st.integers(4, 16),
)


@given(matrices, st.integers(0, 2**32 - 1), st.floats(-10, 10))
def test_a_centred_collection_has_no_mean_and_forgets_any_offset(collection: np.ndarray, seed: int, size: float) -> None:
    centred = remove(collection, collection, "centre")
    assert np.abs(centred.mean(axis=0)).max() < 1e-12
    offset = size * np.random.default_rng(seed).normal(size=collection.shape[1])
    assert np.allclose(remove(collection + offset, collection + offset, "centre"), centred, atol=1e-10)


@given(matrices, st.integers(1, 3))
def test_lir_leaves_nothing_along_the_components_and_all_of_the_rest(collection: np.ndarray, rank: int) -> None:
    left = remove(collection, collection, f"lir@{rank}")
    first = np.linalg.svd(collection.T)[0][:, :rank]
    assert np.abs(left @ first).max() < 1e-6
    assert np.linalg.norm(left) ** 2 == pytest.approx((np.linalg.svd(collection)[1][rank:] ** 2).sum())


@given(matrices, st.sampled_from(["centre", "lir", "lir@2"]), st.randoms())
def test_permuted_rows_give_permuted_results(collection: np.ndarray, method: str, random: Any) -> None:
    order = np.array(random.sample(range(len(collection)), len(collection)))
    left = remove(collection, collection, method)
    assert np.allclose(remove(collection[order], collection[order], method), left[order], atol=1e-8)


def test_what_was_removed_whole_and_what_had_no_vector_are_zero() -> None:
    before = np.array([[1.0, 0.0], [0.0, 0.0], [0.6, 0.8]])
    after = np.array([[1e-9, -1e-8], [-0.3, 0.4], [0.0, -0.2]])
    assert normalise(after, before).tolist() == [[0, 0], [0, 0], [0, -1]]


# --- the step --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["centre", "lir"])
def test_without_a_planted_language_retrieval_across_languages_is_perfect(
    tmp_path: Path, benchmark_folder: Path, method: str
) -> None:
    planted_vectors = store(tmp_path / "planted", *planted(3.0))
    encode_debias(planted_vectors, benchmark_folder, tmp_path / "out", method)
    distance = {}
    for folder in (planted_vectors, tmp_path / "out"):
        evaluate_vectors(folder, benchmark_folder, tmp_path / "scores", run=Run("r", "b", "s", 1))
        pairs = pl.read_csv(tmp_path / "scores/pairs.csv").filter(setting="multi")
        distance[folder.name] = pairs.filter(metric="rank_distance")["value"].to_list()
    assert min(distance["planted"]) > TOPICS  # all of one's own language before any other
    assert distance["out"] == [2, 2, 2]  # the parallel passages of three languages side by side
    assert pairs.filter(metric="map")["value"].to_list() == [1, 1, 1]


def test_statistics_come_from_distinct_passages_alone(tmp_path: Path, benchmark_folder: Path, vectors: Path) -> None:
    """A passage that stands in the table twice counts once, and other queries change no passage."""
    encode_debias(vectors, benchmark_folder, tmp_path / "once", "centre")
    queries, passages = stored(vectors)
    store(tmp_path / "more", -queries, np.concatenate([passages[:1], passages]))
    table = PASSAGES.read(benchmark_folder / "passages.parquet")
    again = table[:1].with_columns(id=pl.lit("again"))
    PASSAGES.write(pl.concat([again, table]), benchmark_folder / "passages.parquet")
    encode_debias(tmp_path / "more", benchmark_folder, tmp_path / "twice", "centre")
    assert np.array_equal(stored(tmp_path / "twice")[1][1:], stored(tmp_path / "once")[1])


def test_rows_of_languages_that_are_mixed_stay_in_the_order_of_the_table(
    tmp_path: Path, benchmark_folder: Path, vectors: Path
) -> None:
    encode_debias(vectors, benchmark_folder, tmp_path / "sorted", "lir")
    order = np.random.default_rng(6).permutation(3 * TOPICS)
    for name, schema in (("queries", QUERIES), ("passages", PASSAGES)):
        path = benchmark_folder / f"{name}.parquet"
        schema.write(schema.read(path)[order.tolist()], path)
    store(tmp_path / "mixed", *(side[order] for side in stored(vectors)))
    encode_debias(tmp_path / "mixed", benchmark_folder, tmp_path / "out", "lir")
    for got, wanted in zip(stored(tmp_path / "out"), stored(tmp_path / "sorted"), strict=True):
        assert np.allclose(got, wanted[order], atol=1e-6)


def test_float16_halves_the_files(tmp_path: Path, benchmark_folder: Path, vectors: Path) -> None:
    for dtype in ("float32", "float16"):
        encode_debias(vectors, benchmark_folder, tmp_path / dtype, "lir", Encode.model_validate({"dtype": dtype}))
    assert stored(tmp_path / "float16")[1].dtype == np.float16
    one, half = (read_vectors(tmp_path / dtype / "passages.npy", 3 * TOPICS) for dtype in ("float32", "float16"))
    assert np.abs(one - half).max() < 1e-3


def test_one_thread_computes_whatever_the_machine_has(
    tmp_path: Path, benchmark_folder: Path, vectors: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def watched(*arguments: Any) -> np.ndarray:
        threads.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return remove(*arguments)

    monkeypatch.setattr("koine.encode.debias.remove", watched)
    with threadpool_limits(2, user_api="blas"):
        encode_debias(vectors, benchmark_folder, tmp_path / "out", "lir")
    assert threads == {1}


@pytest.mark.parametrize("method", ["", "center", "lir@", "lir@0", "lir@-1", "LIR", "lir3", "centre@2"])
def test_an_unknown_method_is_answered_with_the_known_ones(tmp_path: Path, method: str) -> None:
    with pytest.raises(KoineError, match=r"unknown method '.*' \(known: centre, lir, and lir@R"):
        encode_debias(tmp_path, tmp_path, tmp_path / "out", method)


@pytest.mark.parametrize(("method", "kept"), [("centre", 1), ("lir", 1), ("lir@3", 3), ("lir@40", TOPICS)])
def test_too_few_passages_to_leave_anything_of_them_are_an_error(
    tmp_path: Path, benchmark_folder: Path, vectors: Path, method: str, kept: int
) -> None:
    path = benchmark_folder / "passages.parquet"
    passages = PASSAGES.read(path)
    PASSAGES.write(passages[: 2 * TOPICS + kept], path)
    store(vectors, stored(vectors)[0], stored(vectors)[1][: 2 * TOPICS + kept])
    with pytest.raises(KoineError, match=f"{method} leaves nothing of the {kept} distinct passages in"):
        encode_debias(vectors, benchmark_folder, tmp_path / "out", method)
    assert not (tmp_path / "out").exists()


def test_queries_in_a_language_without_passages_are_an_error(tmp_path: Path, benchmark_folder: Path, vectors: Path) -> None:
    path = benchmark_folder / "passages.parquet"
    PASSAGES.write(PASSAGES.read(path)[: 2 * TOPICS], path)
    store(vectors, stored(vectors)[0], stored(vectors)[1][: 2 * TOPICS])
    with pytest.raises(KoineError, match="queries in zh, but no passages"):
        encode_debias(vectors, benchmark_folder, tmp_path / "out", "lir")


# --- the commands ----------------------------------------------------------------------------------------


def test_encode_debias_writes_what_evaluate_reads(tmp_path: Path, benchmark_folder: Path, vectors: Path) -> None:
    common = ["--benchmark", str(benchmark_folder)]
    call = ["encode-debias", "--vectors", str(vectors), *common, "--method", "lir@2", "--dtype", "float16"]
    result = CliRunner().invoke(app, [*call, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert stored(tmp_path / "out")[0].dtype == np.float16
    evaluated = ["evaluate-vectors", "--vectors", str(tmp_path / "out"), *common, "--out", str(tmp_path / "scores")]
    result = CliRunner().invoke(app, evaluated, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    with pytest.raises(KoineError, match="unknown method 'pca'"):
        CliRunner().invoke(app, [*call, "--method", "pca", "--out", str(tmp_path / "no")], catch_exceptions=False)


class PlantedEncoder:
    """Answers each call, one a language and side, with the planted vectors of its texts."""

    def __init__(self) -> None:
        self.calls = 0

    def encode(self, texts: list[str], kind: str, *, batch_size: int) -> np.ndarray:
        self.calls += 1
        rows = [LANGUAGES.index(lang) * TOPICS + int(n) for lang, _, n in (text.split() for text in texts)]
        return planted(3.0)[0][rows]


def test_evaluate_debiases_any_model_in_one_command(
    tmp_path: Path, benchmark_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = PlantedEncoder()
    monkeypatch.setattr(backbones, "load", lambda model, device="cpu": encoder)
    call = ["evaluate", "--model", "any", "--benchmark", str(benchmark_folder), "--device", "cpu", "--out"]
    found = {}
    for options in ([], ["--debias", "centre"], ["--debias", "lir", "--strategy", "hybrid"]):
        result = CliRunner().invoke(app, [*call, str(tmp_path / "out"), *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        pairs = PAIRS.check(pl.read_csv(tmp_path / "out/pairs.csv", schema_overrides=dict(PAIRS.columns)), "pairs")
        own = pairs.filter(setting="multi", metric="map")
        found[own["strategy"][0]] = own["value"].mean()
    assert found.pop("given") < 0.7
    assert found == {"given+centre": 1.0, "hybrid+lir": 1.0}
    calls = encoder.calls
    with pytest.raises(KoineError, match="unknown method 'pca'"):
        CliRunner().invoke(app, [*call, str(tmp_path / "out"), "--debias", "pca"], catch_exceptions=False)
    assert encoder.calls == calls  # said before anything is encoded
