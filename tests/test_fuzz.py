"""A short run of the fuzz campaign, and inputs that are too large: refused early, with a message."""

import gzip
import resource
from collections.abc import Callable
from pathlib import Path

import fuzz
import pytest

from koine.collect.formats.squad import read_squad
from koine.collect.readers import read_questions
from koine.runtime import files
from koine.runtime.errors import KoineError


@pytest.mark.parametrize("subject", fuzz.SUBJECTS)
def test_a_good_input_is_read(subject: str, tmp_path: Path) -> None:
    for name, data in fuzz.SUBJECTS[subject].files.items():
        (tmp_path / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "input" / name).write_bytes(data)
    fuzz.SUBJECTS[subject].read(tmp_path / "input")


@pytest.mark.parametrize("subject", fuzz.SUBJECTS)
def test_spoilt_inputs_are_messages_that_name_the_file(subject: str, tmp_path: Path) -> None:
    assert [found for number in range(100) if (found := fuzz.problem(subject, number, tmp_path))] == []


def hole(path: Path, size: int, start: bytes) -> Path:
    """A file of many zeros that takes no room on the disk."""
    with path.open("wb") as stream:
        stream.write(start)
        stream.truncate(size)
    return path


@pytest.mark.parametrize(
    ("name", "start", "read", "message"),
    [
        ("qa.jsonl", b'{"question": "', lambda path: read_questions(path, "jsonl"), r"qa\.jsonl:1: a line of more than 64 MiB"),
        ("squad.json", b'{"data": "', read_squad, r"squad\.json: more than 1,024 MiB, too large to be read at once; split it"),
        ("nfL6.json", b'[{"question": "', lambda path: read_questions(path, "faq"), r"nfL6\.json: an item of more than 64 MiB"),
        ("WikiQA.tsv", b"QuestionID", lambda path: read_questions(path, "wikiqa"), r"WikiQA\.tsv:1: a line of more than 64 MiB"),
    ],
)
def test_one_line_of_two_gigabytes_is_refused_early(
    tmp_path: Path, name: str, start: bytes, read: Callable[[Path], object], message: str
) -> None:
    path = hole(tmp_path / name, 2 << 30, start)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(KoineError, match=message):
        list(read(path))  # type: ignore[call-overload]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB: less than 1 GiB more


def test_a_packed_line_without_an_end_is_refused_early(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.jsonl.gz", "wb") as stream:
        for _ in range(80):
            stream.write(b" " * (1 << 20))
    assert (tmp_path / "bomb.jsonl.gz").stat().st_size < 1 << 20
    with pytest.raises(KoineError, match=r"bomb\.jsonl\.gz:1: a line of more than 64 MiB"):
        list(files.read_jsonl(tmp_path / "bomb.jsonl.gz"))


def test_half_a_character_is_refused_and_a_whole_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "\\ud83d\\ude00?", "passage": "yes"}\n', encoding="utf-8")
    assert next(read_questions(path, "jsonl"))["question"] == "\N{GRINNING FACE}?"
    path.write_text('{"question": "\\ud83d?", "passage": "yes"}\n', encoding="utf-8")
    with pytest.raises(KoineError, match=r"a\.jsonl:1: an escape such as"):
        list(read_questions(path, "jsonl"))
