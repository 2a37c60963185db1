"""Benchmarks of the registry outside of the workflow, for people who evaluate a model of their own."""

from pathlib import Path

from koine.collect import registry
from koine.collect.benchmark import collect_benchmark
from koine.collect.download import collect_download
from koine.collect.sample import collect_sample
from koine.params import Params, Sample
from koine.runtime.errors import KoineError


def prepare_benchmark(name: str, scratch: Path) -> Path:
    """Download and read a benchmark of the registry, outside of the workflow.

    Args:
        name: as `koine sources` lists it.
        scratch: where everything goes.

    Returns:
        The benchmark's folder of `collect_benchmark`, below `scratch`.

    Raises:
        KoineError: there is no such benchmark, or it cannot be had.
    """
    entry = registry.benchmark(name, Params())
    if name == "sample":
        collect_sample(scratch / "sample", sample=Sample(languages=list(entry.files), defect_rate=0.0))
    raw = scratch / "sample" / "beir" if name == "sample" else scratch / name / "raw"
    for path, wanted in registry.downloads(entry).items():
        collect_download(raw / path, **wanted)
    files = {lang: raw / file.name for lang, file in entry.files.items()}
    if entry.path is not None and name != "sample":
        files = {lang: Path(entry.path.format(name=file.name)) for lang, file in entry.files.items()}
        if absent := next((path for path in files.values() if not path.exists()), None):
            raise KoineError(f"{absent}: not there" + (f"; {entry.home}" if entry.home else ""))
    folder = scratch / name
    collect_benchmark(
        files, folder, reader=entry.reader, candidate=entry.candidate, parallel_only=entry.parallel_only,
        native=entry.native, split=entry.split,
    )  # fmt: skip
    return folder
