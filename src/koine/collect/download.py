"""`koine collect-download`: one file of a source, from its address, a mirror or the Hugging Face Hub."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from koine.runtime.console import progress, say
from koine.runtime.download import download
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic, write_jsonl
from koine.runtime.hub import on_disk

QRELS_COLUMNS = ("query-id", "corpus-id", "score")


def collect_download(
    out: Path, *, location: str = "", sha256: str = "", hub: str = "", revision: str = "", config: str = "", split: str = "train",
    columns: Mapping[str, str] = {},
) -> None:  # fmt: skip
    """Download one file of a source, its checksum checked, or take it from KOINE_MIRROR.

    A split of a Hub data set is written as JSONL, or where `out` ends in .tsv as a BEIR folder's judgements.
    `KOINE_MODELS=DIR` answers `org/name` with the folder DIR/org/name.

    Args:
        out: Where the file goes.
        location: https address, or path below KOINE_MIRROR.
        sha256: Checksum that the file must have; empty for any.
        hub: Instead: a data set of the Hugging Face Hub, ORG/NAME.
        revision: Its commit.
        config: Its configuration.
        split: Its split, or the only one that it has.
        columns: OURS=THEIRS, e.g. question=query; repeatable. All columns under their own names, if none is given.

    Raises:
        KoineError: neither or both of location and hub are given, it is not reachable, its checksum differs, or a column or
            split is not there.
    """
    if bool(location) == bool(hub):
        raise KoineError(f"{out}: give --location or --hub")
    if location:
        download(location, sha256 or None, out)
    else:
        rows = _read_hub(hub, revision, config, split)
        fields = columns or {name: name for name in (QRELS_COLUMNS if out.suffix == ".tsv" else rows.column_names)}
        missing = sorted(set(fields.values()) - set(rows.column_names))
        if missing:
            raise KoineError(f"{hub}: no column {', '.join(missing)}; it has {', '.join(rows.column_names)}")
        shown = progress(rows, f"{hub} {config}", len(rows))
        try:
            _write(out, list(fields), ({ours: row[theirs] for ours, theirs in fields.items()} for row in shown))
        except TypeError as error:
            raise KoineError(f"{hub}: {error}; name the columns that are needed under `columns`") from None


def _read_hub(hub: str, revision: str, config: str, split: str) -> Any:
    """A split, as a `datasets.Dataset`."""
    import datasets  # slow to import, and needed by nothing else

    place = str(on_disk(hub) or hub)
    try:
        splits = datasets.get_dataset_split_names(place, config or None, revision=revision or None)
        if split not in splits and len(splits) > 1:
            raise KoineError(f"{hub}: no split {split}; it has {', '.join(splits)}")
        chosen = split if split in splits else splits[0]
        if chosen != split:
            say(f"{hub} {config}: taking its only split, {chosen}")
        return datasets.load_dataset(place, config or None, split=chosen, revision=revision or None)
    except (OSError, ValueError) as error:
        raise KoineError(f"{hub}: cannot be loaded ({error}); offline, put it at KOINE_MODELS/{hub}") from None


def _write(out: Path, fields: Sequence[str], records: Iterator[dict[str, Any]]) -> None:
    if out.suffix != ".tsv":
        write_jsonl(out, records)
        return
    with atomic(out) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write("\t".join(fields) + "\n")
        stream.writelines("\t".join(map(_plain, record.values())) + "\n" for record in records)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)  # a grade of 1.0 is 1
