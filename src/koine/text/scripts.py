"""Scripts that set no space between words: the one list, for all who look for words or put sentences together."""

from typing import NamedTuple

from koine.languages import script


class Unspaced(NamedTuple):
    r"""Scripts whose words are not set apart.

    Attributes:
        codes: by ISO 15924, as `languages.script` gives them.
        names: by Unicode.
        shared: characters that Unicode gives to no script, though they are these scripts' alone: `ー` belongs to kana. Script
            extensions would say so, too, but they also count marks of Latin letters, as in `g̃`, to Thai.
        per_word: how many characters make up a word, roughly.
        between: what stands between two sentences: Thai, Lao, Khmer and Burmese set a space there.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    shared: str
    per_word: int
    between: str

    @property
    def letters(self) -> str:
        """Their characters, as a class of a regular expression holds them; read by `regex` and by polars."""
        return "".join(rf"\p{{{name}}}" for name in self.names) + self.shared


#: Tibetan is not among them: a tsheg stands between its syllables.
UNSPACED = (
    Unspaced(("Hani", "Hans", "Hant", "Jpan"), ("Han", "Hiragana", "Katakana"), "ー", 2, ""),
    Unspaced(("Thai", "Laoo", "Khmr", "Mymr"), ("Thai", "Lao", "Khmer", "Myanmar"), "", 4, " "),
)
#: Characters of all of them, and what words of any script consist of, each as a class of a regular expression holds it.
UNSPACED_LETTERS = "".join(scripts.letters for scripts in UNSPACED)
LETTERS = r"\p{L}\p{M}\p{N}"


def _of(lang: str) -> Unspaced | None:
    code = script(lang)
    return next((scripts for scripts in UNSPACED if code in scripts.codes), None)


def spaced(lang: str) -> bool:
    """Whether a language, as it is usually written, sets a space between words.

    >>> [lang for lang in ("fi", "ko", "zh", "yue", "ja", "th", "zh-Latn") if not spaced(lang)]
    ['zh', 'yue', 'ja', 'th']
    """
    return _of(lang) is None


def joiner(lang: str) -> str:
    """What stands between two sentences of a language.

    >>> joiner("fi"), joiner("th"), joiner("yue")
    (' ', ' ', '')
    """
    unspaced = _of(lang)
    return unspaced.between if unspaced else " "
