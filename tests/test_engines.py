"""Translation engines: tiny real models translate held-out sentences exactly, the engines agree, and a killed shard goes on."""

import errno
import itertools
import json
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins import held_out, save_m2m100, save_marian
from transformers import AddedToken, M2M100Tokenizer, MBart50Tokenizer, NllbTokenizer, T5Tokenizer

from koine import languages
from koine.languages import SCHEMES
from koine.params import Decoding
from koine.people.standins.models import TRANSLATORS, write_standins
from koine.records import QA, TRANSLATION
from koine.runtime.errors import KoineError
from koine.runtime.files import write_jsonl
from koine.text.sentences import join, pieces
from koine.translate import apertium, neural, shard
from koine.translate.answers import carry
from koine.translate.apertium import Apertium
from koine.translate.base import Options
from koine.translate.convert import translate_convert
from koine.translate.neural import Layout, layout
from koine.translate.released import Released
from koine.translate.shard import translate

Frames = Callable[..., pl.DataFrame]
DIRECTIONS = [("opus/mt-en-fi", "en", "fi"), ("meta/m2m", "en", "fi"), ("meta/m2m", "en", "de"), ("meta/m2m", "fi", "en")]


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for the Hub, and in `converted` its models for CTranslate2."""
    folder = tmp_path_factory.mktemp("hub")
    save_marian(folder / "opus/mt-en-fi", "en", "fi")
    save_m2m100(folder / "meta/m2m", [("en", "fi"), ("en", "de"), ("fi", "en")])
    for model in ("opus/mt-en-fi", "meta/m2m"):
        translate_convert(folder / "converted" / model, model=str(folder / model), compute_type="float32")
    return folder


@pytest.fixture(autouse=True)
def models(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINE_MODELS", str(hub))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def decoding(model: str, **other: Any) -> Decoding:
    return Decoding(model=model, compute_type="float32", **other)


# --- engines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize(("model", "source", "target"), DIRECTIONS)
def test_both_engines_translate_unseen_sentences_exactly(hub: Path, model: str, source: str, target: str, beam: int) -> None:
    options = Options(decoding(model, num_beams=beam), hub / "converted" / model, batch_tokens=40)
    by_generate = neural.Generate(source, target, options).translate(held_out(source))
    fast = neural.Ctranslate2(source, target, options)
    assert by_generate == held_out(target)
    assert fast.translate(held_out(source)) == held_out(target)


@pytest.mark.parametrize("model", TRANSLATORS)
def test_the_recipes_translators_have_stand_ins(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOINE_MODELS", str(tmp_path))
    write_standins(tmp_path, [model])
    assert neural.family(tmp_path / model) == ("nllb" if "nllb" in model else "m2m100")
    translate_convert(tmp_path / "converted", model=model, compute_type="float32")
    options = Options(decoding(model, num_beams=1), tmp_path / "converted")
    for target in ("de", "th", "zh"):
        for engine in (neural.Generate, neural.Ctranslate2):
            assert all(engine("en", target, options).translate(["Finland", "Côte d’Ivoire"]))


@pytest.mark.parametrize("backend", ["ctranslate2", "transformers"])
def test_the_translate_step_splits_joins_and_translates_back(hub: Path, tmp_path: Path, qa: Frames, backend: str) -> None:
    english, finnish = held_out("en"), held_out("fi")
    # Sentences of the toy language start in lower case: the mark 。 ends them without asking for a capital.
    rows = [{"question": english[0], "passage": f"{english[1]}\n\n{english[2]}", "answer": None}]
    QA.write(qa(*rows), tmp_path / "qa.parquet")
    folder = hub / "converted" / "meta/m2m"
    translate(
        tmp_path / "qa.parquet", tmp_path / "0.parquet", source="en", target="fi", backend=backend, round_trip=True,
        decoding=decoding("meta/m2m"), converted=folder, converted_back=folder,
    )  # fmt: skip
    found = {row["source"]: row for row in TRANSLATION.read(tmp_path / "0.parquet").to_dicts()}
    assert found[english[0]]["target"] == finnish[0]
    assert found[english[0]]["back"] == english[0]
    assert found[english[0]]["spans"] == [0, len(english[0]), 0, len(finnish[0])]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.parquet", "qa.parquet"]


def test_a_model_is_found_below_koine_models_and_errors_say_what_is_missing(hub: Path, tmp_path: Path) -> None:
    for model, said in (("opus/no-such", "neither a folder, nor below KOINE_MODELS"), ("meta/m2m", "no Klingon")):
        with pytest.raises(KoineError, match=said):
            neural.Generate("en", "tlh", Options(decoding(model)))
    shutil.copytree(hub / "opus/mt-en-fi", tmp_path / "bare")
    for name in ("source.spm", "tokenizer_config.json", "vocab.json"):
        (tmp_path / "bare" / name).unlink()
    with pytest.raises(KoineError, match="holds no tokenizer"):
        neural.Generate("en", "fi", Options(decoding(str(tmp_path / "bare"))))
    (tmp_path / "bare" / "model.safetensors").rename(tmp_path / "bare" / "pytorch_model.bin")
    with pytest.raises(KoineError, match=r"no \*\.safetensors weights"):
        neural.Generate("en", "fi", Options(decoding(str(tmp_path / "bare"))))
    with pytest.raises(KoineError, match="no converted model"):
        neural.Ctranslate2("en", "fi", Options(decoding("meta/m2m"), tmp_path))
    with pytest.raises(KoineError, match="cpu has no float16"):
        neural.Ctranslate2("en", "fi", Options(Decoding(model="m", compute_type="float16"), hub / "converted/meta/m2m"))


def test_an_engine_is_asked_for_what_no_memory_holds(program: None, tmp_path: Path, qa: Frames) -> None:
    """The stand-in for Apertium shouts (in ASCII); what was translated by people is left as it is, and goes back all the same."""
    rows = [{"question": "Who wrote it?", "passage": "Ada wrote it. She was first."}, {"question": "When?", "passage": "Then."}]
    QA.write(qa(*rows), tmp_path / "qa.parquet")
    known = {"Who wrote it?": "¿Quién lo escribió?", "Ada wrote it.": "Ada lo escribió.", "Then.": "Entonces."}
    memory = ({"source_lang": "en", "target_lang": "es", "source": s, "target": t} for s, t in known.items())
    write_jsonl(tmp_path / "m.jsonl", memory)
    translate(
        tmp_path / "qa.parquet", tmp_path / "0.parquet", source="en", target="es", backend="apertium", round_trip=True,
        resources=[tmp_path / "m.jsonl"],
    )  # fmt: skip
    found = {row["source"]: (row["target"], row["back"]) for row in TRANSLATION.read(tmp_path / "0.parquet").to_dicts()}
    assert found == {
        "Who wrote it?": ("¿Quién lo escribió?", "¿QUIéN LO ESCRIBIó?"),
        "Ada wrote it. She was first.": ("ADA WROTE IT. SHE WAS FIRST.",) * 2,  # a sentence of it is unknown
        "When?": ("WHEN?", "WHEN?"),
        "Then.": ("Entonces.", "ENTONCES."),
    }


def test_text_that_the_model_cannot_hold_is_cut_not_fatal(hub: Path) -> None:
    for texts in (["one " * 25_000], ["\u202e\u0000\u200b"], ["🙂"], ["x" * 3000]):
        engine = neural.Ctranslate2("en", "fi", Options(decoding("meta/m2m"), hub / "converted/meta/m2m"))
        assert len(engine.translate(texts)) == 1


# --- Apertium ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the program: it shouts, breaks lines and paragraphs as Esperanto's does, and crashes where told to."""
    script = tmp_path / "bin" / "apertium"
    script.parent.mkdir()
    modes = r"  eng-spa\n  spa-eng\n  eng-cat\n  eng-cat_valencia\n"
    script.write_text(
        f"""#!/bin/sh
case "$1" in
  -l) printf '{modes}' ;;
  -V) echo 'Apertium 0' ;;
  *) tr a-z A-Z >"$0.in"; grep -q CRASH "$0.in" && kill -SEGV $$; sed 's/BREAK/\\n/g; s/CUT/\\n\\n/g' "$0.in" ;;
esac
"""
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")


@pytest.mark.usefixtures("program")
def test_apertium_gives_one_translation_per_text_whatever_lines_come_back() -> None:
    texts = [f"text {n}" for n in range(37)] + ["a break b", "two\n\nlines", "x break", "", "y", "a cut b", "x cut", "a crash"]
    expected = [f"TEXT {n}" for n in range(37)] + ["A B", "TWO LINES", "X", "", "Y", "A B", "X", "a crash"]
    assert Apertium("en", "es").translate(texts) == expected


@pytest.mark.usefixtures("program")
def test_apertium_finds_its_own_names_of_languages() -> None:
    assert Apertium("en", "ca").version.startswith("eng-cat ")
    with pytest.raises(KoineError, match=r"no en to fi here \(installed: eng-cat, eng-spa, spa-eng\); apt install"):
        Apertium("en", "fi")


def test_without_apertium_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(KoineError, match="not installed; on Debian and Ubuntu: apt install apertium"):
        Apertium("en", "es")


@pytest.mark.apertium
def test_the_real_apertium_translates_and_keeps_odd_characters() -> None:
    texts = ["The house is red.", "x^b$c [x] {y} @z \\ / <b>", "100 %", ""]
    found = Apertium("en", "es").translate(texts)
    assert found[0] == "La casa es roja."
    assert found[1:] == texts[1:]


@pytest.mark.apertium
def test_what_the_real_apertium_says_does_not_depend_on_the_texts_beside() -> None:
    """Texts without an end, too: a heading, a bracket, a full stop that is not the last letter."""
    texts = ["(Aicardi syndrome is distinct from Aicardi-Goutieres syndrome.)", "The heart and", "the signs of cancer:", "Safe"]
    engine = Apertium("en", "es")
    alone = [engine.translate([text])[0] for text in texts]
    assert engine.translate(texts) == alone
    assert engine.translate(texts[::-1]) == alone[::-1]


# --- layouts against transformers' own tokenizers --------------------------------------------------------------

LETTERS = {letter: number for number, letter in enumerate("▁abcdefghijklmnopqrstuvwxyz", start=4)}
SPECIAL = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}


