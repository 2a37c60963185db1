"""The evaluations that a report is made of: each pairs.csv is read once, the scores of a query where they are needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from koine.metrics import metric
from koine.records import PAIRS, SCORES
from koine.runtime.errors import KoineError

System = tuple[str, str]  # backbone, strategy


@dataclass(frozen=True)
class Evaluation:
    """A folder of `koine evaluate-vectors` or another evaluation: one model, or BM25, on one benchmark.

    Attributes:
        folder: of scores.parquet.
        pairs: its pairs.csv (`records.PAIRS`), with a row at least.
    """

    folder: Path
    pairs: pl.DataFrame

    @classmethod
    def read(cls, folder: Path) -> "Evaluation":
        """Read pairs.csv.

        Raises:
            KoineError: it is missing, of another schema, empty, or of a metric that Koine does not know.
        """
        path = folder / "pairs.csv"
        pairs = PAIRS.read_csv(path)
        if pairs.is_empty():
            raise KoineError(f"{path}: it has no rows; evaluate this model again")
        for name in pairs["metric"].unique(maintain_order=True):
            try:
                metric(name)
            except ValueError as error:
                raise KoineError(f"{path}: {error}; evaluate this model again") from None
        return cls(folder, pairs)

    def named(self, column: str) -> str:
        """What is the same in all rows: recipe, backbone, strategy; and the benchmark without its sub-pools."""
        return str(self.pairs[column][0])

    def scores(self, columns: Sequence[str] = ()) -> pl.DataFrame:
        """The metrics of every query (`records.SCORES`), or some of its columns."""
        path = self.folder / "scores.parquet"
        return SCORES.part(path, columns) if columns else SCORES.read(path)


def read_evaluations(folders: Sequence[Path]) -> list[Evaluation]:
    """The evaluations in these folders; errors as `Evaluation.read`."""
    return [Evaluation.read(folder) for folder in folders]


def by_system(evaluations: Sequence[Evaluation]) -> dict[System, dict[tuple[str, str], list[Evaluation]]]:
    """Evaluations by system and by recipe and benchmark: one for each seed."""
    found: dict[System, dict[tuple[str, str], list[Evaluation]]] = {}
    for one in evaluations:
        seeds = found.setdefault((one.named("backbone"), one.named("strategy")), {})
        seeds.setdefault((one.named("recipe"), one.named("benchmark")), []).append(one)
    return found
