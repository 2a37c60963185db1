"""Readers of QA data sets in the formats that they are published in.

Where a data set says where in a long text the answer stands, the passage is the piece of the text in which it starts
(`pieces`); elsewhere it is the whole text. A record without a question is a passage that answers none: a candidate, if the
data set is used as a benchmark.
"""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from koine.runtime.errors import KoineError
from koine.runtime.files import LONGEST, parse_json, read_json, read_jsonl, read_lines

Record = dict[str, Any]
Rows = Iterator[tuple[str, str, Any]]  # place, key (a name or a number from 1), row

WORDS = 200  # of a piece of a long text; about 256 tokens, which is what retrievers read
NEGATIVES = 10  # of a question; the first ones, which are the hardest. MS MARCO's triples have 75 on average
CHUNK = 1 << 22  # characters of a large file that are read at once

_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def pieces(text: str) -> list[tuple[int, int]]:
    """[start, end) of the pieces of a long text: paragraphs, cut between sentences so that none has over 200 words.

    Paragraphs end at empty lines. A sentence of more than 200 words stays whole.
    """
    found = []
    for first, last in _between(_PARAGRAPH, text, 0, len(text)):
        start, count = first, 0
        for sentence, end in _between(_SENTENCE, text, first, last):
            length = len(text[sentence:end].split())
            if count and count + length > WORDS:
                found.append((start, sentence))
                start, count = sentence, 0
            count += length
        found.append((start, last))
    stripped = ((text[start:end], start, end) for start, end in found)
    return [
        (start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip()))
        for piece, start, end in stripped
        if piece.strip()
    ]


