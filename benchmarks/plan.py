"""How long Snakemake takes to plan the largest recipe: gradient-mixing at full scale, 132 languages, 198 models.

    python benchmarks/plan.py

In a folder without data or results, so that everything is to be done; `snakemake -n`, the median of three, start included. Writes
benchmarks/results/plan.json.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _machine import update_results

ROOT = Path(__file__).parents[1]
NEEDED = ("Snakefile", "params.yaml", "workflow", "recipes", "src", "profiles")


def main() -> None:
    """Plan, and write how long it took."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", "recipes/gradient-mixing.yaml"]
    seconds, text = [], ""
    with tempfile.TemporaryDirectory() as folder:
        for name in NEEDED:
            (Path(folder) / name).symlink_to(ROOT / name)
        for _ in range(3):
            start = time.perf_counter()
            done = subprocess.run([*command, "--config", "scale=full"], cwd=folder, capture_output=True, text=True, check=True)
            seconds.append(time.perf_counter() - start)
            text = done.stdout + done.stderr
    jobs = int(re.findall(r"^total +(\d+)$", text, flags=re.M)[0])
    took = statistics.median(seconds)
    print(f"{jobs:,} jobs planned in {took:.1f} s")
    update_results("plan", [("plan.full_seconds", round(took, 1), "s", f"{jobs:,} jobs; goal: less than 20")])


if __name__ == "__main__":
    main()
