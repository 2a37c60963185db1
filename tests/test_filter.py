"""Filter: every score means what its name says in every script, and decisions follow from scores and rules alone."""

import json
import math
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from extending import ROOT
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from koine.filter import alignment as aligning
from koine.filter import score as scoring
from koine.filter import scores
from koine.filter.alignment import alignment
from koine.filter.decide import filter, verdicts
from koine.filter.profiles import Profile, profile
from koine.filter.rules import RULES, columns_of, reasons
from koine.filter.score import filter_score, score_texts
from koine.filter.scores import Texts
from koine.filter.table import SCORED
from koine.names import target
from koine.params import Params, Rules, Score, parse
from koine.records import PARALLEL, QA, TRANSLATION
from koine.runtime.errors import KoineError
from koine.runtime.files import text_id, write_jsonl
from koine.translate.answers import carry
from koine.workflow.experiment import Experiment

Frames = Callable[..., pl.DataFrame]
OFF: dict[str, Any] = {name: None for name in Rules.model_fields if name != "clean_source"} | {"clean_source": False}


USUAL = Profile(0.0, 1.0, 1.0)


def texts(sources: Sequence[str], targets: Sequence[str], usual: Profile = USUAL, **more: Any) -> Texts:
    """Texts of which only that is known which the test says."""
    return Texts(sources, targets, [None] * len(sources), **{"lang": "fi", "among": (), "profile": usual, **more})


def translations(targets: Sequence[str], lang: str, among: Sequence[str] = ()) -> Texts:
    """Translations whose sources do not matter."""
    return texts([""] * len(targets), targets, lang=lang, among=among)


def one(values: Any) -> float | None:
    """The only score, None where nothing can be said."""
    (value,) = values
    return None if np.isnan(value) else float(value)


# --- scores ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "share"),
    [
        ("in 1999", "vuonna 1999", 1),
        ("in 1999", "عام ١٩٩٩", 1),
        ("in 1999", "سال ۱۹۹۹", 1),
        ("in 1999", "१९९९ में", 1),
        ("in 1999", "１９９９年", 1),
        ("1,000 men", "1.000 Männer", 1),
        ("1,000 men", "1000 miestä", 1),
        ("1,000 men", "1\u00a0000 miestä", 1),
        ("1,000 men", "1\u202f000 hommes", 1),
        ("1,000 men", "١٬٠٠٠ رجل", 1),
        ("100,000 men", "1,00,000 आदमी", 1),
        ("3.5 metres", "3,5 Meter", 1),
        ("3.5 metres", "٣٫٥ متر", 1),
        ("It ended in 1999.", "Se päättyi 1999.", 1),
        ("at 7:05", "at 07:05", 1),
        ("in 1999", "vuonna 1998", 0),
        ("1,000 men", "100 miestä", 0),
        ("from 1914 to 1918", "1914–1919", 0.5),
        ("5 of 5", "5", 1),
        ("5", "5, 6 and 7", 1),
        ("10 men", "kymmenen miestä", 1),  # it may stand there in words
        ("10 men in 1999", "kymmenen miestä vuonna 1998", 0.5),
        ("1.5 million", "1 500 000", 1),
        ("20,000 people", "2万人", 1),
        ("at 8:30 pm", "klo 20.30", 1),
        ("from 5 p.m.", "ab 17 Uhr", 1),
        ("at 5", "ab 17 Uhr", 0),
        ("a win of 1-0, then 2-1", "1:0, dann 2:1", 1),
        ("a win of 1-0", "1:2", 0.5),
        ("1 to 4 inches of rain", "2,5 bis 10 cm Regen", 1),
        ("up to 10 inches of rain", "bis 254 mm Regen", 1),
        ("up to 10 inches of rain", "bis 100 mm Regen", 0),
        ("85 mph", "137 km/h", 1),
        ("a 650-pound hog", "ein 300 Kilo schweres Schwein", 1),
        ("a 650-pound hog", "ein 750 Kilo schweres Schwein", 0),
        ("80 degrees, 10 above average", "27 °C, 6 über dem Durchschnitt", 1),
        ("80 men", "27 Mann", 0),
        ("9" * 5000, "8" * 5000, 0),
        ("see http://koine.org/a.", "katso http://koine.org/a", 1),
        ("see www.koine.org", "katso sivua", 0),
        ("no number", "7", None),
    ],
)
def test_numbers_are_kept_whatever_their_digits_and_separators(source: str, target: str, share: float | None) -> None:
    assert one(scores.numbers(texts([source], [target]))) == share


