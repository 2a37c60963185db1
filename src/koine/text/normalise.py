"""When two texts count as the same: one normal form for duplicates, contamination and memory look-ups."""

import unicodedata

import regex

from koine.text.scripts import LETTERS, UNSPACED, UNSPACED_LETTERS

# In scripts without spaces, every character (with its marks) counts as a word.
_WORD = regex.compile(rf"[{UNSPACED_LETTERS}]\p{{M}}*|[{LETTERS}--[{UNSPACED_LETTERS}]]+", regex.V1)
_QUARTERS = [(4 // scripts.per_word, regex.compile(f"[{scripts.letters}]")) for scripts in UNSPACED]


def quarters(token: str) -> int:
    """How much of a word a token of `words` is, in quarters: less than 4 for a character of a script without spaces.

    >>> quarters("word"), quarters("国"), quarters("ก")
    (4, 2, 1)
    """
    return next((part for part, letters in _QUARTERS if letters.match(token)), 4)


def normalise(text: str) -> str:
    """Compatibility-fold, fold case, drop punctuation and layout.

    >>> normalise("„Äpfel“  ") == normalise('"äpfel"')
    True
    """
    return " ".join(words(text))


def words(text: str) -> list[str]:
    """Case-folded words of a text, without punctuation; characters, where the script has no spaces.

    >>> words("In 東京, ラーメン!")
    ['in', '東', '京', 'ラ', 'ー', 'メ', 'ン']
    """
    found: list[str] = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return found
