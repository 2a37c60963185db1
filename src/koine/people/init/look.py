"""What is in a person's own data: its format, its columns, how much there is, and what looks wrong."""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from koine import languages
from koine.collect.formats.beir import BEIR
from koine.collect.readers import read_questions
from koine.filter.scores import detector
from koine.params import QAReader
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import read_csv, read_json, read_jsonl, text_id
from koine.text.normalise import normalise, words

#: What people call the columns; the first that is there counts.
QUESTION = ("question", "query", "anchor", "title")
PASSAGE = ("passage", "context", "positive", "document", "text", "answer", "response", "content")
GROUP = ("group", "title", "article", "url", "document_id", "doc_id")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

IDENTIFIED = 500  # questions whose language is looked at
DOUBTED = 0.2  # share of them in another language that is worth a warning
SHOWN = 32  # characters of a path, in a table
SHORT_QUESTION, SHORT_PASSAGE = 2, 5  # words; fewer are near-empty
FEWEST = 50  # questions that can be split and trained on at all


@dataclass(frozen=True)
class File:
    """A file of the user's, and what was found in it."""

    path: str
    reader: QAReader
    columns: dict[str, str]
    rows: list[dict[str, Any]]
    hub: bool = False


def look(name: str) -> File:
    """Read questions with passages.

    Args:
        name: a file, a BEIR folder, or the id of a data set of the Hub.

    Raises:
        KoineError: there is no such thing, it cannot be read, or it holds nothing.
    """
    path = Path(name)
    if not path.exists():
        if not HUB_ID.fullmatch(name):
            raise KoineError(f"{name}: no such file or folder, and no id of a Hub data set (ORG/NAME)")
        return _look_at_hub(name)
    reader = format_of(path)
    columns = _columns(path, reader)
    return File(name, reader, columns, rows_of(path, reader, columns))


def _look_at_hub(name: str) -> File:
    from koine.collect.download import collect_download

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "train.jsonl"
        collect_download(path, hub=name)
        columns = _columns(path, "jsonl", name)
        return File(name, "jsonl", columns, rows_of(path, "jsonl", columns), hub=True)


def look_at_passages(path: Path) -> File:
    """Read passages that nobody has asked about, JSONL. Errors as `look`."""
    rows = rows_of(path, "passages", {})
    return File(str(path), "passages", {}, rows)


def rows_of(path: Path, reader: QAReader, columns: dict[str, str]) -> list[dict[str, Any]]:
    """All rows of a file, of which there must be some."""
    rows = list(read_questions(path, reader, columns=columns))
    if not rows:
        raise KoineError(f"{path}: nothing to train on in it; is it empty?")
    return rows


def format_of(path: Path) -> QAReader:
    """The reader of a file, by its name and its beginning.

    Raises:
        KoineError: none fits; the message lists what can be read.
    """
    name = path.name.removesuffix(".gz")
    if path.is_dir():
        if any((path / file).is_file() for corpus in [BEIR["corpus"]] for file in (corpus, f"{corpus}.gz")):
            return "beir"
        raise KoineError(f"{path}: a folder without {BEIR['corpus']}; give a BEIR folder, or a file")
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    if name.endswith((".csv", ".tsv")):
        return "csv"
    if name.endswith(".json"):
        document = read_json(path)
        if isinstance(document, dict) and "data" in document:
            return "squad"
        raise KoineError(
            f"{path}: not SQuAD format (no `data` list); for rows of your own, write one JSON object a line (.jsonl)"
        )
    raise KoineError(f"{path}: of what format is it? Read are .jsonl, .csv, .tsv, SQuAD's .json, and BEIR folders")


def _columns(path: Path, reader: QAReader, called: str = "") -> dict[str, str]:
    """Our field to the file's, where they differ.

    Raises:
        KoineError: no column is known for questions, or for passages.
    """
    if reader not in ("jsonl", "csv"):
        return {}
    rows: Iterator[tuple[int, Mapping[str, Any]]] = read_jsonl(path) if reader == "jsonl" else read_csv(path)
    _, first = next(rows, (0, {}))
    if not first:
        raise KoineError(f"{called or path}: no rows in it")
    columns: dict[str, str] = {}
    for ours, known in (("question", QUESTION), ("passage", PASSAGE)):
        theirs = next((name for name in known if name in first and name not in columns.values()), None)
        if theirs is None:
            raise KoineError(
                f"{called or path}: no column of {ours}s; it has {', '.join(first)}. Call it {ours!r} (known are also "
                f"{', '.join(known[1:])})"
            )
        columns[ours] = theirs
    group = next((name for name in GROUP if name in first and name not in columns.values()), None)
    columns |= {"group": group} if group else {}
    return {ours: theirs for ours, theirs in columns.items() if ours != theirs}


def describe(files: Sequence[File], source: str, targets: Sequence[str]) -> None:
    """Print what is in the files, and warn of what looks wrong."""
    rows = []
    for file in files:
        questions, passages = [row["question"] for row in file.rows], [row["passage"] for row in file.rows]
        pairs = {(normalise(q), text_id(p)) for q, p in zip(questions, passages, strict=True)}
        sizes = [len(words(text)) for text in dict.fromkeys(passages)]
        empty = sum(
            len(words(q)) < SHORT_QUESTION or len(words(p)) < SHORT_PASSAGE for q, p in zip(questions, passages, strict=True)
        )
        other = _in_other_languages(questions, source, targets)
        half, most = np.percentile(sizes, [50, 95])
        counts = (len(file.rows), len(sizes), len(groups_of([file])), len(file.rows) - len(pairs), empty)
        shown = file.path if len(file.path) <= SHOWN else f"…/{Path(file.path).name}"
        rows.append([shown, file.reader, *(f"{count:,}" for count in counts), f"{other:.0%}", f"{half:.0f}", f"{most:.0f}"])
        if other > DOUBTED:
            say(
                f"warning: {file.path}: {other:.0%} of its questions do not look like {languages.name(source)}; "
                "all rows are to be in one language (--source-language)"
            )
    header = ["file", "format", "questions", "passages", "groups", "twice", "near-empty", "foreign", "words", "95 %"]
    table("your data", header, rows, texts=2)
    count = sum(len(file.rows) for file in files)
    if count < FEWEST or len(groups_of(files)) < 2:
        raise KoineError(
            f"{count} questions of {len(groups_of(files))} group(s) (articles, entities) are too few to train on some and test "
            f"on others: {FEWEST} of two groups are the least; collect more, or use `koine evaluate --model` with a trained model"
        )


def _in_other_languages(questions: Sequence[str], source: str, targets: Sequence[str]) -> float:
    every = max(1, len(questions) // IDENTIFIED)
    looked_at = list(questions[::every][:IDENTIFIED])
    lingua, known = detector(tuple(sorted({"en", source, *targets})))
    if source not in known:
        return 0.0  # lingua cannot tell
    told = lingua.detect_languages_in_parallel_of(looked_at)
    return sum(language not in (None, known[source]) for language in told) / len(looked_at)


def groups_of(files: Sequence[File]) -> set[str]:
    """Articles or entities: what splits never cut through."""
    return {str(row.get("group") or text_id(row["passage"])) for file in files for row in file.rows}


def passages_of(files: Sequence[File]) -> list[str]:
    """Each passage once."""
    return list(dict.fromkeys(row["passage"] for file in files for row in file.rows))
