"""The checkout in which Snakemake runs: one run at a time, and no table that came with it is believed unseen."""

import os
import time
from pathlib import Path
from typing import IO

from koine.params.recipe import results_folder
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import lock, read_text
from koine.workflow.provenance import LOCK, read_record

BEGAN = time.time()  # of this process

_held: IO[str] | None = None  # for as long as this process lives


def distrust_tables(results: str) -> None:
    """Make tables that came with the checkout look older than anything.

    Snakemake takes a file without a record in .snakemake/metadata for up to date unless an input is newer, so in
    a fresh clone it would say of a committed table that nothing is to be done. The page's style sheet, an input
    of `report` that every checkout has, is newer than a table from 1970; where there is a record, only content
    counts.
    """
    table = Path(results) / "table.csv"
    if table.is_file() and read_record(str(table)) is None:
        os.utime(table, (1, 1))  # 0 means "no time" to Snakemake


def hold() -> None:
    """Let no second run start in this checkout while this process lives.

    Raises:
        KoineError: another one runs.
    """
    global _held
    try:
        _held = lock(LOCK)
    except OSError as error:  # a file system without locks
        say(f"{LOCK}: {error}; see to it that no second run starts in this checkout")
        return
    if _held is None:
        raise KoineError(f"another run is on in this checkout ({read_text(LOCK).strip()}); wait for it, or stop it")


def show(recipe: str) -> None:
    """Print the headline table, if this run wrote it, and where the page is: the end of a run."""
    from koine.people.show import show as print_table

    results = results_folder(recipe)
    table = results / "table.csv"
    if table.is_file() and table.stat().st_mtime >= BEGAN:
        print_table(results)
