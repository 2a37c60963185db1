"""Translate: memories and dictionaries are looked up faithfully, and every distinct text is translated just once."""

import inspect
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from extending import ROOT
from hypothesis import given
from hypothesis import strategies as st

from koine import names
from koine.params import parse
from koine.records import QA, TRANSLATION
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id
from koine.text.normalise import words
from koine.text.scripts import joiner
from koine.text.sentences import split
from koine.translate.backends import BACKENDS
from koine.translate.lexicon import FUNCTION_WORDS, Lexicon, stems
from koine.translate.memory import Memory
from koine.translate.shard import translate

Frames = Callable[..., pl.DataFrame]


def memory_file(path: Path, pairs: dict[str, str] | list[tuple[str, str]], source: str = "en", target: str = "fi") -> Path:
    entries = pairs.items() if isinstance(pairs, dict) else pairs
    rows = ({"source_lang": source, "target_lang": target, "source": a, "target": b} for a, b in entries)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def dictionary(path: Path, *entries: str) -> Path:
    path.write_text("\n".join(entries) + "\n", encoding="utf-8")
    return path


# --- sentences -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sentences",
    [
        ["It rains.", "Who knows why?", "Nobody!"],
        ["Dr. Smith met J. R. R. Tolkien, i.e. the writer, in St. Louis.", "They talked."],
        ["He said “Now.”", "(She agreed.)", "Then 3 left."],
        ["What?!", "Really...", "Yes."],
        ["It cost 3.50 dollars.", "Much?"],
        ["Das kostet ca. 5 Euro, z.B. hier.", "Gut."],
        ["¿Quién es?", "¡Nadie!", "«Bien.»", "Ñandú."],
        ["Привет.", "Как дела?", "«Хорошо!»", "Да."],
        ["كيف حالك؟", "أنا بخير.", "شكرا!"],
        ["آپ کیسے ہیں؟", "میں ٹھیک ہوں۔", "شکریہ۔"],
        ["राम घर गया।", "सीता कहाँ है?", "वह आई।"],
        ["Γεια.", "Τι κάνεις?", "Καλά."],
    ],
)
def test_sentences_of_scripts_with_spaces_end_at_their_marks(sentences: list[str]) -> None:
    assert split(" ".join(sentences)) == sentences
    assert split("\n".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["你好。", "他是谁？", "不知道！"],
        ["“你好。”", "他说。", "「是。」", "完"],
        ["真的？！", "他走了。", "什么？？？", "没有。"],
        ["今日は。", "元気ですか？", "はい！"],
    ],
)
@pytest.mark.parametrize("between", ["", " ", "\n", "\u3000"])
def test_chinese_and_japanese_sentences_end_at_their_marks_with_or_without_space(sentences: list[str], between: str) -> None:
    assert split(between.join(sentences)) == sentences


@pytest.mark.parametrize("text", ["สวัสดี วันนี้ฝนตก เขาไปบ้าน", "one without an end", "e.g. this", "3.14", "version 2.0 is out"])
def test_where_no_mark_ends_a_sentence_the_text_stays_whole(text: str) -> None:
    assert split(text) == [text]


def test_nothing_has_no_sentences() -> None:
    assert split("") == split(" \n ") == []


MIXED = st.lists(
    st.sampled_from([*".!?؟۔।॥…。！？｡ \n\u3000\"'”’)」(“«", "A", "b", "Ж", "ن", "क", "中", "の", "ก", "7", "Mr", "z.B"]),
    max_size=20,
)


@given(text=st.one_of(MIXED.map("".join), st.text()))
def test_the_words_of_the_sentences_are_the_words_of_the_text(text: str) -> None:
    sentences = split(text)
    assert [word for sentence in sentences for word in words(sentence)] == words(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)


# --- memory ----------------------------------------------------------------------------------------------


