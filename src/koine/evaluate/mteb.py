"""mteb both ways: its retrieval tasks for Koine's models, and Koine's benchmarks as tasks for mteb.

`MtebEncoder` is any model that `backbones.load` opens; `scores` are those of a task of mteb with it, and `koine evaluate-mteb`
writes them as Koine's table. `BenchmarkTask` is a task that anybody can hand to `mteb.evaluate`: a benchmark such as LAReQA's
XQuAD-R or MLQA-R with every language pair and the pool of all languages, which mteb's own tasks lack. Needs the extra `mteb`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import langcodes
import numpy as np
import polars as pl

from koine import backbones
from koine.backbones.base import Vectors
from koine.backbones.tokenizer import Side
from koine.languages import canonical, script
from koine.params import SETTINGS
from koine.records import PASSAGES, QRELS, QUERIES
from koine.runtime.console import progress
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256
from koine.runtime.hub import on_disk

try:
    import mteb
    from datasets import Dataset, disable_progress_bars
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models import ModelMeta
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.types import BatchedInput, PromptType
    from torch.utils.data import DataLoader
except ImportError as error:
    raise KoineError(f"mteb is not installed ({error}); pip install 'koine[mteb]'") from None

#: mteb's names of what is written; mean reciprocal rank and average precision have a cut-off there.
METRICS = {
    "ndcg_at_10": "ndcg@10",
    "recall_at_1": "recall@1",
    "recall_at_10": "recall@10",
    "recall_at_100": "recall@100",
    "map_at_1000": "map@1000",
    "mrr_at_1000": "mrr@1000",
}
#: Tasks whose subsets name two languages, the corpus first: MLQA's `ara-deu` has Arabic passages and German questions.
CORPUS_FIRST = {"MLQARetrieval", "BelebeleRetrieval", "XPQARetrieval"}
KEPT = 1_000_000  # vectors in memory, of one corpus or many small ones
SPLIT = "test"
ALL = "all"


@dataclass(frozen=True)
class Cell:
    """One subset: the languages of its queries and its corpus; `doc_lang` is `all` in the pool."""

    query_lang: str
    doc_lang: str

    @property
    def setting(self) -> str:
        """Koine's name of it: mono, cross or multi."""
        return "multi" if self.doc_lang == ALL else "mono" if self.doc_lang == self.query_lang else "cross"


class MtebEncoder(AbsEncoder):
    """A model as mteb calls it: `mteb.evaluate(MtebEncoder(model), tasks)`.

    Passages and queries get the prefixes the model was trained with, and a text that stands in many subsets is encoded once.

    Args:
        model: folder or Hub id, of `backbones.load`.
        device: where to encode.
    """

    mteb_model_meta: ModelMeta

    def __init__(self, model: str, device: str = "cpu") -> None:
        self._encoder = backbones.load(model, device)
        self._kept: dict[tuple[Side, str], Vectors] = {}
        self.mteb_model_meta = ModelMeta.create_empty(overwrites={"name": f"koine/{Path(model).name}"})

    def encode(
        self, inputs: DataLoader[BatchedInput], *, prompt_type: PromptType | None = None, batch_size: int = 64, **given: Any
    ) -> Vectors:
        """Vectors `[n, d]`; what is no document is a query. Only `batch_size` of the other arguments is used."""
        kind: Side = "passage" if prompt_type == PromptType.document else "query"
        texts = [text for batch in inputs for text in batch["text"]]
        if len(self._kept) > KEPT:
            self._kept.clear()
        new = [text for text in dict.fromkeys(texts) if (kind, text) not in self._kept]
        if new:
            vectors = self._encoder.encode(new, kind, batch_size=batch_size)
            self._kept |= {(kind, text): vector for text, vector in zip(new, vectors, strict=True)}
        return np.stack([self._kept[kind, text] for text in texts])


