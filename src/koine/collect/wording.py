"""The sample's facts in words: a question and a passage in every language.

In ten languages the sentences around the names are the hand-written ones in `sample_templates.yaml`; where others are asked for,
all are made of CLDR's names alone: a question is an entity and CLDR's word for what is not known of it ("Finland: Unknown
Currency?"). Each passage ends with an aside that names two other entities of its kind.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml
from babel import Locale, localedata

from koine.collect.cldr import KINDS, Cell, Languages, Names
from koine.text.scripts import joiner

LANGUAGES: Languages = ("en", "de", "es", "ru", "zh", "ar", "hi", "fi", "sw", "tr")  # with sentences by hand

#: What CLDR calls an unknown value of an attribute: the table of a locale, and the code there, which its standard has for
#: "unknown" or "none": ISO 4217's of currencies, ISO 639's of languages, ISO 15924's of scripts, CLDR's own of territories.
_UNKNOWN = {
    "territory.currency": ("currencies", "XXX"),  # ISO 4217: no currency
    "territory.language": ("languages", "und"),
    **dict.fromkeys(["territory.script", "language.script"], ("scripts", "Zzzz")),
    **dict.fromkeys(["territory.continent", "language.country", "city.country", "currency.country"], ("territories", "ZZ")),
}

#: By template (`Cell.template`, or `aside`) and language: wordings of a question (`ask`) and of a passage (`tell`).
Templates = dict[str, Any]


@dataclass(frozen=True)
class Item:
    """A cell put into words: a question, the passage that answers it, and the answer."""

    cell: Cell
    question: Names
    passage: Names

    @property
    def texts(self) -> tuple[Names, Names, Names]:
        """Question, passage and answer."""
        return self.question, self.passage, self.cell.value


def by_hand() -> Templates:
    """The sentences of `LANGUAGES`."""
    sentences: Templates = yaml.safe_load(files("koine.collect").joinpath("sample_templates.yaml").read_text(encoding="utf-8"))
    return sentences


def of_names(languages: Languages) -> Templates:
    """Templates without a word that is not CLDR's, of the attributes whose unknown value it has a word for."""
    words = {
        template: {
            lang: {
                "ask": [f"{{entity}}: {unknown}?", f"{unknown}: {{entity}}?"],
                "tell": ["{entity}: {value}.", "{value} ({entity})."],
            }
            for lang in languages
            for unknown in [getattr(Locale(lang), table)[key]]
        }
        for template, (table, key) in _UNKNOWN.items()
    }
    return {**words, "aside": {kind: dict.fromkeys(languages, "{other1}, {other2}.") for kind in KINDS}}


def knows_unknowns(lang: str) -> bool:
    """Whether CLDR has the words in a language that `of_names` needs."""
    if not localedata.exists(lang):
        return False
    locale = Locale(lang)
    return all(getattr(locale, table).get(key, key) != key for table, key in _UNKNOWN.values())


def render(cells: Sequence[Cell], templates: Templates, languages: Languages, seed: int) -> list[Item]:
    """Put every cell into words; variants and aside are drawn per cell and shared by the languages."""
    kin: dict[str, dict[str, Names]] = {}
    for cell in cells:
        kin.setdefault(cell.kind, {})[cell.entity] = cell.names
    items = []
    for cell in cells:
        rng = random.Random(f"{seed}/words/{cell.id}")
        ask, tell = rng.randrange(2), rng.randrange(2)
        other1, other2 = rng.sample([names for entity, names in kin[cell.kind].items() if entity != cell.entity], 2)
        question, passage = {}, {}
        for lang in languages:
            words = templates[cell.template][lang]
            aside = templates["aside"][cell.kind][lang].format(other1=other1[lang], other2=other2[lang])
            fact = words["tell"][tell].format(entity=cell.names[lang], value=cell.value[lang])
            question[lang] = words["ask"][ask].format(entity=cell.names[lang])
            passage[lang] = f"{fact}{joiner(lang)}{aside}"
        items.append(Item(cell, question, passage))
    return items
