"""Benchmarks: from the formats that they are published in to queries, judgements and candidate passages.

A corpus may have millions of passages, so passages come as a stream of frames; queries and judgements are small.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import polars as pl

from koine import languages
from koine.collect import readers
from koine.collect.published import triples_files
from koine.collect.registry import BEIR
from koine.params import BenchmarkReader, Candidate, language_of
from koine.records import PASSAGES, QRELS, QUERIES
from koine.runtime.errors import KoineError
from koine.runtime.files import read_text, text_id

BATCH = 65_536  # passages that are held at once: a row group of passages.parquet
ENTITIES, MENTIONS = "candidate_set_entities.jsonl", "wikinews_mentions-{}.jsonl"  # of Mewsli-X


class Language(NamedTuple):
    """One language of a benchmark."""

    queries: pl.DataFrame  # `records.QUERIES`
    qrels: pl.DataFrame  # `records.QRELS`
    passages: Iterator[pl.DataFrame]  # `records.PASSAGES`, once


def read_benchmark(
    files: dict[str, Path], reader: BenchmarkReader, candidate: Candidate, split: str
) -> Iterator[tuple[str, Language]]:
    """Each language of a benchmark.

    Args:
        files: language to file or folder; a second file of a language has a key such as `ja/2`.
        reader: format, as in `params.Benchmark`.
        candidate: what is retrieved; parts of a passage in `squad` alone.
        split: of a folder that holds several (`trec`, `mewsli-x`).

    Raises:
        KoineError: not this format; the message names file and row.
    """
    if candidate != "passage" and reader != "squad":
        first = next(iter(files.values()), "")
        raise KoineError(f"{first}: reader {reader} has whole passages only; use candidate: passage")
    if reader == "mewsli-x":
        yield from _mewsli(files, split)
        return
    by_language: dict[str, list[Path]] = {}
    for key, path in files.items():
        by_language.setdefault(language_of(key), []).append(path)
    whole: dict[str, Callable[[Path, str], Language]]
    whole = {"beir": _beir, "lines": _lines, "belebele": _belebele, "mkqa": _mkqa, "trec": partial(_trec, split=split)}
    for lang, paths in by_language.items():
        if reader == "squad":
            yield lang, _squad(paths, lang, candidate)
        elif reader not in whole:
            yield lang, _qa(paths, lang, reader)
        elif len(paths) == 1:
            yield lang, whole[reader](paths[0], lang)
        else:
            raise KoineError(f"{paths[1]}: reader {reader} takes one file or folder of a language")


Pairs = Iterable[tuple[str, str]]


def _language(path: Path, lang: str, queries: Pairs, qrels: Pairs, passages: Pairs) -> Language:
    """From (id, text), (query id, passage id) and (id, text); only queries with a judgement count, each pair once."""
    judged = list(dict.fromkeys(qrels))
    wanted = dict.fromkeys(query for query, _ in judged)
    kept = {key: text for key, text in queries if key in wanted}
    if unknown := [query for query in wanted if query not in kept]:
        raise KoineError(f"{path}: a judgement names query {unknown[0]!r}, which is not there; are the files of one release?")
    return Language(
        QUERIES.frame([{"id": key, "lang": lang, "text": text} for key, text in kept.items()]),
        QRELS.frame([{"query_id": query, "lang": lang, "passage_id": passage} for query, passage in judged]),
        _frames(passages, lang),
    )


def _frames(passages: Pairs, lang: str) -> Iterator[pl.DataFrame]:
    rows = iter(passages)
    while batch := list(islice(rows, BATCH)):
        ids, texts = zip(*batch, strict=True)
        yield PASSAGES.frame({"id": ids, "lang": [lang] * len(ids), "group": [""] * len(ids), "text": texts})


def _squad(paths: list[Path], lang: str, candidate: Candidate) -> Language:
    """Candidates are named by paragraph and sentence number."""
    passages: list[dict[str, str]] = []
    number_of: dict[str, int] = {}  # context -> paragraph number
    for path, title, context, sentences in ((file, *found) for file in paths for found in readers.read_contexts(file)):
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
    for path, question in ((file, found) for file in paths for found in readers.read_squad(file)):
        gold = f"p{number_of[question.context]}"
        if candidate != "passage":
            start = -1 if question.answer_start is None else question.answer_start
            hit = [s for s, (first, end) in enumerate(question.sentences) if first <= start < end]
            if not hit:
                raise KoineError(f"{path}: question {question.id}: its answer starts in no sentence")
            gold += f"s{hit[0]}"
        queries.append({"id": question.id, "lang": lang, "text": question.text})
        qrels.append({"query_id": question.id, "lang": lang, "passage_id": gold})
    return Language(QUERIES.frame(queries), QRELS.frame(qrels), iter([PASSAGES.frame(passages)]))


def _qa(paths: list[Path], lang: str, reader: str) -> Language:
    """Questions and passages of a source (`readers.read_qa`). All passages are candidates, each text once.

    The passages of equal questions are relevant to each of them: nothing tells which of the two was meant.
    """
    queries: dict[str, str] = {}
    answering: dict[str, dict[str, None]] = defaultdict(dict)  # question -> ids of passages
    passages: dict[str, dict[str, str]] = {}
    for path in paths:
        for record in readers.read_qa(path, reader, others=True):
            answer, group = record["passage"].strip(), str(record.get("group") or "")
            for text, title in ((answer, group), *((negative.strip(), "") for negative in record.get("negatives") or ())):
                passages.setdefault(text_id(text), {"id": text_id(text), "lang": lang, "group": title, "text": text})
            if "question" in record:
                key, question = str(record["id"]), record["question"].strip()
                if queries.setdefault(key, question) != question:
                    raise KoineError(f"{path}: two questions have the id {key!r}; give each its own")
                answering[question][text_id(answer)] = None
    qrels = [
        {"query_id": key, "lang": lang, "passage_id": passage} for key, text in queries.items() for passage in answering[text]
    ]
    rows = [{"id": key, "lang": lang, "text": text} for key, text in queries.items()]
    return Language(QUERIES.frame(rows), QRELS.frame(qrels), iter([PASSAGES.frame(list(passages.values()))]))


def _beir(folder: Path, lang: str) -> Language:
    """A folder with corpus.jsonl, queries.jsonl (or .jsonl.gz) and qrels/test.tsv."""
    queries = readers.read_beir_texts(folder / "queries.jsonl")
    return _language(folder, lang, queries, readers.read_beir_qrels(folder), readers.read_beir_texts(folder / "corpus.jsonl"))


def _lines(path: Path, lang: str) -> Language:
    """Each line of a bitext is a query and a candidate, named by its number."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    if empty := next((number for number, line in enumerate(lines, start=1) if not line), None):
        raise KoineError(f"{path}:{empty}: an empty line has no translation")
    named = [(str(number), line) for number, line in enumerate(lines, start=1)]
    return _language(path, lang, named, ((key, key) for key, _ in named), named)


