"""Where models are computed."""

from pydantic import Field

from koine.params.base import Block, Positive
from koine.runtime.device import Device


class Compute(Block):
    """Where models are computed, and how much at once: this changes last digits, so what is computed there reruns."""

    device: Device = Field("auto", description="`auto` is a GPU where there is one: set `cpu` or `cuda` to compare two machines.")
    processes: Positive = Field(
        1,
        description="Of one training or encoding job, each on a GPU of its own (torchrun); they share its work.",
    )
    encode_batch_size: Positive = Field(256, description="Texts encoded at once; fewer need less memory.")
