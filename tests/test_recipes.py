"""The research recipes at their smallest scale: the true architectures, tiny and random, from raw text to the table.

Slow (a minute or so each): `pytest -m workflow`.
"""

import os
from pathlib import Path

import polars as pl
import pytest
from test_workflow import checkout, run

from koine.params import load_recipe
from koine.people.standins.models import STANDINS, write_standins
from koine.workflow.experiment import Experiment

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

#: Each research question, with what only its tables hold: a file, and a column and value to be found there.
QUESTIONS = {
    "paper": ("published.csv", "backbone", "labse"),
    "xtreme-r": ("groups.csv", "by", "word_order"),
    "mbart-laser": ("table.csv", "backbone", "laser2"),
    "gradient-mixing": ("table.csv", "strategy", "hybrid-of-2"),
    "mlqa-domains": ("domains.csv", "statistic", "spread"),
    "backbones": ("table.csv", "backbone", "mmbert-base"),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_standins(folder, list(STANDINS))
    return folder


@pytest.mark.parametrize("recipe", QUESTIONS)
def test_a_research_question_is_answered_from_raw_text_to_the_table(recipe: str, models: Path, tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    experiment = Experiment(load_recipe(Path(f"recipes/{recipe}.yaml"), "standin"))
    cores = str(max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))
    command = ["snakemake", "--cores", cores, "--configfile", f"recipes/{recipe}.yaml", "--config", "scale=standin"]
    run(folder, *command, env={"KOINE_MODELS": str(models)})
    results = folder / experiment.results
    table = pl.read_csv(results / "table.csv")
    assert set(table["recipe"]) == {f"{recipe}@standin"}
    assert {f"{b}/{s}" for b, s in table.select("backbone", "strategy").rows()} == {
        run.rpartition("/")[0] for run in experiment.models.runs
    }
    assert table["mean"].is_finite().all()
    name, column, value = QUESTIONS[recipe]
    assert value in set(pl.read_csv(results / name)[column])
    assert f"--configfile recipes/{recipe}.yaml --config scale=standin" in (results / "report.html").read_text(encoding="utf-8")
    assert "Nothing to be done" in run(folder, *command, env={"KOINE_MODELS": str(models)})