@given(numbers=st.lists(st.integers(0, 10**9), min_size=1, max_size=5), zero=st.sampled_from("0٠۰०০๐０"))
def test_any_digits_of_unicode_say_the_same_number(numbers: list[int], zero: str) -> None:
    source = " x ".join(map(str, numbers))
    target = " y ".join("".join(chr(ord(zero) + int(digit)) for digit in str(number)) for number in reversed(numbers))
    assert one(scores.numbers(texts([source], [target]))) == 1


SENTENCES = {
    "en": "The city was founded by merchants who came from the north of the country.",
    "fi": "Kaupungin perustivat kauppiaat, jotka tulivat maan pohjoisosasta.",
    "de": "Die Stadt wurde von Kaufleuten gegründet, die aus dem Norden des Landes kamen.",
    "ru": "Город был основан купцами, которые пришли с севера страны.",
    "ar": "تأسست المدينة على يد تجار قدموا من شمال البلاد.",
    "hi": "शहर की स्थापना उन व्यापारियों ने की थी जो देश के उत्तर से आए थे।",
    "zh": "这座城市由来自该国北部的商人建立。",
}


@pytest.mark.parametrize("lang", SENTENCES)
def test_the_right_language_is_recognised_and_every_other_one_is_not(lang: str) -> None:
    confidence = dict(zip(SENTENCES, scores.language(translations(list(SENTENCES.values()), lang, list(SENTENCES))), strict=True))
    assert max(confidence, key=lambda other: confidence[other] or 0) == lang
    assert confidence[lang] > 0.9  # type: ignore[operator]
    assert all(value < 0.1 for other, value in confidence.items() if other != lang)  # type: ignore[operator]


def test_of_a_language_that_cannot_be_told_nothing_is_said() -> None:
    assert one(scores.language(translations(["a"], "xx", ["en", "fi"]))) is None
    assert one(scores.language(translations(["a"], "en", ["en"]))) is None
    assert len(scores.language(translations([], "en", ["en", "fi"]))) == 0


def test_a_language_that_lingua_lacks_is_known_by_the_other_texts() -> None:
    draw = random.Random(0)
    invented = ["".join(draw.choice(["ka", "nu", "mele", "ti", " "]) for _ in range(40)) for _ in range(300)]
    confidence = scores.language(translations([*invented, SENTENCES["de"], SENTENCES["fi"]], "haw", ["en", "de"]))
    assert confidence[:-2].min() > 0.5
    assert confidence[-2:].max() < 0.1


@pytest.mark.parametrize("lang", SENTENCES)
def test_script_is_the_share_of_letters_in_the_languages_own(lang: str) -> None:
    own = {"en": "Latn", "fi": "Latn", "de": "Latn"}
    found = scores.script(translations([*SENTENCES.values(), "1999!"], lang))
    same = [own.get(other, other) == own.get(lang, lang) for other in SENTENCES]
    assert (found[:-1] > 0.9).tolist() == same
    assert np.isnan(found[-1])


def test_scripts_that_go_together_are_one() -> None:
    assert scores.script(translations(["漢字とカタカナ", "한국어", "漢字"], "ja")).tolist() == [1, 0, 1]
    assert scores.script(translations(["Ћирилица"], "sr")).tolist() == [1]


