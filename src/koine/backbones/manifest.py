"""Koine's own file in a model folder: how the model was made, and the sha256 of its files."""

from pathlib import Path

from koine.backbones.kinds import KINDS, Kind
from koine.names import entry_of
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json

MANIFEST = "koine.json"
#: The kind of a model without that file: what sentence-transformers saved, or the Hub has.
FOREIGN = "frozen"


def kind_of(model: str | Path) -> str:
    """The name of a model's kind in `kinds.KINDS`.

    Args:
        model: a folder, or a Hub id.

    Raises:
        KoineError: the model folder's koine.json names a kind that there is not, or none.
    """
    path = Path(model) / MANIFEST
    if not path.is_file():
        return FOREIGN
    about = read_json(path)
    name = about.get("kind") if isinstance(about, dict) else None
    try:
        entry_of(KINDS, str(name), "kind of backbone")
    except ValueError as error:
        raise KoineError(f"{path}: {error}; it was changed by hand, or made by another version of Koine") from None
    return str(name)


def entry(model: str | Path) -> Kind:
    """The entry of a model's kind; see `kind_of`."""
    return KINDS[kind_of(model)]
