"""What is dropped before training: duplicates, whatever stands in a benchmark, and what is put aside to test on."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from koine.collect.contamination import Contamination, NgramHasher
from koine.params import Clean, HeldOut
from koine.records import TEXTS
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id
from koine.text.normalise import normalise, words

MINHASH_BANDS, MINHASH_ROWS = 20, 5  # finds pairs of Jaccard >= 0.8 with probability > 0.999
SHINGLE = 5


def near_duplicates(texts: Sequence[str], threshold: float) -> dict[int, int]:
    """Texts that nearly equal an earlier one, as {index: index of the first of its kind}.

    MinHash over word 5-grams finds the candidates (Broder 1997), the exact Jaccard similarity decides.
    """
    hasher = NgramHasher(SHINGLE)
    shingles = [hasher(words(text)) for text in texts]
    draw = np.random.default_rng(0)
    hashes = MINHASH_BANDS * MINHASH_ROWS
    factor = draw.integers(1, 2**63 - 1, size=hashes, dtype=np.uint64) | np.uint64(1)
    shift = draw.integers(0, 2**63 - 1, size=hashes, dtype=np.uint64)
    buckets: dict[tuple[int, bytes], int] = {}
    first: dict[int, int] = {}
    for index, own in enumerate(shingles):
        if not len(own):
            continue
        mixed = own[:, None] * factor + shift
        signature = (mixed >> np.uint64(16)).min(axis=0).reshape(MINHASH_BANDS, MINHASH_ROWS)
        keys = [(band, row.tobytes()) for band, row in enumerate(signature)]
        for candidate in sorted({buckets[key] for key in keys if key in buckets}):
            other = shingles[candidate]
            shared = len(np.intersect1d(own, other, assume_unique=True))
            if shared >= threshold * (len(own) + len(other) - shared):
                first[index] = candidate
                break
        else:
            for key in keys:
                buckets.setdefault(key, index)
    return first


def clean_pairs(pairs: pl.DataFrame, contamination: Contamination, clean: Clean) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Drop duplicates and contaminated pairs.

    Args:
        pairs: QA rows (`records.QA`), in the order of the recipe's sources.
        contamination: the texts of the recipe's benchmarks.
        clean: thresholds.

    Returns:
        The kept rows, sorted by id and without bad negatives, and the dropped ones with the columns `reason` and `against`.
    """
    reasons: dict[str, tuple[str, str]] = {}

    def drop(rows: pl.DataFrame, reason: str, against: str | None = None) -> None:
        for row_id, other in rows.select("id", pl.lit(against) if against else "against").iter_rows():
            reasons.setdefault(row_id, (reason, other))

    # One id may name one pair only, or translations could not be aligned.
    pairs = pairs.unique("id", keep="first", maintain_order=True)
    keyed = pairs.with_columns(
        _q=pl.col("question").map_elements(normalise, return_dtype=pl.String),
        _p=pl.col("passage_id"),
    )
    firsts = keyed.with_columns(against=pl.col("id").first().over("_q", "_p"))
    drop(firsts.filter(pl.col("id") != pl.col("against")), "duplicate pair")

    passages = pairs.unique("passage_id", keep="first", maintain_order=True).select("passage_id", "passage")
    ids, texts = passages["passage_id"].to_list(), passages["passage"].to_list()
    twins = near_duplicates(texts, clean.near_duplicate)
    for index, original in twins.items():
        drop(pairs.filter(passage_id=ids[index]), "near-duplicate passage", ids[original])

    for passage_id, text in zip(ids, texts, strict=True):
        if found := contamination.find(text):
            drop(pairs.filter(passage_id=passage_id), f"passage in a benchmark ({found[1]})", found[0])
    for row_id, text in pairs.select("id", "question").iter_rows():
        if found := contamination.find(text):
            reasons.setdefault(row_id, (f"question in a benchmark ({found[1]})", found[0]))
    banned: set[str] = set()
    if clean.contamination_titles:
        for group in pairs["group"].unique().sort():
            if benchmark := contamination.find_title(group):
                drop(pairs.filter(group=group), "article of a benchmark", benchmark)
                banned |= set(pairs.filter(group=group)["passage"])

    dropped = pairs.filter(pl.col("id").is_in(list(reasons))).sort("id")
    dropped = dropped.with_columns(
        reason=pl.Series([reasons[row_id][0] for row_id in dropped["id"]], dtype=pl.String),
        against=pl.Series([reasons[row_id][1] for row_id in dropped["id"]], dtype=pl.String),
    )
    kept = pairs.filter(~pl.col("id").is_in(list(reasons))).sort("id")
    if 0 < clean.max_questions < len(kept):
        chosen = sorted(kept["id"], key=text_id)[: clean.max_questions]
        kept = kept.filter(pl.col("id").is_in(chosen))
    return clean_negatives(kept, contamination, banned, clean.near_duplicate), dropped


