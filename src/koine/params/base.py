"""What all blocks of parameters share: the base class, common types, and the names of languages' settings."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
NAME = r"^[a-z0-9][a-z0-9._-]*$"
#: Query and corpus in one language; an ordered pair of two; a query against the union of all languages' corpora.
Setting = Literal["mono", "cross", "multi"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)
#: The recipe whose tables stand in results/ itself.
DEFAULT = "sample"
#: The benchmark that a recipe makes of its own questions (`HeldOut`).
HELD_OUT = "heldout"
#: The lexical baseline's name in the tables.
BM25 = "bm25"


class Block(BaseModel):
    """A group of parameters; unknown keys are errors. `prefix` stands before its command-line options."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    prefix: ClassVar[str] = ""
