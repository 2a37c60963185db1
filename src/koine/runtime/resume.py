"""What a killed job needs to go on: a journal of what is done, beside its output, keyed by all that determines the result.

No journal is a declared output: Snakemake deletes those before it runs a rule again.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from koine.runtime.files import write_text


def key(inputs: object, files: Iterable[Path], code: str) -> str:
    """Hex digest of all that determines a result.

    Args:
        inputs: arguments, as JSON.
        files: input files, by their bytes.
        code: digest of the code that makes the result (`koine.code.digest`).

    Raises:
        FileNotFoundError: one of the files is missing.
    """
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode())
    digest.update(code.encode())
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def read_journal(path: Path, head: str) -> list[str]:
    """The lines of a journal behind its head; none where there is no journal, or one of another head."""
    if not path.is_file():
        return []
    first, *lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    return lines[:-1] if first == head else []  # a line without its end was being written when the job was killed


class Journal:
    """A file that gets a line for each finished part of a job.

    Args:
        path: the file; `out` with a dot before it, as a rule.
        head: its first line: what the lines belong to. What stands in a journal of another head is dropped.

    Attributes:
        lines: what was done before.
    """

    def __init__(self, path: Path, head: str) -> None:
        self.path = path
        self.lines = read_journal(path, head)
        write_text(path, "".join(line + "\n" for line in [head, *self.lines]))

    def add(self, line: str) -> None:
        """Note a finished part; it is on the disk when this returns."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())
