"""Kinds of index against the exact search, and sharded encoding against whole encoding."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import faiss
import numpy as np
import pytest
from threadpoolctl import threadpool_limits
from toy import train_one

from koine.encode import texts, vectors
from koine.encode.texts import encode
from koine.encode.vectors import Partial
from koine.index import kinds
from koine.index.kinds import build, exact, lists_of, open_index, recall, sample_size, size_of
from koine.params import IndexKind
from koine.records import PASSAGES
from koine.runtime.errors import KoineError

DIM = 16
EACH = ("flat", "ivf", "sq", "ivfpq", "hnsw")
FLOORS = {"flat": 1.0, "ivf": 0.95, "sq": 0.93, "ivfpq": 0.98, "hnsw": 0.98}


@pytest.fixture(scope="module")
def clustered() -> tuple[np.ndarray, np.ndarray]:
    """2,000 unit vectors around 50 centres, and 60 queries."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((50, DIM))
    points = centres[rng.integers(50, size=2060)] + 0.5 * rng.standard_normal((2060, DIM))
    unit = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    return unit[:2000], unit[2000:]


def kind_of(name: str, **more: int) -> IndexKind:
    return IndexKind.model_validate({"kind": name, "code_size": 4, **more})


# --- kinds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EACH)
def test_each_kind_finds_the_nearest_and_is_as_large_as_planned(
    clustered: tuple[np.ndarray, ...], tmp_path: Path, name: str
) -> None:
    points, queries = clustered
    faiss.write_index(build(points, kind_of(name)), str(tmp_path / "index"))
    found = open_index(tmp_path / "index", name).search(queries, 10)[1]
    assert recall(found, queries, points, exact(queries, points, 10)) >= FLOORS[name]
    assert (tmp_path / "index").stat().st_size == pytest.approx(size_of(kind_of(name), *points.shape), rel=0.05)


