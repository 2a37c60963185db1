"""`koine evaluate`: any sentence-transformers model on any benchmark, outside of the workflow."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import Field

from koine.metrics import USUAL, MetricName
from koine.params import SETTINGS, Setting
from koine.records import Run
from koine.runtime.device import Device

#: Where the workflow's downloads lie: in a checkout, what is downloaded for one model serves the next, and the workflow.
RAW = Path("data/raw")


def evaluate(
    *, model: str, benchmark: str, out: Path, pools: Sequence[str] = (),
    settings: Sequence[Setting] = (), metrics: Sequence[MetricName] = (), run: Run = Run(),
    device: Device = "auto", debias: str = "", trec: Annotated[int, Field(ge=0)] = 0,
) -> None:  # fmt: skip
    """Evaluate a model on every language pair and the pool of all languages: downloads the benchmark, encodes, scores.

    koine evaluate --model intfloat/multilingual-e5-small --benchmark xquad-r --out e5

    In a checkout, the downloaded files are kept in data/raw. The vectors are not kept.

    Args:
        model: Model folder or Hub id, of any sentence-transformers model.
        benchmark: Name in the registry (`koine sources`), or a folder of `koine collect-benchmark`.
        out: Folder; gets pairs.csv and scores.parquet.
        pools: Sub-pool as en+fi, evaluated beside the whole; repeatable.
        settings: mono, cross or multi; repeatable. The benchmark's own, if none is given.
        metrics: As map, ndcg@10; repeatable. The benchmark's own, if none is given.
        run: Names the model in the tables.
        device: Where to compute.
        debias: Method of `koine encode-debias` (centre, lir, lir@3), applied to the vectors.
        trec: Depth of TREC runs and qrels, written below trec/; 0 for none.

    Raises:
        KoineError: there is no such model, benchmark or method; the benchmark cannot be had.
    """
    from koine.collect import registry
    from koine.encode.debias import check_method, encode_debias
    from koine.encode.texts import encode
    from koine.evaluate.vectors import evaluate_vectors
    from koine.people.benchmark import prepare_benchmark

    if debias:
        check_method(debias)  # before all texts are encoded
    # Under a name of its own: `koine report` takes runs of one strategy for its seeds.
    run = replace(run.of(model), strategy=f"{run.strategy}+{debias}" if debias else run.strategy)
    with TemporaryDirectory() as scratch:
        folder = Path(benchmark)
        if not (folder / "queries.parquet").is_file():
            entry = registry.benchmark(benchmark)
            settings, metrics = settings or entry.settings, metrics or entry.metrics
            folder = prepare_benchmark(benchmark, Path(scratch), RAW if Path("Snakefile").is_file() else None)
        vectors = Path(scratch) / "vectors"
        encode(model, folder, vectors, encode_batch_size=64, device=device)
        if debias:
            encode_debias(vectors, folder, vectors, method=debias)
        evaluate_vectors(
            vectors, folder, out, run=run, pools=pools, settings=settings or SETTINGS, metrics=metrics or USUAL, trec=trec
        )
