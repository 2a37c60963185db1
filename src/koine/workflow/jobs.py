"""The jobs of every rule: their flags, further inputs, code and content, by what distinguishes them.

A parameter stands in the flags of the rules that read it, and in no others: that is what makes a change rerun just these.
All of it is known before any data exists.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from koine.backbones.kinds import KINDS
from koine.code import Digests
from koine.collect.readers import READERS
from koine.collect.registry import downloads
from koine.filter.rules import RULES, scored_rules
from koine.metrics import kind_of
from koine.params import Backbone, IndexKind, Params, Source, flags
from koine.runtime.errors import KoineError
from koine.runtime.hub import own_folder
from koine.strategies import PAIRS, STRATEGIES, Chain
from koine.translate.backends import BACKENDS
from koine.workflow.content import Contents, files_of
from koine.workflow.job import Job, line, options, pairs, switch
from koine.workflow.models import Models
from koine.workflow.sources import Sources, path_of, paths_of

Jobs = dict[str, Any]  # by the values of wildcards, in the order in which the rule looks them up; the leaves are jobs


class Rules:
    """The jobs of each rule, as the attribute of the rule's name: one `Job`, or jobs by wildcards.

    Args:
        params: of the experiment.
        sources, models: of it.
        data, folder: of its data and of its models.
        contents, code: digests of own files, and of code.

    Raises:
        KoineError: a language has no translation resource.
    """

    def __init__(
        self, params: Params, sources: Sources, models: Models, data: str, folder: str, contents: Contents, code: Digests
    ) -> None:
        self._params, self._sources, self._models, self._data, self._folder = params, sources, models, data, folder
        self._contents, self._code = contents, code
        self._own = set(sources.own_files)
        self._device = line("--device", params.compute.device)
        self._encoding = f"{self._device} {line('--encode-batch-size', params.compute.encode_batch_size)}"
        p, job = params, self._job
        self.collect_sample = job("collect_sample", [flags(p.collect.sample)])
        self.collect_download = {name: downloads_of(source) for name, source in sources.every}
        self.collect_own = {path: line("--home", home) for path, home in sources.homes.items()}
        self.collect_source = {name: self._source(name) for name in p.collect.sources}
        self.collect_benchmark = {name: self._benchmark(name) for name in sources.tested}
        self.collect_domains = {name: self._domains(wanted) for name, wanted in p.evaluate.domains.items() if wanted}
        self.collect = self._collect()
        #: Models to convert for CTranslate2, by the name of their folder.
        self.translate_convert: dict[str, Job] = {}
        self.translate = {lang: self._translate(lang) for lang in p.translate.languages}
        self.filter_score = {lang: self._filter_score(lang) for lang in p.translate.languages}
        rules, off = self._scored(), set(RULES) - set(scored_rules(p.filter.rules.switched_on))
        truth = [f"{sources.sample}/defects.jsonl"] if "sample-memory" in p.translate.resources else []
        self.filter = job("filter", [flags(p.filter.rules, off), line(*options("truth", truth))], truth, entries=rules)
        self.filter_heldout = job("filter_heldout")
        self.train_tokens = {name: self._train_tokens(backbone) for name, backbone in p.backbones.items()}
        self.train_mine = self._train_mine()
        self.train = {
            name: {strategy: {str(seed): self._train(name, strategy, seed) for seed in p.train.seeds} for strategy in
                   models.trained} for name in p.backbones
        }  # fmt: skip
        self.encode_tokens = {
            name: job("encode_tokens", [self._inputs(backbone)], entries=[_kind(backbone)])
            for name, backbone in p.backbones.items()
        }
        computed = [flags(p.encode), self._encoding]
        self.encode = {name: job("encode", computed, entries=[_kind(backbone)]) for name, backbone in p.backbones.items()}
        self.encode_debias = job("encode_debias", [flags(p.encode)])
        self.index = job("index", [flags(IndexKind(**p.index.model_dump(exclude={"strategies"})))])
        self.evaluate_vectors = {name: self._evaluated("evaluate_vectors", name) for name in sources.tested}
        self.evaluate_bm25 = {name: self._evaluated("evaluate_bm25", name) for name in sources.tested}
        self.evaluate_probe = {
            name: job("evaluate_probe", [line("--recipe", p.recipe), self._device], entries=[_kind(backbone)])
            for name, backbone in p.backbones.items()
        }
        shown = self._shown() + rules
        self.report = job("report", [self._reported(), flags(p.report)], entries=shown + self._metrics(sources.tested))
        self.report_cards = job("report_cards", entries=shown)

    def _job(
        self,
        rule: str,
        words: Iterable[str] = (),
        files: Iterable[str] = (),
        *,
        entries: Iterable[str] = (),
        own: Iterable[str] = (),
    ) -> Job:
        """A job: `own` are files of a person's among its inputs."""
        return Job(
            flags=" ".join(filter(None, words)),
            files=list(dict.fromkeys([*files, *own])),
            code=self._code.digest(rule, entries),
            content=self._contents.digest(map(Path, own)),
        )

    # --- collect ---------------------------------------------------------------------------------------------

    def _files(self, name: str, source: Source) -> tuple[list[str], list[str]]:
        """Files of a source that the workflow makes, and those that a person brings."""
        paths = paths_of(name, source)
        return [path for path in paths if path not in self._own], [path for path in paths if path in self._own]

    def _source(self, name: str) -> Job:
        source = self._sources.named[name]
        made, own = self._files(name, source)
        words = ["--reader", source.reader, "--lang", source.lang, "--domain", source.domain, "--licence", source.licence]
        columns = {} if source.hub else source.columns  # a Hub data set's are renamed as it is downloaded
        reader = f"koine.collect.readers:READERS[{source.reader}]"
        return self._job("collect_source", [line(*words, *pairs("columns", columns))], made, own=own, entries=[reader])

    def _benchmark(self, name: str) -> Job:
        benchmark = self._sources.tested[name]
        made, own = self._files(name, benchmark)
        candidate = self._params.evaluate.candidates.get(name, benchmark.candidate)
        words = ["--reader", benchmark.reader, "--candidate", candidate]
        words += [switch("parallel-only", benchmark.parallel_only), switch("native", benchmark.native)]
        words += ["--split", benchmark.split] if READERS[benchmark.reader].split else []
        files = {lang: path_of(name, benchmark, file.name) for lang, file in benchmark.files.items()}
        reader = f"koine.collect.readers:READERS[{benchmark.reader}]"
        return self._job("collect_benchmark", [line(*words, *pairs("files", files))], made, own=own, entries=[reader])

    def _domains(self, wanted: int | str) -> Job:
        """A number of clusters, or a file of labels."""
        if isinstance(wanted, str):
            return self._job("collect_domains", [line("--labels", wanted)], own=[wanted])
        words = line("--clusters", wanted, "--lang", self._params.translate.source)
        return self._job("collect_domains", [words])

    def _collect(self) -> Job:
        collect, sources = self._params.collect, self._sources
        expected = {name: sources.named[name].expected for name in collect.sources if sources.named[name].expected}
        heldout = [flags(collect.heldout)] if sources.heldout else []
        return self._job("collect", [self._tested(), flags(collect.clean), *heldout, line(*pairs("expected", expected))])

    def _tested(self) -> str:
        """The benchmarks that training must not have seen."""
        return line(*options("benchmarks", [f"{self._data}/collect/benchmarks/{name}" for name in self._sources.foreign]))

    # --- translate, filter ------------------------------------------------------------------------------------

    def _translate(self, lang: str) -> Job:
        t, sources = self._params.translate, self._sources
        name = t.backend_of(lang)
        backend = BACKENDS[name]
        serving = [one for one in t.resources if sources.named[one].reader in backend.readers]
        resources, reverse = sources.for_language(serving, lang), sources.for_language(t.reverse, lang)
        if not resources and backend.kind == "lookup":
            names = ", ".join(t.resources) or "nothing"
            raise KoineError(f"translate.resources: {names} has no file for {lang}; take it out of translate.languages")
        words = ["--source", t.source, "--backend", name, "--shards", t.shards, *options("heldout", sources.heldout)]
        words += [*options("resources", resources), *options("reverse", reverse), switch("round-trip", lang in t.round_trip)]
        files, own = [*resources, *reverse], list[str]()
        models: list[str] = []
        if backend.needs_model:
            ways = dict(zip(("converted", "converted-back"), t.ways(lang), strict=False))
            if backend.needs_conversion:
                converted = {option: self._converted(*way) for option, way in ways.items()}
                words += [word for option, folder in converted.items() for word in (f"--{option}", folder)]
                files += [f"{folder}/model.bin" for folder in converted.values()]
            own += [file for way in ways.values() for file in _own_model(t.decoding.model.format(source=way[0], target=way[1]))]
            models = [flags(t.decoding), self._device]
        own += [path for path in files if path in self._own]
        return self._job(
            "translate", [line(*words), *models], [path for path in files if path not in own], own=own,
            entries=[f"koine.translate.backends:BACKENDS[{name}]"],
        )  # fmt: skip

    def _converted(self, source: str, target: str) -> str:
        """Folder of a converted model; notes that it has to be converted."""
        d = self._params.translate.decoding
        model = d.model.format(source=source, target=target)
        name = "--".join(part for part in (model.replace("/", "--"), d.revision.replace("/", "-"), d.compute_type) if part)
        words = line("--model", model, "--revision", d.revision, "--compute-type", d.compute_type)
        self.translate_convert[name] = self._job("translate_convert", [words], own=_own_model(model))
        return f"models/translation/{name}"

    def _scored(self) -> list[str]:
        """The rules whose scores are made."""
        return [f"koine.filter.rules:RULES[{name}]" for name in scored_rules(self._params.filter.rules.switched_on)]

    def _filter_score(self, lang: str) -> Job:
        p, score = self._params, self._params.filter.score
        words = options("among", [p.translate.source, *p.translate.languages])
        words += ["--contamination-ngram", str(p.collect.clean.contamination_ngram)]
        words += options("heldout", self._sources.heldout)
        external = [score.external.format(lang=lang)] if score.external else []
        words += options("external", external)
        own = [*external, *(_own_model(score.encoder) if score.encoder else [])]
        computed = self._device if score.encoder else ""
        words += options("also", [name for name in self._params.filter.rules.switched_on if RULES[name].only_if_on])
        return self._job(
            "filter_score",
            [self._tested(), line(*words), flags(score.without_external), computed],
            own=own,
            entries=self._scored(),
        )

    # --- train, encode ----------------------------------------------------------------------------------------

    def _inputs(self, backbone: Backbone) -> str:
        tokenizer = backbone.tokenizer
        words = ["--kind", backbone.kind, "--query-prefix", tokenizer.query_prefix, "--passage-prefix", tokenizer.passage_prefix]
        return line(*words)

    def _start(self, backbone: Backbone) -> tuple[str, list[str]]:
        """Flags and own files of what training starts from."""
        if KINDS[backbone.kind].starts_from == "model":
            return flags(backbone.start), _own_model(backbone.start.model)
        return "", []

    def _train_tokens(self, backbone: Backbone) -> Job:
        start, own = self._start(backbone)
        words = ["--kind " + backbone.kind, start, flags(backbone.tokenizer)]
        return self._job("train_tokens", words, own=own, entries=[_kind(backbone)])

    def _train_mine(self) -> Job:
        mining, p = self._params.train.mining, self._params
        kinds = [f"koine.backbones.kinds:KINDS[{name}]" for name in KINDS] if mining.model else []
        if not self._models.miner:
            own = _own_model(mining.model) if mining.model else []
            return self._job("train_mine", [flags(mining), self._encoding], own=own, entries=kinds)
        folder = f"{self._folder}/{mining.model}/seed-{p.train.seeds[0]}"
        files = [f"{folder}/koine.json", f"{folder}/model.safetensors"]
        words = [flags(mining.model_copy(update={"model": folder})), self._encoding]
        return self._job("train_mine", words, files, entries=[_kind(p.backbones[self._models.miner[0]])])

    def _train(self, name: str, strategy: str, seed: int) -> Job:
        p, backbone, chain = self._params, self._params.backbones[name], Chain.parse(strategy)
        start, own = self._start(backbone)
        shape = start or flags(backbone.architecture)
        words = [line("--source", p.translate.source), _strategy(chain, strategy, p), self._inputs(backbone), shape]
        files: list[str] = []
        if chain.before:
            folder = f"{self._folder}/{name}/{chain.before}/seed-{seed}"
            files += [f"{folder}/koine.json", f"{folder}/model.safetensors"]
            words.append(line("--further", folder))
        if p.train.mining.model and backbone.optimisation.num_negatives and chain.last.strategy.objective == PAIRS:
            files.append(f"{self._data}/train/mined.parquet")
            words.append(line("--mined", files[-1]))
        entries = [_kind(backbone), f"koine.strategies:STRATEGIES[{chain.last.name}]"]
        return self._job("train", [*words, flags(backbone.optimisation), self._device], files, own=own, entries=entries)

    # --- evaluate, report -------------------------------------------------------------------------------------

    def _evaluated(self, rule: str, name: str) -> Job:
        p, benchmark = self._params, self._sources.tested[name]
        words = ["--recipe", p.recipe, *options("pools", p.evaluate.pools), *options("settings", benchmark.settings)]
        return self._job(rule, [line(*words, *options("metrics", benchmark.metrics))], entries=self._metrics([name]))

    def _shown(self) -> list[str]:
        """The strategies that the page tells of: the recipe's, and those that say which of them is an end of alpha."""
        trainings = (training for name in self._params.train.strategies for training in Chain.parse(name).trainings)
        names = {"untrained", *(training.name for training in trainings)}
        names |= {name for name, strategy in STRATEGIES.items() if strategy.takes_alpha}
        return [f"koine.strategies:STRATEGIES[{name}]" for name in sorted(names)]

    def _metrics(self, benchmarks: Iterable[str]) -> list[str]:
        names = {kind_of(metric) for name in benchmarks for metric in self._sources.tested[name].metrics}
        return [f"koine.metrics:METRICS[{name}]" for name in sorted(names)]

    def _reported(self) -> str:
        """Arguments of `koine report`: every evaluation, filter summary, model and index."""
        data, models = self._data, self._models
        tested, probes = self._sources.tested, self._sources.probes
        evaluated = [f"{data}/evaluate/{run}/{benchmark}" for run in models.evaluated for benchmark in tested]
        probed = [f"{data}/evaluate/{run}/{probe}" for run in models.shown for probe in probes]
        domains = {name: f"{data}/collect/benchmarks/{name}/domains.parquet" for name in self.collect_domains}
        return line(
            *evaluated, *probed,
            *options("collected", [f"{data}/collect/collect.json"]),
            *options("filtered", [f"{data}/filter/{lang}.json" for lang in self._params.translate.languages]),
            *options("models", [f"{self._folder}/{run}/koine.json" for run in models.shown]),
            *options("indexes", [f"{data}/index/{run}/{benchmark}/index.json" for run in models.indexed for benchmark in tested]),
            *pairs("domains", domains),
        )  # fmt: skip