def nllb(source: str, target: str) -> Any:
    return NllbTokenizer(vocab={**SPECIAL, **LETTERS}, merges=[], src_lang=source, tgt_lang=target)


def mbart(source: str, target: str) -> Any:
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in LETTERS)]
    return MBart50Tokenizer(vocab=pieces, src_lang=source, tgt_lang=target)


@pytest.mark.parametrize(
    ("family", "make", "source", "target"),
    [("nllb", nllb, "eng_Latn", "arb_Arab"), ("nllb", nllb, "zho_Hans", "fin_Latn"), ("mbart50", mbart, "en_XX", "fi_FI")],
)
def test_layouts_are_those_of_the_tokenizers(family: str, make: Any, source: str, target: str) -> None:
    tokenizer = make(source, target)
    own = layout(family, list(neural.vocabulary(tokenizer)), languages.canonical(source), languages.canonical(target))
    assert own == Layout(source, target)
    ids = tokenizer("some words").input_ids
    plain = tokenizer("some words", add_special_tokens=False).input_ids
    assert tokenizer.convert_ids_to_tokens(ids) == [own.before, *tokenizer.convert_ids_to_tokens(plain), "</s>"]
    target_ids = tokenizer(text_target="some words").input_ids
    assert tokenizer.convert_ids_to_tokens(target_ids)[0] == own.first


