"""Block of the encode step."""

from typing import Literal

from pydantic import Field

from koine.params.base import Block


class Encode(Block):
    """Each text of a benchmark once per model."""

    dtype: Literal["float32", "float16"] = Field("float32", description="Precision of stored vectors; scored in float32.")
