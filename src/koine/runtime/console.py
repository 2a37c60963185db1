"""What a person sees while a step runs: messages and progress bars, on stderr."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

T = TypeVar("T")

LOG_WIDTH = 120  # of tables that go to a file
LOG_EVERY = 30  # seconds between two lines of progress in a file

console = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """Print one line on stderr; under Snakemake it goes to the job's log."""
    console.print(message, markup=False, soft_wrap=True)


def progress(
    items: Iterable[T],
    what: str,
    total: int | None = None,
    *,
    weight: Callable[[T], int] = lambda _: 1,
    note: Callable[[], str] = lambda: "",
) -> Iterator[T]:
    """Iterate with a progress bar where stderr is a terminal, and with a line every half minute in a log file.

    Args:
        items: what is worked on.
        what: its name.
        total: sum of all weights; the length of `items` if they have one.
        weight: how much of the total an item is.
        note: what else to show, asked for after each item: a rate in other units.
    """
    if total is None and isinstance(items, Sequence):
        total = len(items)
    start = said = time.monotonic()
    count = 0
    if not console.is_terminal:
        for item in items:
            yield item
            count += weight(item)
            now = time.monotonic()
            if now - said > LOG_EVERY and total and count < total:
                said, left = now, timedelta(seconds=round((now - start) / count * (total - count)))
                say(f"{what}: {count:,} of {total:,} ({count / total:.0%}), {_rate(count, now - start)}{note()}, {left} left")
        say(f"{what}: {count:,} done, {_rate(count, time.monotonic() - start)}{note()}")
        return
    rate = TextColumn("{task.fields[rate]}")
    with Progress("{task.description}", BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(what, total=total, rate="")
        for item in items:
            yield item
            count += weight(item)
            bar.update(task, completed=count, rate=_rate(count, time.monotonic() - start) + note())


def _rate(count: int, seconds: float) -> str:
    rate = count / max(seconds, 1e-9)
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, texts: int = 1) -> None:
    """Print a small table on stdout; the first column (or the first `texts`) is text, the others are right-aligned numbers."""
    grid = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    for position, name in enumerate(header):
        whole = position == 0 or position >= texts  # of the other texts, a long one goes on in the next line
        grid.add_column(name, justify="left" if position < texts else "right", no_wrap=whole, overflow="fold")
    for row in rows:
        grid.add_row(*(str(cell) for cell in row))
    out = Console(highlight=False)
    if not out.is_terminal:
        out.width = LOG_WIDTH
    out.print(title, style="bold", markup=False, soft_wrap=True)  # a title of the grid would be wrapped to its width
    out.print(grid)
