"""When two texts count as the same: one normal form for duplicates, contamination and memory look-ups."""

import unicodedata

import regex

#: Characters that make up a word of these scripts, roughly: a run of n words is a run of so many times n.
_CHARACTERS = {"Han": 2, "Hiragana": 2, "Katakana": 2, "Thai": 4, "Lao": 4, "Myanmar": 4, "Khmer": 4}
# Scripts written without spaces: every character (with its marks) counts as a word.
_UNSPACED = "".join(rf"\p{{Script={script}}}" for script in _CHARACTERS)
_WORD = regex.compile(rf"[{_UNSPACED}]\p{{M}}*|[\p{{L}}\p{{M}}\p{{N}}--[{_UNSPACED}]]+", regex.V1)

_PARTS = [
    (4 // count, regex.compile("|".join(rf"\p{{Script={s}}}" for s, c in _CHARACTERS.items() if c == count))) for count in (2, 4)
]


def quarters(token: str) -> int:
    """How much of a word a token of `words` is, in quarters: less than 4 for a character of a script without spaces."""
    return next((part for part, script in _PARTS if script.match(token)), 4)


def normalise(text: str) -> str:
    """Compatibility-fold, fold case, drop punctuation and layout: `„Äpfel“  ` and `"äpfel"` become the same."""
    return " ".join(words(text))


def words(text: str) -> list[str]:
    """Case-folded words of a text, without punctuation; characters, where the script has no spaces."""
    found: list[str] = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return found
