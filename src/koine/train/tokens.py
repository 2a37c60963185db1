"""Training texts as token ids: tokenised once per tokenizer, memory-mapped by every training job."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from koine.backbones.kinds import KINDS
from koine.backbones.tokenizer import (
    Tokens,
    read_tokenizer,
    read_tokens,
    start_tokenizer,
    tokenize,
    train_tokenizer,
    write_tokens,
)
from koine.params import KindName, Start, Tokenizer
from koine.records import MINED, PARALLEL, QA
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id, write_text


def train_tokens(
    qa: Path, out: Path, kind: KindName, tokenizer: Tokenizer = Tokenizer(), start: Start = Start(), parallel: Sequence[Path] = ()
) -> None:
    """Train a tokenizer on all kept texts (or take a model's), and write them as token ids, once for all models.

    Args:
        qa: Questions of koine collect, in the source language.
        out: Folder; gets tokenizer.json, queries.arrow and passages.arrow, where negatives stand among the passages.
        kind: Kind of backbone.
        tokenizer: of a tokenizer that is taken from a model, length and prefixes count.
        start: the model whose tokenizer is taken.
        parallel: Kept pairs of another language (koine filter).

    Raises:
        KoineError: the model has no tokenizer of the fast kind.
    """
    columns = ("id", "passage_id", "lang", "question", "passage", "negative_ids", "negatives")
    negative_ids = pl.col("negatives").list.eval(pl.element().map_elements(text_id, return_dtype=pl.String))
    collected = QA.read(qa)
    sources = collected.select("id", "source", "licence")
    pairs = collected.with_columns(negative_ids=negative_ids).select(columns)
    # Pairs of the held-out test questions are in these files, too; only those of the collected ones are trained on.
    translated = [PARALLEL.read(path).select(columns).join(collected, on="id", how="semi") for path in parallel]
    pairs = pl.concat([pairs, *translated]).sort("lang", "id")
    negatives = pairs.select("lang", passage_id="negative_ids", passage="negatives").drop_nulls().explode("passage_id", "passage")
    passages = pl.concat([pairs.select("passage_id", "lang", "passage"), negatives.select("passage_id", "lang", "passage")])
    passages = passages.unique(["passage_id", "lang"], keep="first", maintain_order=True).sort("lang", "passage_id")
    if start.model:
        write_text(out / "tokenizer.json", start_tokenizer(start, tokenizer.max_length).to_str(pretty=True))
    else:
        train_tokenizer([*pairs["question"], *passages["passage"]], tokenizer, out / "tokenizer.json")
    trained, special = read_tokenizer(out / "tokenizer.json"), KINDS[kind].special_tokens
    queries = tokenize(trained, pairs["question"].to_list(), tokenizer.query_prefix, special)
    write_tokens(
        out / "queries.arrow",
        queries,
        pairs.join(sources, on="id", how="left", maintain_order="left").drop("question", "passage", "negatives"),
    )
    texts = tokenize(trained, passages["passage"].to_list(), tokenizer.passage_prefix, special)
    write_tokens(out / "passages.arrow", texts, passages.select("passage_id", "lang"))
    cut = float((texts.lengths >= tokenizer.max_length).mean())
    say(
        f"{len(queries):,} queries of {queries.lengths.mean():.1f} tokens, {len(texts):,} passages of "
        f"{texts.lengths.mean():.1f}; {cut:.1%} of the passages are cut at {tokenizer.max_length}"
    )


@dataclass(frozen=True)
class TrainingSet:
    """All training texts, and where each question, its passage and its negatives stand in each language.

    Attributes:
        languages: the languages, the source language first.
        queries, passages: token ids.
        query_rows: row of question i in language l, -1 where it was dropped or never translated, int64 `[n, L]`.
        passage_rows: row of question i's passage in language l, int64 `[n, L]`.
        passage_of: number of question i's passage, the same for all questions on it, int64 `[n]`.
        text_rows: row of passage number p in language l, -1 where it was dropped or never translated, int64 `[P, L]`.
        negatives: passage numbers of question i's negatives, the explicit ones first, then -1, int64 `[n, K]`.
        sources: data set of question i, `[n]`.
        licences: data set to licence.
        passage_ids: id of passage number p, `[P]`.
    """

    languages: list[str]
    queries: Tokens
    passages: Tokens
    query_rows: npt.NDArray[np.int64]
    passage_rows: npt.NDArray[np.int64]
    passage_of: npt.NDArray[np.int64]
    text_rows: npt.NDArray[np.int64]
    negatives: npt.NDArray[np.int64]
    sources: list[str]
    licences: dict[str, str]
    passage_ids: list[str]

    @classmethod
    def open(cls, folder: Path, source: str, mined: Path | None = None) -> "TrainingSet":
        """Map the files that `train_tokens` wrote.

        Args:
            folder: of `train_tokens`.
            source: the source language; its rows have all negatives, those of other languages what the filter kept.
            mined: more negatives (`records.MINED`).

        Raises:
            KoineError: a file is not whole, or of an older version; `mined` is of another corpus.
        """
        queries, pairs = read_tokens(folder / "queries.arrow")
        passages, texts = read_tokens(folder / "passages.arrow")
        if not {"source", "licence", "negative_ids"} <= set(pairs.columns):
            raise KoineError(f"{folder / 'queries.arrow'}: made by an older Koine; delete it and run again")
        others = sorted(set(pairs["lang"].to_list()) - {source})
        languages = [source, *others]
        code = {lang: number for number, lang in enumerate(languages)}
        ids = pairs["id"].unique().sort()
        passage_ids = texts["passage_id"].unique().sort()
        i = ids.search_sorted(pairs["id"]).to_numpy()
        p = passage_ids.search_sorted(pairs["passage_id"]).to_numpy()
        lang = pairs["lang"].replace_strict(code, return_dtype=pl.Int64).to_numpy()
        text_rows = np.full((len(passage_ids), len(languages)), -1, dtype=np.int64)
        text_lang = texts["lang"].replace_strict(code, return_dtype=pl.Int64).to_numpy()
        text_rows[passage_ids.search_sorted(texts["passage_id"]).to_numpy(), text_lang] = np.arange(len(texts))
        query_rows = np.full((len(ids), len(languages)), -1, dtype=np.int64)
        query_rows[i, lang] = np.arange(len(pairs))
        passage_of = np.zeros(len(ids), dtype=np.int64)
        passage_of[i] = p
        tables = [pairs.filter(lang=source), *([] if mined is None else [MINED.read(mined)])]
        wrong = pl.concat([rows.select("id", "negative_ids") for rows in tables]).explode("negative_ids").drop_nulls()
        wrong = wrong.unique(maintain_order=True)
        if not (wrong["id"].is_in(ids.implode()).all() and wrong["negative_ids"].is_in(passage_ids.implode()).all()):
            raise KoineError(f"{mined}: not of the questions and passages in {folder}; mine again")
        column = wrong.select(pl.int_range(pl.len()).over("id")).to_series().to_numpy()
        negatives = np.full((len(ids), column.max(initial=-1) + 1), -1, dtype=np.int64)
        negatives[ids.search_sorted(wrong["id"]).to_numpy(), column] = passage_ids.search_sorted(wrong["negative_ids"]).to_numpy()
        sources = pairs.unique("id", keep="first", maintain_order=True).sort("id").select("source", "licence")
        return cls(
            languages, queries, passages, query_rows, text_rows[passage_of], passage_of, text_rows, negatives,
            sources["source"].to_list(), dict(sources.iter_rows()), passage_ids.to_list(),
        )  # fmt: skip

    def within(self, languages: Sequence[str]) -> "TrainingSet":
        """The same questions in some languages alone.

        Raises:
            KoineError: there are no texts in one of them, or the source language is left out.
        """
        if missing := [lang for lang in languages if lang not in self.languages]:
            raise KoineError(f"--only {missing[0]}: the training texts are in {', '.join(self.languages)}")
        if self.languages[0] not in languages:
            raise KoineError(f"--only: the source language {self.languages[0]} must be among them")
        kept = [number for number, lang in enumerate(self.languages) if lang in languages]
        return replace(
            self,
            languages=[self.languages[number] for number in kept],
            query_rows=self.query_rows[:, kept],
            passage_rows=self.passage_rows[:, kept],
            text_rows=self.text_rows[:, kept],
        )

    @property
    def available(self) -> npt.NDArray[np.bool_]:
        """Whether question i exists in language l, bool `[n, L]`."""
        return self.query_rows >= 0
