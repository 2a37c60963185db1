"""`koine fetch`: a recipe's data and models, or one data set, brought where there is a network for jobs that have none."""

import subprocess
import sys
from pathlib import Path

from koine.collect import registry
from koine.doctor import load_recipe
from koine.plan import Plan
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.hub import local_model


def fetch(recipe: Path, scale: str = "") -> None:
    """Bring the models into the Hub's cache, and the data into data/raw, by the workflow's own rule.

    What a mirror or `KOINE_MODELS` has comes from there; what is here already is not brought again.

    Args:
        recipe: the recipe, or params.yaml; or the name of one source or benchmark that `koine sources` lists.
        scale: one of its scales, or nothing.

    Raises:
        KoineError: something cannot be had, or has to be brought by hand; all the rest was brought.
    """
    if not recipe.suffix:
        files = [f"data/raw/{recipe}/{file}" for file in registry.downloads(registry.known(str(recipe)))]
        if files and _snakemake(*files):
            raise KoineError(f"{recipe} could not be brought: see above")
        return
    plan = Plan(load_recipe(recipe, scale))
    lacking = [f"{path}: {plan.homes[path]}" for path in plan.absent]
    for name, (model, revision) in plan.named_models.items():
        try:
            say(f"{name}: {local_model(model, revision)}")
        except KoineError as error:
            lacking.append(str(error))
    if plan.fetch:
        words = ["--until", "collect_fetch", *(["--configfile", str(recipe)] if recipe.name != "params.yaml" else [])]
        if _snakemake(*words, *(["--config", f"scale={scale}"] if scale else [])):
            lacking.append("some of the data: see above")
    if lacking:
        raise KoineError(f"{plan.params.recipe} still lacks\n  " + "\n  ".join(lacking))
    say(f"{plan.params.recipe}: all is here; jobs need no network (docs/offline.md)")


def _snakemake(*words: str) -> int:
    """Exit code of the workflow with some words of its command line."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "rules", "reason", "host", "--keep-going"]
    return subprocess.run([*command, *words], check=False).returncode
