"""The registry of metrics: every entry is whole and true, an unknown name is an error, a new entry needs no other place."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

from koine import cli, metrics
from koine.evaluate.cells import Asked, Floats, Pool, Ranked, Relevant
from koine.evaluate.chance import Counts
from koine.evaluate.metrics import compute
from koine.evaluate.ranks import Scores, Top, Vectors
from koine.evaluate.vectors import evaluate_vectors
from koine.metrics import HEADLINE, MAIN, METRICS, USUAL, Metric, MetricName, metric
from koine.names import target
from koine.params import Benchmark, Report
from koine.records import PAIRS, PASSAGES, QRELS, QUERIES, Run
from koine.report.cards import card
from koine.report.report import report
from koine.report.view import View
from koine.runtime.errors import KoineError

LANGUAGES = ["en", "fi", "zh", "ar"]
QUESTIONS, PASSAGES_EACH = 400, 12


def ranked(scores: Scores, relevant: np.ndarray, depth: int) -> dict[str, Ranked]:
    """Each language's queries in the pool of all languages.

    Args:
        scores: of all queries, one language after the other, `[L n, N]`.
        relevant: columns of each query's relevant passages, one a language, `[L n, L]`.
        depth: of the top.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    rank = 1 + np.argsort(order, axis=1)
    ids = pl.Series([f"q{n}" for n in range(QUESTIONS)])
    langs = pl.Series([lang for lang in LANGUAGES for _ in range(PASSAGES_EACH)])
    rows = {lang: np.arange(i * QUESTIONS, (i + 1) * QUESTIONS) for i, lang in enumerate(LANGUAGES)}
    asked = {
        lang: Asked(own, ids, Top(order[own, :depth], np.take_along_axis(scores, order, axis=1)[own, :depth]))
        for lang, own in rows.items()
    }
    scorer = Vectors(scores, np.eye(len(langs), dtype=np.float32))  # the scores are the vectors
    pool = Pool(asked, scorer, langs)
    found = {}
    for number, (lang, own) in enumerate(rows.items()):
        ranks = np.take_along_axis(rank[own], relevant[own], axis=1)
        query = np.repeat(np.arange(QUESTIONS), len(LANGUAGES))
        others = np.tile(np.arange(len(LANGUAGES)) != number, QUESTIONS)
        found[lang] = Ranked(Relevant.of(query, ranks.ravel()), lang, Relevant.of(query[others], ranks.ravel()[others]), pool)
    return found


def random_pool() -> dict[str, Ranked]:
    """Random orders."""
    rng = np.random.default_rng(1)
    rows, columns = len(LANGUAGES) * QUESTIONS, len(LANGUAGES) * PASSAGES_EACH
    scores = rng.random((rows, columns)).astype(np.float32)
    passage = np.tile(rng.integers(PASSAGES_EACH, size=QUESTIONS), len(LANGUAGES))
    relevant = passage[:, None] + PASSAGES_EACH * np.arange(len(LANGUAGES))
    return ranked(scores, relevant, depth=10)


NAMES = [*USUAL, *(f"{kind}@3" for kind, entry in METRICS.items() if entry.cutoff != "never"), "accuracy"]
COUNTS = Counts(passages=len(LANGUAGES) * PASSAGES_EACH, relevant=len(LANGUAGES), languages=len(LANGUAGES))


