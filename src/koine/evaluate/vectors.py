"""The command `evaluate-vectors`: what a model's vectors are worth on one benchmark."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from koine.encode.vectors import open_vectors, read_vectors
from koine.evaluate.ranks import Vectors
from koine.evaluate.score import score
from koine.evaluate.tables import write
from koine.evaluate.texts import Texts
from koine.evaluate.trec import write_trec
from koine.metrics import USUAL, MetricName
from koine.params import SETTINGS, Setting
from koine.records import Run


def evaluate_vectors(
    vectors: Path, benchmark: Path, out: Path, *, run: Run, pools: Sequence[str] = (), settings: Sequence[Setting] = SETTINGS,
    metrics: Sequence[MetricName] = USUAL, trec: Annotated[int, Field(ge=0)] = 0,
) -> None:  # fmt: skip
    """Evaluate a model's vectors on every language pair and the pool of all languages; write pairs.csv and scores.parquet.

    `koine evaluate --model` does the same from the model on.

    Args:
        vectors: Folder of `koine encode` or `koine encode-debias`.
        benchmark: Folder of `koine collect-benchmark`, whose texts the vectors belong to.
        out: Folder of the result: scores.parquet (`records.SCORES`) and pairs.csv (`records.PAIRS`).
        run: Names of the model in the tables.
        pools: Sub-pool such as en+fi, evaluated beside the whole where all its languages exist; its name is BENCHMARK:en+fi.
        settings: What is evaluated: mono, cross, multi.
        metrics: Metric such as map or ndcg@10; those that compare languages are of the multi setting alone.
        trec: Passages of each query in TREC runs, which are written below trec/ with their qrels; 0 writes none.

    Raises:
        KoineError: a file is missing, or the vectors are those of other texts.
        ValueError: no metric is called so.
    """
    run = run.of(vectors)
    texts = Texts.read(benchmark)
    passages = open_vectors(vectors / "passages.npy", len(texts.passages))
    queries = read_vectors(vectors / "queries.npy", len(texts.queries))
    scorer = Vectors(queries, passages)
    write(score(texts, scorer, benchmark.name, pools=pools, settings=settings, metrics=metrics), out, run)
    if trec:
        tag = "-".join(filter(None, [run.recipe, run.backbone, run.strategy, str(run.seed)]))
        write_trec(texts, scorer, out / "trec", tag=tag, settings=settings, depth=trec)
