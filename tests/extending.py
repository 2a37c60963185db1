"""Carry out what a page says about extending Koine, word by word, in a scratch copy of the package."""

import filecmp
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
_STEP = re.compile(r"in `(?P<file>src/koine/[\w/]+\.py)`:\n\n(?P<code> *```python\n.*?\n *```)\n", re.DOTALL)


class Scratch:
    """A copy of the package, and the edits of one section of a page carried out in it.

    Args:
        folder: where.
        page: a page of docs/.
        heading: of the section. Its steps end in "in `FILE`:" and a block of Python: a new file, an entry of the registry at the
            file's top level (the last one), or something at the end of the file.
    """

    def __init__(self, folder: Path, page: str, heading: str) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "src/koine", folder / "src/koine", ignore=shutil.ignore_patterns("__pycache__"))
        section = (ROOT / "docs" / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        for step in _STEP.finditer(section):
            code = dedent(step["code"]).removeprefix("```python\n").removesuffix("```")
            self._edit(folder / step["file"], code)

    @staticmethod
    def _edit(path: Path, code: str) -> None:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if code.startswith('"') and not code.startswith('"""'):  # an entry: before the end of the registry
            head, _, tail = text.rpartition("\n}\n") if text.endswith("\n}\n") else text.partition("\n}\n")
            path.write_text(f"{head}\n{code}}}\n{tail}", encoding="utf-8")
        else:
            path.write_text(f"{text}\n\n{code}" if text else code, encoding="utf-8")

    def touched(self) -> list[str]:
        """The files that differ from the package's."""
        files = (path.relative_to(self.folder) for path in sorted(self.folder.glob("src/koine/**/*")) if path.is_file())
        return [
            str(path)
            for path in files
            if not (ROOT / path).is_file() or not filecmp.cmp(ROOT / path, self.folder / path, shallow=False)
        ]

    def run(self, *words: str | Path) -> str:
        """Run Python in the folder, with the edited package; gives what it printed."""
        env = {**os.environ, "PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        result = subprocess.run(
            [sys.executable, *map(str, words)], cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    def koine(self, *words: str | Path) -> str:
        """Run a command of the edited package."""
        return self.run("-c", "from koine.cli import main; main()", *words)