def hold_out(pairs: pl.DataFrame, heldout: HeldOut) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Put questions aside as a benchmark: whole groups, so that nothing about an article or entity is seen in training.

    Args:
        pairs: clean QA rows (`records.QA`).
        heldout: how many questions, and of which sources.

    Returns:
        The rows to train on, the held-out ones, and what is dropped for their sake, with `reason` and `against` as of `clean`:
        rows of other groups that ask a held-out question or have its passage. Held-out passages are no negatives.

    Raises:
        KoineError: no group is small enough, or nothing is left to train on.
    """
    eligible = pairs.filter(pl.col("source").is_in(heldout.sources or pairs["source"].unique().to_list()))
    sizes = dict(eligible.group_by("group").len().iter_rows())
    chosen, left = [], heldout.questions
    for group in sorted(sizes, key=text_id):
        if sizes[group] <= left:
            chosen.append(group)
            left -= sizes[group]
    aside = eligible.filter(pl.col("group").is_in(chosen))
    rest = pairs.join(aside, on="id", how="anti", maintain_order="left")
    if aside.is_empty() or rest.is_empty():
        smallest = min(sizes.values(), default=0)
        raise KoineError(
            f"collect.heldout.questions: {heldout.questions} of {len(eligible):,} questions in {len(sizes):,} groups (the "
            f"smallest has {smallest:,}) cannot be put aside: whole groups go, and some must be left to train on"
        )
    asked = {normalise(row["question"]): row["id"] for row in aside.iter_rows(named=True)}
    answer = dict(aside.select("passage_id", "id").iter_rows())
    same_passage = pl.col("passage_id").replace_strict(answer, default=None, return_dtype=pl.String)
    questions = pl.col("question").map_elements(normalise, return_dtype=pl.String)
    same_question = questions.replace_strict(asked, default=None, return_dtype=pl.String)
    rest = rest.with_columns(
        reason=pl.when(same_passage.is_not_null()).then(pl.lit("passage is held out")).otherwise(pl.lit("question is held out")),
        against=pl.coalesce(same_passage, same_question),
    )
    dropped = rest.filter(pl.col("against").is_not_null())
    training = rest.filter(pl.col("against").is_null()).drop("reason", "against")
    if training.is_empty():
        raise KoineError("collect.heldout.questions: every other question is asked, or answered, by a held-out one too")
    seen = pl.element().is_in(aside["passage"].unique().implode())
    negatives = pl.col("negatives").list.eval(pl.element().filter(~seen))
    negatives = pl.when(negatives.list.len() > 0).then(negatives)
    return training.with_columns(negatives=negatives), aside, dropped


def clean_negatives(pairs: pl.DataFrame, contamination: Contamination, banned: set[str], threshold: float) -> pl.DataFrame:
    """Drop negatives that stand in a benchmark, and those that nearly equal the passage of their row.

    Args:
        pairs: QA rows; one that loses all its negatives has null.
        contamination: the texts of the benchmarks.
        banned: passages of articles that a benchmark has too.
        threshold: of `near_duplicates`.
    """
    negatives = pairs["negatives"].explode().drop_nulls().unique(maintain_order=True)
    if negatives.is_empty():
        return pairs
    bad = banned | {text for text in negatives if contamination.find(text)}
    texts = list(dict.fromkeys([*pairs["passage"], *negatives]))
    twins = near_duplicates(texts, threshold)
    kind = {text: twins.get(index, index) for index, text in enumerate(texts)}
    rows = pairs.select("passage", "negatives").iter_rows()
    left = [[text for text in own or () if text not in bad and kind[text] != kind[passage]] or None for passage, own in rows]
    return pairs.with_columns(negatives=pl.Series(left, dtype=TEXTS))
