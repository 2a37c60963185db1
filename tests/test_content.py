"""Own files count by content: any edit changes the digest, a touch does not, and no time can hide an edit."""

import os
import shutil
from pathlib import Path

import pytest

from koine.workflow import content
from koine.workflow.content import Contents, files_of


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory.json"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own/questions.jsonl"
    path.parent.mkdir()
    path.write_text("one\n", encoding="utf-8")
    os.utime(path, (10**9, 10**9))
    return path


def test_an_older_file_of_other_content_is_seen(own: Path, memory: Path) -> None:
    before = Contents(memory).digest([own])
    own.write_text("two\n", encoding="utf-8")
    os.utime(own, (10**8, 10**8))
    assert Contents(memory).digest([own]) != before


def test_an_edit_that_keeps_size_and_time_is_seen(own: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "RECENT", -1)  # remember at once: the change of the inode alone must tell
    before = Contents(memory).digest([own])
    assert memory.exists()
    with own.open("r+", encoding="utf-8") as stream:
        stream.write("two\n")
    os.utime(own, (10**9, 10**9))
    assert Contents(memory).digest([own]) != before


def test_what_changed_just_now_is_not_remembered(own: Path, memory: Path) -> None:
    Contents(memory).digest([own])
    assert not memory.exists()  # its next edit may come within the same tick of the clock


def test_a_touched_or_copied_file_is_the_same(own: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "RECENT", -1)
    before = Contents(memory).digest([own])
    os.utime(own)
    assert Contents(memory).digest([own]) == before
    shutil.copy2(own, own.with_suffix(".copy"))
    own.with_suffix(".copy").replace(own)
    assert Contents(memory).digest([own]) == before


def test_nothing_is_read_again_that_was_remembered(own: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "RECENT", -1)
    before = Contents(memory).digest([own])
    monkeypatch.setattr(content, "sha256", lambda path: pytest.fail(f"{path} is read"))
    assert Contents(memory).digest([own]) == before


def test_a_folder_counts_with_all_that_is_in_it(own: Path, memory: Path) -> None:
    folder = own.parent
    seen = [Contents(memory).digest([folder])]
    (folder / "deep").mkdir()
    (folder / "deep/weights").write_bytes(b"1")
    seen.append(Contents(memory).digest([folder]))
    (folder / "deep/weights").rename(folder / "deep/others")
    seen.append(Contents(memory).digest([folder]))
    own.unlink()
    seen.append(Contents(memory).digest([folder]))
    assert len(set(seen)) == 4
    (folder / ".cache").mkdir()
    (folder / ".cache/lock").touch()
    assert Contents(memory).digest([folder]) == seen[-1]
    assert files_of(folder) == [folder / "deep/others"]


def test_a_file_that_is_not_there_is_not_an_empty_one(tmp_path: Path, memory: Path) -> None:
    before = Contents(memory).digest([tmp_path / "absent"])
    (tmp_path / "absent").touch()
    assert Contents(memory).digest([tmp_path / "absent"]) != before
    assert Contents(memory).digest([]) == ""


def test_a_broken_memory_is_made_anew(own: Path, memory: Path) -> None:
    before = Contents(memory).digest([own])
    for text in ("", "[1", "[]", '{"a": 1}'):
        memory.write_text(text, encoding="utf-8")
        assert Contents(memory).digest([own]) == before
