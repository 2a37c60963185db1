"""A BEIR folder (arXiv 2104.08663): corpus, queries and judgements."""

from collections.abc import Iterator
from pathlib import Path

from koine.collect.formats.languages import Files, Language, judged, one_each
from koine.collect.formats.qrels import read_beir_qrels
from koine.collect.readers import Record
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl

#: The folder's files, by the name that Hub data sets have for these tables.
BEIR = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "qrels": "qrels/test.tsv"}


def read_questions(folder: Path) -> Iterator[Record]:
    """A question with its passage for each positive judgement.

    Raises:
        KoineError: a row is not of this format, or a judgement names what is not there.
    """
    queries, corpus = (dict(read_texts(folder / BEIR[table])) for table in ("queries", "corpus"))
    for query_id, passage_id in read_qrels(folder):
        for key, texts in ((query_id, queries), (passage_id, corpus)):
            if key not in texts:
                raise KoineError(f"{folder}: the qrels name {key!r}, which neither queries nor corpus hold")
        yield {"id": query_id, "question": queries[query_id], "passage": corpus[passage_id]}


def read_benchmark(files: Files) -> Iterator[Language]:
    """A folder a language. Errors as of `read_questions`."""
    for lang, folder in one_each(files):
        queries, passages = read_texts(folder / BEIR["queries"]), read_texts(folder / BEIR["corpus"])
        yield judged(folder, lang, queries, read_qrels(folder), passages)


def folder_files(folder: Path, split: str) -> list[Path]:
    """Corpus, queries and judgements: those that are there, packed or not, else those that a Hub data set brings."""
    return [_packed(folder / BEIR["corpus"]), _packed(folder / BEIR["queries"]), _qrels(folder) or folder / BEIR["qrels"]]


def read_texts(path: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of queries.jsonl or corpus.jsonl, or of the same with .gz; a title is put before its text.

    Raises:
        KoineError: a row has no id or no text.
    """
    for number, row in read_jsonl(_packed(path)):
        key = "_id" if "_id" in row else "id"  # newer data sets of the Hub have `id`
        if key not in row or not isinstance(row.get("text"), str):
            raise KoineError(f"{path}:{number}: BEIR rows need `_id` and `text`")
        yield str(row[key]), f"{row.get('title') or ''} {row['text']}".strip()


def read_qrels(folder: Path) -> Iterator[tuple[str, str]]:
    """(query id, passage id) of every positive judgement in qrels/test.tsv, else dev, else train.

    Raises:
        KoineError: none of them is there, or a line is no judgement.
    """
    path = _qrels(folder)
    if path is None:
        raise KoineError(f"{folder}/qrels: none of test.tsv, dev.tsv and train.tsv is there")
    yield from read_beir_qrels(path)


def _qrels(folder: Path) -> Path | None:
    return next((path for split in ("test", "dev", "train") if (path := folder / "qrels" / f"{split}.tsv").is_file()), None)


def _packed(path: Path) -> Path:
    """The file, or where it is not there the same with .gz."""
    gz = path.with_name(f"{path.name}.gz")
    return gz if not path.is_file() and gz.is_file() else path
