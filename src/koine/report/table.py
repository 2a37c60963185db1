"""The headline table: means over seeds and cells, with bootstrap intervals over seeds and question ids."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits

from koine.params import Report
from koine.records import PAIRS, SCORES, TABLE
from koine.runtime.console import table as print_table
from koine.runtime.errors import KoineError

Floats = npt.NDArray[np.float64]

METRICS = tuple(name for name in SCORES.columns if SCORES.columns[name] == pl.Float64())
SETTINGS = ("mono", "cross", "multi")
RUN = ["recipe", "backbone", "strategy", "seed"]


def read_pairs(evaluated: Sequence[Path]) -> pl.DataFrame:
    """All pairs.csv of these folders as one table (`records.PAIRS`)."""
    paths = [folder / "pairs.csv" for folder in evaluated]
    frames = [PAIRS.check(pl.read_csv(path, schema_overrides=dict(PAIRS.columns)), path) for path in paths]
    return pl.concat(frames)


def intervals(evaluated: Sequence[Path], settings: Report) -> pl.DataFrame:
    """The headline table (`records.TABLE`).

    A value is the mean over seeds of the macro mean over cells (languages in mono and multi, ordered pairs in
    cross) of the mean over queries. The interval is a percentile bootstrap that draws seeds with replacement and,
    independently, question ids with replacement: a question and its translations are one unit, since their scores
    are not independent. All models of a benchmark see the same draws of ids. With few seeds that differ much among
    themselves, such intervals are too narrow (3 seeds, 95 %: they cover about 93 % where seeds differ as much as the
    mean over questions does, 84 % where they differ four times as much).

    Args:
        evaluated: folders of `evaluate`; those of one model and several seeds belong together.
        settings: coverage, number of resamples, seed.
    """
    folders: dict[tuple[str, ...], list[Path]] = {}
    for path in evaluated:
        first = pl.read_csv(path / "pairs.csv", n_rows=1, schema_overrides=dict(PAIRS.columns)).row(0, named=True)
        key = (first["recipe"], first["backbone"], first["strategy"], first["benchmark"])
        folders.setdefault(key, []).append(path)
    rows: list[dict[str, Any]] = []
    for (recipe, backbone, strategy, _), paths in folders.items():
        seeds = [SCORES.read(path / "scores.parquet") for path in paths]
        for (benchmark,) in seeds[0].select("benchmark").unique(maintain_order=True).iter_rows():
            for setting in SETTINGS:
                own = [frame.filter(benchmark=benchmark, setting=setting) for frame in seeds]
                if own[0].is_empty():
                    continue
                with threadpool_limits(1, user_api="blas"):  # the last bits of a sum depend on how many threads share it
                    found = _bootstrap(own, settings)
                for metric, (mean, low, high) in found.items():
                    named = {"recipe": recipe, "backbone": backbone, "strategy": strategy, "benchmark": benchmark}
                    values = {"mean": mean, "ci_low": low, "ci_high": high, "n_seeds": len(own), "n_queries": len(own[0])}
                    rows.append({**named, "setting": setting, "metric": metric, **values})
    return TABLE.frame(rows)


def _bootstrap(seeds: Sequence[pl.DataFrame], settings: Report) -> dict[str, tuple[float, float, float]]:
    """Mean and interval of each metric over frames of the same cells and queries, one frame per seed."""
    cells = seeds[0].select("query_lang", "doc_lang").unique(maintain_order=True).with_row_index("cell")
    ids = seeds[0]["query_id"].unique().sort()
    shape = (len(cells), len(ids))
    draw = np.random.default_rng([settings.seed, len(ids)])
    # The first column weighs every question once: the point estimate goes through the same sums.
    weights = np.ones((len(ids), 1 + settings.resamples))
    weights[:, 1:] = draw.multinomial(len(ids), np.full(len(ids), 1 / len(ids)), size=settings.resamples).T
    chosen = draw.integers(len(seeds), size=(settings.resamples, len(seeds)))
    by_seed: dict[str, list[Floats]] = {}
    there, total = np.zeros(0, dtype=np.int64), np.zeros(0)
    for frame in seeds:
        cell = frame.join(cells, on=["query_lang", "doc_lang"], how="left", maintain_order="left")["cell"].to_numpy()
        position = cell * len(ids) + ids.search_sorted(frame["query_id"]).to_numpy()
        if by_seed and not np.array_equal(position, there):
            raise KoineError("the seeds of one model were evaluated on different queries; delete data/*/evaluate")
        if not by_seed:
            there = position
            present = np.zeros(shape)
            present.flat[position] = 1
            total = present @ weights
        for metric in METRICS:
            if frame[metric].null_count():
                continue
            values = np.zeros(shape)
            values.flat[position] = frame[metric].to_numpy()
            with np.errstate(invalid="ignore"):  # a resample may hold no question of a cell: it does not count there
                by_seed.setdefault(metric, []).append(np.nanmean(values @ weights / total, axis=0))
    tail = (1 - settings.confidence) / 2
    result = {}
    for metric, per_seed in by_seed.items():
        stacked = np.stack(per_seed)  # [seeds, 1 + resamples]
        resampled = stacked[chosen, np.arange(1, 1 + settings.resamples)[:, None]].mean(axis=1)
        low, high = np.quantile(resampled, [tail, 1 - tail])
        result[metric] = (float(stacked[:, 0].mean()), float(low), float(high))
    return result


def headline(table: pl.DataFrame) -> dict[str, Any]:
    """The table as nested JSON, benchmark > backbone > strategy > setting > metric, for `dvc metrics`."""
    nested: dict[str, Any] = {}
    for row in table.iter_rows(named=True):
        node = nested
        for key in ("benchmark", "backbone", "strategy", "setting"):
            node = node.setdefault(row[key], {})
        node[row["metric"]] = round(row["mean"], 6)
    return nested


def show(results: Path) -> None:
    """Print mAP by setting and rank distance, with intervals, of every benchmark in `results`/table.csv."""
    path = results / "table.csv"
    if not path.is_file():
        raise KoineError(f"{path}: no such file; `snakemake --cores all` makes it")
    table = TABLE.check(pl.read_csv(path, schema_overrides=dict(TABLE.columns)), path)
    for (benchmark,), part in table.group_by("benchmark", maintain_order=True):
        values = {(r["backbone"], r["strategy"], r["setting"], r["metric"]): r for r in part.iter_rows(named=True)}
        rows = [
            [
                f"{backbone} {strategy}",
                *(_cell(values.get((backbone, strategy, setting, "map")), 3) for setting in SETTINGS),
                _cell(values.get((backbone, strategy, "multi", "rank_distance")), 0),
            ]
            for backbone, strategy in dict.fromkeys((key[0], key[1]) for key in values)
        ]
        print_table(f"{benchmark}: mAP and rank distance, with intervals", ["model", *SETTINGS, "rank distance"], rows)


def _cell(row: dict[str, Any] | None, digits: int) -> str:
    """`.877 .862–.891`: value and interval, as short as a terminal of 80 columns needs."""
    if row is None:
        return ""
    mean, low, high = (
        f"{row[name]:.{digits}f}".replace("0.", ".", 1) if digits else f"{row[name]:.0f}"
        for name in ("mean", "ci_low", "ci_high")
    )
    return f"{mean} {low}–{high}"
