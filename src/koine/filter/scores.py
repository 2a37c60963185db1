"""Scores of translated texts against their sources: plain functions of the texts, a column at a time, without thresholds.

They follow the usual filters of parallel data (OpusFilter, OpusCleaner; see docs/filter.md), with what matters for
question answering added: numbers, questions and the answer must survive. A score of texts takes `Texts` and returns one
float64 for each, where NaN means "cannot be said"; a score of pairs takes `Pairs` and returns a list. The rules that judge
them stand in `rules`. What is usual in a language (length, punctuation) was learned from human translations: see `profiles`.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import regex

from koine import languages
from koine.filter.profiles import Profile
from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl
from koine.text.scripts import LETTERS, UNSPACED_LETTERS
from koine.translate.answers import Carried

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


@dataclass(frozen=True)
class Texts:
    """Translated texts of one language, and what their scores need to know.

    Attributes:
        sources, targets: the texts and their translations, n each.
        backs: the translations of `targets` back into the source language; None where there is none.
        lang: language of `targets` (BCP 47).
        among: languages that the identifier chooses from.
        profile: what is usual in the language.
        encoder, encoder_revision: folder or Hub id of a sentence encoder and its commit; empty for none.
        device, workers: where the encoder computes, and processes of the round trip; they change only speed.
    """

    sources: Sequence[str]
    targets: Sequence[str]
    backs: Sequence[str | None]
    lang: str
    among: Sequence[str]
    profile: Profile
    encoder: str = ""
    encoder_revision: str = ""
    device: str = "cpu"
    workers: int = 1

    @cached_property
    def round_trips(self) -> Floats:
        """`[n, 2]`: see `round_trips`."""
        return round_trips(self.sources, self.backs, self.workers)


@dataclass(frozen=True)
class Pairs:
    """The pairs of one language, which are scored as a whole.

    Attributes:
        ids: of the n pairs.
        answers: where the answer of each stands in its translated passage; None where there is no answer to look for.
        benchmarks: the benchmark with which a translation of each shares text, or None.
        external: the user's own scores.
    """

    ids: Sequence[str]
    answers: Sequence[Carried | None]
    benchmarks: Sequence[str | None]
    external: Path | None = None


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


def language(texts: Texts) -> Floats:
    """Confidence (0 to 1) that each translation is in its language, among these languages, by lingua.

    Of a language that lingua lacks, or of which it doubts more than half of the texts, the texts themselves tell how it
    looks: see `_like_the_others`.
    """
    lingua, known = detector(tuple(sorted({texts.lang, *texts.among})))
    heads = [text[:IDENTIFIED] for text in texts.targets]
    if texts.lang not in known:
        return _like_the_others(heads)
    confidence = np.array(lingua.compute_language_confidence_in_parallel(heads, known[texts.lang]), dtype=np.float64)
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
    """Values `[n]` in robust standard deviations from their median; in plain ones, where more than half are equal.

    1.4826 times the median absolute deviation is the standard deviation of normally distributed values (Rousseeuw and Croux 1993,
    "Alternatives to the median absolute deviation").

    >>> robust(np.array([1.0, 2.0, 3.0, 4.0, 100.0])).round(2).tolist()
    [-1.35, -0.67, 0.0, 0.67, 65.43]
    """
    middle = np.median(values)
    spread = 1.4826 * np.median(np.abs(values - middle)) or np.std(values) or 1.0
    return np.asarray((values - middle) / spread, dtype=np.float64)


def script(texts: Texts) -> Floats:
    """Share of each translation's letters that are of its language's script; NaN where it has no letter."""
    code = languages.script(texts.lang)
    scripts = "".join(rf"\p{{{name}}}" for name in _SCRIPTS.get(code, (code,)))
    targets = pl.Series(texts.targets, dtype=pl.String)
    letters = targets.str.count_matches(r"\p{L}").to_numpy().astype(np.float64)
    inside = targets.str.count_matches(rf"[{scripts}&&\p{{L}}]").to_numpy()
    return np.asarray(np.divide(inside, letters, out=np.full(len(letters), np.nan), where=letters > 0))


def length(texts: Texts) -> Floats:
    """How many standard deviations each translation is longer or shorter than usual for its language and length."""
    return np.abs(_deviations(texts))


def _deviations(texts: Texts) -> Floats:
    usual = texts.profile
    targets, sources = (np.array([len(text) for text in side], dtype=np.float64) for side in (texts.targets, texts.sources))
    logs = np.log((targets + 1) / (sources + 1))
    return np.asarray((logs - usual.mean) / np.sqrt(usual.spread**2 + usual.spread_short**2 / (sources + 1)))


def numbers(texts: Texts) -> Floats:
    """Share of each source's numbers, units and links that the target has or, for numbers, may have written in words.

    A number that is not there counts against the translation where another number stands there that the source does not
    have: 1999 became 1998. Digits and separators of all scripts are read; 1.5 million may be 150万, 8:30 pm 20:30, a
    score of 1-0 1:0, and 10 inches 25 cm. NaN where the source has none.
    """
    shares = np.full(len(texts.sources), np.nan)
    for row in pl.Series(texts.sources, dtype=pl.String).str.contains(r"\p{Nd}|www\.|://|@").arg_true():
        shares[row] = _carried_numbers(texts.sources[row], texts.targets[row])
    return shares


def _carried_numbers(source: str, target: str) -> float:
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


def copied(texts: Texts) -> Floats:
    """Share of each target's distinct words that stand in its source: 1 for an untranslated text or one without words."""
    frame = pl.DataFrame({"s": tokens(texts.sources), "t": tokens(texts.targets)}).with_columns(pl.all().list.unique())
    shared = frame["t"].list.set_intersection(frame["s"]).list.len().to_numpy()
    words = frame["t"].list.len().to_numpy().astype(np.float64)
    return np.asarray(np.divide(shared, words, out=np.ones(len(words)), where=words > 0))