def trec_files(folder: Path, split: str) -> tuple[Path, Path, list[Path]]:
    """Topics, judgements and corpus files of a split, anywhere below a folder, as MIRACL and Mr. TyDi name them.

    `topics.miracl-v1.0-ar-dev.tsv`, `qrels.miracl-v1.0-ar-dev.tsv` and `docs-0.jsonl.gz`, `docs-1.jsonl.gz` …; or
    `topic.test.tsv`, `qrels.test.txt` and `docs.jsonl.gz`.

    Raises:
        KoineError: one of them is not there, or two fit.
    """
    topics, qrels = (sorted(folder.rglob(pattern)) for pattern in (f"topic*[.-]{split}.tsv", f"qrels*[.-]{split}.t[sx][vt]"))
    docs = sorted(folder.rglob("docs*.jsonl*"), key=lambda path: (len(path.name), path.name))  # docs-10 after docs-9
    for found, what in ((topics, f"topics (topic….{split}.tsv)"), (qrels, f"judgements (qrels….{split}.tsv or .txt)")):
        if len(found) != 1:
            raise KoineError(f"{folder}: {len(found)} files of {what}, expected one; give each language a folder of its own")
    if not docs:
        raise KoineError(f"{folder}: no corpus (docs.jsonl.gz, or docs-0.jsonl.gz and so on)")
    return topics[0], qrels[0], docs


