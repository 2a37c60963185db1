"""What changes only speed."""

from typing import Annotated, Literal

from pydantic import Field

from koine.params.base import Block, Positive


class Execution(Block):
    """What changes only speed. Nothing reruns when these change."""

    workers: Positive = Field(1, description="Processes that score translations.")
    translate_threads: Positive = Field(1, description="CPU threads of one translation job.")
    translate_batch_tokens: Positive = Field(4096, description="Tokens translated at once; smaller needs less memory.")
    checkpoint_minutes: Annotated[float, Field(ge=0)] = Field(
        10.0, description="Between two checkpoints of a training run; a run that was stopped resumes from the last."
    )
    track: Literal["none", "tensorboard", "wandb"] = Field("none", description="Where training curves are sent, too.")
