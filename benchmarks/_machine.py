"""Where a benchmark ran: goes into every results file."""

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "sentence-transformers", "numpy", "polars")


def machine() -> str:
    """Processor and cores, in words."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if names:
            return f"{len(names)} x {names[0]}"
    return model


def write_results(name: str, figures: list[dict[str, Any]]) -> None:
    """Write benchmarks/results/<name>.json: machine, versions, commit, figures."""
    here = Path(__file__).parent
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    ).stdout.strip()
    versions = {package: version(package) for package in PACKAGES}
    out = here / "results" / f"{name}.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(
        json.dumps({"machine": machine(), "versions": versions, "commit": commit, "figures": figures}, indent=2) + "\n"
    )
