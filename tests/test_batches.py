"""Batches, token ids and the loss: what a training step is made of."""

import itertools
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binomtest, chisquare
from tokenizers import Tokenizer as FastTokenizer

from koine.backbones.tokenizer import Tokens, read_tokens, tokenize, write_tokens
from koine.params import Direction, Languages, PartitionMode, Tokenizer
from koine.records import PARALLEL, QA
from koine.runtime.errors import KoineError
from koine.strategies import STRATEGIES, Chain, Training
from koine.train.batches import Batch, BatchSampler, BatchType
from koine.train.loss import PassageRows, info_nce
from koine.train.tokens import TrainingSet, train_tokens

torch.set_num_threads(1)

NAMES = ("en-en", "x-x", "x-x-mono", "x-y", "hybrid")


def batches_of(available: np.ndarray, strategy: str, **settings: object) -> BatchSampler:
    defaults: dict[str, object] = {"alpha": 0.5, "batch_size": 8, "steps": 60, "seed": 1}
    languages = Languages(**{name: settings.pop(name) for name in Languages.model_fields if name in settings})  # type: ignore[arg-type]
    return BatchSampler(available, STRATEGIES[strategy].batches[0], languages=languages, **{**defaults, **settings})  # type: ignore[arg-type]


def patchy(questions: int = 150, languages: int = 4, seed: int = 0) -> np.ndarray:
    """Availability as translation and filtering leave it: all in language 0, the first 20 nowhere else."""
    available = np.random.default_rng(seed).random((questions, languages)) < 0.6
    available[:, 0] = True
    available[:20, 1:] = False
    return available


def equal(one: Batch, two: Batch) -> bool:
    return one.type == two.type and all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in ("questions", "query_langs", "passage_langs")
    )


# --- batches -----------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.sampled_from(NAMES), st.booleans())
def test_rows_are_in_available_languages_and_as_the_batch_type_says(seed: int, strategy: str, equal_languages: bool) -> None:
    available = patchy(seed=seed)
    for batch in batches_of(available, strategy, seed=seed, steps=12, equal_languages=equal_languages):
        assert len(batch.questions) == len(batch.query_langs) == len(batch.passage_langs) == 8
        assert available[batch.questions, batch.query_langs].all()
        assert available[batch.questions, batch.passage_langs].all()
        match batch.type:
            case BatchType.MONO:
                assert len({*batch.query_langs, *batch.passage_langs}) == 1
            case BatchType.MIXED:
                assert (batch.query_langs == batch.passage_langs).all()
            case BatchType.CROSS if not equal_languages:
                assert (batch.query_langs != batch.passage_langs).all()


@pytest.mark.parametrize(
    ("strategy", "types"),
    [("en-en", {"mono"}), ("x-x-mono", {"mono"}), ("x-x", {"mixed"}), ("x-y", {"cross"}), ("hybrid", {"mono", "cross"})],
)
def test_each_strategy_has_its_batch_types(strategy: str, types: set[str]) -> None:
    assert {batch.type.value for batch in batches_of(patchy(), strategy)} == types


def test_en_en_stays_in_the_source_language() -> None:
    assert all(set(batch.query_langs) == {0} == set(batch.passage_langs) for batch in batches_of(patchy(), "en-en"))


def test_x_y_draws_equal_languages_only_when_it_may() -> None:
    batches = batches_of(patchy(), "x-y", equal_languages=True)
    assert any((batch.query_langs == batch.passage_langs).any() for batch in batches)
    assert any((batch.query_langs != batch.passage_langs).any() for batch in batches)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.8])
def test_alpha_is_the_share_of_monolingual_batches_of_hybrid(alpha: float) -> None:
    sampler = batches_of(patchy(), "hybrid", alpha=alpha, steps=4000)
    mono = sum(kind is BatchType.MONO for kind in (batch.type for batch in sampler))
    assert binomtest(mono, 4000, alpha).pvalue > 1e-3


@pytest.mark.parametrize("strategy", ["x-x-mono", "hybrid"])
def test_monolingual_batches_are_spread_uniformly_over_languages(strategy: str) -> None:
    counts = Counter(int(b.query_langs[0]) for b in batches_of(patchy(), strategy, steps=2000) if b.type is BatchType.MONO)
    assert len(counts) == 4
    assert chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize(("strategy", "equal_languages"), [("x-y", False), ("x-y", True), ("x-x", False)])