@pytest.mark.parametrize("name", EACH)
def test_neither_threads_nor_storage_change_a_byte(
    clustered: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    halves = clustered[0].astype(np.float16)
    made = []
    monkeypatch.setattr(vectors, "BLOCK", 777)  # hnsw depends on it
    for threads, points in ((1, halves.astype(np.float32)), (2, halves), (4, halves)):
        with threadpool_limits(threads):
            made.append(faiss.serialize_index(build(points, kind_of(name))).tobytes())
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(("name", "effort"), [("ivf", "nprobe"), ("hnsw", "ef_search")])
def test_more_effort_finds_more_and_is_kept_in_the_file(
    clustered: tuple[np.ndarray, ...], tmp_path: Path, name: str, effort: str
) -> None:
    points, queries = clustered
    best = exact(queries, points, 10)
    shares = []
    for much in (1, 200):
        faiss.write_index(build(points, kind_of(name, **{effort: much})), str(tmp_path / "index"))
        shares.append(recall(open_index(tmp_path / "index", name).search(queries, 10)[1], queries, points, best))
    assert shares[0] + 0.03 < shares[1]
    assert shares[1] >= 0.99


def test_ivfpq_ranks_the_best_again_unless_it_is_told_not_to(clustered: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    points, queries = clustered
    best = exact(queries, points, 10)
    shares, sizes = [], []
    for more in ({"k_factor": 0}, {"k_factor": 1}, {"k_factor": 10}, {"k_factor": 10, "nlist": 20, "nprobe": 20}):
        settings = kind_of("ivfpq", **more)
        faiss.write_index(build(points, settings), str(tmp_path / "index"))
        shares.append(recall(open_index(tmp_path / "index", "ivfpq").search(queries, 10)[1], queries, points, best))
        sizes.append((tmp_path / "index").stat().st_size)
        assert sizes[-1] == pytest.approx(size_of(settings, *points.shape), rel=0.05)
    assert shares[0] == pytest.approx(shares[1]) and shares[1] + 0.1 < shares[2] and shares[3] >= 0.97
    assert sizes[0] + len(points) * DIM <= sizes[1]


def test_the_exact_scores_are_those_of_one_product(clustered: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    points, queries = clustered
    monkeypatch.setattr(vectors, "BLOCK", 999)
    wanted = -np.sort(-(queries @ points.T), axis=1)[:, :10]
    np.testing.assert_allclose(exact(queries, points, 10), wanted, atol=1e-6)


def test_recall_counts_equal_scores_as_found_and_nothing_else() -> None:
    points = np.eye(4, dtype=np.float32)[[0, 0, 1, 2]]
    query = np.eye(4, dtype=np.float32)[:1]
    best = exact(query, points, 1)
    assert [recall(np.array([[row]]), query, points, best) for row in (0, 1, 2, -1)] == [1, 1, 0, 0]


def test_lists_and_samples_follow_from_the_number_of_vectors() -> None:
    assert [lists_of(kind_of("ivf"), count) for count in (10, 6_000, 1_000_000)] == [1, 150, 4000]
    assert [lists_of(kind_of("ivfpq"), count) for count in (1_000_000, 16_000_000)] == [1, 16_000]
    assert lists_of(kind_of("ivf", nlist=50), 1_000_000) == 50
    assert [sample_size(kind_of("ivf"), count) for count in (10, 1_000_000)] == [10, 160_000]
    assert sample_size(kind_of("ivf", train_size=500), 1_000_000) == 500
    assert sample_size(kind_of("hnsw"), 1_000_000) == 0


@pytest.mark.parametrize("name", EACH)
def test_an_index_that_would_not_fit_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(kinds, "memory", lambda: 2**20)
    with pytest.raises(KoineError, match=r"more than\s+50% of the memory"):
        build(np.broadcast_to(np.float32(0), (100_000_000, DIM)), kind_of(name))


def test_the_memory_is_at_most_what_the_control_group_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = kinds.memory()
    real = Path.is_file
    monkeypatch.setattr(Path, "is_file", lambda path: path.name in ("cgroup", "memory.max") or real(path))
    told = {"cgroup": "0::/job/step\n", "memory.max": "1048576\n"}
    monkeypatch.setattr(kinds, "read_text", lambda path: told[path.name])
    assert kinds.memory() == 2**20 < whole
    told["memory.max"] = "max\n"
    assert kinds.memory() == whole


def test_mistakes_are_told(clustered: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    with pytest.raises(KoineError, match="7 bytes are 14 parts of 4 bits, which do not divide the vectors' 16 dim"):
        build(clustered[0], kind_of("ivfpq", code_size=7))
    faiss.write_index(build(clustered[0], kind_of("flat")), str(tmp_path / "index"))
    (tmp_path / "index").write_bytes((tmp_path / "index").read_bytes()[:-5])
    for path in (tmp_path / "index", tmp_path / "none"):
        with pytest.raises(KoineError, match="not a whole index"):
            open_index(path, "flat")


# --- sharded encoding ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_one(corpus, tmp_path_factory.mktemp("model") / "m", "transformer")


def whole(model: Path, corpus: Path, out: Path) -> Path:
    encode(str(model), corpus / "toy", out, device="cpu", encode_batch_size=8)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_give_the_vectors_of_the_whole(model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole(model, corpus, tmp_path / "whole")
    monkeypatch.setattr(texts, "SHARD", 7)
    whole(model, corpus, tmp_path / "shards")
    for name in ("queries.npy", "passages.npy"):
        np.testing.assert_allclose(np.load(tmp_path / "shards" / name), np.load(tmp_path / "whole" / name), atol=1e-6)
    calls = [json.loads((tmp_path / name / "encode.json").read_text())["encoder_calls"] for name in ("whole", "shards")]
    assert calls == [4, 36]  # two sides of two languages; 60 texts are 9 shards of 7


@pytest.mark.parametrize("after", [1, 12, 30])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr(texts, "SHARD", 7)
    unbroken = contents(whole(model, corpus, tmp_path / "unbroken"))
    written: list[int] = []
    write = Partial.write

    def killed(self: Partial, shard: int, *rest: np.ndarray) -> None:
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(shard)
        write(self, shard, *rest)

    monkeypatch.setattr(Partial, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        whole(model, corpus, tmp_path / "broken")
    assert not (tmp_path / "broken/passages.npy").exists()
    for journal in (tmp_path / "broken").glob(".*.journal"):
        with journal.open("a") as stream:
            stream.write("3")  # a line that was cut off
    written.clear()
    after = 99
    whole(model, corpus, tmp_path / "broken")
    assert len(written) < 36
    assert contents(tmp_path / "broken") == unbroken  # and nothing else is left there


def test_what_was_done_of_other_texts_is_not_gone_on_with(
    model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(corpus / "toy", tmp_path / "toy")
    finish = Partial.finish
    monkeypatch.setattr(Partial, "finish", lambda self: None)
    whole(model, tmp_path, tmp_path / "out")
    monkeypatch.setattr(Partial, "finish", finish)
    passages = PASSAGES.read(tmp_path / "toy/passages.parquet")
    PASSAGES.write(passages.reverse(), tmp_path / "toy/passages.parquet")
    whole(model, tmp_path, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(whole(model, tmp_path, tmp_path / "fresh"))


SHARED = """
import sys
from pathlib import Path
from koine.encode import texts
texts.SHARD = 7
texts.encode(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), device="cpu", encode_batch_size=8)
"""


def test_two_processes_share_the_shards(model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run.py").write_text(SHARED)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(tmp_path / "run.py")]
    done = subprocess.run([*launch, str(model), str(corpus / "toy"), str(tmp_path / "two")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("passages: shards: 9 done") == 2  # 18 shards of two languages
    monkeypatch.setattr(texts, "SHARD", 7)
    assert contents(tmp_path / "two") == contents(whole(model, corpus, tmp_path / "one"))


def test_a_kill_between_the_files_leaves_no_word_on_the_model(
    model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole(model, corpus, tmp_path)
    finish = Partial.finish

    def killed(self: Partial) -> None:
        if self.out.name == "passages.npy":
            raise KeyboardInterrupt
        finish(self)

    monkeypatch.setattr(Partial, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        whole(model, corpus, tmp_path)
    assert not (tmp_path / "encode.json").exists()
