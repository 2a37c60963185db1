"""Readers: the formats that data comes in, one entry each. To add one is to add an entry and its module (docs/extend.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from koine.names import Registry, entry_of, target
from koine.runtime.errors import KoineError

#: What a format may hold, and what reads it:
#: `questions`: `(path) -> Iterator[Record]`, or `(path, columns)` with `columns`; of a folder, its path;
#: `benchmark`: `(files: Files) -> Iterator[Language]`, with `candidate=` and `split=` where the entry says so;
#: `memory`, `dictionary`: `(path) -> Iterator` of segments, of words with translations; `nli`: `(path) -> list` of examples.
Gives = Literal["questions", "benchmark", "memory", "dictionary", "nli"]

#: A question with its passage: `question, passage, id`, perhaps `group, domain, answer, answer_start, lang, negatives`; without
#: `question`, a passage that answers none: a candidate, where the data set is used as a benchmark.
Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A format, and what reads it.

    Attributes:
        words: what the format is, in one line.
        reads: what it gives, to the function that reads it, as `module:name`.
        files: function `(folder, split) -> list[Path]` that names the files of a folder, also of one that is not there yet,
            as `module:name`; empty: this is the format of a file.
        tables: names of a folder's files by those of a Hub data set's tables, as `module:name`; empty: no Hub data set of it.
        columns: whether its columns may have other names.
        split: whether a folder holds several splits.
        sentences: whether a benchmark's candidates may be sentences.
    """

    words: str
    reads: Mapping[Gives, str]
    files: str = ""
    tables: str = ""
    columns: bool = False
    split: bool = False
    sentences: bool = False


READERS: Registry[Reader] = {
    "squad": Reader(
        words="SQuAD's JSON, v1.1 or v2.0",
        reads={
            "questions": "koine.collect.formats.squad:read_questions",
            "benchmark": "koine.collect.formats.squad:read_benchmark",
        },
        sentences=True,
    ),
    "jsonl": Reader(
        words="one object a line: question, passage, and perhaps more",
        reads={"questions": "koine.collect.formats.jsonl:read_questions"},
        columns=True,
    ),
    "csv": Reader(
        words="the same columns as CSV or TSV, with a header",
        reads={"questions": "koine.collect.formats.csv:read_questions"},
        columns=True,
    ),
    "beir": Reader(
        words="a BEIR folder: corpus.jsonl, queries.jsonl, qrels/test.tsv",
        reads={
            "questions": "koine.collect.formats.beir:read_questions",
            "benchmark": "koine.collect.formats.beir:read_benchmark",
        },
        files="koine.collect.formats.beir:folder_files",
        tables="koine.collect.formats.beir:BEIR",
    ),
    "passages": Reader(
        words="JSONL of passages that nobody has asked about",
        reads={"questions": "koine.collect.formats.passages:read_questions"},
    ),
    "triples": Reader(
        words="a folder of MS MARCO's or mMARCO's triples of ids",
        reads={"questions": "koine.collect.formats.triples:read_questions"},
        files="koine.collect.formats.triples:folder_files",
    ),
    "articles": Reader(
        words="SQuAD's JSON with whole articles as contexts",
        reads={"questions": "koine.collect.formats.articles:read_questions"},
    ),
    "dpr": Reader(
        words="what a retriever is trained on, or finds: DPR's, Tevatron's, with negatives",
        reads={"questions": "koine.collect.formats.dpr:read_questions"},
    ),
    "wikiqa": Reader(
        words="WikiQA's table",
        reads={"questions": "koine.collect.formats.wikiqa:read_questions"},
    ),
    "duorc": Reader(
        words="DuoRC's JSON",
        reads={"questions": "koine.collect.formats.duorc:read_questions"},
    ),
    "newsqa": Reader(
        words="NewsQA's JSON, its training stories",
        reads={"questions": "koine.collect.formats.newsqa:read_questions"},
    ),
    "faq": Reader(
        words="questions with their answers: nfL6, MFAQ",
        reads={"questions": "koine.collect.formats.faq:read_questions"},
    ),
    "medquad": Reader(
        words="MedQuAD as JSONL",
        reads={"questions": "koine.collect.formats.medquad:read_questions"},
    ),
    "pubmedqa": Reader(
        words="PubMedQA's JSON",
        reads={"questions": "koine.collect.formats.pubmedqa:read_questions"},
    ),
    "selqa": Reader(
        words="SelQA's JSON",
        reads={"questions": "koine.collect.formats.selqa:read_questions"},
    ),
    "qed": Reader(
        words="QED's JSONL",
        reads={"questions": "koine.collect.formats.qed:read_questions"},
    ),
    "omos-qa": Reader(
        words="OMoS-QA's JSON, one file a language",
        reads={"questions": "koine.collect.formats.omos_qa:read_questions"},
    ),
    "lines": Reader(
        words="a bitext: line n of each language's file says the same",
        reads={"benchmark": "koine.collect.formats.lines:read_benchmark"},
    ),
    "trec": Reader(
        words="folders of topics, qrels and docs.jsonl.gz, as MIRACL and Mr. TyDi have them",
        reads={"benchmark": "koine.collect.formats.trec:read_benchmark"},
        files="koine.collect.formats.trec:folder_files",
        split=True,
    ),
    "belebele": Reader(
        words="Belebele's JSONL, one file a language",
        reads={"benchmark": "koine.collect.formats.belebele:read_benchmark"},
    ),
    "mkqa": Reader(
        words="MKQA's one file for all languages",
        reads={"benchmark": "koine.collect.formats.mkqa:read_benchmark"},
    ),
    "mewsli-x": Reader(
        words="Mewsli-X's one folder for all languages",
        reads={"benchmark": "koine.collect.formats.mewsli_x:read_benchmark"},
        files="koine.collect.formats.mewsli_x:folder_files",
        split=True,
    ),
    "memory": Reader(
        words="a translation memory: JSONL or TMX",
        reads={"memory": "koine.collect.formats.memory:read_memory"},
    ),
    "dictionary": Reader(
        words="Wiktionary's dictionaries in ding format",
        reads={"dictionary": "koine.collect.formats.dictionary:read_dictionary"},
    ),
    "nli": Reader(
        words="XNLI's and MultiNLI's TSV or JSONL",
        reads={"nli": "koine.evaluate.probe:read_nli"},
    ),
}