@pytest.fixture(scope="module")
def by_chance() -> dict[str, Floats]:
    values = [compute(one, NAMES) for one in random_pool().values()]
    return {name: np.concatenate([value[name] for value in values]) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_value_by_chance_is_the_mean_over_random_orders(name: str, by_chance: dict[str, Floats]) -> None:
    _, entry, cutoff = metric(name)
    if not entry.chance:
        assert entry.no_chance
        return
    values = by_chance[name]
    # A question and its translations share nothing here but RankC's lists; two of three degrees of freedom are a safe count.
    error = values.std() / np.sqrt(len(values) / 3)
    assert abs(values.mean() - target(entry.chance)(COUNTS, cutoff)) < 4 * error


@pytest.mark.parametrize("name", NAMES)
def test_the_best_value_is_reached_and_not_surpassed(name: str, by_chance: dict[str, Floats]) -> None:
    """By the order that has all relevant passages first, and is the same in all languages."""
    rng = np.random.default_rng(2)
    passage = np.tile(rng.integers(PASSAGES_EACH, size=QUESTIONS), len(LANGUAGES))
    relevant = passage[:, None] + PASSAGES_EACH * np.arange(len(LANGUAGES))
    columns = len(LANGUAGES) * PASSAGES_EACH
    scores = np.tile(rng.random((QUESTIONS, columns)), (len(LANGUAGES), 1))
    np.put_along_axis(scores, relevant, np.tile(2 + rng.random((QUESTIONS, len(LANGUAGES))), (len(LANGUAGES), 1)), axis=1)
    pool = ranked(scores.astype(np.float32), relevant, depth=10)
    _, entry, cutoff = metric(name)
    best = target(entry.best)(COUNTS, cutoff)
    values = np.concatenate([compute(one, [name])[name] for one in pool.values()])
    if entry.better == "higher":
        # Of the passages in other languages, the query's own stands before some: it counts in no other metric.
        assert values.max() == pytest.approx(best) and (name.startswith("tlr") or values.min() == pytest.approx(best))
        assert by_chance[name].max() <= best + 1e-9
    elif entry.printed == "rank":
        assert set(values) == {best} and by_chance[name].min() >= best
    else:
        assert values.mean() == pytest.approx(best, abs=0.05)


def test_every_entry_says_what_the_others_say() -> None:
    for kind, entry in METRICS.items():
        assert callable(target(entry.compute)) and callable(target(entry.best))
        assert bool(entry.chance) != bool(entry.no_chance)
        assert all(metric(name).kind == kind for name in (*entry.usual, *filter(None, [entry.main])))
    assert list(MAIN) == ["map", "ndcg@10", "accuracy"] and list(MAIN.values()) == ["mAP", "nDCG@10", "accuracy"]
    assert HEADLINE == ("rank_distance",)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ngcd@10", "unknown metric 'ngcd@10'; did you mean 'ndcg@10'"),
        ("rank-distance", "did you mean 'rank_distance'"),
        ("zebra", r"unknown metric 'zebra' \(known: map\[@K\], ndcg@K, .*language_probe\)"),
        ("ndcg", "needs a cut-off; did you mean 'ndcg@10'"),
        ("accuracy@3", "takes no cut-off; did you mean 'accuracy'"),
        ("map@0", "no whole number from 1"),
        ("map@", "no whole number from 1"),
    ],
)
def test_an_unknown_name_is_an_error_everywhere(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        compute(Ranked(Relevant.of(np.array([0]), np.array([1]))), [name])
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(MetricName).validate_python(name)
    for block, given in ((Benchmark, {"path": "a", "reader": "lines", "files": {}}), (Report, {})):
        with pytest.raises(ValidationError, match=message):
            block.model_validate({**given, "metrics": [name]})
    call = ["evaluate-bm25", "--benchmark", str(tmp_path), "--out", str(tmp_path), "--metrics", name]
    with pytest.raises(KoineError, match=f"--metrics: .*{message}"):
        CliRunner().invoke(cli.app, call, catch_exceptions=False)


def rank_of_the_last(ranked: Ranked, k: int | None) -> Floats:
    """A metric of a test: the largest rank."""
    of = ranked.relevant
    last: Floats = of.ranks[of.first + of.total - 1]
    return last


def prepared(folder: Path) -> Path:
    """Two languages with three questions each, and vectors."""
    rows = [{"id": f"q{n}", "lang": lang, "text": f"{lang} {n}"} for lang in ("en", "fi") for n in range(3)]
    QUERIES.write(QUERIES.frame(rows), folder / "toy/queries.parquet")
    PASSAGES.write(PASSAGES.frame([{**row, "group": ""} for row in rows]), folder / "toy/passages.parquet")
    judged = [{"query_id": row["id"], "lang": row["lang"], "passage_id": row["id"]} for row in rows]
    QRELS.write(QRELS.frame(judged), folder / "toy/qrels.parquet")
    vectors = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    for name, own in zip(("queries", "passages"), vectors, strict=True):
        np.save(folder / f"{name}.npy", own / np.linalg.norm(own, axis=1, keepdims=True))
    return folder


def test_a_new_metric_is_one_entry_and_its_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = Metric(
        heading="last rank", compute=f"{__name__}:rank_of_the_last", best="koine.evaluate.chance:one", no_chance="of a test",
        better="lower", printed="rank", settings="multi", headline=True, usual=("last_rank",),
    )  # fmt: skip
    monkeypatch.setitem(METRICS, "last_rank", new)
    for name in ("koine.report.table", "koine.report.view", "koine.report.maps", "koine.report.cards"):
        monkeypatch.setattr(f"{name}.HEADLINE", (*HEADLINE, "last_rank"))
    metrics.metric.cache_clear()
    folder = prepared(tmp_path)
    for seed in (1, 2):
        run = Run("toy", "static", "hybrid", seed)
        evaluate_vectors(folder, folder / "toy", tmp_path / f"out-{seed}", run=run, metrics=["map", "rank_distance", "last_rank"])
    pairs = PAIRS.read_csv(tmp_path / "out-1/pairs.csv").filter(metric="last_rank")
    assert set(pairs["setting"]) == {"multi"} and pairs["value"].min() >= 2  # two relevant passages
    report([tmp_path / "out-1", tmp_path / "out-2"], tmp_path / "results", report=Report(resamples=20, permutations=20))
    page = (tmp_path / "results/report.html").read_text(encoding="utf-8")
    mean = pairs["value"].mean()
    assert f'value="multi,last_rank,">{mean:.1f}</button>' in page and 'data-better="lower">last rank' in page
    table = pl.read_csv(tmp_path / "results/table.csv")
    assert View.of(table, pairs, [], Report()).columns("toy")[-1] == ("last rank", "multi", "last_rank")
    model = {
        "backbone": "static",
        "strategy": "hybrid",
        "seed": 1,
        "languages": ["en"],
        "questions": 3,
        "sources": {},
        "versions": {},
    }
    written = card(model, table, PAIRS.read_csv(tmp_path / "results/pairs.csv"))
    assert "| multi | rank distance | last rank |" in written and f"| {mean:.1f} (" in written
    metrics.metric.cache_clear()


def test_a_report_of_an_unknown_metric_or_reference_is_an_error(tmp_path: Path) -> None:
    folder = prepared(tmp_path)
    for strategy in ("given", "given+centre"):
        evaluate_vectors(folder, folder / "toy", tmp_path / strategy, run=Run("", "a", strategy), metrics=["map"])
    both = [tmp_path / "given", tmp_path / "given+centre"]
    small = {"resamples": 20, "permutations": 20}
    report(both, tmp_path / "out", report=Report(**small))  # no hybrid here, and nobody asked for it
    report(both, tmp_path / "out", report=Report(**small, reference="given"))
    with pytest.raises(KoineError, match=r"--reference givne: no such strategy was evaluated; did you mean 'given'\?"):
        report(both, tmp_path / "out", report=Report(**small, reference="givne"))
    path = tmp_path / "given/pairs.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",map,", ",mpa,"), encoding="utf-8")
    with pytest.raises(KoineError, match=r"pairs\.csv: unknown metric 'mpa'; did you mean 'map'"):
        report(both, tmp_path / "out", report=Report(**small))
