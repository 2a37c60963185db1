"""What a row is: the columns of every parquet file that steps hand to each other, and their validation.

Steps read and write tables only through `Schema`, so a file that was cut short, edited or made by another
version is met by a message that names the file and the column, not by a traceback three steps later.
Rows of parallel data share `id` across languages: `id` names a question, `passage_id` a passage, whatever
language they are in.
"""

import os
import re
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from koine.runtime.errors import KoineError
from koine.runtime.files import atomic

# Importing polars sets SA_RESTART on Ctrl-C: what waits for a pipe or a process would go on waiting. Python's own way, again.
signal.siginterrupt(signal.SIGINT, True)


@dataclass(frozen=True)
class Schema:
    """Columns of a table, in order, with their types; `nullable` ones may hold nulls.

    With `others`, more columns of this type may follow, whose names are data; they may hold nulls.
    """

    name: str
    columns: dict[str, pl.DataType]
    nullable: frozenset[str] = field(default_factory=frozenset)
    others: pl.DataType | None = None

    def frame(self, rows: object) -> pl.DataFrame:
        """Build a table of this schema from records (dicts) or columns, and check it.

        Raises:
            KoineError: a value is of another type, or text that is not Unicode (half a surrogate pair).
        """
        try:
            frame = pl.DataFrame(rows, schema=self.columns, strict=True)  # type: ignore[arg-type]
        except (pl.exceptions.PolarsError, TypeError, UnicodeError) as error:
            raise KoineError(f"{self.name}: a value does not fit its column: {str(error).splitlines()[0]}") from error
        return self.check(frame, self.name)

    def check(self, frame: pl.DataFrame, where: object) -> pl.DataFrame:
        """Return `frame` with exactly this schema's columns, in order.

        Raises:
            KoineError: a column is missing, has another type, or holds nulls that it may not.
        """
        for column, dtype in self.columns.items():
            if column not in frame.columns:
                raise KoineError(f"{where}: column {column!r} of {self.name} is missing; found {frame.columns}")
            if frame.schema[column] != dtype:
                raise KoineError(f"{where}: column {column!r} is {frame.schema[column]}, expected {dtype}")
            if column not in self.nullable and frame[column].null_count():
                row = int(frame[column].is_null().arg_max() or 0)
                raise KoineError(f"{where}: row {row}: {column!r} of {self.name} is null")
        more = [column for column in frame.columns if column not in self.columns] if self.others else []
        for column in more:
            if frame.schema[column] != self.others:
                raise KoineError(f"{where}: column {column!r} is {frame.schema[column]}, expected {self.others}")
        return frame.select([*self.columns, *more])

    def read(self, path: Path) -> pl.DataFrame:
        """Read and check a parquet file."""
        return self.check(read_parquet(path), path)

    def read_csv(self, path: Path) -> pl.DataFrame:
        """Read and check a CSV file.

        Raises:
            KoineError: missing, no CSV, or of another schema.
        """
        if not path.is_file():
            raise KoineError(f"{path}: no such file; the step before has not made it")
        try:
            return self.check(pl.read_csv(path, schema_overrides=self.columns), path)
        except pl.exceptions.PolarsError as error:
            raise KoineError(f"{path}: not a CSV of {self.name} ({str(error).splitlines()[0]}); make it again") from None

    def part(self, path: Path, columns: Sequence[str], start: int = 0, count: int | None = None) -> pl.DataFrame:
        """Read and check some columns, or `count` rows from `start` on, of a table that memory may not hold whole."""
        own = Schema(self.name, {name: self.columns[name] for name in columns}, self.nullable)
        return own.check(read_parquet(path, own.columns, start, count), path)

    def scan(self, path: Path) -> pl.LazyFrame:
        """Read a parquet file as it is needed, its first row checked."""
        self.check(read_parquet(path, count=1), path)
        return pl.scan_parquet(path, glob=False)

    def write(self, frame: pl.DataFrame, path: Path) -> None:
        """Check and write a parquet file, atomically and with the same bytes for the same rows."""
        write_parquet(self.check(frame, path), path)

    def write_parts(self, frames: Iterable[pl.DataFrame], path: Path) -> None:
        """Check and write a parquet file frame by frame, each a row group: the table need not fit into memory."""
        import pyarrow.parquet

        def arrow(frame: pl.DataFrame) -> Any:
            return frame.to_arrow(compat_level=pl.CompatLevel.oldest())

        schema = arrow(pl.DataFrame(schema=self.columns)).schema
        with (
            atomic(path) as temporary,
            pyarrow.parquet.ParquetWriter(temporary, schema, compression="zstd", write_statistics=False) as writer,
        ):
            for frame in frames:
                writer.write_table(arrow(self.check(frame, path)))


