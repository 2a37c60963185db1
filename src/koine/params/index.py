"""Blocks of the index step."""

from typing import Annotated, Literal

from pydantic import Field

from koine.params.base import Block, Positive


class IndexKind(Block):
    """A kind of index, and how much work goes into it."""

    kind: Literal["flat", "ivf", "ivfpq", "sq", "hnsw"] = Field(
        "flat",
        description="`flat` is exact; `ivf` looks into the nearest lists, `sq` too, with 8-bit codes; `ivfpq` scans short codes "
        "and ranks the best again; `hnsw` walks a graph.",
    )
    nlist: int = Field(
        0,
        ge=0,
        description="Lists of ivf, ivfpq, sq; 0 for 4 times the root of the number of vectors, and for one list in an ivfpq of "
        "up to 10 million.",
    )
    train_size: int = Field(0, ge=0, description="Vectors that lists and codes are learnt from; 0 for 40 a list.")
    nprobe: Positive = Field(256, description="Lists that a query looks into; more find more, and cost as much more.")
    code_size: Positive = Field(32, description="Bytes of an ivfpq code; their half bytes divide the dimensions.")
    k_factor: int = Field(
        20,
        ge=0,
        description="Of ivfpq, this many times as many as are asked for are ranked again, by 8-bit codes; 0: none, and smaller.",
    )
    hnsw_m: Annotated[int, Field(ge=2)] = Field(32, description="Links of an hnsw vector.")
    ef_construction: Positive = Field(80, description="Candidates of hnsw while it is built.")
    ef_search: Positive = Field(512, description="Candidates of hnsw when it is searched; more find more, and cost more.")


class Index(IndexKind):
    """A FAISS index over the pool of all languages, to search in and to ship."""

    strategies: list[str] = Field(["hybrid"], description="Strategies that get an index, for their first seed.")
