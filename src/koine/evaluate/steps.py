"""The command of the evaluate step: vectors of one model on one benchmark, to every number about them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from koine.encode.vectors import read_vectors
from koine.evaluate.metrics import METRICS, Ints, Judgements, count_ahead, metrics
from koine.records import PAIRS, PASSAGES, QRELS, QUERIES, SCORES
from koine.runtime.console import progress, table
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic


@dataclass(frozen=True)
class Run:
    """What names a model in the tables."""

    recipe: str
    backbone: str
    strategy: str
    seed: int


SETTINGS = ("mono", "cross", "multi")


def evaluate(
    vectors: Path, benchmark: Path, out: Path, *, run: Run, pools: Sequence[str] = (), settings: Sequence[str] = SETTINGS
) -> None:
    """Score all queries against the pool of all languages and write per-query and mean metrics.

    Args:
        vectors: folder of `encode`.
        benchmark: the texts the vectors belong to.
        out: folder; gets scores.parquet (`records.SCORES`) and pairs.csv (`records.PAIRS`).
        run: names the model.
        pools: sub-pools such as `en+fi`; reported as benchmark `NAME:en+fi` where all their languages exist.
        settings: which of mono, cross and multi mean something here.
    """
    passages = PASSAGES.read(benchmark / "passages.parquet")
    queries = QUERIES.read(benchmark / "queries.parquet")
    qrels = QRELS.read(benchmark / "qrels.parquet")
    passage_vectors = read_vectors(vectors / "passages.npy", len(passages))
    query_vectors = read_vectors(vectors / "queries.npy", len(queries))
    languages = passages["lang"].unique(maintain_order=True).to_list()
    blocks = _blocks(passages["lang"].to_list(), languages)
    wanted = {benchmark.name: languages}
    for pool in pools:
        members = pool.split("+")
        if set(members) <= set(languages):
            wanted[f"{benchmark.name}:{pool}"] = members
    positions = {lang: np.flatnonzero(queries["lang"] == lang) for lang in languages}
    cells: list[pl.DataFrame] = []
    for query_lang in progress(languages, f"{benchmark.name}: query languages"):
        own = positions[query_lang]
        if not len(own):
            continue
        ids = queries["id"].gather(own)
        judgements = _judgements(ids, passages, qrels, languages)
        # One score matrix per query language; mono, cross, multi and sub-pools are slices of it.
        scores = query_vectors[own] @ passage_vectors.T
        ahead = count_ahead(scores, judgements, blocks)
        for name, members in wanted.items():
            if query_lang in members:
                cells += _cells(name, query_lang, members, languages, ids, judgements, ahead)
    per_query = pl.concat(cells).filter(pl.col("setting").is_in(settings))
    SCORES.write(per_query, out / "scores.parquet")
    pairs = summarise(per_query, run)
    with atomic(out / "pairs.csv") as temporary:
        pairs.write_csv(temporary, float_precision=6)
    headline = pairs.group_by("benchmark", "setting", "metric", maintain_order=True).agg(pl.col("value").mean())
    wide = headline.pivot("metric", index=["benchmark", "setting"], values="value")
    table(
        f"{run.backbone} {run.strategy}",
        ["benchmark", "setting", *METRICS],
        ([row[0], row[1], *(f"{value:.3f}" if value is not None else "" for value in row[2:])] for row in wide.iter_rows()),
    )


def _blocks(column: Sequence[str], languages: Iterable[str]) -> list[slice]:
    """The columns of each language; benchmarks list one language after the other."""
    langs = np.array(column)
    blocks = []
    for lang in languages:
        own = np.flatnonzero(langs == lang)
        if own[-1] - own[0] + 1 != len(own):
            raise KoineError(f"passages of {lang} do not stand together in the benchmark's table")
        blocks.append(slice(int(own[0]), int(own[-1]) + 1))
    return blocks


def _judgements(ids: pl.Series, passages: pl.DataFrame, qrels: pl.DataFrame, languages: Sequence[str]) -> Judgements:
    """The judgements of these queries as positions."""
    row = pl.DataFrame({"query_id": ids}).with_row_index("row")
    column = passages.select("lang", passage_id="id").with_row_index("column")
    joined = qrels.unique().join(row, on="query_id").join(column, on=["lang", "passage_id"]).sort("row", "column")
    block = joined["lang"].replace_strict({lang: i for i, lang in enumerate(languages)}, return_dtype=pl.Int64)
    return Judgements(joined["row"].cast(pl.Int64).to_numpy(), joined["column"].cast(pl.Int64).to_numpy(), block.to_numpy())


def _cells(
    name: str, query_lang: str, members: Sequence[str], languages: Sequence[str], ids: pl.Series,
    judgements: Judgements, ahead: Ints,
) -> Iterator[pl.DataFrame]:  # fmt: skip
    """Per-query metrics of one query language against each language of a pool, and against the pool."""
    numbers = [languages.index(lang) for lang in members]
    for doc_lang, number in zip(members, numbers, strict=True):
        own = judgements.block == number
        setting = "mono" if doc_lang == query_lang else "cross"
        yield _cell(name, setting, query_lang, doc_lang, ids, judgements.query[own], 1 + ahead[own, number])
    own = np.isin(judgements.block, numbers)
    yield _cell(name, "multi", query_lang, "all", ids, judgements.query[own], 1 + ahead[own][:, numbers].sum(axis=1))


def _cell(name: str, setting: str, query_lang: str, doc_lang: str, ids: pl.Series, query: Ints, rank: Ints) -> pl.DataFrame:
    rows, values = metrics(query, rank)
    frame = pl.DataFrame({"query_id": ids.gather(rows), **values}).with_columns(
        benchmark=pl.lit(name), setting=pl.lit(setting), query_lang=pl.lit(query_lang), doc_lang=pl.lit(doc_lang)
    )
    if setting != "multi":  # the distance between parallel passages has no meaning in one language's corpus
        frame = frame.with_columns(rank_distance=pl.lit(None, dtype=pl.Float64))
    return frame.select(list(SCORES.columns))


def summarise(per_query: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Mean of every metric in every cell (`records.PAIRS`)."""
    cell = ["benchmark", "setting", "query_lang", "doc_lang"]
    means = per_query.group_by(cell, maintain_order=True).agg(pl.len().cast(pl.Int64).alias("n_queries"), pl.col(METRICS).mean())
    long = means.unpivot(METRICS, index=[*cell, "n_queries"], variable_name="metric").drop_nulls("value")
    named = long.with_columns(pl.lit(value).alias(name) for name, value in vars(run).items())
    return PAIRS.check(named.with_columns(pl.col("seed").cast(pl.Int64)), "pairs")


def evaluate_model(
    model: str, benchmark: str, out: Path, *, run: Run, pools: Sequence[str], settings: Sequence[str], device: str,
    method: str = "",
) -> None:  # fmt: skip
    """Evaluate any sentence-transformers model, outside of the workflow: prepare the benchmark, encode, evaluate.

    Args:
        model: folder or Hub id.
        benchmark: name in the registry, or a folder that `collect-benchmark` wrote.
        out: folder for pairs.csv and scores.parquet; the vectors are not kept.
        run, pools: as in `evaluate`.
        settings: as in `evaluate`; empty for those that the registry gives the benchmark.
        device: where to encode.
        method: of `debias`, applied to the vectors; empty for none.
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
        vectors = Path(scratch) / "vectors"
        encode(model, folder, vectors, tokens=None, dtype="float32", batch_size=64, device=device)
        if method:
            debias(vectors, folder, vectors, method=method, dtype="float32")
        evaluate(vectors, folder, out, run=run, pools=pools, settings=settings or SETTINGS)
