"""Evaluation speed: Koine against mteb's evaluator on every language pair, and against ir-measures on metrics alone.

    python benchmarks/evaluate.py            needs $KOINE_MIRROR (XQuAD-R and MLQA-R) and the extra mteb; half an hour

pairs: MLQA-R's 49 pairs and XQuAD-R's 121 (LAReQA's sentence+context candidates) with the same model folder, from loading it
to the table of metrics: `koine evaluate --model` against `mteb.evaluate(SentenceTransformer(folder), BenchmarkTask(folder))`.
mteb encodes a corpus and its questions again for each pair; `_cached` is mteb behind its own cache of vectors, which is off
unless one asks for it. Models have random weights: only time counts. nDCG@10 of every pair is compared on the way. With
`--sample` mteb alone gets fewer pairs, each corpus and each language's questions once, and the time after loading is scaled up:
MLQA-R's mono pairs have more questions and are left out, so that mteb seems a little faster than it is.

metrics: 13,090 questions x 13,014 passages of XQuAD-R's shape, 11 relevant ones each, random scores with ties; from scores to
AP, nDCG@10, R@10 and RR of every question. ir-measures gets its dictionaries of whole rankings, so that AP is equal, for part
of the questions; `_top1000` gives it the best 1,000 alone, as is usual, whose AP is not the same. Making these dictionaries
counts, as scores are what one has; `_ready` does not count it.

Everything runs in one thread and seconds are the process's own CPU time, so other work on the machine does not count.
Writes benchmarks/results/evaluate.json.
"""

import argparse
import gc
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", POLARS_MAX_THREADS="1", TOKENIZERS_PARALLELISM="false")

import numpy as np
import torch

from koine.evaluate.metrics import metrics
from koine.evaluate.ranks import Judgements, count_ahead
from koine.params import Setting

MODELS = {"": "static", "tiny.": "transformer"}
BENCHMARKS = {"mlqa49": "mlqa-r", "xquad121": "xquad-r"}
PAIRED: list[Setting] = ["mono", "cross"]
LANGUAGES, QUESTIONS, PASSAGES = 11, 1190, 13_014
SAMPLE = 238  # questions of each language that ir-measures gets: a fifth; all are alike
METRICS = ["map", "ndcg@10", "recall@10", "mrr"]
TOP = 1000

Figure = tuple[str, float, str, str]


def main() -> None:
    """Measure both parts, or one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["pairs", "metrics", "memory"], help="only this one; memory prints its peak")
    parser.add_argument("--sample", action="store_true", help="not all pairs for mteb")
    given = parser.parse_args()
    part = given.part
    torch.set_num_threads(1)
    if part == "memory":
        print(memory())
        return
    if part != "pairs":
        measure_metrics()
    if part != "metrics":
        with tempfile.TemporaryDirectory() as scratch:
            for name, benchmark in BENCHMARKS.items():
                measure_pairs(name, benchmark, Path(scratch), sample=given.sample)


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of some work."""
    gc.collect()
    start = time.process_time()
    work()
    return time.process_time() - start


# --- pairs ---------------------------------------------------------------------------------------------------


def measure_pairs(name: str, benchmark: str, scratch: Path, *, sample: bool) -> None:
    """All pairs of one benchmark, with each model; results are written after each."""
    from _machine import update_results

    from koine.people.benchmark import prepare_benchmark

    prepared = prepare_benchmark(benchmark, scratch)
    figures: list[Figure] = []
    for prefix, kind in MODELS.items():
        model = make_model(prepared, scratch / f"{benchmark}-{kind}", kind)
        times, pairs = run_pairs(prepared, model, scratch / "ours", cached=kind != "static" and not sample, sample=sample)
        for rival in [key for key in times if key != "koine"]:
            ratio, detail = times[rival] / times["koine"], f"{rival} {times[rival]:,.1f} s, koine {times['koine']:,.1f} s"
            detail += f"; {pairs} pairs, scaled" if sample else ""
            print(f"{name} {kind}: {detail}, {ratio:.1f} times", flush=True)
            figures.append((f"evaluate.{name}.{prefix}vs_{rival}", round(ratio, 2), "times", detail))
        update_results("evaluate", figures)


