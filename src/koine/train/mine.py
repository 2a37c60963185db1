"""Hard negatives: the passages that a model takes for the answer, or nearly, though they are another question's.

They are mined in the source language, once: passages share their ids over languages, so that a negative is found in all.
"""

from collections import Counter
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from koine import backbones
from koine.backbones.base import Vectors
from koine.records import MINED, QA
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.text.normalise import normalise

Ints = npt.NDArray[np.int64]
BLOCK = 4096  # questions searched at once
DIGITS = 6  # of a score; the rest depends on the order of additions, and with it on the number of threads


def mine(
    qa: Path, model: str, out: Path, *, count: int, margin: float = 0.95, depth: int = 100, device: str = "cpu",
    batch_size: int = 256,
) -> None:  # fmt: skip
    """Mine the hard negatives of all questions with any model.

    Args:
        qa: QA rows of the collect step.
        model: folder or Hub id.
        out: the negatives (`records.MINED`), a row for every question, sorted by id.
        count: negatives of a question, at most.
        margin: share of the positive's score that a negative's must stay below, else it may well be an answer that nobody
            marked. This is "TopK-PercPos" of NV-Retriever, arXiv 2407.15831, whose best value is 0.95.
        depth: best passages that are looked at.
        device, batch_size: execution only.

    Raises:
        KoineError: the model's vectors are not finite.
    """
    rows = QA.read(qa).sort("id")
    passages = rows.select("passage_id", "passage").unique("passage_id", keep="first").sort("passage_id")
    encoder = backbones.load(model, device)
    vectors = encoder.encode(passages["passage"].to_list(), "passage", batch_size=batch_size)
    queries = encoder.encode(rows["question"].to_list(), "query", batch_size=batch_size)
    if not (np.isfinite(queries).all() and np.isfinite(vectors).all()):
        raise KoineError(f"{model}: its vectors are not finite; it gives NaN or overflows")
    passage_of = passages["passage_id"].search_sorted(rows["passage_id"]).to_numpy().astype(np.int64)
    question_of = np.unique([normalise(question) for question in rows["question"]], return_inverse=True)[1]
    numbers, scores, rejected = hardest(queries, vectors, passage_of, question_of, count=count, margin=margin, depth=depth)
    ids = passages["passage_id"].to_numpy()
    columns = {
        "id": rows["id"].to_list(),
        "negative_ids": [ids[own[own >= 0]].tolist() for own in numbers],
        "scores": [values[own >= 0].tolist() for own, values in zip(numbers, scores, strict=True)],
    }
    MINED.write(MINED.frame(columns), out)
    got = Counter((numbers >= 0).sum(axis=1).tolist())
    shares = ", ".join(f"{questions:,} with {size}" for size, questions in sorted(got.items(), reverse=True))
    say(f"negatives of {len(rows):,} questions: {shares}; {rejected:,} candidates scored {margin:g} of the positive or more")


def hardest(
    queries: Vectors, passages: Vectors, passage_of: Ints, question_of: Ints, *, count: int, margin: float, depth: int
) -> tuple[Ints, npt.NDArray[np.float64], int]:
    """The best-scoring passages of each question that do not answer it.

    Of equal scores the lower number comes first. What ties with the first passage beyond `depth` is left out: which of
    those FAISS returns is arbitrary.

    Args:
        queries: `[n, d]`.
        passages: `[m, d]`.
        passage_of: number of each question's passage, `[n]`.
        question_of: the same number for equal questions, `[n]`; a passage that answers one of them answers all.
        count, margin, depth: see `mine`.

    Returns:
        Numbers of passages `[n, count]`, -1 where there are fewer; their scores; how many candidates the margin rejected.
    """
    index = faiss.IndexFlatIP(passages.shape[1])
    index.add(passages)
    answers = np.unique(question_of * len(passages) + passage_of)
    numbers = np.full((len(queries), count), -1, dtype=np.int64)
    scores = np.zeros((len(queries), count))
    rejected = 0
    for start in progress(range(0, len(queries), BLOCK), f"blocks of {BLOCK:,} questions"):
        block = slice(start, start + BLOCK)
        similarity, found = index.search(queries[block], min(depth + 1, len(passages)))
        score = similarity.astype(np.float64).round(DIGITS)
        positive = np.einsum("nd,nd->n", queries[block], passages[passage_of[block]]).astype(np.float64).round(DIGITS)
        beyond = score[:, depth:].max(axis=1, initial=-np.inf, keepdims=True)
        wrong = (score > beyond) & ~np.isin(question_of[block, None] * len(passages) + found, answers)
        hard = wrong & (score < margin * positive[:, None])
        rejected += int((wrong & ~hard).sum())
        order = np.lexsort((found, -score, ~hard))[:, :count]
        kept = np.take_along_axis(hard, order, axis=1)
        width = order.shape[1]
        numbers[block, :width] = np.where(kept, np.take_along_axis(found, order, axis=1), -1)
        scores[block, :width] = np.where(kept, np.take_along_axis(score, order, axis=1), 0)
    return numbers, scores, rejected
