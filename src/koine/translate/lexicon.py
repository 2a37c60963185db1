"""The `lexicon` backend: word by word from bilingual dictionaries, for languages that no MT system serves.

The result is no translation that a person would accept; it is enough to tie two languages' vocabularies
together, which is what cross-lingual batches need (and how a hundred languages can be reached).
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import regex

from koine.collect.formats.dictionary import read_dictionary
from koine.runtime.errors import KoineError
from koine.text.scripts import spaced

LONGEST_HEADWORD = 3  # words; `prime minister` is looked up before `prime`
# Words that carry grammar, not meaning, and whose dictionary entries mislead a word-by-word translation.
FUNCTION_WORDS = frozenset(["a", "an", "the", "to", "of", "do", "does", "did"])
_TOKEN = regex.compile(r"\p{L}[\p{L}\p{M}'’-]*|\p{N}(?:[\p{N}\p{L}]|[.,](?=\p{N}))*|[^\s\p{L}\p{N}]")
_HARAKAT = regex.compile(r"[\u064b-\u0652\u0670\u0640]")  # Arabic vowel signs, which running text leaves out


class Lexicon:
    """Bilingual dictionaries for one direction.

    Args:
        files: Wiktionary's dictionaries in ding format.
        source: language of the texts, which must be English: words are stemmed as English ones.
        target: language of the translations (BCP 47).
        rows: not needed; as every look-up gets them.

    Raises:
        KoineError: the source language is not English.
    """

    def __init__(self, files: Sequence[Path], source: str, target: str, rows: pl.DataFrame | None = None) -> None:
        if source != "en":
            raise KoineError(f"translate.backend lexicon goes from English; translate.source is {source!r}")
        self._spaced = spaced(target)
        senses: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for path in files:
            for word, translation in read_dictionary(path):
                senses[_key(word)][_plain(translation)] += 1
        # The translation that most senses share; the first one listed, among equals.
        self._entries = {word: counts.most_common(1)[0][0] for word, counts in senses.items()}

    def __len__(self) -> int:
        return len(self._entries)

    def translate(self, texts: Sequence[str]) -> list[str | None]:
        """Each text word by word; unknown words, numbers and punctuation are kept."""
        return [self._join(self._words(_TOKEN.findall(text))) for text in texts]

    def _words(self, tokens: list[str]) -> Iterator[str]:
        position = 0
        while position < len(tokens):
            for length in range(min(LONGEST_HEADWORD, len(tokens) - position), 0, -1):
                found = self._lookup(_key(" ".join(tokens[position : position + length])))
                if found is not None:
                    yield found
                    break
            else:
                length = 1
                if tokens[position].casefold() not in FUNCTION_WORDS:
                    yield tokens[position]
            position += length

    def _lookup(self, word: str) -> str | None:
        if word in FUNCTION_WORDS:
            return None
        return next((self._entries[stem] for stem in stems(word) if stem in self._entries), None)

    def _join(self, words: Iterator[str]) -> str:
        text = " ".join(words)
        if not self._spaced:  # spaces stay between two words that were kept as they are
            text = regex.sub(r"(?<![\p{Latin}\p{N}]) | (?![\p{Latin}\p{N}])", "", text)
        return str(regex.sub(r"\s+(?=[.,;:!?%)\]])", "", text))


def stems(word: str) -> Iterator[str]:
    """The word itself, then what it may be inflected from: `cities` city, `running` run, `created` create."""
    yield word
    for suffix, endings in (
        ("'s", ("",)),
        ("ies", ("y",)),
        ("ied", ("y",)),
        ("es", ("", "e")),
        ("s", ("",)),
        ("ing", ("", "e")),
        ("ed", ("", "e")),
        ("er", ("", "e")),
        ("est", ("", "e")),
        ("ly", ("",)),
    ):
        base = word.removesuffix(suffix)
        if base != word and len(base) > 2:
            yield from (base + ending for ending in endings)
            if suffix in {"ing", "ed", "er", "est"} and base[-1] == base[-2]:
                yield base[:-1]


def _key(word: str) -> str:
    return word.casefold().replace("’", "'")


def _plain(translation: str) -> str:
    return unicodedata.normalize("NFC", _HARAKAT.sub("", translation))