def test_language_pairs_of_rows_are_uniform_over_those_available(strategy: str, equal_languages: bool) -> None:
    """Per availability pattern: all ordered pairs of its languages come up equally often."""
    patterns = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0]], dtype=bool)
    available = np.tile(patterns, (40, 1))
    counts = [Counter[tuple[int, int]]() for _ in patterns]
    for batch in batches_of(available, strategy, steps=1500, equal_languages=equal_languages):
        for question, *pair in zip(batch.questions, batch.query_langs.tolist(), batch.passage_langs.tolist(), strict=True):
            counts[question % 3][pair[0], pair[1]] += 1
    for pattern, counted in zip(patterns, counts, strict=True):
        languages = np.flatnonzero(pattern).tolist()
        if strategy == "x-x":
            wanted = {(lang, lang) for lang in languages}
        else:
            wanted = {pair for pair in itertools.product(languages, repeat=2) if equal_languages or pair[0] != pair[1]}
        assert set(counted) == wanted
        assert chisquare(list(counted.values())).pvalue > 1e-3


@pytest.mark.parametrize("exponent", [0.3, 1.0])
def test_languages_of_monolingual_batches_are_drawn_by_their_size(exponent: float) -> None:
    available = patchy(questions=400)
    sizes = available.sum(axis=0).astype(float) ** exponent
    steps = 3000
    counts = Counter(
        int(batch.query_langs[0]) for batch in batches_of(available, "x-x-mono", steps=steps, sampling_exponent=exponent)
    )
    assert chisquare([counts[lang] for lang in range(4)], steps * sizes / sizes.sum()).pvalue > 1e-3


@pytest.mark.parametrize("equal_languages", [False, True])
def test_a_batch_may_draw_one_pair_of_languages_for_all_its_rows(equal_languages: bool) -> None:
    available = patchy(questions=200)
    available[:, 3] = False
    available[:5, 3] = True  # too few for a batch with any other language
    drawn = Counter()
    for batch in batches_of(available, "x-y", steps=2000, pair_per="batch", equal_languages=equal_languages):
        (pair,) = set(zip(batch.query_langs.tolist(), batch.passage_langs.tolist(), strict=True))
        assert available[batch.questions][:, list(pair)].all()
        assert len(set(batch.questions.tolist())) == 8
        drawn[pair] += 1
    wanted = {pair for pair in itertools.product(range(3), repeat=2) if equal_languages or pair[0] != pair[1]}
    assert set(drawn) == wanted
    assert chisquare(list(drawn.values())).pvalue > 1e-3


def test_no_pair_of_languages_with_a_batch_in_common_is_an_error_not_another_law() -> None:
    available = np.zeros((40, 3), dtype=bool)
    available[:, 0] = True
    available[:7, 1] = available[7:14, 2] = True  # 14 questions in two languages, but no pair has 8
    batches_of(available, "x-y", pair_per="row")
    with pytest.raises(KoineError, match=r"pair_per: batch.*row"):
        batches_of(available, "x-y", pair_per="batch")


@pytest.mark.parametrize("strategy", NAMES)
def test_questions_come_without_replacement_within_an_epoch_of_their_stream(strategy: str) -> None:
    available = patchy()
    streams: dict[int, list[np.ndarray]] = {}
    for batch in batches_of(available, strategy, steps=300):
        stream = int(batch.query_langs[0]) if batch.type is BatchType.MONO else -1
        streams.setdefault(stream, []).append(batch.questions)
    least = {"x-x": 1}.get(strategy, 2)
    for stream, batches in streams.items():
        members = available.sum(axis=1) >= least if stream == -1 else available[:, stream]
        per_epoch = int(members.sum()) // 8
        epochs = [np.concatenate(batches[start : start + per_epoch]) for start in range(0, len(batches), per_epoch)]
        assert all(len(np.unique(epoch)) == len(epoch) for epoch in epochs)
        if len(epochs) > 2:  # a new permutation each time
            assert not np.array_equal(epochs[0], epochs[1])


