"""The five commands of the collect step, each from files to files."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from koine.collect import readers, registry
from koine.collect.clean import Contamination, clean
from koine.collect.sample import make_sample
from koine.params import Candidate, Clean
from koine.records import PASSAGES, QA, QRELS, QUERIES, write_parquet
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.fetch import fetch
from koine.runtime.files import read_text, text_id, write_json, write_jsonl
from koine.runtime.hub import on_disk


def collect_hub(out: Path, *, hub: str, revision: str, config: str, split: str, columns: dict[str, str]) -> None:
    """Write one split of a Hub data set as our JSONL (id, question, passage, …).

    Args:
        out: the JSONL file.
        hub: `org/name`; `KOINE_MODELS=DIR` answers it with the folder DIR/org/name.
        revision, config, split: as in `datasets.load_dataset`; empty strings mean its defaults.
        columns: our field to the data set's column.

    Raises:
        KoineError: not reachable, or a named column is not there.
    """
    import datasets  # slow to import, and needed by nothing else

    try:
        rows = datasets.load_dataset(str(on_disk(hub) or hub), config or None, split=split, revision=revision or None)
    except (OSError, ValueError) as error:
        raise KoineError(f"{hub}: cannot be loaded ({error}); offline, put it at KOINE_MODELS/{hub}") from None
    missing = sorted(set(columns.values()) - set(rows.column_names))
    if missing:
        raise KoineError(f"{hub}: no column {', '.join(missing)}; it has {', '.join(rows.column_names)}")
    fields = columns or {key: key for key in ("id", "question", "passage", "answer", "negatives") if key in rows.column_names}
    write_jsonl(out, ({ours: row[theirs] for ours, theirs in fields.items()} for row in rows))


def collect_source(files: Sequence[Path], out: Path, *, name: str, reader: str, lang: str, domain: str, licence: str) -> None:
    """Read one source into QA rows (`records.QA`).

    Ids are made unique over sources by the source's name; a passage is named by its text, so that the questions
    on one passage share its `passage_id` in every language. A row's own passage is none of its negatives.
    """
    rows: list[dict[str, Any]] = []
    for path in files:
        for record in readers.read_qa(path, reader):
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
    repeated = len(rows) - len({row["id"] for row in rows})
    if repeated:
        say(f"{name}: {repeated} rows repeat the id of an earlier one and are left out")
    QA.write(QA.frame(rows).unique("id", keep="first", maintain_order=True), out)
    say(f"{name}: {len(rows) - repeated:,} questions on {len({row['passage_id'] for row in rows}):,} passages")


def collect_benchmark(
    files: dict[str, Path], out: Path, *, name: str, reader: str, candidate: Candidate, parallel_only: bool
) -> None:
    """Read a benchmark into queries, passages and qrels (`records.QUERIES`, `PASSAGES`, `QRELS`) in folder `out`.

    Args:
        files: language to file (for `beir`: to folder).
        candidate: `sentence`, `sentence+context` or `passage`. `sentence+context` is LAReQA's: sentence and
            paragraph concatenated without a separator, newlines removed (arXiv 2004.05484, and its code).
        parallel_only: keep only the questions that every language has, and their passages.

    Raises:
        KoineError: sentences are asked for and the file has none, or an answer lies in no sentence.
    """
    read = {"squad": _read_squad_language, "beir": _read_beir_language, "lines": _read_lines_language}[reader]
    parts = [read(path, lang, candidate) for lang, path in files.items()]
    queries, passages, qrels = (pl.concat([part[i] for part in parts]) for i in range(3))
    if parallel_only:
        everywhere = queries.group_by("id").len().filter(pl.col("len") == len(files))
        queries = queries.join(everywhere, on="id", how="semi", maintain_order="left")
        qrels = qrels.filter(pl.col("query_id").is_in(everywhere["id"].implode()))
        gold = qrels.select("lang", id="passage_id").unique()
        passages = passages.join(gold, on=["lang", "id"], how="semi", maintain_order="left")
    QUERIES.write(queries, out / "queries.parquet")
    PASSAGES.write(passages, out / "passages.parquet")
    QRELS.write(qrels, out / "qrels.parquet")
    rows = [(lang, len(queries.filter(lang=lang)), len(passages.filter(lang=lang))) for lang in files]
    table(f"{name}: candidates are {candidate}", ["language", "queries", "candidates"], rows)


_Tables = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def _read_squad_language(path: Path, lang: str, candidate: Candidate) -> _Tables:
    """One language of a SQuAD-format benchmark; candidates are named by paragraph and sentence number."""
    passages: list[dict[str, str]] = []
    number_of: dict[str, int] = {}  # context -> paragraph number
    for title, context, sentences in readers.read_contexts(path):
        if context in number_of:
            continue
        number = number_of.setdefault(context, len(number_of))
        if candidate == "passage":
            passages.append({"id": f"p{number}", "lang": lang, "group": title, "text": context.strip()})
            continue
        if not sentences:
            raise KoineError(f"{path}: no sentence_breaks in paragraph {number}; use candidate: passage")
        for s, (start, end) in enumerate(sentences):
            tail = context if candidate == "sentence+context" else ""
            text = (context[start:end] + tail).replace("\n", "")
            passages.append({"id": f"p{number}s{s}", "lang": lang, "group": title, "text": text})
    queries, qrels = [], []
    for question in readers.read_squad(path):
        gold = f"p{number_of[question.context]}"
        if candidate != "passage":
            start = -1 if question.answer_start is None else question.answer_start
            hit = [s for s, (first, end) in enumerate(question.sentences) if first <= start < end]
            if not hit:
                raise KoineError(f"{path}: question {question.id}: its answer starts in no sentence")
            gold += f"s{hit[0]}"
        queries.append({"id": question.id, "lang": lang, "text": question.text})
        qrels.append({"query_id": question.id, "lang": lang, "passage_id": gold})
    return QUERIES.frame(queries), PASSAGES.frame(passages), QRELS.frame(qrels)


def _read_beir_language(folder: Path, lang: str, candidate: Candidate) -> _Tables:
    """One language of a parallel benchmark in BEIR folders; only queries with a judgement count."""
    if candidate != "passage":
        raise KoineError(f"{folder}: BEIR folders have whole passages only; use candidate: passage")
    texts = readers.read_beir_texts(folder / "queries.jsonl")
    corpus = readers.read_beir_texts(folder / "corpus.jsonl")
    qrels = list(readers.read_beir_qrels(folder))
    unknown = [pair for pair in qrels if pair[0] not in texts or pair[1] not in corpus]
    if unknown:
        raise KoineError(f"{folder}/qrels: {unknown[0]} names a query or passage that is not there")
    judged = {query_id for query_id, _ in qrels}
    return (
        QUERIES.frame([{"id": i, "lang": lang, "text": text} for i, text in texts.items() if i in judged]),
        PASSAGES.frame([{"id": i, "lang": lang, "group": "", "text": text} for i, text in corpus.items()]),
        QRELS.frame([{"query_id": q, "lang": lang, "passage_id": p} for q, p in qrels]),
    )


def _read_lines_language(path: Path, lang: str, candidate: Candidate) -> _Tables:
    """One language of a bitext: each line is a query and a candidate, named by its number."""
    if candidate != "passage":
        raise KoineError(f"{path}: lines are whole passages; use candidate: passage")
    lines = read_text(path).splitlines()
    if empty := next((number for number, line in enumerate(lines, start=1) if not line.strip()), None):
        raise KoineError(f"{path}:{empty}: an empty line has no translation")
    ids = [str(number) for number in range(1, len(lines) + 1)]
    texts = [line.strip() for line in lines]
    own = {"id": ids, "lang": [lang] * len(ids), "text": texts}
    return (
        QUERIES.frame(own),
        PASSAGES.frame({**own, "group": [""] * len(ids)}),
        QRELS.frame({"query_id": ids, "lang": [lang] * len(ids), "passage_id": ids}),
    )


def benchmark_contamination(benchmarks: Iterable[Path], ngram: int) -> Contamination:
    """All texts and titles of prepared benchmarks (folders of `collect_benchmark`)."""
    contamination = Contamination(ngram)
    for folder in benchmarks:
        contamination.add(folder.name, QUERIES.read(folder / "queries.parquet")["text"])
        passages = PASSAGES.read(folder / "passages.parquet")
        contamination.add(folder.name, passages["text"], passages["group"].unique())
    return contamination


def collect(sources: Sequence[Path], benchmarks: Sequence[Path], out: Path, settings: Clean) -> None:
    """Merge sources, drop duplicates and whatever a benchmark contains.

    Args:
        sources: QA tables of `collect_source`.
        benchmarks: prepared benchmarks, whose texts must not be trained on.
        out: folder; gets qa.parquet, dropped.parquet and collect.json (counts, for the report).
    """
    pairs = pl.concat([QA.read(path) for path in sources])
    contamination = benchmark_contamination(benchmarks, settings.contamination_ngram)
    kept, dropped = clean(pairs, contamination, settings)
    if kept.is_empty():
        raise KoineError("nothing is left to train on: every question is a duplicate or stands in a benchmark")
    QA.write(kept, out / "qa.parquet")
    counts = dropped.group_by("reason", "against").len().filter(~pl.col("reason").str.contains("duplicate"))
    by_reason = dropped.group_by("reason").len().sort("reason")
    write_json(
        out / "collect.json",
        {
            "collected": len(pairs),
            "kept": len(kept),
            "passages": kept["passage_id"].n_unique(),
            "negatives": int(kept["negatives"].list.len().sum()),
            "dropped": dict(by_reason.iter_rows()),
            "contamination": counts.sort("reason", "against").to_dicts(),
            "sources": kept.group_by("source", "licence").len("questions").sort("source").to_dicts(),
        },
    )
    write_parquet(dropped, out / "dropped.parquet")
    table(f"collected {len(pairs):,} questions, kept {len(kept):,}", ["dropped because", "questions"], by_reason.iter_rows())


def prepare_benchmark(name: str, scratch: Path) -> Path:
    """Bring and read a benchmark of the registry, outside of the workflow; returns its folder below `scratch`."""
    entry = registry.benchmark(name)
    if name == "sample":
        make_sample(scratch / "sample", languages=list(entry.files), seed=1, defect_rate=0.0)
    files = {}
    for lang, file in entry.files.items():
        files[lang] = scratch / name / "raw" / file.name
        if name == "sample":
            files[lang] = scratch / "sample" / "beir" / file.name
        elif entry.path is not None:
            files[lang] = Path(entry.path.format(name=file.name))
        else:
            fetch((entry.url or entry.mirror or "").format(name=file.name), file.sha256, files[lang])
    folder = scratch / name
    collect_benchmark(files, folder, name=name, reader=entry.reader, candidate=entry.candidate, parallel_only=entry.parallel_only)
    return folder