def test_length_is_measured_in_what_is_usual_for_the_language_and_the_length() -> None:
    usual = Profile(mean=math.log(2), spread=0.1, spread_short=1.0)
    at_100 = math.sqrt(0.01 + 1 / 100)
    sources, targets = ["s" * 99] * 3, ["t" * 199, "t" * 99, "t" * 399]
    assert scores.length(texts(sources, targets, usual)) == pytest.approx([0, math.log(2) / at_100, math.log(2) / at_100])
    short, long = scores.length(texts(["s" * 9, "s" * 999], ["t" * 9, "t" * 999], usual))
    assert short < long  # the same ratio is odder in a long text


@given(stretch=st.floats(0.3, 3), noise=st.lists(st.floats(-0.3, 0.3), min_size=40, max_size=60))
def test_a_profile_that_was_never_learned_is_estimated_from_the_texts(stretch: float, noise: list[float]) -> None:
    sources = ["s" * (50 + 3 * i) for i in range(len(noise))]
    targets = ["t" * max(1, round(len(s) * stretch * math.exp(n))) for s, n in zip(sources, noise, strict=True)]
    found = profile("tlh", sources, targets)
    assert found.mean == pytest.approx(math.log(stretch) + sorted(noise)[len(noise) // 2], abs=0.15)
    assert not found.ends and not found.asks


def test_learned_profiles_are_those_of_their_language() -> None:
    assert profile("zh", [], []).mean < -0.8 < profile("fi", [], []).mean
    assert profile("zh", [], []) == profile("zh-CN", [], [])
    assert not profile("th", [], []).ends


ALWAYS = Profile(0.0, 0.1, 1.0)


@pytest.mark.parametrize(
    ("source", "target", "kept"),
    [
        ("It was built long ago by them.", "Он был построен.", 1),
        ("It was built long ago by them.", "Он был построен", 0),
        ("It was built long ago by them.", "它建于", 0),
        ("It was built long ago by them.", "它建于很久以前。", 1),
        ("It was built.", "Se rakennettiin kauan sitten", 1),  # not cut off: it is longer than usual
        ("A title without an end", "Otsikko", 1),
    ],
)
def test_an_end_counts_as_lost_where_the_text_is_short_too(source: str, target: str, kept: float) -> None:
    assert one(scores.ending(texts([source], [target], ALWAYS))) == kept
    assert one(scores.ending(texts([source], [target], Profile(0, 1, 1, ends=False)))) is None


@pytest.mark.parametrize(
    ("source", "target", "kept"),
    [
        ("Who?", "Kuka?", 1),
        ("Who?", "谁？", 1),
        ("Who?", "من؟", 1),
        ("Who?", "Ποιος;", 1),
        ("Who?", "Kuka.", 0),
        ("He.", "Hän?", 0),
    ],
)
def test_a_question_stays_a_question(source: str, target: str, kept: float) -> None:
    assert one(scores.question(texts([source], [target], ALWAYS))) == kept
    assert one(scores.question(texts([source], [target], Profile(0, 1, 1, asks=False)))) is None


def test_alignment_tells_a_neighbours_translation_from_the_texts_own() -> None:
    draw = random.Random(0)
    words = [["".join(draw.choice("abcdefgh") for _ in range(6)) for _ in range(2)] for _ in range(80)]
    chosen = [draw.sample(words, 9) for _ in range(400)]
    sources, targets = ([" ".join(pair[side] for pair in own) for own in chosen] for side in (0, 1))
    wrong = range(0, 400, 20)
    for row in wrong:
        targets[row] = " ".join(pair[1] for pair in chosen[row + 1])
    found = alignment(texts(sources, targets))
    assert max(found[list(wrong)]) < -2
    assert np.mean(np.delete(found, list(wrong)) < -2) < 0.1
    assert np.isnan(alignment(texts(sources[:50], targets[:50]))).all()


@pytest.mark.parametrize(
    ("source", "target", "share"),
    [
        ("The city of Turku", "The city of Turku", 1),
        ("The city of Turku", "THE CITY, of turku!", 1),
        ("The city of Turku", "Turku on kaupunki", 1 / 3),
        ("The city", "Город", 0),
        ("The city", "城市", 0),
        ("The city", "", 1),
        ("The city", "?!", 1),
    ],
)
def test_copied_is_the_share_of_words_that_the_source_has(source: str, target: str, share: float) -> None:
    assert one(scores.copied(texts([source], [target]))) == pytest.approx(share)


@pytest.mark.parametrize("loop", ["und so weiter und ", "и так далее и ", "में और फिर से ", "一二三四"])
def test_repetition_rises_with_a_decoders_loop_but_not_with_the_sources_own(loop: str) -> None:
    sources = ["a b c d e f", loop * 20, "a b c d e f", ""]
    found = scores.repetition(texts(sources, [loop * 20, loop * 20, SENTENCES["de"], ""]))
    assert found[0] > 0.7
    assert found[1:].tolist() == [0, 0, 0]


@given(pairs=st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=5))
def test_shares_lie_between_0_and_1_and_each_text_is_scored_alone(pairs: list[tuple[str, str]]) -> None:
    sources, targets = [a for a, _ in pairs], [b for _, b in pairs]
    for score_of in (scores.copied, scores.repetition, scores.numbers):
        found = score_of(texts(sources, targets))
        assert all(np.isnan(value) or 0 <= value <= 1 for value in found)
        alone = [score_of(texts([a], [b]))[0] for a, b in pairs]
        assert np.array_equal(found, alone, equal_nan=True)


@pytest.mark.parametrize(
    ("answer", "passage", "kept"),
    [
        ("Ada Lovelace", "It was ADA, Lovelace!", 1),
        ("Ada", "It was Adam.", 1),  # inflections begin like their word
        ("1843", "vuonna 1843", 1),
        ("北京", "他住在北京。", 1),
        ("Ada", "It was Bob.", 0),
        (None, "anything", None),
        ("?", "anything", None),
    ],
)
def test_an_answer_is_kept_where_the_passage_holds_it(answer: str | None, passage: str, kept: float | None) -> None:
    found = carry("source", answer, None, [], passage, answer) if answer else None
    assert (None if found is None else float(found.text is not None)) == kept


TEXTS = st.lists(st.sampled_from(["the", "cat", "Кот", "sat", "on", "मैट", "城市", ",", "!"]), max_size=9).map(" ".join)


@given(pairs=st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=5))
def test_round_trips_are_sacrebleus_scores_of_a_corpus_of_one(pairs: list[tuple[str, str | None]]) -> None:
    found = scores.round_trips([source for source, _ in pairs], [back for _, back in pairs], workers=1)
    chrf, bleu = CHRF(word_order=2), BLEU(effective_order=True)
    for (source, back), pair in zip(pairs, found, strict=True):
        if back is None:
            assert np.isnan(pair).all()
        else:
            expected = [metric.corpus_score([back.lower()], [[source.lower()]]).score / 100 for metric in (chrf, bleu)]
            assert pair == pytest.approx(expected)


