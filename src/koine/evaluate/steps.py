"""Commands of the evaluate step: scores of one model, or of BM25, on one benchmark, to every number about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from koine.encode.vectors import open_vectors, read_vectors
from koine.evaluate.consistency import Asked, consistency
from koine.evaluate.metrics import Floats, metrics
from koine.evaluate.probe import language_probe
from koine.evaluate.ranks import Ints, Judgements, Scorer, Top, Vectors, rank
from koine.evaluate.trec import write_trec
from koine.params import BM25, METRICS, POOLED, RANKED, SETTINGS
from koine.records import PAIRS, PASSAGES, QRELS, QUERIES, SCORES, Run
from koine.runtime.console import progress, table
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic

CELL = ["benchmark", "setting", "query_lang", "doc_lang"]


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


def evaluate(
    vectors: Path, benchmark: Path, out: Path, *, run: Run, pools: Sequence[str] = (), settings: Sequence[str] = SETTINGS,
    names: Sequence[str] = METRICS, trec: int = 0,
) -> None:  # fmt: skip
    """Score all queries against the pool of all languages and write per-query and mean metrics.

    Args:
        vectors: folder of `encode`.
        benchmark: the texts the vectors belong to.
        out: folder; gets scores.parquet (`records.SCORES`) and pairs.csv (`records.PAIRS`).
        run: names the model.
        pools: sub-pools such as `en+fi`; reported as benchmark `NAME:en+fi` where all their languages exist.
        settings: which of mono, cross and multi mean something here.
        names: metrics; those of `params.POOLED` are of the multi setting alone.
        trec: depth of the TREC runs that are written to out/trec; 0 for none.
    """
    texts = Texts.read(benchmark)
    passages = open_vectors(vectors / "passages.npy", len(texts.passages))
    queries = read_vectors(vectors / "queries.npy", len(texts.queries))
    scorer = Vectors(queries, passages)
    found = score(texts, scorer, benchmark.name, pools=pools, settings=settings, names=names)
    write(found, out, run)
    if trec:
        tag = "-".join(filter(None, [run.recipe, run.backbone, run.strategy, str(run.seed)]))
        write_trec(texts, scorer, out / "trec", tag=tag, settings=settings, depth=trec)


def evaluate_bm25(
    benchmark: Path, out: Path, *, recipe: str, pools: Sequence[str] = (), settings: Sequence[str] = SETTINGS,
    names: Sequence[str] = METRICS,
) -> None:  # fmt: skip
    """Evaluate BM25 as `evaluate` does a model; its row in the tables is `bm25 untrained`.

    In mono and cross its statistics are those of the language's own corpus, in multi those of the pool of all languages.

    Args:
        benchmark, out, pools, settings, names: as in `evaluate`.
        recipe: name in the tables.
    """
    from koine.evaluate.bm25 import Lexical  # bm25s is slow to import, and no other evaluation needs it

    texts = Texts.read(benchmark)
    queries, passages = texts.queries["text"].to_list(), texts.passages["text"].to_list()
    found = [
        score(texts, Lexical.of(queries, passages, blocks), benchmark.name, pools=pools, settings=own, names=names)
        for own, blocks in (
            ([one for one in settings if one != "multi"], texts.blocks),
            ([one for one in settings if one == "multi"], [slice(0, len(passages))]),
        )
        if own
    ]
    write(pl.concat(found, how="diagonal"), out, Run(recipe, BM25, "untrained", 0))


def score(
    texts: Texts, scorer: Scorer, name: str, *, pools: Sequence[str], settings: Sequence[str], names: Sequence[str]
) -> pl.DataFrame:  # fmt: skip
    """Metrics of every query in every cell of a benchmark and its sub-pools (`records.SCORES`).

    Args:
        texts: the benchmark.
        scorer: of its queries and passages.
        name: of the benchmark.
        pools, settings, names: as in `evaluate`.
    """
    multi = "multi" in settings
    ranked = [one for one in names if RANKED.fullmatch(one)]
    apart = [one for one in names if POOLED.fullmatch(one)]
    deepest = max((_cut(one) for one in apart if one.startswith(("rankc", "mrc"))), default=1)
    wanted = {name: texts.languages} | {
        f"{name}:{pool}": members for pool in pools if set(members := pool.split("+")) <= set(texts.languages)
    }
    cells: list[pl.DataFrame] = []
    asked: dict[str, dict[str, Asked]] = {pool: {} for pool in wanted}
    pooled: dict[str, dict[str, pl.DataFrame]] = {pool: {} for pool in wanted}
    for lang in progress(texts.queries["lang"].unique(maintain_order=True).to_list(), f"{name}: query languages"):
        rows = np.flatnonzero(texts.queries["lang"] == lang)
        ids = texts.queries["id"].gather(rows)
        reach = texts.block(lang) if list(settings) == ["mono"] else slice(0, len(texts.passages))
        judgements = texts.judgements(rows, reach)
        own = {pool: members for pool, members in wanted.items() if lang in members or pool == name}
        numbers = {pool: [texts.languages.index(member) for member in members] for pool, members in own.items()}
        # One score matrix per query language; mono, cross, multi and sub-pools are slices of it.
        ahead, tops = rank(scorer, rows, reach, judgements, texts.blocks, numbers if multi else {}, deepest)
        for pool, members in own.items():
            for number, doc_lang in zip(numbers[pool], members, strict=True):
                setting = "mono" if doc_lang == lang else "cross"
                if setting in settings:
                    here = judgements.block == number
                    found, values = metrics(judgements.query[here], 1 + ahead[here, number], ranked)
                    cells.append(_cell(pool, setting, lang, doc_lang, ids, found, values))
            if multi:
                asked[pool][lang] = Asked(rows, ids, tops[pool])
                pooled[pool][lang] = _in_pool(texts, lang, judgements, ahead, numbers[pool], tops[pool], [*ranked, *apart])
    for pool, frames in pooled.items():
        between = _between_languages(asked[pool], scorer, apart)
        for lang, frame in frames.items():
            found = frame["row"].to_numpy()
            values = {one: frame[one].to_numpy() for one in frame.columns if one in names}
            values |= {one: column[found] for one, column in between.get(lang, {}).items()}
            cell = _cell(
                pool, "multi", lang, "all", asked[pool][lang].ids, found, {one: values[one] for one in names if one in values}
            )
            cells.append(cell.with_columns(top_lang=frame["top_lang"]))
    whole = pl.concat(cells, how="diagonal")
    return SCORES.check(whole.with_columns(pl.col(pl.Float64).fill_nan(None)), name)


def _cut(metric: str) -> int:
    return int(metric.partition("@")[2])


def _in_pool(
    texts: Texts, lang: str, judgements: Judgements, ahead: Ints, numbers: Sequence[int], top: Top, names: Sequence[str]
) -> pl.DataFrame:  # fmt: skip
    """Metrics of one language's queries in a pool of languages, with `row`, the position among them."""
    ranks = 1 + ahead[:, numbers].sum(axis=1)
    here = np.isin(judgements.block, numbers)
    direct = [one for one in names if RANKED.fullmatch(one) or one == "rank_distance"]
    found, values = metrics(judgements.query[here], ranks[here], direct)
    first = texts.passages["lang"].gather(top.columns[found, 0])
    frame = pl.DataFrame({"row": found, "top_lang": first, **values})
    if "same_language@1" in names:
        frame = frame.with_columns((first == lang).cast(pl.Float64).alias("same_language@1"))
    if lang in texts.languages:
        here &= judgements.block != texts.languages.index(lang)
    for one in names:
        if one.startswith("tlr@"):  # recall of the relevant passages in other languages than the query's
            elsewhere, recall = metrics(judgements.query[here], ranks[here], [f"recall@{_cut(one)}"])
            column = pl.DataFrame({"row": elsewhere, one: recall[f"recall@{_cut(one)}"]})
            frame = frame.join(column, on="row", how="left", maintain_order="left")
    return frame


