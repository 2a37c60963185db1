"""The style sheet of a page: page.css, the colours of its strategies (`koine.strategies`) and the shades of its maps.

Nothing of the data stands in it, but numbers: the policy of the page knows it by its digest, and forbids styles in elements.
"""

from pathlib import Path

from koine.report.markup import Html
from koine.report.view import View, base_of
from koine.strategies import STRATEGIES

DARK = 0.6  # share of the colour scale from which text is light
OTHER = "other"  # the colour, in page.css, of what is no strategy of Koine's


def style(view: View) -> Html:
    """All of it."""
    sheet = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return Html("\n".join([sheet, colours(view), shades()]))


def colours(view: View) -> str:
    """A property with the colour of each strategy of the registry, and a class for each strategy of the page.

    A strategy at its own α or in fewer languages is a shade of the strategy's colour; one of half the steps, and a chain, are
    mixed with ink.
    """
    bases = {name: base_of(name) if base_of(name) in STRATEGIES else OTHER for name in view.strategies}
    known = [name for name in STRATEGIES if name in bases.values()]
    defined = "".join(f" --{name}: light-dark({', '.join(STRATEGIES[name].colour)});" for name in known)
    rules = [f":root {{{defined} }}"]
    for name, base in bases.items():
        colour = f"var(--{base})"
        shades = [one for one in view.strategies if bases[one] == base != one and "+" not in one]
        if name in shades and base != OTHER:
            ink = 30 + round(45 * shades.index(name) / max(1, len(shades) - 1))
            colour = f"color-mix(in oklab, var(--ink) {ink}%, {colour})"
        elif "+" in name or (base != OTHER and STRATEGIES[base].steps < 1):
            colour = f"color-mix(in oklab, var(--ink) 35%, {colour})"
        rules.append(f".{view.colour(name)} {{ --own: {colour}; color: var(--own); }}")
    return "\n".join(rules)


def shades() -> str:
    """A class for each share of 100, and the colour of the text on the dark ones."""
    rules = [f".v{share} {{ --v: {share}; }}" for share in range(101)]
    dark = ", ".join(f".heat .v{share}" for share in range(101) if share > 100 * DARK)
    return "\n".join([*rules, f"{dark} {{ color: var(--on-hot); }}"])