@given(st.integers(0, 2**31), st.sampled_from(NAMES), st.permutations(range(40)))
def test_a_batch_is_a_function_of_its_step_alone(seed: int, strategy: str, order: list[int]) -> None:
    available = patchy()
    sequential = list(batches_of(available, strategy, seed=seed, steps=40))
    other = batches_of(available, strategy, seed=seed, steps=40)
    assert len(other) == len(sequential) == 40
    assert all(equal(other[step], sequential[step]) for step in order)


@pytest.mark.parametrize("strategy", NAMES)
def test_another_seed_gives_other_batches(strategy: str) -> None:
    pairs = zip(batches_of(patchy(), strategy, seed=1), batches_of(patchy(), strategy, seed=2), strict=True)
    assert not any(np.array_equal(one.questions, two.questions) for one, two in pairs)


@pytest.mark.parametrize(("alpha", "name"), [(1.0, "x-x-mono"), (0.0, "x-y")])
def test_hybrid_at_its_ends_is_the_pure_strategy(alpha: float, name: str) -> None:
    pairs = zip(batches_of(patchy(), "hybrid", alpha=alpha), batches_of(patchy(), name), strict=True)
    assert all(equal(one, two) for one, two in pairs)


@pytest.mark.parametrize("strategy", NAMES)
def test_questions_in_the_source_language_alone_are_only_in_monolingual_batches(strategy: str) -> None:
    for batch in batches_of(patchy(), strategy, steps=200):
        if batch.type is BatchType.CROSS or (batch.type is BatchType.MONO and batch.query_langs[0] != 0):
            assert (batch.questions >= 20).all()


@pytest.mark.parametrize("strategy", NAMES)
def test_too_little_data_for_a_batch_is_an_error_that_names_the_remedy(strategy: str) -> None:
    with pytest.raises(KoineError, match="lower batch_size, or collect"):
        batches_of(patchy(), strategy, batch_size=151)


def test_cross_lingual_batches_count_only_questions_in_two_languages() -> None:
    available = np.zeros((30, 3), dtype=bool)
    available[:, 0] = True
    available[:7, 1] = True
    with pytest.raises(KoineError, match="only 7 questions in two languages"):
        batches_of(available, "x-y")
    assert len(batches_of(available, "en-en")) == 60


def test_an_epoch_of_exactly_one_batch_works() -> None:
    batches = list(batches_of(np.ones((8, 2), dtype=bool), "x-y", steps=5))
    assert all(sorted(batch.questions) == list(range(8)) for batch in batches)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("hybrid", Training("hybrid")),
        ("hybrid@0.25", Training("hybrid", 0.25)),
        ("hybrid@1-of-8", Training("hybrid", 1.0, 8)),
        ("mlm+grad-mix-half-of-12+lir@2", Training("grad-mix-half", None, 12)),
        ("x-x-mono", Training("x-x-mono")),
    ],
)
def test_a_name_says_its_alpha_and_its_languages(name: str, last: Training) -> None:
    assert Chain.parse(name).last == last


# --- several data sets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("strategy", ["x-x-mono", "x-y", "hybrid"])
def test_a_batch_is_of_one_data_set_drawn_by_its_size_to_a_power(strategy: str, exponent: float) -> None:
    """Data set 0 has 40 questions, 1 has 160, 2 has 640, and 3 is in the source language alone."""
    sources = np.repeat([0, 1, 2, 3], [40, 160, 640, 200])
    available = np.ones((len(sources), 3), dtype=bool)
    available[sources == 3, 1:] = False
    sampler = batches_of(available, strategy, sources=sources, source_exponent=exponent, steps=6000)
    drawn: dict[bool, Counter[int]] = {False: Counter(), True: Counter()}  # whether the batch is in the source language
    for batch in sampler:
        (source,) = set(sources[batch.questions].tolist())
        drawn[batch.type is BatchType.MONO and batch.query_langs[0] == 0][source] += 1
    assert drawn[False][3] == 0  # English-only data joins only monolingual batches
    for english, counts in drawn.items():
        sizes = np.array([40, 160, 640, 200][: 4 if english else 3])
        if sum(counts.values()):
            shares = sizes**exponent / (sizes**exponent).sum()
            observed = [counts[source] for source in range(len(sizes))]
            assert chisquare(observed, shares * sum(observed)).pvalue > 1e-4


