"""What the workflow makes of the parameters: files, command-line flags, targets. The Snakefile's only helper.

Everything here is known before any data exists: shards, languages and models come from `params.yaml`, so the
whole DAG does. Flags are text, one per rule and name, so that Snakemake can compare them with those of the
last run; execution settings are apart, and enter no such comparison.
"""

import ast
import hashlib
import os
import shlex
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from koine.collect import registry
from koine.collect.benchmarks import folder_files
from koine.collect.sample import sample_files
from koine.params import (
    BM25,
    DEFAULT,
    ENGINES,
    FOLDERS,
    HELD_OUT,
    NEURAL,
    Benchmark,
    IndexKind,
    Params,
    Source,
    flags,
    language_of,
    parse,
)
from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import lock, read_text
from koine.strategies import Chain

BEIR_FILES = tuple(registry.BEIR.values())
PACKAGE = Path(__file__).parent
BEGAN = time.time()  # of this process


class Plan:
    """Files, flags and targets of one experiment.

    Args:
        config: the merged configuration (params.yaml and what a recipe lays over it).
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.params = parse(
            {key: value for key, value in config.items() if key in Params.model_fields or key not in {"pathvars"}}
        )
        p = self.params
        self.data = f"data/{p.recipe}"
        self.models = f"models/{p.recipe}"
        self.results = "results" if p.recipe == DEFAULT else f"results/{p.recipe}"
        self.sample = p.sample_folder
        self.sample_files = [f"{self.sample}/{name}" for name in sample_files(p.collect.sample.languages)]
        named = {name: registry.source(name, p) for name in [*p.collect.sources, *p.translate.resources, *p.translate.reverse]}
        tested = registry.benchmarks(p)
        #: Rows and files of the benchmark of the recipe's own questions, if there is one: the workflow makes them.
        self.heldout = [f"{self.data}/collect/heldout.parquet"] if HELD_OUT in tested else []
        self.heldout_files = _paths(HELD_OUT, tested[HELD_OUT]) if HELD_OUT in tested else []
        probes = {name: registry.probe(name) for name in p.evaluate.probes}
        for name in p.collect.sources:
            if named[name].reader in {"memory", "dictionary"}:
                raise KoineError(f"collect.sources: {name!r} holds no questions; it belongs under translate.resources")
        #: Flags of `collect-fetch` by source and file.
        self.fetch = {
            name: {path: _fetch_flags(wanted) for path, wanted in registry.downloads(source).items()}
            for name, source in {**tested, **named}.items()
            if source.path is None
        }
        #: Where `collect-fetch` finds each file, and the Hub's ids and revisions among the sources, for `koine doctor`.
        self.locations = {
            name: {path: wanted["location"] for path, wanted in registry.downloads(source).items()}
            for name, source in {**tested, **named}.items()
            if source.path is None and source.hub is None
        }
        self.hub_ids = {
            name: (source.hub, source.revision) for name, source in {**tested, **named}.items() if source.hub is not None
        }
        #: Files that the user says are there: whatever has a path and is not made by the sample.
        self.own_files = [
            path
            for name, source in {**tested, **named, **probes}.items()
            if source.path is not None
            for path in _paths(name, source)
            if path not in (*self.sample_files, *self.heldout_files)
        ]
        #: Where sources of a `path` can be had, by source.
        self.homes = {
            path: s.home for name, s in {**tested, **named, **probes}.items() if s.path and s.home for path in _paths(name, s)
        }
        #: Those of them that are not there yet: a job that says where to get them stands in, so that all can be planned before.
        self.absent = [path for path in self.own_files if path in self.homes and not Path(path).exists()]
        self.sources = {
            name: {"files": _paths(name, named[name]), "flags": _source_flags(named[name])} for name in p.collect.sources
        }
        self.benchmarks = {
            name: {"files": _paths(name, benchmark), "flags": _benchmark_flags(name, benchmark, p)}
            for name, benchmark in tested.items()
        }
        #: The labels, if there are any, and the flags of `collect-domains`.
        self.domains = {name: _domains(wanted, p.translate.source) for name, wanted in p.evaluate.domains.items() if wanted}
        self.own_files += [path for entry in self.domains.values() for path in entry["files"]]
        #: The files of each probe.
        self.probes = {
            name: {key: _path(name, probe, file.name) for key, file in probe.files.items()} for name, probe in probes.items()
        }
        self.resources = {
            lang: _for_language(named, self._serving(lang, named), p.translate.source, lang) for lang in p.translate.languages
        }
        for lang, files in self.resources.items():
            if not files and p.translate.backend_of(lang) not in ENGINES:
                names = ", ".join(p.translate.resources) or "nothing"
                raise KoineError(f"translate.resources: {names} has no file for {lang}; take it out of translate.languages")
        self.reverse = {
            lang: _for_language(named, p.translate.reverse, p.translate.source, lang) for lang in p.translate.languages
        }
        self.resource_flags = {
            lang: shlex.join(_options("resource", self.resources[lang]) + _options("reverse", self.reverse[lang]))
            for lang in p.translate.languages
        }
        #: Where models are computed.
        self.device = f"--device {p.compute.device}"
        #: How many texts are encoded at once.
        self.encoded_at_once = f"--encode-batch-size {p.compute.encode_batch_size}"
        #: Models to convert for CTranslate2, by the name of their folder, with the flags of `translate-convert`.
        self.translators: dict[str, str] = {}
        #: The converted models of each language, there and back.
        self.converted: dict[str, list[str]] = {}
        for lang in p.translate.languages:
            ways = self._ways(lang)
            backend = p.translate.backend_of(lang)
            self.resource_flags[lang] += f" --backend {backend}"
            self.resource_flags[lang] += f" {flags(p.translate.decoding)} {self.device}" if backend in NEURAL else ""
            self.resource_flags[lang] += " --round-trip" if lang in p.translate.round_trip else ""
            self.converted[lang] = [f"{self._converted(*way)}/model.bin" for way in ways.values()]
            self.resource_flags[lang] += "".join(f" --{option} {self._converted(*way)}" for option, way in ways.items())
        expected = [f"{name}={one.expected}" for name, one in named.items() if one.expected and name in p.collect.sources]
        #: Where planted defects are known, the filter is measured against them.
        self.truth = [f"{self.sample}/defects.jsonl"] if "sample-memory" in p.translate.resources else []
        #: Flags by rule (and by wildcard, where they differ).
        self.flags = {
            "collect_sample": flags(p.collect.sample),
            "collect": " ".join(
                [flags(p.collect.clean), *([flags(p.collect.heldout)] if self.heldout else []), *_options("expect", expected)]
            ),
            "translate": shlex.join(
                ["--source", p.translate.source, "--shards", str(p.translate.shards), *_options("heldout", self.heldout)]
            ),
            "filter_score": self._filter_score_flags(),
            "filter": flags(p.filter.rules) + "".join(f" --truth {path}" for path in self.truth),
            "train": self.device,
            "encode": f"{flags(p.encode)} {self.device} {self.encoded_at_once}",
            "encode_debias": flags(p.encode),
            "evaluate_probe": self.device,
            "index": flags(IndexKind(**p.index.model_dump(exclude={"strategies"}))),
            "report": flags(p.report),
        }
        #: What training and encoding are started with, where several processes do a job.
        self.launch = (
            "TORCHELASTIC_SIGNALS_TO_HANDLE=SIGTERM,SIGINT,SIGUSR1 "
            f"torchrun --standalone --nproc-per-node {p.compute.processes} --no-python "
            if p.compute.processes > 1
            else ""
        )
        #: Flags by rule that change only speed.
        self.execution = {
            "translate": f"--threads {p.execution.translate_threads} --batch-tokens {p.execution.translate_batch_tokens}",
            "filter_score": f"--workers {p.execution.workers}",
            "train": f"--checkpoint-minutes {p.execution.checkpoint_minutes} --track {p.execution.track}",
        }
        starts = {name: flags(b.start) + " " if b.starts_from_model else "" for name, b in p.backbones.items()}
        self.tokenizers = {name: f"--kind {b.kind} {starts[name]}{flags(b.tokenizer)}" for name, b in p.backbones.items()}
        self.inputs = {
            name: f"--kind {b.kind} "
            + shlex.join(["--query-prefix", b.tokenizer.query_prefix, "--passage-prefix", b.tokenizer.passage_prefix])
            for name, b in p.backbones.items()
        }
        self.backbones = {
            name: f"{self.inputs[name]} {starts[name] or flags(b.architecture) + ' '}{flags(b.optimisation)}"
            for name, b in p.backbones.items()
        }
        #: alpha matters to `hybrid` and `grad-mix` alone: changing it retrains no other strategy.
        self.strategies = {name: _strategy_flags(name, p) for name in self.trained}
        #: The files and the flags of what a model is made from besides the training texts, by backbone, strategy and seed.
        self.made_from = {
            backbone: {
                name: {str(seed): self._made_from(backbone, name, seed) for seed in p.train.seeds} for name in self.trained
            }
            for backbone in p.backbones
        }
        self.mine = self._mining()
        self.pools = shlex.join(_options("pool", p.evaluate.pools))
        self.settings = {name: shlex.join(_options("setting", benchmark.settings)) for name, benchmark in tested.items()}
        self.metrics = {name: shlex.join(_options("metric", benchmark.metrics)) for name, benchmark in tested.items()}
        #: What training must not have seen, and what it sees. Held-out questions are put aside, which is another way.
        self.foreign = [name for name in self.benchmarks if name != HELD_OUT]
        self.tested = shlex.join(_options("benchmark", [f"{self.data}/collect/benchmarks/{name}" for name in self.foreign]))
        self.parallel = shlex.join(_options("parallel", [f"{self.data}/filter/{lang}.parquet" for lang in p.translate.languages]))
        self.shards = list(range(p.translate.shards))

    def distrust_checked_out_tables(self) -> None:
        """Make tables that came with the checkout look older than anything.

        Snakemake takes a file without a record in .snakemake/metadata for up to date unless an input is newer, so in
        a fresh clone it would say of a committed table that nothing is to be done. The page's style sheet, an input
        of `report` that every checkout has, is newer than a table from 1970; where there is a record, only content
        counts.
        """
        table = Path(self.results) / "table.csv"
        record = Path(".snakemake/metadata") / urlsafe_b64encode(str(table).encode()).decode()
        if table.is_file() and not record.is_file():
            os.utime(table, (1, 1))  # 0 means "no time" to Snakemake

    @property
    def runs(self) -> list[str]:
        """Every model, as `backbone/strategy/seed-N`."""
        t = self.params.train
        pairs = [(backbone, strategy) for backbone in t.backbones for strategy in t.strategies if self._can(backbone, strategy)]
        return [f"{backbone}/{strategy}/seed-{seed}" for backbone, strategy in pairs for seed in t.seeds]

    @property
    def evaluated(self) -> list[str]:
        """Every model, and BM25 where it is asked for: what has a row in the tables."""
        return [*self.runs, *([f"{BM25}/untrained/seed-0"] if self.params.evaluate.bm25 else [])]

    def _can(self, backbone: str, strategy: str) -> bool:
        """Whether a backbone can be trained so: one that reads no context cannot be taught any."""
        contextual = any(one.strategy.needs_context for one in Chain.parse(strategy).trainings)
        return not contextual or self.params.backbones[backbone].reads_context

    @property
    def indexed(self) -> list[str]:
        """The models that get an index: those of `index.strategies`, first seed."""
        t = self.params.train
        strategies = self.params.index.strategies
        first = f"seed-{t.seeds[0]}"
        return [f"{b}/{strategy}/{first}" for b in t.backbones for strategy in strategies if self._can(b, strategy)]

    @property
    def trained(self) -> list[str]:
        """Every strategy that is trained: those of the tables, what a chain of them begins with, and the miner's."""
        names: list[str] = []
        for strategy in [*self.params.train.strategies, *([self._miner[1]] if self._miner else [])]:
            parts = Chain.parse(strategy).model.split("+")
            names += ["+".join(parts[: count + 1]) for count in range(len(parts))]
        return list(dict.fromkeys(names))

    @property
    def shown(self) -> list[str]:
        """The models of the tables that were trained, and not only had their vectors changed."""
        return [run for run in self.runs if run.split("/")[1] in self.trained]

    @property
    def cards(self) -> list[str]:
        """The model card of each model of the tables."""
        return [f"{self.models}/{run}/README.md" for run in self.shown]

    @property
    def _miner(self) -> tuple[str, str] | None:
        """Backbone and strategy of the recipe's own model that finds hard negatives."""
        backbone, _, strategy = self.params.train.mining.model.partition("/")
        return (backbone, strategy) if backbone in self.params.backbones else None

    def hold_checkout(self) -> None:
        """Let no second run start in this checkout while this process lives.

        Raises:
            KoineError: another one runs.
        """
        path = Path(".snakemake/koine.lock")
        try:
            self._lock = lock(path)
        except OSError as error:  # a file system without locks
            say(f"{path}: {error}; see to it that no second run starts in this checkout")
            return
        if self._lock is None:
            raise KoineError(f"another run is on in this checkout ({read_text(path).strip()}); wait for it, or stop it")

    def show(self) -> None:
        """Print the headline table, if this run wrote it, and where the page is: the end of a run."""
        from koine.report.table import show

        results = Path(self.results)
        table = results / "table.csv"
        if table.is_file() and table.stat().st_mtime >= BEGAN:
            show(results)
            say(f"{results / 'report.html'} has the rest")

    @property
    def named_models(self) -> dict[str, tuple[str, str]]:
        """What the recipe takes from the Hub or from a folder: id and revision of each model, by what it is for."""
        p = self.params
        named = {name: (start.model, start.revision) for name in p.train.backbones if (start := p.backbones[name].start).model}
        t = p.translate
        for lang in t.languages:
            for source, target in t.ways(lang) if t.backend_of(lang) in NEURAL else []:
                model = t.decoding.model.format(source=source, target=target)
                named.setdefault(f"translation by {model}", (model, t.decoding.revision))
        if p.filter.score.encoder:
            named["filter.score.encoder"] = (p.filter.score.encoder, "")
        if p.train.mining.model and not self._miner:
            named["train.mining.model"] = (p.train.mining.model, "")
        return named

    def _mining(self) -> dict[str, Any]:
        """Files and flags of `train-mine`."""
        mining, files = self.params.train.mining, []
        if self._miner:
            folder = f"{self.models}/{mining.model}/seed-{self.params.train.seeds[0]}"
            mining = mining.model_copy(update={"model": folder})
            files = [f"{folder}/koine.json", f"{folder}/model.safetensors"]
        return {"files": files, "flags": f"{flags(mining)} {self.device} {self.encoded_at_once}"}

    def _made_from(self, backbone: str, strategy: str, seed: int) -> dict[str, Any]:
        chain = Chain.parse(strategy)
        files, words = [], []
        if chain.before:
            folder = f"{self.models}/{backbone}/{chain.before}/seed-{seed}"
            files += [f"{folder}/koine.json", f"{folder}/model.safetensors"]
            words += ["--further", folder]
        takes = self.params.backbones[backbone].optimisation.num_negatives and chain.last.strategy.batches
        if self.params.train.mining.model and takes:
            files.append(f"{self.data}/train/mined.parquet")
            words += ["--mined", files[-1]]
        return {"files": files, "flags": shlex.join(words)}

    def _serving(self, lang: str, named: dict[str, Source]) -> list[str]:
        """The resources that a language's backend can read: an engine looks memories up, and no dictionaries."""
        t = self.params.translate
        return [name for name in t.resources if named[name].reader == "memory" or t.backend_of(lang) not in ENGINES]

    def per_run(self, pattern: str, runs: list[str] | None = None) -> list[str]:
        """`pattern` filled with every {run} (all of them, or these) and every {benchmark}."""
        runs = self.runs if runs is None else runs
        filled = [pattern.format(run=run, benchmark=benchmark) for run in runs for benchmark in self.benchmarks]
        return list(dict.fromkeys(filled))

    def per_probe(self, pattern: str) -> list[str]:
        """`pattern` filled with every trained model as {run} and every {probe}."""
        return [pattern.format(run=run, probe=probe) for run in self.shown for probe in self.probes]

    def _ways(self, lang: str) -> dict[str, tuple[str, str]]:
        """The directions in which CTranslate2 is needed for a language, by the option that names the model."""
        t = self.params.translate
        return (
            dict(zip(("converted", "converted-back"), t.ways(lang), strict=False)) if t.backend_of(lang) == "ctranslate2" else {}
        )

    def _converted(self, source: str, target: str) -> str:
        """Folder of a converted model; notes that it has to be converted."""
        d = self.params.translate.decoding
        model = d.model.format(source=source, target=target)
        name = "--".join(part for part in (model.replace("/", "--"), d.revision.replace("/", "-"), d.compute_type) if part)
        self.translators[name] = shlex.join(["--model", model, "--revision", d.revision, "--compute-type", d.compute_type])
        return f"models/translation/{name}"

    def _filter_score_flags(self) -> str:
        p = self.params
        among = _options("among", [p.translate.source, *p.translate.languages])
        ngram = _options("contamination-ngram", [str(p.collect.clean.contamination_ngram)])
        device = f" {self.device}" if p.filter.score.encoder else ""
        return f"{shlex.join([*among, *ngram, *_options('heldout', self.heldout)])} {flags(p.filter.score)}{device}"

    @property
    def reported(self) -> str:
        """Arguments of `koine report`: every evaluation, filter summary, model and index."""
        return shlex.join(
            [
                *self.per_run(f"{self.data}/evaluate/{{run}}/{{benchmark}}", self.evaluated),
                *self.per_probe(f"{self.data}/evaluate/{{run}}/{{probe}}"),
                *_options("collected", [f"{self.data}/collect/collect.json"]),
                *_options("filtered", [f"{self.data}/filter/{lang}.json" for lang in self.params.translate.languages]),
                *_options("model", self.per_run(f"{self.models}/{{run}}/koine.json", self.shown)),
                *_options("index", self.per_run(f"{self.data}/index/{{run}}/{{benchmark}}/index.json", self.indexed)),
                *_options("domains", [f"{name}={self.data}/collect/benchmarks/{name}/domains.parquet" for name in self.domains]),
            ]
        )

    def fetched(self, wildcards: Any) -> str:
        """The flags of `collect-fetch` for a file of a source."""
        return self.fetch[wildcards.source][wildcards.file]

    def home(self, wildcards: Any) -> str:
        """The flags of `collect-own` for a file that only a person can get."""
        return shlex.join(["--home", self.homes[wildcards.own]])

    def given(self, rule: str) -> Callable[[object], str]:
        """The flags of a rule, as a function: in a plain text Snakemake would take `{source}` for a wildcard."""
        return lambda wildcards: self.flags[rule]

    @staticmethod
    def code(step: str) -> str:
        """Digest of all modules that a step runs: an edited module reruns its step. See `design.md`."""
        return code_digest(step)


