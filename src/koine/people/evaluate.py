"""`koine evaluate`: any sentence-transformers model on any benchmark, outside of the workflow."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from pydantic import Field

from koine.params import METRICS, SETTINGS, Metric
from koine.records import Run
from koine.runtime.device import Device, resolve

#: Where the workflow's downloads lie: in a checkout, what is downloaded for one model serves the next, and the workflow.
RAW = Path("data/raw")


def evaluate(
    *, model: str, benchmark: str, out: Path, pools: Sequence[str] = (),
    settings: Sequence[Literal["mono", "cross", "multi"]] = (), metrics: Sequence[Metric] = (), run: Run = Run(),
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
    from koine.encode.debias import check_method
    from koine.encode.debias import debias as remove_language
    from koine.encode.steps import encode
    from koine.evaluate.steps import evaluate as evaluate_vectors
    from koine.people.benchmark import prepare_benchmark

    if debias:
        check_method(debias)  # before all texts are encoded
    # Under a name of its own: `koine report` takes runs of one strategy for its seeds.
    run = replace(run, backbone=run.backbone or Path(model).name, strategy=f"{run.strategy}+{debias}" if debias else run.strategy)
    with TemporaryDirectory() as scratch:
        folder = Path(benchmark)
        if not (folder / "queries.parquet").is_file():
            entry = registry.benchmark(benchmark)
            settings, metrics = settings or entry.settings, metrics or entry.metrics
            folder = prepare_benchmark(benchmark, Path(scratch), RAW if Path("Snakefile").is_file() else None)
        vectors = Path(scratch) / "vectors"
        encode(model, folder, vectors, tokens=None, dtype="float32", batch_size=64, device=resolve(device))
        if debias:
            remove_language(vectors, folder, vectors, method=debias, dtype="float32")
        evaluate_vectors(
            vectors, folder, out, run=run, pools=pools, settings=settings or SETTINGS, names=metrics or METRICS, trec=trec
        )
