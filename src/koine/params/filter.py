"""Blocks of the filter step."""

import math
import re
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

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
    external: OwnPath = Field(
        "",
        description="Your own scores, such as COMET-QE's or bicleaner-ai's: JSONL with `id` and `score`; {lang} is filled in "
        "(rule `external`).",
    )


_SHARE = r"^\d+(\.\d+)?%$"


def _score(low: float, high: float, value: float | str | None) -> float | str | None:
    """Check a threshold: a score, or the share of pairs with the worst scores as `2%`; null turns the rule off."""
    if isinstance(value, str) and not re.fullmatch(_SHARE, value):
        raise ValueError(f"{value!r} is neither a number nor a share of the worst pairs such as 2%")
    if isinstance(value, float) and not low <= value <= high:
        raise ValueError(f"{value:g} does not lie between {low:g} and {high:g}")
    return value


def _schema(**limits: float) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "number", **limits}, {"type": "string", "pattern": _SHARE}, {"type": "null"}]})


LeastShare = Annotated[float | str | None, AfterValidator(partial(_score, 0, 1)), _schema(minimum=0, maximum=1)]
Deviations = Annotated[float | str | None, AfterValidator(partial(_score, 0, math.inf)), _schema(minimum=0)]
AnyScore = Annotated[float | str | None, AfterValidator(partial(_score, -math.inf, math.inf)), _schema()]


class Rules(Block):
    """A pair is kept when its question and its passage pass every rule. `2%` drops the worst 2 %; null turns a rule off."""

    language: LeastShare = Field(0.1, description="Least confidence that the text is in its language (lingua).")
    script: LeastShare = Field(0.3, description="Least share of letters in the language's own script.")
    length: Deviations = Field(
        3.25, description="Most standard deviations longer or shorter than human translations into the language."
    )
    numbers: LeastShare = Field(1.0, description="Least share of numbers, units and links that were not replaced or lost.")
    copied: LeastShare = Field(0.9, description="Most of the translation's words that stand in the source too.")
    repetition: LeastShare = Field(0.3, description="Largest share of repeated runs of words in excess of the source's.")
    ending: LeastShare = Field(1.0, description="1: where the source ends its sentence, the translation must.")
    question: LeastShare = Field(1.0, description="1: a question must stay a question, and a statement a statement.")
    alignment: AnyScore = Field(
        None,
        description="Least evidence, in standard deviations from the usual, that the translation is of this source and not of "
        "another (by the corpus itself); -2.4 suits natural text.",
    )
    answer: LeastShare = Field(None, description="1: the translated answer must stand in the translated passage.")
    round_trip_chrf: LeastShare = Field(0.95, description="Least chrF++ of the back-translation against the source.")
    round_trip_bleu: LeastShare = Field(None, description="Least BLEU of the back-translation against the source.")
    cosine: LeastShare = Field(None, description="Least cosine of source and translation under `score.encoder`.")
    external: AnyScore = Field(None, description="Least score of `score.external`.")
    clean_source: bool = Field(True, description="Drop translations that share long n-grams with a benchmark.")


class Filter(Block):
    """Scores first, decisions later: changing a rule recomputes no score."""

    score: Score = Score()
    rules: Rules = Rules()