def test_round_trips_are_the_same_with_more_processes() -> None:
    sources = [f"the cat {n} sat on the mat" for n in range(1001)]
    backs = [None if n % 7 == 0 else f"a cat {n} sat on a mat" for n in range(len(sources))]
    backs += ["x"] * 200
    sources += ["x y"] * 200
    one_process, two = (scores.round_trips(sources, backs, workers=workers) for workers in (1, 2))
    assert np.array_equal(one_process, two, equal_nan=True)


# --- verdicts --------------------------------------------------------------------------------------------

GOOD: dict[str, Any] = {
    **{"language": 1.0, "script": 1.0, "length": 0.0, "numbers": 1.0, "copied": 0.0, "repetition": 0.0},
    **{"ending": 1.0, "question": 1.0, "alignment": 1.0, "cosine": 1.0},
    **{"round_trip_chrf": 1.0, "round_trip_bleu": 1.0},
}
BAD: dict[str, float] = {
    **{"language": 0.0, "script": 0.0, "length": 9.0, "numbers": 0.0, "copied": 1.0, "repetition": 1.0},
    **{"ending": 0.0, "question": 0.0, "alignment": -9.0, "cosine": 0.0, "answer_kept": 0.0, "external": -9.0},
    **{"round_trip_chrf": 0.0, "round_trip_bleu": 0.0},
}
ALL_ON = Rules(answer=1.0, round_trip_bleu=0.5, alignment=-2.0, cosine=0.5, external=0.0)


