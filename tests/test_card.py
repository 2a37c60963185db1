"""Model cards: what they say stands in the tables and in koine.json, and the Hub can read their heads."""

from pathlib import Path

import polars as pl
import pytest
import yaml
from toy import train_one
from typer.testing import CliRunner

from koine.cli import app
from koine.records import PAIRS, TABLE
from koine.report.cards import card
from koine.report.commands import workflow
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json, write_json


def tables(strategies: tuple[str, ...] = ("hybrid", "untrained")) -> tuple[pl.DataFrame, pl.DataFrame]:
    named = {"recipe": "toy@small", "backbone": "static", "benchmark": "b"}
    rows = [
        {**named, "strategy": s, "setting": setting, "metric": metric, "mean": mean, "ci_low": mean / 2, "ci_high": mean * 2,
         "n_seeds": 3, "n_queries": 10}
        for s in strategies
        for setting, metric, mean in (
            ("mono", "map", 0.25), ("cross", "map", 0.125), ("multi", "map", 0.2), ("multi", "rank_distance", 1234.4),
            ("multi", "same_language@1", 0.75),
        )
    ]  # fmt: skip
    cells = [("mono", "en", "en", 0.3), ("mono", "fi", "fi", 0.2), ("cross", "en", "fi", 0.1), ("cross", "fi", "en", 0.15)]
    cells += [("mono", "sw", "sw", 0.05), ("cross", "sw", "en", 0.01), ("cross", "en", "sw", 0.02)]
    pairs = [
        {**named, "strategy": "hybrid", "seed": 1, "setting": setting, "query_lang": q, "doc_lang": d, "metric": "map",
         "value": v, "n_queries": 10}
        for setting, q, d, v in cells
    ]  # fmt: skip
    return TABLE.frame(rows), PAIRS.frame(pairs)


MODEL = {
    "backbone": "static", "strategy": "hybrid", "seed": 1, "languages": ["en", "fi", "de"], "questions": 300,
    "sources": {"far": {"questions": 100, "licence": "MIT"}, "near": {"questions": 200, "licence": "CC-BY-NC-4.0"}},
    "versions": {"torch": "2.13.0"}, "start": {"model": "org/model"},
}  # fmt: skip


def test_a_card_says_what_the_tables_and_the_manifest_say() -> None:
    text = card(MODEL, *tables())
    _, head, body = text.split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["language"] == ["en", "fi", "de"] and front["base_model"] == "org/model"
    metrics = {metric["type"]: metric["value"] for metric in front["model-index"][0]["results"][0]["metrics"]}
    assert metrics == {"mono_map": 0.25, "cross_map": 0.125, "multi_map": 0.2, "multi_rank_distance": 1234.4}
    for line in (
        "| b (mAP) | this model | .250 (.125–.500) | .125 (.062–.250) | .200 (.100–.400) | 1,234 (617–2,469) |",
        "| b (mAP) | static untrained |",
        "| far | 100 | MIT |",
        "| near | 200 | CC-BY-NC-4.0 (non-commercial) |",
        "stand 1,234 ranks apart, and for 75% of the questions the first passage of all is in the question's own language.",
        "| Finnish (fi) | yes | .200 | .150 | .100 |",
        "| Swahili (sw) | no | .050 | .010 | .020 |",
        "Trained in, but not in this benchmark: German.",
        "    snakemake --cores all --configfile recipes/toy.yaml --config scale=small",
        "300 questions",
        "torch 2.13.0",
    ):
        assert line in body, line


def test_a_model_that_the_tables_lack_is_an_error() -> None:
    with pytest.raises(KoineError, match=r"table\.csv has no row of static hybrid"):
        card(MODEL, *tables(("x-y",)))


@pytest.mark.parametrize(
    ("recipe", "wanted"),
    [
        ("sample", "snakemake --cores all"),
        ("squad-fi", "snakemake --cores all --configfile recipes/squad-fi.yaml"),
        ("paper@full", "snakemake --cores all --configfile recipes/paper.yaml --config scale=full"),
    ],
)
def test_a_recipe_is_made_again_by_its_command(recipe: str, wanted: str) -> None:
    assert workflow(recipe) == wanted


def test_the_command_puts_a_card_beside_a_trained_model(corpus: Path, tmp_path: Path) -> None:
    model = train_one(corpus, tmp_path / "model", strategy="hybrid")
    found = read_json(model / "koine.json")
    assert found["sources"] == {"far": {"questions": 100, "licence": ""}, "near": {"questions": 300, "licence": ""}}
    write_json(model / "koine.json", {**found, "backbone": "static"})
    table, pairs = tables()
    table.write_csv(tmp_path / "table.csv")
    pairs.write_csv(tmp_path / "pairs.csv")
    done = CliRunner().invoke(app, ["report-cards", str(model / "koine.json"), "--results", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "| near | 300 | not stated |" in (model / "README.md").read_text(encoding="utf-8")
    (tmp_path / "table.csv").unlink()
    missing = CliRunner().invoke(app, ["report-cards", str(model / "koine.json"), "--results", str(tmp_path)])
    assert "table.csv: no such file; the step before has not made it" in str(missing.exception)