def repetition(texts: Texts) -> Floats:
    """By how much each target's share of repeated runs of words exceeds its source's: loops of a decoder."""
    return np.maximum(0.0, _repeated(texts.targets) - _repeated(texts.sources))


def _repeated(texts: Sequence[str]) -> Floats:
    """`[n]`: share of each text's runs of four words (twelve characters of an unspaced script) that stood in it before."""
    words = tokens(texts)
    sizes = words.list.len().to_numpy().astype(np.int64)
    flat = words.explode(empty_as_null=False)
    codes = flat.hash().to_numpy()
    single = (flat.str.len_chars() == 1).to_numpy()
    text = np.repeat(np.arange(len(texts)), sizes)
    unspaced = np.bincount(text, weights=single, minlength=len(texts)) > 0.5 * np.maximum(sizes, 1)
    share = np.zeros(len(texts))
    for run, chosen in ((REPEAT, ~unspaced), (REPEAT_CHARACTERS, unspaced)):
        codes_of_run, at = codes[chosen[text]], text[chosen[text]]
        if len(codes_of_run) < run:
            continue
        mixed = np.zeros(len(codes_of_run) - run + 1, dtype=np.uint64)
        for offset in range(run):
            mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + codes_of_run[offset : offset + len(mixed)]
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


def ending(texts: Texts) -> Floats:
    """0 where the source ends its sentence and the target, shorter than usual, does not, as if cut off; else 1.

    NaN in languages that use no such marks.
    """
    if not texts.profile.ends:
        return np.full(len(texts.sources), np.nan)
    return np.where(_deviations(texts) < -1, _both(texts.sources, texts.targets, _END), 1.0)


def question(texts: Texts) -> Floats:
    """1 where both or neither of source and target end as a question; NaN where the language marks none."""
    if not texts.profile.asks:
        return np.full(len(texts.sources), np.nan)
    kept = _both(texts.sources, texts.targets, _QUESTION)
    return np.minimum(kept, _both(texts.targets, texts.sources, _QUESTION))


def _both(first: Sequence[str], second: Sequence[str], pattern: str) -> Floats:
    """0 where only the first text matches, else 1."""
    has, also = (pl.Series(texts, dtype=pl.String).str.contains(pattern) for texts in (first, second))
    return (~has | also).cast(pl.Float64).to_numpy()


def round_trip_chrf(texts: Texts) -> Floats:
    """chrF++ of each back-translation; see `round_trips`."""
    return texts.round_trips[:, 0]


def round_trip_bleu(texts: Texts) -> Floats:
    """BLEU of each back-translation; see `round_trips`."""
    return texts.round_trips[:, 1]


def round_trips(sources: Sequence[str], backs: Sequence[str | None], workers: int) -> Floats:
    """chrF++ and BLEU as fractions of each back-translation against its source, by sacrebleu.

    Texts are compared in lower case: which words are capitals is not what a round trip is to tell.

    Args:
        sources: n texts.
        backs: their back-translations; None where there is none.
        workers: processes.

    Returns:
        Float64 `[n, 2]`; NaN where there is no back-translation.
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
    return both


def _round_trip(pair: tuple[str, str]) -> tuple[float, float]:
    chrf, bleu = _metrics()
    back, source = pair
    return chrf.sentence_score(back, [source]).score / 100, bleu.sentence_score(back, [source]).score / 100


@cache
def _metrics() -> tuple[Any, Any]:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(word_order=2), BLEU(effective_order=True)


def cosine(texts: Texts) -> Floats:
    """Cosine of each source and target under a sentence-transformers model; NaN where no encoder is named."""
    if not texts.encoder:
        return np.full(len(texts.sources), np.nan)
    from koine.backbones.pretrained import FrozenEncoder  # seconds to import, and seldom asked for

    model = FrozenEncoder(texts.encoder, texts.device, texts.encoder_revision)
    here, there = (model.encode(side, "passage", batch_size=64) for side in (texts.sources, texts.targets))
    return np.asarray(np.einsum("nd,nd->n", here, there), dtype=np.float64)


def answer_kept(pairs: Pairs) -> list[float | None]:
    """1 where the answer was found in the translated passage, else 0; None where there is none to look for."""
    return [None if carried is None else float(carried.text is not None) for carried in pairs.answers]


def external(pairs: Pairs) -> list[float | None]:
    """The user's own score of each pair; None where the file has none, or there is no file.

    Raises:
        KoineError: a row of the file has no id or no score, or no row is of a collected pair.
    """
    if pairs.external is None:
        return [None] * len(pairs.ids)
    scores: dict[str, float] = {}
    for number, row in read_jsonl(pairs.external):
        if not isinstance(row.get("id"), str) or not isinstance(row.get("score"), int | float):
            raise KoineError(f"{pairs.external}:{number}: a row of external scores needs `id` (text) and `score` (a number)")
        scores[row["id"]] = float(row["score"])
    if not scores.keys() & set(pairs.ids):
        raise KoineError(f"{pairs.external}: none of its ids is a collected pair's; they look like {pairs.ids[0]!r}")
    return [scores.get(i) for i in pairs.ids]


def contaminated(pairs: Pairs) -> list[str | None]:
    """The benchmark with which question or passage of each pair shares text, or None."""
    return list(pairs.benchmarks)
