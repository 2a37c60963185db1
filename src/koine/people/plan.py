"""`koine plan`: what a recipe comes to before anything runs: jobs, hours of CPU cores and GPUs, and disk.

Counts follow from the parameters alone, as the workflow's own do. Hours are arithmetic on top of them: a transformer's step
takes 6 operations for each parameter and token, encoding 2 (Kaplan et al., arXiv 2001.08361, section 2.1); what they take on a
machine, and everything else, stands in rates.yaml with how it is known. Within a factor of two is what to expect.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from koine.backbones.kinds import KINDS
from koine.collect import registry
from koine.params import Backbone, Source
from koine.params.recipe import PARAMS, load_recipe
from koine.runtime.console import say, table
from koine.strategies import Chain
from koine.workflow.experiment import Experiment

HOUR, MEGA, GIGA = 3600, 1e6, 1e9
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Item:
    """One rule: how many jobs, what work, in hours of one CPU core or of one GPU, and what it leaves on the disk."""

    rule: str
    jobs: int
    work: str = ""
    cpu_hours: float = 0.0
    gpu_hours: float = 0.0
    bytes: float = 0.0


@cache
def rates() -> dict[str, Any]:
    """The rates of rates.yaml."""
    read: dict[str, Any] = yaml.safe_load(files("koine.people").joinpath("rates.yaml").read_text(encoding="utf-8"))
    return read


def plan(recipe: Path = PARAMS, /, *, scale: str = "", gpu_tflops: Annotated[float, Field(gt=0)] | None = None) -> None:
    """Say what a recipe comes to before it runs: jobs, hours of CPU cores and GPUs, disk.

    koine plan recipes/paper.yaml --scale full

    Args:
        recipe: A recipe, e.g. recipes/squad-fi.yaml.
        scale: One of the recipe's scales, such as standin or full.
        gpu_tflops: 10^12 operations a second that one of your GPUs reaches; by default what rates.yaml assumes.

    Raises:
        KoineError: the recipe is not valid.
    """
    r, workflow = rates(), Experiment(load_recipe(recipe, scale))
    speed, started = gpu_tflops or r["gpu_tflops"], r["job_s"] / HOUR
    rules = [replace(item, cpu_hours=item.cpu_hours + item.jobs * started) for item in items(workflow, speed)]
    costs = (sum(getattr(item, cost) for item in rules) for cost in ("cpu_hours", "gpu_hours", "bytes"))
    total = Item("total", sum(item.jobs for item in rules), "", *costs)
    rows = [[i.rule, f"{i.jobs:,}", i.work, _hours(i.cpu_hours), _hours(i.gpu_hours), _size(i.bytes)] for i in [*rules, total]]
    header = ["rule", "jobs", "work", "core hours", "GPU hours", "disk"]
    table(f"{workflow.params.recipe}: results in {workflow.results}/", header, rows)
    unknown = [name for name, source in _sources(workflow) if not source.size]
    if unknown:
        say(f"not reckoned, since how large they are is not known: {', '.join(unknown)} (give them a `size`)")
    if total.gpu_hours:
        say(f"a GPU is taken to reach {speed:g} TFLOP/s; measure yours, and say --gpu-tflops")
        say(f"without a GPU, its hours become {_hours(total.gpu_hours * speed * 1000 / r['cpu_gflops'])} core hours")


def _hours(hours: float) -> str:
    return "" if not hours else f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def _size(count: float) -> str:
    return "" if not count else f"{count / GIGA:,.1f} GB" if count >= GIGA else f"{count / MEGA:,.0f} MB"


def _sources(experiment: Experiment) -> list[tuple[str, Source]]:
    sources = [(name, registry.source(name, experiment.params)) for name in experiment.params.collect.sources]
    return [*sources, *registry.benchmarks(experiment.params).items()]


def items(experiment: Experiment, gpu_tflops: float) -> Iterator[Item]:
    """The rules of a recipe in the order of the workflow; a test holds their jobs to those of Snakemake's dry run."""
    r, p = rates(), experiment.params
    sizes = [registry.source(name, p).size or (0, 0) for name in experiment.params.collect.sources]
    questions, passages = (sum(size[side] for size in sizes) for side in (0, 1))
    kept = min(questions, p.collect.clean.max_questions or questions)
    passages, questions = round(passages * kept / max(1, questions)), kept
    languages = p.translate.languages
    if _read(experiment) & set(experiment.sources.sample_files):
        yield Item("collect_sample", 1)
    if downloads := sum(len(files) for files in experiment.sources.downloads.values()):
        yield Item("collect_download", downloads)
    if experiment.sources.absent:
        yield Item("collect_own", len(experiment.sources.absent), "to be brought by hand")
    yield Item("collect_source", len(experiment.params.collect.sources))
    yield Item("collect_benchmark", len(experiment.sources.tested))
    if experiment.jobs.collect_domains:
        yield Item("collect_domains", len(experiment.jobs.collect_domains))
    yield Item("collect", 1, f"{questions:,} questions")
    if experiment.jobs.translate_convert:
        yield Item("translate_convert", len(experiment.jobs.translate_convert))
    yield from _translated(experiment, questions, passages, gpu_tflops)
    pairs = questions * len(languages)
    yield Item("filter_score", len(languages), f"{pairs:,} pairs", pairs / r["filter_pairs_per_s"] / HOUR, 0, 600 * pairs)
    yield Item("filter", len(languages))
    if experiment.sources.heldout:
        yield Item("filter_heldout", 1)
    chosen = p.train.backbones
    yield Item("train_tokens", len(_tokenised(experiment)))
    if p.train.mining.model:
        yield Item("train_mine", 1)
    yield from _trained(experiment, gpu_tflops)
    tested = registry.benchmarks(p)
    yield Item("encode_tokens", len(chosen) * len(tested))
    yield from _evaluated(experiment, tested, gpu_tflops)
    yield Item("report", 1)
    yield Item("report_cards", 1)


