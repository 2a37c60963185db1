"""What a licence forbids, as far as its name says so."""

import re

#: SPDX ids, names of our own for what has none there (`LicenseRef-…`), and plain words such as "research only".
_FORBIDS = {
    "non-commercial": r"-NC\b|non-?commercial|research[- ]only|LicenseRef-(MSR-Data|MS-MARCO|Yahoo-Webscope)",
    "no-derivatives": r"-ND\b|no[- ]derivatives",
    "no-redistribution": r"no[- ]redistribution|LicenseRef-(MSR-Data|Yahoo-Webscope|CNN)",
}


def terms(licence: str) -> list[str]:
    """What a licence forbids: `non-commercial`, `no-derivatives`, `no-redistribution`; nothing, if it is not known.

    Args:
        licence: as in the registry. Of `A AND B` both count; of `A OR B` only what both forbid.
    """
    choices = licence.split(" OR ")
    return [term for term, names in _FORBIDS.items() if all(re.search(names, one, re.IGNORECASE) for one in choices)]


def labelled(licence: str) -> str:
    """The licence, with what it forbids in brackets."""
    return f"{licence} ({', '.join(found)})" if (found := terms(licence)) else licence
