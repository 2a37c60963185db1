"""The search command: what it finds and shows, and that the three files of an index are one thing."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from toy import train_one
from typer.testing import CliRunner

from koine.cli import app
from koine.encode.debias import encode_debias
from koine.encode.texts import encode
from koine.index import files
from koine.index.build import index
from koine.index.files import open_files
from koine.params import Architecture, IndexKind, Optimisation
from koine.people import search as searching
from koine.people.search import Found, Hit, find, identify, preference
from koine.records import PASSAGES
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, write_json

FILES = ("index.faiss", "ids.parquet", "index.json")  # in the order in which they are renamed


def encoded(model: Path, corpus: Path, out: Path) -> Path:
    encode(str(model), corpus / "toy", out, device="cpu", encode_batch_size=8)
    return out


@pytest.fixture(scope="module")
def indexed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a model that knows words alone (`words`), and of one that learnt the other language (`aligned`)."""
    folder = tmp_path_factory.mktemp("indexed")
    settings = Optimisation(max_steps=200, batch_size=32, learning_rate=0.1)
    for name, strategy, dim in (("words", "untrained", 2048), ("aligned", "x-y", 32)):  # many: words do not meet by chance
        own = folder / name
        train_one(corpus, own / "model", strategy=strategy, optimisation=settings, architecture=Architecture(hidden_size=dim))
        index(encoded(own / "model", corpus, own / "vectors"), corpus / "toy", own / "index")
    return folder


def searched(folder: Path, question: str, *options: str) -> tuple[str, str]:
    paths = ["--model", str(folder / "model"), "--index", str(folder / "index")]
    done = CliRunner().invoke(app, ["search", *paths, question, *options], env={"COLUMNS": "70"})
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_the_table_shows_the_passage_that_holds_the_words_first(indexed: Path, corpus: Path) -> None:
    passage = PASSAGES.read(corpus / "toy/passages.parquet").row(5, named=True)
    shown, _ = searched(indexed / "words", " ".join(passage["text"].split()[:4]), "--count", "3", "--lang", "en")
    head, first = shown.splitlines()[2], shown.splitlines()[4]
    assert head.split() == ["score", "lang", "passage", "id"]
    assert re.fullmatch(rf" *1 +0\.\d{{3}} +en +{passage['text'][:20]}.* {passage['id']} *", first)
    assert max(map(len, shown.splitlines())) <= 70
    assert len(re.findall(r"^ *\d+ +\d\.\d{3}", shown, re.M)) == 3


def test_json_holds_whole_passages_best_first(indexed: Path, corpus: Path) -> None:
    table = PASSAGES.read(corpus / "toy/passages.parquet")
    shown, _ = searched(indexed / "words", table["text"][5], "--json", "--count", "12")
    found = json.loads(shown)
    assert found["hits"][0] == {"rank": 1, "score": 1.0, "lang": "en", "id": "p5", "text": table["text"][5]}
    assert [hit["rank"] for hit in found["hits"]] == list(range(1, 13))
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert found["lang"] is None  # lingua knows one of the two languages, so there is no choice


def test_a_model_that_prefers_the_language_of_the_question_is_warned_of(indexed: Path, corpus: Path) -> None:
    question = PASSAGES.read(corpus / "toy/passages.parquet")["text"][5]
    shown, said = searched(indexed / "words", question, "--lang", "en", "--count", "2", "--json")
    assert "the 10 best are all in en" in " ".join(said.split())
    assert "the 10 best are all in en" in json.loads(shown)["warning"]
    shown, said = searched(indexed / "aligned", question, "--lang", "en", "--json")
    assert (said, json.loads(shown)["warning"]) == ("", None)
    assert {hit["lang"] for hit in json.loads(shown)["hits"][:2]} == {"en", "xo"}


def test_the_warning_needs_ten_of_one_language_and_a_parallel_pool() -> None:
    ten = [Hit(rank, 0.5, "fi", str(rank), "") for rank in range(1, 11)]
    assert preference(ten, "fi", parallel=True)
    assert preference(ten, "fi", parallel=False) is None
    assert preference(ten, "en", parallel=True) is None
    assert preference(ten, None, parallel=True) is None
    assert preference(ten[:9], "fi", parallel=True) is None
    assert preference([*ten[:9], Hit(10, 0.4, "en", "10", "")], "fi", parallel=True) is None


