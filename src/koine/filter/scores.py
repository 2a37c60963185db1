"""Scores of one translated text against its source. Each is a plain function of the texts, without thresholds.

They follow the usual filters of parallel data (OpusFilter, OpusCleaner; see docs/filter.md), with what matters for
question answering added: numbers and the answer must survive. All are floats; None means "cannot be said".
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing import get_context
from typing import Any

import regex

from koine.collect.normalise import words

REPEAT = 4  # words of a run that counts as repeated
IDENTIFIED = 300  # characters shown to the language identifier; more says nothing new
# Digits with separators inside; a space separates only groups of three: `10 000`, but not `in 1990 12 men`.
_NUMBER = regex.compile(r"\p{Nd}+(?:[.,:\u066b\u066c]\p{Nd}+|[ \u00a0\u202f]\p{Nd}{3}(?!\p{Nd}))*")


@cache
def _detector(languages: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    """A lingua detector that chooses among `languages`, and lingua's name of each language it knows."""
    from lingua import Language, LanguageDetectorBuilder

    known = {language.iso_code_639_1.name.lower(): language for language in Language.all()}
    known["no"] = known["nb"]
    chosen = {code: known[code.split("-")[0]] for code in languages if code.split("-")[0] in known}
    if len(set(chosen.values())) < 2:
        return None, {}
    return LanguageDetectorBuilder.from_languages(*sorted(set(chosen.values()), key=str)).build(), chosen


def language(texts: Sequence[str], lang: str, among: Sequence[str]) -> list[float | None]:
    """Confidence (0 to 1) that each text is in `lang`, among these languages, by lingua; None where lingua has no `lang`."""
    detector, known = _detector(tuple(sorted({lang, *among})))
    if lang not in known:
        return [None] * len(texts)
    heads = [text[:IDENTIFIED] for text in texts]
    return list(detector.compute_language_confidence_in_parallel(heads, known[lang]))


def length_ratios(sources: Sequence[str], targets: Sequence[str]) -> list[float]:
    """How many times longer or shorter (always >= 1) than usual each translation is, in characters.

    Usual is the median ratio of these texts, so that Chinese is not short and German not long.
    """
    ratios = [(len(target) + 1) / (len(source) + 1) for source, target in zip(sources, targets, strict=True)]
    usual = sorted(ratios)[len(ratios) // 2] if ratios else 1.0
    return [max(ratio / usual, usual / ratio) for ratio in ratios]


def numbers(source: str, target: str) -> float | None:
    """Share of the source's numbers that the target has, whatever digits and separators; None where it has none."""
    wanted = _numbers(source)
    if not wanted:
        return None
    return (wanted & _numbers(target)).total() / wanted.total()


def _numbers(text: str) -> Counter[str]:
    return Counter("".join(str(int(c)) for c in match if c.isdecimal()).lstrip("0") for match in _NUMBER.findall(text))


def copied(source: str, target: str) -> float:
    """Share of the target's words that stand in the source: 1 for an untranslated text."""
    own, other = words(target), set(words(source))
    return sum(word in other for word in own) / len(own) if own else 1.0


def repetition(source: str, target: str) -> float:
    """By how much the target's share of repeated word 4-grams exceeds the source's: loops of a decoder."""
    return max(0.0, _repeated(words(target)) - _repeated(words(source)))


def _repeated(tokens: list[str]) -> float:
    runs = [tuple(tokens[i : i + REPEAT]) for i in range(len(tokens) - REPEAT + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def round_trips(sources: Sequence[str], backs: Sequence[str | None], workers: int) -> list[tuple[float | None, float | None]]:
    """(chrF, BLEU) as fractions of each back-translation against its source, by sacrebleu; None without one.

    Texts are compared in lower case: which words are capitals is not what a round trip is to tell.
    """
    todo = [(back.lower(), source.lower()) for source, back in zip(sources, backs, strict=True) if back is not None]
    if workers > 1 and len(todo) > 1000:
        with get_context("spawn").Pool(workers) as pool:
            scored = pool.map(_round_trip, todo, chunksize=500)
    else:
        scored = [_round_trip(pair) for pair in todo]
    results: Callable[[], tuple[float, float]] = iter(scored).__next__
    return [results() if back is not None else (None, None) for back in backs]


def _round_trip(pair: tuple[str, str]) -> tuple[float, float]:
    chrf, bleu = _metrics()
    back, source = pair
    return (
        chrf.sentence_score(back, [source]).score / 100,
        bleu.sentence_score(back, [source]).score / 100,
    )


@cache
def _metrics() -> tuple[Any, Any]:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(), BLEU(effective_order=True)