def test_the_layout_of_m2m100_is_its_tokenizers(hub: Path) -> None:
    tokenizer = M2M100Tokenizer.from_pretrained(hub / "meta/m2m", src_lang="en", tgt_lang="fi")
    own = neural.Texts(hub / "meta/m2m", "en", "fi")
    assert own.encode(held_out("en")) == [tokenizer(text).input_ids for text in held_out("en")]
    assert own.first == tokenizer.get_lang_id("fi") == tokenizer(text_target="yksi").input_ids[0]


def test_madlad_names_the_target_before_the_text() -> None:
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in LETTERS)]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0)
    tokenizer.add_tokens([AddedToken(f"<2{lang}>", normalized=False) for lang in ("fi", "sw", "zh_Hant")])
    own = layout("madlad", list(tokenizer.get_vocab()), "en", "fi")
    assert own == Layout("<2fi>", None)
    plain = tokenizer("some words", add_special_tokens=False).input_ids
    assert tokenizer("<2fi> some words").input_ids == [
        tokenizer.convert_tokens_to_ids(own.before),
        *plain,
        tokenizer.eos_token_id,
    ]


@pytest.mark.parametrize(
    ("tokens", "target", "before"), [([">>fra<<", ">>spa<<", "a"], "es", ">>spa<<"), (["a", "b"], "es", None)]
)
def test_marian_names_the_target_only_where_it_has_several(tokens: list[str], target: str, before: str | None) -> None:
    assert layout("marian", tokens, "en", target) == Layout(before, None)


