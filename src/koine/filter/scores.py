"""Scores of translated texts against their sources: plain functions of the texts, a column at a time, without thresholds.

They follow the usual filters of parallel data (OpusFilter, OpusCleaner; see docs/filter.md), with what matters for
question answering added: numbers, questions and the answer must survive. Every function takes the texts of one language
and returns one number for each; NaN means "cannot be said". What is usual in a language (length, punctuation) was learned
from human translations: see `profiles`.
"""

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import regex

from koine import languages
from koine.filter.profiles import Profile
from koine.text.scripts import LETTERS, UNSPACED_LETTERS

Floats = npt.NDArray[np.float64]

REPEAT, REPEAT_CHARACTERS = 4, 12  # words of a run that counts as repeated; characters, where words are not separated
FEWEST = 200  # texts that say what is usual among them
IDENTIFIED = 300  # characters shown to the language identifier; more says nothing new
# Digits with separators inside; a space separates only groups of three: `10 000`, but not `in 1990 12 men`.
_NUMBER = regex.compile(r"\p{Nd}+(?:[.,:\u066b\u066c]\p{Nd}+|[ \u00a0\u202f]\p{Nd}{3}(?!\p{Nd}))*")
_LINK = regex.compile(r"(?:https?://|www\.)[^\s,;)]*[^\s.,;)]|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LARGE = 5  # digits from which on numbers are often said in other units
# What one of these is in metric units, but for the power of ten: 2 inches may be 5 cm, 50 mm or .05 m. Translators for
# people convert, and round; engines do not.
_IMPERIAL = {
    r"inch(?:es)?": 2.54,
    r"feet|foot|ft": 3.048,
    r"yards?": 9.144,
    r"miles?|mph": 1.609,
    r"pounds?|lbs?": 4.536,
    r"acres?": 4.047,
}
_MEASURES = {regex.compile(rf"\p{{Nd}}[\s-]*(?:{unit})\b"): math.log10(factor) for unit, factor in _IMPERIAL.items()}
_ROUNDED = 0.06  # in powers of ten: 15 %
_AFTERNOON = regex.compile(r"\p{Nd}\s?p\.?m\b", regex.IGNORECASE)
_FAHRENHEIT = regex.compile(r"\p{Nd}[\s-]*(?:degrees?\b|°)")
# Units that are written alike in most languages of the world.
_UNIT = regex.compile(r"(?<=\p{Nd}\s?)(?:%|°[CF]?|k[mgWB]|[cm]m|[MGT]B|[kMG]Hz)(?!\p{L})")
_WORDS = rf"[{UNSPACED_LETTERS}]|[{LETTERS}--[{UNSPACED_LETTERS}]]+"
_END = r"""[.!?…。！？｡।॥؟۔։;：:።፧၊။។་༎][\s"'“”’»«)\]」』）]*$"""
_QUESTION = r"""[?？؟;፧՞][\s"'“”’»«)\]」』）.]*$"""
#: ISO 15924 codes that stand for several scripts, in Unicode's names.
_SCRIPTS = {"Jpan": ("Han", "Hiragana", "Katakana"), "Kore": ("Hangul", "Han"), "Hans": ("Han",), "Hant": ("Han",)}


@cache
def detector(among: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    """A lingua detector that chooses among languages, and lingua's name of each language it knows."""
    from lingua import Language, LanguageDetectorBuilder

    known = {language.iso_code_639_1.name.lower(): language for language in Language.all()}
    known["no"] = known["nb"]
    chosen = {code: known[code.split("-")[0]] for code in among if code.split("-")[0] in known}
    if len(set(chosen.values())) < 2:
        return None, {}
    return LanguageDetectorBuilder.from_languages(*sorted(set(chosen.values()), key=str)).build(), chosen


def language(targets: Sequence[str], lang: str, among: Sequence[str]) -> Floats:
    """Confidence (0 to 1) that each text is in `lang`, among these languages, by lingua.

    Of a language that lingua lacks, or of which it doubts more than half of the texts, the texts themselves tell how it
    looks: see `_like_the_others`.
    """
    lingua, known = detector(tuple(sorted({lang, *among})))
    heads = [text[:IDENTIFIED] for text in targets]
    if lang not in known:
        return _like_the_others(heads)
    confidence = np.array(lingua.compute_language_confidence_in_parallel(heads, known[lang]), dtype=np.float64)
    confidence = confidence.round(9)  # lingua adds in an order of its own: the last digits differ from run to run
    doubted = len(heads) >= FEWEST and np.median(confidence) < 0.5
    return _like_the_others(heads) if doubted else confidence


def _like_the_others(texts: Sequence[str]) -> Floats:
    """How far the character trigrams of each text are those of all texts, as a confidence; NaN for too few texts.

    1/2 is a mean log probability four robust standard deviations below the usual.
    """
    if len(texts) < FEWEST:
        return np.full(len(texts), np.nan)
    characters = np.frombuffer(" ".join(texts).lower().encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    trigrams = (characters[:-2] << np.uint64(42)) ^ (characters[1:-1] << np.uint64(21)) ^ characters[2:]
    _, inverse, counts = np.unique(trigrams, return_inverse=True, return_counts=True)
    rarity = -np.log(counts[inverse].astype(np.float64))
    lengths = np.array([len(text.lower()) for text in texts])
    text = np.repeat(np.arange(len(texts)), lengths + 1)[: len(rarity)]
    mean = np.bincount(text, weights=rarity, minlength=len(texts)) / np.maximum(np.bincount(text, minlength=len(texts)), 1)
    return np.asarray(1 / (1 + np.exp(2 * (robust(mean) - 4))))


def robust(values: Floats) -> Floats:
    """Values in robust standard deviations from their median; in plain ones, where more than half are equal."""
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle)) or np.std(values) or 1.0
    return np.asarray((values - middle) / spread, dtype=np.float64)


def script(targets: Sequence[str], lang: str) -> Floats:
    """Share of each text's letters that are of its language's script; NaN where it has no letter."""
    code = languages.script(lang)
    names = _SCRIPTS.get(code, (code,))
    own = "".join(rf"\p{{{name}}}" for name in names)
    texts = pl.Series(targets, dtype=pl.String)
    letters = texts.str.count_matches(r"\p{L}").to_numpy().astype(np.float64)
    inside = texts.str.count_matches(rf"[{own}&&\p{{L}}]").to_numpy()
    return np.asarray(np.divide(inside, letters, out=np.full(len(letters), np.nan), where=letters > 0))


def length(sources: Sequence[str], targets: Sequence[str], profile: Profile) -> Floats:
    """How many standard deviations each translation is longer or shorter than usual for its language and length."""
    return np.abs(_deviations(sources, targets, profile))


def _deviations(sources: Sequence[str], targets: Sequence[str], profile: Profile) -> Floats:
    long, short = _lengths(targets), _lengths(sources)
    logs = np.log((long + 1) / (short + 1))
    return np.asarray((logs - profile.mean) / np.sqrt(profile.spread**2 + profile.spread_short**2 / (short + 1)))


def _lengths(texts: Sequence[str]) -> Floats:
    return np.array([len(text) for text in texts], dtype=np.float64)


def numbers(sources: Sequence[str], targets: Sequence[str]) -> Floats:
    """Share of the source's numbers, units and links that the target has or, for numbers, may have written in words.

    A number that is not there counts against the translation where another number stands there that the source does not
    have: 1999 became 1998. Digits and separators of all scripts are read; 1.5 million may be 150万, 8:30 pm 20:30, a
    score of 1-0 1:0, and 10 inches 25 cm. NaN where the source has none.
    """
    found = np.full(len(sources), np.nan)
    for row in pl.Series(sources, dtype=pl.String).str.contains(r"\p{Nd}|www\.|://|@").arg_true():
        found[row] = _carried(sources[row], targets[row])
    return found


def _carried(source: str, target: str) -> float:
    here, there = _numbers(source), _numbers(target)
    links, units = _LINK.findall(source), _UNIT.findall(source)
    total = len(here) + len(links)
    if not total:
        return float("nan")
    lost, new = _without(here, there), _without(there, here)
    if "".join(lost) == "".join(new):  # 1-0 is two numbers, 1:0 is one
        lost, new = [], []
    factors = [factor for unit, factor in _MEASURES.items() if unit.search(source)] if lost and new else []
    for number in list(lost):
        same = next((other for other in new if _same(number, other, source, factors)), None)
        if same is not None:
            lost.remove(number)
            new.remove(same)
    # A unit in another spelling proves nothing; one that turned into another unit does.
    swapped = set(units) and set(units) != (other := set(_UNIT.findall(target))) and bool(other - set(units))
    # Another number of about as many digits: 1999 became 1998. A year that came in beside a number in words did not.
    replaced = sum(any(abs(len(number) - len(other)) < 2 for other in new) for number in lost)
    wrong = min(replaced, len(new)) + sum(link not in target for link in links) + bool(swapped)
    return max(0.0, 1 - wrong / total)


def _same(one: str, other: str, source: str, factors: Sequence[float]) -> bool:
    """Whether two spellings may mean one number: in thousands, millions or myriads, by a clock of 24 hours, in other units."""
    if max(len(one), len(other)) >= _LARGE:
        return one.rstrip("0") == other.rstrip("0")
    if 3 <= len(one) <= len(other) == 4 and int(other) - int(one) == 1200:
        return True
    if int(other) - int(one) in (12, 1200) and _AFTERNOON.search(source):
        return True
    if _FAHRENHEIT.search(source) and min(abs(int(other) - (int(one) - zero) / 1.8) for zero in (0, 32)) < 1:
        return True
    if not factors or "0" in (one, other):
        return False
    ratio = math.log10(int(other)) - math.log10(int(one))
    return any(abs((ratio - factor + 0.5) % 1 - 0.5) < _ROUNDED for factor in factors)


def _numbers(text: str) -> list[str]:
    found = ("".join(str(int(c)) for c in match if c.isdecimal()) for match in _NUMBER.findall(text))
    return [digits.lstrip("0") or "0" for digits in found]


def _without(these: Sequence[str], those: Sequence[str]) -> list[str]:
    """What is left of these, in their order, when each of those takes one away."""
    taken = Counter(those)
    left = []
    for item in these:
        taken[item] -= 1
        if taken[item] < 0:
            left.append(item)
    return left


def copied(sources: Sequence[str], targets: Sequence[str]) -> Floats:
    """Share of each target's distinct words that stand in its source: 1 for an untranslated text or one without words."""
    frame = pl.DataFrame({"s": tokens(sources), "t": tokens(targets)}).with_columns(pl.all().list.unique())
    shared = frame["t"].list.set_intersection(frame["s"]).list.len().to_numpy()
    own = frame["t"].list.len().to_numpy().astype(np.float64)
    return np.asarray(np.divide(shared, own, out=np.ones(len(own)), where=own > 0))


def repetition(sources: Sequence[str], targets: Sequence[str]) -> Floats:
    """By how much each target's share of repeated runs of words exceeds its source's: loops of a decoder."""
    return np.maximum(0.0, _repeated(targets) - _repeated(sources))


def _repeated(texts: Sequence[str]) -> Floats:
    """Share of each text's runs of four words (or twelve characters of an unspaced script) that occurred in it before."""
    words = tokens(texts)
    sizes = words.list.len().to_numpy().astype(np.int64)
    flat = words.explode(empty_as_null=False)
    codes = flat.hash().to_numpy()
    single = (flat.str.len_chars() == 1).to_numpy()
    text = np.repeat(np.arange(len(texts)), sizes)
    unspaced = np.bincount(text, weights=single, minlength=len(texts)) > 0.5 * np.maximum(sizes, 1)
    share = np.zeros(len(texts))
    for run, chosen in ((REPEAT, ~unspaced), (REPEAT_CHARACTERS, unspaced)):
        own, at = codes[chosen[text]], text[chosen[text]]
        if len(own) < run:
            continue
        mixed = np.zeros(len(own) - run + 1, dtype=np.uint64)
        for offset in range(run):
            mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + own[offset : offset + len(mixed)]
        inside = at[: len(mixed)] == at[run - 1 :]  # runs do not go from one text into the next
        rows = at[: len(mixed)][inside]
        order = np.lexsort((mixed[inside], rows))
        sorted_runs, sorted_rows = mixed[inside][order], rows[order]
        again = (sorted_runs[1:] == sorted_runs[:-1]) & (sorted_rows[1:] == sorted_rows[:-1])
        repeats = np.bincount(sorted_rows[1:][again], minlength=len(texts))
        counts = np.bincount(rows, minlength=len(texts))
        share += np.divide(repeats, counts, out=np.zeros(len(texts)), where=counts > 0)
    return share


def tokens(texts: Sequence[str]) -> pl.Series:
    """Lower-cased words of each text; characters, in scripts that do not separate words."""
    return pl.Series(texts, dtype=pl.String).str.to_lowercase().str.extract_all(_WORDS)


def ending(sources: Sequence[str], targets: Sequence[str], profile: Profile) -> Floats:
    """0 where the source ends its sentence and the target, shorter than usual, does not, as if cut off; else 1.

    NaN in languages that use no such marks.
    """
    if not profile.ends:
        return np.full(len(sources), np.nan)
    return np.where(_deviations(sources, targets, profile) < -1, _both(sources, targets, _END), 1.0)


def question(sources: Sequence[str], targets: Sequence[str], profile: Profile) -> Floats:
    """1 where both or neither of source and target end as a question; NaN where the language marks none."""
    if not profile.asks:
        return np.full(len(sources), np.nan)
    kept = _both(sources, targets, _QUESTION)
    return np.minimum(kept, _both(targets, sources, _QUESTION))


def _both(first: Sequence[str], second: Sequence[str], pattern: str) -> Floats:
    """0 where only the first text matches, else 1."""
    has, also = (pl.Series(texts, dtype=pl.String).str.contains(pattern) for texts in (first, second))
    return (~has | also).cast(pl.Float64).to_numpy()


def round_trips(sources: Sequence[str], backs: Sequence[str | None], workers: int) -> tuple[Floats, Floats]:
    """chrF++ and BLEU as fractions of each back-translation against its source, by sacrebleu; NaN without one.

    Texts are compared in lower case: which words are capitals is not what a round trip is to tell.
    """
    rows = [row for row, back in enumerate(backs) if back is not None]
    todo = [(str(backs[row]).lower(), sources[row].lower()) for row in rows]
    if workers > 1 and len(todo) > 1000:
        with get_context("spawn").Pool(workers) as pool:
            scored = pool.map(_round_trip, todo, chunksize=500)
    else:
        scored = [_round_trip(pair) for pair in todo]
    both = np.full((len(sources), 2), np.nan)
    if rows:
        both[rows] = scored
    return both[:, 0], both[:, 1]


def _round_trip(pair: tuple[str, str]) -> tuple[float, float]:
    chrf, bleu = _metrics()
    back, source = pair
    return chrf.sentence_score(back, [source]).score / 100, bleu.sentence_score(back, [source]).score / 100


@cache
def _metrics() -> tuple[Any, Any]:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(word_order=2), BLEU(effective_order=True)


def cosine(sources: Sequence[str], targets: Sequence[str], encoder: str, device: str) -> Floats:
    """Cosine of each source and target under a sentence-transformers model; NaN where no encoder is named."""
    if not encoder:
        return np.full(len(sources), np.nan)
    from koine.backbones.pretrained import FrozenEncoder  # seconds to import, and seldom asked for

    model = FrozenEncoder(encoder, device)
    here, there = (model.encode(texts, "passage", batch_size=64) for texts in (sources, targets))
    return np.asarray(np.einsum("nd,nd->n", here, there), dtype=np.float64)
