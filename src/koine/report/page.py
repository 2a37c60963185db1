"""results/report.html."""

from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Evidence:
    """Everything the page shows."""

    table: pl.DataFrame
    pairs: pl.DataFrame
    collected: dict[str, Any]
    filtered: list[dict[str, Any]]
    models: list[dict[str, Any]]
    curves: list[list[dict[str, Any]]]
    indexes: dict[str, dict[str, Any]]
    confidence: float


def render(evidence: Evidence) -> str:
    """The page as HTML."""
    return f"<html>{len(evidence.table)}</html>"
