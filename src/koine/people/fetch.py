"""`koine fetch`: a recipe's data and models, brought where there is a network for jobs that have none."""

import subprocess
import sys
from pathlib import Path

from koine.params.recipe import PARAMS, load_recipe
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.hub import local_model
from koine.workflow.experiment import Experiment


def fetch(recipe: Path = PARAMS, /, *, scale: str = "") -> None:
    """Bring a recipe's data and models, for machines without a network: run it where there is one.

    koine fetch recipes/squad.yaml

    The models go into the Hub's cache, the data into data/raw, by the workflow's own rule. What a mirror or KOINE_MODELS has
    comes from there; what is here already is not brought again.

    Args:
        recipe: A recipe, e.g. recipes/squad-fi.yaml.
        scale: One of the recipe's scales, such as standin or full.

    Raises:
        KoineError: something cannot be had, or has to be brought by hand; all the rest was brought.
    """
    experiment = Experiment(load_recipe(recipe, scale))
    lacking = [f"{path}: {experiment.sources.homes[path]}" for path in experiment.sources.absent]
    for name, (model, revision) in experiment.named_models.items():
        try:
            say(f"{name}: {local_model(model, revision)}")
        except KoineError as error:
            lacking.append(str(error))
    if experiment.sources.downloads:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--keep-going", "--quiet", "rules", "reason", "host"]
        command += ["--until", "collect_download", *(["--configfile", str(recipe)] if recipe != PARAMS else [])]
        if subprocess.run([*command, *(["--config", f"scale={scale}"] if scale else [])], check=False).returncode:
            lacking.append("some of the data: see above")
    if lacking:
        raise KoineError(f"{experiment.params.recipe} still lacks\n  " + "\n  ".join(lacking))
    say(f"{experiment.params.recipe}: all is here; jobs need no network (docs/offline.md)")
