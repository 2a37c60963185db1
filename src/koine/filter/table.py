"""The table of scores that `koine filter-score` writes and `koine filter` reads."""

import polars as pl

from koine.filter.rules import RULES, columns_of
from koine.records import PARALLEL, TEXT, Schema

#: The rules whose scores are those of a text: a question has them, a passage and a negative.
TEXT_SCORES = [name for name, rule in RULES.items() if rule.scores == "text"]
_QUESTION, _PASSAGE = ({f"{part}_{name}": pl.Float64() for name in TEXT_SCORES} for part in ("question", "passage"))
_PAIR: dict[str, pl.DataType] = {
    columns_of(name)[0]: TEXT if rule.keeps == "null" else pl.Float64() for name, rule in RULES.items() if rule.scores == "pair"
}

#: A translated pair with its scores; those of question and passage stand side by side.
SCORED = Schema(
    "scored pair",
    {
        **PARALLEL.columns,
        "source_question": TEXT,
        "source_passage": TEXT,
        "question_id": TEXT,  # of the source's text, as `passage_id` is: the same target may be right for one source only
        **_QUESTION,
        **_PASSAGE,
        "negative_scores": pl.List(pl.Struct(dict(_PASSAGE))),
        **_PAIR,
    },
    nullable=frozenset({"question", "passage", "negative_scores", *_QUESTION, *_PASSAGE, *_PAIR, *PARALLEL.nullable}),
)
