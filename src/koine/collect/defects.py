"""Defects planted in the sample's translation memory, so that the filter can be measured."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from koine.collect.cldr import Names
from koine.collect.wording import Item

DEFECTS = ("number_changed", "wrong_language", "untranslated", "truncated", "neighbour")
_NUMBER = re.compile("[0-9]+")


@dataclass(frozen=True)
class Translation:
    """A row of the memory; `back` is what translating the target back would give, its defect included."""

    lang: str
    source: str
    target: str
    back: str
    defect: str = ""


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