def _between_languages(asked: Mapping[str, Asked], scorer: Scorer, names: Sequence[str]) -> dict[str, dict[str, Floats]]:
    """RankC, MRC and the language probe of every query, by language and metric; NaN where a query has no value."""
    values: dict[str, dict[str, Floats]] = {lang: {} for lang in asked}
    for depth in sorted({_cut(one) for one in names if one.startswith(("rankc", "mrc"))}):
        cut = {lang: Asked(one.rows, one.ids, one.top.to(depth)) for lang, one in asked.items()}
        for lang, (rankc, mrc) in consistency(cut, scorer).items():
            values[lang] |= {f"rankc@{depth}": rankc, f"mrc@{depth}": mrc}
    ids = pl.concat([one.ids for one in asked.values()] or [pl.Series([], dtype=pl.String)])
    if "language_probe" in names and isinstance(scorer, Vectors) and len(asked) > 1 and ids.n_unique() > 1:
        rows = np.concatenate([one.rows for one in asked.values()])
        spoken = np.repeat(list(asked), [len(one.rows) for one in asked.values()])
        told = language_probe(scorer.queries[rows], spoken.tolist(), ids.to_list())
        for lang in asked:
            values[lang]["language_probe"] = told[spoken == lang].astype(np.float64)
    return {lang: {one: column for one, column in by_name.items() if one in names} for lang, by_name in values.items()}


