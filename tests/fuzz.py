"""Spoilt inputs for every reader: what is wrong is a message that names the file, never a traceback.

`SUBJECTS` are the readers with a good input each; `spoil` damages its bytes or, where they are JSON, its structure. Tests run a
few thousand cases, benchmarks/fuzz.py some hundred thousand. A case is its subject and its number, so each can be had again.
"""

import contextlib
import copy
import gzip
import io
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from test_published import PUBLISHED, encoded

from koine.collect.benchmark import read_benchmark
from koine.collect.formats.dictionary import read_dictionary
from koine.collect.formats.memory import read_memory
from koine.collect.readers import read_questions, readers_of
from koine.collect.source import collect_source
from koine.evaluate.probe import read_nli
from koine.params import Params, load_recipe, parse
from koine.people.check import read_promised
from koine.runtime.errors import KoineError

#: What breaks parsers: bytes that are no UTF-8, that open or close something, or that look like numbers and are none.
NASTY = [
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xc3",
    b"\r",
    b"\n",
    b"\t",
    b'"',
    b"'",
    b"\\",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
]
NASTY += [
    b"[" * 3000,
    b'{"a":' * 3000,
    b"null",
    b"NaN",
    b"1e999",
    b"-1",
    "²".encode(),
    b"9" * 5000,
    b"<!DOCTYPE x>",
    b"<",
    b"&lol;",
]
NASTY += [
    b"&",
    b": ",
    b"#",
    b"- ",
    b"*a",
    b"&a",
    b"!!python/object:os.system",
    b"\xe2\x80\xae",
    b"\xe2\x80\xa8",
    b" ",
    b"::",
    b"\x85",
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    1.5,
    float("inf"),
    "",
    " ",
    "²",
    "\ud800",
    "x" * 50,
    [],
    [None],
    [[]],
    {},
    {"": None},
    "\x00",
]


def spoil(good: bytes, draw: random.Random) -> bytes:
    """Damage a file once, or a few times."""
    data = good
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        structured = draw.random() < 0.5 and _structure(data, draw)
        data = structured or _bytes(data, draw)
    return data


def _bytes(data: bytes, draw: random.Random) -> bytes:
    at, width = draw.randrange(len(data) + 1), draw.choice([1, 1, 3, 20, 400])
    cut = data[at : at + width]
    return draw.choice(
        [
            data[:at],
            data[:at] + data[at + width :],
            data[:at] + cut + cut + data[at + width :],
            data[:at] + draw.choice(NASTY) + data[at:],
            data[:at] + draw.choice(NASTY) + data[at + width :],
            data[:at] + bytes([draw.randrange(256)]) + data[at + 1 :],
        ]
    )


def _structure(data: bytes, draw: random.Random) -> bytes | None:
    """JSON, or one line of JSONL, with a value replaced, dropped or moved; None where it is neither."""
    lines = data.split(b"\n")
    row = draw.randrange(len(lines))
    for whole in (True, False):
        try:
            value = json.loads(data if whole else lines[row])
        except (ValueError, RecursionError):
            continue
        try:
            changed = json.dumps(_changed(value, draw)).encode()
        except RecursionError:
            return None
        return changed if whole else b"\n".join([*lines[:row], changed, *lines[row + 1 :]])
    return None


