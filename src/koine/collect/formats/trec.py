"""Folders of topics, judgements and a corpus: MIRACL (doi 10.1162/tacl_a_00595) and Mr. TyDi (arXiv 2108.08787)."""

from collections.abc import Iterator
from pathlib import Path

from koine.collect.formats.languages import Files, Language, judged, one_each
from koine.collect.formats.qrels import read_trec_qrels
from koine.collect.formats.rows import field
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl, read_text


def read_benchmark(files: Files, *, split: str) -> Iterator[Language]:
    """A folder a language.

    Raises:
        KoineError: a file is missing or not of this format, or a judgement names what is not there.
    """
    for lang, folder in one_each(files):
        topics, qrels, docs = _found(folder, split)
        passages = (passage for path in docs for passage in read_docs(path))
        yield judged(folder, lang, read_topics(topics), read_trec_qrels(qrels), passages)


def folder_files(folder: Path, split: str) -> list[Path]:
    """Topics, judgements and corpus files of a split; the folder itself, where it is not there yet.

    Raises:
        KoineError: one of them is not there, or two fit.
    """
    if not folder.is_dir():
        return [folder]
    topics, qrels, docs = _found(folder, split)
    return [topics, qrels, *docs]


def _found(folder: Path, split: str) -> tuple[Path, Path, list[Path]]:
    """Topics, judgements and corpus files of a split, anywhere below a folder, as MIRACL and Mr. TyDi name them.

    `topics.miracl-v1.0-ar-dev.tsv`, `qrels.miracl-v1.0-ar-dev.tsv` and `docs-0.jsonl.gz`, `docs-1.jsonl.gz` …; or
    `topic.test.tsv`, `qrels.test.txt` and `docs.jsonl.gz`.
    """
    topics, qrels = (sorted(folder.rglob(pattern)) for pattern in (f"topic*[.-]{split}.tsv", f"qrels*[.-]{split}.t[sx][vt]"))
    docs = sorted(folder.rglob("docs*.jsonl*"), key=lambda path: (len(path.name), path.name))  # docs-10 after docs-9
    for paths, what in ((topics, f"topics (topic….{split}.tsv)"), (qrels, f"judgements (qrels….{split}.tsv or .txt)")):
        if len(paths) != 1:
            raise KoineError(f"{folder}: {len(paths)} files of {what}, expected one; give each language a folder of its own")
    if not docs:
        raise KoineError(f"{folder}: no corpus (docs.jsonl.gz, or docs-0.jsonl.gz and so on)")
    return topics[0], qrels[0], docs


def read_topics(path: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of a topics file: `id<tab>text`.

    Raises:
        KoineError: a line is something else.
    """
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            key, tab, text = line.partition("\t")
            if not tab or not text.strip():
                raise KoineError(f"{path}:{number}: expected query id and question, tab-separated")
            yield key.strip(), text.strip()


def read_docs(path: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of a corpus: MIRACL's `docid`, `title`, `text`, or Mr. TyDi's `id`, `contents` (title, empty line, text).

    Raises:
        KoineError: a row has neither.
    """
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        if "contents" in row:
            yield field(row, "id", where, "a passage has id and contents"), field(row, "contents", where, "a passage has text")
        else:
            remedy = "a passage has docid, title and text (MIRACL), or id and contents (Mr. TyDi)"
            docid, text = field(row, "docid", where, remedy), field(row, "text", where, remedy)
            yield docid, f"{row.get('title') or ''} {text}".strip()
