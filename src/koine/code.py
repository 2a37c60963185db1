"""A stand-in for the digest of the code that a rule can reach."""

import hashlib
from collections.abc import Iterable


def digest(rule: str, entries: Iterable[str] = ()) -> str:
    """Twelve hex digits for a rule and the registry entries that its job names."""
    return hashlib.sha256("\0".join([rule, *sorted(entries)]).encode()).hexdigest()[:12]
