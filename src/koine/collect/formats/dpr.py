"""What a retriever is trained on: DPR's files (arXiv 2004.04906), Tevatron's (arXiv 2203.05765), or a retriever's results."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from koine.collect.formats.rows import id_of, inside, json_rows, records, text_of
from koine.collect.readers import Record

NEGATIVES = 10  # of a question; the first ones, which are the hardest. MS MARCO's triples have 75 on average
REMEDY = (
    "a row has question and positive_ctxs (DPR), query and positive_passages (Tevatron), or ctxs with has_answer; "
    "a passage has text"
)


def read_questions(path: Path) -> Iterator[Record]:
    """Questions with their first passage and ten negatives, which are candidates, too. Errors as of `rows.records`."""
    return records(json_rows(path), _records, REMEDY)


def _records(row: Any, key: str) -> Iterator[Record]:
    if "ctxs" in row:  # what a retriever found: a passage with the answer in it is taken for the right one
        right = [context for context in row["ctxs"] if context["has_answer"]]
        wrong = [context for context in row["ctxs"] if not context["has_answer"]]
    elif "positive_ctxs" in row:
        right, wrong = row["positive_ctxs"], [*row.get("hard_negative_ctxs", ()), *row.get("negative_ctxs", ())]
    else:
        right, wrong = row["positive_passages"], row.get("negative_passages", [])
    passages, negatives = (
        [" ".join([context.get("title") or "", text_of(context["text"])]).strip() for context in contexts]
        for contexts in (right[:1], wrong[:NEGATIVES])
    )
    yield from ({"passage": negative} for negative in negatives)
    if passages:
        yield {
            "id": id_of(row.get("query_id", key)),
            "group": right[0].get("title"),
            "question": text_of(row["query"] if "query" in row else row["question"]),
            "passage": passages[0],
            "answer": inside(passages[0], row.get("answers") or []),
            "negatives": negatives,
        }
