"""`koine sources`: what data sets and benchmarks there are by name."""

from koine.collect.registry import listing
from koine.runtime.console import table


def sources() -> None:
    """List the sources and benchmarks that are known by name: languages, licence, version, and where they come from."""
    table("sources and benchmarks", ["name", "kind", "languages", "licence", "version", "from"], listing(), texts=6)
