"""A benchmark of the registry, downloaded and prepared outside of the workflow."""

from pathlib import Path
from typing import Any

from koine.collect import registry
from koine.collect.benchmark import collect_benchmark
from koine.collect.download import collect_download
from koine.collect.sample import collect_sample
from koine.params import Benchmark, Sample
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256


def prepare_benchmark(name: str, scratch: Path, raw: Path | None = None) -> Path:
    """Download and read a benchmark of the registry.

    Args:
        name: in the registry.
        scratch: folder for all that is not kept.
        raw: where downloaded files are kept, as the workflow's are in data/raw; None keeps none. A data set of the Hub stays in
            the Hub's own cache.

    Returns:
        Its folder below `scratch`: queries.parquet, passages.parquet and qrels.parquet, as of `koine collect-benchmark`.

    Raises:
        KoineError: there is no such benchmark; its files cannot be had, or are no longer what they were.
    """
    entry = registry.benchmark(name)
    folder = scratch / name
    collect_benchmark(
        _files(name, entry, scratch, raw), folder, reader=entry.reader, candidate=entry.candidate,
        parallel_only=entry.parallel_only, native=entry.native, split=entry.split,
    )  # fmt: skip
    return folder


def _files(name: str, entry: Benchmark, scratch: Path, raw: Path | None) -> dict[str, Path]:
    """The benchmark's files by language, made, downloaded, or as a person has put them there."""
    if name == "sample":
        collect_sample(scratch / "sample", sample=Sample(languages=list(entry.files), defect_rate=0.0))
        return {lang: scratch / "sample" / "beir" / file.name for lang, file in entry.files.items()}
    if entry.path is not None:
        files = {lang: Path(entry.path.format(name=file.name)) for lang, file in entry.files.items()}
        if absent := next((path for path in files.values() if not path.exists()), None):
            raise KoineError(f"{absent}: not there" + (f"; {entry.home}" if entry.home else ""))
        return files
    folder = raw / name if raw and not entry.hub else scratch / name / "raw"
    for path, wanted in registry.downloads(entry).items():
        _download(folder / path, wanted)
    return {lang: folder / file.name for lang, file in entry.files.items()}


def _download(path: Path, wanted: dict[str, Any]) -> None:
    """Bring one file of `registry.downloads`, unless it is there with the checksum that it is to have."""
    known = None if "hub" in wanted else wanted["sha256"]
    if "hub" in wanted or not (path.is_file() and known in (None, sha256(path))):
        collect_download(path, **wanted)