def run_pairs(prepared: Path, model: Path, out: Path, *, cached: bool, sample: bool) -> tuple[dict[str, float], int]:
    """Seconds of Koine, of mteb and, if asked for, of mteb with its cache of vectors; and the number of mteb's pairs."""
    import datasets
    import mteb
    import polars as pl
    from mteb.models import CachedEmbeddingWrapper, SentenceTransformerEncoderWrapper
    from sentence_transformers import SentenceTransformer

    from koine.evaluate.mteb import BenchmarkTask
    from koine.people.evaluate import evaluate

    datasets.disable_progress_bars()
    theirs: dict[str, float] = {}

    def koine() -> None:
        evaluate(model=str(model), benchmark=str(prepared), out=out, settings=PAIRED, device="cpu")

    def rival(cached: bool) -> float:
        loaded: list[Any] = []
        load = seconds(lambda: loaded.extend((SentenceTransformer(str(model), device="cpu"), BenchmarkTask(prepared, PAIRED))))
        encoder, task = SentenceTransformerEncoderWrapper(loaded[0]), loaded[1]
        scale = 1.0
        if sample:
            languages = list(dict.fromkeys(cell.doc_lang for cell in task.cells.values()))
            subsets = [f"{doc}-{query}" for doc, query in zip(languages, [*languages[1:], languages[0]], strict=True)]
            task.hf_subsets, scale = subsets, len(task.cells) / len(subsets)
        with tempfile.TemporaryDirectory() as cache:
            wrapped = CachedEmbeddingWrapper(encoder, cache) if cached else encoder
            given = {"batch_size": 64, "show_progress_bar": False}  # 64 is Koine's
            results: list[Any] = []
            ran = seconds(
                lambda: results.append(mteb.evaluate(wrapped, task, encode_kwargs=given, cache=None, show_progress_bar=False))
            )
        theirs.update({row["hf_subset"]: row["ndcg_at_10"] for row in results[0].task_results[0].scores["test"]})
        return load + scale * ran

    times = {"koine": seconds(koine), "mteb": rival(cached=False)}
    rows = pl.read_csv(out / "pairs.csv").filter(metric="ndcg@10").rows(named=True)
    ours = {f"{row['doc_lang']}-{row['query_lang']}": row["value"] for row in rows}
    apart = max(abs(ours[pair] - value) for pair, value in theirs.items())
    if apart > 2e-3:  # scores that differ in their last bits may swap two near-equal passages
        raise SystemExit(f"{model.name}: the two do not compute the same: nDCG@10 up to {apart} apart")
    print(f"{model.name}: nDCG@10 of {len(theirs)} of {len(ours)} pairs at most {apart:.0e} apart", flush=True)
    if cached:
        times["mteb_cached"] = rival(cached=True)
    return times, len(theirs)


def make_model(benchmark: Path, folder: Path, kind: str) -> Path:
    """A model with random weights and a vocabulary of the benchmark's own texts."""
    from tokenizers import Tokenizer as FastTokenizer

    from koine import backbones
    from koine.backbones.manifest import MANIFEST
    from koine.backbones.tokenizer import tokenize, train_tokenizer
    from koine.params import Architecture, Start, Tokenizer
    from koine.records import PASSAGES as SCHEMA
    from koine.runtime.files import write_json

    texts = SCHEMA.read(benchmark / "passages.parquet")["text"].to_list()
    train_tokenizer(texts, Tokenizer(vocab_size=30_000, max_length=256), folder / "tokenizer.json")
    tokens = tokenize(FastTokenizer.from_file(str(folder / "tokenizer.json")), texts[:100], "", kind != "static")
    architecture = (
        Architecture(hidden_size=256, idf=False)
        if kind == "static"
        else Architecture(hidden_size=128, num_hidden_layers=2, num_attention_heads=4, idf=False)
    )
    backbones.create(kind, Start(), architecture, folder / "tokenizer.json", tokens, seed=1).save(folder)
    write_json(folder / MANIFEST, {"kind": kind})
    return folder


# --- metrics -------------------------------------------------------------------------------------------------

EDGES = np.linspace(0, PASSAGES, LANGUAGES + 1).astype(int).tolist()
BLOCKS = [slice(*edges) for edges in itertools.pairwise(EDGES)]


