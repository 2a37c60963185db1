"""The commands that make a page, or one cell of its results, again: as the workflow names its files."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from koine.params import BM25, DEFAULT, Report
from koine.report.table import UNSEEN
from koine.strategies import Chain

OUT = "cell"  # the folder that a command of the page writes to


def workflow(recipe: str, *targets: str) -> str:
    """The workflow's command for some files (words of the shell), or for everything: a recipe is called as its file."""
    name, _, scale = recipe.partition("@")
    # Targets come first: --configfile and --config would take them for theirs.
    parts = ["snakemake --cores all", *targets]
    if name != DEFAULT:
        parts.append(f"--configfile {shlex.quote(f'recipes/{name}.yaml')}")
    if scale:
        parts.append(f"--config {shlex.quote(f'scale={scale}')}")
    return " ".join(parts)


@dataclass(frozen=True)
class Commands:
    """The commands of one recipe.

    Attributes:
        recipe: name in the tables, with its scale after @.
        seeds: of every backbone, strategy and benchmark that was evaluated.
        widest: koine.json of a model that was trained in all languages of the recipe, where there is one.
        options: of `koine report`, where the recipe does not leave them as they are.
    """

    recipe: str
    seeds: Mapping[tuple[str, str, str], Sequence[int]]
    widest: str
    options: str

    @classmethod
    def of(cls, pairs: pl.DataFrame, models: Sequence[Mapping[str, Any]], report: Report) -> "Commands":
        """Look through what was evaluated, and the koine.json of all models."""
        seeds: dict[tuple[str, str, str], list[int]] = {}
        columns = ["backbone", "strategy", "benchmark", "seed"]
        for backbone, strategy, benchmark, seed in pairs.select(columns).unique(maintain_order=True).iter_rows():
            seeds.setdefault((backbone, strategy, benchmark), []).append(seed)
        recipe = pairs["recipe"][0] if len(pairs) else ""
        trained = {lang for model in models for lang in model["languages"]}
        whole = next((model for model in models if set(model["languages"]) == trained), None)
        widest = f"models/{recipe}/{whole['backbone']}/{whole['strategy']}/seed-{whole['seed']}/koine.json" if whole else ""
        changed = [name for name in ("confidence", "resamples", "seed") if getattr(report, name) != getattr(Report(), name)]
        return cls(recipe, seeds, widest, "".join(f" --{name} {getattr(report, name)}" for name in changed))

    def snakemake(self, *targets: str) -> str:
        """The workflow's command for some files (words of the shell), or for everything."""
        return workflow(self.recipe, *targets)

    def row(self, backbone: str, strategy: str, benchmark: str) -> str | None:
        """Three lines that make one row of the results again: its models and evaluations, its interval, and what to read there.

        The last line has a pattern in quotes, of the row's lines in table.csv; a cell's goes on with its setting and metric.
        None where it is not known which files they were.
        """
        whole, _, part = benchmark.partition(":")
        seeds = self.seeds.get((backbone, strategy, whole))
        if not self.recipe or not seeds:
            return None
        numbers = f"{{{','.join(map(str, seeds))}}}" if len(seeds) > 1 else str(seeds[0])
        folder = f"{shlex.quote(f'data/{self.recipe}/evaluate/{backbone}/{strategy}/seed-')}{numbers}/{shlex.quote(whole)}"
        targets, models = [f"{folder}/pairs.csv"], ""
        if part == UNSEEN:  # which languages are unseen follows from the models
            if not self.widest:
                return None
            targets.append(shlex.quote(self.widest))
            models = f" --models {shlex.quote(self.widest)}"
        lines = f"^{self.recipe},{backbone},{strategy},{benchmark},"
        return "\n".join(
            [
                self.snakemake(*targets),
                f"koine report {folder}{models}{self.options} --out {OUT}",
                f"grep {shlex.quote(lines)} {OUT}/table.csv",
            ]
        )

    def alone(self, backbone: str, strategy: str, benchmark: str) -> str | None:
        """The line that evaluates one trained model by itself; None of what is no model's retrieval, such as BM25's."""
        whole, _, part = benchmark.partition(":")
        seeds = self.seeds.get((backbone, strategy, whole))
        if not self.recipe or not seeds or backbone == BM25:
            return None
        chain = Chain.parse(strategy)
        model = f"models/{self.recipe}/{backbone}/{chain.model}/seed-{seeds[0]}"
        words = ["--model", model, "--benchmark", f"data/{self.recipe}/collect/benchmarks/{whole}"]
        words += ["--debias", chain.debias] if chain.debias else []
        words += ["--pools", part] if part and part != UNSEEN else []
        return f"koine evaluate {shlex.join(words)} --out {OUT}"
