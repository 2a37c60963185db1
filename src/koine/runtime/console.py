"""What a person sees while a step runs: messages and progress bars, on stderr."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")

LOG_WIDTH = 120  # of tables that go to a file

console = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """Print one line on stderr; under Snakemake it goes to the job's log."""
    console.print(message, markup=False, soft_wrap=True)


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Iterate with a progress bar, where stderr is a terminal; in a log file only the end is noted."""
    if total is None and isinstance(items, Sequence):
        total = len(items)
    if not console.is_terminal:
        count = 0
        for item in items:
            yield item
            count += 1
        say(f"{what}: {count:,} done")
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        yield from bar.track(items, total=total, description=what)


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a small table on stdout; the first column is text, the others are right-aligned numbers."""
    grid = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE, padding=(0, 1), pad_edge=False)
    for position, name in enumerate(header):
        grid.add_column(name, justify="left" if position == 0 else "right", no_wrap=True)
    for row in rows:
        grid.add_row(*(str(cell) for cell in row))
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = LOG_WIDTH
    out.print(grid)