def _options(name: str, values: Iterable[str]) -> list[str]:
    """`--name value` for each value."""
    return [word for value in values for word in (f"--{name}", value)]


def _domains(wanted: int | str, lang: str) -> dict[str, Any]:
    """Files and options of `collect-domains`: a number of clusters, or a file of labels."""
    if isinstance(wanted, str):
        return {"files": [wanted], "flags": shlex.join(["--labels", wanted])}
    return {"files": [], "flags": shlex.join(["--clusters", str(wanted), "--lang", lang])}


def _fetch_flags(wanted: dict[str, Any]) -> str:
    """Options of `collect-fetch` for one of `registry.downloads`."""
    words = [word for option, value in wanted.items() if option != "columns" and value for word in (f"--{option}", value)]
    return shlex.join(words + _options("column", [f"{ours}={theirs}" for ours, theirs in wanted.get("columns", {}).items()]))


def _path(name: str, source: Source, file: str) -> str:
    """Where a file of a source lies: the user's own path, or data/raw, where `collect-fetch` brings it."""
    return source.path.format(name=file) if source.path is not None else f"data/raw/{name}/{file}"


def _paths(name: str, source: Source) -> list[str]:
    """All files of a source, as Snakemake's inputs."""
    paths = list(dict.fromkeys(_path(name, source, file.name) for file in source.files.values()))
    if source.reader not in FOLDERS:
        return paths
    return [str(part) for path in paths for part in folder_files(Path(path), source.reader, source.split)]


