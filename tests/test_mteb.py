"""mteb's own evaluator and Koine's on the same benchmark; a task of mteb's registry from a local data set."""

from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import mteb
import numpy as np
import polars as pl
import pytest
import yaml
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer as FastTokenizer

from koine import backbones
from koine.backbones.static import StaticEncoder
from koine.backbones.tokenizer import tokenize, train_tokenizer
from koine.collect.benchmark import collect_benchmark
from koine.collect.sample import collect_sample
from koine.evaluate.mteb import BenchmarkTask, MtebEncoder
from koine.params import Architecture, Sample, Start, Tokenizer
from koine.people.evaluate import evaluate
from koine.people.mteb import evaluate_mteb
from koine.records import PAIRS, PASSAGES, QRELS, QUERIES, SCORES, Run
from koine.runtime.errors import KoineError
from koine.runtime.files import write_json

LANGUAGES = ["en", "fi", "zh"]
RUN = Run("recipe", "static", "hybrid", 1)
CELL = ["setting", "query_lang", "doc_lang"]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the sample's: pools of fewer than 1,000 passages, so that mteb's map@1000 is without cut-off."""
    scratch = tmp_path_factory.mktemp("sample")
    collect_sample(scratch / "made", sample=Sample(languages=list(LANGUAGES), defect_rate=0))
    files = {lang: scratch / "made/beir" / lang for lang in LANGUAGES}
    folder = scratch / "sample"
    collect_benchmark(files, folder, reader="beir", candidate="passage", parallel_only=False)
    qrels = QRELS.read(folder / "qrels.parquet")
    asked = qrels["query_id"].unique(maintain_order=True)[:50]
    qrels = qrels.filter(pl.col("query_id").is_in(asked.implode()))
    qrels = qrels.filter((pl.col("lang") != "zh") | ~pl.col("query_id").is_in(asked[:8].implode()))  # not parallel in Chinese
    gold = qrels.select("lang", id="passage_id").unique()
    passages = PASSAGES.read(folder / "passages.parquet")
    others = passages.join(gold, on=["lang", "id"], how="anti", maintain_order="left").filter(pl.int_range(pl.len()) % 7 == 0)
    kept = pl.concat([others.select("lang", "id"), gold]).unique()
    PASSAGES.write(passages.join(kept, on=["lang", "id"], how="semi", maintain_order="left"), folder / "passages.parquet")
    queries = QUERIES.read(folder / "queries.parquet")
    QUERIES.write(queries.filter(pl.col("id").is_in(asked.implode())), folder / "queries.parquet")
    QRELS.write(qrels, folder / "qrels.parquet")
    return folder


@pytest.fixture(scope="module")
def model(benchmark: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static encoder with random weights and with prefixes, so that they count."""
    folder = tmp_path_factory.mktemp("model")
    texts = PASSAGES.read(benchmark / "passages.parquet")["text"].to_list()
    train_tokenizer(texts, Tokenizer(vocab_size=4000, max_length=128), folder / "tokenizer.json")
    tokens = tokenize(FastTokenizer.from_file(str(folder / "tokenizer.json")), texts, "", False)
    encoder = backbones.create("static", Start(), Architecture(hidden_size=64), folder / "tokenizer.json", tokens, seed=1)
    encoder.prefixes = {"query": "who when ", "passage": "the of "}
    encoder.save(folder)
    write_json(folder / "koine.json", {"kind": "static"})
    return folder


