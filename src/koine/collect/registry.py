"""What a source or benchmark name stands for, what has to be downloaded for it, and the list of all that are known."""

import difflib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar

import yaml

from koine.collect.readers import READERS
from koine.licences import labelled
from koine.names import target
from koine.params import HELD_OUT, Benchmark, File, Params, Probe, Source, language_of
from koine.runtime.errors import KoineError

T = TypeVar("T")
S = TypeVar("S", bound=Source)

SHOWN = 4  # languages that `listing` names; of more it says how many
COMMIT = 40  # digits of a git commit


class _Known(NamedTuple):
    sources: dict[str, Source]
    benchmarks: dict[str, Benchmark]
    probes: dict[str, Probe]
    sets: dict[str, list[str]]  # names that stand for several benchmarks


@cache
def _built_in() -> _Known:
    entries, tatoeba = _read("sources.yaml"), _read("tatoeba.yaml")
    for language, (code, own, english) in tatoeba["pairs"].items():
        both = {language: (code, own), "en": ("eng", english)}
        named = {lang: {"name": f"tatoeba.{code}-eng.{end}", "sha256": checksum} for lang, (end, checksum) in both.items()}
        entries["benchmarks"][f"tatoeba-{language}"] = {**tatoeba["entry"], "files": named}
    sets = {"tatoeba": list(tatoeba["pairs"]), **tatoeba["sets"]}
    return _Known(
        {name: Source.model_validate(_whole(entry)) for name, entry in entries["sources"].items()},
        {name: Benchmark.model_validate(_whole(entry)) for name, entry in entries["benchmarks"].items()},
        {name: Probe.model_validate(_whole(entry)) for name, entry in entries["probes"].items()},
        {name: [f"tatoeba-{language}" for language in languages] for name, languages in sets.items()},
    )


def _read(name: str) -> dict[str, Any]:
    entries: dict[str, Any] = yaml.safe_load(files("koine.collect").joinpath(name).read_text(encoding="utf-8"))
    return entries


def _whole(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry whose files may be plain names: `{ar: arabic}` is `{ar: {name: arabic}}`."""
    return {**entry, "files": {key: {"name": file} if isinstance(file, str) else file for key, file in entry["files"].items()}}


def source(name: str, params: Params | None = None) -> Source:
    """Look a source up, first among the recipe's own, then in `sources.yaml`.

    Raises:
        KoineError: there is none of this name; the message lists the nearest ones.
    """
    found = _find(name, {**_built_in().sources, **(params.collect.registry if params else {})}, "source", "collect")
    return _placed(found, params)


def benchmark(name: str, params: Params | None = None) -> Benchmark:
    """Look a benchmark up, first among the recipe's own, then in `sources.yaml` and `tatoeba.yaml`.

    Raises:
        KoineError: there is none of this name; the message lists the nearest ones, or the members of a set.
    """
    own = params.evaluate.registry if params else {}
    if name == HELD_OUT and params and params.collect.heldout.questions:
        return _held_out(params)
    if name in _built_in().sets and name not in own:
        members = _built_in().sets[name]
        few = ", ".join(members[:3])
        raise KoineError(f"{name} is a set of {len(members)} benchmarks, such as {few}; name one, or use it in a recipe")
    found = _find(name, {**_built_in().benchmarks, **own}, "benchmark", "evaluate")
    if name == "sample" and params:  # it is made in as many languages as are asked for
        found = found.model_copy(update={"files": {lang: File(name=lang) for lang in params.collect.sample.languages}})
    return _placed(found, params)


def _held_out(params: Params) -> Benchmark:
    """The benchmark of a recipe's own questions: folders that `koine filter-heldout` writes, once translations are there."""
    t = params.translate
    own = [source(name, params).size for name in params.collect.heldout.sources or params.collect.sources]
    sizes = (params.collect.heldout.questions, sum(size[1] for size in own if size))
    questions, passages = (size * (1 + len(t.languages)) for size in sizes)
    return Benchmark(
        path=f"data/{params.recipe}/filter/{HELD_OUT}/{{name}}",
        reader="beir",
        files={lang: File(name=lang) for lang in (t.source, *t.languages)},
        size=(questions, passages),
    )


def _placed(found: S, params: Params | None) -> S:
    """The entry with the folder of the recipe's sample in its path."""
    folder = (params or Params()).sample_folder
    return found.model_copy(update={"path": found.path.replace("{sample}", folder)}) if found.path else found


def benchmarks(params: Params) -> dict[str, Benchmark]:
    """The benchmarks of a recipe by name; a set stands for its members. Errors as `benchmark`."""
    sets = {name: members for name, members in _built_in().sets.items() if name not in params.evaluate.registry}
    names = [member for name in params.evaluate.benchmarks for member in sets.get(name, [name])]
    return {name: benchmark(name, params) for name in names}


def known(name: str, params: Params | None = None) -> Source:
    """A source or a benchmark. Errors as `benchmark`, of which there are more."""
    named = {**_built_in().sources, **(params.collect.registry if params else {})}
    return source(name, params) if name in named else benchmark(name, params)


def probe(name: str) -> Probe:
    """Look a probe of sentence vectors up in `sources.yaml`.

    Raises:
        KoineError: there is none of this name; the message lists the nearest ones.
    """
    return _find(name, _built_in().probes, "probe", "evaluate")


def _find(name: str, known: dict[str, T], kind: str, block: str) -> T:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=3) or sorted(known)
    raise KoineError(f"unknown {kind} {name!r}: try {', '.join(near)}, or define it under {block}.registry")