def _source_flags(source: Source) -> str:
    words = ["--reader", source.reader, "--lang", source.lang, "--domain", source.domain, "--licence", source.licence]
    named = {} if source.hub else source.columns  # a Hub data set's are renamed as it is fetched
    return shlex.join(words + _options("column", [f"{ours}={theirs}" for ours, theirs in named.items()]))


def _benchmark_flags(name: str, benchmark: Benchmark, params: Params) -> str:
    candidate = params.evaluate.candidates.get(name, benchmark.candidate)
    words = ["--reader", benchmark.reader, "--candidate", candidate]
    words.append("--parallel-only" if benchmark.parallel_only else "--no-parallel-only")
    words += ["--native"] if benchmark.native else []
    words += ["--split", benchmark.split] if benchmark.reader in ("trec", "mewsli-x") else []
    files = [f"{lang}={_path(name, benchmark, file.name)}" for lang, file in benchmark.files.items()]
    return shlex.join([*words, *_options("file", files)])


def _for_language(named: dict[str, Source], names: list[str], source_lang: str, lang: str) -> list[str]:
    """The files of translation resources that may serve a language: keyed by it, by a pair with it, or by `all`."""
    wanted = {lang, f"{source_lang}-{lang}", f"{lang}-{source_lang}", "all"}
    files = ((name, key, file) for name in names for key, file in named[name].files.items())
    return [_path(name, named[name], file.name) for name, key, file in files if language_of(key) in wanted]


