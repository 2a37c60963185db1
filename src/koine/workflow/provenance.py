"""The memory of what was made, shared out by recipe, so that DVC can store it beside the data.

Snakemake keeps a record of every file that it made (by which rule, from what, with which parameters and code): one file
each in `.snakemake/metadata`, for all recipes of a checkout at once. A clone that has the files without their records
would rerun nothing, whatever was changed. So the records of a recipe's files lie in `data/<recipe>/provenance.jsonl`,
and those of a data set or a converted translator, which recipes share, in its own folder. Each line has the digest of
the file as well: a record never vouches for a file of other content.

A run does this: `restore` before the workflow is planned, `began` before its first job, `store` after its last one.
Whatever is killed in between, `restore` of the next run puts right.
"""

import json
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from koine.collect import registry
from koine.params import DEFAULT, Params
from koine.params.recipe import STAGES
from koine.runtime.errors import KoineError
from koine.runtime.files import lock, read_json, read_jsonl, read_text, sha256, write_json, write_jsonl
from koine.workflow.experiment import Experiment

METADATA = Path(".snakemake/metadata")
INCOMPLETE = Path(".snakemake/incomplete")
STATE = Path(".snakemake/koine")
LOCK = Path(".snakemake/koine.lock")  # of the checkout, while a run is on
NAME = "provenance.jsonl"
SHARED = ("data/raw", "models/translation")  # each folder in them belongs to all recipes
ABSENT = "absent"
UNKNOWN = ["'whatever made the file that is here now'"]  # parameters that no job has: the file is made again
PASSING = {"starttime", "endtime", "job_hash", "external_jobid", "incomplete", "shellcmd"}  # of a record, what one run has alone
CODE = re.compile(r"'([0-9a-f]{16})'")  # of the digest of a step's code, among the parameters of its jobs

Record = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One line of a provenance file: Snakemake's record of a file, and the digest of the file.

    The record is without what differs between two runs that make the same: times, processes, execution settings.
    """

    file: str
    sha256: str
    record: Record


@dataclass(frozen=True)
class Home:
    """A provenance file, and whose records it has: of all files below some folders, and of those directly in others."""

    path: Path
    below: tuple[str, ...]
    directly: tuple[str, ...] = ()

    def holds(self, file: str) -> bool:
        """Whether the record of a file belongs here."""
        return file.startswith(self.below) or file.rpartition("/")[0] in self.directly

    def read(self) -> dict[str, Entry]:
        """The entries by file; none where the provenance file is not there."""
        rows = (row for _, row in read_jsonl(self.path)) if self.path.is_file() else ()
        return {row["file"]: Entry(**row) for row in rows}

    def digest(self) -> str | None:
        """Of the provenance file; None where it is not there."""
        return sha256(self.path) if self.path.is_file() else None

    @property
    def _note(self) -> Path:
        return STATE / f"{quote(str(self.path), safe='')}.json"

    def seen(self) -> dict[str, Any] | None:
        """What this checkout noted when it last compared the provenance file with Snakemake's records."""
        return read_json(self._note) if self._note.is_file() and METADATA.is_dir() else None

    def note(self, *, running: bool) -> None:
        """Note that the provenance file and Snakemake's records agree, or (`running`) that a run is about to change records.

        Of each file, the note has the time at which it was made: its record alone does not tell two runs apart.
        """
        times = {file: (read_record(file) or {}).get("endtime") if Path(file).exists() else ABSENT for file in self.read()}
        write_json(self._note, {"sha256": self.digest(), "running": running, "times": times})


