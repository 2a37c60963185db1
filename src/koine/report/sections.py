"""What several sections of the page share: a section a benchmark, rows that head others, the ends of a scale."""

from collections.abc import Callable, Iterator

from koine.metrics import metric
from koine.report.markup import Html, count, join, tag
from koine.report.svg import Scale
from koine.report.table import UNSEEN
from koine.report.view import View, whole


def by_benchmark(view: View, section: Callable[[str], Html | None]) -> Iterator[Html]:
    """A section per benchmark, sub-pools folded below the whole."""
    for name in view.benchmarks:
        content = section(name)
        if content is None:
            continue
        if name == whole(name):
            yield join([tag("h3", name, tag("small", _extent(view, name))), content])
        else:
            what = "Languages that no model was trained in:" if name.endswith(f":{UNSEEN}") else "Sub-pool"
            summary = tag("summary", f"{what} {name}")
            yield tag("details", summary, tag("p", _extent(view, name), class_="note"), content)


def _extent(view: View, benchmark: str) -> str:
    queries = [one.queries for key, one in view.results.items() if key[0] == benchmark and key[3] in ("mono", "multi")]
    languages = len(view.languages(benchmark))
    parts = [count(languages, "language")] if languages else []
    return ", ".join([*parts, *([count(max(queries), "query", "queries")] if queries else [])])


def heading_row(text: str, columns: int) -> Html:
    """The row that heads a backbone's rows."""
    return tag("tr", tag("th", text, colspan=str(columns), scope="rowgroup"), class_="group")


def axis(scale: Scale, name: str) -> Html:
    """Both ends of a scale, at the ends of the space they stand for."""
    ends = [_tick(name, value) for value in (scale.low, scale.high)]
    return tag("span", *(tag("span", text) for text in ends), class_="axis")


def _tick(name: str, value: float) -> str:
    text = f"{value:,.0f}" if metric(name).entry.printed == "rank" else f"{value:.3f}".rstrip("0").rstrip(".")
    return text[1:] if text.startswith("0.") else text
