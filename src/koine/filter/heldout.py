"""The filter-heldout step: the benchmark of a recipe's own questions."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from koine.collect.formats.beir import BEIR
from koine.records import PARALLEL, QA
from koine.runtime.console import table
from koine.runtime.errors import KoineError
from koine.runtime.files import write_jsonl, write_text


def filter_heldout(qa: Path, heldout: Path, parallel: Sequence[Path], out: Path) -> None:
    """Make a benchmark of the held-out questions whose translations passed the filter in every language.

    The passages are all those of their sources, those trained on too, in each language in which they passed: what a person
    searches is the whole collection.

    Args:
        qa: Questions of `koine collect`, to train on.
        heldout: Held-out questions of `koine collect`.
        parallel: Kept pairs of one language.
        out: Folder; gets a BEIR folder for each language, with the same ids.

    Raises:
        KoineError: no question passed in every language.
    """
    asked = QA.read(heldout)
    every = pl.concat([asked, QA.read(qa).filter(pl.col("source").is_in(asked["source"].unique().implode()))])
    columns = ["id", "passage_id", "question", "passage"]
    versions = {str(asked["lang"][0]): every.select(columns)}
    for path in parallel:
        kept = PARALLEL.read(path)
        versions[str(kept["lang"][0])] = kept.join(every, on="id", how="semi", maintain_order="left").select(columns)
    left = asked.select("id")
    rows = []
    for lang, version in versions.items():
        passed = asked.join(version, on="id", how="semi")
        left = left.join(version, on="id", how="semi", maintain_order="left")
        rows.append((lang, len(passed), f"{len(passed) / len(asked):.1%}", version["passage_id"].n_unique()))
    if left.is_empty():
        raise KoineError("no held-out question passed the filter in every language; hold out more (collect.heldout.questions)")
    for lang, version in versions.items():
        pairs = left.join(version, on="id", maintain_order="left")
        passages = version.unique("passage_id", keep="first", maintain_order=True)
        queries = ({"_id": row["id"], "text": row["question"]} for row in pairs.iter_rows(named=True))
        write_jsonl(out / lang / BEIR["queries"], queries)
        corpus = ({"_id": row["passage_id"], "text": row["passage"]} for row in passages.iter_rows(named=True))
        write_jsonl(out / lang / BEIR["corpus"], corpus)
        judged = "".join(f"{query}\t{passage}\t1\n" for query, passage in pairs.select("id", "passage_id").iter_rows())
        write_text(out / lang / BEIR["qrels"], f"query-id\tcorpus-id\tscore\n{judged}")
    title = f"{len(left):,} of {len(asked):,} held-out questions passed in every language"
    table(title, ["language", "passed", "share", "passages"], rows)
