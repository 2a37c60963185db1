"""docs/extend.md does what it says: each section is carried out in a scratch copy, word by word."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from extending import GENERATED, ROOT, Scratch
from test_filter import NAMES, english, finnish

from koine.params import Params
from koine.records import PARALLEL, PASSAGES, QA, QRELS, QUERIES, TRANSLATION, read_parquet
from koine.runtime.files import text_id
from koine.workflow.experiment import Experiment

Frames = Callable[..., pl.DataFrame]
PAGE = (ROOT / "docs/extend.md").read_text(encoding="utf-8")

#: By heading: the new name, and the files that are written.
SECTIONS = {
    "A strategy": ("anchored", ["src/koine/strategies.py"]),
    "A metric": ("hits", ["src/koine/evaluate/metrics.py", "src/koine/metrics.py"]),
    "A kind of backbone": ("signs", ["src/koine/backbones/kinds.py", "src/koine/backbones/signs.py"]),
    "A translation backend": ("copy", ["src/koine/translate/backends.py", "src/koine/translate/mine.py"]),
    "A reader": ("tabbed", ["src/koine/collect/formats/tabbed.py", "src/koine/collect/readers.py"]),
    "A rule of the filter": ("capitals", ["src/koine/filter/rules.py", "src/koine/filter/scores.py"]),
}
#: Those of which a generated file has the names.
WRITTEN = {*SECTIONS} - {"A strategy"}

#: Run with the edited package: the jobs of the sample, the recipe of the page, and what is said of that with a name misspelt.
CHECK = """
import json, sys, yaml
from koine.params import Params, laid_over
from koine.runtime.errors import KoineError
from koine.workflow.experiment import Experiment
recipe, misspelt = ({"recipe": "mine"} | yaml.safe_load(text) for text in sys.argv[1:])
jobs = vars(Experiment(Params().model_dump()).jobs)
Experiment(laid_over(Params().model_dump(), recipe))
try:
    said = Experiment(laid_over(Params().model_dump(), misspelt)) and ""
except KoineError as error:
    said = str(error)
print(json.dumps([{name: own for name, own in jobs.items() if name[0] != "_"}, said]))
"""


def jobs_of_the_sample() -> dict[str, Any]:
    """Every job of the sample: flags, files, code and content by rule and wildcards."""
    jobs = vars(Experiment(Params().model_dump()).jobs)
    return json.loads(json.dumps({name: own for name, own in jobs.items() if name[0] != "_"}))  # type: ignore[no-any-return]


def misspelt(text: str, name: str) -> str:
    """A text with the last two letters of a name exchanged."""
    return re.sub(rf"(?<![\w/.]){name}(?![\w/.]|=True)", f"{name[:-2]}{name[-1]}{name[-2]}", text)


def write_sample(folder: Path, qa: Frames) -> None:
    """Where the sample's files lie, a few small ones."""
    data = folder / "data/sample"
    rows = [
        {"id": f"t/{n}", "question": question, "passage": passage}
        for n, (question, passage) in enumerate(map(english, range(10)))
    ]
    QA.write(qa(*rows), data / "collect/qa.parquet")
    loud = [tuple(text.upper() if n < 3 else text for text in finnish(n)) for n in range(len(NAMES))]
    texts = [(source, target) for n in range(len(NAMES)) for source, target in zip(english(n), loud[n], strict=True)]
    done = sorted(
        ({"text_id": text_id(s), "source": s, "target": t, "back": s} for s, t in texts), key=lambda row: row["text_id"]
    )
    TRANSLATION.write(TRANSLATION.frame(done), data / "translate/fi/0.parquet")
    asked = [
        {"id": f"q{n}", "lang": lang, "text": of(n)[0]} for lang, of in (("en", english), ("fi", finnish)) for n in range(10)
    ]
    found = [
        {"id": f"q{n}", "lang": lang, "group": "", "text": of(n)[1]}
        for lang, of in (("en", english), ("fi", finnish))
        for n in range(10)
    ]
    benchmark = data / "collect/benchmarks/sample"
    QUERIES.write(QUERIES.frame(asked), benchmark / "queries.parquet")
    PASSAGES.write(PASSAGES.frame(found), benchmark / "passages.parquet")
    judged = [{"query_id": row["id"], "lang": row["lang"], "passage_id": row["id"]} for row in asked]
    QRELS.write(QRELS.frame(judged), benchmark / "qrels.parquet")
    vectors = np.random.default_rng(0).normal(size=(2, 20, 4)).astype(np.float32)
    encoded = data / "encode/static/hybrid/seed-1/sample"
    encoded.mkdir(parents=True)
    for name, own in zip(("queries", "passages"), vectors, strict=True):
        np.save(encoded / f"{name}.npy", own / np.linalg.norm(own, axis=1, keepdims=True))


