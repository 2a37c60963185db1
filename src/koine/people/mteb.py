"""`koine evaluate-mteb`: mteb's retrieval tasks, in Koine's table; needs the extra `mteb`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from koine.records import PAIRS, Run
from koine.runtime.console import table
from koine.runtime.device import Device, resolve
from koine.runtime.files import atomic


def evaluate_mteb(*, model: str, tasks: Sequence[str], out: Path, run: Run = Run(), device: Device = "auto") -> None:
    """Run retrieval tasks of mteb on a model and write their scores as pairs.csv; needs the extra named mteb.

    koine evaluate-mteb --model DIR --tasks MLQARetrieval --tasks BelebeleRetrieval --out mteb

    For Koine's own benchmarks `koine evaluate` is faster, and gives what mteb lacks: rank distance, and map without a cut-off.
    KOINE_MODELS=DIR answers a task's data set ORG/NAME with the folder DIR/ORG/NAME; else it comes from the Hub.

    Args:
        model: Model folder or Hub id.
        tasks: MLQARetrieval, …, or a folder of `koine collect-benchmark`; repeatable.
        out: Folder; gets pairs.csv. `benchmark` is the task's name, with /SPLIT where it has several.
        run: Names the model in the tables.
        device: Where to compute.

    Raises:
        KoineError: no such model or task, a task whose data cannot be had, or one that is no text retrieval; mteb is missing.
    """
    from koine.evaluate.mteb import METRICS, MtebEncoder, scores, task_of

    run = replace(run, backbone=run.backbone or Path(model).name)
    benchmarks = [task_of(name) for name in tasks]
    encoder = MtebEncoder(model, resolve(device))
    rows = [{**vars(run), **row} for task in benchmarks for row in scores(encoder, task)]
    pairs = PAIRS.check(pl.DataFrame(rows, schema_overrides=dict(PAIRS.columns)), "pairs")
    with atomic(out / "pairs.csv") as temporary:
        pairs.write_csv(temporary, float_precision=6)
    means = pairs.group_by("benchmark", "setting", "metric", maintain_order=True).agg(pl.col("value").mean())
    wide = means.pivot("metric", index=["benchmark", "setting"], values="value")
    shown = ([row[0], row[1], *(f"{value:.3f}" for value in row[2:])] for row in wide.iter_rows())
    table(f"{run.backbone} {run.strategy}", ["benchmark", "setting", *METRICS.values()], shown)