def scored(*changes: dict[str, Any]) -> pl.DataFrame:
    """Scored pairs that pass every rule, but for the changes."""
    rows = []
    for number, change in enumerate(changes):
        row = {"id": f"t/{number}", "passage_id": f"p{number}", "lang": "fi", "question": "K?", "passage": f"Kappale {number}."}
        row |= {"source_question": "Q?", "source_passage": f"Passage {number}."}
        row |= {"question_id": f"q{number}"}
        row |= {f"{part}_{name}": value for part in ("question", "passage") for name, value in GOOD.items()}
        rows.append({**row, "answer_kept": 1.0, "external": 1.0, "contaminated": None, **change})
    return SCORED.frame([{name: row.get(name) for name in SCORED.columns} for row in rows])


def broken(frame: pl.DataFrame, rules: Rules) -> list[set[str]]:
    return [{name for name, value in row.items() if value is True} for row in verdicts(frame, rules).to_dicts()]


COLUMNS = [column for name in RULES if name != "clean_source" for column in columns_of(name)]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_bad_score_breaks_its_own_rule_and_no_other(column: str) -> None:
    name = column.removeprefix("question_").removeprefix("passage_")
    frame = scored({}, {column: BAD[name]})
    rule = "answer" if name == "answer_kept" else name
    assert broken(frame, ALL_ON) == [set(), {rule}]
    assert broken(frame, ALL_ON.model_copy(update={rule: None})) == [set(), set()]


@pytest.mark.parametrize("column", COLUMNS)
def test_a_score_of_null_breaks_nothing(column: str) -> None:
    assert broken(scored({column: None}), ALL_ON) == [set()]


@pytest.mark.parametrize("name", [name for name in Rules.model_fields if name != "clean_source"])
def test_a_score_at_the_threshold_passes_and_one_beyond_it_does_not(name: str) -> None:
    rules = Rules(**{**OFF, name: 0.5})
    limit, beyond = getattr(rules, name), 0.01 if RULES[name].keeps == "most" else -0.01
    column = columns_of(name)[-1]
    assert broken(scored({column: limit}, {column: limit + beyond}), rules) == [set(), {name}]


def test_untranslated_and_contaminated_pairs_are_named_so() -> None:
    frame = scored({"question": None}, {"passage": None}, {"contaminated": "xquad-r"}, {})
    assert broken(frame, Rules()) == [{"untranslated"}, {"untranslated"}, {"contaminated"}, set()]
    assert broken(frame, Rules(**OFF)) == [{"untranslated"}, {"untranslated"}, set(), set()]


def test_every_rule_has_its_words_for_people() -> None:
    assert set(verdicts(scored({}), ALL_ON).columns) - {"id"} == set(reasons())


VALUES = st.none() | st.floats(0, 1)
PAIRS = st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUES) | {"contaminated": st.none() | st.just("b")})
THRESHOLDS = st.fixed_dictionaries({name: VALUES for name in OFF if name not in ("length", "clean_source")})


