"""What a source or benchmark name stands for."""

import difflib
from functools import cache
from importlib.resources import files
from typing import TypeVar

import yaml

from koine.params import Benchmark, Params, Source
from koine.runtime.errors import KoineError

T = TypeVar("T")


@cache
def _built_in() -> tuple[dict[str, Source], dict[str, Benchmark]]:
    entries = yaml.safe_load(files("koine.collect").joinpath("sources.yaml").read_text(encoding="utf-8"))
    return (
        {name: Source.model_validate(entry) for name, entry in entries["sources"].items()},
        {name: Benchmark.model_validate(entry) for name, entry in entries["benchmarks"].items()},
    )


def source(name: str, params: Params | None = None) -> Source:
    """Look a source up, first among the recipe's own, then in `sources.yaml`.

    Raises:
        KoineError: there is none of this name; the message lists the nearest ones.
    """
    return _find(name, {**_built_in()[0], **(params.collect.registry if params else {})}, "source", "collect")


def benchmark(name: str, params: Params | None = None) -> Benchmark:
    """Look a benchmark up, first among the recipe's own, then in `sources.yaml`.

    Raises:
        KoineError: there is none of this name; the message lists the nearest ones.
    """
    found = _find(name, {**_built_in()[1], **(params.evaluate.registry if params else {})}, "benchmark", "evaluate")
    if name == "sample" and params:  # it is made in as many languages as are asked for
        files = {lang: file for lang, file in found.files.items() if lang in params.collect.sample.languages}
        found = found.model_copy(update={"files": files})
    return found


def _find(name: str, known: dict[str, T], kind: str, block: str) -> T:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3) or sorted(known)
    raise KoineError(f"unknown {kind} {name!r}: try {', '.join(near)}, or define it under {block}.registry")
