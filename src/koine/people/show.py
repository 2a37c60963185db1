"""`koine show`: the headline table in a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from koine.metrics import MAIN, metric
from koine.params.recipe import recipe_name, results_folder
from koine.records import TABLE
from koine.report.table import headings, main_metric
from koine.runtime.console import fits, say, table
from koine.runtime.errors import KoineError

Row = Mapping[str, Any]


def show(results_or_recipe: Path = Path("results"), /, *, scale: str = "") -> None:
    """Print the headline table in the terminal: the main metric of each setting and the rank distance, with intervals.

    koine show recipes/squad-fi.yaml

    Args:
        results_or_recipe: A folder with table.csv, or the recipe that made it.
        scale: Of a recipe: one of its scales, such as standin or full.

    Raises:
        KoineError: there is no table, or it is none of `koine report`.
    """
    place = results_or_recipe
    folder = results_folder(recipe_name(place, scale)) if place.suffix == ".yaml" else place
    path = folder / "table.csv"
    if not path.is_file():
        raise KoineError(f"{path}: no such file; `snakemake --cores all` makes it")
    whole = TABLE.read_csv(path)
    for (benchmark,), part in whole.group_by("benchmark", maintain_order=True):
        _print(str(benchmark), part)
    if (page := folder / "report.html").is_file():
        say(f"{page} has the rest")


def _print(benchmark: str, results: pl.DataFrame) -> None:
    """Print the rows of one benchmark (`records.TABLE`), a model a line."""
    values = {(row["backbone"], row["strategy"], row["setting"], row["metric"]): row for row in results.iter_rows(named=True)}
    main = main_metric(results["metric"])
    columns = [column for column in headings(main) if any(key[2:] == column[1:] for key in values)]
    systems = list(dict.fromkeys(key[:2] for key in values))
    header = ["model", *(heading for heading, _, _ in columns)]
    rows, shorter = (
        [[" ".join(system), *(_cell(values.get((*system, *column[1:])), bounds) for column in columns)] for system in systems]
        for bounds in (True, False)
    )
    if fits(header, rows):
        table(f"{benchmark}: {MAIN[main]}, with intervals", header, rows)
    else:
        table(f"{benchmark}: {MAIN[main]} (in a wider terminal with intervals)", header, shorter)


def _cell(row: Row | None, bounds: bool) -> str:
    """`.877 .862–.891`: value and interval, as short as a terminal of 80 columns needs; or the value alone."""
    if row is None:
        return ""
    digits = 0 if metric(row["metric"]).entry.printed == "rank" else 3
    mean, low, high = (
        f"{row[name]:.{digits}f}".replace("0.", ".", 1) if digits else f"{row[name]:.0f}"
        for name in ("mean", "ci_low", "ci_high")
    )
    return f"{mean} {low}–{high}" if bounds else mean
