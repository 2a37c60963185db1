"""The command of the report step: all evaluations of a recipe, to tables and a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from koine.params import Report
from koine.report.claims import Findings, markdown, verdicts
from koine.report.contrasts import contrasts
from koine.report.domains import domains, drops
from koine.report.groups import answers, groups
from koine.report.page import Evidence, render
from koine.report.published import markdown as side_by_side
from koine.report.published import published
from koine.report.table import headline, intervals, read_pairs, sampled
from koine.runtime.files import atomic, read_json, read_jsonl, write_json, write_text


def report(
    evaluated: Sequence[Path], out: Path, settings: Report, *,
    collected: Path | None, filtered: Sequence[Path], models: Sequence[Path], indexes: Sequence[Path],
    mapped: Mapping[str, Path],
) -> None:  # fmt: skip
    """Write the tables, claims.md, published.md, metrics.json and report.html; docs/report.md says what they are.

    Args:
        evaluated: folders of `evaluate`, one per model and benchmark.
        out: folder of the results.
        settings: of the intervals.
        collected: collect.json.
        filtered: a summary per language.
        models: koine.json of each model, with train.jsonl beside it.
        indexes: index.json of each index.
        mapped: benchmark to its table of `collect-domains`.
    """
    pairs = read_pairs(evaluated)
    recipe = pairs["recipe"][0]
    found = [read_json(path) for path in models]
    counts = read_json(collected) if collected else {}
    trained = sorted({lang for model in found for lang in model["languages"]})
    systems = sampled(evaluated, settings, trained)
    table = intervals(recipe, systems, settings)
    compared = contrasts(recipe, systems, settings)
    decided = verdicts(Findings(recipe, compared, pairs, counts, trained, settings.confidence))
    answered = answers(evaluated)
    grouped = groups(pairs, settings.metrics, trained)
    printed = published(recipe, table, pairs, settings.published)
    for name, frame in (
        ("table.csv", table),
        ("pairs.csv", pairs),
        ("groups.csv", grouped),
        ("answers.csv", answered),
        (
            "domains.csv",
            pl.concat([domains(recipe, evaluated, mapped, settings), drops(recipe, evaluated, settings)]),
        ),
        ("contrasts.csv", compared),
        ("claims.csv", decided),
        ("published.csv", printed),
    ):
        with atomic(out / name) as temporary:
            frame.write_csv(temporary, float_precision=6)
    write_text(out / "claims.md", markdown(decided, settings.confidence))
    write_text(out / "published.md", side_by_side(printed))
    write_json(out / "metrics.json", headline(table))
    evidence = Evidence(
        table=table,
        pairs=pairs,
        answers=answered,
        groups=grouped,
        contrasts=compared,
        claims=decided,
        published=printed,
        collected=counts,
        filtered=[read_json(path) for path in filtered],
        models=found,
        curves=[[line for _, line in read_jsonl(path.with_name("train.jsonl"))] for path in models],
        indexes={"/".join(path.parts[-5:-1]): read_json(path) for path in indexes},
        settings=settings,
    )
    write_text(out / "report.html", render(evidence))
