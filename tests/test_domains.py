"""Domains of a benchmark's questions, and how consistent results are between them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from test_report_table import noise, scores_of, write_run

from koine.collect.domains import collect_domains, name_clusters
from koine.params import Report
from koine.records import BY_DOMAIN, DOMAINS, PASSAGES, QRELS
from koine.report.domains import domains, drops
from koine.report.evaluations import read_evaluations
from koine.report.report import report
from koine.runtime.errors import KoineError

FAST = Report(resamples=200, permutations=99)
TOPICS = {topic: [f"{topic}{letter}{other}" for letter in "abcdefgh" for other in "vwxyz"] for topic in ("war", "music", "space")}
FILLER = ["which", "these", "about", "other", "with", "from"]  # in more than a tenth of the texts


def text(topic: str, number: int) -> str:
    draw = np.random.default_rng([ord(topic[0]), number])
    return " ".join([*draw.choice(TOPICS[topic], size=5), *draw.choice(FILLER, size=20)])


def prepared(folder: Path, articles: int = 12) -> Path:
    """A benchmark of two questions on each article, in English and Finnish; titles differ, as translated ones do."""
    passages, qrels = [], []
    for lang in ("en", "fi"):
        for number in range(articles):
            topic = list(TOPICS)[min(number % 4, 2)]  # every other article is about space
            for part in range(2):
                key = f"p{number}-{part}"
                passages.append(
                    {"id": key, "lang": lang, "group": f"{lang} article {number}", "text": text(topic, 2 * number + part)}
                )
                if (number, part, lang) != (0, 0, "en"):
                    qrels.append({"query_id": f"q{number}-{part}", "lang": lang, "passage_id": key})
    PASSAGES.write(PASSAGES.frame(passages), folder / "passages.parquet")
    QRELS.write(QRELS.frame(qrels), folder / "qrels.parquet")
    return folder


def test_clusters_are_topics_and_are_named_by_their_words_the_largest_first() -> None:
    topics = [topic for topic, count in (("war", 25), ("music", 55), ("space", 35)) for _ in range(count)]
    named = name_clusters([text(topic, number) for number, topic in enumerate(topics)], 3)
    assert len(set(zip(topics, named, strict=True))) == len(set(named)) == 3
    for rank, topic in enumerate(("music", "space", "war"), start=1):
        number, _, words = named[topics.index(topic)].partition(": ")
        assert number == str(rank)
        assert set(words.split()) <= set(TOPICS[topic])


def test_an_article_is_never_cut_and_the_same_questions_get_the_same_bytes(tmp_path: Path) -> None:
    folder = prepared(tmp_path / "toy", articles=80)
    for name in ("one", "two"):
        collect_domains(folder, tmp_path / name, clusters=3, lang="en")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found = DOMAINS.read(tmp_path / "one")
    assert set(found["query_id"]) == {f"q{number}-{part}" for number in range(80) for part in range(2)} - {
        "q0-0"
    }  # not in English
    by_article = (
        found.with_columns(pl.col("query_id").str.split("-").list.first()).group_by("query_id").agg(pl.col("domain").n_unique())
    )
    assert set(by_article["domain"]) == {1}
    assert found["domain"].n_unique() == 3


def test_more_domains_than_articles_and_texts_without_common_words_are_errors(tmp_path: Path) -> None:
    with pytest.raises(KoineError, match="toy: en: 12 articles answer questions; they cannot make 13 domains"):
        collect_domains(prepared(tmp_path / "toy"), tmp_path / "out", clusters=13, lang="en")
    with pytest.raises(KoineError, match="toy: sv: 0 articles"):
        collect_domains(tmp_path / "toy", tmp_path / "out", clusters=2, lang="sv")
    with pytest.raises(KoineError, match="share 0 words: too few"):
        name_clusters(["apple", "pear"], 2)


def test_labels_that_come_with_the_data_are_taken_for_the_questions_that_are_there(tmp_path: Path) -> None:
    folder, labels = prepared(tmp_path / "toy"), tmp_path / "labels.csv"
    labels.write_text("query_id,domain\nq1-0,law\nq2-0,7\nelsewhere,law\n")
    collect_domains(folder, tmp_path / "out", clusters=8, lang="en", labels=labels)
    assert DOMAINS.read(tmp_path / "out").rows() == [("q1-0", "law"), ("q2-0", "7")]
    for content, message in (
        ("query_id,domain\nq1-0,law\nq1-0,art\n", "'q1-0' has two domains"),
        ("query_id,domain\nelsewhere,law\n", "none of its query ids"),
        ("id,domain\nq1-0,law\n", "column 'query_id'"),
        ("", "not a CSV"),
    ):
        labels.write_text(content)
        with pytest.raises(KoineError, match=message):
            collect_domains(folder, tmp_path / "out", clusters=8, lang="en", labels=labels)


# --- domains.csv ---------------------------------------------------------------------------------------------------

LABELS = ("law", "art", "sea")


def labelled(tmp_path: Path, questions: int) -> Path:
    rows = [{"query_id": f"q{number:04}", "domain": LABELS[number % 3]} for number in range(1, questions)]  # q0000 has none
    DOMAINS.write(DOMAINS.frame(rows), tmp_path / "domains.parquet")
    return tmp_path / "domains.parquet"


def level(query_lang: str, doc_lang: str, question: int, seed: int) -> float:
    return 0.2 * (question % 3) + 0.3 * noise(query_lang, doc_lang, question, seed)


def evaluated(tmp_path: Path, shift: float = -0.1, questions: int = 31, seeds: Sequence[int] = (1, 2)) -> list[Path]:
    """Hybrid, and a rival that differs from it by the same `shift` in every question."""
    return [
        write_run(
            tmp_path / f"{strategy}-{seed}",
            scores_of(lambda *key, by=by: level(*key) + by, ["en", "fi"], questions, seed),  # type: ignore[misc]
            seed,
            strategy,
        )
        for strategy, by in (("hybrid", 0.0), ("x-y", shift))
        for seed in seeds
    ]


def test_means_by_domain_their_spread_and_the_worst_are_what_the_scores_say(tmp_path: Path) -> None:
    folders, mapped = evaluated(tmp_path), labelled(tmp_path, 31)
    found = domains("recipe", read_evaluations(folders), {"toy": mapped}, FAST)
    BY_DOMAIN.check(found, "domains")
    scores = pl.concat([pl.read_parquet(folder / "scores.parquet") for folder in folders[:2]]).join(
        pl.read_parquet(mapped), on="query_id"
    )
    for setting, metric, worst in (("cross", "map", "law"), ("multi", "rank_distance", "sea"), ("multi", "rankc@10", "law")):
        own = scores.filter(setting=setting).group_by("domain").agg(pl.col(metric).mean(), pl.len())  # cells are of one size
        means = dict(own.select("domain", metric).iter_rows())
        rows = found.filter(setting=setting, metric=metric, strategy="hybrid", other_strategy="")
        by_domain = rows.filter(statistic="domain")
        assert dict(by_domain.select("domain", "value").iter_rows()) == pytest.approx(means, abs=1e-9)
        assert by_domain["n_queries"].to_list() == [20] * 3
        assert (by_domain["ci_low"] < by_domain["value"]).all() and (by_domain["value"] < by_domain["ci_high"]).all()
        over = {statistic: (domain, value) for statistic, domain, value in rows.select("statistic", "domain", "value").rows()}
        assert over["mean"] == ("", pytest.approx(np.mean(list(means.values()))))
        assert over["spread"] == ("", pytest.approx(np.std(list(means.values()))))
        assert over["worst"] == (worst, pytest.approx(means[worst]))
    assert set(found["metric"]) == {"map", "ndcg@10", "rank_distance", "language_probe", "rankc@10"}


def test_systems_are_compared_on_the_same_draws(tmp_path: Path) -> None:
    """A rival that is worse by a constant has the same spread in every resample, and a worst domain that is lower by it."""
    found = domains("recipe", read_evaluations(evaluated(tmp_path)), {"toy": labelled(tmp_path, 31)}, FAST).filter(
        other_strategy="x-y", metric="map"
    )
    assert set(found["strategy"]) == {"hybrid"}
    for statistic, difference in (("spread", 0.0), ("worst", 0.1), ("mean", 0.1)):
        rows = found.filter(statistic=statistic)
        assert len(rows) == 3  # settings
        for column in ("value", "ci_low", "ci_high"):
            assert rows[column].to_list() == pytest.approx([difference] * 3, abs=1e-9)


def test_intervals_of_a_difference_in_spread_cover_the_truth(tmp_path: Path) -> None:
    """100 experiments, a metric each: two systems whose domains differ alike, with noise of their own."""
    metrics = [f"recall@{k}" for k in range(1, 101)]
    ids = [f"q{number:04}" for number in range(240)]
    draw = np.random.default_rng(5)
    cell = {"benchmark": "toy", "setting": "mono", "query_lang": "en", "doc_lang": "en"}
    folders = []
    for strategy in ("hybrid", "x-y"):
        values = 0.5 + 0.1 * (np.arange(240) % 3)[:, None] + draw.normal(scale=0.2, size=(240, 100))
        frame = pl.DataFrame({"query_id": ids}).with_columns(*(pl.lit(value).alias(name) for name, value in cell.items()))
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("top_lang"))
        folders.append(write_run(tmp_path / strategy, frame.hstack(pl.DataFrame(values, schema=metrics)), 1, strategy))
    found = domains("recipe", read_evaluations(folders), {"toy": labelled(tmp_path, 240)}, Report(resamples=300, metrics=metrics))
    rows = found.filter(other_strategy="x-y", statistic="spread")
    assert len(rows) == 100
    assert 0.88 <= ((rows["ci_low"] <= 0) & (rows["ci_high"] >= 0)).mean() <= 1


def test_a_drop_is_what_the_mean_loses_and_a_shift_of_all_benchmarks_cancels_out(tmp_path: Path) -> None:
    homes, aways = evaluated(tmp_path / "home", shift=-0.1), evaluated(tmp_path / "away", shift=-0.1)
    for number, folder in enumerate(aways):
        pairs, scores = pl.read_csv(folder / "pairs.csv"), pl.read_parquet(folder / "scores.parquet")
        pairs.with_columns(benchmark=pl.lit("other")).write_csv(folder / "pairs.csv")
        worse = pl.col("map") - (0.2 if number < 2 else 0.25)  # hybrid's two seeds, then its rival's
        scores.with_columns(worse, benchmark=pl.lit("other")).filter(query_lang="en").write_parquet(folder / "scores.parquet")
    settings = FAST.model_copy(update={"home_benchmark": "toy", "metrics": ["map"]})
    found = drops("recipe", read_evaluations([*homes, *aways]), settings)
    BY_DOMAIN.check(found, "drops")
    assert set(found["statistic"]) == {"drop"} and set(found["benchmark"]) == {"other"} and set(found["domain"]) == {"toy"}
    values = {(row["strategy"], row["other_strategy"]): row for row in found.iter_rows(named=True)}
    assert {key: row["value"] for key, row in values.items()} == pytest.approx(
        {("hybrid", ""): 0.2, ("x-y", ""): 0.25, ("hybrid", "x-y"): -0.05}
    )
    assert all(row["ci_low"] <= row["value"] <= row["ci_high"] for row in values.values())
    assert drops("recipe", read_evaluations([*homes, *aways]), FAST).is_empty()


@pytest.mark.parametrize("asked", [False, True])
def test_the_table_is_written_with_its_header_alone_unless_it_is_asked_for(tmp_path: Path, asked: bool) -> None:
    mapped = {"toy": labelled(tmp_path, 31)} if asked else {}
    report(evaluated(tmp_path), tmp_path / "out", report=FAST, domains=mapped)
    lines = (tmp_path / "out/domains.csv").read_text().splitlines()
    assert lines[0] == ",".join(BY_DOMAIN.columns)
    assert (len(lines) > 1) == asked
