"""Block of the evaluate step."""

from typing import Annotated

from pydantic import Field

from koine.params.base import Block, Name, OwnPath
from koine.params.collect import Benchmark, Candidate

Domains = Annotated[int, Field(ge=0)] | OwnPath


class Evaluate(Block):
    """All ordered language pairs and the pool of all languages, from one score matrix per query language."""

    benchmarks: list[Name] = Field(
        ["sample"], min_length=1, description="Names in the registry, or defined under `registry` below."
    )
    registry: dict[Name, Benchmark] = Field({}, description="Your own benchmarks; see docs/evaluate.md.")
    candidates: dict[str, Candidate] = Field(
        {}, description="Another candidate text than a benchmark's usual one, as {xquad-r: sentence}."
    )
    probes: list[str] = Field([], description="Probes of the vectors by a linear classifier: `xnli`; see docs/evaluate.md.")
    bm25: bool = Field(True, description="Also evaluate BM25, the lexical baseline: one row, `bm25 untrained`.")
    pools: list[str] = Field(
        [], description="Sub-pools such as `en+fi`, evaluated beside the whole where a benchmark has these languages."
    )
    domains: dict[str, Domains] = Field(
        {},
        description="Benchmarks to report by domain: {mlqa-r: 8} for 8 clusters, 0 for none, or a CSV of query_id and domain.",
    )