def _kind(backbone: Backbone) -> str:
    return f"koine.backbones.kinds:KINDS[{backbone.kind}]"


def _own_model(model: str) -> list[str]:
    """The files of a model that is a person's own folder; none of an id of the Hub, whose revision says what it holds."""
    folder = own_folder(model)
    return [str(file) for file in files_of(folder)] if folder else []


def downloads_of(source: Source) -> dict[str, str]:
    """Options of `collect-download` by file of a source; none where a person brings it."""
    return {file: _download(wanted) for file, wanted in downloads(source).items()}


def _download(wanted: dict[str, Any]) -> str:
    """Options of `collect-download` for one of `registry.downloads`."""
    words = [word for option, value in wanted.items() if option != "columns" and value for word in (f"--{option}", value)]
    return line(*words, *pairs("columns", wanted.get("columns", {})))


def _strategy(chain: Chain, strategy: str, params: Params) -> str:
    """The flags that a strategy's last training reads: a parameter that it does not read retrains nothing of it."""
    training, train = chain.last, params.train
    entry = training.strategy
    words = ["--strategy", strategy]
    words += options("only", [params.translate.source, *params.translate.languages][: training.count] if training.count else [])
    if not entry.trains:
        return line(*words)
    if entry.takes_alpha and training.alpha is None:
        words += ["--alpha", str(train.alpha)]
    if entry.crosses:
        words += [switch("equal-languages", train.languages.equal_languages), "--pair-per", train.languages.pair_per]
    if entry.draws_languages:
        words += ["--sampling-exponent", str(train.languages.sampling_exponent)]
    if entry.objective == PAIRS and not entry.gradients:  # the others always note the cosine
        words += ["--gradient-cosine-every", str(train.gradient_cosine_every)]
    return f"{line(*words)} {flags(train.datasets)} {flags(train.validation)}"