def _read(experiment: Experiment) -> set[str]:
    """Every file that a source, a benchmark or a translation reads."""
    rules = experiment.jobs
    jobs = [*rules.collect_source.values(), *rules.collect_benchmark.values(), *rules.translate.values(), rules.filter]
    return {path for job in jobs for path in job["files"]}


def _tokenised(experiment: Experiment) -> set[str]:
    """Backbones that are trained: those of the tables, and the miner's."""
    miner = experiment.params.train.mining.model.partition("/")[0]
    return {*experiment.params.train.backbones, *({miner} if miner in experiment.params.backbones else ())}


def _strategies(experiment: Experiment, backbone: str) -> set[str]:
    """What is trained of a backbone: what the tables show, what chains begin with, and the miner."""
    shown = {run.split("/")[1] for run in experiment.models.runs if run.split("/")[0] == backbone}
    miner = experiment.params.train.mining.model.partition("/")
    wanted = [*shown, *([miner[2]] if miner[0] == backbone else [])]
    return {name for name in experiment.models.trained if any(f"{whole}+".startswith(f"{name}+") for whole in wanted)}


def _translated(experiment: Experiment, questions: int, passages: int, gpu_tflops: float) -> Iterator[Item]:
    r, t = rates(), experiment.params.translate
    texts = questions + passages
    tokens = questions * r["question_tokens"] + passages * r["passage_tokens"]
    cpu = gpu = 0.0
    for lang in t.languages:
        ways = 2 if lang in t.round_trip else 1
        backend = t.entry_for(lang)
        if backend.needs_model:
            model = t.decoding.model.format(source=t.source, target=lang)
            through = r["parameters"].get(model, [75, 75])[0]  # OPUS-MT's
            gpu += ways * t.decoding.num_beams * 2 * through * MEGA * tokens / (gpu_tflops * 1e12 * r["translated_share"]) / HOUR
        else:
            cpu += ways * texts / r[backend.rate] / HOUR
    every = texts * len(t.languages)
    yield Item("translate", len(t.languages) * t.shards, f"{every:,} texts", cpu, gpu, 600 * every)


def _weights(backbone: Backbone) -> tuple[float, float]:
    """Parameters that a token passes through, and all that are stored."""
    shape, stored = backbone.architecture, backbone.tokenizer.vocab_size * backbone.architecture.hidden_size
    if backbone.starts_from_model:
        through, whole = rates()["parameters"].get(backbone.start.model, [86, 278])
        return through * MEGA, whole * MEGA
    through = 12 * shape.num_hidden_layers * shape.hidden_size**2
    return through, stored + through


