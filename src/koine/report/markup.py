"""HTML that cannot be broken by data: every string becomes text, unless it is markup already.

`tag` builds elements; what it is given as `str` is escaped, and only what it (or `join`) returned is not. The page
has no other way to make an element, so a hostile name in a recipe stays a name.
"""

import math
from collections.abc import Iterable
from html import escape

from babel import Locale, UnknownLocaleError

_VOID = frozenset({"meta", "input"})
_SHAPES = frozenset({"circle", "line", "path", "polygon", "polyline", "rect"})
DASH = "–"


class Html(str):
    """Markup; a plain `str` is text."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | float | None) -> Html:
    """An element.

    Args:
        name: of the element.
        children: markup, text, or None for nothing.
        attributes: `class_` is `class`, and other underscores are hyphens; None leaves the attribute out.
    """
    values = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    opened = name + "".join(f' {key}="{escape(value if isinstance(value, str) else number(value))}"' for key, value in values)
    inner = join(children)
    if name in _SHAPES and not inner:
        return Html(f"<{opened}/>")
    return Html(f"<{opened}>" if name in _VOID else f"<{opened}>{inner}</{name}>")


def join(parts: Iterable[str | None], separator: str = "") -> Html:
    """Markup and text one after the other."""
    return Html(escape(separator).join(part if isinstance(part, Html) else escape(part) for part in parts if part is not None))


def caption(text: str) -> Html:
    """What a table is, for those who do not see the headings around it."""
    return tag("caption", text, class_="sr")


def number(value: float) -> str:
    """Shortest text of a number with two decimals, for coordinates."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def fraction(value: float | None, digits: int = 3) -> str:
    """`.637`; a dash where there is no value."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("0.") else text


def rank(value: float | None) -> str:
    """`4,137`, and `8.3` where tenths matter; a dash where there is no value."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def share(part: float, whole: float) -> str:
    """`65.3 %`; a dash of nothing."""
    return f"{part / whole:.1%}" if whole else DASH


def count(value: int, one: str, many: str | None = None) -> str:
    """`1 seed`, `1,700 seeds`."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def listing(words: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    *before, final = list(words) or [""]
    return f"{', '.join(before)} {last} {final}" if before else final


def script_name(code: str) -> str:
    """English name of a script (ISO 15924); the code itself where it has none."""
    return str(Locale("en").scripts.get(code, code))


def language(code: str) -> str:
    """English name of a BCP 47 language; the code itself where it has none."""
    try:
        return str(Locale.parse(code, sep="-").get_display_name("en") or code)
    except (UnknownLocaleError, ValueError, TypeError):
        return str(Locale("en").languages.get(code, code))
