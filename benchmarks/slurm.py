"""The default experiment on a real Slurm (two nodes on this machine) and without it: the same tables, and what they cost.

    python benchmarks/slurm.py

Needs root and Debian's slurmctld, slurmd and slurm-client. Writes benchmarks/results/slurm.json, and Snakemake's own words to
benchmarks/results/slurm.log.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from _machine import update_results
from cluster import slurm
from test_slurm import HERE, MEMORY, TABLES

ROOT = Path(__file__).parents[1]
LOG = ROOT / "benchmarks/results/slurm.log"


def run(clone: Path, command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Seconds and output of a command that must succeed."""
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout[-6000:])
    return time.monotonic() - start, done.stdout


def main() -> None:
    """Run both, compare their tables, and write what they took."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as scratch:
        clones = {name: Path(scratch) / name for name in ("local", "slurm")}
        for clone in clones.values():
            subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        local, _ = run(clones["local"], ["snakemake", "--cores", "2"], environment | {"PYTHONPATH": str(clones["local"] / "src")})
        with slurm(Path(scratch) / "cluster") as cluster:
            there = environment | {"PYTHONPATH": str(clones["slurm"] / "src")} | {"SLURM_CONF": cluster.environment["SLURM_CONF"]}
            remote, said = run(clones["slurm"], ["snakemake", *HERE, "--set-resources", *MEMORY], there)
            asked = subprocess.run(["squeue", "-h", "-t", "all", "-r", "-o", "%i"], env=cluster.environment, capture_output=True)
        tables = [f"results/{name}" for name in TABLES]
        different = sum((clones["local"] / name).read_bytes() != (clones["slurm"] / name).read_bytes() for name in tables)
        for own, name in ((scratch, "SCRATCH"), (str(ROOT), "CHECKOUT"), (os.uname().nodename, "HOST")):
            said = said.replace(own, name)
        LOG.write_text(said, encoding="utf-8")
    steps = int(re.findall(r"(\d+) of \1 steps \(100%\) done", said)[-1])
    jobs = len(asked.stdout.split())
    print(f"{steps} steps in {jobs} jobs of Slurm: {remote:.0f} s, without Slurm {local:.0f} s; {different} tables differ")
    rows = [
        ("slurm.differences", different, "tables", f"of {', '.join(TABLES)}, which are not the local run's bytes"),
        ("slurm.jobs", jobs, "jobs", f"of Slurm, for {steps} steps: groups and arrays"),
        (
            "slurm.vs_local",
            round(local / remote, 2),
            "ratio",
            "two nodes of one processor against two processors, polling included",
        ),
    ]
    update_results("slurm", rows)


if __name__ == "__main__":
    main()
