"""`koine doctor`: what this machine can run, and what a recipe lacks, before anything starts."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from koine.names import target
from koine.params.recipe import PARAMS, load_recipe
from koine.runtime.console import say
from koine.runtime.download import in_mirror
from koine.runtime.errors import KoineError
from koine.runtime.gpus import gpus
from koine.runtime.hub import on_disk, remedy, unreachable
from koine.translate.base import Options
from koine.workflow.experiment import Experiment

ALWAYS = {"model": "config.json", "dataset": "README.md"}  # a file that each has, once it was downloaded


@dataclass(frozen=True)
class Finding:
    """One line of the report; `ok` is None where it is neither good nor bad."""

    what: str
    says: str
    ok: bool | None = None


def doctor(recipe: Path = PARAMS, /, *, scale: str = "") -> None:
    """Say what this machine can run, and what a recipe lacks, before anything starts.

    koine doctor recipes/squad-fi.yaml

    Args:
        recipe: A recipe, e.g. recipes/squad-fi.yaml.
        scale: One of the recipe's scales, such as standin or full.

    Raises:
        KoineError: the recipe is not valid, or lacks something.
    """
    experiment = Experiment(load_recipe(recipe, scale))
    lacking = 0
    for finding in _findings(experiment):
        mark, style = {True: ("ok", "green"), False: ("missing", "red"), None: ("", "")}[finding.ok]
        say(f"{finding.what:<12} {finding.says}", f"{mark:<8}", style)
        lacking += finding.ok is False
    if lacking:
        raise KoineError(f"{recipe} lacks {lacking} thing(s)")
    say(f"{recipe} can run here")


def _findings(experiment: Experiment) -> Iterator[Finding]:
    yield from _machine()
    why = unreachable()
    says = f"not reachable ({why}); set KOINE_MODELS for Hub ids (docs/offline.md)" if why else "reachable"
    yield Finding("Hub", says, not why or None)
    yield from _recipe(experiment, online=not why)


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(".").free / 2**30
    yield Finding("machine", f"{cores} cores, {_memory()}, {free:.0f} GiB free on this disk")
    yield _gpu()
    slurm = bool(shutil.which("sbatch"))
    says = "sbatch is here: --profile profiles/slurm" if slurm else "no sbatch; jobs run on this machine"
    yield Finding("Slurm", says, slurm or None)
    remote = without_secrets(_run("dvc", "remote", "list"))
    yield Finding("DVC remote", remote or "none; `dvc remote add -d NAME URL` to share data and models", bool(remote) or None)
    for variable in ("KOINE_MIRROR", "KOINE_MODELS"):
        folder = os.environ.get(variable)
        says = folder or "not set"
        there = Path(folder).is_dir() if folder else None
        yield Finding(variable, says if there is not False else f"{says}: no such folder", there)


def _gpu() -> Finding:
    """The GPUs that CUDA may use; torch, which takes seconds to load, is only asked for its build."""
    names, build = gpus(), version("torch")
    if names and build.endswith("+cpu"):
        return Finding("GPU", f"{', '.join(names)}; torch {build} computes on the CPU all the same: install a build for CUDA")
    return Finding("GPU", ", ".join(names) or "none; encoders run on the CPU", bool(names) or None)


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB memory"
    except (ValueError, OSError):
        return "memory unknown"


def _run(*command: str) -> str:
    """Output of a command on one line; empty where it fails or is not installed."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return " ".join(result.stdout.split()) if result.returncode == 0 else ""


def without_secrets(text: str) -> str:
    """A text whose addresses have no passwords, tokens or signatures, as people paste it into issues.

    >>> without_secrets("s ssh://bob:SECRET@host/path")
    's ssh://bob:…@host/path'
    >>> without_secrets("https://TOKEN@host/path?sig=SECRET#part")
    'https://…@host/path?…'
    """
    text = re.sub(r"://([^\s/@:]*):\S*@", r"://\1:…@", text)
    text = re.sub(r"(https?)://[^\s/@:]+@", r"\1://…@", text)
    return re.sub(r"(://[^\s?]*)\?\S*", r"\1?…", text)


def _recipe(experiment: Experiment, *, online: bool) -> Iterator[Finding]:
    """What the recipe needs, each with whether it is here."""
    models, benchmarks = len(experiment.models.runs), len(experiment.sources.tested)
    says = f"{experiment.params.recipe}: {models} model(s), {benchmarks} benchmark(s), results in {experiment.results}/"
    yield Finding("recipe", says, True)
    for name, (hub_id, revision) in experiment.sources.hub_ids.items():
        yield _from_hub(name, hub_id, "dataset", revision, online=online)
    for name, files in experiment.sources.locations.items():
        yield _download(name, files)
    yours = experiment.named_paths()
    local = {str(path) for _, path in yours}
    for name, (model, revision) in experiment.named_models.items():
        if model not in local:
            yield _from_hub(name, model, "model", revision, online=online)
    yield from _programs(experiment)
    for parameter, path in yours:
        home = f"; {experiment.sources.homes[str(path)]}" if str(path) in experiment.sources.homes else ""
        yield Finding(parameter, str(path) if path.exists() else f"{path}: no such file or folder{home}", path.exists())


def _download(name: str, files: dict[str, str]) -> Finding:
    """Whether the files of a source are here, or can come from the mirror or the network."""
    absent = {file: location for file, location in files.items() if not Path(f"data/raw/{name}/{file}").is_file()}
    if not absent:
        return Finding(name, f"{len(files)} file(s) already in data/raw", True)
    locations = list(absent.values())
    mirrored = [path for location in locations if (path := in_mirror(location))]
    if lacking := [path for path in mirrored if not path.is_file()]:
        return Finding(name, f"KOINE_MIRROR lacks {lacking[0]}" + (f" and {len(lacking) - 1} more" if lacking[1:] else ""), False)
    if mirrored:
        return Finding(name, f"{len(locations)} file(s) in the mirror", True)
    if all(location.startswith("https://") for location in locations):
        return Finding(name, f"{len(locations)} file(s) to download, e.g. {locations[0]}")
    return Finding(name, f"{locations[0]} has no public address: set KOINE_MIRROR (docs/offline.md)", False)


def _from_hub(name: str, hub_id: str, kind: str, revision: str, *, online: bool) -> Finding:
    """Whether a model or data set is here, was downloaded before, or can be now."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if local := on_disk(hub_id):
        return Finding(name, f"{local} is here", True)
    try:
        cached = try_to_load_from_cache(hub_id, ALWAYS[kind], revision=revision or None, repo_type=kind)
    except HFValidationError:
        return Finding(name, f"{hub_id}: no such folder, and no id of the Hub", False)
    if isinstance(cached, str):
        return Finding(name, f"{hub_id} was downloaded before", True)
    if online:
        return Finding(name, f"{hub_id} comes from the Hub")
    return Finding(name, f"{hub_id} comes from the Hub, which is not reachable: {remedy(hub_id)}", False)


def _programs(experiment: Experiment) -> Iterator[Finding]:
    """The directions that the recipe needs of programs that translate."""
    t = experiment.params.translate
    for lang in t.languages:
        backend = t.entry_for(lang)
        for way in t.ways(lang) if backend.program else []:
            try:
                yield Finding("-".join(way), target(backend.make)(*way, Options()).version, True)
            except KoineError as error:
                yield Finding("-".join(way), str(error), False)
