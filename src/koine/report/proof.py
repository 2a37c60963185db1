"""The page's proof: whether differences are real, and what the claims of the literature come to."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from koine.report.claims import claims, counted, overall
from koine.report.markup import DASH, Html, fraction, join, rank, tag
from koine.report.statistics import LOWER_IS_BETTER
from koine.report.view import View, whole

#: Columns of the differences: heading, setting, metric.
COLUMNS = (
    ("mono", "mono", "map"),
    ("cross", "cross", "map"),
    ("multi", "multi", "map"),
    ("rank distance", "multi", "rank_distance"),
)
MARKS = {"better": "↑", "worse": "↓", "equal": "=", "open": "?"}


def differences(view: View, contrasts: pl.DataFrame) -> Html | None:
    """The reference less each of its rivals, one table per benchmark."""
    own = contrasts.filter(pl.col("backbone") == pl.col("other_backbone"))
    if own.is_empty():
        return None
    level = 1 - view.confidence
    reference = own["strategy"][0]
    detectable = own.filter(metric="map")["detectable"]
    marks = (
        (MARKS["better"], f"{reference} is better"),
        (MARKS["worse"], "it is worse"),
        (MARKS["equal"], "equal within the margin"),
        (MARKS["open"], "neither a difference nor equality could be shown"),
    )
    note = tag(
        "p",
        f"Each cell is {reference} less the strategy of its row, with the {view.coverage()} interval over seeds and questions, "
        "and p of a randomisation test over questions, adjusted for the rows of its table (Holm). ",
        *(tag("span", tag("b", mark), f" {words}; ") for mark, words in marks),
        f"higher mAP and lower rank distance are better. A true difference in mAP of {_range(detectable)} would have been found "
        "with a probability of .8.",
        class_="note",
    )
    parts: list[Html] = [note]
    for benchmark in dict.fromkeys(own["benchmark"]):
        table = _table(view, own.filter(benchmark=benchmark), level)
        if benchmark == whole(benchmark):
            parts.append(join([tag("h3", benchmark), table]))
        else:
            parts.append(tag("details", tag("summary", benchmark), table))
    return join(parts)


def _range(values: pl.Series) -> str:
    low, high = float(values.min() or 0), float(values.max() or 0)  # type: ignore[arg-type]
    return fraction(low) if fraction(low) == fraction(high) else f"{fraction(low)} to {fraction(high)}"


def _table(view: View, own: pl.DataFrame, level: float) -> Html:
    cells = {(row["backbone"], row["other_strategy"], row["setting"], row["metric"]): row for row in own.iter_rows(named=True)}
    head = tag("tr", tag("th", "less", scope="col"), *(tag("th", heading, scope="col") for heading, _, _ in COLUMNS))
    rows: list[Html] = []
    for backbone in dict.fromkeys(own["backbone"]):
        rows.append(tag("tr", tag("th", f"backbone {backbone}", colspan="5", scope="colgroup"), class_="group"))
        rivals = set(own.filter(backbone=backbone)["other_strategy"])
        for name in (strategy for strategy in view.strategies if strategy in rivals):
            shown = (_difference(cells.get((backbone, name, setting, metric)), level) for _, setting, metric in COLUMNS)
            rows.append(tag("tr", tag("th", view.label(name), class_="who", scope="row"), *shown))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="full compact"), class_="wide")


def outcome(row: Mapping[str, Any], level: float) -> str:
    """What a row of contrasts.csv says of the first system: better, worse, equal within the margin, or open."""
    gain = -row["difference"] if row["metric"] in LOWER_IS_BETTER else row["difference"]
    if row["p_holm"] < level and not row["ci_low"] <= 0 <= row["ci_high"]:
        return "better" if gain > 0 else "worse"
    return "equal" if row["p_equal"] < level else "open"


def _difference(row: Mapping[str, Any] | None, level: float) -> Html:
    if row is None:
        return tag("td", DASH)
    found = outcome(row, level)
    say = _signed_rank if row["metric"] == "rank_distance" else _signed
    p = "p < .001" if row["p_holm"] < 0.001 else f"p {fraction(row['p_holm'])}"
    ends = f"{say(row['ci_low'])} to {say(row['ci_high'])}, {p}"
    return tag("td", tag("b", f"{say(row['difference'])} {MARKS[found]}"), tag("small", f" {ends}", class_="note"), class_=found)


def _signed(value: float) -> str:
    return ("−" if value < 0 else "+") + fraction(abs(value))


def _signed_rank(value: float) -> str:
    return ("−" if value < 0 else "+") + rank(abs(value))


def claimed(found: pl.DataFrame) -> Html | None:
    """Each claim with its verdict."""
    if found.is_empty():
        return None
    rows = []
    for claim in claims():
        own = found.filter(claim=claim.id)
        verdict = overall(own["verdict"].to_list())
        rows.append(
            tag(
                "tr",
                tag("td", claim.claim, tag("small", f" {claim.source}", class_="note")),
                tag("td", tag("span", verdict, class_=f"verdict {verdict}")),
                tag("td", counted(own)),
            )
        )
    head = tag("tr", *(tag("th", text, scope="col") for text in ("claim", "verdict here", "contrasts")))
    note = tag(
        "p",
        "What papers say of hybrid batches, put to the numbers of this recipe: supported if all contrasts of a claim are, "
        "contradicted if one is. claims.md, beside this page, has every contrast.",
        class_="note",
    )
    return join([note, tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="full"), class_="wide")])
