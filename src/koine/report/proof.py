"""The page's proof: whether differences are real, and what the claims of the literature come to."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from koine.metrics import MAIN
from koine.params import BM25
from koine.report.claims import claims, counted, overall
from koine.report.contrasts import Outcome
from koine.report.markup import DASH, Html, caption, count, fraction, join, listing, tag
from koine.report.table import headings, main_metric
from koine.report.view import View, judged_by, signed_text, whole
from koine.strategies import count_of

VERDICTS = ("supported", "contradicted", "undecided")
MARKS = {"better": "↑", "worse": "↓", "equal": "=", "open": "?"}


def differences(view: View, contrasts: pl.DataFrame) -> Html | None:
    """The reference less each of its rivals, one table per benchmark."""
    own = contrasts.filter(pl.col("other_backbone").eq(BM25) | (pl.col("backbone") == pl.col("other_backbone")))
    if own.is_empty():
        return None
    # One row for BM25: the reference in some languages alone is compared with it, too, but that is another question.
    most = max(own["strategy"].unique(), key=lambda name: count_of(name)[1] or sys.maxsize)
    own = own.filter((pl.col("other_backbone") != BM25) | (pl.col("strategy") == most))
    level = 1 - view.confidence
    reference = count_of(own["strategy"][0])[0]
    several = own["strategy"].n_unique() > 1
    detectable = own.filter(pl.col("metric").is_in(list(MAIN)))["detectable"]
    marks = (
        (MARKS["better"], f"{reference} is better"),
        (MARKS["worse"], "it is worse"),
        (MARKS["equal"], "equal within the margin"),
        (MARKS["open"], "neither a difference nor equality could be shown"),
    )
    note = tag(
        "p",
        f"Each cell is {reference}{', in as many languages,' if several else ''} less the strategy of its row, with the "
        f"{view.coverage()} interval over seeds and questions, and p of a randomisation test over questions, adjusted for the "
        "rows of its table (Holm). ",
        *(tag("span", tag("b", mark), f" {words}; ") for mark, words in marks),
        f"higher {listing(judged_by('higher'), 'or')} and lower {listing(judged_by('lower'), 'or')} are better. A true "
        f"difference of {_range(detectable)} would have been found with a probability of .8.",
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
    rival = pl.when(pl.col("other_backbone") == BM25).then(pl.lit(BM25)).otherwise("other_strategy")
    own = own.with_columns(rival=rival)
    cells = {(row["backbone"], row["rival"], row["setting"], row["metric"]): row for row in own.iter_rows(named=True)}
    there = set(own.select("setting", "metric").rows())
    columns = [column for column in headings(main_metric(own["metric"])) if column[1:] in there]
    head = tag("tr", tag("th", "less", scope="col"), *(tag("th", heading, scope="col") for heading, _, _ in columns))
    bodies: list[Html] = []
    for backbone in dict.fromkeys(own["backbone"]):
        group = tag("th", f"backbone {backbone}", colspan=str(len(columns) + 1), scope="rowgroup")
        rows = [tag("tr", group, class_="group")]
        rivals = set(own.filter(backbone=backbone)["rival"])
        for name in (name for name in [BM25, *view.strategies] if name in rivals):
            shown = (_difference(cells.get((backbone, name, setting, metric)), level) for _, setting, metric in columns)
            label = name if name == BM25 else view.label(name)
            rows.append(tag("tr", tag("th", label, class_="who", scope="row"), *shown, data_strategy=name))
        bodies.append(tag("tbody", *rows, data_backbone=backbone))
    said = caption(f"{own['benchmark'][0]}: differences")
    return tag("div", tag("table", said, tag("thead", head), *bodies, class_="full compact sort"), class_="wide")


def _difference(row: Mapping[str, Any] | None, level: float) -> Html:
    if row is None:
        return tag("td", DASH)
    found = Outcome.of(row, level).word
    difference, low, high = (signed_text(row["metric"], row[name]) for name in ("difference", "ci_low", "ci_high"))
    p = "p < .001" if row["p_holm"] < 0.001 else f"p {fraction(row['p_holm'])}"
    ends = tag("small", f" {low} to {high}, {p}", class_="note")
    return tag("td", tag("b", f"{difference} {MARKS[found]}"), ends, class_=found)


def claimed(found: pl.DataFrame) -> Html | None:
    """Each claim with its verdict: how many came out how, those that the recipe tests, and the others folded."""
    if found.is_empty():
        return None
    tested: list[Html] = []
    others: list[Html] = []
    verdicts: list[str] = []
    for claim in claims():
        own = found.filter(claim=claim.id)
        verdict = overall(own["verdict"].to_list())
        words = tag("td", claim.claim, tag("small", f" {claim.source}", class_="note"))
        if own["contrast"][0]:
            verdicts.append(verdict)
            tested.append(tag("tr", tag("td", _verdict(verdict)), words, tag("td", counted(own))))
        else:
            others.append(tag("tr", words, tag("td", own["why"][0].removeprefix("not tested here: "))))
    note = tag(
        "p",
        "What papers say of hybrid batches, put to the numbers of this recipe: supported if all contrasts of a claim are, "
        "contradicted if one is. claims.md, beside this page, has every contrast.",
        class_="note",
    )
    parts = [note]
    if tested:
        tally = [tag("div", tag("b", f"{verdicts.count(name)}"), _verdict(name)) for name in VERDICTS]
        parts = [tag("div", *tally, class_="tiles"), note, _claims("Verdicts", ("verdict here", "claim", "contrasts"), tested)]
    if others:
        summary = tag("summary", f"{count(len(others), 'claim')} that this recipe does not test, and what each needs")
        parts.append(tag("details", summary, _claims("Claims not tested here", ("claim", "needs"), others)))
    return join(parts)


def _verdict(name: str) -> Html:
    return tag("span", name, class_=f"verdict {name}")


def _claims(said: str, heads: Sequence[str], rows: Sequence[Html]) -> Html:
    head = tag("thead", tag("tr", *(tag("th", text, scope="col") for text in heads)))
    return tag("div", tag("table", caption(said), head, tag("tbody", *rows), class_="full prose"), class_="wide")