def test_data_sets_share_batches_unless_told_otherwise() -> None:
    sources = np.repeat([0, 1], 80)
    available = np.ones((160, 2), dtype=bool)
    plain, told = (batches_of(available, "hybrid", **more) for more in ({}, {"sources": sources, "source_exponent": None}))
    assert all(equal(one, two) for one, two in zip(plain, told, strict=True))
    assert any(len(set(sources[batch.questions].tolist())) == 2 for batch in plain)


def test_a_data_set_smaller_than_a_batch_is_never_drawn() -> None:
    sources = np.repeat([0, 1], [5, 95])
    sampler = batches_of(np.ones((100, 2), dtype=bool), "x-y", sources=sources, source_exponent=0.5)
    assert {source for batch in sampler for source in sources[batch.questions].tolist()} == {1}


# --- the loss ----------------------------------------------------------------------------------------------


def vectors_of(rows: int, seed: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.randn(2, rows, 5, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    queries, passages = torch.nn.functional.normalize(drawn, dim=-1)
    return queries.requires_grad_(), passages.requires_grad_()


def naive_info_nce(
    queries: torch.Tensor, passages: torch.Tensor, passage_of: list[int], temperature: float, symmetric: bool
) -> torch.Tensor:
    """A double loop over the formula, in float64."""
    total = torch.zeros((), dtype=torch.float64)
    size = len(queries)
    for one, two in [(queries, passages), (passages, queries)][: 2 if symmetric else 1]:
        for i in range(size):
            others = [j for j in range(size) if j == i or passage_of[j] != passage_of[i]]
            scores = torch.stack([(one[i].double() * two[j].double()).sum() / temperature for j in others])
            total = total - (scores[others.index(i)] - torch.logsumexp(scores, dim=0)) / size
    return total / 2 if symmetric else total


def info_nce_of(
    queries: torch.Tensor, passages: torch.Tensor, passage_of: list[int], temperature: float, symmetric: bool
) -> torch.Tensor:
    rows = PassageRows(torch.tensor(passage_of), torch.arange(len(passage_of)))
    directions: list[Direction] = ["query_to_doc", "doc_to_query"] if symmetric else ["query_to_doc"]
    return info_nce(queries, passages, rows, temperature=temperature, directions=directions, partition_mode="per_direction")


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("passage_of", [[0, 1, 2, 3, 4, 5], [0, 1, 0, 2, 2, 2], [3, 3, 3, 3, 3, 3]])
def test_info_nce_and_its_gradients_equal_a_double_loop(passage_of: list[int], symmetric: bool) -> None:
    queries, passages = vectors_of(6, seed=1)
    loss = info_nce_of(queries, passages, passage_of, 0.3, symmetric)
    oracle = naive_info_nce(queries, passages, passage_of, 0.3, symmetric)
    assert float(loss.detach()) == pytest.approx(float(oracle.detach()), abs=1e-5)
    got = torch.autograd.grad(loss, [queries, passages])
    wanted = torch.autograd.grad(oracle, [queries, passages])
    for one, two in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=9), st.floats(0.02, 2), st.booleans(), st.integers(0, 99))
def test_info_nce_equals_the_formula_whatever_passages_are_shared(
    passage_of: list[int], temperature: float, symmetric: bool, seed: int
) -> None:
    queries, passages = vectors_of(len(passage_of), seed)
    loss = info_nce_of(queries, passages, passage_of, temperature, symmetric)
    oracle = naive_info_nce(queries, passages, passage_of, temperature, symmetric)
    assert float(loss.detach()) == pytest.approx(float(oracle.detach()), rel=1e-4, abs=1e-4)


DIRECTIONS: list[tuple[list[Direction], PartitionMode]] = [
    (["query_to_doc"], "joint"),
    (["query_to_doc", "doc_to_query"], "per_direction"),
    (["query_to_doc", "doc_to_query"], "joint"),
    (["query_to_doc", "query_to_query"], "joint"),
    (["query_to_doc", "doc_to_doc"], "joint"),
    (["query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"], "joint"),
]