@given(pairs=st.lists(PAIRS, min_size=1, max_size=6), rules=THRESHOLDS, clean=st.booleans())
def test_kept_are_just_the_pairs_that_break_no_rule_and_the_counts_add_up(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[dict[str, Any]], rules: dict[str, Any], clean: bool
) -> None:
    folder = tmp_path_factory.getbasetemp() / "decide"
    frame = scored({}, *pairs)
    frame[0, "question_round_trip_bleu"] = 1.0
    SCORED.write(frame, folder / "scored")
    chosen = Rules(**rules, length=None, clean_source=clean)
    reasons = broken(frame, chosen)
    filter(folder / "scored", folder / "kept", folder / "summary", rules=chosen)
    summary = json.loads((folder / "summary").read_text())
    kept = PARALLEL.read(folder / "kept")
    assert kept["id"].to_list() == [i for i, why in zip(frame["id"], reasons, strict=True) if not why]
    assert (summary["pairs"], summary["kept"]) == (len(frame), len(kept))
    assert summary["dropped"] == {name: sum(name in why for why in reasons) for name in summary["dropped"]}
    assert max(summary["dropped"].values()) <= len(frame) - len(kept) <= sum(summary["dropped"].values())


def test_scores_that_differ_by_a_rounding_error_have_a_histogram(tmp_path: Path) -> None:
    SCORED.write(scored({"passage_cosine": 1.0}, {"passage_cosine": float(np.nextafter(1, 0))}), tmp_path / "scored")
    filter(tmp_path / "scored", tmp_path / "kept", tmp_path / "summary", rules=Rules(**OFF))
    found = json.loads((tmp_path / "summary").read_text())["scores"]["cosine"]
    assert sum(found["counts"]) == 4  # questions and passages
    assert len(set(found["edges"])) == len(found["edges"])


def test_many_texts_are_scored_in_equal_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [dict(zip(("source", "target"), english(n % 10), strict=True)) | {"back": None} for n in range(23)]
    sizes: list[int] = []
    found = score_texts(rows, "fi", ["en", "fi"], Score())
    monkeypatch.setattr(scoring, "BLOCK", 10)
    monkeypatch.setattr(aligning, "alignment", lambda block: sizes.append(len(block.sources)) or np.full(sizes[-1], np.nan))
    blocks = score_texts(rows, "fi", ["en", "fi"], Score())
    assert sizes == [8, 8, 7]
    for name in ("script", "numbers", "copied", "repetition", "question"):  # of one text alone, whatever is usual around it
        np.testing.assert_array_equal(blocks[name], found[name])


def test_nothing_kept_is_an_error_that_names_the_language_and_the_scores(tmp_path: Path) -> None:
    SCORED.write(scored({"question": None}), tmp_path / "scored")
    with pytest.raises(KoineError, match=r"fi: no pair passes the filter.*scored"):
        filter(tmp_path / "scored", tmp_path / "kept", tmp_path / "summary", rules=Rules())
    assert not (tmp_path / "kept").exists()


# --- both commands together ------------------------------------------------------------------------------

NAMES = ["Ada", "Bob", "Eva", "Kai", "Leo", "Mia", "Ole", "Pia", "Rob", "Tom"]


def english(n: int) -> tuple[str, str]:
    name = NAMES[n]
    return f"In which year was the merchant {name} born?", f"The merchant {name} was born in the city in {1900 + n}."


def finnish(n: int) -> tuple[str, str]:
    name = NAMES[n]
    return f"Minä vuonna kauppias {name} syntyi?", f"Kauppias {name} syntyi kaupungissa vuonna {1900 + n}."


Truth = list[dict[str, str]]


