"""`koine doctor`: what this machine can run, and what a recipe lacks, before anything starts."""

import os
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from koine.names import target
from koine.params import laid_over
from koine.plan import Plan
from koine.runtime.console import say
from koine.runtime.download import in_mirror
from koine.runtime.errors import KoineError
from koine.runtime.files import read_text
from koine.runtime.hub import on_disk, remedy
from koine.translate.base import Options

HUB = "https://huggingface.co/api/models?limit=1"
TIMEOUT = 5  # seconds to wait for the Hub
ALWAYS = {"model": "config.json", "dataset": "README.md"}  # a file that each has, once it was downloaded


@dataclass(frozen=True)
class Finding:
    """One line of the report; `ok` is None where it is neither good nor bad."""

    what: str
    says: str
    ok: bool | None = None


def doctor(recipe: Path, scale: str = "") -> bool:
    """Print findings on the machine and on a recipe at a scale; True where nothing that the recipe needs is missing.

    Raises:
        KoineError: the recipe is not valid.
    """
    hub = _hub()
    findings = [*_machine(), hub, *_recipe(recipe, scale, online=bool(hub.ok))]
    for finding in findings:
        mark, style = {True: ("ok", "green"), False: ("missing", "red"), None: ("", "")}[finding.ok]
        say(f"{finding.what:<12} {finding.says}", f"{mark:<8}", style)
    lacking = sum(finding.ok is False for finding in findings)
    say(f"{recipe} can run here" if not lacking else f"{recipe} lacks {lacking} thing(s)")
    return not lacking


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    free = shutil.disk_usage(".").free / 2**30
    yield Finding("machine", f"{cores} cores, {_memory()}, {free:.0f} GiB free on this disk")
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    yield Finding("GPU", ", ".join(gpus) or "none; encoders run on the CPU", bool(gpus) or None)
    slurm = bool(shutil.which("sbatch"))
    says = "sbatch is here: --profile profiles/slurm" if slurm else "no sbatch; jobs run on this machine"
    yield Finding("Slurm", says, slurm or None)
    remote = _run("dvc", "remote", "list")
    yield Finding("DVC remote", remote or "none; `dvc remote add -d NAME URL` to share data and models", bool(remote) or None)
    for variable in ("KOINE_MIRROR", "KOINE_MODELS"):
        folder = os.environ.get(variable)
        says = folder or "not set"
        there = Path(folder).is_dir() if folder else None
        yield Finding(variable, says if there is not False else f"{says}: no such folder", there)


def _hub() -> Finding:
    try:
        with urllib.request.urlopen(HUB, timeout=TIMEOUT):
            return Finding("Hub", "reachable", True)
    except OSError as error:
        return Finding("Hub", f"not reachable ({error}); set KOINE_MODELS for Hub ids (docs/offline.md)")


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB memory"
    except (ValueError, OSError):
        return "memory unknown"


def _run(*command: str) -> str:
    """Output of a command on one line; empty where it fails or is not installed."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return ""
    return " ".join(result.stdout.split()) if result.returncode == 0 else ""


def load_recipe(recipe: Path, scale: str = "") -> dict[str, Any]:
    """params.yaml with a recipe laid over it, as Snakemake merges them, and the scale that is asked for.

    Raises:
        KoineError: a file is missing or is not a YAML mapping.
    """
    merged: dict[str, Any] = {}
    for path in dict.fromkeys((Path("params.yaml"), recipe)):
        merged = laid_over(merged, parse_yaml(path))
    return {**merged, "scale": scale or merged.get("scale", "")}


def parse_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a recipe or in params.yaml.

    Raises:
        KoineError: it is missing or is not a YAML mapping.
    """
    if not path.is_file():
        raise KoineError(f"{path}: no such file; run koine from the checkout")
    try:
        layer = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise KoineError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(layer, dict):
        raise KoineError(f"{path}: expected a mapping of parameters")
    return layer


def _recipe(recipe: Path, scale: str, *, online: bool) -> Iterator[Finding]:
    plan = Plan(load_recipe(recipe, scale))
    says = f"{plan.params.recipe}: {len(plan.runs)} model(s), {len(plan.benchmarks)} benchmark(s), results in {plan.results}/"
    yield Finding("recipe", says, True)
    for name, (hub_id, revision) in plan.hub_ids.items():
        yield _from_hub(name, hub_id, "dataset", revision, online=online)
    for name, files in plan.locations.items():
        here = [file for file in files if Path(f"data/raw/{name}/{file}").is_file()]
        if len(here) == len(files):
            yield Finding(name, f"{len(files)} file(s) already in data/raw", True)
            continue
        locations = [location for file, location in files.items() if file not in here]
        mirrored = [path for location in locations if (path := in_mirror(location))]
        absent = [path for path in mirrored if not path.is_file()]
        if absent:
            yield Finding(name, f"KOINE_MIRROR lacks {absent[0]}" + (f" and {len(absent) - 1} more" if absent[1:] else ""), False)
        elif mirrored:
            yield Finding(name, f"{len(locations)} file(s) in the mirror", True)
        elif all(location.startswith("https://") for location in locations):
            yield Finding(name, f"{len(locations)} file(s) to download, e.g. {locations[0]}")
        else:
            yield Finding(name, f"{locations[0]} has no public address: set KOINE_MIRROR (docs/offline.md)", False)
    for name, (model, revision) in plan.named_models.items():
        yield _from_hub(name, model, "model", revision, online=online)
    yield from _programs(plan)
    for own in plan.own_files:
        there = Path(own).is_file()
        home = f"; {plan.homes[own]}" if own in plan.homes else ""
        yield Finding("your file", own if there else f"{own}: no such file{home}", there)


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


def _programs(plan: Plan) -> Iterator[Finding]:
    """The directions that the recipe needs of programs that translate."""
    t = plan.params.translate
    for lang in t.languages:
        backend = t.entry_for(lang)
        for way in t.ways(lang) if backend.program else []:
            try:
                yield Finding("-".join(way), target(backend.make)(*way, Options()).version, True)
            except KoineError as error:
                yield Finding("-".join(way), str(error), False)
