"""The `apertium` backend: rule-based translation by Debian's Apertium packages, an engine that runs on any machine."""

import shutil
import subprocess
from collections.abc import Sequence

from koine import languages
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.translate.base import Options

PROGRAM = "apertium"
BREAK = "\n\n"  # between two paragraphs
#: Debian's packages of the directions from English, by language.
PACKAGES = {"es": "apertium-eng-spa", "ca": "apertium-eng-cat", "gl": "apertium-en-gl", "eo": "apertium-eo-en"}
INSTALL = f"apt install apertium {' '.join(PACKAGES.values())}"


class Apertium:
    """One direction of Apertium.

    Args:
        source, target: languages (BCP 47).
        options: not needed; as every engine gets them.

    Raises:
        KoineError: the program or this direction is not installed.
    """

    def __init__(self, source: str, target: str, options: Options | None = None) -> None:
        self._mode = _mode(source, target)

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Each piece of text translated; unknown words stay as they are, and so does a text that crashes the program.

        A text is a paragraph, at whose end Apertium ends the sentence. A line alone would not: the last words of one text would
        be read together with the next one, and its constraint grammars take minutes over sentences that never end.
        """
        paragraphs = "".join(f"{' '.join(text.split())}{BREAK}" for text in texts)
        result = subprocess.run(
            [PROGRAM, "-u", "-f", "txt", self._mode], input=paragraphs, capture_output=True, text=True, check=False
        )
        if result.returncode and result.stderr.strip():
            raise KoineError(f"{PROGRAM} {self._mode}: {result.stderr.strip()}")
        translated = result.stdout.split(BREAK)[:-1]
        if not result.returncode and len(translated) == len(texts):
            return [" ".join(text.split()) for text in translated]
        # A few words of the Esperanto dictionary bring line breaks, and a few texts crash a part of the Catalan pipeline: the
        # text that does so is found by halving.
        if len(texts) == 1:
            if result.returncode:
                say(f"{PROGRAM} {self._mode} crashed on a text, which stays as it is: {texts[0]!r}")
            return [" ".join((texts[0] if result.returncode else result.stdout).split())]
        half = len(texts) // 2
        return self.translate(texts[:half]) + self.translate(texts[half:])

    tokens = 0

    @property
    def version(self) -> str:
        """What the results depend on: the direction and the installed program."""
        return f"{self._mode} {_run('-V').strip()}"


def _mode(source: str, target: str) -> str:
    """Apertium's own name of a direction: en-es is `eng-spa`."""
    if shutil.which(PROGRAM) is None:
        raise KoineError(f"translate.backend apertium: the program is not installed; on Debian and Ubuntu: {INSTALL}")
    modes = [mode.strip() for mode in _run("-l").splitlines()]
    # Variants such as eng-cat_valencia are other orthographies of the same direction.
    plain = {tuple(mode.split("-")): mode for mode in modes if mode.count("-") == 1 and "_" not in mode}
    for (left, right), mode in plain.items():
        if languages.canonical(left) == languages.canonical(source) and languages.canonical(right) == languages.canonical(target):
            return mode
    known = ", ".join(sorted(plain.values())) or "none"
    raise KoineError(f"translate.backend apertium: no {source} to {target} here (installed: {known}); {INSTALL}")


def _run(option: str) -> str:
    return subprocess.run([PROGRAM, option], capture_output=True, text=True, check=False).stdout