@pytest.fixture
def planted(tmp_path: Path, qa: Frames) -> tuple[Path, Path, Path]:
    """QA rows, their translations with one defect of each kind, and the truth about them."""
    rows, translations, truth = [], {}, []
    defects = {
        (0, 0): ("untranslated", english(0)[0], english(0)[0]),
        (1, 1): ("wrong_language", "Der Kaufmann Bob wurde in der Stadt im Jahre 1901 geboren.", english(1)[1]),
        (2, 1): ("number_changed", finnish(2)[1].replace("1902", "1992"), english(2)[1].replace("1902", "1992")),
        (3, 1): ("truncated", finnish(3)[1][:13], english(3)[1][:13]),
        (4, 0): ("neighbour", finnish(5)[0], english(5)[0]),  # which is the right translation of another question
    }
    for n in range(len(NAMES)):
        rows.append({"id": f"t/{n}", "question": english(n)[0], "passage": english(n)[1], "answer": str(1900 + n)})
        for part in (0, 1):
            kind, target, back = defects.get((n, part), ("", finnish(n)[part], english(n)[part]))
            translations[text_id(english(n)[part])] = (english(n)[part], target, back)
            if kind:
                truth.append({"lang": "fi", "source": english(n)[part], "target": target, "defect": kind})
                truth.append({"lang": "sv", "source": english(9)[0], "target": finnish(9)[0], "defect": kind})
        translations[text_id(str(1900 + n))] = (str(1900 + n),) * 3
    QA.write(qa(*rows), tmp_path / "qa")
    done = [{"text_id": i, "source": s, "target": t, "back": b} for i, (s, t, b) in sorted(translations.items())]
    for shard in (0, 1):
        TRANSLATION.write(TRANSLATION.frame(done[shard::2]), tmp_path / f"shard{shard}")
    write_jsonl(tmp_path / "truth", truth)
    shards = [tmp_path / "shard0", tmp_path / "shard1"]
    filter_score(shards, tmp_path / "qa", tmp_path / "scored", lang="fi", among=["en", "de", "fi"])
    return tmp_path / "qa", tmp_path / "scored", tmp_path / "truth"


def test_every_pair_is_scored_with_its_own_translations(planted: tuple[Path, Path, Path]) -> None:
    pairs, frame = QA.read(planted[0]), SCORED.read(planted[1])
    assert frame["id"].equals(pairs["id"])
    assert frame["passage_id"].equals(pairs["passage_id"])
    assert frame["question_id"].to_list() == [text_id(question) for question in pairs["question"]]
    assert frame["question"][6] == finnish(6)[0]
    assert frame["answer_kept"].to_list() == [1, 1, 0, 0, 1, 1, 1, 1, 1, 1]
    assert frame["passage_numbers"].to_list() == [1, 1, 0, 1, 1, 1, 1, 1, 1, 1]
    assert frame["question_numbers"].null_count() == len(frame)


def test_every_planted_defect_is_found_and_no_clean_pair_lost(tmp_path: Path, planted: tuple[Path, Path, Path]) -> None:
    _, scored_pairs, truth = planted
    filter(scored_pairs, tmp_path / "kept", tmp_path / "summary", rules=Rules(), truth=truth)
    summary = json.loads((tmp_path / "summary").read_text())
    kinds = ("neighbour", "number_changed", "truncated", "untranslated", "wrong_language")
    assert summary["planted"] == {
        **{"pairs": 5, "precision": 1.0, "recall": 1.0},
        "recall_by_defect": dict.fromkeys(kinds, 1.0),
    }
    assert PARALLEL.read(tmp_path / "kept")["id"].to_list() == [f"t/{n}" for n in range(5, 10)]


def test_changed_rules_need_no_new_scores(tmp_path: Path, planted: tuple[Path, Path, Path]) -> None:
    _, scored_pairs, truth = planted
    before = scored_pairs.read_bytes()
    filter(scored_pairs, tmp_path / "all", tmp_path / "summary", rules=Rules(**OFF), truth=truth)
    assert len(PARALLEL.read(tmp_path / "all")) == 10
    assert json.loads((tmp_path / "summary").read_text())["planted"]["recall"] == 0
    filter(scored_pairs, tmp_path / "some", tmp_path / "summary", rules=Rules(**{**OFF, "numbers": 1.0}))
    assert PARALLEL.read(tmp_path / "some")["id"].to_list() == ["t/0", "t/1", *(f"t/{n}" for n in range(3, 10))]
    assert scored_pairs.read_bytes() == before