def downloads(source: Source) -> dict[str, dict[str, Any]]:
    """What has to be downloaded of a source: path below data/raw/NAME, to the options of `collect_download`.

    A Hub data set in the format of a folder gives the folder's files for each language; a `path` needs nothing.
    """
    if source.path is not None:
        return {}
    if source.hub is None:
        address = source.url or source.mirror or ""
        return {
            file.name: {"location": address.format(name=file.name), "sha256": file.sha256 or ""} for file in source.files.values()
        }
    usual = {"hub": source.hub, "revision": source.revision, "split": source.split, "columns": source.columns}
    tables = READERS[source.reader].tables
    found = {}
    for name in (file.name for file in source.files.values()):
        paths = {part: f"{name}/{file}" for part, file in target(tables).items()} if tables else {"": name}
        for part, path in paths.items():
            found[path] = {**usual, "config": source.config.format(name=name, part=part)}
    return found


def listing() -> Iterator[tuple[str, str, str, str, str, str]]:
    """Name, kind, languages, licence, version and origin of everything that is known; a set's members are one row.

    What a licence forbids stands behind it, in brackets.
    """
    known = _built_in()
    members = {name for names in known.sets.values() for name in names}
    for name, entry in known.sources.items():
        gives = next(iter(READERS[entry.reader].reads))
        yield (name, "source" if gives == "questions" else gives, *_row(entry, entry.files))
    for name, entry in known.benchmarks.items():
        if name not in members:
            yield name, "benchmark", *_row(entry, entry.files)
    for name, probed in known.probes.items():
        yield name, "probe", *_row(probed, probed.files)
    for name, names in known.sets.items():
        languages = dict.fromkeys(lang for member in names for lang in known.benchmarks[member].files)
        yield name, f"{len(names)} benchmarks", *_row(known.benchmarks[names[0]], languages)


def _row(entry: Source, keys: Iterable[str]) -> tuple[str, str, str, str]:
    languages = sorted({language_of(key) for key in keys}) or ["any"]
    shown = " ".join(languages) if len(languages) <= SHOWN else str(len(languages))
    version = entry.version or entry.revision
    if entry.hub:
        origin = f"Hub: {entry.hub}"
    elif entry.path:
        first = next(iter(entry.files.values()), None)
        origin = f"your copy: {entry.path.format(name=first.name)}" if first and entry.home else "koine collect-sample"
    elif entry.mirror:
        origin = f"KOINE_MIRROR/{entry.mirror}"
    else:
        origin = "/".join((entry.url or "").split("/")[2:5]).replace("raw.githubusercontent", "github")  # host, owner, repository
    return shown, labelled(entry.licence), version[:7] if len(version) == COMMIT else version, origin.removesuffix("/{name}")
