"""Where an experiment's data comes from: what is downloaded, what is made, and what a person brings."""

from pathlib import Path
from typing import Any

from koine.collect import registry
from koine.collect.readers import READERS, folder_files
from koine.collect.sample import sample_files
from koine.params import HELD_OUT, Params, Source, language_of
from koine.runtime.errors import KoineError


class Sources:
    """The sources, benchmarks and probes of an experiment, with their files.

    Args:
        params: of the experiment.
        data: its folder.

    Attributes:
        named: sources and translation resources by name.
        tested: benchmarks by name.
        probes: by name.
        sample: the sample's folder, and `sample_files` what is made in it.
        heldout: the rows of the benchmark of the recipe's own questions, if there is one, and `heldout_files` its files: the
            workflow makes them.
        foreign: benchmarks that training must not have seen; held-out questions are put aside, which is another way.

    Raises:
        KoineError: a name is not known, or a memory stands among the sources of questions.
    """

    def __init__(self, params: Params, data: str) -> None:
        names = [*params.collect.sources, *params.translate.resources, *params.translate.reverse]
        self.named = {name: registry.source(name, params) for name in names}
        self.tested = registry.benchmarks(params)
        self.probes = {name: registry.probe(name) for name in params.evaluate.probes}
        self.sample = params.sample_folder
        self.sample_files = [f"{self.sample}/{name}" for name in sample_files(params.collect.sample.languages)]
        self.heldout = [f"{data}/collect/heldout.parquet"] if HELD_OUT in self.tested else []
        self.heldout_files = paths_of(HELD_OUT, self.tested[HELD_OUT]) if HELD_OUT in self.tested else []
        self.foreign = [name for name in self.tested if name != HELD_OUT]
        self._params = params
        for name in params.collect.sources:
            if "questions" not in READERS[self.named[name].reader].reads:
                raise KoineError(f"collect.sources: {name!r} holds no questions; it belongs under translate.resources")

    @property
    def every(self) -> list[tuple[str, Source]]:
        """Sources, benchmarks and probes; a source and a benchmark may have one name."""
        return [*self.tested.items(), *self.named.items(), *self.probes.items()]

    @property
    def downloads(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By source and file below data/raw/SOURCE: what `collect-download` is told."""
        return {name: registry.downloads(source) for name, source in self.every if source.path is None}

    @property
    def locations(self) -> dict[str, dict[str, str]]:
        """Where `collect-download` finds each file of a source that is not on the Hub."""
        files = {name: {file: str(what.get("location", "")) for file, what in wanted.items()} for name, wanted in
                 self.downloads.items()}  # fmt: skip
        return {name: wanted for name, wanted in files.items() if all(wanted.values()) and wanted}

    @property
    def hub_ids(self) -> dict[str, tuple[str, str]]:
        """Ids and revisions of the data sets of the Hub, by source."""
        return {name: (source.hub, source.revision) for name, source in self.every if source.hub is not None}

    @property
    def own_files(self) -> list[str]:
        """Files that a person says are there: whatever has a path and is not made by the workflow, and labels of domains."""
        made = {*self.sample_files, *self.heldout_files}
        files = [path for name, source in self.every if source.path is not None for path in paths_of(name, source)]
        labels = [wanted for wanted in self._params.evaluate.domains.values() if isinstance(wanted, str)]
        return list(dict.fromkeys([*(path for path in files if path not in made), *labels]))

    @property
    def homes(self) -> dict[str, str]:
        """Where own files can be had, by path."""
        brought = [(name, source) for name, source in self.every if source.path and source.home]
        return {path: source.home for name, source in brought for path in paths_of(name, source)}

    @property
    def absent(self) -> list[str]:
        """Those that are not there yet: a job that says where to get them stands in, so that all can be planned before."""
        return [path for path in self.own_files if path in self.homes and not Path(path).exists()]

    def probe_files(self, name: str) -> dict[str, str]:
        """The files of a probe, `train` and `test`."""
        return {key: path_of(name, self.probes[name], file.name) for key, file in self.probes[name].files.items()}

    def for_language(self, names: list[str], lang: str) -> list[str]:
        """The files of translation resources that may serve a language: keyed by it, by a pair with it, or by `all`."""
        source = self._params.translate.source
        wanted = {lang, f"{source}-{lang}", f"{lang}-{source}", "all"}
        files = [(name, file) for name in names for key, file in self.named[name].files.items() if language_of(key) in wanted]
        return [path_of(name, self.named[name], file.name) for name, file in files]


def path_of(name: str, source: Source, file: str) -> str:
    """Where a file of a source lies: the person's own path, or data/raw, where `collect-download` brings it."""
    return source.path.format(name=file) if source.path is not None else f"data/raw/{name}/{file}"


def paths_of(name: str, source: Source) -> list[str]:
    """All files of a source, as Snakemake's inputs; of a reader of folders those that a folder consists of."""
    paths = list(dict.fromkeys(path_of(name, source, file.name) for file in source.files.values()))
    return [str(file) for path in paths for file in folder_files(source.reader, Path(path), source.split)]