def language(seed: int) -> tuple[np.ndarray, Judgements]:
    """Scores `[1190, 13014]` of one language's questions, with some 10,000 distinct values, and their relevant passages."""
    rng = np.random.default_rng(seed)
    scores = (rng.random((QUESTIONS, PASSAGES), dtype=np.float32) * 1e4).round() / np.float32(1e4)
    passage = np.stack([rng.integers(block.start, block.stop, QUESTIONS) for block in BLOCKS], axis=1)
    block = np.tile(np.arange(LANGUAGES), QUESTIONS)
    return scores, Judgements(np.repeat(np.arange(QUESTIONS), LANGUAGES), passage.ravel(), block)


def ranked(scores: np.ndarray, judgements: Judgements) -> dict[str, np.ndarray]:
    """Koine's: every metric of every question in the pool."""
    ahead = count_ahead(scores, scores[judgements.query, judgements.passage], judgements, BLOCKS)
    return metrics(judgements.query, 1 + ahead.sum(axis=1), METRICS)[1]


def measure_metrics() -> None:
    """Koine on all questions, ir-measures on a part of them, language by language."""
    import ir_measures
    from _machine import update_results

    measures = {"map": ir_measures.AP, "ndcg@10": ir_measures.nDCG @ 10, "recall@10": ir_measures.R @ 10, "mrr": ir_measures.RR}
    names = {measure: name for name, measure in measures.items()}
    # ir-measures ranks equal scores by falling id, Koine in the order of the table: ids that count down make them agree.
    ids = np.array([f"{number:05}" for number in range(PASSAGES, 0, -1)])
    times = dict.fromkeys(("koine", "full", "full_ready", "top1000", "top1000_ready"), 0.0)

    def compare(scores: np.ndarray, judgements: Judgements, depth: int) -> tuple[float, float, dict[str, np.ndarray]]:
        run: dict[str, dict[str, float]] = {}
        values = {name: np.zeros(SAMPLE) for name in measures}
        qrels = {str(q): {ids[p]: 1 for p in judgements.passage[q * LANGUAGES :][:LANGUAGES]} for q in range(SAMPLE)}

        def build() -> None:
            for query, row in enumerate(scores[:SAMPLE]):
                best = np.argpartition(row, PASSAGES - depth)[PASSAGES - depth :] if depth < PASSAGES else slice(None)
                run[str(query)] = dict(zip(ids[best].tolist(), row[best].tolist(), strict=True))

        def calculate() -> None:
            for value in ir_measures.iter_calc(list(names), qrels, run):
                values[names[value.measure]][int(value.query_id)] = value.value

        return seconds(build), seconds(calculate), values

    for seed in range(LANGUAGES):
        scores, judgements = language(seed)
        own: dict[str, np.ndarray] = {}
        times["koine"] += seconds(lambda: own.update(ranked(scores, judgements)))  # noqa: B023
        for name, depth in (("full", PASSAGES), ("top1000", TOP)):
            built, calculated, values = compare(scores, judgements, depth)
            times[name] += (built + calculated) * QUESTIONS / SAMPLE
            times[f"{name}_ready"] += calculated * QUESTIONS / SAMPLE
            for metric, theirs in values.items():
                if depth == PASSAGES and not np.allclose(theirs, own[metric][:SAMPLE], atol=1e-9):
                    raise SystemExit(f"{metric}: the two do not compute the same")
    peak = float(
        subprocess.run([sys.executable, __file__, "--part", "memory"], capture_output=True, text=True, check=True).stdout
    )
    print(", ".join(f"{name} {value:,.1f} s" for name, value in times.items()), f"peak {peak:.2f} GiB", flush=True)
    figures: list[Figure] = []
    for suffix, key in (("", "full"), ("_ready", "full_ready"), ("_top1000", "top1000"), ("_top1000_ready", "top1000_ready")):
        detail = f"ir-measures {times[key]:,.0f} s ({SAMPLE * LANGUAGES:,} questions, scaled), koine {times['koine']:,.1f} s"
        figures.append((f"evaluate.metrics.vs_ir_measures{suffix}", round(times[key] / times["koine"], 1), "times", detail))
    figures.append(("evaluate.metrics.peak", round(peak, 2), "GiB", "resident memory at most, a fresh process"))
    update_results("evaluate", figures)


def memory() -> float:
    """GiB of resident memory at most, of a process that does Koine's part of `measure_metrics` and nothing else."""
    for seed in range(LANGUAGES):
        ranked(*language(seed))
    status = Path("/proc/self/status").read_text()  # getrusage would count the parent's, from before this program was started
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


if __name__ == "__main__":
    main()
