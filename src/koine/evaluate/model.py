"""Any sentence-transformers model on any benchmark, outside of the workflow."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from koine.evaluate.vectors import evaluate_vectors
from koine.metrics import USUAL
from koine.params import SETTINGS, Setting
from koine.records import Run


def evaluate_model(
    model: str, benchmark: str, out: Path, *, run: Run, pools: Sequence[str], settings: Sequence[Setting], names: Sequence[str],
    device: str, method: str = "", trec: int = 0,
) -> None:  # fmt: skip
    """Evaluate any sentence-transformers model, outside of the workflow: prepare the benchmark, encode, evaluate.

    Args:
        model: folder or Hub id.
        benchmark: name in the registry, or a folder that `collect-benchmark` wrote.
        out: folder for pairs.csv and scores.parquet; the vectors are not kept.
        run, pools: as in `evaluate_vectors`.
        settings, names: as in `evaluate_vectors`; empty for those that the registry gives the benchmark.
        device: where to encode.
        method: of `debias`, applied to the vectors; empty for none.
        trec: as in `evaluate_vectors`.
    """
    from koine.collect import registry
    from koine.collect.steps import prepare_benchmark  # these import much that the workflow's jobs do not need
    from koine.encode.debias import check_method, debias
    from koine.encode.steps import encode

    if method:
        check_method(method)  # before all texts are encoded
    with TemporaryDirectory() as scratch:
        folder = Path(benchmark)
        if not (folder / "queries.parquet").is_file():
            folder = prepare_benchmark(benchmark, Path(scratch))
            settings = settings or registry.benchmark(benchmark).settings
            names = names or registry.benchmark(benchmark).metrics
        vectors = Path(scratch) / "vectors"
        encode(model, folder, vectors, tokens=None, dtype="float32", batch_size=64, device=device)
        if method:
            debias(vectors, folder, vectors, method=method, dtype="float32")
        evaluate_vectors(
            vectors, folder, out, run=run, pools=pools, settings=settings or SETTINGS, metrics=names or USUAL, trec=trec
        )
