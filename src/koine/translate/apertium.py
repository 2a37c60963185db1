"""The `apertium` backend: rule-based translation by Debian's Apertium packages, an engine that runs on any machine."""

import shutil
import subprocess
from collections.abc import Sequence

from koine import languages
from koine.runtime.errors import KoineError

PROGRAM = "apertium"
INSTALL = "apt install apertium apertium-eng-spa apertium-eng-cat apertium-en-gl apertium-eo-en"


class Apertium:
    """One direction of Apertium.

    Args:
        source, target: languages (BCP 47).

    Raises:
        KoineError: the program or this direction is not installed.
    """

    def __init__(self, source: str, target: str) -> None:
        self._mode = _mode(source, target)

    def translate(self, texts: Sequence[str]) -> list[str]:
        """Each piece of text translated; unknown words stay as they are."""
        # The `line` format is one text, one line; a full stop right before the line's end would be lost.
        lines = [" ".join(text.split()) + " " for text in texts]
        result = subprocess.run(
            [PROGRAM, "-u", "-f", "line", self._mode], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise KoineError(f"{PROGRAM} {self._mode}: {result.stderr.strip()}")
        translated = result.stdout.split("\n")[:-1]
        if len(translated) == len(lines):
            return [" ".join(line.split()) for line in translated]
        # A few words of the Esperanto dictionary bring a line break: the text that holds one is found by halving.
        if len(lines) == 1:
            return [" ".join(result.stdout.split())]
        half = len(lines) // 2
        return self.translate(lines[:half]) + self.translate(lines[half:])

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
