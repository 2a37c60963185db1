"""A prepared benchmark as the evaluation reads it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from koine.evaluate.ranks import Ints, Judgements
from koine.records import PASSAGES, QRELS, QUERIES
from koine.runtime.errors import KoineError


@dataclass(frozen=True)
class Texts:
    """A prepared benchmark's tables, and where each language's passages stand.

    Attributes:
        queries, passages, qrels: of `records`.
        languages: of the passages, in the order of the table.
        blocks: columns of each language.
    """

    queries: pl.DataFrame
    passages: pl.DataFrame
    qrels: pl.DataFrame
    languages: list[str]
    blocks: list[slice]

    @classmethod
    def read(cls, benchmark: Path) -> "Texts":
        """Read a folder of `collect-benchmark`."""
        passages = PASSAGES.read(benchmark / "passages.parquet")
        languages = passages["lang"].unique(maintain_order=True).to_list()
        blocks = _blocks(passages["lang"], languages)
        queries, qrels = QUERIES.read(benchmark / "queries.parquet"), QRELS.read(benchmark / "qrels.parquet")
        return cls(queries, passages, qrels, languages, blocks)

    def block(self, lang: str) -> slice:
        """The columns of a language; none where it has no passages."""
        return self.blocks[self.languages.index(lang)] if lang in self.languages else slice(0, 0)

    def judgements(self, rows: Ints, reach: slice) -> Judgements:
        """The judgements of these queries among the columns within reach, as positions."""
        row = pl.DataFrame({"query_id": self.queries["id"].gather(rows)}).with_row_index("row")
        column = self.passages.select("lang", passage_id="id").with_row_index("column")
        joined = self.qrels.unique().join(row, on="query_id").join(column, on=["lang", "passage_id"])
        joined = joined.filter(pl.col("column").is_between(reach.start, reach.stop, closed="left")).sort("row", "column")
        block = joined["lang"].replace_strict({lang: i for i, lang in enumerate(self.languages)}, return_dtype=pl.Int64)
        query, passage = (joined[name].cast(pl.Int64).to_numpy() for name in ("row", "column"))
        return Judgements(query, passage, block.to_numpy())


def _blocks(column: pl.Series, languages: Iterable[str]) -> list[slice]:
    """The columns of each language; benchmarks list one language after the other."""
    blocks = []
    for lang in languages:
        own = np.flatnonzero(column == lang)
        if own[-1] - own[0] + 1 != len(own):
            raise KoineError(f"passages of {lang} do not stand together in the benchmark's table")
        blocks.append(slice(int(own[0]), int(own[-1]) + 1))
    return blocks
