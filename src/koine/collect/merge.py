"""`koine collect`: all sources together, without duplicates and without what stands in a benchmark."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from koine.collect.clean import clean_pairs, hold_out
from koine.collect.contamination import benchmark_contamination
from koine.params import Clean, HeldOut
from koine.records import QA, write_parquet
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import write_json


def collect(
    sources: Sequence[Path], /, out: Path, *, benchmarks: Sequence[Path] = (), clean: Clean = Clean(),
    heldout: HeldOut = HeldOut(), expected: Mapping[str, int] = {},
) -> None:  # fmt: skip
    """Merge sources; duplicates go, and whatever stands in a benchmark goes; questions may be put aside.

    Args:
        sources: Tables of collect-source.
        out: Folder for qa.parquet (what is trained on), dropped.parquet, collect.json (counts) and, if questions are put aside,
            heldout.parquet.
        benchmarks: Prepared benchmark that must not be trained on; repeatable.
        clean: what is a duplicate, what is contamination.
        heldout: how many questions are put aside, if any.
        expected: SOURCE=QUESTIONS of the literature, to compare; repeatable.

    Raises:
        KoineError: nothing is left.
    """
    pairs = pl.concat([QA.read(path) for path in sources])
    contamination = benchmark_contamination(benchmarks, clean.contamination_ngram)
    kept, dropped = clean_pairs(pairs, contamination, clean)
    if kept.is_empty():
        raise KoineError("nothing is left to train on: every question is a duplicate or stands in a benchmark")
    put_aside = 0
    if heldout.questions:
        kept, aside, more = hold_out(kept, heldout)
        dropped, put_aside = pl.concat([dropped, more]).sort("id"), len(aside)
        QA.write(aside, out / "heldout.parquet")
        passages, groups = aside["passage_id"].n_unique(), aside["group"].n_unique()
        say(f"put {put_aside:,} questions on {passages:,} passages aside, of {groups:,} groups")
    QA.write(kept, out / "qa.parquet")
    counts = dropped.group_by("reason", "against").len().filter(~pl.col("reason").str.contains("duplicate|held out"))
    by_reason = dropped.group_by("reason").len().sort("reason")
    per_source = kept.group_by("source", "licence").len("questions").sort("source").to_dicts()
    for source in per_source:
        wanted = expected.get(source["source"])
        if wanted is not None:
            source["expected"] = wanted
            if wanted != source["questions"]:
                say(f"{source['source']}: {source['questions']:,} questions kept; the literature reports {wanted:,}")
    write_json(
        out / "collect.json",
        {
            "collected": len(pairs),
            "kept": len(kept),
            **({"heldout": put_aside} if put_aside else {}),
            "passages": kept["passage_id"].n_unique(),
            "negatives": int(kept["negatives"].list.len().sum()),
            "dropped": dict(by_reason.iter_rows()),
            "contamination": counts.sort("reason", "against").to_dicts(),
            "sources": per_source,
        },
    )
    write_parquet(dropped, out / "dropped.parquet")
    table(f"collected {len(pairs):,} questions, kept {len(kept):,}", ["dropped because", "questions"], by_reason.iter_rows())
