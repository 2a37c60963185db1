"""`koine fetch`: a recipe's data and models, or one data set, brought where there is a network for jobs that have none."""

import subprocess
import sys
from pathlib import Path

from koine.collect import registry
from koine.params.recipe import PARAMS, load_recipe
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.hub import local_model
from koine.workflow.experiment import Experiment


def fetch(recipe: Path = PARAMS, /, *, scale: str = "") -> None:
    """Bring a recipe's data and models, or one data set by its name: run it where there is a network.

    koine fetch recipes/squad.yaml

    The models go into the Hub's cache, the data into data/raw, by the workflow's own rule. What a mirror or KOINE_MODELS has
    comes from there; what is here already is not brought again.

    Args:
        recipe: A recipe, e.g. recipes/squad-fi.yaml; or the name of one source or benchmark that `koine sources` lists.
        scale: One of the recipe's scales, such as standin or full.

    Raises:
        KoineError: something cannot be had, or has to be brought by hand; all the rest was brought.
    """
    if not recipe.suffix:
        files = [f"data/raw/{recipe}/{file}" for file in registry.downloads(registry.known(str(recipe)))]
        if files and _snakemake(*files):
            raise KoineError(f"{recipe} could not be brought: see above")
        return
    experiment = Experiment(load_recipe(recipe, scale))
    lacking = [f"{path}: {experiment.sources.homes[path]}" for path in experiment.sources.absent]
    for name, (model, revision) in experiment.named_models.items():
        try:
            say(f"{name}: {local_model(model, revision)}")
        except KoineError as error:
            lacking.append(str(error))
    if experiment.sources.downloads:
        words = ["--until", "collect_download", *(["--configfile", str(recipe)] if recipe != PARAMS else [])]
        if _snakemake(*words, *(["--config", f"scale={scale}"] if scale else [])):
            lacking.append("some of the data: see above")
    if lacking:
        raise KoineError(f"{experiment.params.recipe} still lacks\n  " + "\n  ".join(lacking))
    say(f"{experiment.params.recipe}: all is here; jobs need no network (docs/offline.md)")


def _snakemake(*words: str) -> int:
    """The exit status of Snakemake, which shows its own progress."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--keep-going", "--quiet", "rules", "reason", "host", "--"]
    separate = words[0].startswith("-")
    return subprocess.run([*(command[:-1] if separate else command), *words], check=False).returncode