def folder_files(folder: Path, reader: str, split: str) -> list[Path]:
    """The files that a folder of `params.FOLDERS` consists of, as Snakemake's inputs; known before they are there."""
    if reader == "mewsli-x":
        return [folder / ENTITIES, folder / MENTIONS.format(split)]
    if reader == "beir":
        return [readers.packed(folder / name) for name in BEIR.values()]
    if not folder.is_dir():
        return [folder]
    if reader == "triples":
        return triples_files(folder)
    topics, qrels, docs = trec_files(folder, split)
    return [topics, qrels, *docs]


def _trec(folder: Path, lang: str, split: str) -> Language:
    topics, qrels, docs = trec_files(folder, split)
    passages = (passage for path in docs for passage in readers.read_docs(path))
    return _language(folder, lang, readers.read_topics(topics), readers.read_trec_qrels(qrels), passages)


def _belebele(path: Path, lang: str) -> Language:
    """Questions retrieve their passages of FLORES, each passage once."""
    rows = list(readers.read_belebele(path))
    passages = {link: passage for _, _, link, passage in rows}
    queries = [(key, question) for key, question, _, _ in rows]
    return _language(path, lang, queries, [(key, link) for key, _, link, _ in rows], passages.items())


def _mkqa(path: Path, lang: str) -> Language:
    """Questions retrieve their answers among all answers of a language, each text once."""
    rows = list(readers.read_mkqa(path, languages.code(lang, "mkqa")))
    qrels = [(key, text_id(answer)) for key, _, answers in rows for answer in answers]
    answers = {text_id(answer): answer for _, _, answers in rows for answer in answers}
    return _language(path, lang, [(key, text) for key, text, _ in rows], qrels, answers.items())


def _mewsli(files: dict[str, Path], split: str) -> Iterator[tuple[str, Language]]:
    """Mentions retrieve their entity among all entities, whatever language its description is in."""
    folders = sorted(set(files.values()))
    if len(folders) != 1:
        raise KoineError(f"mewsli-x is one folder for all languages, not {len(folders)}")

    def known(code: str, row: str) -> str:
        try:
            return languages.canonical(code)
        except KoineError as error:
            raise KoineError(f"{folders[0]}: {row}: {error}") from None

    entities: dict[str, dict[str, str]] = defaultdict(dict)  # language -> id -> text
    described: dict[str, str] = {}  # id -> language
    for entity, code, text in readers.read_entities(folders[0] / ENTITIES):
        lang = known(code, f"entity {entity}")
        if lang not in files:
            raise KoineError(f"{folders[0]}: an entity is described in {lang}, which is not among the benchmark's languages")
        entities[lang][entity] = text
        described[entity] = lang
    queries: dict[str, list[tuple[str, str]]] = defaultdict(list)
    qrels: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for mention in readers.read_mentions(folders[0] / MENTIONS.format(split)):
        if mention.entity not in described:
            raise KoineError(f"{folders[0]}: mention {mention.id} is of {mention.entity}, which is no candidate")
        queries[known(mention.lang, f"mention {mention.id}")].append((mention.id, mention.text))
        qrels[described[mention.entity]].append((mention.id, mention.entity))
    for lang in files:
        yield (
            lang,
            Language(
                QUERIES.frame([{"id": key, "lang": lang, "text": text} for key, text in queries[lang]]),
                QRELS.frame([{"query_id": query, "lang": lang, "passage_id": entity} for query, entity in qrels[lang]]),
                _frames(entities[lang].items(), lang),
            ),
        )
