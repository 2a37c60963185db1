"""`koine collect-source`: a source's files become rows of questions with passages."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from koine.collect.readers import folder_files, read_questions, reader_of
from koine.params import QAReader
from koine.records import QA
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id


def collect_source(
    files: Sequence[Path], /, out: Path, *, name: str, reader: QAReader, lang: str = "en", domain: str = "", licence: str = "",
    columns: Mapping[str, str] = {},
) -> None:  # fmt: skip
    """Read a source of questions and passages into a checked table.

    Ids are made unique over sources by the source's name, and within one by a number; a passage is named by its text,
    so that the questions on one passage share its `passage_id` in every language. A row's own passage is none of its
    negatives.

    Args:
        files: Files of the source; a folder of beir or triples, or its files.
        out: Where the table goes (`records.QA`).
        name: Name of the source; becomes part of every id.
        reader: Format; docs/collect.md lists them.
        lang: Language of the rows that say none (BCP 47).
        domain: Kept with every row that says none.
        licence: Kept with every row.
        columns: OURS=THEIRS, e.g. question=query; repeatable.

    Raises:
        KoineError: a row is not of this format, or there is no question at all.
    """
    paths = [_folder(path, reader) for path in files] if reader_of(reader, "questions").files else files
    rows: list[dict[str, Any]] = []
    for path in dict.fromkeys(filter(None, paths)):
        for record in read_questions(path, reader, columns=columns):
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


def _folder(path: Path, reader: str) -> Path | None:
    """A folder itself; of a file, the folder that it makes up with others, or None where it makes up none."""
    return (
        path if path.is_dir() else next((folder for folder in path.parents[:2] if path in folder_files(reader, folder, "")), None)
    )


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
            row["id"] = next(free for n in numbers[id_] if (free := f"{id_}#{n}") not in given)
        given.add(row["id"])
        kept.append(row)
    if numbered:
        say(f"{name}: {numbered:,} questions have the id of another one; theirs is numbered (…#2)")
    if len(kept) < len(rows):
        say(f"{name}: {len(rows) - len(kept):,} rows repeat the id and the question of an earlier one and are left out")
    return kept
