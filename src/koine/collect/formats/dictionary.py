"""Bilingual dictionaries of Wiktionary in ding format."""

import re
from collections.abc import Iterator
from pathlib import Path

from koine.runtime.files import read_text

_ENTRY = re.compile(r"^(?P<word>.+?) \{(?P<pos>[^}]*)\}(?P<rest>.*?) ?:: ?(?P<translations>.*)$")
_TRANSCRIPTION = re.compile(r"/[^/]+/")
_NOISE = re.compile(r"\{[^}]*\}|\[[^\]]*\]|/[^/]*/|\([^)]*\)")
_NOTES = re.compile(
    r"(?i)\b(see|not used|no equivalent|no direct|no exact|usually|construction|case)\b|[][(){}/;:+~～…]| - |\.\."
)
LONGEST_TRANSLATION = 4  # words; longer ones explain instead of translating


def read_dictionary(path: Path) -> Iterator[tuple[str, str]]:
    """(headword, translation) of a Wiktionary dictionary in ding format, `word {pos} (sense) :: one, two`.

    Genders, senses, transcriptions and editors' notes are cleaned out; `SEE:` references and entries such as
    `Not used in Turkish` give nothing. Where an entry gives transcriptions, only the transcribed forms count:
    in `國王, 国王 /guówáng/` that is the simplified one.
    """
    for line in read_text(path).splitlines():
        match = _ENTRY.match(line)
        if line.startswith("#") or match is None or "SEE:" in match["rest"]:
            continue
        parts = match["translations"].split(",")
        if any(_TRANSCRIPTION.search(part) for part in parts):
            parts = [part for part in parts if _TRANSCRIPTION.search(part)]
        for part in parts:
            translation = " ".join(_NOISE.sub("", part).split())
            if translation and not _NOTES.search(translation) and len(translation.split()) <= LONGEST_TRANSLATION:
                yield match["word"], translation
