"""The default experiment, killed at random moments and started again: the same table, and how much work is lost.

    python benchmarks/chaos.py [--kills 100]

Each kill is a SIGKILL to Snakemake and all its jobs at once. Writes benchmarks/results/chaos.json.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from _machine import update_results
from chaos import campaign

ROOT = Path(__file__).parents[1]
SHARE = 0.2  # a run of some minutes is killed a dozen times, and a start lasts long enough for any of its jobs


def main() -> None:
    """Run the campaign in a clone, and write what it came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    kills = parser.parse_args().kills
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        environment["PYTHONPATH"] = str(clone / "src")
        tables = ["results/table.csv", "results/pairs.csv", "results/report.html"]
        tally = campaign(
            clone, ["snakemake", "--cores", "2", "--quiet", "rules"], environment, tables, kills, seed=1, share=SHARE
        )
    print(
        f"{tally.kills} kills over {tally.runs} runs: {tally.differences} differences; {tally.wasted:.0%} of "
        f"{tally.seconds / 60:.0f} minutes wasted (unbroken: {tally.undisturbed / 60:.1f} minutes)"
    )
    rows = [
        ("chaos.kills", tally.kills, "kills", f"{tally.runs} runs of the default experiment, each to its end"),
        ("chaos.differences", tally.differences, "runs", "whose table, pairs or page were not the unbroken run's bytes"),
        ("chaos.wasted", round(tally.wasted, 2), "share", "of the time, on what was lost and on starting again"),
    ]
    update_results("chaos", rows)


if __name__ == "__main__":
    main()