@pytest.mark.parametrize("negatives", [0, 2])
@pytest.mark.parametrize(("directions", "mode"), DIRECTIONS)
@pytest.mark.parametrize("temperature", [0.05, 0.5])
def test_info_nce_is_sentence_transformers_multiple_negatives_ranking_loss(
    directions: list[Direction], mode: PartitionMode, negatives: int, temperature: float
) -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    queries, passages = vectors_of(12, seed=3)
    others = [vectors_of(12, seed=4 + number)[0] for number in range(negatives)]
    theirs = MultipleNegativesRankingLoss(
        torch.nn.Identity(), scale=1 / temperature, directions=tuple(directions), partition_mode=mode
    )
    wanted = theirs.compute_loss_from_embeddings([queries, passages, *others], None)
    rows = PassageRows(torch.arange(12 * (1 + negatives)), torch.arange(12).repeat(1 + negatives))
    got = info_nce(
        queries, torch.cat([passages, *others]), rows, temperature=temperature, directions=directions, partition_mode=mode
    )
    assert float(got.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)


def test_equation_1_as_printed_compares_with_the_explicit_negatives_of_the_batch_alone() -> None:
    queries, passages = vectors_of(5, seed=2)
    negatives, _ = vectors_of(5, seed=9)
    # The fourth row's negative is the first row's positive in another language: no negative of it.
    rows = PassageRows(torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 0, 8]), torch.arange(5).repeat(2))
    got = info_nce(queries, torch.cat([passages, negatives]), rows, temperature=1.0, in_batch=False)
    total = 0.0
    for i in range(5):
        positive = float((queries[i] * passages[i]).sum().detach())
        others = [float((queries[i] * negatives[j]).sum().detach()) for j in range(5) if not (i == 0 and j == 3)]
        total -= positive - math.log(math.exp(positive) + sum(map(math.exp, others)))
    assert float(got.detach()) == pytest.approx(total / 5, rel=1e-5)


# --- ragged token ids ----------------------------------------------------------------------------------------


ragged = st.lists(st.lists(st.integers(0, 30), max_size=6), max_size=9)


def tokens_of(texts: list[list[int]]) -> Tokens:
    ids = np.array([i for text in texts for i in text], dtype=np.int32)
    return Tokens(ids, np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64))


def lists_of(tokens: Tokens) -> list[list[int]]:
    return [part.tolist() for part in np.split(tokens.ids, tokens.offsets[1:-1])][: len(tokens)]


@given(ragged, st.data())
def test_take_is_list_indexing(texts: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=12)) if texts else []
    taken = tokens_of(texts).take(np.array(rows, dtype=np.int64))
    assert lists_of(taken) == [texts[row] for row in rows]
    assert taken.ids.dtype == np.int32


@given(ragged, ragged)
def test_addition_is_concatenation(one: list[list[int]], two: list[list[int]]) -> None:
    both = tokens_of(one) + tokens_of(two)
    assert lists_of(both) == one + two
    assert both.lengths.tolist() == [len(text) for text in one + two]


@given(ragged, st.floats(0, 0.99), st.integers(0, 99))
def test_drop_keeps_the_first_token_and_the_order(texts: list[list[int]], rate: float, seed: int) -> None:
    dropped = lists_of(tokens_of(texts).drop(rate, np.random.default_rng(seed)))
    assert len(dropped) == len(texts)
    for before, after in zip(texts, dropped, strict=True):
        assert after[:1] == before[:1]
        rest = iter(before)
        assert all(token in rest for token in after)  # a subsequence
    if not rate:
        assert dropped == texts


def test_drop_leaves_out_its_share() -> None:
    tokens = tokens_of([list(range(1000))] * 20)
    left = len(tokens.drop(0.3, np.random.default_rng(1)).ids)
    assert binomtest(left - 20, 19_980, 0.7).pvalue > 1e-3


@given(ragged)
def test_document_frequency_counts_each_text_once(texts: list[list[int]]) -> None:
    counted = Counter(token for text in texts for token in set(text))
    assert tokens_of(texts).document_frequency(31).tolist() == [counted[token] for token in range(31)]