# --- languages ------------------------------------------------------------------------------------------------


def test_every_language_of_nllb_resolves_from_its_bcp_47_tag_and_back() -> None:
    from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES

    assert set(SCHEMES["nllb"]) == set(FAIRSEQ_LANGUAGE_CODES)
    tags = {languages.canonical(code): code for code in SCHEMES["nllb"]}
    assert len(tags) == len(SCHEMES["nllb"]) == 202
    assert {tag: languages.code(tag, "nllb") for tag in tags} == tags


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_code_of_a_scheme_means_itself(scheme: str) -> None:
    codes = SCHEMES[scheme]
    assert [languages.find(code, codes, scheme) for code in codes] == list(codes)


@pytest.mark.parametrize(
    ("tag", "codes"),
    [
        ("ar", ("arb_Arab", "ar", "ar_AR", "ar")),
        ("zh", ("zho_Hans", "zh", "zh_CN", "zh_cn")),
        ("no", ("nob_Latn", "no", None, "no")),
        ("fa", ("pes_Arab", "fa", "fa_IR", None)),
        ("sw", ("swh_Latn", "sw", "sw_KE", None)),
        ("he", ("heb_Hebr", "he", "he_IL", "he")),
        ("pt-BR", ("por_Latn", "pt", "pt_XX", "pt")),
        ("zh-Hant", ("zho_Hant", None, None, "zh_tw")),
        ("sr-Latn", (None, None, None, None)),  # never another script than the one asked for
    ],
)
def test_known_spellings_of_a_language(tag: str, codes: tuple[str | None, ...]) -> None:
    for scheme, code in zip(SCHEMES, codes, strict=True):
        if code is None:
            with pytest.raises(KoineError, match=f"{scheme} has no .*{tag}.* the nearest that it has: "):
                languages.code(tag, scheme)
        else:
            assert languages.code(tag, scheme) == code


@pytest.mark.parametrize("tag", ["", "klingon-x", "xx", "english", "e", "123"])
def test_what_is_no_language_is_said_to_be_none(tag: str) -> None:
    with pytest.raises(KoineError, match=r"is no language tag|names no language"):
        languages.canonical(tag)


# --- pieces, answers ---------------------------------------------------------------------------------------------


@given(text=st.text(max_size=200), longest=st.integers(3, 50))
def test_pieces_cover_every_word_and_are_no_longer_than_asked(text: str, longest: int) -> None:
    spans = pieces(text, longest)
    assert all(0 < end - start <= longest for start, end in spans)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert spans == sorted(spans)


