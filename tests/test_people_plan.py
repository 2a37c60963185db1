"""`koine plan` against Snakemake's own plan, and its arithmetic."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from koine.cli import app
from koine.params import load_recipe
from koine.params.recipe import recipe_files
from koine.people.plan import items
from koine.workflow.experiment import Experiment

RECIPES = recipe_files()


def scales(recipe: Path) -> list[str]:
    return ["", *load_recipe(recipe).get("scales", {})]


@pytest.mark.parametrize(("recipe", "scale"), [(recipe, scale) for recipe in RECIPES for scale in scales(recipe)])
def test_every_recipe_is_valid_and_reckoned_at_every_scale(recipe: Path, scale: str) -> None:
    found = list(items(Experiment(load_recipe(recipe, scale)), 200))
    assert all(item.jobs > 0 and item.cpu_hours >= 0 and item.gpu_hours >= 0 for item in found)
    assert len({item.rule for item in found}) == len(found)
    faster = list(items(Experiment(load_recipe(recipe, scale)), 400))
    assert sum(item.gpu_hours for item in found) == pytest.approx(2 * sum(item.gpu_hours for item in faster))


@pytest.mark.parametrize(
    ("recipe", "scale"),
    [
        ("params.yaml", ""),
        ("recipes/squad-fi.yaml", ""),
        ("recipes/squad.yaml", ""),
        ("recipes/gradient-mixing.yaml", "standin"),
        ("heldout", ""),
    ],
)
def test_jobs_are_those_that_snakemake_plans(recipe: str, scale: str, tmp_path: Path) -> None:
    """In a folder without data or results, so that everything is to be done."""
    if recipe == "heldout":
        (tmp_path / "own.yaml").write_text(
            "{recipe: own, collect: {heldout: {questions: 9}}, evaluate: {benchmarks: [heldout]}}", encoding="utf-8"
        )
        recipe = str(tmp_path / "own.yaml")
    for name in ("Snakefile", "params.yaml", "workflow", "recipes", "src", "profiles"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    chosen = [*(["--configfile", recipe] if recipe != "params.yaml" else []), *(["--config", f"scale={scale}"] if scale else [])]
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", *chosen]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env={**os.environ})
    text = said.stdout + said.stderr
    planned = dict(re.findall(r"^(\w+) +(\d+)$", text[text.index("Job stats") :], flags=re.M))
    own = {item.rule: str(item.jobs) for item in items(Experiment(load_recipe(Path(recipe), scale)), 200)}
    assert {rule: count for rule, count in planned.items() if rule not in ("all", "total")} == own


def test_the_plan_is_printed_with_its_assumptions() -> None:
    shown = CliRunner().invoke(app, ["plan", "recipes/gradient-mixing.yaml", "--scale", "full", "--gpu-tflops", "100"])
    assert shown.exit_code == 0
    for text in ("gradient-mixing@full", "to be brought by hand", "a GPU is taken to reach 100 TFLOP/s", "without a GPU, "):
        assert text in shown.output
    assert "is not among the recipe's: standin, locales, full" in str(
        CliRunner().invoke(app, ["plan", "recipes/gradient-mixing.yaml", "--scale", "huge"]).exception
    )
