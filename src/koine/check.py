"""`koine check`: the numbers that a recipe promises, beside those in its results.

A recipe's head holds them as comments that are also YAML, after a line `# expect:`

    # expect:
    #   - [squad-dev-parallel, static, hybrid, multi, map, 0.56, 0.02]

benchmark, backbone, strategy, setting, metric, value, tolerance (absolute); on one kind of machine the figures are
equal, across machines they agree within the tolerance.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import yaml

from koine.doctor import parse_yaml
from koine.params import DEFAULT
from koine.records import TABLE
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import read_text


@dataclass(frozen=True)
class Expectation:
    """One promised number."""

    benchmark: str
    backbone: str
    strategy: str
    setting: str
    metric: str
    value: float
    tolerance: float


def expectations(recipe: Path) -> list[Expectation]:
    """What the head of a recipe promises.

    Raises:
        KoineError: no such file, or the block is not a list of seven fields each.
    """
    lines = read_text(recipe).splitlines()
    if "# expect:" not in lines:
        return []
    block = []
    for line in lines[lines.index("# expect:") + 1 :]:
        if not line.startswith("#   "):
            break
        block.append(line.removeprefix("# "))
    try:
        promised = [Expectation(*row) for row in yaml.safe_load("\n".join(block)) or []]
    except (TypeError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise KoineError(f"{recipe}: the `# expect:` block is not a list of seven fields each ({error})") from None
    for one in promised:
        if not all(isinstance(number, int | float) for number in (one.value, one.tolerance)):
            raise KoineError(f"{recipe}: # expect: value and tolerance of {one} are numbers")
    return promised


def check(recipe: Path) -> bool:
    """Print [OK] or [FAIL] beside each promised number; True where all hold.

    Raises:
        KoineError: the recipe promises nothing, or has no results yet.
    """
    promised = expectations(recipe)
    if not promised:
        raise KoineError(f"{recipe}: no `# expect:` block in its head, so there is nothing to check")
    name = parse_yaml(recipe).get("recipe", DEFAULT)
    path = Path("results") / ("" if name == DEFAULT else name) / "table.csv"
    if not path.is_file():
        raise KoineError(f"{path}: no such file; run the recipe first")
    table = TABLE.check(pl.read_csv(path, schema_overrides=dict(TABLE.columns)), path)
    keys = ["benchmark", "backbone", "strategy", "setting", "metric"]
    found = {tuple(row[key] for key in keys): row["mean"] for row in table.iter_rows(named=True)}
    good = 0
    for one in promised:
        key = (one.benchmark, one.backbone, one.strategy, one.setting, one.metric)
        value = found.get(key)
        holds = value is not None and abs(value - one.value) <= one.tolerance
        good += holds
        mark, style = ("[OK]   ", "green") if holds else ("[FAIL] ", "red")
        seen = "missing" if value is None else f"{value:.4f}"
        say(f"{' '.join(key)}: {seen}, expected {one.value} ± {one.tolerance}", mark, style)
    say(f"{good} of {len(promised)} hold")
    return good == len(promised)
