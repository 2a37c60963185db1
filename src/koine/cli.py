"""The `koine` command: one subcommand per rule of the workflow, and a few for people.

Options of a step are made from its block in `koine.params`, so names, types, defaults and explanations are the
same on the command line, in params.yaml and in the schema. Modules that take long to import are imported inside
the command that needs them.
"""

import errno
import functools
import inspect
import json
import os
import signal
import sys
import types
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

# Before numpy, torch and tokenizers read them: a job uses the threads that Snakemake gave it.
if "OMP_NUM_THREADS" in os.environ:
    os.environ.setdefault("RAYON_NUM_THREADS", os.environ["OMP_NUM_THREADS"])
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import typer
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from koine.params import (
    FOLDERS,
    METRICS,
    NEURAL,
    POOLED,
    RANKED,
    SETTINGS,
    Architecture,
    BackendName,
    BenchmarkReader,
    Block,
    Candidate,
    Clean,
    Datasets,
    Decoding,
    Encode,
    HeldOut,
    IndexKind,
    Languages,
    Mining,
    Optimisation,
    QAReader,
    Report,
    Rules,
    Sample,
    Score,
    Start,
    Tokenizer,
    Validation,
    check_strategy,
)
from koine.runtime.console import say
from koine.runtime.errors import KoineError

