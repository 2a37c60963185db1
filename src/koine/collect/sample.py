"""The embedded sample: a small parallel QA corpus, made without a network from the facts in Unicode CLDR.

Every fact is a cell, (entity, attribute) -> value, that babel's copy of CLDR holds: the currency of a
country, the script of a language, the country of a city, the decimal places of a currency. Names come from
CLDR in all languages, or the cell is left out; so is a fact with several values, unless a rule below
picks one. In ten languages the sentences around the names are the hand-written ones in `sample_templates.yaml`;
where others are asked for, all are made of CLDR's names alone: a question is an entity and CLDR's word for what
is not known of it ("Finland: Unknown Currency?").

Each passage ends with an aside that names two other entities of its kind, every entity has several
attributes, and some cells lie in the pool without ever being asked: near misses that a bag of words mixes up.
On such data the pattern of the paper (monolingual batches do not align languages, cross-lingual ones do)
follows from how the data is made. The sample checks the code; it is no evidence for the paper.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import yaml
from babel import Locale, localedata
from babel.core import get_global
from babel.languages import get_official_languages
from babel.numbers import get_currency_precision

from koine.languages import script
from koine.runtime.errors import KoineError
from koine.runtime.files import write_jsonl, write_text

Languages = tuple[str, ...]
LANGUAGES: Languages = ("en", "de", "es", "ru", "zh", "ar", "hi", "fi", "sw", "tr")  # with sentences by hand
DEFECTS = ("number_changed", "wrong_language", "untranslated", "truncated", "neighbour")

Names = dict[str, str]  # language -> name or sentence
Split = Literal["train", "eval", "distractor"]

#: What CLDR calls an unknown value of an attribute: the table of a locale, and the code there, which its standard has for
#: "unknown" or "none": ISO 4217's of currencies, ISO 639's of languages, ISO 15924's of scripts, CLDR's own of territories.
_UNKNOWN = {
    "territory.currency": ("currencies", "XXX"),  # ISO 4217: no currency
    "territory.language": ("languages", "und"),
    **dict.fromkeys(["territory.script", "language.script"], ("scripts", "Zzzz")),
    **dict.fromkeys(["territory.continent", "language.country", "city.country", "currency.country"], ("territories", "ZZ")),
}
_SCRIPT = {"ru": "[\u0400-\u04ff]", "zh": "[\u4e00-\u9fff]", "ar": "[\u0600-\u06ff]", "hi": "[\u0900-\u097f]"}
_PREFIX = {"territory": "T", "language": "L", "city": "P", "currency": "C"}
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
_NUMBER = re.compile("[0-9]+")


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
        return f"{_PREFIX[self.kind]}-{self.entity.replace('/', '.')}-{self.attribute}"

    @property
    def group(self) -> str:
        """The entity: what an article is in other sources."""
        return f"{self.kind}:{self.entity}"

    @property
    def template(self) -> str:
        """Key of its sentences in `sample_templates.yaml`."""
        return f"{self.kind}.{self.attribute}"


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


@dataclass(frozen=True)
class Translation:
    """A row of the memory; `back` is what translating the target back would give, its defect included."""

    lang: str
    source: str
    target: str
    back: str
    defect: str = ""


def sample_files(languages: Sequence[str]) -> list[str]:
    """The relative paths that `make_sample` writes."""
    pool = ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv")
    return [
        *("qa.jsonl", "memory.jsonl", "reverse.jsonl", "defects.jsonl"),
        *(f"beir/{lang}/{name}" for lang in languages for name in pool),
    ]


def make_sample(out: Path, *, languages: Sequence[str], seed: int, defect_rate: float) -> None:
    """Write the sample into `out`, in the formats a user would bring; the same seed gives the same bytes.

    `qa.jsonl` is the English training set, `memory.jsonl` its translation memory (a share `defect_rate` of
    the questions and passages is spoilt on purpose), `reverse.jsonl` the memory of the way back,
    `defects.jsonl` the truth about the spoilt rows, and `beir/` the evaluation pool in every language.

    Raises:
        KoineError: English is missing, or CLDR does not know enough of a language.
    """
    named = LANGUAGES if set(languages) <= set(LANGUAGES) else tuple(languages)
    if "en" not in languages or (unfit := [lang for lang in named if not _knows_unknowns(lang)]):
        raise KoineError(
            "collect.sample.languages: "
            + (f"CLDR names too little in {unfit[0]!r}; take it out" if "en" in languages else "English (en) is missing")
        )
    cells = facts(named)
    splits = split(cells, seed)
    items = render(cells, seed, named)
    train = [item for item in items if splits[item.cell.id] == "train"]
    pool = [item for item in items if splits[item.cell.id] != "train"]

    write_jsonl(out / "qa.jsonl", map(_qa, train))
    memory = plant(train, [lang for lang in languages if lang != "en"], seed, defect_rate)
    write_jsonl(out / "memory.jsonl", (_pair("en", row.lang, row.source, row.target) for row in memory))
    backs: dict[tuple[str, str], str] = {}
    for row in memory:
        backs.setdefault((row.lang, row.target), row.back)
    write_jsonl(out / "reverse.jsonl", (_pair(lang, "en", text, back) for (lang, text), back in backs.items()))
    write_jsonl(
        out / "defects.jsonl",
        ({"lang": row.lang, "source": row.source, "target": row.target, "defect": row.defect} for row in memory if row.defect),
    )

    asked = [item for item in pool if splits[item.cell.id] == "eval"]
    for lang in languages:
        beir = out / "beir" / lang
        write_jsonl(
            beir / "corpus.jsonl",
            ({"_id": item.cell.id, "title": "", "text": item.passage[lang]} for item in pool),
        )
        write_jsonl(
            beir / "queries.jsonl",
            ({"_id": f"{item.cell.id}-q", "text": item.question[lang]} for item in asked),
        )
        judged = "".join(f"{item.cell.id}-q\t{item.cell.id}\t1\n" for item in asked)
        write_text(beir / "qrels/test.tsv", "query-id\tcorpus-id\tscore\n" + judged)


@cache
def facts(languages: Languages = LANGUAGES) -> tuple[Cell, ...]:
    """Every cell whose entity and value CLDR names in all languages, in a fixed order; beyond `LANGUAGES` of fewer attributes.

    An English value with two meanings ("Singapore", state and city) must have one translation, since a
    translation memory holds one: the cells that come later with another are left out.
    """
    cells: list[Cell] = []
    meaning: dict[str, Names] = {}
    made = (_territory_facts, _language_facts, _city_facts, _currency_facts)
    for cell in chain.from_iterable(of(languages) for of in made):
        if languages is not LANGUAGES and cell.template not in _UNKNOWN:
            continue
        if meaning.setdefault(cell.value["en"], cell.value) == cell.value:
            cells.append(cell)
    return tuple(cells)


def split(cells: Sequence[Cell], seed: int) -> dict[str, Split]:
    """Deal the cells out: about 70 % train, 15 % eval, 15 % distractor.

    An eval cell whose entity or attribute no train cell has goes to train instead, so that what is asked is
    new but what it is asked about is not.
    """
    drawn: dict[str, Split] = {}
    for cell in cells:
        share = random.Random(f"{seed}/split/{cell.id}").random()
        drawn[cell.id] = "train" if share < 0.7 else "eval" if share < 0.85 else "distractor"
    seen = {part for cell in cells if drawn[cell.id] == "train" for part in (cell.group, cell.template)}
    for cell in cells:
        if drawn[cell.id] == "eval" and not {cell.group, cell.template} <= seen:
            drawn[cell.id] = "train"
            seen |= {cell.group, cell.template}
    return drawn


def render(cells: Sequence[Cell], seed: int, languages: Languages = LANGUAGES) -> list[Item]:
    """Put every cell into words; variants and aside are drawn per cell and shared by the languages."""
    templates = _by_hand() if languages is LANGUAGES else _of_names(languages)
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
            passage[lang] = f"{fact}{'' if lang == 'zh' else ' '}{aside}"
        items.append(Item(cell, question, passage))
    return items


def _by_hand() -> dict[str, Any]:
    sentences: dict[str, Any] = yaml.safe_load(
        files("koine.collect").joinpath("sample_templates.yaml").read_text(encoding="utf-8")
    )
    return sentences


def _of_names(languages: Languages) -> dict[str, Any]:
    """Templates without a word that is not CLDR's, in the shape of `sample_templates.yaml`."""
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
    return {**words, "aside": {kind: dict.fromkeys(languages, "{other1}, {other2}.") for kind in _PREFIX}}


