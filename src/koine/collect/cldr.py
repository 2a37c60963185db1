"""Facts of Unicode CLDR, as babel's copy holds them: the embedded sample is made of them.

Every fact is a cell, (entity, attribute) -> value: the currency of a country, the script of a language, the country of a city,
the decimal places of a currency. Names come from CLDR in all languages, or the cell is left out; so is a fact with several
values, unless a rule below picks one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

from babel import Locale, localedata
from babel.core import get_global
from babel.languages import get_official_languages
from babel.numbers import get_currency_precision

from koine.languages import script

Languages = tuple[str, ...]
Names = dict[str, str]  # language -> name or sentence

_SCRIPT = {"ru": "[\u0400-\u04ff]", "zh": "[\u4e00-\u9fff]", "ar": "[\u0600-\u06ff]", "hi": "[\u0900-\u097f]"}
#: Kinds of entities, with what an id begins with.
KINDS = {"territory": "T", "language": "L", "city": "P", "currency": "C"}
_REGION = {  # tz database area -> UN M.49 code
    "Africa": "002",
    "America": "019",
    "Asia": "142",
    "Europe": "150",
    "Pacific": "009",
    "Australia": "009",
}
_AREAS = {*_REGION, "Atlantic", "Indian"}  # without the research stations and the Etc zones
_SCRIPT_VARIANTS = {"Hans", "Hant"}  # named in CLDR by an adjective alone ("Simplified")


@dataclass(frozen=True)
class Cell:
    """One fact: what CLDR calls the entity and the value, in every language."""

    kind: str
    entity: str
    attribute: str
    names: Names
    value: Names

    @property
    def id(self) -> str:
        """Readable and stable: `T-FI-currency`."""
        return f"{KINDS[self.kind]}-{self.entity.replace('/', '.')}-{self.attribute}"

    @property
    def group(self) -> str:
        """The entity: what an article is in other sources."""
        return f"{self.kind}:{self.entity}"

    @property
    def template(self) -> str:
        """Kind and attribute: what its sentences are made by."""
        return f"{self.kind}.{self.attribute}"


@cache
def facts(languages: Languages, templates: frozenset[str] | None = None) -> tuple[Cell, ...]:
    """Every cell whose entity and value CLDR names in all languages, in a fixed order.

    An English value with two meanings ("Singapore", state and city) must have one translation, since a
    translation memory holds one: the cells that come later with another are left out.

    Args:
        languages: English is among them.
        templates: cells of these (`Cell.template`); all, if None.
    """
    cells: list[Cell] = []
    meaning: dict[str, Names] = {}
    made = (_territory_facts, _language_facts, _city_facts, _currency_facts)
    for cell in chain.from_iterable(of(languages) for of in made):
        if templates is not None and cell.template not in templates:
            continue
        if meaning.setdefault(cell.value["en"], cell.value) == cell.value:
            cells.append(cell)
    return tuple(cells)


# Facts, one function per kind of entity. Ties and gaps are dropped, never guessed.


def _territory_facts(languages: Languages) -> Iterator[Cell]:
    """What CLDR holds on the territories that have time zones."""
    names, currencies, tongues, scripts, cities = (
        of(languages) for of in (_territories, _currencies, _languages, _scripts, _cities)
    )
    zones: Mapping[str, Sequence[str]] = get_global("territory_zones")
    likely: Mapping[str, str] = get_global("likely_subtags")
    first_days = _first_days(languages)
    for code in sorted(set(names) & set(zones)):
        money, since, former = _currency_history(code)
        official = get_official_languages(code)  # the most widely spoken comes first
        regions = {_REGION.get(zone.split("/")[0], "") for zone in zones[code]}
        values = {
            "currency": currencies.get(money),
            "language": tongues.get(official[0]) if official else None,
            "continent": names.get(regions.pop()) if len(regions) == 1 else None,
            "city": cities.get(zones[code][0]) if len(zones[code]) == 1 else None,
            "week": first_days.get(code),
            "former": currencies.get(former),
            "since": _same(since, languages),
            "script": scripts.get(_subtags(likely, f"und_{code}")[0]),
            "code": _same(code, languages),
        }
        yield from _cells("territory", code, names[code], values)


def _language_facts(languages: Languages) -> Iterator[Cell]:
    """What CLDR holds on the languages (not their regional variants) for which it has a locale."""
    names, territories, scripts = _languages(languages), _territories(languages), _scripts(languages)
    likely: Mapping[str, str] = get_global("likely_subtags")
    for code in sorted(code for code in names if code.isalpha() and localedata.exists(code)):
        script, territory = _subtags(likely, code)
        plurals = len(Locale(code).plural_form.tags) + 1  # and "other", which has no rule
        values = {
            "script": scripts.get(script),
            "country": territories.get(territory),
            "plural": _same(str(plurals), languages),
        }
        yield from _cells("language", code, names[code], values)


def _city_facts(languages: Languages) -> Iterator[Cell]:
    """What the tz database, as CLDR carries it, says about its exemplar cities."""
    names, territories, times = _cities(languages), _territories(languages), _times(languages)
    countries: Mapping[str, str] = get_global("zone_territories")
    kept: Mapping[str, str] = get_global("meta_zones")
    for zone in sorted(names):
        values = {"country": territories.get(countries[zone]), "zone": times.get(kept.get(zone, ""))}
        yield from _cells("city", zone, names[zone], values)


def _currency_facts(languages: Languages) -> Iterator[Cell]:
    """What CLDR holds on the currencies; one that several territories have used has no country."""
    names, territories = _currencies(languages), _territories(languages)
    users: Mapping[str, Sequence[str]] = get_global("all_currencies")
    for code in sorted(names):
        used_by = users.get(code, ())
        values = {
            "country": territories.get(used_by[0]) if len(used_by) == 1 else None,
            "digits": _same(str(get_currency_precision(code)), languages),
        }
        yield from _cells("currency", code, names[code], values)


def _cells(kind: str, entity: str, names: Names, values: Mapping[str, Names | None]) -> Iterator[Cell]:
    return (Cell(kind, entity, attribute, names, value) for attribute, value in values.items() if value)


def _currency_history(territory: str) -> tuple[str, str, str]:
    """(currency, year it came, currency before it); empty where there is none, or more than one.

    The current currency is the only legal tender without an end; the former one ended last.
    """
    history = get_global("territory_currencies").get(territory, [])
    tender = [(code, start, end) for code, start, end, legal in history if legal]
    current = [(code, start) for code, start, end in tender if end is None]
    if len(current) != 1:
        return "", "", ""
    code, start = current[0]
    ended = [(end, other) for other, _, end in tender if end is not None and other != code]
    last = [other for end, other in ended if end == max(ended)[0]]
    return code, str(start[0]) if start else "", last[0] if len(last) == 1 else ""


def _first_days(languages: Languages) -> dict[str, Names]:
    """Territory -> the name of its first day of the week, where the locales of the territory agree."""
    # Not `stand-alone` for every language: babel 2.18 resolves that alias once, for all locales together.
    weekdays = {lang: Locale(lang).days["stand-alone" if lang == "fi" else "format"]["wide"] for lang in languages}
    days: dict[str, set[int]] = {}
    for identifier in localedata.locale_identifiers():
        locale = Locale.parse(identifier)
        if locale.territory:
            days.setdefault(locale.territory, set()).add(locale.first_week_day)
    return {
        territory: {lang: weekdays[lang][min(agreed)] for lang in languages}
        for territory, agreed in days.items()
        if len(agreed) == 1
    }


def _subtags(likely: Mapping[str, str], tag: str) -> tuple[str, str]:
    """The likely (script, territory) of a tag, or empty strings."""
    parts = likely.get(tag, "").split("_")
    return (parts[1], parts[2]) if len(parts) == 3 else ("", "")


def _same(value: str, languages: Languages) -> Names | None:
    """A number or a code, which is written alike in all languages."""
    return dict.fromkeys(languages, value) if value else None


# Names, as CLDR gives them.


@cache
def _territories(languages: Languages) -> dict[str, Names]:
    return _names(lambda locale: locale.territories, Locale("en").territories, languages)


@cache
def _languages(languages: Languages) -> dict[str, Names]:
    return _names(lambda locale: locale.languages, Locale("en").languages, languages)


@cache
def _currencies(languages: Languages) -> dict[str, Names]:
    return _names(lambda locale: locale.currencies, Locale("en").currencies, languages)


@cache
def _scripts(languages: Languages) -> dict[str, Names]:
    """English says "Arabic script", since "Arabic" alone is the language, with another translation."""
    scripts = _names(lambda locale: locale.scripts, set(Locale("en").scripts) - _SCRIPT_VARIANTS, languages)
    return {code: {**names, "en": f"{names['en']} script"} for code, names in scripts.items()}


@cache
def _cities(languages: Languages) -> dict[str, Names]:
    """Exemplar cities by zone; in Latin script CLDR leaves out those that the zone's own name spells."""
    zones = [zone for zone in get_global("zone_territories") if zone.split("/")[0] in _AREAS]

    def exemplars(locale: Locale) -> dict[str, str]:
        spelled = {} if script(str(locale)) != "Latn" else {zone: zone.split("/")[-1].replace("_", " ") for zone in zones}
        return spelled | {zone: data["city"] for zone, data in locale.time_zones.items() if "city" in data}

    return _names(exemplars, zones, languages)


@cache
def _times(languages: Languages) -> dict[str, Names]:
    """Names of standard times by metazone."""

    def standard(locale: Locale) -> dict[str, str]:
        return {zone: data["long"]["standard"] for zone, data in locale.meta_zones.items() if "standard" in data.get("long", {})}

    return _names(standard, set(get_global("meta_zones").values()), languages)


def _names(lookup: Callable[[Locale], Mapping[str, Any]], codes: Iterable[str], languages: Languages) -> dict[str, Names]:
    """The names of those codes that have a proper one in every language: not the code, and in its script."""
    tables = {lang: lookup(Locale(lang)) for lang in languages}
    found: dict[str, Names] = {}
    for code in sorted(codes):
        names = {lang: str(table.get(code) or "") for lang, table in tables.items()}
        if all(n and n != code and re.search(_SCRIPT.get(lang, ""), n) for lang, n in names.items()):
            found[code] = names
    return found