app = typer.Typer(
    help="""Train, index and evaluate multilingual dense retrievers that prefer no language.

    The steps below are the rules of the workflow, in the order in which data flows. To run them all, for
    the embedded sample and for another experiment:

        snakemake --cores all

        snakemake --cores all --configfile recipes/squad-fi.yaml

    `snakemake -n` shows what would run, and `-p` the koine command of each job, which works typed by hand.""",
    epilog="Exit codes: 0 done, 1 an error that is said, 2 wrong usage, 75 training stopped with a checkpoint, 130 Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

FULL = {number: os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
STEPS, PEOPLE = "Steps of the chain", "For people"

In = Annotated[Path, typer.Option(help="Input.", show_default=False)]
Out = Annotated[Path, typer.Option(help="Where the result goes.", show_default=False)]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")]
Named = Annotated[str, typer.Option(help="Name in the tables.")]
NamedByModel = Annotated[str, typer.Option(help="Name in the tables; by default the model's.")]
Numbered = Annotated[int, typer.Option(help="Number in the tables.")]
Recipe = Annotated[Path, typer.Argument(help="A recipe, e.g. recipes/squad-fi.yaml.")]
Scale = Annotated[str, typer.Option(help="One of the recipe's scales, such as standin or full.")]
Pools = Annotated[list[str], typer.Option(help="Sub-pool as en+fi, evaluated beside the whole; repeatable.")]
Settings = Annotated[list[str], typer.Option(help="mono, cross or multi; repeatable. All, if none is named.")]
Metrics = Annotated[list[str], typer.Option(help="As map, ndcg@10; repeatable. The benchmark's own, if none is named.")]
HeldOutRows = Annotated[Path | None, typer.Option(help="Held-out rows of `koine collect`, which go the same way.")]
Columns = Annotated[list[str], typer.Option(help="OURS=THEIRS, e.g. question=query; repeatable.")]
Lang = Annotated[str, typer.Option(help="Language (BCP 47).", show_default=False)]


def _threshold(text: str | float | None) -> float | str | None:
    if not isinstance(text, str):  # a default
        return text
    return None if text == "none" else text if text.endswith("%") else float(text)


def _option(block: type[Block], field: str) -> str:
    return f"{block.prefix}{field}".replace("-", "_")


def takes(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter annotated with a `Block` by one option per field; the command gets the block."""
    signature = inspect.signature(command)
    blocks = {
        n: p.annotation
        for n, p in signature.parameters.items()
        if isinstance(p.annotation, type) and issubclass(p.annotation, Block)
    }
    parameters = [p for n, p in signature.parameters.items() if n not in blocks]
    for block in blocks.values():
        for name, field in block.model_fields.items():
            annotation: Any = field.annotation
            option = typer.Option(help=field.description)
            if get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation):
                annotation = float | None
                option = typer.Option(help=field.description, parser=_threshold, metavar="NUMBER|N%|none")
            elif get_origin(annotation) in (list, dict):
                annotation = list[str]  # typer knows no lists of choices; the block checks them
            default = field.get_default(call_default_factory=True)
            default = ... if default is PydanticUndefined else list(default) if isinstance(default, dict) else default
            kind = Annotated[annotation, option]
            parameters.append(
                inspect.Parameter(_option(block, name), inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            )

    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        made = {}
        for name, block in blocks.items():
            values = {field: given.pop(_option(block, field)) for field in block.model_fields}
            for field, about in block.model_fields.items():
                if get_origin(about.annotation) is dict:  # KEY=VALUE, repeated
                    values[field] = _named("--" + block.prefix + field.replace("_", "-"), values[field])
            try:
                made[name] = block(**values)
            except ValidationError as error:
                problem = error.errors()[0]
                option = "".join(f"--{_option(block, str(field)).replace('_', '-')}: " for field in problem["loc"][:1])
                raise KoineError(option + problem["msg"].removeprefix("Value error, ")) from None
        command(**given, **made)

    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return wrapped


# --- collect ---------------------------------------------------------------------------------------------


@app.command(rich_help_panel=STEPS)
@takes
def collect_sample(out: Out, settings: Sample) -> None:
    """Make the embedded sample: a parallel QA corpus from CLDR facts, in ten languages or up to 115, with a benchmark."""
    from koine.collect.sample import make_sample

    make_sample(out, languages=settings.languages, seed=settings.seed, defect_rate=settings.defect_rate)


@app.command(rich_help_panel=STEPS)
def collect_fetch(
    out: Out,
    location: Annotated[str, typer.Option(help="https address, or path below KOINE_MIRROR.")] = "",
    sha256: Annotated[str, typer.Option(help="Checksum that the file must have.")] = "",
    hub: Annotated[str, typer.Option(help="Instead: a data set of the Hugging Face Hub, ORG/NAME.")] = "",
    revision: Annotated[str, typer.Option(help="Its commit.")] = "",
    config: Annotated[str, typer.Option(help="Its configuration.")] = "",
    split: Annotated[str, typer.Option(help="Its split.")] = "train",
    column: Columns = [],  # noqa: B006
) -> None:
    """Bring one file of a source: downloaded with its checksum checked, or taken from KOINE_MIRROR."""
    if hub:
        from koine.collect.steps import collect_hub

        columns = _named("--column", column)
        collect_hub(out, hub=hub, revision=revision, config=config, split=split, columns=columns)
    else:
        from koine.runtime.fetch import fetch

        fetch(location, sha256 or None, out)


@app.command(rich_help_panel=STEPS)
def collect_own(out: Out, home: Annotated[str, typer.Option(help="Where a person gets the file.")]) -> None:
    """Say where a file is to be had that no address serves. It always fails: put the file there, and it is not called."""
    raise KoineError(f"{out}: no such file; {home}")


@app.command(rich_help_panel=STEPS)
def collect_source(
    files: Annotated[list[Path], typer.Argument(help="Files of the source.", show_default=False)],
    out: Out,
    name: Annotated[str, typer.Option(help="Name of the source; becomes part of every id.")],
    reader: Annotated[QAReader, typer.Option(help="Format.")],
    lang: Lang = "en",
    domain: Annotated[str, typer.Option(help="Where the file says none.")] = "",
    licence: Annotated[str, typer.Option(help="Kept with every row.")] = "",
    column: Columns = [],  # noqa: B006
) -> None:
    """Read a source of questions and passages into a checked table."""
    from koine.collect import steps

    if reader in FOLDERS:  # a folder by hand, its three files from Snakemake
        corpora = ("corpus.jsonl", "corpus.jsonl.gz", "collection.tsv")
        files = [path.parent if path.is_file() else path for path in files if path.is_dir() or path.name.endswith(corpora)]
    columns = _named("--column", column)
    steps.collect_source(files, out, name=name, reader=reader, lang=lang, domain=domain, licence=licence, columns=columns)


@app.command(rich_help_panel=STEPS)
def collect_benchmark(
    out: Out,
    file: Annotated[
        list[str],
        typer.Option(help="LANG=FILE, or LANG=FOLDER for beir; LANG/2=FILE is a second one; repeatable.", show_default=False),
    ],
    reader: Annotated[BenchmarkReader, typer.Option(help="Format.")],
    candidate: Annotated[Candidate, typer.Option(help="What is retrieved; `sentence+context` is LAReQA's.")] = "passage",
    parallel_only: Annotated[bool, typer.Option(help="Keep only questions that every language has.")] = False,
    native: Annotated[bool, typer.Option(help="Equal ids in two languages are different questions.")] = False,
    split: Annotated[str, typer.Option(help="Of topics and judgements, for trec and mewsli-x.")] = "test",
) -> None:
    """Read a benchmark's languages into queries, passages and relevance judgements."""
    from koine.collect import steps

    paths = {lang: Path(path) for lang, path in _named("--file", file).items()}
    steps.collect_benchmark(
        paths, out, name=out.name, reader=reader, candidate=candidate, parallel_only=parallel_only, native=native, split=split
    )


@app.command(rich_help_panel=STEPS)
def collect_domains(
    benchmark: Annotated[Path, typer.Argument(help="Folder of collect-benchmark.", show_default=False)],
    out: Out,
    clusters: Annotated[int, typer.Option(help="Number of domains.", min=2)] = 8,
    lang: Lang = "en",
    labels: Annotated[Path | None, typer.Option(help="Instead: a CSV of query_id and domain.")] = None,
) -> None:
    """Sort a benchmark's questions into domains: clusters of the articles that answer them in one language."""
    from koine.collect.domains import collect_domains as run

    run(benchmark, out, clusters=clusters, lang=lang, labels=labels)


@app.command(rich_help_panel=STEPS)
@takes
def collect(
    sources: Annotated[list[Path], typer.Argument(help="Tables of collect-source.", show_default=False)],
    out: Out,
    settings: Clean,
    heldout: HeldOut,
    benchmark: Annotated[list[Path], typer.Option(help="Prepared benchmark that must not be trained on.")] = [],  # noqa: B006
    expect: Annotated[list[str], typer.Option(help="SOURCE=QUESTIONS of the literature, to compare; repeatable.")] = [],  # noqa: B006
) -> None:
    """Merge sources; duplicates go, and whatever stands in a benchmark, in any language, goes; questions may be held out."""
    from koine.collect import steps

    expected = _named("--expect", expect)
    if wrong := [count for count in expected.values() if not count.isdecimal()]:
        raise KoineError(f"--expect: {wrong[0]!r} is no number of questions")
    steps.collect(sources, benchmark, out, settings, {name: int(count) for name, count in expected.items()}, heldout)


# --- translate, filter -----------------------------------------------------------------------------------


@app.command(rich_help_panel=STEPS)
@takes
def translate(
    qa: In,
    out: Out,
    target: Lang,
    backend: Annotated[BackendName, typer.Option(help="What translates.")],
    decoding: Decoding,
    resource: Annotated[list[Path], typer.Option(help="Memory, release or dictionary; an engine looks memories up first.")] = [],  # noqa: B006
    source: Lang = "en",
    reverse: Annotated[list[Path], typer.Option(help="Memory back into the source language.")] = [],  # noqa: B006
    round_trip: Annotated[bool, typer.Option(help="Let the engine translate back, too.")] = False,
    converted: Annotated[Path | None, typer.Option(help="Folder of translate-convert, for ctranslate2.")] = None,
    converted_back: Annotated[Path | None, typer.Option(help="The same for the way back.")] = None,
    heldout: HeldOutRows = None,
    shard: Annotated[int, typer.Option(help="This shard, from 0.", min=0)] = 0,
    shards: Annotated[int, typer.Option(help="Number of shards.", min=1)] = 1,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; changes only speed.", min=1)] = 1,
    batch_tokens: Annotated[int, typer.Option(help="Tokens translated at once; changes only speed.", min=1)] = 4096,
) -> None:
    """Translate the distinct texts of the collected pairs into one language, each once; goes on where it was stopped."""
    from koine.translate import steps

    if shard >= shards:
        raise KoineError(f"--shard {shard}: shards are counted from 0 to {shards - 1}")
    steps.translate(
        qa, out, source=source, target=target, backend=backend, resources=resource, reverse=reverse, round_trip=round_trip,
        decoding=decoding, converted=converted, converted_back=converted_back, heldout=heldout, shard=shard, shards=shards,
        hardware=steps.Hardware(_device(device) if backend in NEURAL else "cpu", batch_tokens, threads),
    )  # fmt: skip


@app.command(rich_help_panel=STEPS)
def translate_convert(
    model: Annotated[str, typer.Option(help="Hub id or folder of a translation model.", show_default=False)],
    out: Out,
    revision: Annotated[str, typer.Option(help="Its commit on the Hub.")] = "",
    precision: Annotated[str, typer.Option(help="Of the stored weights.")] = "int8",
) -> None:
    """Convert a translation model for CTranslate2, once for all languages and shards."""
    from koine.translate.neural import convert

    convert(model, revision, precision, out)


@app.command(rich_help_panel=STEPS)
@takes
def filter_score(
    translations: Annotated[list[Path], typer.Argument(help="All shards of one language.", show_default=False)],
    qa: In,
    out: Out,
    lang: Lang,
    settings: Score,
    among: Annotated[list[str], typer.Option(help="Languages that the identifier chooses from; repeatable.")] = [],  # noqa: B006
    heldout: HeldOutRows = None,
    benchmark: Annotated[list[Path], typer.Option(help="Prepared benchmark; shared text is marked.")] = [],  # noqa: B006
    contamination_ngram: Annotated[int, typer.Option(help="Words in a row that count as shared.")] = 13,
    workers: Annotated[int, typer.Option(help="Processes; changes only speed.")] = 1,
    device: Device = "auto",
) -> None:
    """Score every translated pair of one language; decides nothing."""
    from koine.filter import steps

    steps.score(
        qa, translations, benchmark, out, lang=lang, among=among, settings=settings, ngram=contamination_ngram,
        heldout=heldout, workers=workers, device=_device(device) if settings.encoder else "cpu",
    )  # fmt: skip


@app.command(rich_help_panel=STEPS)
@takes
def filter(
    scores: In,
    out: Out,
    summary: Out,
    settings: Rules,
    truth: Annotated[Path | None, typer.Option(help="Planted defects, to measure the filter against.")] = None,
) -> None:
    """Keep the pairs that break no rule, and count which rule each other one breaks."""
    from koine.filter import steps

    steps.decide(scores, out, summary, rules=settings, truth=truth)


@app.command(rich_help_panel=STEPS)
def filter_heldout(
    qa: In,
    heldout: Annotated[Path, typer.Option(help="Held-out rows of `koine collect`.", show_default=False)],
    parallel: Annotated[list[Path], typer.Option(help="Kept pairs of one language; repeatable.", show_default=False)],
    out: Out,
) -> None:
    """Make a benchmark of the held-out questions whose translations passed the filter in every language: BEIR folders."""
    from koine.filter import steps

    steps.benchmark(qa, heldout, parallel, out)


# --- train, encode, index, evaluate, report ------------------------------------------------------------------


@app.command(rich_help_panel=STEPS)
@takes
def train_tokens(
    qa: In,
    out: Out,
    kind: Annotated[Literal["static", "transformer", "pretrained"], typer.Option(help="Kind of backbone.")],
    settings: Tokenizer,
    start: Start,
    parallel: Annotated[list[Path], typer.Option(help="Kept pairs of another language; repeatable.")] = [],  # noqa: B006
) -> None:
    """Train a tokenizer on all kept texts (or take a model's), and write them as token ids, once for all models."""
    from koine.train.tokens import tokenise

    tokenise(qa, parallel, out, settings, special=kind != "static", start=start)


@app.command(rich_help_panel=STEPS)
@takes
def train_mine(
    qa: In,
    out: Out,
    settings: Mining,
    device: Device = "auto",
    encode_batch: Annotated[int, typer.Option(help="Texts encoded at once; changes only speed.")] = 256,
) -> None:
    """Find hard negatives: for every question the nearest passages that do not answer it."""
    from koine.train.mine import mine

    _use_threads()
    mine(
        qa, settings.model, out, count=settings.count, margin=settings.margin, depth=settings.depth, device=_device(device),
        batch_size=encode_batch,
    )  # fmt: skip


@app.command(rich_help_panel=STEPS)
@takes
def train(
    tokens: In,
    out: Out,
    strategy: Annotated[str, typer.Option(help="untrained, en-en, x-x, x-x-mono, x-y, hybrid, hybrid@ALPHA, …")],
    kind: Annotated[Literal["static", "transformer", "pretrained"], typer.Option(help="Kind of backbone.")],
    start: Start,
    architecture: Architecture,
    optimisation: Optimisation,
    languages: Languages,
    datasets: Datasets,
    validation: Validation,
    seed: Annotated[int, typer.Option(help="Draws weights and batches.", min=0, max=2**31 - 1)] = 1,
    backbone: Annotated[str, typer.Option(help="Name in the tables; by default the kind.")] = "",
    alpha: Annotated[
        float, typer.Option(help="Share of monolingual batches of `hybrid`, weight in `grad-mix`.", min=0, max=1)
    ] = 0.5,
    query_prefix: Annotated[str, typer.Option(help="Put before each query.")] = "",
    passage_prefix: Annotated[str, typer.Option(help="Put before each passage.")] = "",
    source: Lang = "en",
    further: Annotated[Path | None, typer.Option(help="Of a chain: the model of the part before.")] = None,
    mined: Annotated[Path | None, typer.Option(help="Negatives of train-mine.")] = None,
    only: Annotated[list[str], typer.Option(help="Train in these languages alone; the source is one of them.")] = [],  # noqa: B006
    cosine_every: Annotated[int, typer.Option(help="Steps between two cosines of a mono and a cross gradient; 0: none.")] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to train.")] = "auto",
    checkpoint_minutes: Annotated[float, typer.Option(help="Between two checkpoints; changes no result.", min=0)] = 10.0,
    track: Annotated[Literal["none", "tensorboard", "wandb"], typer.Option(help="Where the curves are sent, too.")] = "none",
) -> None:
    """Train one model on hybrid, monolingual, cross-lingual or mixed batches; goes on where it was stopped.

    On four GPUs of one machine: torchrun --standalone --nproc-per-node 4 --no-python koine train …
    """
    from koine.train.steps import train as run

    try:
        check_strategy(strategy)
    except ValueError as error:
        raise KoineError(f"--strategy: {error}") from None
    run(
        tokens, out, kind=kind, backbone=backbone or kind, source=source, strategy=strategy, alpha=alpha,
        languages=languages, seed=seed, prefixes={"query": query_prefix, "passage": passage_prefix},
        architecture=architecture, optimisation=optimisation, device=_device(device), start=start, further=further, mined=mined,
        datasets=datasets, validation=validation, only=only, cosine_every=cosine_every,
        checkpoint_seconds=60 * checkpoint_minutes, track=track,
    )  # fmt: skip


@app.command(rich_help_panel=STEPS)
def encode_tokens(
    tokenizer: In,
    benchmark: In,
    out: Out,
    kind: Annotated[Literal["static", "transformer", "pretrained"], typer.Option(help="Kind of backbone.")],
    query_prefix: Annotated[str, typer.Option(help="Put before each query.")] = "",
    passage_prefix: Annotated[str, typer.Option(help="Put before each passage.")] = "",
) -> None:
    """Tokenise a benchmark once for all models of a backbone."""
    from koine.encode.steps import encode_tokens as run

    prefixes: dict[Literal["query", "passage"], str] = {"query": query_prefix, "passage": passage_prefix}
    run(tokenizer, benchmark, out, prefixes=prefixes, special=kind != "static")


@app.command(rich_help_panel=STEPS)
@takes
def encode(
    model: Annotated[str, typer.Option(help="Model folder, or Hub id.", show_default=False)],
    benchmark: In,
    out: Out,
    settings: Encode,
    tokens: Annotated[Path | None, typer.Option(help="Folder of encode-tokens, for Koine's own models.")] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to encode.")] = "auto",
    encode_batch: Annotated[int, typer.Option(help="Texts encoded at once; changes only speed.")] = 256,
) -> None:
    """Encode a benchmark's queries and passages, each text once."""
    from koine.encode.steps import encode as run

    _use_threads()
    run(model, benchmark, out, tokens=tokens, dtype=settings.dtype, batch_size=encode_batch, device=_device(device))


@app.command(rich_help_panel=STEPS)
@takes
def encode_debias(
    vectors: In,
    benchmark: In,
    out: Out,
    settings: Encode,
    method: Annotated[str, typer.Option(help="centre, lir, or lir@R to remove R components.", show_default=False)],
) -> None:
    """Remove from a model's vectors what tells languages apart, without training: per-language centring or LIR."""
    from koine.encode.debias import debias as run

    run(vectors, benchmark, out, method=method, dtype=settings.dtype)


@app.command(rich_help_panel=STEPS)
@takes
def index(
    vectors: In,
    benchmark: In,
    out: Out,
    settings: IndexKind,
) -> None:
    """Build a FAISS index over the pool of all languages, with the ids beside it, and measure what it finds."""
    from koine.index.steps import index as run

    run(vectors, benchmark, out, settings=settings)


@app.command(rich_help_panel=STEPS)
def evaluate(
    benchmark: Annotated[str, typer.Option(help="Name in the registry (xquad-r), or a prepared folder.", show_default=False)],
    out: Out,
    vectors: Annotated[Path | None, typer.Option(help="Folder of `koine encode`.")] = None,
    model: Annotated[str, typer.Option(help="Instead: a model folder or Hub id; it is encoded on the way.")] = "",
    pool: Pools = [],  # noqa: B006
    setting: Settings = [],  # noqa: B006
    metric: Metrics = [],  # noqa: B006
    recipe: Named = "",
    backbone: NamedByModel = "",
    strategy: Named = "given",
    seed: Numbered = 0,
    device: Device = "auto",
    debias: Annotated[str, typer.Option(help="Method of encode-debias (centre, lir, lir@3), with --model.")] = "",
    trec: Annotated[int, typer.Option(help="Depth of TREC runs and qrels, written below trec/; 0 for none.", min=0)] = 0,
) -> None:
    """Evaluate a model on every language pair and the pool of all languages; writes pairs.csv.

    Any sentence-transformers model: koine evaluate --model DIR --benchmark xquad-r --out DIR
    """
    from koine.evaluate.steps import evaluate as run
    from koine.evaluate.steps import evaluate_model
    from koine.records import Run

    _known(setting, metric)
    # Under a name of its own: `koine report` takes runs of one strategy for its seeds.
    named = Run(recipe, backbone or Path(model or ".").name, f"{strategy}+{debias}" if debias else strategy, seed)
    if vectors is not None:
        if debias:
            raise KoineError("--debias goes with --model; give --vectors a folder of koine encode-debias")
        run(
            vectors, Path(benchmark), out, run=named, pools=pool, settings=setting or SETTINGS, names=metric or METRICS, trec=trec
        )
    elif model:
        evaluate_model(
            model, benchmark, out, run=named, pools=pool, settings=setting, names=metric, device=_device(device), method=debias,
            trec=trec,
        )  # fmt: skip
    else:
        raise KoineError("give --vectors, or --model to encode on the way")


@app.command(rich_help_panel=STEPS)
def evaluate_bm25(
    benchmark: In,
    out: Out,
    pool: Pools = [],  # noqa: B006
    setting: Settings = [],  # noqa: B006
    metric: Metrics = [],  # noqa: B006
    recipe: Named = "",
) -> None:
    """Evaluate BM25, the lexical baseline, on every language pair and the pool of all languages; writes pairs.csv."""
    from koine.evaluate.steps import evaluate_bm25 as run

    _known(setting, metric)
    run(benchmark, out, recipe=recipe, pools=pool, settings=setting or SETTINGS, names=metric or METRICS)


@app.command(rich_help_panel=STEPS)
def evaluate_probe(
    model: Annotated[str, typer.Option(help="Model folder or Hub id.", show_default=False)],
    train: Annotated[list[Path], typer.Option(help="multinli.train.en.tsv, or XNLI's; repeatable.", show_default=False)],
    test: Annotated[list[Path], typer.Option(help="xnli.test.tsv or .jsonl; repeatable.", show_default=False)],
    out: Out,
    name: Annotated[str, typer.Option(help="Name of the benchmark in the tables.")] = "xnli",
    recipe: Named = "",
    backbone: NamedByModel = "",
    strategy: Named = "given",
    seed: Numbered = 0,
    device: Device = "auto",
) -> None:
    """Probe a model's frozen vectors for natural language inference: trained on English, tested in XNLI's languages."""
    from koine.evaluate.probe import evaluate_probe as run
    from koine.records import Run

    named = Run(recipe, backbone or Path(model).name, strategy, seed)
    run(model, train, test, out, name=name, run=named, device=_device(device))


@app.command(rich_help_panel=STEPS)
@takes
def report(
    evaluated: Annotated[list[Path], typer.Argument(help="Folders of `koine evaluate`.", show_default=False)],
    out: Out,
    settings: Report,
    collected: Annotated[Path | None, typer.Option(help="collect.json.")] = None,
    filtered: Annotated[list[Path], typer.Option(help="Summary of `koine filter`; repeatable.")] = [],  # noqa: B006
    model: Annotated[list[Path], typer.Option(help="koine.json of a model; repeatable.")] = [],  # noqa: B006
    index: Annotated[list[Path], typer.Option(help="index.json; repeatable.")] = [],  # noqa: B006
    domains: Annotated[list[str], typer.Option(help="BENCHMARK=FILE of collect-domains; repeatable.")] = [],  # noqa: B006
) -> None:
    """Write table.csv, pairs.csv and report.html, with intervals over seeds and questions."""
    from koine.report.steps import report as run

    mapped = {benchmark: Path(path) for benchmark, path in _named("--domains", domains).items()}
    run(evaluated, out, settings, collected=collected, filtered=filtered, models=model, indexes=index, mapped=mapped)


@app.command(rich_help_panel=STEPS)
def report_cards(
    models: Annotated[list[Path], typer.Argument(help="koine.json of each model.", show_default=False)],
    results: Annotated[Path, typer.Option(help="Folder of `koine report`.", show_default=False)],
) -> None:
    """Write each model's card (README.md): its results, its language bias, its data and their licences."""
    from koine.report.card import cards

    cards(models, results)


# --- for people ------------------------------------------------------------------------------------------


@app.command(rich_help_panel=PEOPLE)
def init(
    name: Annotated[str, typer.Argument(help="Of the recipe: recipes/NAME.yaml, results/NAME/.", show_default=False)],
    languages: Annotated[list[str], typer.Option(help="To translate into, as de,fi,sw (BCP 47).", show_default=False)],
    qa: Annotated[
        list[str], typer.Option(help="Questions with passages: JSONL, CSV, SQuAD, BEIR folder or Hub id; repeatable.")
    ] = [],  # noqa: B006
    passages: Annotated[list[Path], typer.Option(help="If you have no questions: JSONL of texts; repeatable.")] = [],  # noqa: B006
    memory: Annotated[list[Path], typer.Option(help="Translation memory, TMX or JSONL, looked up first; repeatable.")] = [],  # noqa: B006
    test: Annotated[list[str], typer.Option(help="LANG=FILE: a test of your own, beside that of held-out questions.")] = [],  # noqa: B006
    source_language: Lang = "en",
    licence: Annotated[str, typer.Option(help="Of your data, as CC-BY-4.0; stands in the report and the model card.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe of this name.")] = False,
) -> None:
    """Start with your own data: look at it, and write a recipe with a reason for each choice.

    koine init clinic --qa own/clinic.jsonl --languages de,fi,sw
    """
    from koine.init import init as run

    tests = {lang: Path(path) for lang, path in _named("--test", test).items()}
    run(
        name, qa=qa, passages=passages, langs=languages, source=source_language, memories=memory, tests=tests, licence=licence,
        force=force,
    )  # fmt: skip


@app.command(rich_help_panel=PEOPLE)
def evaluate_mteb(
    model: Annotated[str, typer.Option(help="Model folder or Hub id.", show_default=False)],
    task: Annotated[list[str], typer.Option(help="MLQARetrieval, …, or a prepared benchmark; repeatable.", show_default=False)],
    out: Out,
    recipe: Named = "",
    backbone: NamedByModel = "",
    strategy: Named = "given",
    seed: Numbered = 0,
    device: Device = "auto",
) -> None:
    """Run retrieval tasks of mteb on a model and write their scores as pairs.csv; needs the extra named mteb."""
    from koine.evaluate.mteb import evaluate_mteb as run
    from koine.records import Run

    run(model, task, out, run=Run(recipe, backbone or Path(model).name, strategy, seed), device=_device(device))


@app.command(rich_help_panel=PEOPLE)
def search(
    question: Annotated[str, typer.Argument(help="In any language.", show_default=False)],
    model: Annotated[str, typer.Option(help="The model that made the index: folder or Hub id.", show_default=False)],
    index: Annotated[Path, typer.Option(help="Folder of `koine index`.", show_default=False)],
    count: Annotated[int, typer.Option(help="Passages that are shown.", min=1)] = 10,
    lang: Annotated[str, typer.Option(help="The question's language (BCP 47); by default it is identified.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    device: Device = "cpu",
) -> None:
    """Search an index: the nearest passages of all languages, best first.

    koine search --model models/sample/static/hybrid/seed-1 --index data/sample/index/static/hybrid/seed-1/sample "Mikä…?"
    """
    from koine import search as searching

    _use_threads()
    found = searching.search(model, index, question, count=count, lang=lang or None, device=_device(device))
    if as_json:
        typer.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
    else:
        searching.show(found)
    if found.warning:
        say(f"warning: {found.warning}")


@app.command(rich_help_panel=PEOPLE)
def export(
    model: Annotated[str, typer.Option(help="Model folder or Hub id.", show_default=False)],
    out: Out,
    int8: Annotated[bool, typer.Option("--int8", help="Store the weights in 8 bits, and say what that costs.")] = False,
    benchmark: Annotated[str, typer.Option(help="With --int8: mAP before and after, on a name or a prepared folder.")] = "",
) -> None:
    """Write a model in ONNX, for services without torch, and check that it gives the same vectors; needs the extra named onnx.

    koine export --model models/sample/static/hybrid/seed-1 --out exported --int8 --benchmark sample
    """
    from koine.export import export as run

    _use_threads()
    run(model, out, int8=int8, benchmark=benchmark)


@app.command(rich_help_panel=PEOPLE)
def show(results: Annotated[Path, typer.Argument(help="Folder with table.csv.")] = Path("results")) -> None:
    """Print the headline table in the terminal."""
    from koine.report.table import show as run

    run(results)


@app.command(rich_help_panel=PEOPLE)
def check(recipe: Recipe = Path("params.yaml")) -> None:
    """Compare a recipe's results with the numbers it expects; prints [OK] or [FAIL] beside each."""
    from koine.check import check as run

    if not run(recipe):
        raise typer.Exit(1)


@app.command(rich_help_panel=PEOPLE)
def doctor(recipe: Recipe = Path("params.yaml"), scale: Scale = "") -> None:
    """Say what this machine can run, and what a recipe lacks, before anything starts."""
    from koine.doctor import doctor as run

    if not run(recipe, scale):
        raise typer.Exit(1)


@app.command(rich_help_panel=PEOPLE)
def plan(
    recipe: Recipe = Path("params.yaml"),
    scale: Scale = "",
    gpu_tflops: Annotated[float, typer.Option(help="10^12 operations a second that one of your GPUs reaches.")] = 0.0,
) -> None:
    """Say what a recipe comes to before it runs: jobs, hours of CPU cores and GPUs, disk."""
    from koine.cost import plan as run

    run(recipe, scale, gpu_tflops or None)


@app.command(rich_help_panel=PEOPLE)
def fetch(recipe: Recipe = Path("params.yaml"), scale: Scale = "") -> None:
    """Bring a recipe's data and models, or one data set by its name: run it where there is a network."""
    from koine.provision import fetch as run

    run(recipe, scale)


@app.command(rich_help_panel=PEOPLE)
def sources() -> None:
    """List the sources and benchmarks that are known by name: languages, licence, version, and where they come from."""
    from koine.collect.registry import listing
    from koine.runtime.console import table

    table("sources and benchmarks", ["name", "kind", "languages", "licence", "version", "from"], listing(), texts=6)


@app.command(rich_help_panel=PEOPLE)
def standins(
    out: Annotated[Path, typer.Argument(help="The folder that KOINE_MODELS is to name.")],
    model: Annotated[list[str], typer.Option(help="Hub id; repeatable. All of the registry without any.")] = [],  # noqa: B006
) -> None:
    """Write tiny random stand-ins of the Hub's encoders and translators, in their true architectures, to try recipes offline."""
    from koine.backbones.standins import write_standins

    for folder in write_standins(out, model):
        say(str(folder))


def _named(option: str, pairs: list[str]) -> dict[str, str]:
    """The values of a repeatable option of NAME=VALUE."""
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise KoineError(f"{option} {wrong[0]}: expected NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


def _known(settings: list[str], metrics: list[str]) -> None:
    """Refuse settings and metrics that there are not, before anything is encoded."""
    if unknown := sorted({*settings} - {*SETTINGS}):
        raise KoineError(f"--setting {unknown[0]}: known are {', '.join(SETTINGS)}")
    for name in metrics:
        if not RANKED.fullmatch(name) and not POOLED.fullmatch(name):
            raise KoineError(f"--metric {name}: known are {', '.join(METRICS)}, and each @k with another cut-off")


def _device(name: str) -> str:
    if name == "cpu":
        return name
    from koine.runtime.gpus import lease

    lease()  # before torch counts them
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _use_threads() -> None:
    """Let torch use the threads that the job has."""
    if threads := os.environ.get("OMP_NUM_THREADS"):
        import torch

        torch.set_num_threads(int(threads))


def _remedy(error: Exception) -> str:
    """What a person can do about a disk; empty where it is not the disk. Libraries in Rust say it in words."""
    number = error.errno if isinstance(error, OSError) else None
    if number in FULL or any(words in str(error) for words in FULL.values()):
        return "the disk is full or a quota is reached"
    if number in CLOSED:
        return "it may not be written here; look at the rights of the folder, and whether its disk is mounted read-only"
    return ""


def main() -> None:
    """Run the command line; a `KoineError` is a message, Ctrl-C a clean stop, a full disk no traceback."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app(prog_name="koine")
    except KoineError as error:
        say(f"error: {error}")
        sys.exit(1)
    except Exception as error:
        if not (remedy := _remedy(error)):
            raise
        say(f"error: {error}: {remedy}; finished files stay, the same command goes on from there")
        sys.exit(1)
    except SystemExit as end:
        if end.code == 130:  # typer's answer to Ctrl-C
            say("stopped; finished files stay, the same command goes on from there")
        raise
