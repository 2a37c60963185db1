"""What a person's own files hold: a digest among a job's parameters, so that changed content reruns it, whatever its time.

Snakemake looks at an input's content only where its time is newer than the output's: a file that was replaced by one with an
older time (`cp -p`, `rsync -a`, `tar`, `unzip`), or edited with its time kept, would not be seen.
"""

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from koine.runtime.files import read_memory, sha256, write_memory

#: Nanoseconds: a file that changed so shortly before it was read may have changed again with the same time.
RECENT = 2_000_000_000


class Contents:
    """The digests of files and folders, remembered by device, inode, size and times.

    Args:
        memory: where they are kept from run to run; without it each is computed anew.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, list[Any]] = read_memory(memory)
        self._changed = False

    def digest(self, paths: Iterable[Path]) -> str:
        """Hex digits over what files and folders hold and are called; `-` stands for one that is not there.

        Args:
            paths: of files, or folders with all that is in them.

        Returns:
            `content` and sixteen digits; the empty text for no path at all.
        """
        lines = [f"{path} {self._file(path)}" for path in sorted({inner for path in paths for inner in files_of(path)})]
        self._save()
        return f"content {hashlib.sha256(text.encode()).hexdigest()[:16]}" if (text := "\n".join(lines)) else ""

    def _file(self, path: Path) -> str:
        if not path.is_file():
            return "-"
        about = path.stat()
        key = [about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns]
        known = self._known.get(str(path))
        if known and known[:-1] == key:
            return str(known[-1])
        found = sha256(path)
        if time.time_ns() - max(about.st_mtime_ns, about.st_ctime_ns) > RECENT:
            self._known[str(path)], self._changed = [*key, found], True
        return found

    def _save(self) -> None:
        if self._changed:
            write_memory(self._memory, self._known)
            self._changed = False


def files_of(path: Path) -> list[Path]:
    """A file itself, or all files below a folder but hidden ones; the path itself where nothing is there yet."""
    if not path.is_dir():
        return [path]
    inner = (file for file in path.rglob("*") if file.is_file())
    return sorted(file for file in inner if not any(part.startswith(".") for part in file.relative_to(path).parts))
