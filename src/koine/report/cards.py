"""The command `report-cards`: what a model was made of, how well it retrieves and whom it prefers, beside its weights.

The head is what the Hugging Face Hub reads (Mitchell et al., "Model Cards for Model Reporting", arXiv 1810.03993, for the rest).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from koine.languages import name as language_name
from koine.licences import labelled
from koine.metrics import HEADLINE, MAIN
from koine.params import BM25
from koine.records import PAIRS, TABLE
from koine.report.commands import workflow
from koine.report.table import headings, main_metric
from koine.report.view import value_text, whole
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json, write_text

SHOWN = 40  # languages that get a row


def report_cards(models: Sequence[Path], /, results: Path) -> None:
    """Write each model's card (README.md): its results, its language bias, its data and their licences.

    Args:
        models: koine.json of each model; the card is written beside it.
        results: Folder of `koine report`: its table.csv and pairs.csv.

    Raises:
        KoineError: one of these is missing, or the tables have no row of a model.
    """
    table, pairs = TABLE.read_csv(results / "table.csv"), PAIRS.read_csv(results / "pairs.csv")
    for path in models:
        write_text(path.with_name("README.md"), card(read_json(path), table, pairs))
    say(f"{len(models)} model card(s)")


def card(model: dict[str, Any], table: pl.DataFrame, pairs: pl.DataFrame) -> str:
    """The text of a model card.

    Args:
        model: koine.json.
        table: results with intervals, of this recipe (`records.TABLE`).
        pairs: results of every language pair (`records.PAIRS`).

    Raises:
        KoineError: the table has no row of this model.
    """
    own = table.filter(backbone=model["backbone"], strategy=model["strategy"])
    if own.is_empty():
        raise KoineError(f"table.csv has no row of {model['backbone']} {model['strategy']}; it belongs to other models")
    lines = ["---", yaml.safe_dump(_head(model, own), sort_keys=False, allow_unicode=True).strip(), "---"]
    return "\n".join([*lines, *_body(model, table, own, pairs)]) + "\n"


def _head(model: dict[str, Any], own: pl.DataFrame) -> dict[str, Any]:
    """What the Hub reads: languages, base model, metrics by benchmark."""
    recipe = own["recipe"][0]
    results = []
    for (benchmark,), part in own.group_by("benchmark", maintain_order=True):
        metric = main_metric(part["metric"])
        found = [row for row in part.iter_rows(named=True) if row["metric"] in (metric, *HEADLINE)]
        metrics = [{"type": f"{row['setting']}_{row['metric']}", "value": round(row["mean"], 4)} for row in found]
        task = {"type": "retrieval", "name": "multilingual retrieval"}
        results.append({"task": task, "dataset": {"name": benchmark, "type": benchmark}, "metrics": metrics})
    base = model.get("start", {}).get("model")
    return {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "tags": ["koine", "retrieval", "multilingual", model["strategy"]],
        "language": model["languages"],
        **({"base_model": base} if base else {}),
        "model-index": [{"name": f"{recipe}/{model['backbone']}/{model['strategy']}", "results": results}],
    }


def _body(model: dict[str, Any], table: pl.DataFrame, own: pl.DataFrame, pairs: pl.DataFrame) -> Iterator[str]:
    recipe = own["recipe"][0]
    yield f"# {recipe}: {model['backbone']}, {model['strategy']}"
    yield ""
    yield (
        f"A dual encoder that finds passages in {', '.join(map(language_name, model['languages']))} for questions in any of "
        f"them, trained by Koine on {model['questions']:,} questions with the strategy `{model['strategy']}`."
    )
    yield ""
    yield "    from sentence_transformers import SentenceTransformer"
    yield ""
    yield '    model = SentenceTransformer("this folder")'
    yield '    queries = model.encode_query(["a question"])'
    yield '    passages = model.encode_document(["a passage"])'
    yield "    model.similarity(queries, passages)"
    yield ""
    yield "## How well it retrieves"
    yield ""
    yield from _results(model, table, own)
    yield ""
    yield from _bias(own)
    yield ""
    yield from _languages(model, pairs)
    yield ""
    yield "## What it was trained on"
    yield ""
    yield "| source | questions | licence (and what it forbids, as far as its name says) |"
    yield "|---|---|---|"
    for name, about in model["sources"].items():
        yield f"| {name} | {about['questions']:,} | {labelled(about['licence']) or 'not stated'} |"
    yield ""
    if model["languages"][1:]:
        yield (
            f"Questions and passages are in {language_name(model['languages'][0])}; in the other languages they are "
            "translations, filtered as the recipe says. What the sources' licences mean for a model is for the law to say: "
            "this list is a reminder, no advice."
        )
        yield ""
    yield "## How it was made"
    yield ""
    yield f"    {workflow(recipe)}"
    yield ""
    versions = ", ".join(f"{package} {number}" for package, number in model["versions"].items())
    yield f"makes it and its tables again, seed {model['seed']}; all parameters are in `koine.json`. Versions: {versions}."
    yield ""
    yield "## Limits"
    yield ""
    yield (
        "It was evaluated on the benchmarks above and on nothing else. Other subjects, longer texts and languages outside the "
        "tables are untested. It ranks passages; whether one answers the question, or is true, it cannot tell."
    )
    yield ""
    yield "## To cite"
    yield ""
    yield "Koine (its `CITATION.cff`), and for hybrid batches: Elmahdy et al. 2024, arXiv 2408.10536."


def _results(model: dict[str, Any], table: pl.DataFrame, own: pl.DataFrame) -> Iterator[str]:
    """The headline of each benchmark, with what needs no training beside it."""
    low, high = "ci_low", "ci_high"
    heads = ["benchmark", "model", *(heading for heading, _, _ in headings(main_metric(own["metric"])))]
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    beside = ((model["backbone"], model["strategy"]), (model["backbone"], "untrained"), (BM25, "untrained"))
    for (named,), part in table.group_by("benchmark", maintain_order=True):
        benchmark, metric = str(named), main_metric(part["metric"])
        for backbone, strategy in dict.fromkeys(beside):
            rows = {
                (r["setting"], r["metric"]): r for r in part.filter(backbone=backbone, strategy=strategy).iter_rows(named=True)
            }
            if not rows:
                continue
            cells = []
            for _, setting, name in headings(metric):
                row = rows.get((setting, name))
                cells.append(
                    f"{value_text(name, row['mean'])} ({value_text(name, row[low])}–{value_text(name, row[high])})" if row else ""
                )
            who = "this model" if (backbone, strategy) == beside[0] else f"{backbone} {strategy}" if backbone != BM25 else "BM25"
            yield f"| {benchmark} ({MAIN[metric]}) | {who} | {' | '.join(cells)} |"
    yield ""
    seeds = max(own["n_seeds"])
    yield (
        f"Means over {'one seed' if seeds == 1 else f'{seeds} seeds'}, of which this is one, with intervals over questions"
        f"{'' if seeds == 1 else ' and seeds'}. *mono*: question and passages in one language; *cross*: in two; *multi*: all "
        "languages' passages in one pool."
    )


def _bias(own: pl.DataFrame) -> Iterator[str]:
    yield "## Whom it prefers"
    yield ""
    values = {(row["benchmark"], row["metric"]): row["mean"] for row in own.filter(setting="multi").iter_rows(named=True)}
    said = False
    for benchmark in own["benchmark"].unique(maintain_order=True):
        distance, same = (values.get((benchmark, metric)) for metric in ("rank_distance", "same_language@1"))
        if distance is None:
            continue
        said = True
        line = f"- On {benchmark}, the first and the last of a question's relevant passages stand {distance:,.0f} ranks apart"
        if same is not None:
            line += f", and for {same:.0%} of the questions the first passage of all is in the question's own language"
        yield line + "."
    if said:
        yield ""
        yield (
            "Relevant passages say the same in all languages, so a model without preference would put them side by side: the "
            "fewer ranks apart, the less it matters in which language a passage is written."
        )
    else:
        yield "Not measured: no benchmark here holds the same passages in several languages."


def _languages(model: dict[str, Any], pairs: pl.DataFrame) -> Iterator[str]:
    """By language: within it, asked in it, and searched in it; of the benchmark with most languages."""
    yield "## Languages"
    yield ""
    own = pairs.filter(backbone=model["backbone"], strategy=model["strategy"], seed=model["seed"])
    own = own.filter(pl.col("benchmark") == pl.col("benchmark").map_elements(whole, return_dtype=pl.String))
    by_benchmark = own.group_by("benchmark", maintain_order=True).agg(pl.col("query_lang").n_unique().alias("count"))
    benchmark = str(by_benchmark.sort("count", descending=True, maintain_order=True)["benchmark"][0])
    own = own.filter(benchmark=benchmark)
    metric = main_metric(own["metric"])
    own = own.filter(metric=metric)
    languages = own["query_lang"].unique(maintain_order=True).to_list()
    yield f"On {benchmark}, {MAIN[metric]}; this seed:"
    yield ""
    yield "| language | trained in | mono | asked in it, passages in another | passages in it, asked in another |"
    yield "|---|---|---|---|---|"
    for lang in languages[:SHOWN]:
        parts = (
            own.filter(setting="mono", query_lang=lang),
            own.filter(setting="cross", query_lang=lang),
            own.filter(setting="cross", doc_lang=lang),
        )
        means = [part["value"].mean() for part in parts]
        cells = ["" if mean is None else value_text(metric, float(mean)) for mean in means]  # type: ignore[arg-type]
        yield f"| {language_name(lang)} ({lang}) | {'yes' if lang in model['languages'] else 'no'} | {' | '.join(cells)} |"
    if languages[SHOWN:]:
        yield f"| … and {len(languages) - SHOWN} more | | | | |"
    if untested := [lang for lang in model["languages"] if lang not in languages]:
        yield ""
        yield f"Trained in, but not in this benchmark: {', '.join(map(language_name, untested))}."
