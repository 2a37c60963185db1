"""The command of the report step: all evaluations of a recipe, to tables and a page."""

from collections.abc import Sequence
from pathlib import Path

from koine.params import Report
from koine.report.page import Evidence, render
from koine.report.table import headline, intervals, read_pairs
from koine.runtime.files import atomic, read_json, read_jsonl, write_json, write_text


def report(
    evaluated: Sequence[Path], out: Path, settings: Report, *,
    collected: Path | None, filtered: Sequence[Path], models: Sequence[Path], indexes: Sequence[Path],
) -> None:  # fmt: skip
    """Write table.csv, pairs.csv, metrics.json and report.html.

    Args:
        evaluated: folders of `evaluate`, one per model and benchmark.
        out: folder of the results.
        settings: of the intervals.
        collected: collect.json.
        filtered: a summary per language.
        models: koine.json of each model, with train.jsonl beside it.
        indexes: index.json of each index.
    """
    pairs = read_pairs(evaluated)
    table = intervals(evaluated, settings)
    for name, frame in (("table.csv", table), ("pairs.csv", pairs)):
        with atomic(out / name) as temporary:
            frame.write_csv(temporary, float_precision=6)
    write_json(out / "metrics.json", headline(table))
    evidence = Evidence(
        table=table,
        pairs=pairs,
        collected=read_json(collected) if collected else {},
        filtered=[read_json(path) for path in filtered],
        models=[read_json(path) for path in models],
        curves=[[line for _, line in read_jsonl(path.with_name("train.jsonl"))] for path in models],
        indexes={"/".join(path.parts[-5:-1]): read_json(path) for path in indexes},
        confidence=settings.confidence,
    )
    write_text(out / "report.html", render(evidence))