def _knows_unknowns(lang: str) -> bool:
    if not localedata.exists(lang):
        return False
    locale = Locale(lang)
    return all(getattr(locale, table).get(key, key) != key for table, key in _UNKNOWN.values())


def plant(items: Sequence[Item], targets: Sequence[str], seed: int, rate: float) -> list[Translation]:
    """The translation memory of `items`, with a share `rate` of its questions and passages spoilt.

    The kinds of `DEFECTS` come equally often, as far as there are texts that admit them (only a text with a
    number can have its number changed).
    """
    rng = random.Random(f"{seed}/defects")
    slots = [(lang, role, n) for lang in targets for role in (0, 1) for n in range(len(items))]
    total = round(rate * len(slots))
    open_slots = rng.sample(slots, len(slots))
    spoilt: dict[tuple[str, int, int], Translation] = {}
    peers: dict[tuple[str, int], list[Names]] = {}
    for item in items:
        for role in (0, 1):
            peers.setdefault((item.cell.template, role), []).append(item.texts[role])

    for rank, defect in enumerate(DEFECTS):
        quota = (total - len(spoilt)) // (len(DEFECTS) - rank)
        left = []
        for slot in open_slots:
            lang, role, n = slot
            text, alike = items[n].texts[role], peers[items[n].cell.template, role]
            row = _spoil(defect, text, alike, lang, targets, rng) if quota else None
            if row is None:
                left.append(slot)
            else:
                spoilt[slot] = row
                quota -= 1
        open_slots = left

    memory: dict[tuple[str, str], Translation] = {}
    for lang in targets:
        for n, item in enumerate(items):
            for role, text in enumerate(item.texts):
                clean = Translation(lang, text["en"], text[lang], text["en"])
                memory.setdefault((lang, text["en"]), spoilt.get((lang, role, n), clean))
    return list(memory.values())


