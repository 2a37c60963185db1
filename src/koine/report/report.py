"""The command `report`: all evaluations of a recipe, to tables and a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from koine.names import nearest
from koine.params import Report
from koine.report.claims import Findings, markdown, verdicts
from koine.report.contrasts import contrasts
from koine.report.domains import domains as domain_results
from koine.report.domains import drops
from koine.report.evaluations import read_evaluations
from koine.report.groups import answers, groups
from koine.report.page import Evidence, render
from koine.report.published import markdown as side_by_side
from koine.report.published import published
from koine.report.table import headline, intervals, sampled
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic, read_json, read_jsonl, write_json, write_text
from koine.strategies import count_of


def report(
    evaluated: Sequence[Path], /, out: Path, *, report: Report, collected: Path | None = None, filtered: Sequence[Path] = (),
    models: Sequence[Path] = (), indexes: Sequence[Path] = (), domains: Mapping[str, Path] = {},
) -> None:  # fmt: skip
    """Write table.csv, pairs.csv and report.html, with intervals over seeds and questions, and the other tables.

    docs/report.md says what each file is.

    Args:
        evaluated: Folders of `koine evaluate` and of the workflow's evaluations, one for each model and benchmark.
        out: Folder of the results.
        report: Parameters of the intervals and of the comparisons.
        collected: collect.json of `koine collect`.
        filtered: Summary of `koine filter` for a language.
        models: koine.json of a model, with train.jsonl beside it.
        indexes: index.json of an index.
        domains: A benchmark and its file of `koine collect-domains`.

    Raises:
        KoineError: a file is missing or of another schema, or `report.reference` names no strategy that was evaluated.
    """
    evaluations = read_evaluations(evaluated)
    pairs = pl.concat([evaluation.pairs for evaluation in evaluations])
    _check_reference(report.reference, pairs["strategy"].unique(maintain_order=True).to_list())
    recipe = pairs["recipe"][0]
    manifests = [read_json(path) for path in models]
    counts = read_json(collected) if collected else {}
    trained = sorted({lang for model in manifests for lang in model["languages"]})
    systems = sampled(evaluations, report, trained)
    table = intervals(recipe, systems, report)
    compared = contrasts(recipe, systems, report)
    decided = verdicts(Findings(recipe, compared, pairs, counts, trained, report.confidence))
    answered = answers(evaluations)
    grouped = groups(pairs, report.metrics, trained)
    printed = published(recipe, table, pairs, report.published)
    by_domain = pl.concat([domain_results(recipe, evaluations, domains, report), drops(recipe, evaluations, report)])
    for name, frame in (
        ("table.csv", table),
        ("pairs.csv", pairs),
        ("groups.csv", grouped),
        ("answers.csv", answered),
        ("domains.csv", by_domain),
        ("contrasts.csv", compared),
        ("claims.csv", decided),
        ("published.csv", printed),
    ):
        with atomic(out / name) as temporary:
            frame.write_csv(temporary, float_precision=6)
    write_text(out / "claims.md", markdown(decided, report.confidence))
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
        models=manifests,
        curves=[[line for _, line in read_jsonl(path.with_name("train.jsonl"))] for path in models],
        indexes={"/".join(path.parts[-5:-1]): read_json(path) for path in indexes},
        report=report,
    )
    write_text(out / "report.html", render(evidence))


def _check_reference(reference: str, strategies: Sequence[str]) -> None:
    """Refuse a reference that was asked for and not evaluated; of models given by hand, none may be the default one."""
    known = {*strategies, *(count_of(name)[0] for name in strategies)}
    if reference not in known and reference != Report().reference:
        near = nearest(reference, known)
        raise KoineError(f"--reference {reference}: no such strategy was evaluated{near} (evaluated: {', '.join(strategies)})")
