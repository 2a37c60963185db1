"""Text: one list of scripts without spaces serves all who look for words or put sentences together."""

import polars as pl
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from koine import languages
from koine.evaluate.bm25 import analyse
from koine.filter.scores import tokens
from koine.text.normalise import quarters, words
from koine.text.scripts import LETTERS, UNSPACED, UNSPACED_LETTERS, joiner, spaced
from koine.text.sentences import join, sentences

#: A language of each script, and a word of it that other programs than ours would cut.
UNSPACED_WORDS = {
    **{"zh": "中国", "yue": "廣東話", "ja": "ラーメン", "wuu": "上海"},
    **{"th": "ไทย", "lo": "ລາວ", "km": "ខ្មែរ", "my": "မြန်မာ"},
}
SPACED_WORDS = {"fi": "sana", "ko": "한국어", "ar": "كتاب", "hi": "किताब", "bo": "བོད", "gn": "g̃uarani", "yo": "ọ̀rọ̀"}


@pytest.mark.parametrize(("lang", "word"), UNSPACED_WORDS.items())
def test_whoever_looks_for_words_finds_characters_in_the_same_scripts(lang: str, word: str) -> None:
    assert not spaced(lang)
    assert "".join(words(word)) == word and len(words(word)) > 1
    assert all(quarters(token) < 4 for token in words(word))
    assert len(tokens([word])[0]) == len(word)
    assert word not in analyse(word)[:1] and len(analyse(word)) > 2, "characters and their pairs"


@pytest.mark.parametrize(("lang", "word"), SPACED_WORDS.items())
def test_whoever_looks_for_words_finds_words_in_the_other_scripts(lang: str, word: str) -> None:
    assert spaced(lang) and joiner(lang) == " "
    assert words(word) == [word]
    assert analyse(word) == [word] or lang == "gn", "of g̃, BM25 takes the mark for Thai: a known fault, kept for the tables' sake"
    assert tokens([word])[0].to_list() == [word]
    assert quarters(word) == 4


def test_sentences_follow_each_other_without_a_space_where_their_script_sets_none() -> None:
    without = {lang for lang in UNSPACED_WORDS if not joiner(lang)}
    assert without == {"zh", "yue", "ja", "wuu"}
    assert joiner("zh-Latn") == " ", "pinyin has spaces"
    text = "One. Two."
    assert [join(text, sentences(text), ["一。", "二。"], lang)[0] for lang in ("yue", "th")] == ["一。二。", "一。 二。"]


def test_every_script_of_the_list_is_known_to_the_table_of_languages() -> None:
    codes = {code for scripts in UNSPACED for code in scripts.codes}
    assert {languages.script(lang) for lang in UNSPACED_WORDS} <= codes
    assert codes - {"Hani"} <= {languages.script(lang) for lang in (*UNSPACED_WORDS, "zh-Hant")}


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=20))  # their Unicode may be of other years
def test_the_classes_mean_the_same_to_both_engines_of_regular_expressions(text: str) -> None:
    for letters in (UNSPACED_LETTERS, LETTERS):
        assert pl.Series([text]).str.extract_all(f"[{letters}]")[0].to_list() == regex.findall(f"[{letters}]", text)
