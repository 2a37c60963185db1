"""When two texts count as the same: one normal form for duplicates, contamination and memory look-ups."""

import unicodedata

import regex

# Scripts written without spaces: every character (with its marks) counts as a word.
_UNSPACED = r"\p{Script=Thai}\p{Script=Lao}\p{Script=Myanmar}\p{Script=Khmer}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}"
_WORD = regex.compile(rf"[{_UNSPACED}]\p{{M}}*|[\p{{L}}\p{{M}}\p{{N}}--[{_UNSPACED}]]+", regex.V1)


def normalise(text: str) -> str:
    """Compatibility-fold, fold case, drop punctuation and layout: `„Äpfel“  ` and `"äpfel"` become the same."""
    return " ".join(words(text))


def words(text: str) -> list[str]:
    """Case-folded words of a text, without punctuation; characters, where the script has no spaces."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
