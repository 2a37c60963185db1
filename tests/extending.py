"""Carry out what docs/extend.md says, word by word, in a scratch copy of the package."""

import filecmp
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
GENERATED = ["params.yaml", "workflow/schemas/params.schema.json"]
_STEP = re.compile(
    r"(?:of\s`(?P<registry>[A-Z]+)`,\s)?in\s`(?P<file>src/koine/[\w/]+\.py)`:\n\n(?P<code> *```python\n.*?\n *```)\n", re.DOTALL
)


class Scratch:
    """A copy of the package and of its parameters, and the edits of one section of the page carried out in it.

    Args:
        folder: where.
        heading: of the section. Its steps end in "in `FILE`:" and a block of Python: a new file, an entry of the registry that
            is named (the last one), or something at the end of the file.

    Attributes:
        recipe: the section's block of YAML.
        commands: its block of shell commands.
    """

    def __init__(self, folder: Path, heading: str) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "src/koine", folder / "src/koine", ignore=shutil.ignore_patterns("__pycache__"))
        for name in GENERATED:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        page = (ROOT / "docs/extend.md").read_text(encoding="utf-8")
        section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        for step in _STEP.finditer(section):
            self._edit(folder / step["file"], step["registry"], _block(step["code"], "python"))
        self.recipe, self.commands = _block(section, "yaml"), _block(section, "bash")

    @staticmethod
    def _edit(path: Path, registry: str | None, code: str) -> None:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if registry:
            head, start, rest = text.partition(f"\n{registry}: Registry")
            entries, end, tail = rest.partition("\n}\n")
            assert start and end, (path, registry)
            path.write_text(f"{head}{start}{entries}\n{code}{end[1:]}{tail}", encoding="utf-8")
        else:
            path.write_text(f"{text}\n\n{code}" if text else code, encoding="utf-8")

    def touched(self) -> list[str]:
        """The files that differ from the repository's, without those that the commands made."""
        files = [*self.folder.glob("src/koine/**/*"), *(self.folder / name for name in GENERATED)]
        names = [path.relative_to(self.folder) for path in sorted(files) if path.is_file()]
        same = ((ROOT / name).is_file() and filecmp.cmp(ROOT / name, self.folder / name, shallow=False) for name in names)
        return [str(name) for name, is_same in zip(names, same, strict=True) if not is_same]

    def shell(self, commands: str) -> "subprocess.CompletedProcess[str]":
        """Run commands in the folder, with the edited package."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        more = {"PATH": path, "PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
        return subprocess.run(
            ["bash", "-euc", commands], cwd=self.folder, env=os.environ | more, capture_output=True, text=True, check=False
        )


def _block(text: str, language: str) -> str:
    """The first block of a language, without its indentation."""
    found = re.search(rf"^ *```{language}\n(?P<code>.*?)\n *```$", text, re.DOTALL | re.MULTILINE)
    assert found, (language, text)
    return dedent(found["code"]) + "\n"
