"""Mewsli-X (of XTREME-R, arXiv 2104.07412): mentions in the news retrieve their entity, whatever language describes it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from koine import languages
from koine.collect.formats.languages import Files, Language
from koine.collect.formats.rows import field, raw_text
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl

ENTITIES, MENTIONS = "candidate_set_entities.jsonl", "wikinews_mentions-{}.jsonl"


def folder_files(folder: Path, split: str) -> list[Path]:
    """The candidates, and the mentions of a split."""
    return [folder / ENTITIES, folder / MENTIONS.format(split)]


def read_benchmark(files: Files, *, split: str) -> Iterator[Language]:
    """Mentions retrieve their entity among all entities.

    Raises:
        KoineError: a language has another folder, a row is not of this format, or a mention or an entity is of what is not there.
    """
    folders = sorted({path for paths in files.values() for path in paths})
    if len(folders) != 1:
        raise KoineError(f"mewsli-x is one folder for all languages, not {len(folders)}")

    def known(code: str, row: str) -> str:
        try:
            return languages.canonical(code)
        except KoineError as error:
            raise KoineError(f"{folders[0]}: {row}: {error}") from None

    entities: dict[str, dict[str, str]] = defaultdict(dict)  # language -> id -> text
    described: dict[str, str] = {}  # id -> language
    for entity, code, text in read_entities(folders[0] / ENTITIES):
        lang = known(code, f"entity {entity}")
        if lang not in files:
            raise KoineError(f"{folders[0]}: an entity is described in {lang}, which is not among the benchmark's languages")
        entities[lang][entity] = text
        described[entity] = lang
    queries: dict[str, list[tuple[str, str]]] = defaultdict(list)
    qrels: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for mention in read_mentions(folders[0] / MENTIONS.format(split)):
        if mention.entity not in described:
            raise KoineError(f"{folders[0]}: mention {mention.id} is of {mention.entity}, which is no candidate")
        queries[known(mention.lang, f"mention {mention.id}")].append((mention.id, mention.text))
        qrels[described[mention.entity]].append((mention.id, mention.entity))
    for lang in files:
        yield Language(lang, queries[lang], qrels[lang], [(key, "", text) for key, text in entities[lang].items()])


@dataclass(frozen=True)
class Mention:
    """An entity mentioned in an article."""

    id: str
    lang: str
    text: str  # the mention, a colon, and the sentence around it
    entity: str  # WikiData's number


def read_mentions(path: Path) -> Iterator[Mention]:
    """Mentions (wikinews_mentions-*.jsonl): `context` with text and sentence_spans, `mentions` in it.

    Raises:
        KoineError: a row is not of this format; the message names it.
    """
    remedy = "a row of Mewsli-X has context (language, text, sentence_spans) and mentions (example_id, entity_id, mention_span)"
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        try:
            context, text = row["context"], raw_text(row["context"]["text"])
            if not text:
                raise KoineError(f"{where}: context.text is empty; get-mewsli-x.sh puts the articles' text into these files")
            spans = [(int(span["start"]), int(span["end"])) for span in context["sentence_spans"]]
            for mention in row["mentions"]:
                start, end = int(mention["mention_span"]["start"]), int(mention["mention_span"]["end"])
                around = next((text[a:b] for a, b in spans if a <= start and end <= b), text)
                asked = f"{raw_text(mention['mention_span']['text'])}: {' '.join(around.split())}"
                yield Mention(
                    raw_text(mention["example_id"]), raw_text(context["language"]), asked, raw_text(mention["entity_id"])
                )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise KoineError(f"{where}: {type(error).__name__}: {error}; {remedy}") from None


def read_entities(path: Path) -> Iterator[tuple[str, str, str]]:
    """(id, language, text) of the candidates (candidate_set_entities.jsonl): title and description.

    Raises:
        KoineError: a row lacks a field; the message names it.
    """
    remedy = "an entity of Mewsli-X has entity_id, description_language, title and description"
    for number, row in read_jsonl(path):
        entity, lang, title, description = (
            field(row, key, f"{path}:{number}", remedy) for key in ("entity_id", "description_language", "title", "description")
        )
        yield entity, lang, f"{title} {description}".strip()