def readers_of(*gives: Gives) -> dict[str, Reader]:
    """The readers that give one of these.

    >>> [*readers_of("memory", "dictionary")]
    ['memory', 'dictionary']
    """
    return {name: reader for name, reader in READERS.items() if any(one in reader.reads for one in gives)}


def reader_of(name: str, *gives: Gives) -> Reader:
    """The entry of a reader that gives one of these.

    Raises:
        KoineError: there is none of this name; the message has the nearest one, and all that there are.
    """
    try:
        return entry_of(readers_of(*gives), name, f"reader of {' or '.join(gives)}")
    except ValueError as error:
        raise KoineError(str(error)) from None


def folder_files(reader: str, folder: Path, split: str) -> list[Path]:
    """The files that a folder consists of, as Snakemake's inputs; what is no folder's format is one file.

    Raises:
        KoineError: the folder is there, and lacks one of them.
    """
    named = READERS[reader].files
    return list(target(named)(folder, split)) if named else [folder]


def read_questions(
    path: Path, reader: str, *, columns: Mapping[str, str] | None = None, others: bool = False
) -> Iterator[Record]:
    """Questions with their passages.

    Args:
        path: the file, or the folder of `beir` and `triples`.
        reader: a name of `READERS` that gives questions.
        columns: our field to the file's, for readers that take them.
        others: whether passages come too that answer no question, as records without one.

    Raises:
        KoineError: a row lacks its question or passage, or holds something else than text; or no such reader gives questions.
    """
    entry = reader_of(reader, "questions")
    read = target(entry.reads["questions"])
    for record in read(path, columns or {}) if entry.columns else read(path):
        if others or "question" in record:
            yield record
