"""Commands of the collect step, each from files to files; domains.py and sample.py have theirs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl

from koine.collect import benchmarks, readers
from koine.collect.clean import Contamination, clean, hold_out
from koine.params import BenchmarkReader, Candidate, Clean, HeldOut, language_of
from koine.records import PASSAGES, QA, QRELS, QUERIES, write_parquet
from koine.runtime.console import progress, say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic, text_id, write_json, write_jsonl
from koine.runtime.hub import on_disk


def collect_hub(out: Path, *, hub: str, revision: str, config: str, split: str, columns: dict[str, str]) -> None:
    """Write one split of a Hub data set: as JSONL, or where `out` ends in .tsv as a BEIR folder's judgements.

    Args:
        out: the file.
        hub: `org/name`; `KOINE_MODELS=DIR` answers it with the folder DIR/org/name.
        revision, config: as in `datasets.load_dataset`; empty strings mean its defaults.
        split: taken if there is one of this name; else the only one, as the tables of some data sets have their own names.
        columns: our field to the data set's column; all columns under their own names, if none is given.

    Raises:
        KoineError: not reachable, or a named column or split is not there.
    """
    import datasets  # slow to import, and needed by nothing else

    place = str(on_disk(hub) or hub)
    try:
        splits = datasets.get_dataset_split_names(place, config or None, revision=revision or None)
        if split not in splits and len(splits) > 1:
            raise KoineError(f"{hub}: no split {split}; it has {', '.join(splits)}")
        chosen = split if split in splits else splits[0]
        if chosen != split:
            say(f"{hub} {config}: taking its only split, {chosen}")
        rows = datasets.load_dataset(place, config or None, split=chosen, revision=revision or None)
    except (OSError, ValueError) as error:
        raise KoineError(f"{hub}: cannot be loaded ({error}); offline, put it at KOINE_MODELS/{hub}") from None
    fields = columns or {name: name for name in (QRELS_COLUMNS if out.suffix == ".tsv" else rows.column_names)}
    missing = sorted(set(fields.values()) - set(rows.column_names))
    if missing:
        raise KoineError(f"{hub}: no column {', '.join(missing)}; it has {', '.join(rows.column_names)}")
    records = ({ours: row[theirs] for ours, theirs in fields.items()} for row in progress(rows, f"{hub} {config}", len(rows)))
    try:
        if out.suffix == ".tsv":
            with atomic(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
                stream.write("\t".join(fields) + "\n")
                stream.writelines("\t".join(map(_plain, record.values())) + "\n" for record in records)
        else:
            write_jsonl(out, records)
    except TypeError as error:
        raise KoineError(f"{hub}: {error}; name the columns that are needed under `columns`") from None


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)  # a grade of 1.0 is 1


QRELS_COLUMNS = ("query-id", "corpus-id", "score")


def collect_source(
    files: Sequence[Path], out: Path, *, name: str, reader: str, lang: str, domain: str, licence: str,
    columns: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Read one source into QA rows (`records.QA`).

    Ids are made unique over sources by the source's name, and within one by a number; a passage is named by its text,
    so that the questions on one passage share its `passage_id` in every language. A row's own passage is none of its
    negatives.
    """
    rows: list[dict[str, Any]] = []
    for path in files:
        for record in readers.read_qa(path, reader, columns=columns):
            passage = record["passage"].strip()
            negatives = dict.fromkeys(text.strip() for text in record.get("negatives") or ())
            negatives.pop(passage, None)
            rows.append(
                {
                    "id": f"{name}/{record['id']}",
                    "passage_id": text_id(passage),
                    "group": str(record.get("group") or text_id(passage)),
                    "source": name,
                    "domain": record.get("domain") or domain,
                    "licence": licence,
                    "lang": record.get("lang") or lang,
                    "question": record["question"].strip(),
                    "passage": passage,
                    "answer": record.get("answer"),
                    "answer_start": record.get("answer_start"),
                    "negatives": list(negatives) or None,
                }
            )
    if not rows:
        raise KoineError(f"{', '.join(map(str, files))}: no questions in it")
    kept = _own_ids(rows, name)
    QA.write(QA.frame(kept), out)
    say(f"{name}: {len(kept):,} questions on {len({row['passage_id'] for row in kept}):,} passages")


