"""Names that a person writes: the entry of a registry, and the nearest one where there is none."""

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")

#: A registry: entries by name. What a command can reach counts as its code (`koine.code`); of a registry that is only the
#: entries that a job names, so that a new one reruns nothing. An entry may name what it needs as `koine.module:name`, which
#: `target` imports when it is used.
Registry = dict[str, T]


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'hybrid'?)` for a name that is not known; nothing where no known name is like it.

    >>> nearest("hybird", ["hybrid", "x-y"])
    "; did you mean 'hybrid'?"
    """
    near = [found for found in difflib.get_close_matches(name, list(known), n=1) if found != name]
    return f"; did you mean {near[0]!r}?" if near else ""


def entry_of(registry: Mapping[str, T], name: str, what: str) -> T:
    """The entry of a registry.

    Args:
        registry: the entries by name.
        name: the one that is wanted.
        what: what an entry is, for the message: `backend`.

    Raises:
        ValueError: there is none of this name; the message has the nearest one, and all that there are.

    >>> entry_of({"flat": 1, "hnsw": 2}, "flta", "kind of index")
    Traceback (most recent call last):
    ValueError: unknown kind of index 'flta'; did you mean 'flat'? (known: flat, hnsw)
    """
    if name not in registry:
        raise ValueError(f"unknown {what} {name!r}{nearest(name, registry)} (known: {', '.join(registry)})")
    return registry[name]


def target(place: str) -> Any:
    """What a registry's entry names: a function or class, as `koine.train.surgery:Surgery`; its module is imported now."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