def test_a_text_is_looked_up_exactly_then_folded_then_by_sentence(tmp_path: Path) -> None:
    entries = {"Who wrote it?": "Kuka sen kirjoitti?", "who wrote it": "kuka sen kirjoitti", "It was Ada.": "Se oli Ada."}
    memory = Memory([memory_file(tmp_path / "m.jsonl", entries)], "en", "fi")
    assert len(memory) == 3
    texts = ["Who wrote it?", "who wrote it", " WHO WROTE IT!", "Who wrote it? “It was Ada.”"]
    assert memory.translate(texts) == [
        *("Kuka sen kirjoitti?", "kuka sen kirjoitti", "Kuka sen kirjoitti?"),
        "Kuka sen kirjoitti? Se oli Ada.",
    ]


def test_a_whole_text_comes_before_its_sentences(tmp_path: Path) -> None:
    entries = {"Yes.": "Kyllä.", "It rains.": "Sataa.", "Yes. It rains.": "Kyllä sataa."}
    assert Memory([memory_file(tmp_path / "m.jsonl", entries)], "en", "fi").translate(["Yes. It rains."]) == ["Kyllä sataa."]


def test_what_is_missing_is_none_also_where_only_one_sentence_is(tmp_path: Path) -> None:
    memory = Memory([memory_file(tmp_path / "m.jsonl", {"Yes.": "Kyllä.", "Never.": "Ei."})], "en", "fi")
    assert memory.translate(["Maybe.", "Yes. Maybe.", "Yes. Never. Yes.", ""]) == [None, None, "Kyllä. Ei. Kyllä.", None]


def test_the_first_entry_wins_within_a_file_and_over_files(tmp_path: Path) -> None:
    first = memory_file(tmp_path / "1.jsonl", [("yes", "joo"), ("yes", "kyllä"), ("YES!", "juu"), ("blank", " ")])
    second = memory_file(tmp_path / "2.jsonl", {"yes": "niin", "no": "ei", "blank": "tyhjä"})
    assert Memory([first, second], "en", "fi").translate(["yes", "Yes?", "no", "blank"]) == ["joo", "joo", "ei", "tyhjä"]


def test_only_the_asked_direction_counts(tmp_path: Path) -> None:
    files = [memory_file(tmp_path / "a", {"yes": "ja"}, "en", "de"), memory_file(tmp_path / "b", {"kyllä": "yes"}, "fi", "en")]
    assert len(Memory(files, "en", "fi")) == 0
    assert Memory(files, "en", "de").translate(["yes"]) == ["ja"]


def test_chinese_sentences_are_joined_without_a_space(tmp_path: Path) -> None:
    memory = Memory([memory_file(tmp_path / "m", {"Yes.": "是。", "Never.": "不。"}, "en", "zh")], "en", "zh")
    assert memory.translate(["Yes. Never."]) == ["是。不。"]
    assert [joiner(lang) for lang in ("zh", "zh-Hant", "ja", "fi", "th")] == ["", "", "", " ", " "]


def test_a_text_of_punctuation_alone_is_not_taken_for_another(tmp_path: Path) -> None:
    memory = Memory([memory_file(tmp_path / "m", {"%": "prosentti"})], "en", "fi")
    assert memory.translate(["%", "$", ""]) == ["prosentti", None, None]


@given(pairs=st.dictionaries(st.text(min_size=1, max_size=8).filter(str.strip), st.just("translated"), max_size=5))
def test_every_entry_is_found_again(tmp_path_factory: pytest.TempPathFactory, pairs: dict[str, str]) -> None:
    memory = Memory([memory_file(tmp_path_factory.getbasetemp() / "m", pairs)], "en", "fi")
    assert memory.translate(list(pairs)) == ["translated"] * len(pairs)


# --- lexicon ---------------------------------------------------------------------------------------------


