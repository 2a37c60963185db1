"""What all blocks of parameters share: the base class, common types, and the names of languages' settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from koine.names import entry_of

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
NAME = r"^[a-z0-9][a-z0-9._-]*$"
#: Query and corpus in one language; an ordered pair of two; a query against the union of all languages' corpora.
SETTINGS = ("mono", "cross", "multi")
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


@dataclass(frozen=True)
class NameOf:
    """Makes `Annotated[str, NameOf(REGISTRY, "reader")]` the name of a registry's entry, which the JSON schema lists.

    Attributes:
        registry: entries by name.
        what: what an entry is, for the message about an unknown one.
    """

    registry: Mapping[str, object]
    what: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A text that is one of the names."""
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The names."""
        return {**handler(schema), "enum": [*self.registry]}

    def _known(self, name: str) -> str:
        entry_of(self.registry, name, self.what)
        return name