def _cell(
    name: str, setting: str, query_lang: str, doc_lang: str, ids: pl.Series, rows: Ints, values: Mapping[str, Floats]
) -> pl.DataFrame:  # fmt: skip
    named = {"benchmark": name, "setting": setting, "query_lang": query_lang, "doc_lang": doc_lang}
    frame = pl.DataFrame({"query_id": ids.gather(rows), "top_lang": pl.Series([None] * len(rows), dtype=pl.String), **values})
    return frame.select(*(pl.lit(value).alias(key) for key, value in named.items()), "query_id", "top_lang", *values)


def write(per_query: pl.DataFrame, out: Path, run: Run) -> None:
    """Write per-query metrics and their means, and print the means of each setting."""
    SCORES.write(per_query, out / "scores.parquet")
    pairs = summarise(per_query, run)
    with atomic(out / "pairs.csv") as temporary:
        pairs.write_csv(temporary, float_precision=6)
    headline = pairs.group_by("benchmark", "setting", "metric", maintain_order=True).agg(pl.col("value").mean())
    wide = headline.pivot("setting", index=["benchmark", "metric"], values="value")
    settings = [one for one in SETTINGS if one in wide.columns]
    rows = [
        [row["benchmark"], row["metric"], *("" if row[one] is None else f"{row[one]:.3f}" for one in settings)]
        for row in wide.sort("benchmark", maintain_order=True).iter_rows(named=True)
    ]
    table(f"{run.backbone} {run.strategy}", ["benchmark", "metric", *settings], rows)


def summarise(per_query: pl.DataFrame, run: Run) -> pl.DataFrame:
    """Mean of every metric in every cell, over the queries that have a value (`records.PAIRS`)."""
    names = [column for column in per_query.columns if column not in SCORES.columns]
    long = per_query.unpivot(names, index=CELL, variable_name="metric").drop_nulls("value")
    means = long.group_by(*CELL, "metric", maintain_order=True).agg(
        pl.col("value").mean(), pl.len().cast(pl.Int64).alias("n_queries")
    )
    named = means.with_columns(pl.lit(value).alias(name) for name, value in vars(run).items())
    return PAIRS.check(named.with_columns(pl.col("seed").cast(pl.Int64)), "pairs")


def _blocks(column: pl.Series, languages: Iterable[str]) -> list[slice]:
    """The columns of each language; benchmarks list one language after the other."""
    blocks = []
    for lang in languages:
        own = np.flatnonzero(column == lang)
        if own[-1] - own[0] + 1 != len(own):
            raise KoineError(f"passages of {lang} do not stand together in the benchmark's table")
        blocks.append(slice(int(own[0]), int(own[-1]) + 1))
    return blocks
