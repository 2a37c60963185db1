"""`koine check`: the numbers that a recipe promises, beside those in its results."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from koine.params.recipe import PARAMS, RECIPES, recipe_name, results_folder
from koine.records import TABLE, Schema
from koine.runtime.console import say
from koine.runtime.errors import KoineError

#: Where the promised numbers lie, a file for each recipe and scale, by the name in the tables.
PROMISES = RECIPES / "expected"
CELL = ["benchmark", "backbone", "strategy", "setting", "metric"]
#: A promised number; `tolerance` is absolute.
PROMISED = Schema(
    "promised numbers", {**{name: TABLE.columns[name] for name in CELL}, "value": pl.Float64(), "tolerance": pl.Float64()}
)


def check(recipe: Path = PARAMS, /, *, scale: str = "") -> None:
    """Compare a recipe's results with the numbers that it promises; prints [OK] or [FAIL] beside each.

    koine check recipes/squad-fi.yaml

    On one kind of machine the numbers are equal; across machines they agree within the tolerance.

    Args:
        recipe: A recipe, e.g. recipes/squad-fi.yaml.
        scale: One of the recipe's scales, such as standin or full.

    Raises:
        KoineError: a number does not hold or is missing; the recipe promises nothing, or has no results yet.
    """
    promised = read_promised(promises(recipe, scale))
    path = results_folder(recipe_name(recipe, scale)) / "table.csv"
    if not path.is_file():
        raise KoineError(f"{path}: no such file; run the recipe first")
    compared = list(_compared(promised, TABLE.read_csv(path)))
    for row, holds in compared:
        mark, style = ("[OK]   ", "green") if holds else ("[FAIL] ", "red")
        seen = "missing" if row["mean"] is None else f"{row['mean']:.4f}"
        say(f"{' '.join(row[name] for name in CELL)}: {seen}, expected {row['value']:g} ± {row['tolerance']:g}", mark, style)
    if wrong := sum(not holds for _, holds in compared):
        raise KoineError(f"{wrong} of {len(compared)} promised numbers do not hold")
    say(f"all {len(compared)} promised numbers hold")


def promises(recipe: Path, scale: str = "") -> Path:
    """The file of the numbers that a recipe promises at a scale, whether it is there or not."""
    return PROMISES / f"{recipe_name(recipe, scale)}.csv"


def read_promised(path: Path) -> pl.DataFrame:
    """A table of promised numbers (`PROMISED`).

    Raises:
        KoineError: it is not there, or is no such table.
    """
    if not path.is_file():
        raise KoineError(f"{path}: no such file; without it a recipe promises no numbers that could be checked")
    return PROMISED.read_csv(path)


def _compared(promised: pl.DataFrame, table: pl.DataFrame) -> Iterator[tuple[dict[str, Any], bool]]:
    """Each promised number with the `mean` that was measured (None where it is missing), and whether it holds."""
    for row in promised.join(table.select(*CELL, "mean"), on=CELL, how="left", maintain_order="left").iter_rows(named=True):
        yield row, row["mean"] is not None and abs(row["mean"] - row["value"]) <= row["tolerance"]
