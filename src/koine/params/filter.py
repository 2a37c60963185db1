"""Blocks of the filter step."""

import math
import re
from functools import partial
from typing import Annotated, Any

from pydantic import AfterValidator, Field, WithJsonSchema, create_model

from koine.filter.rules import RULES, Rule
from koine.params.base import Block, Model, OwnPath


class Score(Block):
    """What the scores of a translation are computed with."""

    neighbours: list[str] = Field(
        [], description="More languages that the language identifier may choose from, besides the recipe's own."
    )
    encoder: Model = Field(
        "", description="Folder or Hub id of a sentence encoder: adds the cosine of source and translation (rule `cosine`)."
    )
    encoder_revision: str = Field("", description="Commit, branch or tag of the encoder on the Hub; empty for its main branch.")


class Scores(Score):
    """What the scores of a translation are computed with."""

    external: OwnPath = Field(
        "",
        description="Your own scores, such as COMET-QE's or bicleaner-ai's: JSONL with `id` and `score`; {lang} is filled in "
        "(rule `external`).",
    )

    @property
    def without_external(self) -> Score:
        """What `koine filter-score` is told besides the file of a language."""
        return Score(**self.model_dump(exclude={"external"}))


_SHARE = r"^\d+(\.\d+)?%$"


def _threshold(low: float, high: float, value: float | str | None) -> float | str | None:
    """Check a threshold: a score, or the share of pairs with the worst scores as `2%`; null turns the rule off."""
    if isinstance(value, str) and not re.fullmatch(_SHARE, value):
        raise ValueError(f"{value!r} is neither a number nor a share of the worst pairs such as 2%")
    if isinstance(value, float) and not low <= value <= high:
        raise ValueError(f"{value:g} does not lie between {low:g} and {high:g}")
    return value


def _field(rule: Rule) -> tuple[Any, Any]:
    """The parameter of a rule: its type and its field."""
    field = Field(rule.default, description=rule.description)
    if rule.keeps == "null":
        return bool, field
    limits = {name: bound for name, bound in (("minimum", rule.low), ("maximum", rule.high)) if math.isfinite(bound)}
    schema = {"anyOf": [{"type": "number", **limits}, {"type": "string", "pattern": _SHARE}, {"type": "null"}]}
    check = AfterValidator(partial(_threshold, rule.low, rule.high))
    return Annotated[float | str | None, check, WithJsonSchema(schema)], field


_FIELDS: dict[str, Any] = {name: _field(rule) for name, rule in RULES.items()}


class Rules(create_model("_Rules", __base__=Block, **_FIELDS)):  # type: ignore[misc]
    """A pair is kept when its question and its passage pass every rule. `2%` drops the worst 2 %; null turns a rule off."""

    @property
    def switched_on(self) -> dict[str, float | str]:
        """The thresholds of the rules that are not turned off."""
        return {name: threshold for name, threshold in self if threshold is not None and threshold is not False}


class Filter(Block):
    """Scores first, decisions later: changing a rule recomputes no score."""

    score: Scores = Scores()
    rules: Rules = Rules()
