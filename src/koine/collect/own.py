"""`koine collect-own`: the job that stands in for a file that only a person can get."""

from pathlib import Path

from koine.runtime.errors import KoineError


def collect_own(out: Path, *, home: str) -> None:
    """Fail, and say where a person gets a file that Koine cannot download.

    Once the file is there, no job calls this.

    Args:
        out: The file that is missing.
        home: Where a person gets it.

    Raises:
        KoineError: always.
    """
    raise KoineError(f"{out}: no such file; {home}")
