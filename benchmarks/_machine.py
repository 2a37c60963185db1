"""Where a benchmark ran: goes into every results file."""

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "transformers", "sentence-transformers", "numpy", "polars")


def machine() -> str:
    """Processor and cores, and the GPU, in words."""
    import torch

    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return f"{len(names)} x {names[0]}{gpu}"
    return model + gpu


def update_results(name: str, rows: list[tuple[str, float, str, str]]) -> None:
    """Write figures (name, value, unit, against) into benchmarks/results/<name>.json, beside those of its other parts.

    The file says machine, versions, commit and figures.
    """
    here = Path(__file__).parent
    out = here / "results" / f"{name}.json"
    figures = {figure["figure"]: figure for figure in json.loads(out.read_text())["figures"]} if out.is_file() else {}
    figures |= {row[0]: dict(zip(("figure", "value", "unit", "against"), row, strict=True)) for row in rows}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    ).stdout.strip()
    versions = {package: version(package) for package in PACKAGES}
    out.parent.mkdir(exist_ok=True)
    result = {"machine": machine(), "versions": versions, "commit": commit, "figures": list(figures.values())}
    out.write_text(json.dumps(result, indent=2) + "\n")