def trained_anchored(out: Path) -> None:
    log = [json.loads(line) for line in (out / "anchored/train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert log[-1]["step"] == 3 and {line["type"] for line in log} == {"mono", "cross"}


def reported_hits(out: Path) -> None:
    pairs = pl.read_csv(out / "evaluated/pairs.csv").filter(metric="hits@5")
    assert set(pairs["setting"]) == {"mono", "cross", "multi"} and pairs["value"].is_between(0, 1).all()
    assert '<th class="n first" scope="col">hits@5</th>' in (out / "report/report.html").read_text(encoding="utf-8")


def encoded_with_signs(out: Path) -> None:
    assert json.loads((out / "model/koine.json").read_text(encoding="utf-8"))["kind"] == "signs"
    assert np.load(out / "vectors/queries.npy").shape[0] == 20


def translated_by_copying(out: Path) -> None:
    rows = TRANSLATION.read(out / "fi.parquet")
    assert len(rows) == 20 and rows["source"].equals(rows["target"]) and rows["source"].equals(rows["back"])


def read_the_quiz(out: Path) -> None:
    (row,) = QA.read(out / "quiz.parquet").to_dicts()
    assert (row["id"], row["question"], row["passage"]) == (
        "quiz/1", "Who wrote the first program?", "Ada Lovelace wrote it in 1843."
    )  # fmt: skip


def dropped_capitals(out: Path) -> None:
    assert json.loads((out / "fi.json").read_text(encoding="utf-8"))["dropped"]["capitals"] == 3
    assert len(PARALLEL.read(out / "fi.parquet")) == 7
    assert "passage_capitals" in read_parquet(out / "scores.parquet").columns


RESULTS = dict(
    zip(
        SECTIONS,
        (trained_anchored, reported_hits, encoded_with_signs, translated_by_copying, read_the_quiz, dropped_capitals),
        strict=True,
    )
)


def test_the_page_has_these_sections_and_counts_their_files() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE) == [*SECTIONS]
    counted = re.findall(r"^\| \[(.+?)\].*\| (\d+) \| `(tests/\w+\.py)` \|$", PAGE, re.MULTILINE)
    now = [(heading[0].lower() + heading[1:], str(len(files))) for heading, (_, files) in SECTIONS.items()]
    assert [(heading, count) for heading, count, _ in counted] == now


@pytest.mark.parametrize(
    "heading", [pytest.param(name, marks=pytest.mark.slow if name == "A kind of backbone" else ()) for name in SECTIONS]
)
def test_a_section_works_word_by_word_and_reruns_nothing(heading: str, tmp_path: Path, qa: Frames, corpus: Path) -> None:
    name, files = SECTIONS[heading]
    scratch = Scratch(tmp_path, heading)
    assert scratch.touched() == files
    assert len(files) <= 2

    # Nothing of the sample has other code, flags or files than before.
    done = scratch.shell(f"python -c '{CHECK}' {_quoted(scratch.recipe)} {_quoted(misspelt(scratch.recipe, name))}")
    assert done.returncode == 0, done.stderr
    jobs, said = json.loads(done.stdout.splitlines()[-1])
    assert jobs == jobs_of_the_sample()
    assert re.search(f"did you mean '{name}\\b", said), said

    done = scratch.shell("python -m koine.params")
    assert done.returncode == 0, done.stderr
    generated = [file for file in scratch.touched() if file not in files]
    assert bool(generated) == (heading in WRITTEN) and {*generated} <= {*GENERATED}

    write_sample(tmp_path, qa)
    (tmp_path / "data/sample/train").mkdir()
    (tmp_path / "data/sample/train/static").symlink_to(corpus / "static")
    done = scratch.shell(scratch.commands)
    assert done.returncode == 0, done.stdout + done.stderr
    RESULTS[heading](tmp_path / "out")
    done = scratch.shell(misspelt(scratch.commands, name))
    assert done.returncode in (1, 2)
    assert re.search(rf"[Dd]id you mean (--|')?{name}\b", done.stdout + done.stderr), done.stdout + done.stderr


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def test_a_new_name_stands_in_the_help_and_in_the_schema(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, "A translation backend")
    done = scratch.shell("koine translate --help && python -m koine.params")
    assert "`copy` leaves each text as it is" in " ".join(done.stdout.replace("│", " ").split())
    schema = json.loads((tmp_path / GENERATED[1]).read_text(encoding="utf-8"))
    assert "copy" in schema["$defs"]["Translate"]["properties"]["backend"]["enum"]
