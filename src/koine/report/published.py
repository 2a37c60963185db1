"""The published tables of arXiv 2408.10536 beside a recipe's results: published.csv, published.md and a section of the page."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from koine.params import Published
from koine.records import PUBLISHED
from koine.report.markup import Html, caption, tag
from koine.report.view import better, signed_text, value_text
from koine.runtime.errors import KoineError

MEAN = "mean"
TITLES = {"1": "macro mAP", "2": "rank distance", "3": "XLM-R on XQuAD-R", "4": "XLM-R on MLQA-R", "5": "LaBSE on XQuAD-R",
          "6": "LaBSE on MLQA-R", "7": "rank distance on XQuAD-R", "8": "rank distance on MLQA-R", "12": "XLM-R on MIRACL dev",
          "13": "LaBSE on MIRACL dev"}  # fmt: skip
CELL = ["benchmark", "setting", "metric", "backbone", "strategy"]


def published(recipe: str, table: pl.DataFrame, pairs: pl.DataFrame, backbones: Mapping[Published, str]) -> pl.DataFrame:
    """Each cell of the paper's tables with the recipe's value of the same cell (`records.PUBLISHED`).

    A language's value is the mean over seeds and, in `cross`, passage languages. A mean is over the paper's languages (MIRACL:
    15 of 18), and there only if the recipe has all of them; its interval is that of table.csv, which is over all languages of
    the benchmark, and there only if these are the same.

    Args:
        recipe: name in the tables.
        table: `records.TABLE`.
        pairs: `records.PAIRS`.
        backbones: the paper's backbone to the recipe's; tables of others are left out.

    Raises:
        KoineError: there are no results of a backbone.
    """
    if unknown := set(backbones.values()) - set(pairs["backbone"]):
        raise KoineError(f"--published: there are no results of backbone {min(unknown)!r}")
    printed = pl.read_csv(Path(__file__).with_name("published.csv"), comment_prefix="#", schema_overrides={"table": pl.String()})
    printed = printed.rename({"backbone": "paper_backbone", "value": "paper"}).with_columns(
        pl.col("paper_backbone").replace_strict(backbones, default=None, return_dtype=pl.String).alias("backbone"),
        recipe=pl.lit(recipe),
    )
    printed = printed.drop_nulls("backbone")
    ours = pairs.group_by(*CELL, language="query_lang", maintain_order=True).agg(ours=pl.col("value").mean())
    languages = printed.filter(pl.col("language") != MEAN).select("benchmark", "language").unique()
    asked = languages.group_by("benchmark").len("asked")
    counts = ours.group_by(CELL).agg(tested=pl.len())
    means = (
        ours.join(languages, on=["benchmark", "language"], maintain_order="left")
        .group_by(CELL, maintain_order=True)
        .agg(pl.col("ours").mean(), there=pl.len())
        .join(asked, on="benchmark")
        .filter(pl.col("there") == pl.col("asked"))
        .join(counts, on=CELL)
        .join(table, on=CELL, how="left")
        .with_columns(pl.when(pl.col("tested") == pl.col("asked")).then(name).alias(name) for name in ("ci_low", "ci_high"))
    )
    values = [*CELL, "language", "ours", "ci_low", "ci_high"]
    found = pl.concat([ours, means.with_columns(language=pl.lit(MEAN)).select(values)], how="diagonal")
    joined = printed.join(found, on=[*CELL, "language"], how="left", maintain_order="left")
    return PUBLISHED.check(joined.with_columns(difference=pl.col("ours") - pl.col("paper")), "published")


def markdown(found: pl.DataFrame) -> str:
    """published.md: the tables side by side; in each cell the paper's value, ours and the difference."""
    lines = [
        "# Published tables beside this recipe's",
        "",
        "Tables of arXiv 2408.10536, a single run without intervals. In each cell: the paper's value / ours, "
        "mean over seeds (ours less the paper's).",
    ]
    for (number,), part in found.group_by("table", maintain_order=True):
        columns = part.select("setting", "strategy").unique(maintain_order=True).rows()
        rows: dict[tuple[str, ...], dict[tuple[str, str], str]] = {}
        for row in part.iter_rows(named=True):
            name = (row["benchmark"], f"{row['paper_backbone']} / {row['backbone']}", row["metric"], row["language"])
            cell = " / ".join(value_text(row["metric"], row[value]) for value in ("paper", "ours"))
            if row["difference"] is not None:
                cell += f" ({signed_text(row['metric'], row['difference'])})"
            rows.setdefault(name, {})[row["setting"], row["strategy"]] = cell
        heads = ["benchmark", "backbone", "metric", "language", *(f"{setting} {strategy}" for setting, strategy in columns)]
        lines += ["", f"## Table {number}: {TITLES[str(number)]}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
        lines += [f"| {' | '.join([*name, *(cells.get(column, '') for column in columns)])} |" for name, cells in rows.items()]
    return "\n".join(lines) + "\n"


#: Setting and metric of the columns of Tables 1 and 2.
COLUMNS = (("mono", "map"), ("cross", "map"), ("multi", "map"), ("multi", "rank_distance"))


def beside(found: pl.DataFrame) -> Html | None:
    """The means of Tables 1 and 2, collapsed."""
    means = found.filter(pl.col("table").is_in(["1", "2"]) & pl.col("ours").is_not_null())
    if means.is_empty():
        return None
    rows = []
    for name, part in means.group_by("benchmark", "paper_backbone", "backbone", "strategy", maintain_order=True):
        benchmark, paper, backbone, strategy = map(str, name)
        values = {(row["setting"], row["metric"]): (row["paper"], row["ours"]) for row in part.iter_rows(named=True)}
        both = [[value_text(cell[1], value) for value in values.get(cell, (None, None))] for cell in COLUMNS]
        named = [tag("th", text, class_="who", scope="row") for text in (benchmark, f"{paper} / {backbone}", strategy)]
        rows.append(tag("tr", *named, *(tag("td", " / ".join(pair), class_="n") for pair in both)))
    heads = [tag("th", text, scope="col") for text in ("benchmark", "backbone: paper / ours", "strategy")]
    heads += [
        tag("th", f"{setting} {metric}", class_="n", scope="col", data_better=better(metric)) for setting, metric in COLUMNS
    ]
    note = tag(
        "p",
        "Means of Tables 1 and 2 of arXiv 2408.10536 (one run of XLM-R and LaBSE) / this recipe's. Another backbone, other data "
        "and another size: compare the order of the strategies, not the values. published.md, beside this page, has every cell.",
        class_="note",
    )
    said = caption("The paper's means / this recipe's")
    table = tag("table", said, tag("thead", tag("tr", *heads)), tag("tbody", *rows), class_="dense full sort")
    return tag("details", tag("summary", "The paper's values beside ours"), note, tag("div", table, class_="wide"))
