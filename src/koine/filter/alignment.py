"""Whether a translation is of its own source: evidence from the corpus itself, without any model.

Two texts that mean the same resemble the same other texts, each in its own language. So both are described by their
similarity to some hundreds of translated pairs of the corpus (explicit semantic analysis across languages: Potthast,
Stein and Anderka 2008, "A Wikipedia-based multilingual retrieval model"), and the descriptions are compared. Names and
numbers that stand in both, and a usual length, add to the evidence. A neighbour's translation, fluent and of the right
language and length, has none of the first two.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from koine.filter.scores import FEWEST, Floats, Texts, length, robust, tokens

ANCHORS = 3000  # pairs that texts are described by
FEATURES = 1 << 17
PREFIX = 5  # first letters of a word: a stemmer for every language
BLOCK = 4096  # texts compared at once
_STEP = np.uint64(0x9E3779B97F4A7C15)


def alignment(texts: Texts) -> Floats:
    """How many robust standard deviations the evidence for each translation lies below or above the usual.

    Returns:
        Float64 `[n]`; negative is suspicious. NaN where there are too few texts.
    """
    if len(texts.sources) < FEWEST:
        return np.full(len(texts.sources), np.nan)
    here, there = _features(texts.sources), _features(texts.targets)
    shared = _shared(here, there)
    resembling = _resembling(_weighted(here), _weighted(there))
    evidence = robust(resembling) + robust(shared) - length(texts)
    # The evidence has a longer tail on one side, which side depends on the language: only the lower one is measured.
    below = evidence[evidence < np.median(evidence)]
    return np.asarray((evidence - np.median(evidence)) / (1.4826 * np.median(np.median(evidence) - below)))


def _resembling(here: sp.csr_matrix, there: sp.csr_matrix) -> Floats:
    """Cosine of each pair's two descriptions by the anchors; a pair that is an anchor itself is left out of its own."""
    anchors = np.unique(np.linspace(0, here.shape[0] - 1, ANCHORS).astype(np.int64))
    columns = {int(row): column for column, row in enumerate(anchors)}
    left, right = here[anchors].T.tocsr(), there[anchors].T.tocsr()
    cosines = np.empty(here.shape[0])
    for start in range(0, here.shape[0], BLOCK):
        rows = slice(start, min(start + BLOCK, here.shape[0]))
        near_here, near_there = (np.square((side[rows] @ others).toarray()) for side, others in ((here, left), (there, right)))
        anchored = [(row - start, columns[row]) for row in range(rows.start, rows.stop) if row in columns]
        for row, column in anchored:
            near_here[row, column] = near_there[row, column] = 0
        both = np.einsum("na,na->n", near_here, near_there)
        norms = np.einsum("na,na->n", near_here, near_here) * np.einsum("na,na->n", near_there, near_there)
        cosines[rows] = both / np.sqrt(np.maximum(norms, 1e-12))
    return cosines


def _shared(here: sp.csr_matrix, there: sp.csr_matrix) -> Floats:
    """Share of the source's rare words that stand in the target too: names, numbers, cognates."""
    rarity = _rarity(here)
    total = np.asarray(here @ rarity).ravel()
    return np.asarray(np.asarray(here.multiply(there) @ rarity).ravel() / np.maximum(total, 1))


def _weighted(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Rows weighted by rarity, of length 1, in float32."""
    weighted = (counts @ sp.diags(_rarity(counts))).astype(np.float32)
    norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return (sp.diags(1 / np.maximum(norms, 1e-9)) @ weighted).tocsr()


def _rarity(counts: sp.csr_matrix) -> Floats:
    """Inverse document frequency of each feature."""
    occurs = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.asarray(np.where(occurs > 0, np.log((counts.shape[0] + 1) / (occurs + 1)), 0.0))


def _features(texts: Sequence[str]) -> sp.csr_matrix:
    """Beginnings of words, hashed; in scripts that do not separate words, pairs of characters. `[n, FEATURES]`."""
    words = tokens(texts)
    sizes = words.list.len().to_numpy().astype(np.int64)
    flat = words.explode(empty_as_null=False)
    codes = flat.str.head(PREFIX).hash().to_numpy()
    row = np.repeat(np.arange(len(texts)), sizes)
    single = (flat.str.len_chars() == 1).to_numpy()
    if len(codes) > 1:
        paired = single[:-1] & single[1:] & (row[:-1] == row[1:])
        codes = codes.copy()
        codes[:-1] = np.where(paired, codes[:-1] * _STEP + codes[1:], codes[:-1])
    keys = np.unique(row * FEATURES + (codes % np.uint64(FEATURES)).astype(np.int64))
    ones = np.ones(len(keys), dtype=np.float32)
    return sp.csr_matrix((ones, (keys // FEATURES, keys % FEATURES)), shape=(len(texts), FEATURES))