def _spoil(
    defect: str, text: Names, peers: Sequence[Names], lang: str, targets: Sequence[str], rng: random.Random
) -> Translation | None:
    """The translation of `text` with the defect, or None where the text does not admit it."""
    source, target = text["en"], text[lang]
    match defect:
        case "number_changed":
            numbers = _NUMBER.findall(target)
            if not numbers or numbers != _NUMBER.findall(source):
                return None
            last = (int(numbers[0][-1]) + rng.randint(1, 9)) % 10
            spoilt, back = (_NUMBER.sub(f"{numbers[0][:-1]}{last}", sentence, count=1) for sentence in (target, source))
        case "wrong_language":
            others = [other for other in targets if other != lang]
            if not others:
                return None
            spoilt, back = text[rng.choice(others)], source
        case "untranslated":
            spoilt, back = source, source
        case "truncated":
            keep = rng.uniform(0.4, 0.6)
            spoilt, back = (sentence[: round(keep * len(sentence))].rstrip() for sentence in (target, source))
        case _:
            neighbours = [peer for peer in peers if peer is not text]
            if not neighbours:
                return None
            neighbour = rng.choice(neighbours)
            spoilt, back = neighbour[lang], neighbour["en"]
    return Translation(lang, source, spoilt, back, defect)


def _qa(item: Item) -> dict[str, str]:
    cell = item.cell
    return {
        "id": cell.id,
        "group": cell.group,
        "domain": cell.kind,
        "question": item.question["en"],
        "passage": item.passage["en"],
        "answer": cell.value["en"],
    }


def _pair(source_lang: str, target_lang: str, source: str, target: str) -> dict[str, str]:
    return {"source_lang": source_lang, "target_lang": target_lang, "source": source, "target": target}


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