@pytest.fixture
def finnish(tmp_path: Path) -> Lexicon:
    entries = [
        *("city {n} :: kaupunki", "run {v} :: juosta", "create {v} :: luoda", "big {adj} :: suuri", "house {n} :: talo"),
        *("prime {adj} :: alku", "minister {n} :: pappi", "prime minister {n} :: pääministeri", "France {prop} :: Ranska"),
        *("bank {n} (money) :: pankki", "bank {n} (edge) :: ranta", "bank {n} (building) :: pankki", "the {article} :: se"),
        *("quick {adj} :: nopea", "take place {v} :: tapahtua"),
    ]
    return Lexicon([dictionary(tmp_path / "d.txt", *entries)], "en", "fi")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cities", "kaupunki"),
        ("running", "juosta"),
        ("created creates creating", "luoda luoda luoda"),
        ("bigger biggest", "suuri suuri"),
        ("quickly", "nopea"),
        ("France's house", "Ranska talo"),
        ("France’s house", "Ranska talo"),
        ("PRIME minister", "pääministeri"),
        ("prime house", "alku talo"),
        ("The bank of a city", "pankki kaupunki"),
        ("Houston, 1999: big!", "Houston, 1999: suuri!"),
        ("takes place", "takes place"),
        ("did take place?", "tapahtua?"),
        ("12.5 % (big)", "12.5% ( suuri)"),
        ("", ""),
    ],
)
def test_words_are_translated_by_stem_and_longest_headword_and_others_kept(finnish: Lexicon, text: str, expected: str) -> None:
    assert finnish.translate([text]) == [expected]


def test_function_words_are_dropped_even_where_the_dictionary_has_them(finnish: Lexicon) -> None:
    assert finnish.translate([" ".join(sorted(FUNCTION_WORDS))]) == [""]


def test_chinese_has_no_spaces_and_arabic_no_vowel_signs(tmp_path: Path) -> None:
    chinese = Lexicon([dictionary(tmp_path / "zh", "big {adj} :: 大 /dà/", "house {n} :: 房子 /fángzi/")], "en", "zh")
    assert chinese.translate(["The big house."]) == ["大房子."]
    arabic = Lexicon([dictionary(tmp_path / "ar", "book {n} :: كِتَاب {m} /kitāb/")], "en", "ar")
    assert arabic.translate(["books"]) == ["كتاب"]


def test_a_lexicon_goes_from_english_only(tmp_path: Path) -> None:
    with pytest.raises(KoineError, match="goes from English"):
        Lexicon([], "fi", "en")


@given(word=st.text("abeginrsty'", min_size=1, max_size=9))
def test_a_word_is_its_own_first_stem_and_stems_are_never_empty(word: str) -> None:
    found = list(stems(word))
    assert found[0] == word
    assert all(found)


@given(tokens=st.lists(st.sampled_from(["Zürich", "don't", "1,000", "été", "कि", "кот", "中", "(", "!", "%", "–", "x-ray"])))
def test_without_entries_a_text_keeps_its_words(tokens: list[str]) -> None:
    (kept,) = Lexicon([], "en", "fi").translate([" ".join(tokens)])
    assert kept is not None
    assert words(kept) == words(" ".join(tokens))


# --- the step --------------------------------------------------------------------------------------------


@pytest.fixture
def collected(tmp_path: Path, qa: Frames) -> tuple[Path, Path, Path]:
    """QA rows, a memory for nearly all of their texts, and a memory back for some."""
    rows = [
        {"question": f"Who is number {n}?", "passage": f"Number {n // 2} lives here.", "answer": f"{n % 3}"} for n in range(12)
    ]
    frame = qa(*rows, {"question": "Who is unknown?", "passage": "0", "answer": None})
    QA.write(frame, tmp_path / "qa.parquet")
    texts = sorted({text for column in ("question", "passage", "answer") for text in frame[column] if text})
    there = memory_file(tmp_path / "there.jsonl", {text: f"fi({text})" for text in texts if "unknown" not in text})
    back = memory_file(tmp_path / "back.jsonl", {f"fi({text})": text for text in texts[::2]}, "fi", "en")
    return tmp_path / "qa.parquet", there, back


def run(collected: tuple[Path, Path, Path], out: Path, shard: int = 0, shards: int = 1, **other: Any) -> pl.DataFrame:
    qa, there, back = collected
    options = {"source": "en", "target": "fi", "backend": "memory", "resources": [there], "reverse": [back], **other}
    translate(qa, out, shard=shard, shards=shards, **options)
    return TRANSLATION.read(out)