@pytest.fixture(scope="module")
def ours(benchmark: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    out = tmp_path_factory.mktemp("ours")
    evaluate(model=str(model), benchmark=str(benchmark), out=out, run=RUN, device="cpu")
    return read(out)


def read(out: Path) -> pl.DataFrame:
    return PAIRS.check(pl.read_csv(out / "pairs.csv", schema_overrides=dict(PAIRS.columns)), "pairs")


def column(pairs: pl.DataFrame, metric: str, name: str = "value") -> dict[tuple[Any, ...], Any]:
    return {row[:3]: row[3] for row in pairs.filter(metric=metric).select(*CELL, name).iter_rows()}


THEIRS = {"ndcg@10": "ndcg_cut_10", "recall@10": "recall_10", "recall@1": "recall_1", "map": "map_cut_1000"}
ROUNDED = 5e-6 + 1e-6  # mteb rounds means to five digits


class Recorded(BenchmarkTask):
    """Keeps what trec_eval says of each query."""

    def task_specific_scores(self, scores: dict[str, Any], *given: Any, hf_subset: str, **more: Any) -> dict[str, float]:
        self.by_query = {**getattr(self, "by_query", {}), hf_subset: scores}
        return {}


def test_mteb_and_koine_give_every_query_the_same_scores(benchmark: Path, model: Path, tmp_path: Path) -> None:
    """mteb with sentence-transformers, as its users call it: another encoder, scorer, ranking and set of metrics."""
    evaluate(model=str(model), benchmark=str(benchmark), out=tmp_path, run=RUN, device="cpu")
    ours = SCORES.read(tmp_path / "scores.parquet").rows(named=True)
    task = Recorded(benchmark)
    mteb.evaluate(SentenceTransformer(str(model), device="cpu"), task, cache=None, show_progress_bar=False)
    assert set(task.by_query) == {f"{doc}-{query}" for doc in [*LANGUAGES, "all"] for query in LANGUAGES}
    assert sum(map(len, task.by_query.values())) == len(ours)
    for row in ours:
        theirs = task.by_query[f"{row['doc_lang']}-{row['query_lang']}"][row["query_id"]]
        for name, other in THEIRS.items():
            assert theirs[other] == pytest.approx(row[name], abs=1e-6), (name, row)
    assert 0.01 < np.mean([row["map"] for row in ours]) < 0.9


def test_the_command_writes_the_table_that_koine_evaluate_writes(
    benchmark: Path, model: Path, ours: pl.DataFrame, tmp_path: Path
) -> None:
    evaluate_mteb(model=str(model), tasks=[str(benchmark)], out=tmp_path, run=RUN, device="cpu")
    theirs = read(tmp_path)
    assert set(theirs["benchmark"]) == {"sample"}
    for name, other in {"ndcg@10": "ndcg@10", "recall@10": "recall@10", "map": "map@1000", "mrr": "mrr@1000"}.items():
        assert column(theirs, other, "n_queries") == column(ours, name, "n_queries")
        assert column(theirs, other) == pytest.approx(column(ours, name), abs=ROUNDED)


def test_mteb_ranks_ties_in_the_order_of_the_table_too(benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Equal:
        """Eight different vectors for all texts."""

        def encode(self, texts: list[str], kind: str, *, batch_size: int) -> np.ndarray:
            return np.eye(8, dtype=np.float32)[[len(text) % 8 for text in texts]]

    monkeypatch.setattr(backbones, "load", lambda model, device: Equal())
    evaluate_mteb(model="any", tasks=[str(benchmark)], out=tmp_path / "theirs", run=RUN, device="cpu")
    evaluate(model="any", benchmark=str(benchmark), out=tmp_path / "ours", run=RUN, device="cpu")
    theirs, ours = read(tmp_path / "theirs"), read(tmp_path / "ours")
    assert column(theirs, "map@1000") == pytest.approx(column(ours, "map"), abs=ROUNDED)


def test_settings_choose_subsets_and_pairs_without_a_judgement_have_none(benchmark: Path, tmp_path: Path) -> None:
    assert set(BenchmarkTask(benchmark, ["multi"]).hf_subsets) == {f"all-{lang}" for lang in LANGUAGES}
    for name, schema in (("queries", QUERIES), ("passages", PASSAGES), ("qrels", QRELS)):
        rows = schema.read(benchmark / f"{name}.parquet")
        schema.write(rows.filter(pl.col("lang") != "zh") if name == "qrels" else rows, tmp_path / f"{name}.parquet")
    task = BenchmarkTask(tmp_path)
    assert not [name for name in task.hf_subsets if name.startswith("zh-")]
    assert task.metadata.eval_langs["fi-zh"] == ["fin-Latn", "zho-Hans"]
    assert task.metadata.dataset["revision"] != BenchmarkTask(benchmark).metadata.dataset["revision"]


def test_texts_get_their_prefixes_and_are_encoded_once(model: Path, monkeypatch: pytest.MonkeyPatch, benchmark: Path) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    encode = StaticEncoder.encode

    def count(self: StaticEncoder, texts: list[str], kind: str, **given: Any) -> np.ndarray:
        seen.update((kind, text) for text in texts)
        return encode(self, texts, kind, **given)

    monkeypatch.setattr(StaticEncoder, "encode", count)
    mteb.evaluate(MtebEncoder(str(model)), BenchmarkTask(benchmark), cache=None, show_progress_bar=False)
    assert set(seen.values()) == {1}
    queries, passages = (
        set(schema.read(benchmark / f"{name}.parquet")["text"]) for name, schema in (("queries", QUERIES), ("passages", PASSAGES))
    )
    assert set(seen) == {("query", text) for text in queries} | {("passage", text) for text in passages}


def write_mlqa(folder: Path) -> None:
    """MLQARetrieval's data set as mteb publishes it: three configurations for each subset, named in README.md."""
    configs = []
    for subset in ("ara-deu", "deu-ara", "deu-deu"):
        corpus, asked = subset.split("-")
        documents = [{"_id": f"d{n}", "title": "", "text": f"{corpus} passage {n}"} for n in range(4 + (corpus == "ara"))]
        questions = [{"_id": f"q{n}", "text": f"{asked} question {n}"} for n in range(2 + (asked == "ara"))]
        qrels = [{"query-id": row["_id"], "corpus-id": f"d{n}", "score": 1} for n, row in enumerate(questions)]
        for kind, rows in {"corpus": documents, "queries": questions, "qrels": qrels}.items():
            path = folder / f"{subset}-{kind}" / "test-00000-of-00001.parquet"
            path.parent.mkdir(parents=True)
            pl.DataFrame(rows).write_parquet(path)
            files = [{"split": "test", "path": f"{subset}-{kind}/test-*"}]
            configs.append({"config_name": f"{subset}-{kind}", "data_files": files})
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': configs})}---\n", encoding="utf-8")


def test_mlqa_retrieval_runs_offline_and_its_subsets_name_the_corpus_first(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mlqa(tmp_path / "models/mteb/MLQARetrieval")
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    get_task = mteb.get_task  # three of 49 subsets, one of two splits
    few = {"hf_subsets": ["ara-deu", "deu-ara", "deu-deu"], "eval_splits": ["test"]}
    monkeypatch.setattr(mteb, "get_task", lambda name: get_task(name, **few))
    evaluate_mteb(model=str(model), tasks=["MLQARetrieval"], out=tmp_path / "out", run=RUN, device="cpu")
    pairs = read(tmp_path / "out")
    assert set(pairs["benchmark"]) == {"MLQARetrieval/test"}
    # Arabic passages and two German questions; German passages and three Arabic questions.
    assert column(pairs, "ndcg@10", "n_queries") == {("cross", "de", "ar"): 2, ("cross", "ar", "de"): 3, ("mono", "de", "de"): 2}
    assert set(pairs["metric"]) == {"ndcg@10", "recall@1", "recall@10", "recall@100", "map@1000", "mrr@1000"}
    assert set(column(pairs, "recall@10").values()) == {1.0}  # of five passages at most


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("MLQARetrival", "Did you mean: 'MLQARetrieval'"),
        ("STS12", "STS12: STS of text is no text retrieval"),
        ("MLQARetrieval", "MLQARetrieval: its data cannot be had .*KOINE_MODELS/mteb/MLQARetrieval"),
        ("CrossLingualSemanticDiscriminationWMT19", "which is the queries' is known for"),
    ],
)
def test_a_task_that_cannot_be_run_says_why(
    task: str, message: str, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(KoineError, match=message):
        evaluate_mteb(model=str(model), tasks=[task], out=tmp_path, run=RUN, device="cpu")
