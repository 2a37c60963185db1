"""What a person sees: messages and progress bars on stderr, tables on stdout.

All text goes through `visible`: data may hold what steers a terminal, and a terminal may lack letters.
"""

import codecs
import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

from rich.box import SIMPLE
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

T = TypeVar("T")

LOG_WIDTH = 120  # of tables that go to a file
LOG_EVERY = 30  # seconds between two lines of progress in a file

# Controls but tab and line feed (C0, DEL, C1), line separators, what turns the direction of writing, halves of characters.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_ESCAPED = "koine.escaped"  # an error handler of codecs

console = Console(stderr=True, highlight=False)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escape)


def visible(text: str, encoding: str = "utf-8") -> str:
    r"""`text` as a terminal may show it: control codes, and letters that `encoding` lacks, become their escapes in JSON.

    >>> print(visible("red \x1b[31m, back \u202e"))
    red \u001b[31m, back \u202e
    """
    text = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text.encode(encoding, _ESCAPED).decode(encoding)


def cell(value: object, out: Console = console, style: str = "") -> Text:
    """A value as rich text without markup, `visible` on `out`."""
    return Text(visible(str(value), out.encoding), style)


def degrade() -> None:
    """Let stdout write escapes of letters that it cannot encode, instead of failing, whatever is printed there."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=_ESCAPED)


def say(message: str, mark: str = "", style: str = "") -> None:
    """Print one line on stderr, with a mark before it in a style of rich; under Snakemake it goes to the job's log."""
    console.print(Text(mark, style) + cell(message), soft_wrap=True)


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
    name = TextColumn("{task.description}", markup=False)
    with Progress(name, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(visible(what, console.encoding), total=total, rate="")
        for item in items:
            yield item
            count += weight(item)
            bar.update(task, completed=count, rate=_rate(count, time.monotonic() - start) + note())


def _rate(count: int, seconds: float) -> str:
    rate = count / max(seconds, 1e-9)
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s"


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, texts: int = 1) -> None:
    """Print a small table on stdout; the first column (or the first `texts`) is text, the others are right-aligned numbers."""
    out = Console(highlight=False)
    grid = _grid(out, header, rows, texts)
    if not out.is_terminal:
        out.width = LOG_WIDTH
    out.print(cell(title, out, "bold"), soft_wrap=True)  # a title of the grid would be wrapped to its width
    out.print(grid)


def fits(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Whether the terminal is wide enough for all of a `table`; what goes to a file is."""
    out = Console(highlight=False)
    needed = Measurement.get(out, out.options.update(width=sys.maxsize), _grid(out, header, rows, 1)).maximum
    return not out.is_terminal or needed <= out.width


def _grid(out: Console, header: Sequence[str], rows: Iterable[Sequence[object]], texts: int) -> Table:
    grid = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    for position, name in enumerate(header):
        whole = position == 0 or position >= texts  # of the other texts, a long one goes on in the next line
        grid.add_column(cell(name, out), justify="left" if position < texts else "right", no_wrap=whole, overflow="fold")
    for row in rows:
        grid.add_row(*(cell(value, out) for value in row))
    return grid