@given(text=st.text(alphabet="ab.? \nÄ", max_size=60))
def test_joined_pieces_stand_where_they_are_said_to_stand(text: str) -> None:
    spans = pieces(text, 12)
    translations = [text[start:end].upper() for start, end in spans]
    whole, found = join(text, spans, translations, "fi")
    assert [whole[start:end] for start, end in found] == translations
    assert whole.split() == text.upper().split() or len(text) > 12


def test_an_answer_is_found_in_its_own_sentence_first() -> None:
    source, target = "In 1990 he left. In 1990 she came.", "Vuonna 1990 hän lähti. Vuonna 1990 hän saapui."
    spans = [((0, 16), (0, 22)), ((17, 34), (23, 46))]
    found = carry(source, "1990", 20, spans, target, "1990")
    assert found is not None
    assert (found.text, found.start, found.sentence) == ("1990", 30, (23, 46))


def test_an_answer_that_is_lost_leaves_its_sentence_known() -> None:
    found = carry(
        "She came home. He left.", "home", 9, [((0, 14), (0, 11)), ((15, 23), (12, 20))], "Hän saapui. Hän meni.", "koti"
    )
    assert found is not None
    assert (found.text, found.start, found.sentence) == (None, None, (0, 11))


ODD = [
    "word " * 20_000,  # 100,000 characters
    "x" * 100_000,
    "\u202eevil\u202c \u2066bidi\u2069",
    "bell \x07, null \x00, tab \t and \x1b[31m escape",
    "\n\n",
    "\ufeff\u200b",
    "👩\u200d👩\u200d👧 e\u0301 ﷽",
]


@pytest.mark.parametrize("backend", ["transformers", "ctranslate2"])
def test_odd_texts_come_out_as_translations_or_as_none(hub: Path, tmp_path: Path, qa: Frames, backend: str) -> None:
    QA.write(qa(*({"question": f"Q{n}?", "passage": text} for n, text in enumerate(ODD))), tmp_path / "qa.parquet")
    model = "opus/mt-en-fi"
    translate(
        tmp_path / "qa.parquet", tmp_path / "0.parquet", source="en", target="fi", backend=backend,
        decoding=decoding(model, max_new_tokens=8), converted=hub / "converted" / model,
    )  # fmt: skip
    rows = TRANSLATION.read(tmp_path / "0.parquet")
    assert set(ODD) <= set(rows["source"])
    for source, target, spans in rows.select("source", "target", "spans").iter_rows():
        ends = [(spans[at + 1], spans[at + 3]) for at in range(0, len(spans), 4)]
        assert all(here <= len(source) and there <= len(target or "") for here, there in ends)
        assert target is None or target.strip()


# --- the journal ---------------------------------------------------------------------------------------------------


class Upper:
    """An engine that shouts, and may be killed after a number of chunks."""

    version = "1"
    tokens = 0

    def __init__(self, killed_after: int = 10**9) -> None:
        self.seen: list[str] = []
        self._left = killed_after

    def translate(self, texts: Sequence[str]) -> list[str]:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        self.seen += texts
        return [text.upper() for text in texts]


