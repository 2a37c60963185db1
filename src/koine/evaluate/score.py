"""Every metric of every query in every cell, from one score matrix per query language."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from koine.evaluate.cells import Asked, Floats, Pool, Ranked, Relevant
from koine.evaluate.metrics import compute
from koine.evaluate.ranks import Ints, Judgements, Scorer, rank
from koine.evaluate.texts import Texts
from koine.metrics import metric
from koine.params import Setting
from koine.records import SCORES
from koine.runtime.console import progress


def score(
    texts: Texts, scorer: Scorer, name: str, *, pools: Sequence[str], settings: Sequence[Setting], metrics: Sequence[str]
) -> pl.DataFrame:  # fmt: skip
    """Metrics of every query in every cell of a benchmark and its sub-pools (`records.SCORES`).

    Args:
        texts: the benchmark.
        scorer: of its queries and passages.
        name: of the benchmark.
        pools, settings, metrics: as in `evaluate_vectors`.

    Raises:
        ValueError: no metric is called so.
    """
    multi = "multi" in settings
    everywhere = [one for one in metrics if metric(one).entry.settings == "all"]
    depth = max((metric(one).cutoff or 1 for one in metrics if metric(one).entry.first), default=1)
    wanted = {name: texts.languages} | {
        f"{name}:{pool}": members for pool in pools if set(members := pool.split("+")) <= set(texts.languages)
    }
    cells: list[pl.DataFrame] = []
    asked: dict[str, dict[str, Asked]] = {pool: {} for pool in wanted}
    relevant: dict[str, dict[str, tuple[Relevant, Relevant]]] = {pool: {} for pool in wanted}
    for lang in progress(texts.queries["lang"].unique(maintain_order=True).to_list(), f"{name}: query languages"):
        rows = np.flatnonzero(texts.queries["lang"] == lang)
        ids = texts.queries["id"].gather(rows)
        reach = texts.block(lang) if list(settings) == ["mono"] else slice(0, len(texts.passages))
        judgements = texts.judgements(rows, reach)
        asking = {pool: members for pool, members in wanted.items() if lang in members or pool == name}
        numbers = {pool: [texts.languages.index(member) for member in members] for pool, members in asking.items()}
        # One score matrix per query language; mono, cross, multi and sub-pools are slices of it.
        ahead, tops = rank(scorer, rows, reach, judgements, texts.blocks, numbers if multi else {}, depth)
        for pool, members in asking.items():
            for number, doc_lang in zip(numbers[pool], members, strict=True):
                setting = "mono" if doc_lang == lang else "cross"
                if setting in settings:
                    here = judgements.block == number
                    ranked = Ranked(Relevant.of(judgements.query[here], 1 + ahead[here, number]), lang)
                    cells.append(_cell(pool, setting, doc_lang, ids, ranked, compute(ranked, everywhere)))
            if multi:
                asked[pool][lang] = Asked(rows, ids, tops[pool])
                relevant[pool][lang] = _in_pool(texts, lang, judgements, ahead, numbers[pool])
    for pool, by_lang in relevant.items():
        shared = Pool(asked[pool], scorer, texts.passages["lang"])
        for lang, (own, elsewhere) in by_lang.items():
            ranked = Ranked(own, lang, elsewhere, shared)
            cell = _cell(pool, "multi", "all", asked[pool][lang].ids, ranked, compute(ranked, metrics))
            first = texts.passages["lang"].gather(asked[pool][lang].top.columns[own.queries, 0])
            cells.append(cell.with_columns(top_lang=first))
    whole = pl.concat(cells, how="diagonal")
    return SCORES.check(whole.with_columns(pl.col(pl.Float64).fill_nan(None)), name)


def _in_pool(
    texts: Texts, lang: str, judgements: Judgements, ahead: Ints, numbers: Sequence[int]
) -> tuple[Relevant, Relevant]:  # fmt: skip
    """Ranks of the relevant passages in a pool of languages, of all and of those in other languages than the query's."""
    ranks = 1 + ahead[:, numbers].sum(axis=1)
    here = np.isin(judgements.block, numbers)
    elsewhere = here & (judgements.block != texts.languages.index(lang)) if lang in texts.languages else here
    return Relevant.of(judgements.query[here], ranks[here]), Relevant.of(judgements.query[elsewhere], ranks[elsewhere])


def _cell(
    name: str, setting: str, doc_lang: str, ids: pl.Series, ranked: Ranked, values: Mapping[str, Floats]
) -> pl.DataFrame:  # fmt: skip
    named = {"benchmark": name, "setting": setting, "query_lang": ranked.lang, "doc_lang": doc_lang}
    queries = ranked.relevant.queries
    unknown = pl.Series([None] * len(queries), dtype=pl.String)
    frame = pl.DataFrame({"query_id": ids.gather(queries), "top_lang": unknown, **values})
    return frame.select(*(pl.lit(value).alias(key) for key, value in named.items()), "query_id", "top_lang", *values)
