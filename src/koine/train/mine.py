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
from koine.params import Mining, Positive
from koine.records import MINED, QA
from koine.runtime.console import progress, say
from koine.runtime.device import Device, resolve, use_threads
from koine.runtime.errors import KoineError
from koine.text.normalise import normalise

Ints = npt.NDArray[np.int64]
BLOCK = 4096  # questions searched at once
DIGITS = 6  # of a score; the rest depends on the order of additions, and with it on the number of threads


def train_mine(qa: Path, out: Path, mining: Mining, device: Device = "auto", encode_batch_size: Positive = 256) -> None:
    """Find hard negatives: for every question the nearest passages that do not answer it.

    A negative must score below a share of what the answering passage scores, else it may be an answer that nobody marked. This is
    "TopK-PercPos" of NV-Retriever (arXiv 2407.15831), whose best share is 0.95.

    Args:
        qa: Questions of koine collect.
        out: Table of negatives: a row for every question, sorted by id.
        mining: which model finds them, and how many.
        device: Where to encode.
        encode_batch_size: Texts encoded at once.

    Raises:
        KoineError: no model is named, or its vectors are not finite.
    """
    if not mining.model:
        raise KoineError("--model: name the folder or Hub id of a model that finds the negatives")
    use_threads()
    rows = QA.read(qa).sort("id")
    passages = rows.select("passage_id", "passage").unique("passage_id", keep="first").sort("passage_id")
    encoder = backbones.load(mining.model, resolve(device), mining.revision)
    passage_vectors = encoder.encode(passages["passage"].to_list(), "passage", batch_size=encode_batch_size)
    query_vectors = encoder.encode(rows["question"].to_list(), "query", batch_size=encode_batch_size)
    if not (np.isfinite(query_vectors).all() and np.isfinite(passage_vectors).all()):
        raise KoineError(f"{mining.model}: its vectors are not finite; it gives NaN or overflows")
    passage_of = passages["passage_id"].search_sorted(rows["passage_id"]).to_numpy().astype(np.int64)
    question_of = np.unique([normalise(question) for question in rows["question"]], return_inverse=True)[1]
    numbers, scores, rejected = hardest(
        query_vectors, passage_vectors, passage_of, question_of, num_negatives=mining.num_negatives,
        relative_margin=mining.relative_margin, range_max=mining.range_max,
    )  # fmt: skip
    ids = passages["passage_id"].to_numpy()
    columns = {
        "id": rows["id"].to_list(),
        "negative_ids": [ids[negatives[negatives >= 0]].tolist() for negatives in numbers],
        "scores": [values[negatives >= 0].tolist() for negatives, values in zip(numbers, scores, strict=True)],
    }
    MINED.write(MINED.frame(columns), out)
    counts = Counter((numbers >= 0).sum(axis=1).tolist())
    shares = ", ".join(f"{questions:,} with {count}" for count, questions in sorted(counts.items(), reverse=True))
    say(
        f"negatives of {len(rows):,} questions: {shares}; {rejected:,} passages scored {1 - mining.relative_margin:g} of the "
        "positive or more"
    )


def hardest(
    queries: Vectors, passages: Vectors, passage_of: Ints, question_of: Ints, *, num_negatives: int, relative_margin: float,
    range_max: int,
) -> tuple[Ints, npt.NDArray[np.float64], int]:  # fmt: skip
    """The best-scoring passages of each question that do not answer it.

    Of equal scores the lower number comes first. What ties with the first passage beyond `range_max` is left out: which of
    those FAISS returns is arbitrary.

    Args:
        queries: float32 `[n, d]`.
        passages: float32 `[m, d]`.
        passage_of: number of each question's passage, int64 `[n]`.
        question_of: the same number for equal questions, int64 `[n]`; a passage that answers one of them answers all.
        num_negatives, relative_margin, range_max: see `params.Mining`.

    Returns:
        Numbers of passages, int64 `[n, num_negatives]`, -1 where there are fewer; their scores, float64; how many passages the
        margin rejected.
    """
    index = faiss.IndexFlatIP(passages.shape[1])
    index.add(passages)
    answers = np.unique(question_of * len(passages) + passage_of)
    numbers = np.full((len(queries), num_negatives), -1, dtype=np.int64)
    scores = np.zeros((len(queries), num_negatives))
    rejected = 0
    for start in progress(range(0, len(queries), BLOCK), f"blocks of {BLOCK:,} questions"):
        block = slice(start, start + BLOCK)
        similarity, nearest = index.search(queries[block], min(range_max + 1, len(passages)))
        score = similarity.astype(np.float64).round(DIGITS)
        positive = np.einsum("nd,nd->n", queries[block], passages[passage_of[block]]).astype(np.float64).round(DIGITS)
        beyond = score[:, range_max:].max(axis=1, initial=-np.inf, keepdims=True)
        wrong = (score > beyond) & ~np.isin(question_of[block, None] * len(passages) + nearest, answers)
        hard = wrong & (score < (1 - relative_margin) * positive[:, None])
        rejected += int((wrong & ~hard).sum())
        order = np.lexsort((nearest, -score, ~hard))[:, :num_negatives]
        kept = np.take_along_axis(hard, order, axis=1)
        width = order.shape[1]
        numbers[block, :width] = np.where(kept, np.take_along_axis(nearest, order, axis=1), -1)
        scores[block, :width] = np.where(kept, np.take_along_axis(score, order, axis=1), 0)
    return numbers, scores, rejected