class BenchmarkTask(AbsTaskRetrieval):
    """A prepared benchmark as a task of mteb: `mteb.evaluate(model, BenchmarkTask(folder))`.

    A subset per ordered pair is named as in mteb's MLQA, corpus first (`zh-en`: Chinese passages, English questions); and one
    per query language against the pool of all languages is named `all-en`. Pairs without a judgement are left out. Nothing is
    loaded from the Hub.

    mteb ranks passages of equal score by falling id, Koine in the order of its table. So ids count down before the
    benchmark's own id, and the two agree on ties too.

    Args:
        folder: of `koine collect-benchmark`.
        settings: which of mono, cross and multi.
    """

    def __init__(self, folder: Path, settings: Sequence[str] = SETTINGS, **given: Any) -> None:
        self.folder = folder
        self._tables = [folder / f"{name}.parquet" for name in ("queries", "passages", "qrels")]
        self._queries, self._passages, self._qrels = (
            schema.read(path) for schema, path in zip((QUERIES, PASSAGES, QRELS), self._tables, strict=True)
        )
        self._languages = self._passages["lang"].unique(maintain_order=True).to_list()
        judged = self._queries.join(self._qrels, left_on="id", right_on="query_id").select("lang", "lang_right").unique()
        answered = {*judged.iter_rows(), *((lang, ALL) for lang in judged["lang"])}
        cells = (Cell(query, doc) for doc in (*self._languages, ALL) for query in self._languages if (query, doc) in answered)
        self.cells = {f"{cell.doc_lang}-{cell.query_lang}": cell for cell in cells if cell.setting in settings}
        super().__init__(**given)

    @cached_property
    def metadata(self) -> TaskMetadata:  # type: ignore[override]
        """What mteb knows of the task; it removes the attribute when it unloads the data, and it is made again."""
        name = self.folder.name
        return TaskMetadata(
            name=f"Koine-{name}",
            description=f"{name} with every ordered pair of its languages, and the pool of all of them",
            dataset={"path": f"koine/{name}", "revision": "-".join(sha256(path)[:12] for path in self._tables)},
            type="Retrieval",
            category="t2t",
            eval_splits=[SPLIT],
            eval_langs={subset: _mteb_languages(cell, self._languages) for subset, cell in self.cells.items()},
            main_score="ndcg_at_10",
        )

    def load_data(self, num_proc: int | None = None, **given: Any) -> None:
        """Make the subsets; a corpus is shared by all that search it. Queries without a relevant passage do not count."""
        if self.data_loaded:
            return
        count = len(self._passages)
        numbers = pl.Series(range(count, 0, -1)).cast(pl.String).str.zfill(len(str(count)))
        key = pl.concat_str(numbers, "lang", "id", separator="/")
        passages = self._passages.select("lang", "id", "text", key=key)
        judged = self._qrels.unique().join(passages.select("lang", "key", passage_id="id"), on=["lang", "passage_id"])
        corpora = {
            lang: Dataset.from_dict({"id": own["key"].to_list(), "text": own["text"].to_list()})
            for lang in {cell.doc_lang for cell in self.cells.values()}
            for own in [passages if lang == ALL else passages.filter(lang=lang)]
        }
        self.dataset = {}
        for name, cell in self.cells.items():
            own = judged if cell.doc_lang == ALL else judged.filter(lang=cell.doc_lang)
            queries = self._queries.filter(lang=cell.query_lang).join(own, left_on="id", right_on="query_id", how="semi")
            own = own.join(queries, left_on="query_id", right_on="id", how="semi")
            relevant: dict[str, dict[str, int]] = {query: {} for query in queries["id"]}
            for query, passage in own.select("query_id", "key").iter_rows():
                relevant[query][passage] = 1
            self.dataset[name] = {
                SPLIT: RetrievalSplitData(
                    corpus=corpora[cell.doc_lang],
                    queries=Dataset.from_dict({"id": queries["id"].to_list(), "text": queries["text"].to_list()}),
                    relevant_docs=relevant,
                    top_ranked=None,
                )
            }
        self.data_loaded = True


def _mteb_languages(cell: Cell, languages: Sequence[str]) -> list[str]:
    """The languages of a subset as mteb writes them (`zho-Hans`), the corpus first."""
    tags = [*(languages if cell.doc_lang == ALL else [cell.doc_lang]), cell.query_lang]
    return [f"{langcodes.Language.get(tag).to_alpha3()}-{script(tag)}" for tag in tags]


def task_of(name: str) -> AbsTaskRetrieval:
    """A prepared benchmark, or a task of mteb's registry, with its data set taken from `KOINE_MODELS` where it is there.

    Raises:
        KoineError: there is no such task, or it is no text retrieval.
    """
    if (Path(name) / "queries.parquet").is_file():
        return BenchmarkTask(Path(name))
    try:
        task = mteb.get_task(name)
    except KeyError as error:
        raise KoineError(f"no task of mteb and no prepared benchmark: {error.args[0]}") from None
    if not isinstance(task, AbsTaskRetrieval) or task.metadata.type != "Retrieval" or task.metadata.modalities != ["text"]:
        raise KoineError(f"{name}: {task.metadata.type} of {', '.join(task.metadata.modalities)} is no text retrieval")
    _cells(task)  # before anything is encoded
    if folder := on_disk(task.metadata.dataset["path"]):
        local = {**task.metadata.dataset, "path": str(folder), "revision": None}
        task.metadata = task.metadata.model_copy(update={"dataset": local})
    return task


def _cells(task: AbsTaskRetrieval) -> dict[str, Cell]:
    """What the subsets of a task are."""
    if isinstance(task, BenchmarkTask):
        return task.cells
    cells = {}
    for subset, names in task.metadata.hf_subsets_to_langscripts.items():
        languages = [canonical(name) for name in names]
        if len({*languages}) > 1 and (task.metadata.name not in CORPUS_FIRST or len(languages) != 2):
            raise KoineError(
                f"{task.metadata.name}: its subset {subset!r} is of {', '.join(languages)}; which is the queries' is known for "
                f"{', '.join(sorted(CORPUS_FIRST))}"
            )
        cells[subset] = Cell(query_lang=languages[-1], doc_lang=languages[0])
    return cells


def scores(encoder: MtebEncoder, task: AbsTaskRetrieval) -> Iterator[dict[str, object]]:
    """A row for each subset, split and metric of a task: the columns of `records.PAIRS` without those of `Run`.

    Raises:
        KoineError: the task's data cannot be had.
    """
    disable_progress_bars()  # of datasets, several for each subset
    cells, name = _cells(task), task.metadata.name
    try:
        task.load_data()
    except (OSError, ValueError) as error:
        path = task.metadata.dataset["path"]
        raise KoineError(f"{name}: its data cannot be had ({error}); offline, put the data set at KOINE_MODELS/{path}") from None
    subsets = [(split, subset) for split in task.eval_splits for subset in task.hf_subsets]
    benchmark = task.folder.name if isinstance(task, BenchmarkTask) else name
    for split, subset in progress(subsets, f"{name}: subsets"):
        measured = task.evaluate(encoder, split, [subset], encode_kwargs={"batch_size": 64, "show_progress_bar": False})[subset]
        cell = cells[subset]
        for theirs, ours in METRICS.items():
            yield {
                "benchmark": benchmark if len(task.metadata.eval_splits) == 1 else f"{benchmark}/{split}",
                "setting": cell.setting,
                "query_lang": cell.query_lang,
                "doc_lang": cell.doc_lang,
                "metric": ours,
                "value": float(measured[theirs]),
                "n_queries": len(task.dataset[subset][split]["relevant_docs"]),
            }