@given(hnp.arrays(np.int64, st.integers(0, 6), elements=st.integers(0, 5)))
def test_lengths_survive_take(lengths: np.ndarray) -> None:
    tokens = tokens_of([[7] * int(length) for length in lengths])
    assert tokens.take(np.arange(len(lengths))).lengths.tolist() == lengths.tolist()


# --- texts as token files ------------------------------------------------------------------------------------

LANGUAGES = ["en", "ar", "zh"]  # the source language first, though it does not sort first
WORDS = {
    "en": ["river", "mountain", "Who", "founded", "the", "city", "naïve"],
    "ar": ["نهر", "جبل", "من", "أسس", "المدينة"],
    "zh": ["河流", "山", "谁", "建立", "城市"],
}


def write_corpus(folder: Path, questions: int = 40) -> dict[tuple[str, str], tuple[str, str, str]]:
    """A small corpus with shared passages and dropped pairs; returns (id, lang) to (question, passage_id, passage)."""
    draw = np.random.default_rng(5)
    rows: dict[tuple[str, str], tuple[str, str, str]] = {}
    for lang in LANGUAGES:
        for number in draw.permutation(questions):
            if lang != "en" and draw.random() < 0.3:
                continue
            passage = f"{lang} {number // 3} " + " ".join(np.random.default_rng(number // 3).choice(WORDS[lang], 12))
            question = f"{number} " + " ".join(draw.choice(WORDS[lang], 4)) + "?"
            rows[f"q{number}", lang] = (question, f"p{number // 3}", passage)
    named = [{"id": i, "passage_id": p, "lang": lang, "question": q, "passage": text} for (i, lang), (q, p, text) in rows.items()]
    empty = {"group": "g", "source": "s", "domain": "", "licence": "", "answer": None}
    QA.write(QA.frame([{**empty, **row} for row in named if row["lang"] == "en"]), folder / "qa.parquet")
    for lang in LANGUAGES[1:]:
        PARALLEL.write(PARALLEL.frame([row for row in named if row["lang"] == lang]), folder / f"{lang}.parquet")
    return rows


def tokenise_corpus(folder: Path, out: Path, settings: Tokenizer, special: bool) -> None:
    parallel = [folder / f"{lang}.parquet" for lang in LANGUAGES[1:]]
    train_tokens(folder / "qa.parquet", out, "transformer" if special else "static", settings, parallel=parallel)


@pytest.mark.parametrize("special", [False, True])
def test_token_files_hold_the_ids_of_each_text_and_minus_one_for_dropped_pairs(tmp_path: Path, special: bool) -> None:
    rows = write_corpus(tmp_path)
    settings = Tokenizer(vocab_size=200, max_length=16, query_prefix="Query: ", passage_prefix="Text: ")
    tokenise_corpus(tmp_path, tmp_path / "tokens", settings, special)
    data = TrainingSet.open(tmp_path / "tokens", "en")
    tokenizer = FastTokenizer.from_file(str(tmp_path / "tokens/tokenizer.json"))
    assert data.languages == LANGUAGES
    ids = sorted({i for i, _ in rows})
    assert data.query_rows.shape == data.passage_rows.shape == (len(ids), 3)
    queries, passages = lists_of(data.queries), lists_of(data.passages)
    for (i, name), (column, lang) in itertools.product(enumerate(ids), enumerate(LANGUAGES)):
        assert data.available[i, column] == ((name, lang) in rows)
        if (name, lang) not in rows:
            assert data.query_rows[i, column] == -1
            continue
        question, passage_id, passage = rows[name, lang]
        (wanted,) = lists_of(tokenize(tokenizer, [question], "Query: ", special))
        assert queries[data.query_rows[i, column]] == wanted
        (wanted,) = lists_of(tokenize(tokenizer, [passage], "Text: ", special))
        assert passages[data.passage_rows[i, column]] == wanted
        assert len(wanted) <= 16
        first = ids.index(next(other for other, _ in rows if rows.get((other, "en"), ("", "", ""))[1] == passage_id))
        assert data.passage_of[i] == data.passage_of[first]
    assert len(np.unique(data.passage_of)) == len({passage_id for _, passage_id, _ in rows.values()})
    assert len(data.queries) == len(rows)
    assert len(data.passages) == len({(passage_id, lang) for (_, lang), (_, passage_id, _) in rows.items()})


def test_special_tokens_frame_texts_only_where_asked(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    for special in (False, True):
        tokenise_corpus(tmp_path, tmp_path / "tokens", Tokenizer(vocab_size=200, max_length=16), special)
        texts = lists_of(TrainingSet.open(tmp_path / "tokens", "en").queries)
        assert all((text[0] == 0 and text[-1] == 2) == special for text in texts)


def test_tokenising_in_two_processes_gives_the_same_bytes(tmp_path: Path) -> None:
    """In two processes, since some tokenizer trainers depend on a hash seed that is drawn once per process."""
    write_corpus(tmp_path)
    command = """
import sys
from pathlib import Path
from koine.params import Tokenizer
from koine.train.tokens import train_tokens
folder, out = map(Path, sys.argv[1:])
parallel = [folder / "ar.parquet", folder / "zh.parquet"]
train_tokens(folder / "qa.parquet", out, "static", Tokenizer(vocab_size=200), parallel=parallel)
"""
    for out in ("one", "two"):
        subprocess.run([sys.executable, "-c", command, tmp_path, tmp_path / out], check=True, capture_output=True)
    tokenise_corpus(tmp_path, tmp_path / "three", Tokenizer(vocab_size=200), special=False)
    for name in ("tokenizer.json", "queries.arrow", "passages.arrow"):
        assert len({(tmp_path / out / name).read_bytes() for out in ("one", "two", "three")}) == 1


def test_the_order_of_input_rows_changes_nothing(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    tokenise_corpus(tmp_path, tmp_path / "one", Tokenizer(vocab_size=200), special=False)
    for name in ("qa", "ar", "zh"):
        pl.read_parquet(tmp_path / f"{name}.parquet").sample(fraction=1, shuffle=True, seed=3).write_parquet(
            tmp_path / f"{name}.parquet"
        )
    tokenise_corpus(tmp_path, tmp_path / "two", Tokenizer(vocab_size=200), special=False)
    for name in ("tokenizer.json", "queries.arrow", "passages.arrow"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", ["queries.arrow", "passages.arrow"])
@pytest.mark.parametrize("left", [0, 1, 8, 0.5, -20, -1, None])
def test_a_token_file_cut_short_or_missing_is_an_error_with_its_name(tmp_path: Path, name: str, left: float | None) -> None:
    write_corpus(tmp_path)
    tokenise_corpus(tmp_path, tmp_path / "tokens", Tokenizer(vocab_size=200), special=False)
    path = tmp_path / "tokens" / name
    raw = path.read_bytes()
    if left is None:
        path.unlink()
    else:
        path.write_bytes(raw[: int(left * len(raw)) if isinstance(left, float) else left])
    with pytest.raises(KoineError, match=f"{name}: not a whole token file"):
        TrainingSet.open(tmp_path / "tokens", "en")


def test_token_files_of_an_older_version_are_named(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    tokenise_corpus(tmp_path, tmp_path / "tokens", Tokenizer(vocab_size=200), special=False)
    tokens, rows = read_tokens(tmp_path / "tokens/queries.arrow")
    write_tokens(tmp_path / "older/queries.arrow", tokens, rows.drop("source"))
    (tmp_path / "older/passages.arrow").write_bytes((tmp_path / "tokens/passages.arrow").read_bytes())
    with pytest.raises(KoineError, match=r"older/queries\.arrow: made by an older Koine"):
        TrainingSet.open(tmp_path / "older", "en")


def test_tokens_beside_a_table_in_pieces_are_read_back_whole(tmp_path: Path) -> None:
    """As a table of passages is, that was written language by language."""
    tokens = Tokens(np.arange(7, dtype=np.int32), np.array([0, 2, 2, 5, 7]))
    pieces = pl.concat([pl.DataFrame({"id": ids, "lang": [lang] * 2}) for lang, ids in (("en", ["a", "b"]), ("fi", ["a", "c"]))])
    assert pieces.n_chunks() == 2
    write_tokens(tmp_path / "passages.arrow", tokens, pieces)
    back, rows = read_tokens(tmp_path / "passages.arrow")
    assert rows.equals(pieces)
    assert (back.ids.tolist(), back.offsets.tolist()) == (tokens.ids.tolist(), tokens.offsets.tolist())