class Provenance:
    """The records of one recipe, and of all that it shares with others.

    Args:
        experiment: the recipe's.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        shared = [
            *(f"data/raw/{name}/" for name in experiment.sources.downloads),
            *(f"models/translation/{name}/" for name in experiment.jobs.translate_convert),
        ]
        below = (f"{experiment.data}/", f"{experiment.model_folder}/", f"{experiment.sources.sample}/", *shared)
        self._own = Home(Path(experiment.data, NAME), below, (experiment.results,))

    def _homes(self) -> list[Home]:
        """The recipe's, and those of everything shared that is here, also of what this recipe does not use."""
        folders = [folder for root in SHARED if Path(root).is_dir() for folder in sorted(Path(root).iterdir()) if folder.is_dir()]
        return [self._own, *(Home(folder / NAME, (f"{folder}/",)) for folder in folders)]

    def restore(self) -> None:
        """Give Snakemake the records that DVC or git brought, and store those that a killed run left.

        What is here is left alone unless DVC replaced the provenance file: then a record in it wins where the file on
        disk is the one that it tells of. A file that no record tells of, though one tells of another version of it,
        is made again. A call that finds all as the last one left it reads a few small files.

        Raises:
            KoineError: DVC runs the recipe, and the stage does not depend on one of the user's own files.
        """
        self._check_stage()
        replaced, unsaved, recorded = [], False, cache(lambda: list(_recorded()))
        for home in self._homes():
            digest, seen = home.digest(), home.seen()
            if digest is None:
                unsaved = unsaved or any(home.holds(file) for file in recorded())
                continue
            absent = {file for file, time in seen["times"].items() if time == ABSENT} if seen else set()
            if seen is None or seen["sha256"] != digest or any(Path(file).exists() for file in absent):
                replaced.append((home, absent))
            unsaved = unsaved or bool(seen and seen["running"])
        if replaced:
            self._restore([home for home, _ in replaced], set().union(*(absent for _, absent in replaced)))
        if unsaved and (held := _lock()):
            with held:
                self.store()

    def _check_stage(self) -> None:
        """Where DVC runs the recipe: see to it that it depends on the user's own files, or it would miss their changes.

        Raises:
            KoineError: a file is missing among the stage's `deps`.
        """
        name = os.environ.get("DVC_STAGE", "").rpartition(":")[2]  # its file is as DVC's current folder sees it
        for stages in [path for path in STAGES if name and path.is_file()]:
            stage = yaml.safe_load(read_text(stages))["stages"].get(name, {})
            for _, file in self._experiment.named_paths() if "deps" in stage else ():  # a data set depends on nothing
                if not any(file.is_relative_to(folder) for folder in stage["deps"]):
                    raise KoineError(
                        f"{stages}: {name} does not depend on {file}, so `dvc repro` would not see that it changed; "
                        "add the file, or its folder, to the stage's deps"
                    )

    def _restore(self, homes: list[Home], new: set[str]) -> None:
        """Write records of some homes; what was absent when the last ones were written is `new`."""
        known: dict[str, list[Entry]] = {}
        for home in homes:
            for file, entry in home.read().items():
                known.setdefault(file, []).append(entry)
        INCOMPLETE.mkdir(parents=True, exist_ok=True)  # without it Snakemake takes the records for those of an old version
        for file, entries in known.items():
            live = read_record(file)
            if live and file in new and "endtime" not in live:  # restored before there was a file to compare it with
                live = None
            if not Path(file).is_file():
                if live is None:
                    write_record(file, entries[0].record)
            elif live is None or all(lasting(live) != entry.record for entry in entries):
                digest = sha256(Path(file))
                told = next((entry for entry in entries if entry.sha256 == digest), None)
                if told:
                    write_record(file, told.record)
                elif live is None:
                    write_record(file, {**entries[0].record, "params": UNKNOWN})
        for home in homes:
            seen = home.seen()
            home.note(running=bool(seen and seen["running"]))

    def began(self) -> None:
        """Note that jobs are about to run: if none of them comes to `store`, the next `restore` does it."""
        for home in self._homes():
            home.note(running=True)

    def store(self) -> None:
        """Write the records of all files into their provenance files, and what the table was made of to `inputs.json`."""
        recorded = list(_recorded())
        for home in self._homes():
            before, times = home.read(), (home.seen() or {}).get("times", {})
            held = (file for file in recorded if home.holds(file))
            now = {file: entry for file in held if (entry := _entry(file, before.get(file), times.get(file)))}
            if home is self._own:
                self._say_inputs(now)
            if now and now != before:
                write_jsonl(home.path, (vars(now[file]) for file in sorted(now)))
            home.note(running=False)

    def _say_inputs(self, entries: dict[str, Entry]) -> None:
        """Write `inputs.json` beside the table, unless the table is not made of what the records tell of."""
        found = made_of(f"{self._experiment.results}/table.csv", entries)
        path = Path(self._experiment.results, "inputs.json")
        if found is None:
            return
        sources: dict[str, dict[str, Any]] = {}
        for file, digest in found["sources"].items():
            if file.startswith("data/raw/"):
                name, inside = file.split("/", 3)[2:]
            else:  # no source is fetched but the sample, which is made
                name, inside = DEFAULT, file.removeprefix(f"{self._experiment.sources.sample}/")
            sources.setdefault(name, {**_origin(name, self._experiment.params), "files": {}})["files"][inside] = digest
        value = {**found, "sources": sources}
        if not path.is_file() or read_json(path) != value:
            write_json(path, value)


