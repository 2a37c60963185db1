"""`koine collect-domains`: domains of a benchmark's questions, by clusters of the articles that answer them or by labels."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import faiss
import numpy as np
import numpy.typing as npt
import polars as pl
import regex
from pydantic import Field
from scipy.sparse import csr_array
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

from koine.records import DOMAINS, PASSAGES, QRELS
from koine.runtime.console import table
from koine.runtime.errors import KoineError

WORD = regex.compile(r"\p{L}{3,}")
RARE, COMMON = 2, 0.1  # a word counts if at least so many articles have it, and at most this share of them
DIMENSIONS = 20
RESTARTS, ITERATIONS, SEED = 20, 50, 1  # of k-means
NAMED = 3  # words that name a domain


def collect_domains(
    benchmark: Path, /, out: Path, *, clusters: Annotated[int, Field(ge=2)] = 8, lang: str = "en", labels: Path | None = None
) -> None:
    """Sort a benchmark's questions into domains: clusters of the articles that answer them in one language, or labels.

    A question's domain is that of the article of its first relevant passage in `lang`, so no article is cut; translations of
    a question share its id, and so its domain. Questions without a relevant passage in `lang` have none.

    Args:
        benchmark: Folder of collect-benchmark.
        out: Where the table goes (`records.DOMAINS`).
        clusters: Number of domains.
        lang: Language whose passages are clustered (BCP 47).
        labels: Instead: a CSV of query_id and domain.

    Raises:
        KoineError: no passages in `lang`, fewer articles than clusters, or labels of none of the questions.
    """
    qrels = QRELS.read(benchmark / "qrels.parquet")
    if labels:
        domains = _labelled(labels, qrels["query_id"])
    else:
        domains = _clustered(
            qrels.filter(lang=lang), PASSAGES.scan(benchmark / "passages.parquet"), clusters, f"{benchmark}: {lang}"
        )
    DOMAINS.write(domains, out)
    table(f"domains of {benchmark.name}", ["domain", "questions"], domains.group_by("domain").len().sort("domain").iter_rows())


def _labelled(labels: Path, asked: pl.Series) -> pl.DataFrame:
    try:
        frame = DOMAINS.check(pl.read_csv(labels, infer_schema=False), labels)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise KoineError(f"{labels}: not a CSV of query_id and domain ({error})") from None
    if frame["query_id"].is_duplicated().any():
        raise KoineError(f"{labels}: {frame['query_id'].filter(frame['query_id'].is_duplicated())[0]!r} has two domains")
    labelled = frame.filter(pl.col("query_id").is_in(asked.implode())).sort("query_id")
    if labelled.is_empty():
        raise KoineError(f"{labels}: none of its query ids is a question of the benchmark")
    return labelled


def _clustered(qrels: pl.DataFrame, passages: pl.LazyFrame, clusters: int, where: str) -> pl.DataFrame:
    own = passages.join(qrels.lazy(), left_on=["lang", "id"], right_on=["lang", "passage_id"], how="semi", maintain_order="left")
    answering = own.collect().with_columns(article=pl.when(pl.col("group") == "").then("id").otherwise("group"))
    articles = answering.group_by("article", maintain_order=True).agg("text")
    if len(articles) < clusters:
        raise KoineError(f"{where}: {len(articles)} articles answer questions; they cannot make {clusters} domains")
    named = articles.select("article", domain=pl.Series(name_clusters([" ".join(texts) for texts in articles["text"]], clusters)))
    article_of = answering.select("article", passage_id="id").join(named, on="article", maintain_order="left")
    return (
        qrels.unique("query_id", keep="first", maintain_order=True)
        .join(article_of, on="passage_id")
        .select("query_id", "domain")
        .sort("query_id")
    )


def name_clusters(texts: Sequence[str], clusters: int) -> list[str]:
    """The cluster of each text, named by number (the largest is 1) and words, as `3: film actress album`.

    TF-IDF (1 + log of a word's count, times log of the texts per text that has it) of words of three letters or more, truncated
    SVD, k-means by cosine with a fixed seed. Words that nearly all texts have say nothing of a domain and are left out, so there
    is no list of stop words. A name is the words whose mean weight in the cluster exceeds that in all texts the most.

    Raises:
        KoineError: the texts share too few words.
    """
    weights, words = _tf_idf(texts)
    dimensions = min(DIMENSIONS, min(weights.shape) - 1)
    if dimensions < 1:
        raise KoineError(f"{len(texts)} articles share {len(words)} words: too few to tell domains from one another")
    with threadpool_limits(1):
        left, values, _ = svds(weights, k=dimensions, v0=np.ones(min(weights.shape)))
        vectors = np.ascontiguousarray(left * values, dtype=np.float32)
        faiss.normalize_L2(vectors)
        settings: dict[str, Any] = {"niter": ITERATIONS, "nredo": RESTARTS, "seed": SEED, "min_points_per_centroid": 1}
        means = faiss.Kmeans(dimensions, clusters, spherical=True, **settings)
        means.train(vectors)
        cluster = means.index.search(vectors, 1)[1][:, 0]
    names = {}
    for rank, (number, _) in enumerate(Counter(cluster.tolist()).most_common(), start=1):
        above = weights[cluster == number].mean(axis=0) - weights.mean(axis=0)
        names[number] = f"{rank}: {' '.join(words[place] for place in np.argsort(-above, kind='stable')[:NAMED])}"
    return [names[number] for number in cluster.tolist()]


def _tf_idf(texts: Sequence[str]) -> tuple[csr_array, list[str]]:
    """TF-IDF of each text in rows of length 1, and the words of the columns."""
    counts = [Counter(WORD.findall(text.lower())) for text in texts]
    having = Counter(word for count in counts for word in count)
    words = sorted(word for word, number in having.items() if RARE <= number <= max(RARE, COMMON * len(texts)))
    column = {word: place for place, word in enumerate(words)}
    cells = [(row, column[word], number) for row, count in enumerate(counts) for word, number in count.items() if word in column]
    rows, columns, numbers = (np.array(part) for part in zip(*cells, strict=True)) if cells else (np.zeros(0, int),) * 3
    share = np.array([len(texts) / having[word] for word in words])
    values: npt.NDArray[np.float64] = (1 + np.log(numbers)) * np.log(share[columns])
    lengths = np.sqrt(np.bincount(rows, values**2, len(texts)))
    return csr_array((values / lengths[rows], (rows, columns)), shape=(len(texts), len(words))), words
