"""An experiment as Snakemake needs it: the parameters, and what follows from them. The Snakefile's only helper."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from koine.code import Digests
from koine.collect import registry
from koine.params import Params, parse
from koine.params.recipe import check_recipes, results_folder
from koine.runtime.hub import own_folder
from koine.workflow.content import Contents
from koine.workflow.jobs import Rules, downloads_of
from koine.workflow.models import Models
from koine.workflow.sources import Sources

MEMORY = Path(".snakemake/koine")


class Experiment:
    """Files, jobs and targets of one experiment.

    Args:
        config: the merged configuration (params.yaml and what a recipe lays over it).
        files: that it was merged of; those after params.yaml are recipes.

    Attributes:
        params: the parameters.
        data, model_folder, results: its folders.
        sources: where its data comes from.
        models: which models it has.
        jobs: of each rule.

    Raises:
        KoineError: the parameters are not valid; a file has a key twice, or is a recipe that gives itself no name of its own.
    """

    def __init__(self, config: dict[str, Any], files: Sequence[Path] = ()) -> None:
        check_recipes(map(Path, files))
        self.params: Params = parse({key: value for key, value in config.items() if key != "pathvars"})
        recipe = self.params.recipe
        self.data, self.model_folder, self.results = f"data/{recipe}", f"models/{recipe}", str(results_folder(recipe))
        self.sources = Sources(self.params, self.data)
        self.models = Models(self.params, self.model_folder)
        self._contents, code = Contents(MEMORY / "contents.json"), Digests(MEMORY / "code.json")
        self.jobs = Rules(self.params, self.sources, self.models, self.data, self.model_folder, self._contents, code)
        code.save()

    @property
    def execution(self) -> dict[str, str]:
        """Flags by rule that change only speed."""
        e = self.params.execution
        return {
            "translate": f"--threads {e.translate_threads} --batch-tokens {e.translate_batch_tokens}",
            "filter_score": f"--workers {e.workers}",
            "train": f"--checkpoint-minutes {e.checkpoint_minutes} --track {e.track}",
        }

    @property
    def launch(self) -> str:
        """What a job of several processes is started with."""
        count = self.params.compute.processes
        signals = "TORCHELASTIC_SIGNALS_TO_HANDLE=SIGTERM,SIGINT,SIGUSR1"
        return f"{signals} torchrun --standalone --nproc-per-node {count} --no-python " if count > 1 else ""

    @property
    def parallel(self) -> str:
        """The kept pairs of each language, as options."""
        return " ".join(f"--parallel {self.data}/filter/{lang}.parquet" for lang in self.params.translate.languages)

    @property
    def probes(self) -> dict[str, dict[str, Any]]:
        """The files of each probe, and what they hold."""
        paths = {name: self.sources.probe_files(name) for name in self.sources.probes}
        return {name: {**files, "content": self._contents.digest(map(Path, files.values()))} for name, files in paths.items()}

    def download(self, wildcards: Any) -> str:
        """The flags of `collect-download` for a file of a source, also of one that no recipe of this run reads."""
        known = self.jobs.collect_download.get(wildcards.source) or downloads_of(registry.known(wildcards.source))
        return str(known[wildcards.file])

    def home(self, wildcards: Any) -> str:
        """The flags of `collect-own` for a file that only a person can get."""
        return str(self.jobs.collect_own[wildcards.own])

    @property
    def shards(self) -> list[int]:
        """Numbers of the shards of a translation."""
        return list(range(self.params.translate.shards))

    def per_run(self, pattern: str, runs: Sequence[str]) -> list[str]:
        """`pattern` filled with every {run} of these and every {benchmark}."""
        return list(dict.fromkeys(pattern.format(run=run, benchmark=name) for run in runs for name in self.sources.tested))

    def per_probe(self, pattern: str) -> list[str]:
        """`pattern` filled with every trained model as {run} and every {probe}."""
        return [pattern.format(run=run, probe=probe) for run in self.models.shown for probe in self.sources.probes]

    @property
    def named_models(self) -> dict[str, tuple[str, str]]:
        """What the recipe takes from the Hub or from a folder: id and revision of each model, by what it is for."""
        p = self.params
        named = {name: (start.model, start.revision) for name in p.train.backbones if (start := p.backbones[name].start).model}
        t = p.translate
        for lang in t.languages:
            for source, target in t.ways(lang) if t.entry_for(lang).needs_model else []:
                model = t.decoding.model.format(source=source, target=target)
                named.setdefault(f"translation by {model}", (model, t.decoding.revision))
        if p.filter.score.encoder:
            named["filter.score.encoder"] = (p.filter.score.encoder, p.filter.score.encoder_revision)
        if p.train.mining.model and not self.models.miner:
            named["train.mining.model"] = (p.train.mining.model, p.train.mining.revision)
        return named

    def named_paths(self) -> list[tuple[str, Path]]:
        """Every file and folder of a person's that a parameter names, by the parameter or what it is for."""
        p = self.params
        paths = [("data", path) for path in self.sources.own_files]
        paths += [("filter.score.external", p.filter.score.external.format(lang=lang)) for lang in p.translate.languages
                  if p.filter.score.external]  # fmt: skip
        paths += [(name, model) for name, (model, _) in self.named_models.items() if own_folder(model)]
        return [(name, Path(path)) for name, path in paths]