def made_of(table: str, entries: dict[str, Entry]) -> dict[str, Any] | None:
    """What a file was made of, by the records: sources, own files, models and code, each by its digest.

    Args:
        table: the file.
        entries: of all files by name.

    Returns:
        `table` (sha256), `sources` and `own` and `models` (sha256 by file), `code` (digest by rule); None where a file is
        not the one that the next was made from, or the table has no record.
    """
    if table not in entries:
        return None
    found: dict[str, Any] = {"table": entries[table].sha256, "sources": {}, "own": {}, "models": {}, "code": {}}
    todo, seen = [table], {table}
    while todo:
        file = todo.pop()
        record = entries[file].record
        for value in record["params"] or []:
            if match := CODE.fullmatch(value):
                found["code"][record["rule"]] = match[1]
        sums = {name: value.rpartition(":")[2] for name, value in (record["input_checksums"] or {}).items()}
        for name in record["input"] or []:
            digest = sums.get(name)
            if name in entries and digest != entries[name].sha256:
                return None
            if name in seen or digest is None or name.startswith("src/"):  # the program's own files count as code
                continue
            seen.add(name)
            if name not in entries:
                found["own"][name] = digest
                continue
            todo.append(name)
            if name.endswith((".safetensors", "model.bin")):
                found["models"][name] = digest
            elif not entries[name].record["input"]:
                found["sources"][name] = digest
    return {key: dict(sorted(value.items())) if isinstance(value, dict) else value for key, value in found.items()}


def _origin(name: str, params: Params) -> dict[str, str]:
    """Where a source or benchmark comes from, at which revision, under which licence."""
    said = registry.known(name, params).model_dump(include={"url", "mirror", "hub", "revision", "version", "licence"})
    return {key: value for key, value in said.items() if value}


def _entry(file: str, before: Entry | None, time: float | None) -> Entry | None:
    """The entry of a file as it is now; `before` where it is absent or half made; None where nothing is known.

    `time` is when it was made that `before` tells of.
    """
    record = read_record(file)
    if record is None or record_path(INCOMPLETE, file).exists() or not Path(file).is_file():
        return before
    if before and before.record == lasting(record) and record.get("endtime") == time:  # no need to read it again
        return before
    return Entry(file, sha256(Path(file)), lasting(record))


def lasting(record: Record) -> Record:
    """A record without what one run has alone."""
    return {key: value for key, value in record.items() if key not in PASSING}


def _lock() -> AbstractContextManager[object] | None:
    """The lock of the checkout; None where a run holds it."""
    try:
        return lock(LOCK)
    except OSError:  # a file system without locks
        return nullcontext()


# --- Snakemake's records -----------------------------------------------------------------------------------------


def record_path(root: Path, file: str) -> Path:
    """Where Snakemake keeps the record of a file: by its name in base64, cut where file names must end."""
    longest = (os.pathconf(root, "PC_NAME_MAX") if root.is_dir() else 255) - 1
    name = urlsafe_b64encode(file.encode()).decode()
    parts = [name[at : at + longest] for at in range(0, len(name), longest)]
    return root.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])


def _recorded() -> Iterator[str]:
    """The files that Snakemake has a record of."""
    for folder, _, names in os.walk(METADATA):
        before = "".join(part[1:] for part in Path(folder).relative_to(METADATA).parts)
        for name in names:
            yield urlsafe_b64decode(before + name).decode()


def read_record(file: str) -> Record | None:
    """Snakemake's record of a file; None where there is none, or a kill cut it short."""
    try:
        record: Record = json.loads(record_path(METADATA, file).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return record


def write_record(file: str, record: Record) -> None:
    """Write Snakemake's record of a file, whole or not at all."""
    path, draft = record_path(METADATA, file), STATE / f"{os.getpid()}.part"
    draft.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(json.dumps(record), encoding="utf-8")
    draft.replace(path)
