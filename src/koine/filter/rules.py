"""The rules of the filter, one entry each.

An entry says all that the rest of Koine wants to know of a rule: what it scores and how, its threshold, and its words. The block
`params.Rules`, the columns of the scores and the page are made of it. To add a rule is to add an entry, and the function that it
names (docs/extend.md).
"""

import math
from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from koine.names import Registry

UNTRANSLATED = "untranslated"


@dataclass(frozen=True)
class Rule:
    """One entry.

    Attributes:
        scores: each `text`, question and passage alone, or the `pair`.
        score: the function that scores, as `koine.module:function`: it takes `scores.Texts` or `scores.Pairs`, and gives a value
            for each.
        keeps: a pair whose score is at `least` the threshold, at `most` the threshold, or `null`. The last kind has no threshold,
            its score is text, and its parameter is true or false.
        words: why a pair went, on the page.
        description: of the threshold, in params.yaml.
        default: of the threshold; None: off.
        low, high: bounds of the threshold.
        column: of a pair's score; empty: the rule's name.
        counted_as: what the summary calls the pairs that break it; empty: the rule's name.
        only_if_on: whether its scores are made only where it is on: then it reruns nothing where it is off. Those of the other
            rules are always made, so that their thresholds can be chosen by them.
    """

    scores: Literal["text", "pair"]
    score: str
    keeps: Literal["least", "most", "null"]
    words: str
    description: str
    default: float | bool | None = None
    low: float = 0
    high: float = 1
    column: str = ""
    counted_as: str = ""
    only_if_on: bool = False


RULES: Registry[Rule] = {
    "language": Rule(
        scores="text",
        score="koine.filter.scores:language",
        keeps="least",
        words="not in its language",
        description="Least confidence that the text is in its language (lingua).",
        default=0.1,
    ),
    "script": Rule(
        scores="text",
        score="koine.filter.scores:script",
        keeps="least",
        words="not in its language's script",
        description="Least share of letters in the language's own script.",
        default=0.3,
    ),
    "length": Rule(
        scores="text",
        score="koine.filter.scores:length",
        keeps="most",
        words="too long or too short",
        description="Most standard deviations longer or shorter than human translations into the language.",
        default=3.25,
        high=math.inf,
    ),
    "numbers": Rule(
        scores="text",
        score="koine.filter.scores:numbers",
        keeps="least",
        words="numbers, units or links changed",
        description="Least share of numbers, units and links that were not replaced or lost.",
        default=1.0,
    ),
    "copied": Rule(
        scores="text",
        score="koine.filter.scores:copied",
        keeps="most",
        words="source copied",
        description="Most of the translation's words that stand in the source too.",
        default=0.9,
    ),
    "repetition": Rule(
        scores="text",
        score="koine.filter.scores:repetition",
        keeps="most",
        words="words repeated",
        description="Largest share of repeated runs of words in excess of the source's.",
        default=0.3,
    ),
    "ending": Rule(
        scores="text",
        score="koine.filter.scores:ending",
        keeps="least",
        words="end of the sentence missing",
        description="1: where the source ends its sentence, the translation must.",
        default=1.0,
    ),
    "question": Rule(
        scores="text",
        score="koine.filter.scores:question",
        keeps="least",
        words="question became a statement, or a statement a question",
        description="1: a question must stay a question, and a statement a statement.",
        default=1.0,
    ),
    "alignment": Rule(
        scores="text",
        score="koine.filter.alignment:alignment",
        keeps="least",
        words="seems to be the translation of another text",
        description="Least evidence, in standard deviations from the usual, that the translation is of this source and not of "
        "another (by the corpus itself); -2.4 suits natural text.",
        low=-math.inf,
        high=math.inf,
    ),
    "answer": Rule(
        scores="pair",
        score="koine.filter.scores:answer_kept",
        keeps="least",
        words="answer lost",
        description="1: the translated answer must stand in the translated passage.",
        column="answer_kept",
    ),
    "round_trip_chrf": Rule(
        scores="text",
        score="koine.filter.scores:round_trip_chrf",
        keeps="least",
        words="round trip too far from the source (chrF++)",
        description="Least chrF++ of the back-translation against the source.",
        default=0.95,
    ),
    "round_trip_bleu": Rule(
        scores="text",
        score="koine.filter.scores:round_trip_bleu",
        keeps="least",
        words="round trip too far from the source (BLEU)",
        description="Least BLEU of the back-translation against the source.",
    ),
    "cosine": Rule(
        scores="text",
        score="koine.filter.scores:cosine",
        keeps="least",
        words="far from the source under the encoder",
        description="Least cosine of source and translation under `score.encoder`.",
    ),
    "external": Rule(
        scores="pair",
        score="koine.filter.scores:external",
        keeps="least",
        words="external score too low",
        description="Least score of `score.external`.",
        low=-math.inf,
        high=math.inf,
    ),
    "clean_source": Rule(
        scores="pair",
        score="koine.filter.scores:contaminated",
        keeps="null",
        words="shares text with a benchmark",
        description="Drop translations that share long n-grams with a benchmark.",
        default=True,
        column="contaminated",
        counted_as="contaminated",
    ),
}


def columns_of(name: str) -> list[str]:
    """The columns with the scores that a rule looks at.

    >>> columns_of("length"), columns_of("answer")
    (['question_length', 'passage_length'], ['answer_kept'])
    """
    rule = RULES[name]
    return [f"question_{name}", f"passage_{name}"] if rule.scores == "text" else [rule.column or name]


def scored_rules(on: Container[str]) -> list[str]:
    """The rules whose scores are made where these are on."""
    return [name for name, rule in RULES.items() if name in on or not rule.only_if_on]


def counted_as(name: str) -> str:
    """What a summary calls the pairs that break a rule."""
    return RULES[name].counted_as or name


def reasons() -> dict[str, str]:
    """Why pairs went, by what a summary calls them; every pair without a translation goes."""
    return {UNTRANSLATED: "no translation was found", **{counted_as(name): rule.words for name, rule in RULES.items()}}
