"""Readers: from the formats that data comes in to QA pairs and translation segments.

A reader yields plain records and complains about a bad row with file, place, reason and remedy; what becomes
of the records is decided elsewhere.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from koine.collect.published import FORMATS, read_published, read_triples
from koine.runtime.errors import KoineError
from koine.runtime.files import LARGEST, read_csv, read_json, read_jsonl, read_text, text_id
from koine.translate.sentences import sentences


@dataclass(frozen=True)
class Question:
    """One question of a SQuAD-format file, with its paragraph and, in LAReQA's files, its sentences."""

    id: str
    text: str
    answer: str | None
    answer_start: int | None  # characters from the start of `context`
    title: str
    context: str
    sentences: tuple[tuple[int, int], ...]  # [start, end) in `context`; empty where the file has none


def read_squad(path: Path) -> Iterator[Question]:
    """Questions of a file in SQuAD v1.1/v2.0 format (MLQA, XQuAD, TyDi QA GoldP, LAReQA use it too).

    `sentence_breaks`, LAReQA's addition, becomes `sentences`. Unanswerable questions (SQuAD 2.0) are left out.

    Raises:
        KoineError: not this format; the message names the article and paragraph.
    """
    for where, title, context, breaks, paragraph in _paragraphs(path):
        try:
            for qa in paragraph["qas"]:
                if qa.get("is_impossible"):
                    continue
                answer = qa["answers"][0] if qa.get("answers") else {}
                start = answer.get("answer_start")
                yield Question(
                    id=str(qa["id"]),
                    text=_text(qa["question"]).strip(),
                    answer=_text(answer["text"]) if "text" in answer else None,
                    answer_start=None if start is None else _characters(int(start)),
                    title=title,
                    context=context,
                    sentences=breaks,
                )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise KoineError(f"{where}: not SQuAD format ({type(error).__name__}: {error})") from None


def read_contexts(path: Path) -> Iterator[tuple[str, str, tuple[tuple[int, int], ...]]]:
    """(title, context, sentences) of every paragraph, also of those without questions: they are candidates."""
    for _, title, context, breaks, _ in _paragraphs(path):
        yield title, context, breaks


def _paragraphs(path: Path) -> Iterator[tuple[str, str, str, tuple[tuple[int, int], ...], dict[str, Any]]]:
    """(place, title, context, sentences, paragraph); the title of an article without one is empty."""
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise KoineError(f"{path}: no `data` list; is this a SQuAD file?")
    for a, article in enumerate(document["data"]):
        if not isinstance(article, dict) or not isinstance(article.get("paragraphs"), list):
            raise KoineError(f"{path}: data[{a}]: no `paragraphs` list; is this a SQuAD file?")
        for p, paragraph in enumerate(article["paragraphs"]):
            where = f"{path}: data[{a}].paragraphs[{p}]"
            try:
                context = _text(paragraph["context"])
                breaks = tuple((int(start), int(end)) for start, end in paragraph.get("sentence_breaks", ()))
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise KoineError(f"{where}: not SQuAD format ({type(error).__name__}: {error})") from None
            yield where, str(article.get("title") or ""), context, breaks, paragraph


def _characters(count: int) -> int:
    if abs(count) > LARGEST:
        raise OverflowError(f"{count} is no place in a text")
    return count


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is not text")
    return value