@pytest.fixture
def translated(tmp_path: Path, qa: Frames, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Upper, bytes]]:
    """Translate one shard with a given engine; returns the engine and the bytes of the output."""
    rows = ({"question": f"Who is {n}?", "passage": f"It is {n}. And then {n // 2}."} for n in range(40))
    QA.write(qa(*rows), tmp_path / "qa.parquet")
    monkeypatch.setattr(shard, "CHUNK", 7)

    def run(engine: Upper, name: str = "0.parquet") -> tuple[Upper, bytes]:
        monkeypatch.setattr(apertium, "Apertium", lambda *_: engine)
        translate(tmp_path / "qa.parquet", tmp_path / name, source="en", target="fi", backend="apertium", round_trip=True)
        return engine, (tmp_path / name).read_bytes()

    return run


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_shard_goes_on_and_gives_the_same_bytes(translated: Any, tmp_path: Path, seed: int) -> None:
    whole, expected = translated(Upper(), "whole.parquet")
    draw = random.Random(seed)
    with pytest.raises(KeyboardInterrupt):
        translated(Upper(killed_after=draw.randrange(3, 25)))
    journals = list(tmp_path.glob(".0*.journal"))
    assert journals and not (tmp_path / "0.parquet").exists()
    for journal in journals:  # the kill also cut the line that was being written
        if draw.random() < 0.7:
            os.truncate(journal, journal.stat().st_size - draw.randrange(1, 9))
    rest, resumed = translated(Upper())
    assert resumed == expected
    assert len(rest.seen) < len(whole.seen)
    assert not list(tmp_path.glob(".0*.journal"))


@pytest.mark.parametrize("failing", [1, 4, 9])
def test_a_full_disk_loses_nothing_that_was_done(
    translated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    _, expected = translated(Upper(), "whole.parquet")
    calls, sync = itertools.count(), os.fsync

    def full(descriptor: int) -> None:
        if next(calls) >= failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            translated(Upper())
    assert not (tmp_path / "0.parquet").exists()
    assert not list(tmp_path.glob("*.part"))
    assert translated(Upper())[1] == expected


def test_a_journal_of_another_version_is_not_gone_on_with(translated: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        translated(Upper(killed_after=3))
    other = Upper()
    other.version = "2"
    assert translated(other)[0].seen.count("Who is 3?") == 1


def test_each_distinct_sentence_is_translated_once(translated: Any) -> None:
    engine, _ = translated(Upper())
    forth = [text for text in engine.seen if text != text.upper()]
    assert len(forth) == len(set(forth))


# --- released ---------------------------------------------------------------------------------------------------------


def test_released_translations_are_joined_by_id(tmp_path: Path, qa: Frames) -> None:
    QA.write(
        qa({"id": "s/7", "question": "Who?", "passage": "Ada did.", "answer": "Ada"}, {"id": "s/8"}), tmp_path / "qa.parquet"
    )
    row = {"id": "7", "question": "Kuka?", "passage": "Ada teki sen.", "answer": "Ada!"}
    (tmp_path / "fi.jsonl").write_text(json.dumps(row) + "\n" + json.dumps({**row, "id": "unknown"}) + "\n")
    released = Released([tmp_path / "fi.jsonl"], "en", "fi", QA.read(tmp_path / "qa.parquet"))
    assert released.translate(["Who?", "Ada did.", "Ada", "else"]) == ["Kuka?", "Ada teki sen.", "Ada!", None]
    (tmp_path / "fi.jsonl").write_text(json.dumps({**row, "id": "unknown"}))
    with pytest.raises(KoineError, match="share no id"):
        Released([tmp_path / "fi.jsonl"], "en", "fi", QA.read(tmp_path / "qa.parquet"))


@pytest.mark.parametrize(("theirs", "wanted"), [(["Bob.", "Eva."], ["Bob.", "Eva."]), (["Bob."], [None] * 2), (None, [None] * 2)])
def test_released_negatives_are_joined_by_their_place_where_none_was_left_out(
    tmp_path: Path, qa: Frames, theirs: list[str] | None, wanted: list[str | None]
) -> None:
    QA.write(qa({"id": "s/7", "negatives": ["Bob did.", "Eve did."]}), tmp_path / "qa.parquet")
    row = {"id": "7", "question": "Kuka?", "passage": "Ada.", "negatives": theirs}
    (tmp_path / "fi.jsonl").write_text(json.dumps(row))
    released = Released([tmp_path / "fi.jsonl"], "en", "fi", QA.read(tmp_path / "qa.parquet"))
    assert released.translate(["Bob did.", "Eve did."]) == wanted