def _between(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for gap in pattern.finditer(text, start, end):
        yield start, gap.start()
        start = gap.end()
    yield start, end


# --- rows of a file --------------------------------------------------------------------------------------


def _rows(path: Path) -> Rows:
    """Lines of JSONL (or .jsonlines); items of a JSON list, or of an object's `data`; else an object's members."""
    if ".jsonl" in path.name:
        for number, row in read_jsonl(path):
            yield f"{path}:{number}", str(number), row
    elif (opening := _opening(path)) == "[":
        for number, row in enumerate(_items(path), start=1):
            yield f"{path}: item {number}", str(number), row
    elif opening == "{":
        document = read_json(path)
        listed = document.get("data")
        members = enumerate(listed, start=1) if isinstance(listed, list) else document.items()
        for key, row in members:
            yield f"{path}: {'item ' if isinstance(key, int) else ''}{key}", str(key), row
    else:
        raise KoineError(f"{path}: holds no JSON list and no JSON object")


def _chunks(path: Path) -> Iterator[str]:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise KoineError(f"{path}: not UTF-8; save it as UTF-8") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise KoineError(f"{path}: not a whole gzip file ({error}); download it again") from None


def _opening(path: Path) -> str:
    return next(_chunks(path), "").lstrip()[:1]


def _items(path: Path) -> Iterator[Any]:
    """Items of a JSON list, one after the other: DPR's file has 7 GB."""
    decoder, gap, text, at = json.JSONDecoder(), re.compile(r"[\s,]*"), "", -1
    for chunk in _chunks(path):
        if at < 0:
            text, at = chunk.lstrip(), 1  # after the bracket
        else:
            text, at = text[at:] + chunk, 0
        while True:
            at = gap.match(text, at).end()  # type: ignore[union-attr]  # it matches the empty text too
            try:
                item, end = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                break  # the rest of it is in the next chunk
            if end == len(text):
                break  # a number may go on
            if "\\u" in text[at:end]:
                item = parse_json(text[at:end], path)  # refuses half a character
            yield item
            at = end
        if len(text) - at > LONGEST:
            raise KoineError(
                f"{path}: an item of more than {LONGEST >> 20} MiB at {text[at : at + 30]!r}; is this a list of rows?"
            )
    if text[at:].strip() != "]":
        raise KoineError(f"{path}: not valid JSON, or cut short, at {text[at : at + 30]!r}")


def _table(path: Path) -> Rows:
    """Rows of tab-separated values, by the names in the first line."""
    names: list[str] = []
    for number, line in read_lines(path):
        try:
            fields = line.decode("utf-8").rstrip("\r\n").split("\t")
        except UnicodeDecodeError:
            raise KoineError(f"{path}:{number}: not UTF-8; save the file as UTF-8") from None
        names = names or fields
        if len(fields) != len(names):
            raise KoineError(f"{path}:{number}: {len(fields)} fields, but the first line has {len(names)}")
        if number > 1:
            yield f"{path}:{number}", str(number), dict(zip(names, fields, strict=True))


def _pages(path: Path) -> Rows:
    """OMoS-QA's rows; all questions on a page get its first text, as a translated page differs a little from row to row."""
    first: dict[Any, Any] = {}
    for place, key, row in _rows(path):
        if isinstance(row, dict) and isinstance(row.get("pageId"), int | str):
            row = {**row, "context": first.setdefault(row["pageId"], row.get("context"))}
        yield place, key, row


# --- records of a row ------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{value!r:.40} is no text")
    return value.strip()


def _name(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(f"{value!r:.40} is no id")
    return str(value)


def _in(passage: str, answers: Iterable[Any]) -> str | None:
    """The first of the answers that stands in the passage."""
    return next((answer for answer in answers if isinstance(answer, str) and answer.strip() and answer in passage), None)


def _located(text: str, group: str, asked: Iterable[tuple[str, str, int, str]]) -> Iterator[Record]:
    """Questions (id, question, start and text of the answer) on pieces of a text, and all its pieces."""
    spans = pieces(text)
    for key, question, said, answer in asked:
        at = [match.start() for match in re.finditer(re.escape(answer), text)]
        start = min(at, key=lambda place: abs(place - said), default=said)  # spaces were counted in two ways
        first, end = max((span for span in spans if span[0] <= start), default=spans[0])
        inside = first <= start and bool(at) and start + len(answer) <= end
        yield {
            "id": key,
            "group": group,
            "question": question,
            "passage": text[first:end],
            "answer": answer if inside else None,
            "answer_start": start - first if inside else None,
        }
    yield from ({"group": group, "passage": text[first:end]} for first, end in spans)


def _articles(row: Any, key: str) -> Iterator[Record]:
    for number, paragraph in enumerate(row["paragraphs"], start=1):
        text = paragraph["context"]
        _text(text)  # as it is: answers are counted from its start
        group = str(row.get("title") or f"document {paragraph.get('document_id', f'{key}.{number}')}")
        answerable = [qa for qa in paragraph["qas"] if qa.get("answers") and not qa.get("is_impossible")]
        asked = (
            (_name(qa["id"]), _text(qa["question"]), int(qa["answers"][0]["answer_start"]), _text(qa["answers"][0]["text"]))
            for qa in answerable
        )
        yield from _located(text, group, asked)


def _newsqa(row: Any, _: str) -> Iterator[Record]:
    if row["type"] != "train":
        return
    text, story = row["text"], _name(row["storyId"])
    _text(text)
    found = [(number, one, one["consensus"]) for number, one in enumerate(row["questions"], start=1)]
    asked = (
        (f"{story}#{number}", _text(one["q"]), int(span["s"]), _text(text[int(span["s"]) : int(span["e"])]))
        for number, one, span in found
        if "s" in span and "e" in span
    )
    yield from _located(text, story, asked)


def _duorc(row: Any, _: str) -> Iterator[Record]:
    plot = {"group": _text(row["title"]), "passage": _text(row["plot"])}
    yield plot
    for qa in row["qa"]:
        if not qa["no_answer"]:
            answer = _in(plot["passage"], qa["answers"])
            yield {**plot, "id": _name(qa["id"]), "question": _text(qa["question"]), "answer": answer}


def _faq(row: Any, key: str) -> Iterator[Record]:
    name, pairs = _name(row.get("id", key)), row.get("qa_pairs")
    if pairs is None:
        yield {"id": name, "question": _text(row["question"]), "passage": _text(row["answer"])}
        return
    for number, pair in enumerate(pairs, start=1):
        texts = {"question": _text(pair["question"]), "passage": _text(pair["answer"])}
        yield {"id": f"{name}-{number}", "group": str(row.get("domain") or name), **texts}


def _wikiqa(row: Any, _: str) -> Iterator[Record]:
    passage = {"group": row["DocumentTitle"], "passage": _text(row["Sentence"])}
    if row["Label"] not in ("0", "1"):
        raise ValueError(f"Label is {row['Label']!r}")
    asked = {"id": f"{row['QuestionID']}/{row['SentenceID']}", "question": _text(row["Question"])}
    yield {**passage, **asked} if row["Label"] == "1" else passage


def _dpr(row: Any, key: str) -> Iterator[Record]:
    if "ctxs" in row:  # what a retriever found: a passage with the answer in it is taken for the right one
        right = [one for one in row["ctxs"] if one["has_answer"]]
        wrong = [one for one in row["ctxs"] if not one["has_answer"]]
    elif "positive_ctxs" in row:
        right, wrong = row["positive_ctxs"], [*row.get("hard_negative_ctxs", ()), *row.get("negative_ctxs", ())]
    else:
        right, wrong = row["positive_passages"], row.get("negative_passages", [])
    passages, negatives = (
        [" ".join([one.get("title") or "", _text(one["text"])]).strip() for one in several]
        for several in (right[:1], wrong[:NEGATIVES])
    )
    yield from ({"passage": negative} for negative in negatives)
    if passages:
        yield {
            "id": _name(row.get("query_id", key)),
            "group": right[0].get("title"),
            "question": _text(row["query"] if "query" in row else row["question"]),
            "passage": passages[0],
            "answer": _in(passages[0], row.get("answers") or []),
            "negatives": negatives,
        }


def _medquad(row: Any, key: str) -> Iterator[Record]:
    texts = {"question": _text(row["question"]), "passage": _text(row["passage"])}
    yield {"id": key, "group": _text(row["url"]), **texts}  # its ids are not unique


def _pubmedqa(row: Any, key: str) -> Iterator[Record]:
    passage = " ".join(_text(part) for part in row["CONTEXTS"])
    yield {"id": key, "group": f"PMID {key}", "question": _text(row["QUESTION"]), "passage": _text(passage)}


def _selqa(row: Any, key: str) -> Iterator[Record]:
    sentences = [sentence.strip() for sentence in row["candidates"]]  # some are empty
    text = _text(" ".join(filter(None, sentences)))
    passage = {"group": _text(row["article"]), "domain": _text(row["topic"]).lower(), "passage": text}
    yield passage
    if row["answers"]:
        first = int(row["answers"][0])
        start = sum(len(sentence) + 1 for sentence in sentences[:first] if sentence)
        yield {**passage, "id": key, "question": _text(row["question"]), "answer": _text(sentences[first]), "answer_start": start}


def _qed(row: Any, _: str) -> Iterator[Record]:
    passage = {"group": _text(row["title_text"]), "passage": _text(row["paragraph_text"])}
    yield passage
    if row["annotation"]["explanation_type"] != "none":  # none: no right answer in the passage, its annotators say
        answer = _in(passage["passage"], [span["string"] for span in row["original_nq_answers"][0]])
        yield {**passage, "id": _name(row["example_id"]), "question": _text(row["question_text"]), "answer": answer}


def _omos_qa(row: Any, _: str) -> Iterator[Record]:
    passage = {"group": f"page {_name(row['pageId'])}", "passage": _text(row["context"])}
    yield passage
    if row["answers"]:
        answer = _in(passage["passage"], [row["context"].split("\n")[int(row["answers"][0])].strip()])
        yield {**passage, "id": _name(row["id"]), "question": _text(row["question"]), "answer": answer}


#: Reader to rows of a file, records of a row, and what a row must be.
FORMATS: dict[str, tuple[Callable[[Path], Rows], Callable[[Any, str], Iterator[Record]], str]] = {
    "articles": (_rows, _articles, "an article in SQuAD format has paragraphs with context and qas"),
    "newsqa": (_rows, _newsqa, "a story of NewsQA's JSON has storyId, text, type and questions (q, consensus)"),
    "duorc": (_rows, _duorc, "a row of DuoRC has title, plot and qa (id, question, answers, no_answer)"),
    "faq": (_rows, _faq, "a row has question and answer (nfL6), or a list of such qa_pairs (MFAQ)"),
    "wikiqa": (_table, _wikiqa, "WikiQA has QuestionID, Question, DocumentTitle, SentenceID, Sentence and Label 0 or 1"),
    "dpr": (
        _rows,
        _dpr,
        "a row has question and positive_ctxs (DPR), query and positive_passages (Tevatron), or ctxs with has_answer; "
        "a passage has text",
    ),
    "medquad": (_rows, _medquad, "a row of MedQuAD has question, passage and url"),
    "pubmedqa": (_rows, _pubmedqa, "an article of PubMedQA has QUESTION and CONTEXTS"),
    "selqa": (_rows, _selqa, "a row of SelQA has question, article, topic, candidates and answers, their numbers from 0"),
    "qed": (
        _rows,
        _qed,
        "a row of QED has example_id, title_text, question_text, paragraph_text, annotation and NQ's answers",
    ),
    "omos-qa": (_pages, _omos_qa, "a row of OMoS-QA has id, pageId, question, context and answers, numbers of its lines from 0"),
}


def read_published(path: Path, reader: str) -> Iterator[Record]:
    """Records `{question, passage, id, group, …}` of a file, and passages that answer no question.

    A group that is no title has a word before its number: equal titles count as contamination.

    Args:
        path: the file.
        reader: one of `FORMATS`.

    Raises:
        KoineError: a row is not of this format; the message names it.
    """
    rows, records, remedy = FORMATS[reader]
    for place, key, row in rows(path):
        try:
            found = list(records(row, key))
        except KeyError as error:
            raise KoineError(f"{place}: {error} is missing; {remedy}") from None
        except (TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            raise KoineError(f"{place}: {error}; {remedy}") from None
        yield from found


# --- triples ---------------------------------------------------------------------------------------------


def triples_files(folder: Path) -> list[Path]:
    """The triples, queries and collection of a folder, as MS MARCO and mMARCO name them.

    Raises:
        KoineError: one of them is not there, or two fit.
    """
    found = [sorted(folder.glob(pattern)) for pattern in ("triples*.tsv", "*queries.train.tsv", "*collection.tsv")]
    if any(len(paths) != 1 for paths in found):
        raise KoineError(
            f"{folder}: put triples.train.ids.small.tsv, one language's …queries.train.tsv and its …collection.tsv into it"
        )
    return [path for paths in found for path in paths]


def read_triples(folder: Path) -> Iterator[Record]:
    """Questions of triples of ids (query, passage, one that does not answer), each pair once with its first ten negatives.

    Raises:
        KoineError: a row has other fields, or names what is not there.
    """
    triples, queries, collection = triples_files(folder)
    wrong: dict[tuple[str, str], dict[str, None]] = {}
    for _, (query, passage, negative) in _fields(triples, 3, "ids of a query, its passage and another passage"):
        negatives = wrong.setdefault((query, passage), {})
        if len(negatives) < NEGATIVES:
            negatives[negative] = None
    needed = {key for (_, passage), negatives in wrong.items() for key in (passage, *negatives)}
    asked = {key: text for _, (key, text) in _fields(queries, 2, "id and text of a query")}
    texts = {key: text for _, (key, text) in _fields(collection, 2, "id and text of a passage") if key in needed}
    for (query, passage), negatives in wrong.items():
        for key, known, where in ((query, asked, queries), *((key, texts, collection) for key in (passage, *negatives))):
            if not known.get(key, "").strip():
                raise KoineError(f"{triples}: names {key}, which {where} has not, or without text; are they of one release?")
        yield {
            "id": f"{query}-{passage}",
            "question": asked[query],
            "passage": texts[passage],
            "negatives": [texts[key] for key in negatives],
        }


def _fields(path: Path, count: int, what: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in read_lines(path):
        fields = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
        if len(fields) != count:
            raise KoineError(f"{path}:{number}: expected {what}, tab-separated")
        yield number, fields