def _own_ids(rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Rows with an id each: another question under an id that is given gets a number, the same question is left out."""
    given: set[str] = set()
    asked: set[tuple[str, str]] = set()
    numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(2))
    kept, numbered = [], 0
    for row in rows:
        id_, question = row["id"], row["question"]
        if (id_, question) in asked:
            continue
        asked.add((id_, question))
        if id_ in given:
            numbered += 1
            row["id"] = next(own for n in numbers[id_] if (own := f"{id_}#{n}") not in given)
        given.add(row["id"])
        kept.append(row)
    if numbered:
        say(f"{name}: {numbered:,} questions have the id of another one; theirs is numbered (…#2)")
    if len(kept) < len(rows):
        say(f"{name}: {len(rows) - len(kept):,} rows repeat the id and the question of an earlier one and are left out")
    return kept


def collect_benchmark(
    files: dict[str, Path], out: Path, *, name: str, reader: BenchmarkReader, candidate: Candidate, parallel_only: bool,
    native: bool = False, split: str = "",
) -> None:  # fmt: skip
    """Read a benchmark into queries, passages and qrels (`records.QUERIES`, `PASSAGES`, `QRELS`) in folder `out`.

    The passages are written as they are read, so a corpus need not fit into memory; those of a language stand together.

    Args:
        files: language to file, or to folder; a second file of a language has a key such as `ja/2`.
        candidate: `sentence`, `sentence+context` or `passage`. `sentence+context` is LAReQA's: sentence and
            paragraph concatenated without a separator, newlines removed (arXiv 2004.05484, and its code).
        parallel_only: keep only the questions that every language has, and their passages.
        native: equal ids in two languages do not mean the same question; the language is put before them.
        split: of a folder that holds several.

    Raises:
        KoineError: sentences are asked for and the file has none, an answer lies in no sentence, or a judgement
            names what is not there.
    """
    parts = dict(benchmarks.read_benchmark(files, reader, candidate, split))
    queries = pl.concat([part.queries for part in parts.values()])
    qrels = pl.concat([part.qrels for part in parts.values()])
    if native:
        queries = queries.with_columns(pl.concat_str("lang", "id", separator=":").alias("id"))
        qrels = qrels.with_columns(pl.concat_str("lang", "query_id", separator=":").alias("query_id"))
    if parallel_only:
        everywhere = queries.group_by("id").len().filter(pl.col("len") == len(parts))
        queries = queries.join(everywhere, on="id", how="semi", maintain_order="left")
        qrels = qrels.filter(pl.col("query_id").is_in(everywhere["id"].implode()))
    counts: Counter[str] = Counter()

    def passages() -> Iterator[pl.DataFrame]:
        for lang, part in parts.items():
            gold = qrels.filter(lang=lang)["passage_id"].unique()
            missing = set(gold)
            for frame in part.passages:
                missing.difference_update(frame["id"])
                kept = frame.filter(pl.col("id").is_in(gold.implode())) if parallel_only else frame
                counts[lang] += len(kept)
                yield kept
            if missing:
                where = next(path for key, path in files.items() if language_of(key) == lang)
                raise KoineError(f"{where}: a judgement names passage {min(missing)!r}, which is not there")

    PASSAGES.write_parts(progress(passages(), f"{name}: passages", weight=len), out / "passages.parquet")
    QUERIES.write(queries, out / "queries.parquet")
    QRELS.write(qrels, out / "qrels.parquet")
    rows = [(lang, len(queries.filter(lang=lang)), counts[lang]) for lang in parts]
    table(f"{name}: candidates are {candidate}", ["language", "queries", "candidates"], rows)


#: With more passages than this to a judgement, a corpus is there to be searched, and its other passages are no test data.
SEARCHED = 20


def benchmark_contamination(folders: Iterable[Path], ngram: int) -> Contamination:
    """All texts and titles of prepared benchmarks, folders of `collect_benchmark`; of a corpus to search, what is relevant.

    A corpus such as MIRACL's is a whole Wikipedia: most of what one could train on stands in it, and nearly nothing of it
    is asked for.
    """
    contamination = Contamination(ngram)
    for folder in folders:
        contamination.add(folder.name, QUERIES.read(folder / "queries.parquet")["text"])
        passages, qrels = PASSAGES.scan(folder / "passages.parquet"), QRELS.read(folder / "qrels.parquet")
        if passages.select(pl.len()).collect().item() > SEARCHED * len(qrels):
            relevant = qrels.lazy().select("lang", id="passage_id").unique()
            passages = passages.join(relevant, on=["lang", "id"], how="semi", maintain_order="left")
        tested = passages.select("group", "text").collect(engine="streaming")
        contamination.add(folder.name, tested["text"], tested["group"].unique())
    return contamination


def collect(
    sources: Sequence[Path], tested: Sequence[Path], out: Path, settings: Clean, expected: Mapping[str, int] | None = None,
    heldout: HeldOut | None = None,
) -> None:  # fmt: skip
    """Merge sources, drop duplicates and whatever a benchmark contains, and put held-out questions aside.

    Args:
        sources: QA tables of `collect_source`.
        tested: prepared benchmarks, whose texts must not be trained on.
        out: folder; gets qa.parquet (what is trained on), dropped.parquet and collect.json (counts, for the report), and
            heldout.parquet, if questions are held out.
        settings: what is a duplicate, what is contamination.
        heldout: how many questions are put aside, if any.
        expected: by source, how many questions the literature kept; collect.json has it, and a difference is said.

    Raises:
        KoineError: nothing is left.
    """
    pairs = pl.concat([QA.read(path) for path in sources])
    contamination = benchmark_contamination(tested, settings.contamination_ngram)
    kept, dropped = clean(pairs, contamination, settings)
    if kept.is_empty():
        raise KoineError("nothing is left to train on: every question is a duplicate or stands in a benchmark")
    put_aside = 0
    if heldout and heldout.questions:
        kept, aside, more = hold_out(kept, heldout)
        dropped, put_aside = pl.concat([dropped, more]).sort("id"), len(aside)
        QA.write(aside, out / "heldout.parquet")
        passages, groups = aside["passage_id"].n_unique(), aside["group"].n_unique()
        say(f"put {put_aside:,} questions on {passages:,} passages aside, of {groups:,} groups")
    QA.write(kept, out / "qa.parquet")
    counts = dropped.group_by("reason", "against").len().filter(~pl.col("reason").str.contains("duplicate|held out"))
    by_reason = dropped.group_by("reason").len().sort("reason")
    per_source = kept.group_by("source", "licence").len("questions").sort("source").to_dicts()
    for one in per_source:
        wanted = (expected or {}).get(one["source"])
        if wanted is not None:
            one["expected"] = wanted
            if wanted != one["questions"]:
                say(f"{one['source']}: {one['questions']:,} questions kept; the literature reports {wanted:,}")
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
