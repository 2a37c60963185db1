"""Names that a person writes: the entry of a registry, and the nearest one where there is none."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


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
