"""How often spoilt input ends in a traceback, in a message without its file, or in a long wait: it never should.

    python benchmarks/fuzz.py [--cases 200000]

Every reader of Koine's in turn (`tests/fuzz.py`). Writes benchmarks/results/fuzz.json.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import fuzz as campaign
from _machine import update_results


def main() -> None:
    """Run the campaign, print what went wrong, and write how often it did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=200_000)
    cases = parser.parse_args().cases
    start, wrong, slow = time.perf_counter(), 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-(-cases // len(campaign.SUBJECTS))):
            for subject in campaign.SUBJECTS:
                begun = time.perf_counter()
                if found := campaign.problem(subject, number, Path(folder)):
                    wrong += 1
                    print(f"{subject} {number}: {found}")
                slow = max(slow, time.perf_counter() - begun)
    ran = (number + 1) * len(campaign.SUBJECTS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{ran:,} cases of {len(campaign.SUBJECTS)} readers in {time.perf_counter() - start:.0f} s: {wrong} went wrong")
    what = f"{len(campaign.SUBJECTS)} readers, slowest case {slow:.1f} s, peak {peak:.2f} GiB"
    update_results(
        "fuzz", [("fuzz.cases", ran, "cases", what), ("fuzz.tracebacks", wrong, "cases", "or messages without a file")]
    )


if __name__ == "__main__":
    main()