def test_translations_of_other_pairs_are_an_error(tmp_path: Path, planted: tuple[Path, Path, Path]) -> None:
    with pytest.raises(KoineError, match="do not belong together"):
        filter_score([tmp_path / "shard0"], planted[0], tmp_path / "never", lang="fi", among=["en", "fi"])
    assert not (tmp_path / "never").exists()


def test_external_scores_are_read_by_id_and_what_is_wrong_with_them_is_said(
    tmp_path: Path, planted: tuple[Path, Path, Path]
) -> None:
    shards, own = [tmp_path / "shard0", tmp_path / "shard1"], tmp_path / "own.jsonl"

    def rescore() -> list[float | None]:
        filter_score(shards, planted[0], tmp_path / "again", lang="fi", among=["en", "de", "fi"], external=own)
        return SCORED.read(tmp_path / "again")["external"].to_list()

    write_jsonl(own, [{"id": "t/0", "score": 0.5}, {"id": "t/2", "score": -1}, {"id": "unknown", "score": 1}])
    assert rescore() == [0.5, None, -1.0, *[None] * 7]
    for row, said in (
        ({"id": "t/0"}, r"own\.jsonl:1: a row of external scores needs"),
        ({"id": "x", "score": 1}, "none of its ids"),
    ):
        write_jsonl(own, [row])
        with pytest.raises(KoineError, match=said):
            rescore()


def test_the_file_of_external_scores_is_an_input_of_its_language() -> None:
    recipe = json.loads(Params().model_dump_json())
    assert not any(job["files"] for job in Experiment(recipe).jobs.filter_score.values())
    recipe["filter"]["score"]["external"] = "own/comet {lang}.jsonl"
    jobs = Experiment(recipe).jobs.filter_score
    assert jobs["fi"]["files"] == ["own/comet fi.jsonl"] and "--external 'own/comet fi.jsonl'" in jobs["fi"]["flags"]
    assert "{lang}" not in jobs["fi"]["flags"] and jobs["zh"]["files"] == ["own/comet zh.jsonl"]


# --- rules -----------------------------------------------------------------------------------------------


def test_every_entry_is_complete_and_is_a_parameter_with_its_bounds() -> None:
    assert list(Rules.model_fields) == list(RULES)
    for name, rule in RULES.items():
        assert callable(target(rule.score)) and rule.words and rule.description.endswith("."), name
        assert getattr(Rules(), name) == rule.default
        for bound, beyond in ((rule.low, -1), (rule.high, 1)):
            if math.isfinite(bound) and rule.keeps != "null":
                assert getattr(Rules(**{name: bound}), name) == bound
                with pytest.raises(ValueError, match="does not lie between"):
                    Rules(**{name: bound + beyond})


def test_the_page_says_of_each_rule_what_its_entry_says() -> None:
    page = (ROOT / "docs/filter.md").read_text(encoding="utf-8").partition("| key under `filter.rules` |")[2].partition("\n\n")[0]
    when = {"least": "score < value", "most": "score > value", "null": "`contaminated` is set"}
    said = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    entries = {name: (json.dumps(rule.default), when[rule.keeps], rule.words) for name, rule in RULES.items()}
    assert {name: tuple(words) for name, *words in said} == {name: entries[name] for name, *_ in said}


def test_an_unknown_rule_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(KoineError, match=r"filter\.rules\.lenght: no such parameter; did you mean 'length'"):
        parse({"filter": {"rules": {"lenght": 3.0}}})