def _strategy_flags(strategy: str, params: Params) -> str:
    """The flags that a strategy's last training reads: a parameter that it does not read retrains nothing of it."""
    training, t = Chain.parse(strategy).last, params.train
    own = training.strategy
    words = ["--strategy", strategy]
    words += _options("only", [params.translate.source, *params.translate.languages][: training.count] if training.count else [])
    if not own.trains:
        return shlex.join(words)
    if own.takes_alpha and training.alpha is None:
        words += ["--alpha", str(t.alpha)]
    if own.crosses:
        words += ["--equal-languages" if t.languages.equal_languages else "--no-equal-languages"]
        words += ["--pair-per", t.languages.pair_per]
    if own.draws_languages:
        words += ["--sampling-exponent", str(t.languages.sampling_exponent)]
    if own.batches and not own.gradients:  # surgery always notes the cosine
        words += ["--gradient-cosine-every", str(t.gradient_cosine_every)]
    return f"{shlex.join(words)} {flags(t.datasets)} {flags(t.validation)}"


# Parameters reach a step by its flags, and messages change no result: these modules count for no step.
_FLAGS = {"sources.yaml", "tatoeba.yaml"}  # and so do the registry's entries
_UNCOUNTED = {"koine", "koine.params", "koine.plan", "koine.cli", "koine.runtime.console", "koine.runtime.errors"}


@cache
def code_digest(step: str) -> str:
    """Twelve hex digits over the sources of `koine.<step>` and of all koine modules that they import."""
    todo = [_module_name(path) for path in (PACKAGE / step).rglob("*.py")]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen or name in _UNCOUNTED or not (path := _module_path(name)):
            continue
        seen.add(name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("koine"):
                todo += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    digest = hashlib.sha256()
    for name in sorted(seen):
        digest.update(name.encode() + b"\0" + _module_path(name).read_bytes())  # type: ignore[union-attr]
    for data in sorted((PACKAGE / step).rglob("*")):
        if data.suffix in {".yaml", ".csv", ".html", ".css", ".js"} and data.name not in _FLAGS:
            digest.update(data.name.encode() + b"\0" + data.read_bytes())
    return digest.hexdigest()[:12]


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(["koine", *(part for part in parts if part != "__init__")])


def _module_path(name: str) -> Path | None:
    base = PACKAGE.joinpath(*name.split(".")[1:])
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
