"""The table of scores that `koine filter-score` writes and `koine filter` reads."""

from collections.abc import Sequence

import polars as pl

from koine.filter.rules import RULES, columns_of, scored_rules
from koine.records import PARALLEL, TEXT, Schema


def text_scores(names: Sequence[str]) -> list[str]:
    """Those of some rules whose scores are those of a text: a question has them, a passage and a negative."""
    return [name for name in names if RULES[name].scores == "text"]


def schema_of(names: Sequence[str]) -> Schema:
    """A translated pair with the scores of some rules; those of question and passage stand side by side."""
    question, passage = ({f"{part}_{name}": pl.Float64() for name in text_scores(names)} for part in ("question", "passage"))
    pair: dict[str, pl.DataType] = {
        columns_of(name)[0]: TEXT if RULES[name].keeps == "null" else pl.Float64()
        for name in names
        if RULES[name].scores == "pair"
    }
    return Schema(
        "scored pair",
        {
            **PARALLEL.columns,
            "source_question": TEXT,
            "source_passage": TEXT,
            "question_id": TEXT,  # of the source's text, as `passage_id` is: the same target may be right for one source only
            **question,
            **passage,
            "negative_scores": pl.List(pl.Struct(dict(passage))),
            **pair,
        },
        nullable=frozenset({"question", "passage", "negative_scores", *question, *passage, *pair, *PARALLEL.nullable}),
    )


#: The scores that are made where no other rule is on.
SCORED = schema_of(scored_rules(()))
