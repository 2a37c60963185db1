"""Block of the report step."""

from typing import Annotated, Literal

from pydantic import Field

from koine.metrics import MetricName
from koine.params.base import Block, Positive

Published = Literal["xlm-r", "labse"]


class Report(Block):
    """Tables, intervals and the page."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="Coverage of the intervals.")
    resamples: Positive = Field(1000, description="Bootstrap samples, over seeds and question ids.")
    permutations: Positive = Field(10000, description="Of the randomisation tests.")
    seed: int = Field(1, description="Seed of the bootstrap and of the randomisation tests.")
    reference: str = Field("hybrid", description="The strategy that every other one is compared with.")
    metrics: list[MetricName] = Field(
        ["map", "ndcg@10", "accuracy", "rank_distance", "language_probe"],
        min_length=1,
        description="Metrics of the comparisons and of the means by kind of language, where a benchmark has them.",
    )
    margin: Annotated[float, Field(gt=0)] = Field(0.01, description="A smaller difference between fractions does not matter.")
    margin_share: Annotated[float, Field(gt=0)] = Field(
        0.05,
        description="As `margin`, as a share of the two means' mean: the lower of both counts; for ranks, this one.",
    )
    home_benchmark: str = Field(
        "", description="A benchmark of the domain that models were trained in: what they lose on the others is reported (drops)."
    )
    published: dict[Published, str] = Field(
        {}, description="Backbones of arXiv 2408.10536 to yours, as {xlm-r: static}: its tables beside yours."
    )