def _changed(value: Any, draw: random.Random) -> Any:
    places = list(_places(value))
    if not places:
        return draw.choice(VALUES)
    inside, key = draw.choice(places)
    what = draw.randrange(4)
    if what == 0 and isinstance(inside, dict):
        inside[draw.choice(["", "id", "x", str(key) + "s"])] = inside.pop(key)
    elif what == 1:
        del inside[key]
    elif what == 2:
        inside[key] = copy.deepcopy(draw.choice([elsewhere[other] for elsewhere, other in places]))
    else:
        inside[key] = draw.choice(VALUES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


# --- what is read ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """A reader: good files by name, of which one is spoilt, and what is to be done with their folder."""

    files: dict[str, bytes]
    read: Callable[[Path], object]


def _json(*rows: Any) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


CSV = b'question;passage;answer;answer_start\r\n"Who wrote it?";"Ada wrote; it";Ada;0\r\nWhen?;"In\n1843";;\r\n'

QA = _json(
    {"id": "a", "question": "Who wrote it?", "passage": "Ada wrote it.", "answer": "Ada", "answer_start": 0, "lang": "en"},
    {"question": "Kuka?", "passage": "Ada kirjoitti.", "negatives": ["It rains."], "group": "g", "domain": "d"},
)
TEXTS = _json({"_id": "1", "title": "T", "text": "Ada wrote it."}, {"_id": "2", "text": "It rains."})
SQUAD = json.dumps(
    {
        "data": [
            {
                "title": "Ada",
                "paragraphs": [
                    {
                        "context": "Ada wrote it. It rains.",
                        "sentence_breaks": [[0, 13], [14, 23]],
                        "qas": [{"id": "q", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}],
                    }
                ],
            }
        ]
    },
    indent=1,
).encode()
TMX = (
    b'<?xml version="1.0"?>\n<tmx version="1.4"><header/><body><tu><tuv xml:lang="en"><seg>One <ph/>two</seg></tuv>'
    b'<tuv xml:lang="fi-FI"><seg>Yksi kaksi</seg></tuv></tu></body></tmx>\n'
)
DICTIONARY = (
    "# ding\nhouse {n} (building) :: talo {m}, rakennus\ncountry {n} :: 國家 /guójiā/, 国家 /guójiā/\nwe SEE: us ::\n".encode()
)
NLI = b"sentence1\tsentence2\tgold_label\tlanguage\tpairID\nIt rains.\tIt is wet.\tentailment\ten\t1\nA.\tB.\tneutral\tfi\t2\n"
MEWSLI = {
    "candidate_set_entities.jsonl": _json(
        {"entity_id": "Q1", "description_language": "en", "title": "Ada", "description": "A writer."},
        {"entity_id": "Q2", "description_language": "fi", "title": "Sade", "description": "Vesi."},
    ),
    "wikinews_mentions-test.jsonl": _json(
        {
            "context": {"language": "en", "text": "Ada wrote it.", "sentence_spans": [{"start": 0, "end": 13}]},
            "mentions": [{"example_id": "m", "entity_id": "Q1", "mention_span": {"start": 0, "end": 3, "text": "Ada"}}],
        }
    ),
}
MKQA = {"example_id": 1, "queries": {"en": "Who?"}, "answers": {"en": [{"type": "entity", "text": "Ada"}]}}
BELEBELE = {"link": "l", "question_number": 1, "question": "Who?", "flores_passage": "Ada wrote it."}


PASSAGES = _json(
    {"id": 1, "title": "Ada", "text": "Ada wrote the first program. It computed some numbers. It was 1843."}, {"text": "One."}
)
PROMISED = b"benchmark,backbone,strategy,setting,metric,value,tolerance\nsample,static,hybrid,multi,map,0.5,0.1\n"


def _benchmark(reader: str, name: str = "", candidate: str = "passage") -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        files = {"en": folder / name} if reader != "mewsli-x" else {"en": folder, "fi": folder}
        return [language._replace(passages=[*language.passages]) for language in read_benchmark(files, reader, candidate, "test")]  # type: ignore[arg-type]

    return read


def _source(reader: str, name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        out = folder.parent / "out.parquet"
        return collect_source([folder / name], out, name="mine", reader=reader, lang="en", domain="", licence="X")

    return read


def _recipe(folder: Path) -> object:
    return parse(load_recipe(folder / "recipe.yaml"))


def _subjects() -> dict[str, Subject]:
    beir = {
        "queries.jsonl": TEXTS,
        "corpus.jsonl": TEXTS,
        "qrels/test.tsv": b"query-id\tcorpus-id\tscore\n1\t1\t1\n2\t2\t0\n2\t1\t2\n",
    }
    trec = {
        "topics.x.test.tsv": b"1\tWho?\n2\tWhy?\n",
        "qrels.x.test.tsv": b"1 Q0 d1 1\n2 Q0 d2 0\n2 0 d1 3\n",
        "docs.jsonl": _json({"docid": "d1", "title": "T", "text": "Ada."}, {"id": "d2", "contents": "T\n\nRain."}),
    }
    found = {
        "source: jsonl": Subject({"qa.jsonl": QA}, _source("jsonl", "qa.jsonl")),
        "source: csv": Subject({"qa.csv": CSV}, _source("csv", "qa.csv")),
        "source: passages": Subject({"p.jsonl": PASSAGES}, _source("passages", "p.jsonl")),
        "source: squad": Subject({"squad.json": SQUAD}, _source("squad", "squad.json")),
        "source: beir": Subject(beir, _source("beir", "")),
        "source: gz": Subject(
            {"qa.jsonl.gz": gzip.compress(QA)}, lambda folder: list(read_questions(folder / "qa.jsonl.gz", "jsonl"))
        ),
        "benchmark: squad": Subject({"squad.json": SQUAD}, _benchmark("squad", "squad.json", "sentence")),
        "benchmark: beir": Subject(beir, _benchmark("beir")),
        "benchmark: lines": Subject({"lines.tsv": b"Who?\tKuka?\nWhy?\tMiksi?\n"}, _benchmark("lines", "lines.tsv")),
        "benchmark: trec": Subject(trec, _benchmark("trec")),
        "benchmark: belebele": Subject(
            {"b.jsonl": _json(BELEBELE, BELEBELE | {"question_number": 2})}, _benchmark("belebele", "b.jsonl")
        ),
        "benchmark: mkqa": Subject({"mkqa.jsonl": _json(MKQA, MKQA | {"example_id": 2})}, _benchmark("mkqa", "mkqa.jsonl")),
        "benchmark: mewsli-x": Subject(MEWSLI, _benchmark("mewsli-x")),
        "probe: nli": Subject({"nli.tsv": NLI}, lambda folder: read_nli(folder / "nli.tsv")),
        "memory: tmx": Subject({"m.tmx": TMX}, lambda folder: list(read_memory(folder / "m.tmx"))),
        "memory: jsonl": Subject(
            {"m.jsonl": _json({"source_lang": "en", "target_lang": "fi", "source": "One", "target": "Yksi"})},
            lambda folder: list(read_memory(folder / "m.jsonl")),
        ),
        "lexicon": Subject({"en-fi.txt": DICTIONARY}, lambda folder: list(read_dictionary(folder / "en-fi.txt"))),
        "recipe": Subject({"recipe.yaml": _small()}, _recipe),
        "promised numbers": Subject({"promised.csv": PROMISED}, lambda folder: read_promised(folder / "promised.csv")),
    }
    for name, (reader, file, content, _, _) in PUBLISHED.items():
        file = file.removesuffix(".gz")
        found[f"published: {name}"] = Subject({file: encoded(file, content)}, _source(reader, file))
    return found


def _small() -> bytes:
    """A recipe with most of the keys."""
    default = json.loads(Params().model_dump_json())
    return yaml.safe_dump({**default, "recipe": "spoilt", "scale": ""}, allow_unicode=True).encode()


SUBJECTS = _subjects()
assert {*readers_of("questions", "benchmark")} - {"triples"} <= {name.partition(": ")[2] for name in SUBJECTS} | {
    r for r, *_ in PUBLISHED.values()
} | {"jsonl"}


def problem(subject: str, number: int, scratch: Path) -> str | None:
    """Run a case: None where it was read or refused well, else what is wrong.

    Args:
        subject: a key of `SUBJECTS`.
        number: of the case.
        scratch: a folder for it.
    """
    draw = random.Random(f"{subject} {number}")
    one, folder = SUBJECTS[subject], scratch / "input"
    shutil.rmtree(folder, ignore_errors=True)
    victim = draw.choice(sorted(one.files))
    for name, data in one.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(spoil(data, draw) if name == victim else data)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            one.read(folder)
    except KoineError as error:
        named = str(folder) in str(error) or subject == "recipe"  # a recipe's mistakes are named by their keys
        return None if named and len(str(error)) < 20_000 else f"a message without the file: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.200}"
    return None