def test_each_distinct_text_is_translated_once(tmp_path: Path, collected: tuple[Path, Path, Path]) -> None:
    frame = run(collected, tmp_path / "out")
    rows = QA.read(collected[0])
    distinct = {text for column in ("question", "passage", "answer") for text in rows[column] if text is not None}
    assert sorted(frame["source"]) == sorted(distinct)
    assert frame["text_id"].to_list() == sorted(text_id(text) for text in distinct)
    for row in frame.to_dicts():
        assert row["text_id"] == text_id(row["source"])
        assert row["target"] == (None if "unknown" in row["source"] else f"fi({row['source']})")
        assert row["back"] in (None, row["source"])
    assert 0 < frame["back"].null_count() < len(frame)


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 100])
def test_shards_part_the_texts_and_change_nothing_else(tmp_path: Path, collected: tuple[Path, Path, Path], shards: int) -> None:
    whole = run(collected, tmp_path / "whole")
    parts = pl.concat([run(collected, tmp_path / "part", shard, shards) for shard in range(shards)])
    assert len(parts) == len(whole)
    assert parts.sort("text_id").equals(whole)


def test_the_same_pairs_in_any_order_give_the_same_bytes(tmp_path: Path, collected: tuple[Path, Path, Path]) -> None:
    run(collected, tmp_path / "a")
    QA.write(QA.read(collected[0]).sort("id", descending=True), collected[0])
    run(collected, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("backend", ["lexicon", "memory"])
def test_resources_that_serve_nothing_are_an_error(tmp_path: Path, collected: tuple[Path, Path, Path], backend: str) -> None:
    empty = dictionary(tmp_path / "empty.txt")
    for resources, named in (([empty], "empty.txt"), ([], "no files")):
        with pytest.raises(KoineError, match=rf"translate\.resources: .*{named} hold nothing from en to fi"):
            run(collected, tmp_path / "never", backend=backend, resources=resources)
    assert not (tmp_path / "never").exists()


def test_without_memories_back_there_is_no_back_translation(tmp_path: Path, collected: tuple[Path, Path, Path]) -> None:
    frame = run(collected, tmp_path / "out", reverse=[])
    assert frame["back"].null_count() == len(frame)


def test_unknown_latin_words_stay_apart_in_a_language_without_spaces(tmp_path: Path) -> None:
    chinese = Lexicon([dictionary(tmp_path / "zh", "house {n} :: 房子 /fángzi/")], "en", "zh")
    assert chinese.translate(["the Harry Potter house, 20th."]) == ["Harry Potter房子,20th."]


# --- backends --------------------------------------------------------------------------------------------


def test_every_entry_is_complete_and_its_class_is_called_as_its_kind_is() -> None:
    rates = yaml.safe_load(next((ROOT / "src/koine").rglob("rates.yaml")).read_text(encoding="utf-8"))
    for name, backend in BACKENDS.items():
        made = names.target(backend.make)
        wanted = ["files", "source", "target", "rows"] if backend.kind == "lookup" else ["source", "target", "options"]
        assert list(inspect.signature(made).parameters) == wanted, name
        assert hasattr(made, "translate") and backend.words and backend.rate in rates, name
        assert backend.needs_model or not backend.needs_conversion, name


def test_the_page_says_of_each_backend_what_its_entry_says() -> None:
    page = (ROOT / "docs/translate.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|.*\|$", page.partition("| backend |")[2].partition("\n\n")[0], re.MULTILINE))
    assert rows == {name: BACKENDS[name].words for name in rows}


def test_an_unknown_backend_is_an_error_that_names_the_nearest(tmp_path: Path, collected: tuple[Path, Path, Path]) -> None:
    with pytest.raises(ValueError, match=r"unknown backend 'memroy'; did you mean 'memory'\? \(known: memory, released"):
        run(collected, tmp_path / "never", backend="memroy")
    for changed in ({"backend": "transformer"}, {"backends": {"fi": "transformer"}}):
        with pytest.raises(KoineError, match="did you mean 'transformers'"):
            parse({"translate": changed})