def test_the_language_of_a_question_is_identified_among_those_of_the_pool() -> None:
    among = ["en", "fi", "zh"]
    texts = ["Which currency is used in Finland?", "Mitä valuuttaa Suomessa käytetään?", "芬兰使用什么货币？"]
    assert [identify(text, among) for text in texts] == among
    assert identify("Which currency?", ["en", "xo"]) is None


# --- one thing -----------------------------------------------------------------------------------------------------


def changed(kind: str, passages: pl.DataFrame) -> pl.DataFrame:
    """Passages of another benchmark: one text corrected, or more or fewer of them."""
    if kind == "corrected":
        return passages.with_columns(text=pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("bada")).otherwise("text"))
    return passages[:-20] if kind == "fewer" else pl.concat([passages, passages.with_columns(id="more-" + pl.col("id"))])


CHANGES = ("corrected", "fewer", "more")


@pytest.fixture(scope="module")
def others(indexed: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Benchmarks, vectors and indexes of the model `words` over changed passages."""
    folder = tmp_path_factory.mktemp("others")
    for kind in CHANGES:
        shutil.copytree(corpus / "toy", folder / kind / "toy")
        path = folder / kind / "toy/passages.parquet"
        PASSAGES.write(changed(kind, PASSAGES.read(path)), path)
        vectors = encoded(indexed / "words/model", folder / kind, folder / kind / "vectors")
        index(vectors, folder / kind / "toy", folder / kind / "index")
    return folder


@pytest.fixture
def ask(indexed: Path, corpus: Path) -> Callable[[Path], Found]:
    """Asks an index for the ten passages nearest to a text."""
    question = PASSAGES.read(corpus / "toy/passages.parquet")["text"][5]
    return lambda folder: find(str(indexed / "words/model"), folder, question, count=10, lang="en", device="cpu")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_input_gives_the_same_bytes_and_index_json_names_them(indexed: Path, corpus: Path, tmp_path: Path) -> None:
    index(indexed / "words/vectors", corpus / "toy", tmp_path / "again")
    assert contents(tmp_path / "again") == contents(indexed / "words/index")
    about = json.loads((tmp_path / "again/index.json").read_text())
    for name in FILES[:2]:
        path = tmp_path / "again" / name
        assert about["files"][name] == {"bytes": path.stat().st_size, "sha256": sha256(path)}
    assert about["model"] == json.loads((indexed / "words/vectors/encode.json").read_text())["model"]
    assert PASSAGES.read(tmp_path / "again/ids.parquet").equals(PASSAGES.read(corpus / "toy/passages.parquet"))


@pytest.mark.parametrize("kind", ["ivf", "sq", "ivfpq", "hnsw"])
def test_every_kind_bears_its_stamp(indexed: Path, corpus: Path, tmp_path: Path, ask: Callable[[Path], Found], kind: str) -> None:
    index(indexed / "words/vectors", corpus / "toy", tmp_path, IndexKind.model_validate({"kind": kind}))
    assert ask(tmp_path).hits[0].id == "p5"


def test_texts_come_from_any_group_of_rows(
    indexed: Path, corpus: Path, tmp_path: Path, ask: Callable[[Path], Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "GROUP", 7)
    index(indexed / "words/vectors", corpus / "toy", tmp_path)
    assert ask(tmp_path) == ask(indexed / "words/index")
    table = PASSAGES.read(corpus / "toy/passages.parquet").select("id", "lang", "text")
    with open_files(tmp_path) as opened:
        rows = [119, *range(30), 6, 7]
        assert opened.texts(rows) == table[rows].to_dicts()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("at", range(4))
def test_a_kill_between_any_two_writes_leaves_the_old_index_or_one_that_is_refused(
    indexed: Path,
    others: Path,
    tmp_path: Path,
    ask: Callable[[Path], Found],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    at: int,
) -> None:
    shutil.copytree(indexed / "words/index", tmp_path / "index")
    renamed: list[str] = []
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if target.name in FILES:
            if len(renamed) == at:
                raise KeyboardInterrupt
            renamed.append(target.name)
        return replace(self, target)

    def rebuild() -> None:
        index(others / change / "vectors", others / change / "toy", tmp_path / "index")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        if at < 3:
            with pytest.raises(KeyboardInterrupt):
                rebuild()
        else:
            rebuild()
    assert renamed == list(FILES[:at])
    if at in (0, 3):
        assert ask(tmp_path / "index") == ask(indexed / "words/index" if at == 0 else others / change / "index")
    else:
        with pytest.raises(
            KoineError, match=r"(index\.faiss|ids\.parquet): not the file that .*index\.json was written for .* run it again"
        ):
            ask(tmp_path / "index")
    rebuild()
    assert contents(tmp_path / "index") == contents(others / change / "index")


KILLED = """
import os, signal, sys
from pathlib import Path
from koine.index.build import index
from koine.params import IndexKind
replace = Path.replace
def killed(self, target):
    if target.name == "ids.parquet":
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = killed
index(*map(Path, sys.argv[1:]))
"""


def test_a_process_killed_between_two_files_leaves_an_index_that_is_refused(
    indexed: Path, others: Path, tmp_path: Path, ask: Callable[[Path], Found]
) -> None:
    shutil.copytree(indexed / "words/index", tmp_path / "index")
    own = others / "corrected"
    done = subprocess.run([sys.executable, "-c", KILLED, own / "vectors", own / "toy", tmp_path / "index"], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with pytest.raises(KoineError, match="its stamp is another"):
        ask(tmp_path / "index")


def put(source: Path, folder: Path) -> None:
    """Replace an index by another, file by file, as `koine index` does."""
    for name in FILES:
        shutil.copyfile(source / name, folder / f".{name}")
        (folder / f".{name}").replace(folder / name)


def answers(ask: Callable[[Path], Found], folder: Path) -> Found | None:
    """What a search finds; None where it says that the index is being made again."""
    try:
        return ask(folder)
    except KoineError as error:
        assert "The index is being made again" in str(error)
        return None


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("point", ["read_about", "index.faiss", "ids.parquet", "open_index", "ParquetFile", "load", "texts"])
def test_a_search_during_a_rebuild_never_mixes(
    indexed: Path,
    others: Path,
    tmp_path: Path,
    ask: Callable[[Path], Found],
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    point: str,
) -> None:
    shutil.copytree(indexed / "words/index", tmp_path / "index")
    old, new = ask(indexed / "words/index"), ask(others / change / "index")
    places = {
        "read_about": (files, "read_about"),
        "open_index": (files, "open_index"),
        "ParquetFile": (files.pyarrow.parquet, "ParquetFile"),
        "load": (searching.backbones, "load"),
        "texts": (files.Opened, "texts"),
    }
    where, name = places.get(point, (files, "_open"))
    call = getattr(where, name)

    def swapped(*given: object) -> object:
        if name == "_open" and point not in given:
            return call(*given)
        if name == "open_index":  # between the check of the stamp and FAISS, which opens by name
            put(others / change / "index", tmp_path / "index")
            return call(*given)
        done = call(*given)
        put(others / change / "index", tmp_path / "index")
        return done

    monkeypatch.setattr(where, name, swapped)
    found = answers(ask, tmp_path / "index")
    monkeypatch.undo()
    if point in ("ParquetFile", "load", "texts"):
        assert found == old  # its files are held
    else:
        assert found in (None, new) and found != old
    assert ask(tmp_path / "index") == new


def test_searches_beside_one_rebuild_after_another_never_mix(
    indexed: Path, others: Path, tmp_path: Path, ask: Callable[[Path], Found]
) -> None:
    shutil.copytree(indexed / "words/index", tmp_path / "index")
    both = [others / "corrected/index", indexed / "words/index"]
    wanted = [ask(folder) for folder in both]
    stop = threading.Event()

    def rebuild() -> None:
        while not stop.is_set():
            for folder in both:
                put(folder, tmp_path / "index")

    beside = threading.Thread(target=rebuild)
    beside.start()
    try:
        found = [answers(ask, tmp_path / "index") for _ in range(40)]
    finally:
        stop.set()
        beside.join()
    assert all(one is None or one in wanted for one in found)


# --- what is refused -----------------------------------------------------------------------------------------------


def test_another_model_of_the_same_width_is_refused_and_a_copy_of_the_same_is_not(
    indexed: Path, corpus: Path, tmp_path: Path
) -> None:
    folder = indexed / "aligned"
    other = train_one(corpus, tmp_path / "other", strategy="x-y", seed=2)
    with pytest.raises(KoineError, match=rf"{other}: not the model that made {folder / 'index'}: .*index\.json"):
        find(str(other), folder / "index", "words", count=3, lang="en", device="cpu")
    shutil.copytree(folder / "model", tmp_path / "copy")
    (tmp_path / "copy/README.md").write_text("a card")
    question = PASSAGES.read(corpus / "toy/passages.parquet")["text"][5]
    found = find(str(tmp_path / "copy"), folder / "index", question, count=3, lang="en", device="cpu")
    assert found.hits == find(str(folder / "model"), folder / "index", question, count=3, lang="en", device="cpu").hits


def test_an_index_of_debiased_vectors_is_refused(indexed: Path, corpus: Path, tmp_path: Path) -> None:
    encode_debias(indexed / "aligned/vectors", corpus / "toy", tmp_path / "once", "centre")
    encode_debias(tmp_path / "once", corpus / "toy", tmp_path / "twice", "lir")
    index(tmp_path / "twice", corpus / "toy", tmp_path / "index")
    with pytest.raises(KoineError, match=r"index: holds vectors after encode-debias \(centre\+lir\)"):
        find(str(indexed / "aligned/model"), tmp_path / "index", "words", count=3, lang="en", device="cpu")


@pytest.mark.parametrize("about", [None, {"encoder_calls": 4}, []])
def test_vectors_of_an_unknown_model_get_no_index(indexed: Path, corpus: Path, tmp_path: Path, about: object) -> None:
    shutil.copytree(indexed / "words/vectors", tmp_path / "vectors")
    (tmp_path / "vectors/encode.json").unlink()
    if about is not None:
        write_json(tmp_path / "vectors/encode.json", about)
    with pytest.raises(KoineError, match=r"encode\.json: does not say which model .* koine encode"):
        index(tmp_path / "vectors", corpus / "toy", tmp_path / "index")
    assert not (tmp_path / "index").exists()


def cut(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def longer(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes() + b"12345")


def bare(path: Path, other: Path) -> None:
    """The same size, but without its last bytes, where an index has its stamp."""
    path.write_bytes(path.read_bytes()[:-90] + bytes(90))


def others_file(path: Path, other: Path) -> None:
    shutil.copyfile(other / path.name, path)


def others_size(path: Path, other: Path) -> None:
    """Another's file, with index.json put right as to its size."""
    others_file(path, other)
    about = json.loads((path.parent / "index.json").read_text())
    about["files"][path.name]["bytes"] = path.stat().st_size
    write_json(path.parent / "index.json", about)


def rows_dropped(path: Path, other: Path) -> None:
    """A table filtered by a program that keeps the metadata, with index.json put right as to its size."""
    import pyarrow.parquet as parquet

    parquet.write_table(parquet.read_table(path)[:-3], path)
    about = json.loads((path.parent / "index.json").read_text())
    about["files"][path.name]["bytes"] = path.stat().st_size
    write_json(path.parent / "index.json", about)


def without(key: str) -> Callable[[Path, Path], None]:
    def spoil(path: Path, other: Path) -> None:
        about = json.loads(path.read_text())
        del about[key]
        write_json(path, about)

    return spoil


def says(text: str) -> Callable[[Path, Path], None]:
    return lambda path, other: path.write_text(text) and None


def gone(path: Path, other: Path) -> None:
    path.unlink()


BROKEN: dict[str, tuple[str, Callable[[Path, Path], None], str]] = {
    "json missing": ("index.json", gone, "no such file"),
    "json empty": ("index.json", says("{}"), "not as koine index writes it"),
    "json a list": ("index.json", says("[]"), "not as koine index writes it"),
    "json half": ("index.json", says('{"kind"'), "not valid JSON"),
    "json of before": ("index.json", without("stamp"), "stamp: Field required"),
    "json without a file": ("index.json", says(""), "not valid JSON"),
    "json without kind": ("index.json", without("kind"), "kind: Field required"),
    "json without files": ("index.json", without("files"), "files: Field required"),
    "json of another": ("index.json", others_file, "index.faiss: not the file"),
    **{f"{name} missing": (name, gone, f"{name}: no such file, though") for name in FILES[:2]},
    **{f"{name} cut": (name, cut, f"{name}: not the file .* bytes instead of") for name in FILES[:2]},
    **{f"{name} longer": (name, longer, f"{name}: not the file .* bytes instead of") for name in FILES[:2]},
    **{f"{name} of another": (name, others_file, f"{name}: not the file .*") for name in FILES[:2]},
    **{f"{name} of another size": (name, others_size, f"{name}: not the file .*its stamp is another") for name in FILES[:2]},
    "index bare": ("index.faiss", bare, "index.faiss: not the file .*its stamp is another"),
    "ids bare": ("ids.parquet", bare, "ids.parquet: not a whole parquet file"),
    "ids filtered": ("ids.parquet", rows_dropped, "different numbers of passages .*index.faiss 120, ids.parquet 117"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("change", ["fewer", "more"])
def test_a_broken_index_is_refused_in_words(
    indexed: Path, others: Path, tmp_path: Path, ask: Callable[[Path], Found], case: str, change: str
) -> None:
    name, spoil, message = BROKEN[case]
    shutil.copytree(indexed / "words/index", tmp_path / "index")
    spoil(tmp_path / "index" / name, others / change / "index")
    with pytest.raises(KoineError, match=message) as refused:
        ask(tmp_path / "index")
    assert str(tmp_path / "index") in str(refused.value)
    if "valid JSON" not in message:
        assert "koine index" in str(refused.value)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("", "the question is blank"),
        (" \t\n", "the question is blank"),
        ("\u200b\x1b\u3000", "the question is blank"),
        ("caf\udce9?", "not valid Unicode at character 4: .*UTF-8"),
    ],
)
def test_a_question_without_words_or_that_is_no_unicode_is_refused(indexed: Path, question: str, message: str) -> None:
    with pytest.raises(KoineError, match=message):
        find(str(indexed / "words/model"), indexed / "words/index", question, count=3, lang=None, device="cpu")


# --- what is shown -------------------------------------------------------------------------------------------------

NASTY = "Born in 1815 he [/x] [bold]lived[/] :smile: \x1b[2J\x9b31m \u202eevil\u2066 caf\u00e9 \u4e2d \U0001f600"


@pytest.fixture
def nasty(indexed: Path, corpus: Path, tmp_path: Path) -> Iterator[list[str]]:
    """Options of a search that finds a passage full of what terminals and rich would interpret."""
    table = PASSAGES.read(corpus / "toy/passages.parquet")
    other = pl.int_range(pl.len()) != 5
    shutil.copytree(corpus / "toy", tmp_path / "toy")
    PASSAGES.write(
        table.with_columns(
            text=pl.when(other).then("text").otherwise(pl.lit(NASTY)),
            id=pl.when(other).then("id").otherwise(pl.lit("[red]\x1b]52;")),
            lang=pl.when(other).then("lang").otherwise(pl.lit("[x]")),
        ),
        tmp_path / "toy/passages.parquet",
    )
    index(indexed / "words/vectors", tmp_path / "toy", tmp_path / "index")  # row 5 keeps its vector
    question = f"[b] \x1b[2J \u202e {table['text'][5]}"
    yield ["search", "--model", str(indexed / "words/model"), "--index", str(tmp_path / "index"), question]


@pytest.mark.parametrize("charset", ["utf-8", "ascii", "latin-1"])
def test_the_table_shows_text_as_text(nasty: list[str], charset: str) -> None:
    done = CliRunner(charset=charset).invoke(app, [*nasty, "--count", "2", "--lang", "[/x]"], env={"COLUMNS": "180"})
    assert done.exit_code == 0, done.output
    head, first = done.stdout.splitlines()[0], next(line for line in done.stdout.splitlines() if "1815" in line)
    assert head.startswith("[b] \\u001b[2J \\u202e ") and head.endswith("([/x])")
    letters = {"utf-8": "caf\u00e9 \u4e2d", "latin-1": "caf\u00e9 \\u4e2d", "ascii": "caf\\u00e9 \\u4e2d"}[charset]
    shown = f"Born in 1815 he [/x] [bold]lived[/] :smile: \\u001b[2J\\u009b31m \\u202eevil\\u2066 {letters}"
    assert all(part in first for part in (shown, "[red]\\u001b]52;", "[x]"))
    assert max(map(len, done.stdout.splitlines())) <= 180


@pytest.mark.parametrize("charset", ["utf-8", "ascii", "latin-1"])
def test_json_holds_all_letters_and_no_control(nasty: list[str], charset: str) -> None:
    done = CliRunner(charset=charset).invoke(app, [*nasty, "--json", "--count", "1", "--lang", "en"])
    assert done.exit_code == 0, done.output
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066]", done.stdout)
    found = json.loads(done.stdout)
    assert found["question"] == nasty[-1]
    hit = found["hits"][0]
    assert (hit["text"], hit["id"], hit["lang"]) == (NASTY, "[red]\x1b]52;", "[x]")
