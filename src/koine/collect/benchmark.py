"""`koine collect-benchmark`: a benchmark's files become queries, passages and relevance judgements."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import polars as pl

from koine.collect.formats.languages import Files, Language
from koine.collect.readers import read_questions, reader_of
from koine.names import target
from koine.params import BenchmarkReader, Candidate, language_of
from koine.records import PASSAGES, QRELS, QUERIES
from koine.runtime.console import progress, table
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id

BATCH = 65_536  # passages that are held at once: a row group of passages.parquet


def collect_benchmark(
    files: Mapping[str, Path], out: Path, *, reader: BenchmarkReader, candidate: Candidate = "passage",
    parallel_only: bool = False, native: bool = False, split: str = "test",
) -> None:  # fmt: skip
    """Read a benchmark's languages into queries, passages and relevance judgements.

    The passages are written as they are read, so a corpus need not fit into memory; those of a language stand together.

    Args:
        files: LANG=FILE, or LANG=FOLDER; LANG/2=FILE is a second one; repeatable.
        out: Folder for queries.parquet, passages.parquet and qrels.parquet; its name is the benchmark's.
        reader: Format; docs/collect.md lists them.
        candidate: What is retrieved; `sentence+context` is LAReQA's.
        parallel_only: Keep only the questions that every language has, and their passages.
        native: Equal ids in two languages are different questions; the language is put before them.
        split: Of a folder that holds several.

    Raises:
        KoineError: a file is not of this format; sentences are asked for and it has none, or an answer lies in no sentence;
            or a judgement names what is not there.
    """
    languages = {language.lang: language for language in read_benchmark(files, reader, candidate, split)}
    queries = pl.concat(
        QUERIES.frame([{"id": key, "lang": lang, "text": text} for key, text in language.queries])
        for lang, language in languages.items()
    )
    qrels = pl.concat(
        QRELS.frame([{"query_id": query, "lang": lang, "passage_id": passage} for query, passage in language.qrels])
        for lang, language in languages.items()
    )
    if native:
        queries = queries.with_columns(pl.concat_str("lang", "id", separator=":").alias("id"))
        qrels = qrels.with_columns(pl.concat_str("lang", "query_id", separator=":").alias("query_id"))
    if parallel_only:
        everywhere = queries.group_by("id").len().filter(pl.col("len") == len(languages))
        queries = queries.join(everywhere, on="id", how="semi", maintain_order="left")
        qrels = qrels.filter(pl.col("query_id").is_in(everywhere["id"].implode()))
    counts: Counter[str] = Counter()

    def passages() -> Iterator[pl.DataFrame]:
        for lang, language in languages.items():
            relevant = qrels.filter(lang=lang)["passage_id"].unique()
            missing = set(relevant)
            for frame in _frames(lang, language.passages):
                missing.difference_update(frame["id"])
                kept = frame.filter(pl.col("id").is_in(relevant.implode())) if parallel_only else frame
                counts[lang] += len(kept)
                yield kept
            if missing:
                where = next(path for key, path in files.items() if language_of(key) == lang)
                raise KoineError(f"{where}: a judgement names passage {min(missing)!r}, which is not there")

    PASSAGES.write_parts(progress(passages(), f"{out.name}: passages", weight=len), out / "passages.parquet")
    QUERIES.write(queries, out / "queries.parquet")
    QRELS.write(qrels, out / "qrels.parquet")
    rows = [(lang, len(queries.filter(lang=lang)), counts[lang]) for lang in languages]
    table(f"{out.name}: candidates are {candidate}", ["language", "queries", "candidates"], rows)


def read_benchmark(files: Mapping[str, Path], reader: BenchmarkReader, candidate: Candidate, split: str) -> Iterator[Language]:
    """Each language of a benchmark. Arguments and errors are those of `collect_benchmark`."""
    entry = reader_of(reader, "questions", "benchmark")
    if candidate != "passage" and not entry.sentences:
        first = next(iter(files.values()), "")
        raise KoineError(f"{first}: reader {reader} has whole passages only; use candidate: passage")
    paths: dict[str, list[Path]] = {}
    for key, path in files.items():
        paths.setdefault(language_of(key), []).append(path)
    if "benchmark" not in entry.reads:
        return _of_questions(paths, reader)
    options = ({"candidate": candidate} if entry.sentences else {}) | ({"split": split} if entry.split else {})
    languages: Iterator[Language] = target(entry.reads["benchmark"])(paths, **options)
    return languages


def _of_questions(files: Files, reader: str) -> Iterator[Language]:
    """Questions and passages of a source, a language after the other. All passages are candidates, each text once.

    The passages of equal questions are relevant to each of them: nothing tells which of the two was meant.
    """
    for lang, paths in files.items():
        queries: dict[str, str] = {}
        answering: dict[str, dict[str, None]] = defaultdict(dict)  # question -> ids of passages
        passages: dict[str, tuple[str, str, str]] = {}
        for path in paths:
            for record in read_questions(path, reader, others=True):
                answer, group = record["passage"].strip(), str(record.get("group") or "")
                for text, title in ((answer, group), *((negative.strip(), "") for negative in record.get("negatives") or ())):
                    passages.setdefault(text_id(text), (text_id(text), title, text))
                if "question" in record:
                    key, question = str(record["id"]), record["question"].strip()
                    if queries.setdefault(key, question) != question:
                        raise KoineError(f"{path}: two questions have the id {key!r}; give each its own")
                    answering[question][text_id(answer)] = None
        qrels = [(key, passage) for key, question in queries.items() for passage in answering[question]]
        yield Language(lang, list(queries.items()), qrels, passages.values())


def _frames(lang: str, passages: Iterable[tuple[str, str, str]]) -> Iterator[pl.DataFrame]:
    rows = iter(passages)
    while batch := list(islice(rows, BATCH)):
        ids, groups, texts = zip(*batch, strict=True)
        yield PASSAGES.frame({"id": ids, "lang": [lang] * len(ids), "group": groups, "text": texts})