def _seconds(backbone: Backbone, tokens: float, operations: int, gpu_tflops: float) -> tuple[float, float]:
    """Seconds of a core and of a GPU for these tokens, at so many operations for each and every parameter."""
    kind = KINDS[backbone.kind]
    if kind.rates:
        return tokens / rates()[f"{kind.rates}_tokens_per_s"], 0.0
    work = operations * _weights(backbone)[0] * tokens
    return (0.0, work / (gpu_tflops * 1e12)) if kind.computes_on == "gpu" else (work / (rates()["cpu_gflops"] * GIGA), 0.0)


def _trained(experiment: Experiment, gpu_tflops: float) -> Iterator[Item]:
    r, p = rates(), experiment.params
    jobs, steps, cpu, gpu, disk = 0, 0, 0.0, 0.0, 0.0
    for name in _tokenised(experiment):
        backbone = p.backbones[name]
        o, longest = backbone.optimisation, backbone.tokenizer.max_length
        row = min(r["question_tokens"], longest) + (1 + o.num_negatives) * min(r["passage_tokens"], longest)
        for strategy in _strategies(experiment, name):
            last = Chain.parse(strategy).last.strategy
            jobs += len(p.train.seeds)
            disk += len(p.train.seeds) * FLOAT * _weights(backbone)[1]
            if not last.trains:
                continue
            batches = o.max_steps * last.steps * max(1, len(last.batches))
            seconds = _seconds(backbone, batches * o.batch_size * row, 6, gpu_tflops)
            steps += len(p.train.seeds) * o.max_steps
            cpu, gpu = cpu + len(p.train.seeds) * seconds[0] / HOUR, gpu + len(p.train.seeds) * seconds[1] / HOUR
    yield Item("train", jobs, f"{steps:,} steps", cpu, gpu, disk)


def _evaluated(experiment: Experiment, tested: dict[str, Any], gpu_tflops: float) -> Iterator[Item]:
    r, p = rates(), experiment.params
    texts = sum(sum(benchmark.size or ()) for benchmark in tested.values())
    encoded = [run for run in experiment.models.runs if not Chain.parse(run.split("/")[1]).debias]
    cpu = gpu = disk = 0.0
    for run in encoded:
        backbone = p.backbones[run.partition("/")[0]]
        lengths = [min(r[f"{side}_tokens"], backbone.tokenizer.max_length) for side in ("question", "passage")]
        tokens = sum(
            count * length
            for benchmark in tested.values()
            for count, length in zip(benchmark.size or (0, 0), lengths, strict=True)
        )
        seconds = _seconds(backbone, tokens, 2, gpu_tflops)
        measured = KINDS[backbone.kind].rates
        cpu += (texts / r[f"{measured}_texts_per_s"] if measured else seconds[0]) / HOUR
        gpu += seconds[1] / HOUR
        disk += texts * FLOAT * (768 if backbone.starts_from_model else backbone.architecture.hidden_size)
    yield Item("encode", len(encoded) * len(tested), f"{texts * len(encoded):,} texts", cpu, gpu, disk)
    if debiased := len(experiment.models.runs) - len(encoded):
        yield Item("encode_debias", debiased * len(tested), "", 0, 0, disk / max(1, len(encoded)) * debiased)
    scores = 0.0
    for benchmark in tested.values():
        queries, passages = benchmark.size or (0, 0)
        scores += queries * passages / (len(benchmark.files) if benchmark.settings == ["mono"] else 1)
    yield Item(
        "evaluate_vectors",
        len(experiment.models.runs) * len(tested),
        "",
        len(experiment.models.runs) * scores / r["scores_per_s"] / HOUR,
    )
    if p.evaluate.bm25:
        yield Item("evaluate_bm25", len(tested))
    if experiment.sources.probes:
        yield Item("evaluate_probe", len(experiment.models.shown) * len(experiment.sources.probes))
    if experiment.models.indexed:
        yield Item("index", len(experiment.models.indexed) * len(tested))