def read_parquet(path: Path, columns: Iterable[str] = (), start: int = 0, count: int | None = None) -> pl.DataFrame:
    """Read a parquet file of any columns, or some of its columns (where it has them) and rows.

    Raises:
        KoineError: missing, or not (or no longer) a whole parquet file.
    """
    if not path.is_file():
        raise KoineError(f"{path}: no such file; the step before has not made it")
    try:
        chosen = pl.scan_parquet(path, glob=False)
        if columns:
            chosen = chosen.select(name for name in columns if name in chosen.collect_schema())
        return chosen.slice(start, count).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise KoineError(f"{path}: not a whole parquet file ({error}); delete it and run again") from None


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a parquet file of any columns, atomically.

    Raises:
        OSError: as of any file, such as a full disk; polars would say it in an error of its own.
    """
    with atomic(path) as temporary:
        try:
            frame.write_parquet(temporary, compression="zstd", statistics=False)
        except pl.exceptions.PolarsError as error:
            if number := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None
            raise


@dataclass(frozen=True)
class Run:
    """What names a model in the tables.

    Attributes:
        recipe: Name of the recipe in the tables.
        backbone: Name of the backbone in the tables; by default the model's name.
        strategy: Name of the strategy in the tables. Runs that differ in nothing but the seed count as one system.
        seed: Number of the seed in the tables.
    """

    recipe: str = ""
    backbone: str = ""
    strategy: str = "given"
    seed: int = 0

    def of(self, model: str | Path) -> "Run":
        """The same with the name of a model, a folder or a Hub id, where no backbone is named.

        >>> Run().of("intfloat/multilingual-e5-small").backbone
        'multilingual-e5-small'
        """
        return replace(self, backbone=self.backbone or Path(model).name)


TEXT = pl.String()
TEXTS = pl.List(TEXT)

#: A question with the passage that answers it, in the source language.
QA = Schema(
    "QA pair",
    {
        "id": TEXT,
        "passage_id": TEXT,
        "group": TEXT,  # article or entity: splits never cut through one
        "source": TEXT,
        "domain": TEXT,
        "licence": TEXT,
        "lang": TEXT,
        "question": TEXT,
        "passage": TEXT,
        "answer": TEXT,
        "answer_start": pl.Int64(),  # characters from the start of `passage`
        "negatives": TEXTS,  # passages that do not answer the question
    },
    nullable=frozenset({"answer", "answer_start", "negatives"}),
)


def read_collected(qa: Path, heldout: Path | None = None) -> pl.DataFrame:
    """QA rows to train on and, behind them, those held out: both are translated and filtered."""
    return pl.concat([QA.read(path) for path in (qa, heldout) if path])


#: One distinct text with its translation; `back` is the translation of `target` into the source language. `spans`
#: aligns pieces, in characters: start and end in `source`, then in `target`, four numbers a piece.
TRANSLATION = Schema(
    "translation",
    {"text_id": TEXT, "source": TEXT, "target": TEXT, "back": TEXT, "spans": pl.List(pl.Int64())},
    nullable=frozenset({"target", "back", "spans"}),
)

#: A QA pair in one language, ready for training; `id` and `passage_id` are those of the source pair. Where the answer
#: could not be found in the translated passage, its columns are null; the sentence that holds it may still be known.
#: `negative_ids` are `text_id` of the source's texts, as passage ids are, and name the same passage in every language.
PARALLEL = Schema(
    "parallel pair",
    {
        "id": TEXT,
        "passage_id": TEXT,
        "lang": TEXT,
        "question": TEXT,
        "passage": TEXT,
        "answer": TEXT,
        "answer_start": pl.Int64(),
        "sentence_start": pl.Int64(),
        "sentence_end": pl.Int64(),
        "negative_ids": TEXTS,
        "negatives": TEXTS,
    },
    nullable=frozenset({"answer", "answer_start", "sentence_start", "sentence_end", "negative_ids", "negatives"}),
)

#: The hard negatives of a question, hardest first: ids of passages of the corpus, and the scores that a model gave them.
MINED = Schema("mined negatives", {"id": TEXT, "negative_ids": TEXTS, "scores": pl.List(pl.Float64())})

#: A benchmark's three tables. Query ids and passage ids are unique within a language; query ids are shared
#: by parallel questions. `qrels` says which passages of `lang` answer query `query_id`, asked in any language.
QUERIES = Schema("query", {"id": TEXT, "lang": TEXT, "text": TEXT})
PASSAGES = Schema("passage", {"id": TEXT, "lang": TEXT, "group": TEXT, "text": TEXT})  # group: article
QRELS = Schema("relevance judgement", {"query_id": TEXT, "lang": TEXT, "passage_id": TEXT})

#: The subject matter that a question of a benchmark belongs to, in any language.
DOMAINS = Schema("domain", {"query_id": TEXT, "domain": TEXT})

#: What names a run in every table; languages are BCP 47.
RUN = {
    "recipe": TEXT,
    "backbone": TEXT,
    "strategy": TEXT,
    "seed": pl.Int64(),
    "benchmark": TEXT,
}

#: One evaluated cell: a run, a setting (mono, cross, multi), a language pair and a metric.
PAIRS = Schema(
    "pair",
    {
        **RUN,
        "setting": TEXT,
        "query_lang": TEXT,
        "doc_lang": TEXT,  # `all` in the multi setting
        "metric": TEXT,
        "value": pl.Float64(),
        "n_queries": pl.Int64(),
    },
)

#: One query's metrics in one cell: what intervals and tests are computed from.
SCORES = Schema(
    "query score",
    {
        "benchmark": TEXT,
        "setting": TEXT,
        "query_lang": TEXT,
        "doc_lang": TEXT,
        "query_id": TEXT,
        "top_lang": TEXT,  # of the first passage, in the multi setting
    },
    nullable=frozenset({"top_lang"}),
    others=pl.Float64(),  # the metrics
)

#: The headline table.
TABLE = Schema(
    "result",
    {
        "recipe": TEXT,
        "backbone": TEXT,
        "strategy": TEXT,
        "benchmark": TEXT,
        "setting": TEXT,
        "metric": TEXT,
        "mean": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "n_seeds": pl.Int64(),
        "n_queries": pl.Int64(),
    },
)

#: One system less another, with what tells whether the difference is real.
CONTRASTS = Schema(
    "contrast",
    {
        "recipe": TEXT,
        "benchmark": TEXT,
        "setting": TEXT,
        "metric": TEXT,
        "backbone": TEXT,
        "strategy": TEXT,
        "other_backbone": TEXT,
        "other_strategy": TEXT,
        "difference": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "p": pl.Float64(),
        "p_holm": pl.Float64(),  # adjusted within its family
        "effect": pl.Float64(),
        "detectable": pl.Float64(),
        "margin": pl.Float64(),
        "p_equal": pl.Float64(),
        "n_seeds": pl.Int64(),
        "n_questions": pl.Int64(),
    },
)

#: Results by domain, and how much they differ between domains: of a system, or of one less another (`other_`).
BY_DOMAIN = Schema(
    "result by domain",
    {
        "recipe": TEXT,
        "benchmark": TEXT,
        "setting": TEXT,
        "metric": TEXT,
        "backbone": TEXT,
        "strategy": TEXT,
        "other_backbone": TEXT,  # empty: no comparison
        "other_strategy": TEXT,
        "statistic": TEXT,  # domain, mean, spread, worst; drop
        "domain": TEXT,  # of a domain, and of the worst one of a system; of a drop, the benchmark that it is from
        "value": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "n_queries": pl.Int64(),
    },
)

#: A cell of a published table, and a recipe's value of the same cell.
PUBLISHED = Schema(
    "published result",
    {
        "recipe": TEXT,
        "table": TEXT,
        "benchmark": TEXT,
        "setting": TEXT,
        "metric": TEXT,
        "language": TEXT,  # of the question; `mean` over languages
        "paper_backbone": TEXT,
        "backbone": TEXT,  # the recipe's
        "strategy": TEXT,
        "paper": pl.Float64(),
        "ours": pl.Float64(),
        "difference": pl.Float64(),  # ours less the paper's
        "ci_low": pl.Float64(),  # of ours
        "ci_high": pl.Float64(),
    },
    nullable=frozenset({"ours", "difference", "ci_low", "ci_high"}),
)

#: What a claim of the literature comes to on one contrast.
CLAIMS = Schema(
    "verdict",
    {
        "recipe": TEXT,
        "claim": TEXT,
        "backbone": TEXT,
        "benchmark": TEXT,
        "contrast": TEXT,
        "estimate": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "p_holm": pl.Float64(),
        "verdict": TEXT,
        "why": TEXT,
    },
    nullable=frozenset({"estimate", "ci_low", "ci_high", "p_holm"}),
)
