"""What all blocks of parameters share: the base class, common types, and the names of languages' settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from koine.names import entry_of

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
NAME = r"^[a-z0-9][a-z0-9._-]*$"
#: Of a source or a benchmark: it stands in paths and in Snakemake's patterns.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
#: Query and corpus in one language; an ordered pair of two; a query against the union of all languages' corpora.
Setting = Literal["mono", "cross", "multi"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)
#: The recipe whose tables stand in results/ itself.
DEFAULT = "sample"
#: The benchmark that a recipe makes of its own questions (`HeldOut`).
HELD_OUT = "heldout"
#: The lexical baseline's name in the tables.
BM25 = "bm25"


@dataclass(frozen=True)
class Names:
    """Marks a parameter that names something outside of the recipe: a path, whose content counts, or a model of the Hub."""

    what: Literal["path", "model"]


#: A file or folder of the user's; `{...}` in it is filled in.
OwnPath = Annotated[str, Names("path")]
#: A folder, or an id of the Hub that has a revision beside it.
Model = Annotated[str, Names("model")]


def _language(tag: str) -> str:
    from koine.languages import is_tag  # langcodes is slow to import

    if not is_tag(tag):
        raise ValueError(f"{tag!r} is no language tag; BCP 47 looks like en, pt-BR or zh-Hant")
    return tag


def same_language(tags: Sequence[str]) -> str:
    """Why some language tags do not name different languages; empty where they do.

    >>> same_language(["de", "he", "iw"])
    "'he' and 'iw' are one language"
    """
    from koine.languages import likely

    seen: dict[str, str] = {}
    for tag in tags:
        if (known := seen.setdefault(likely(tag), tag)) != tag:
            return f"{known!r} and {tag!r} are one language"
    twice = next((tag for tag in tags if list(tags).count(tag) > 1), None)
    return f"{twice!r} stands twice" if twice else ""


def _different(tags: list[str]) -> list[str]:
    if reason := same_language(tags):
        raise ValueError(reason)
    return tags


#: A language (BCP 47), and languages of which no two are the same.
Language = Annotated[str, AfterValidator(_language)]
LanguageList = Annotated[list[Language], AfterValidator(_different)]


class Block(BaseModel):
    """A group of parameters; unknown keys are errors. `prefix` stands before its command-line options."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
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