def read_qa(path: Path, reader: str, others: bool = False, columns: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """QA records `{id, group, domain, question, passage, answer, answer_start, lang, negatives}`; absent fields are None.

    Args:
        path: the file; for `beir` the folder with corpus.jsonl, queries.jsonl (or .jsonl.gz) and qrels/, for `triples` that
            of `published.triples_files`.
        reader: one of `params.QAReader`.
        others: whether passages come too that answer no question, as records without one.
        columns: of `jsonl` and `csv`, our field to the file's.

    Raises:
        KoineError: a row lacks its question or passage, or holds something else than text.
    """
    if reader == "squad":
        for question in read_squad(path):
            yield {
                "id": question.id,
                "group": question.title,
                "question": question.text,
                "passage": question.context.strip(),
                "answer": question.answer,
                "answer_start": None if question.answer_start is None else question.answer_start - _left_space(question.context),
            }
    elif reader in ("jsonl", "csv"):
        for number, found in read_jsonl(path) if reader == "jsonl" else _csv_rows(path):
            row = found | {ours: found.get(theirs) for ours, theirs in (columns or {}).items()}
            for key in ("question", "passage"):
                if not isinstance(row.get(key), str) or not row[key].strip():
                    theirs = (columns or {}).get(key, key)
                    raise KoineError(f"{path}:{number}: {theirs!r} is missing or empty; each row needs question and passage")
            for key in ("answer", "lang", "domain"):
                if not isinstance(row.get(key), str | None):
                    raise KoineError(f"{path}:{number}: {key!r} is not text but {row[key]!r:.40}")
            if not isinstance(row.get("answer_start"), int | None) or abs(row.get("answer_start") or 0) > LARGEST:
                raise KoineError(f"{path}:{number}: 'answer_start' is no whole number but {row['answer_start']!r:.40}")
            negatives = row.get("negatives")
            if isinstance(negatives, str):  # a column of triples: query, positive, negative
                negatives = [negatives]
            if not isinstance(negatives, list | None) or not all(isinstance(t, str) and t.strip() for t in negatives or ()):
                raise KoineError(f"{path}:{number}: 'negatives' is no list of texts but {row['negatives']!r:.40}")
            yield {**row, "id": str(number) if row.get("id") is None else row["id"], "negatives": negatives}
    elif reader == "passages":
        yield from _cloze(path)
    elif reader == "beir":
        queries, corpus = (dict(read_beir_texts(path / f"{name}.jsonl")) for name in ("queries", "corpus"))
        for query_id, passage_id in read_beir_qrels(path):
            for key, table in ((query_id, queries), (passage_id, corpus)):
                if key not in table:
                    raise KoineError(f"{path}: the qrels name {key!r}, which neither queries nor corpus hold")
            yield {"id": query_id, "question": queries[query_id], "passage": corpus[passage_id]}
    elif reader == "triples":
        yield from read_triples(path)
    elif reader in FORMATS:
        yield from (record for record in read_published(path, reader) if others or "question" in record)
    else:
        raise KoineError(f"{path}: reader {reader!r} gives no questions; use squad, jsonl, csv or beir")


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows as those of JSONL: what is empty is not there, and where an answer starts is a number."""
    for number, fields in read_csv(path):
        row: dict[str, Any] = {name: text for name, text in fields.items() if text.strip()}
        if "answer_start" in row:
            if not _GRADE.fullmatch(row["answer_start"]):
                raise KoineError(f"{path}:{number}: 'answer_start' is no whole number but {row['answer_start']!r:.40}")
            row["answer_start"] = int(row["answer_start"])
        yield number, row


#: Words of a sentence that may stand for a question.
CLOZE_WORDS = range(4, 41)
#: One passage in so many keeps the sentence, so that equal words count, too.
CLOZE_KEPT = 10


def _cloze(path: Path) -> Iterator[dict[str, Any]]:
    """Pseudo-questions of passages that nobody has asked about: a sentence asks for the passage that it was taken from.

    This is the inverse cloze task of Lee et al. (arXiv 1906.00300, section 3), with its one in ten that keep the sentence. Which
    sentence is taken follows from the text alone. A passage of one sentence, or without one of a usual length, gives nothing.
    """
    for number, row in read_jsonl(path):
        text = row.get("text", row.get("passage"))
        if not isinstance(text, str) or not text.strip():
            raise KoineError(f"{path}:{number}: 'text' is missing or empty; a row has text, and perhaps id and title")
        spans = sentences(text)
        usual = [(start, end) for start, end in spans if len(text[start:end].split()) in CLOZE_WORDS]
        if len(spans) < 2 or not usual:
            continue
        draw = int(text_id(text), 16)
        start, end = usual[draw % len(usual)]
        rest = text if draw // len(usual) % CLOZE_KEPT == 0 else f"{text[:start].rstrip()} {text[end:].lstrip()}".strip()
        key = row.get("_id", row.get("id"))
        yield {
            "id": str(number) if key is None else str(key),
            "group": str(row.get("group") or row.get("title") or "") or None,
            "question": text[start:end],
            "passage": f"{row.get('title') or ''} {rest}".strip(),
        }


def _left_space(text: str) -> int:
    return len(text) - len(text.lstrip())


def read_beir_texts(path: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of BEIR's queries.jsonl or corpus.jsonl, or of the same with .gz; a title is put before its text."""
    for number, row in read_jsonl(packed(path)):
        key = "_id" if "_id" in row else "id"  # newer data sets of the Hub have `id`
        if key not in row or not isinstance(row.get("text"), str):
            raise KoineError(f"{path}:{number}: BEIR rows need `_id` and `text`")
        yield str(row[key]), f"{row.get('title') or ''} {row['text']}".strip()


_GRADE = re.compile(r"-?[0-9]{1,9}")


def packed(path: Path) -> Path:
    """The file, or where it is not there the same with .gz."""
    gz = path.with_name(f"{path.name}.gz")
    return gz if not path.is_file() and gz.is_file() else path


def read_beir_qrels(folder: Path) -> Iterator[tuple[str, str]]:
    """(query id, passage id) of every positive judgement in a BEIR folder's qrels/test.tsv, else dev, else train.

    Grades above 0 count alike, as relevance is binary here; a judgement of 0 says that a passage does not answer.
    """
    path = next((p for split in ("test", "dev", "train") if (p := folder / "qrels" / f"{split}.tsv").is_file()), None)
    if path is None:
        raise KoineError(f"{folder}/qrels: none of test.tsv, dev.tsv and train.tsv is there")
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if number == 1 and not _GRADE.fullmatch(line.rsplit("\t", 1)[-1]):
            continue  # the header
        fields = line.split("\t")
        if len(fields) != 3 or not _GRADE.fullmatch(fields[2]):
            raise KoineError(f"{path}:{number}: expected query-id, corpus-id and an integer score, tab-separated")
        if int(fields[2]) > 0:
            yield fields[0], fields[1]


@dataclass(frozen=True)
class Segment:
    """One entry of a translation memory."""

    source_lang: str
    target_lang: str
    source: str
    target: str


def read_memory(path: Path) -> Iterator[Segment]:
    """Segments of a translation memory: JSONL with source_lang, target_lang, source, target; or TMX 1.4.

    Raises:
        KoineError: a line or a unit is not of this form.
    """
    if path.suffix == ".tmx":
        yield from _read_tmx(path)
        return
    for number, row in read_jsonl(path):
        try:
            segment = Segment(row["source_lang"], row["target_lang"], row["source"], row["target"])
        except KeyError as error:
            raise KoineError(f"{path}:{number}: a memory row needs {error.args[0]!r}") from None
        if not all(isinstance(value, str) for value in vars(segment).values()):
            raise KoineError(f"{path}:{number}: all four fields of a memory row are text")
        yield segment


def _read_tmx(path: Path) -> Iterator[Segment]:
    """TMX: every ordered pair of a unit's variants is a segment; `de-AT` counts as `de`."""
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    try:
        for _, unit in ElementTree.iterparse(path):
            if unit.tag != "tu":
                continue
            variants = []
            for variant in unit.iter("tuv"):
                code = (variant.get(language) or variant.get("lang") or "").split("-")[0].lower()
                segment = variant.find("seg")
                if not code or segment is None:
                    raise KoineError(f"{path}: a <tuv> without xml:lang or <seg>")
                variants.append((code, "".join(segment.itertext()).strip()))
            unit.clear()
            for source_lang, source in variants:
                for target_lang, target in variants:
                    if source_lang != target_lang:
                        yield Segment(source_lang, target_lang, source, target)
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file") from None
    except ElementTree.ParseError as error:
        raise KoineError(f"{path}: not well-formed XML: {error}") from None


_ENTRY = re.compile(r"^(?P<word>.+?) \{(?P<pos>[^}]*)\}(?P<rest>.*?) ?:: ?(?P<translations>.*)$")
_TRANSCRIPTION = re.compile(r"/[^/]+/")
_NOISE = re.compile(r"\{[^}]*\}|\[[^\]]*\]|/[^/]*/|\([^)]*\)")
_NOTES = re.compile(
    r"(?i)\b(see|not used|no equivalent|no direct|no exact|usually|construction|case)\b|[][(){}/;:+~～…]| - |\.\."
)
LONGEST_TRANSLATION = 4  # words; longer ones explain instead of translating


def read_dictionary(path: Path) -> Iterator[tuple[str, str]]:
    """(headword, translation) of a Wiktionary dictionary in ding format, `word {pos} (sense) :: one, two`.

    Genders, senses, transcriptions and editors' notes are cleaned out; `SEE:` references and entries such as
    `Not used in Turkish` give nothing. Where an entry gives transcriptions, only the transcribed forms count:
    in `國王, 国王 /guówáng/` that is the simplified one.
    """
    for line in read_text(path).splitlines():
        match = _ENTRY.match(line)
        if line.startswith("#") or match is None or "SEE:" in match["rest"]:
            continue
        parts = match["translations"].split(",")
        if any(_TRANSCRIPTION.search(part) for part in parts):
            parts = [part for part in parts if _TRANSCRIPTION.search(part)]
        for part in parts:
            translation = " ".join(_NOISE.sub("", part).split())
            if translation and not _NOTES.search(translation) and len(translation.split()) <= LONGEST_TRANSLATION:
                yield match["word"], translation


# --- published benchmarks -------------------------------------------------------------------------------------


def read_topics(path: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of a topics file: `id<tab>text`, as MIRACL and Mr. TyDi have it."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            key, tab, text = line.partition("\t")
            if not tab or not text.strip():
                raise KoineError(f"{path}:{number}: expected query id and question, tab-separated")
            yield key.strip(), text.strip()


def read_trec_qrels(path: Path) -> Iterator[tuple[str, str]]:
    """(query id, passage id) of every positive judgement of a TREC file: `query Q0 passage grade`."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if fields := line.split():
            if len(fields) != 4 or not _GRADE.fullmatch(fields[3]):
                raise KoineError(f"{path}:{number}: expected a TREC judgement: query id, Q0, passage id, integer grade")
            if int(fields[3]) > 0:
                yield fields[0], fields[2]


def read_docs(path: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of a corpus: MIRACL's `docid`, `title`, `text`, or Mr. TyDi's `id`, `contents` (title, empty line, text)."""
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        if "contents" in row:
            yield _field(row, "id", where, "a passage has id and contents"), _field(row, "contents", where, "a passage has text")
        else:
            remedy = "a passage has docid, title and text (MIRACL), or id and contents (Mr. TyDi)"
            docid, text = _field(row, "docid", where, remedy), _field(row, "text", where, remedy)
            yield docid, f"{row.get('title') or ''} {text}".strip()


def _field(row: Any, key: str, where: str, remedy: str) -> str:
    """A row's text (or number, as text).

    Raises:
        KoineError: it is not there, or is something else.
    """
    value = row.get(key) if isinstance(row, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise KoineError(f"{where}: {key!r} is missing or no text; {remedy}")
    return str(value).strip()


def read_belebele(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """(question id, question, passage id, passage) of a language of Belebele (arXiv 2308.16884).

    `link` names a passage, and with `question_number` a question, in every language; the four choices are not read.
    """
    for number, row in read_jsonl(path):
        remedy = "a row of Belebele has link, question_number, question and flores_passage"
        link, which, question, passage = (
            _field(row, key, f"{path}:{number}", remedy) for key in ("link", "question_number", "question", "flores_passage")
        )
        yield f"{link}#{which}", question, link, passage


#: Types of MKQA's answers that are no text to retrieve; 6,758 of the 10,000 questions are left.
NO_ANSWER = {"unanswerable", "long_answer"}


def read_mkqa(path: Path, key: str) -> Iterator[tuple[str, str, list[str]]]:
    """(question id, question, answers) of MKQA in one language (arXiv 2007.15207), of the questions with a short answer.

    Args:
        path: mkqa.jsonl.gz.
        key: MKQA's name of the language, such as `zh_cn`.
    """
    remedy = "a row of MKQA has example_id, and queries and answers by language"
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        question = _field(row.get("queries"), key, f"{where}: queries", remedy)
        given = row["answers"].get(key) if isinstance(row.get("answers"), dict) else None
        if not isinstance(given, list):
            raise KoineError(f"{where}: answers: {key!r} is missing or no list; {remedy}")
        texts = [
            _field(answer, "text", f"{where}: answers: {key}", "an answer has type and text")
            for answer in given
            if _field(answer, "type", f"{where}: answers: {key}", "an answer has type and text") not in NO_ANSWER
        ]
        if texts:
            yield _field(row, "example_id", where, remedy), question, list(dict.fromkeys(texts))


@dataclass(frozen=True)
class Mention:
    """An entity mentioned in an article."""

    id: str
    lang: str
    text: str  # the mention, a colon, and the sentence around it
    entity: str  # WikiData's number


def read_mentions(path: Path) -> Iterator[Mention]:
    """Mentions of Mewsli-X (wikinews_mentions-*.jsonl): `context` with text and sentence_spans, `mentions` in it."""
    remedy = "a row of Mewsli-X has context (language, text, sentence_spans) and mentions (example_id, entity_id, mention_span)"
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        try:
            context, text = row["context"], _text(row["context"]["text"])
            if not text:
                raise KoineError(f"{where}: context.text is empty; get-mewsli-x.sh puts the articles' text into these files")
            spans = [(int(span["start"]), int(span["end"])) for span in context["sentence_spans"]]
            for mention in row["mentions"]:
                start, end = int(mention["mention_span"]["start"]), int(mention["mention_span"]["end"])
                around = next((text[a:b] for a, b in spans if a <= start and end <= b), text)
                asked = f"{_text(mention['mention_span']['text'])}: {' '.join(around.split())}"
                yield Mention(_text(mention["example_id"]), _text(context["language"]), asked, _text(mention["entity_id"]))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise KoineError(f"{where}: {type(error).__name__}: {error}; {remedy}") from None


def read_entities(path: Path) -> Iterator[tuple[str, str, str]]:
    """(id, language, text) of the candidates of Mewsli-X (candidate_set_entities.jsonl): title and description."""
    remedy = "an entity of Mewsli-X has entity_id, description_language, title and description"
    for number, row in read_jsonl(path):
        entity, lang, title, description = (
            _field(row, key, f"{path}:{number}", remedy) for key in ("entity_id", "description_language", "title", "description")
        )
        yield entity, lang, f"{title} {description}".strip()
