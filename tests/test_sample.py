"""The embedded sample: what it must hold for the workflow and the tests of the filters to mean anything."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from koine.collect.cldr import facts
from koine.collect.defects import DEFECTS
from koine.collect.sample import collect_sample, sample_files, split
from koine.collect.wording import LANGUAGES, by_hand, render
from koine.params import Sample
from koine.runtime.errors import KoineError

SEED = 7
RATE = 0.05


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample")
    collect_sample(path, sample=Sample(languages=list(LANGUAGES), seed=SEED, defect_rate=RATE))
    return path


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clean")
    collect_sample(path, sample=Sample(languages=list(LANGUAGES), seed=SEED, defect_rate=0))
    return path


def test_same_seed_same_bytes_and_only_the_listed_files(out: Path, tmp_path: Path) -> None:
    collect_sample(tmp_path, sample=Sample(languages=list(LANGUAGES), seed=SEED, defect_rate=RATE))
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == set(sample_files(LANGUAGES))
    assert all((tmp_path / name).read_bytes() == (out / name).read_bytes() for name in written)


def test_another_seed_deals_other_cells() -> None:
    assert split(facts(LANGUAGES), 1) != split(facts(LANGUAGES), 2)


def test_languages_can_be_fewer_but_not_other(tmp_path: Path) -> None:
    collect_sample(tmp_path, sample=Sample(languages=["en", "fi"], seed=SEED, defect_rate=RATE))
    assert all((tmp_path / name).exists() for name in sample_files(["en", "fi"]))
    with pytest.raises(KoineError, match="languages"):
        collect_sample(tmp_path, sample=Sample(languages=["en", "xx"], seed=SEED, defect_rate=RATE))
    with pytest.raises(KoineError, match="languages"):
        collect_sample(tmp_path, sample=Sample(languages=["fi", "de"], seed=SEED, defect_rate=RATE))


def test_languages_without_sentences_are_made_of_cldrs_own_words(tmp_path: Path) -> None:
    languages = ["en", "fi", "ja", "am"]
    collect_sample(tmp_path, sample=Sample(languages=list(languages), seed=SEED, defect_rate=0))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(sample_files(languages))
    asked = {row["id"]: row for row in rows(tmp_path / "qa.jsonl")}
    assert len(asked) > 800
    memory = {(row["target_lang"], row["source"]): row["target"] for row in rows(tmp_path / "memory.jsonl")}
    one = asked["T-FI-currency"] if "T-FI-currency" in asked else asked["T-SE-currency"]
    assert "Unknown Currency" in one["question"]
    assert "tuntematon rahayksikkö" in memory["fi", one["question"]] and "不明または無効な通貨" in memory["ja", one["question"]]
    pools = [{row["_id"] for row in rows(tmp_path / f"beir/{lang}/corpus.jsonl")} for lang in languages]
    assert all(pool == pools[0] for pool in pools)
    with pytest.raises(KoineError, match="CLDR names too little in 'kl'"):
        collect_sample(tmp_path, sample=Sample(languages=["en", "kl"], seed=SEED, defect_rate=0))


def test_enough_cells_of_enough_attributes() -> None:
    cells = facts(LANGUAGES)
    assert len(cells) == len({cell.id for cell in cells}) >= 2500
    assert len({cell.template for cell in cells}) >= 12


@pytest.mark.parametrize(
    ("cell_id", "lang", "value"),
    [
        ("T-FI-currency", "fi", "euro"),
        ("T-FI-since", "de", "1999"),
        ("T-JP-language", "es", "japonés"),
        ("T-KE-continent", "sw", "Afrika"),
        ("T-FI-week", "fi", "maanantai"),
        ("T-TR-week", "tr", "Pazartesi"),
        ("T-GR-script", "en", "Greek script"),
        ("L-pl-country", "ru", "Польша"),
        ("P-Europe.Helsinki-country", "zh", "芬兰"),
        ("C-JPY-digits", "ar", "0"),
    ],
)
def test_known_facts(cell_id: str, lang: str, value: str) -> None:
    (cell,) = (cell for cell in facts(LANGUAGES) if cell.id == cell_id)
    assert cell.value[lang] == value


def test_names_are_in_the_script_of_their_language() -> None:
    for lang, letters in {"ru": "[а-яё]", "zh": "[一-鿿]", "ar": "[ء-ي]", "hi": "[ऀ-ॿ]"}.items():
        assert all(re.search(letters, cell.names[lang], re.IGNORECASE) for cell in facts(LANGUAGES))


def test_an_english_value_has_one_translation() -> None:
    meanings = {(cell.value["en"], *cell.value.values()) for cell in facts(LANGUAGES)}
    assert len(meanings) == len({english for english, *_ in meanings})


def test_passages_hold_the_answer_and_are_distinct() -> None:
    items = render(facts(LANGUAGES), by_hand(), LANGUAGES, SEED)
    for lang in LANGUAGES:
        assert all(item.cell.value[lang] in item.passage[lang] for item in items)
        assert len({item.passage[lang] for item in items}) == len(items)
        assert len({item.question[lang] for item in items}) == len(items)


def test_what_is_asked_is_new_but_what_it_is_about_is_not() -> None:
    cells = facts(LANGUAGES)
    dealt = split(cells, SEED)
    train = [cell for cell in cells if dealt[cell.id] == "train"]
    asked = [cell for cell in cells if dealt[cell.id] == "eval"]
    assert {cell.group for cell in asked} <= {cell.group for cell in train}
    assert {cell.template for cell in asked} <= {cell.template for cell in train}
    share = {name: count / len(cells) for name, count in Counter(dealt.values()).items()}
    assert share == pytest.approx({"train": 0.7, "eval": 0.15, "distractor": 0.15}, abs=0.03)


def test_no_text_of_the_pool_is_trained_on(clean: Path) -> None:
    trained = {row["target"] for row in rows(clean / "memory.jsonl")}
    trained |= {row[field] for row in rows(clean / "qa.jsonl") for field in ("question", "passage")}
    for lang in LANGUAGES:
        for name in ("corpus", "queries"):
            assert trained.isdisjoint(row["text"] for row in rows(clean / "beir" / lang / f"{name}.jsonl"))


def test_beir_folders_are_parallel(out: Path) -> None:
    def ids(lang: str, name: str) -> list[str]:
        return [row["_id"] for row in rows(out / "beir" / lang / f"{name}.jsonl")]

    corpus, queries = ids("en", "corpus"), ids("en", "queries")
    qrels = (out / "beir/en/qrels/test.tsv").read_text(encoding="utf-8")
    judged = [line.split("\t") for line in qrels.splitlines()]
    assert judged[0] == ["query-id", "corpus-id", "score"]
    assert [line[0] for line in judged[1:]] == queries
    assert {line[1] for line in judged[1:]} < set(corpus)
    for lang in LANGUAGES:
        assert (ids(lang, "corpus"), ids(lang, "queries")) == (corpus, queries)
        assert (out / "beir" / lang / "qrels/test.tsv").read_text(encoding="utf-8") == qrels


def test_the_memory_translates_every_text_once(out: Path) -> None:
    memory = rows(out / "memory.jsonl")
    texts = {row[field] for row in rows(out / "qa.jsonl") for field in ("question", "passage", "answer")}
    keys = [(row["target_lang"], row["source"]) for row in memory]
    assert len(keys) == len(set(keys))
    assert set(keys) == {(lang, text) for lang in LANGUAGES if lang != "en" for text in texts}


def test_the_truth_names_every_defect_and_no_other(out: Path, clean: Path) -> None:
    right = {(row["target_lang"], row["source"]): row["target"] for row in rows(clean / "memory.jsonl")}
    wrong = {
        (row["target_lang"], row["source"]): row["target"]
        for row in rows(out / "memory.jsonl")
        if row["target"] != right[row["target_lang"], row["source"]]
    }
    truth = rows(out / "defects.jsonl")
    assert {(row["lang"], row["source"]): row["target"] for row in truth} == wrong
    assert len(truth) == len(wrong)
    assert rows(clean / "defects.jsonl") == []

    kinds = Counter(row["defect"] for row in truth)
    assert set(kinds) == set(DEFECTS)
    assert max(kinds.values()) - min(kinds.values()) <= 1
    slots = 2 * (len(LANGUAGES) - 1) * len(rows(out / "qa.jsonl"))
    assert len(truth) / slots == pytest.approx(RATE, abs=0.001)


def test_defects_are_what_they_are_called(out: Path, clean: Path) -> None:
    right = {(row["target_lang"], row["source"]): row["target"] for row in rows(clean / "memory.jsonl")}
    targets = [lang for lang in LANGUAGES if lang != "en"]
    for row in rows(out / "defects.jsonl"):
        lang, source, target = row["lang"], row["source"], row["target"]
        expected = right[lang, source]
        match row["defect"]:
            case "wrong_language":
                assert target in {right[other, source] for other in targets if other != lang}
            case "untranslated":
                assert target == source
            case "truncated":
                assert expected.startswith(target)
                assert 0.35 <= len(target) / len(expected) <= 0.65
            case "neighbour":
                assert target in right.values()
            case "number_changed":
                assert re.sub("[0-9]+", "#", target) == re.sub("[0-9]+", "#", expected)


def test_the_way_back_shows_the_defect(out: Path) -> None:
    back = {(row["source_lang"], row["source"]): row["target"] for row in rows(out / "reverse.jsonl")}
    memory = rows(out / "memory.jsonl")
    assert len(back) == len(rows(out / "reverse.jsonl"))
    assert set(back) == {(row["target_lang"], row["target"]) for row in memory}
    for row in rows(out / "defects.jsonl"):
        returned = back[row["lang"], row["target"]]
        if row["defect"] in ("wrong_language", "untranslated"):
            assert returned == row["source"]
        else:
            assert returned != row["source"]
