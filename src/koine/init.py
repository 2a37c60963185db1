"""`koine init`: from a person's own questions to a recipe of their own, with the reason for each choice beside it.

The data are looked at first and everything that was found is said; nothing is written before the recipe has passed the checks of
the workflow. What the recipe needs and this machine lacks is named by `koine doctor`.
"""

import os
import re
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import yaml

from koine import languages, names
from koine.collect.formats.beir import BEIR
from koine.collect.readers import read_questions
from koine.cost import plan as print_cost
from koine.doctor import HUB, TIMEOUT, load_recipe
from koine.filter.scores import detector
from koine.params import DEFAULT, HELD_OUT, NAME, BackendName, QAReader
from koine.plan import Plan
from koine.runtime.console import say, table
from koine.runtime.errors import KoineError
from koine.runtime.files import read_csv, read_json, read_jsonl, text_id, write_text
from koine.runtime.hub import on_disk
from koine.text.normalise import normalise, words
from koine.translate.apertium import PACKAGES
from koine.translate.backends import BACKENDS
from koine.translate.base import Options
from koine.translate.memory import Memory

#: What people call the columns; the first that is there counts.
QUESTION = ("question", "query", "anchor", "title")
PASSAGE = ("passage", "context", "positive", "document", "text", "answer", "response", "content")
GROUP = ("group", "title", "article", "url", "document_id", "doc_id")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

IDENTIFIED = 500  # questions whose language is looked at
DOUBTED = 0.2  # share of them in another language that is worth a warning
SHOWN = 32  # characters of a path, in a table
SHORT_QUESTION, SHORT_PASSAGE = 2, 5  # words; fewer are near-empty
TOKENS_PER_WORD = 1.3  # of a subword tokenizer, about
LENGTHS = (64, 128, 256, 512)  # tokens of a passage that a backbone may read
FEWEST = 50  # questions that can be split and trained on at all
HELD_OUT_SHARE, MOST_HELD_OUT = 10, 500  # one in so many, and no more
EPOCHS, STEPS = 15, (100, 1000)
BATCHES = (32, 1024)
COVERED = 0.98  # share of the texts that a memory holds, above which nothing else is needed
FLAT = 200_000  # vectors that are searched one by one in some milliseconds
BORROWED = 20_000  # of other people's questions, beside passages that nobody has asked about
M2M100, NLLB = "facebook/m2m100_418M", "facebook/nllb-200-distilled-600M"


@dataclass(frozen=True)
class File:
    """A file of the user's, and what was found in it."""

    path: str
    reader: QAReader
    columns: dict[str, str]
    rows: list[dict[str, Any]]
    hub: bool = False


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line; see `init`."""

    name: str
    source: str
    languages: list[str]
    memories: list[Path] = field(default_factory=list)
    tests: dict[str, Path] = field(default_factory=dict)
    licence: str = ""


@dataclass(frozen=True)
class Way:
    """What translates into a language, whether it can also go back, and why it was chosen."""

    backend: BackendName
    back: bool
    why: str
    model: str = ""


def init(
    name: str, *, qa: Sequence[str], passages: Sequence[Path], langs: Sequence[str], source: str, memories: Sequence[Path],
    tests: Mapping[str, Path], licence: str, force: bool,
) -> Path:  # fmt: skip
    """Look at a person's data and write recipes/NAME.yaml.

    Args:
        name: of the recipe.
        qa: questions with passages: files (JSONL, CSV, SQuAD JSON), BEIR folders, or ids of Hub data sets.
        passages: JSONL of passages that nobody has asked about.
        langs: languages to translate into (BCP 47).
        source: language of the data.
        memories: translation memories (TMX, JSONL).
        tests: benchmarks of their own, by language.
        licence: of the data.
        force: whether a recipe of this name is replaced.

    Returns:
        The recipe.

    Raises:
        KoineError: something given does not exist, cannot be read, or is too small; nothing is written.
    """
    path = Path("recipes") / f"{name}.yaml"
    if not re.fullmatch(NAME, name) or name in (DEFAULT, HELD_OUT):
        raise KoineError(
            f"{name!r} cannot name a recipe: small letters, digits, dots and hyphens, and neither sample nor heldout"
        )
    if path.exists() and not force:
        raise KoineError(f"{path} is there already; choose another name, or say --force")
    if not Path("params.yaml").is_file():
        raise KoineError("params.yaml: no such file; run koine from the checkout")
    if not qa and not passages:
        raise KoineError("give questions with --qa, or, if you have none, passages with --passages")
    wanted = Wanted(name, languages.canonical(source), _languages(langs, source), list(memories), dict(tests), licence)
    files = [*(_look(file) for file in qa), *(_look_at_passages(file) for file in passages)]
    _describe(files, wanted)
    ways = {lang: _way(lang, wanted, files) for lang in wanted.languages}
    text = "\n".join(_recipe(wanted, files, ways)) + "\n"
    with tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch) / path.name
        trial.write_text(text, encoding="utf-8")
        plan = Plan(load_recipe(trial))  # complains before anything is written
    write_text(path, text)
    print_cost(path)
    say(f"{path} is written. Read its comments: each choice is yours to change. Then:")
    model = plan.indexed[0]
    search = (
        f'koine search --model models/{name}/{model} --index data/{name}/index/{model}/{HELD_OUT} "a question in any language"'
    )
    for command in (f"koine doctor {path}", f"snakemake --cores all --configfile {path}", f"koine show results/{name}", search):
        say(f"    {command}")
    return path


def _languages(langs: Sequence[str], source: str) -> list[str]:
    found = list(dict.fromkeys(languages.canonical(tag.strip()) for group in langs for tag in group.split(",") if tag.strip()))
    if not found:
        raise KoineError("--languages: name one or more languages, as de,fi,sw")
    if languages.canonical(source) in found:
        raise KoineError(f"--languages: {source} is the language of the data; name those to translate into")
    return found


# --- the data ----------------------------------------------------------------------------------------------------


def _look(name: str) -> File:
    path = Path(name)
    if not path.exists():
        if not HUB_ID.fullmatch(name):
            raise KoineError(f"{name}: no such file or folder, and no id of a Hub data set (ORG/NAME)")
        return _look_at_hub(name)
    reader = _format(path)
    columns = _columns(path, reader)
    return File(name, reader, columns, _rows(path, reader, columns))


def _look_at_hub(name: str) -> File:
    from koine.collect.download import collect_download

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "train.jsonl"
        collect_download(path, hub=name)
        columns = _columns(path, "jsonl", name)
        return File(name, "jsonl", columns, _rows(path, "jsonl", columns), hub=True)


def _look_at_passages(path: Path) -> File:
    rows = _rows(path, "passages", {})
    return File(str(path), "passages", {}, rows)


def _rows(path: Path, reader: QAReader, columns: dict[str, str]) -> list[dict[str, Any]]:
    rows = list(read_questions(path, reader, columns=columns))
    if not rows:
        raise KoineError(f"{path}: nothing to train on in it; is it empty?")
    return rows


def _format(path: Path) -> QAReader:
    """The reader of a file, by its name and its beginning.

    Raises:
        KoineError: none fits; the message lists what can be read.
    """
    name = path.name.removesuffix(".gz")
    if path.is_dir():
        if any((path / file).is_file() for corpus in [BEIR["corpus"]] for file in (corpus, f"{corpus}.gz")):
            return "beir"
        raise KoineError(f"{path}: a folder without {BEIR['corpus']}; give a BEIR folder, or a file")
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    if name.endswith((".csv", ".tsv")):
        return "csv"
    if name.endswith(".json"):
        document = read_json(path)
        if isinstance(document, dict) and "data" in document:
            return "squad"
        raise KoineError(
            f"{path}: not SQuAD format (no `data` list); for rows of your own, write one JSON object a line (.jsonl)"
        )
    raise KoineError(f"{path}: of what format is it? Read are .jsonl, .csv, .tsv, SQuAD's .json, and BEIR folders")


def _columns(path: Path, reader: QAReader, called: str = "") -> dict[str, str]:
    """Our field to the file's, where they differ.

    Raises:
        KoineError: no column is known for questions, or for passages.
    """
    if reader not in ("jsonl", "csv"):
        return {}
    rows: Iterator[tuple[int, Mapping[str, Any]]] = read_jsonl(path) if reader == "jsonl" else read_csv(path)
    _, first = next(rows, (0, {}))
    if not first:
        raise KoineError(f"{called or path}: no rows in it")
    found: dict[str, str] = {}
    for ours, known in (("question", QUESTION), ("passage", PASSAGE)):
        theirs = next((name for name in known if name in first and name not in found.values()), None)
        if theirs is None:
            raise KoineError(
                f"{called or path}: no column of {ours}s; it has {', '.join(first)}. Call it {ours!r} (known are also "
                f"{', '.join(known[1:])})"
            )
        found[ours] = theirs
    group = next((name for name in GROUP if name in first and name not in found.values()), None)
    found |= {"group": group} if group else {}
    return {ours: theirs for ours, theirs in found.items() if ours != theirs}


def _describe(files: Sequence[File], wanted: Wanted) -> None:
    """Print what is in the files, and warn of what looks wrong."""
    rows = []
    for file in files:
        questions, passages = [row["question"] for row in file.rows], [row["passage"] for row in file.rows]
        pairs = {(normalise(q), text_id(p)) for q, p in zip(questions, passages, strict=True)}
        sizes = [len(words(text)) for text in dict.fromkeys(passages)]
        empty = sum(
            len(words(q)) < SHORT_QUESTION or len(words(p)) < SHORT_PASSAGE for q, p in zip(questions, passages, strict=True)
        )
        other = _in_other_languages(questions, wanted)
        half, most = np.percentile(sizes, [50, 95])
        counts = (len(file.rows), len(sizes), len(_groups([file])), len(file.rows) - len(pairs), empty)
        shown = file.path if len(file.path) <= SHOWN else f"…/{Path(file.path).name}"
        rows.append([shown, file.reader, *(f"{count:,}" for count in counts), f"{other:.0%}", f"{half:.0f}", f"{most:.0f}"])
        if other > DOUBTED:
            say(
                f"warning: {file.path}: {other:.0%} of its questions do not look like {languages.name(wanted.source)}; "
                "all rows are to be in one language (--source-language)"
            )
    header = ["file", "format", "questions", "passages", "groups", "twice", "near-empty", "foreign", "words", "95 %"]
    table("your data", header, rows, texts=2)
    count = sum(len(file.rows) for file in files)
    if count < FEWEST or len(_groups(files)) < 2:
        raise KoineError(
            f"{count} questions of {len(_groups(files))} group(s) (articles, entities) are too few to train on some and test on "
            f"others: {FEWEST} of two groups are the least; collect more, or use `koine evaluate --model` with a trained model"
        )


def _in_other_languages(questions: Sequence[str], wanted: Wanted) -> float:
    every = max(1, len(questions) // IDENTIFIED)
    looked_at = list(questions[::every][:IDENTIFIED])
    lingua, known = detector(tuple(sorted({"en", wanted.source, *wanted.languages})))
    if wanted.source not in known:
        return 0.0  # lingua cannot tell
    told = lingua.detect_languages_in_parallel_of(looked_at)
    return sum(one not in (None, known[wanted.source]) for one in told) / len(looked_at)


def _groups(files: Sequence[File]) -> set[str]:
    """Articles or entities: what splits never cut through."""
    return {str(row.get("group") or text_id(row["passage"])) for file in files for row in file.rows}


def _passages(files: Sequence[File]) -> list[str]:
    return list(dict.fromkeys(row["passage"] for file in files for row in file.rows))


# --- what translates -----------------------------------------------------------------------------------------------


def _way(lang: str, wanted: Wanted, files: Sequence[File]) -> Way:
    """What can serve a language: a memory that holds it all, Apertium, a neural model; with a GPU, this before Apertium."""
    covered = _covered(lang, wanted, files)
    beside = f"your memories hold {covered:.0%} of the texts; of the rest, " if covered else ""
    if covered >= COVERED:
        return Way("memory", False, f"your memories hold {covered:.0%} of the texts")
    neural = _neural(lang, wanted.source)
    here = neural is not None and (on_disk(neural) is not None or _hub())
    rules = next(iter(_programs(wanted.source, lang)), None)
    if rules is not None and not (here and _gpus()):
        why = f"{beside}{BACKENDS[rules].program} is installed for this direction, and needs no GPU"
        return Way(rules, rules in _programs(lang, wanted.source), why)
    if neural is None:
        if covered:
            return Way("memory", False, f"your memories hold {covered:.0%} of the texts; no engine knows this language")
        raise KoineError(f"--languages: neither Apertium, M2M-100 nor NLLB translates into {lang}; give a memory with --memory")
    place = "is here" if on_disk(neural) else "comes from the Hub" if here else "has to be brought (docs/offline.md)"
    if not here and wanted.source == "en" and lang in PACKAGES:
        place += f"; or apt install apertium {PACKAGES[lang]}, and koine init again"
    terms = "for research only (CC-BY-NC-4.0), M2M-100 lacks this language" if neural == NLLB else "MIT licence"
    return Way("ctranslate2", True, f"{beside}{neural} ({terms}) {place}", neural)


def _covered(lang: str, wanted: Wanted, files: Sequence[File]) -> float:
    """Share of the texts that the memories translate into a language."""
    if not wanted.memories:
        return 0.0
    texts = list(dict.fromkeys([*(row["question"] for file in files for row in file.rows), *_passages(files)]))
    found = Memory(wanted.memories, wanted.source, lang).translate(texts)
    return sum(text is not None for text in found) / len(texts)


def _programs(source: str, target: str) -> list[str]:
    """The backends whose program is installed for a direction."""
    installed = []
    for name, backend in BACKENDS.items():
        with suppress(KoineError):
            if backend.program and names.target(backend.make)(source, target, Options()):
                installed.append(name)
    return installed


def _neural(lang: str, source: str) -> str | None:
    """M2M-100, whose licence permits everything; where it lacks a language, NLLB."""
    for model, scheme in ((M2M100, "m2m100"), (NLLB, "nllb")):
        try:
            languages.code(lang, scheme)
            languages.code(source, scheme)
        except KoineError:
            continue
        return model
    return None


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _hub() -> bool:
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return False
    try:
        with urllib.request.urlopen(HUB, timeout=TIMEOUT):
            return True
    except OSError:
        return False


# --- the recipe ----------------------------------------------------------------------------------------------------


def _recipe(wanted: Wanted, files: Sequence[File], ways: Mapping[str, Way]) -> Iterator[str]:
    """The lines of the recipe."""
    name, own = wanted.name, [_source_name(wanted.name, number) for number in range(len(files))]
    questions, passages, groups = sum(len(file.rows) for file in files), _passages(files), len(_groups(files))
    asked = any(file.reader != "passages" for file in files)
    yield from _comment(
        f"{name}: a retriever for {', '.join([wanted.source, *wanted.languages])} from {questions:,} "
        f"{'questions' if asked else 'passages that nobody has asked about'}. Written by `koine init`; "
        "every choice has its reason beside it and is yours to change. What is not here is as in params.yaml."
    )
    yield "#"
    yield f"#     snakemake --cores all --configfile recipes/{name}.yaml     # run; the same command goes on after a stop"
    yield f"#     koine show results/{name}                                  # the table; report.html there is the page"
    yield f"recipe: {name}"
    yield ""
    yield "collect:"
    if asked:
        yield f"  sources: {_flow(own)}"
        borrowed = 0
    else:
        borrowed = BORROWED
        squad = "squad-train-mirror" if "KOINE_MIRROR" in os.environ else "squad-train"
        yield from _comment(
            "Questions of others (SQuAD) teach what a question is; your passages what it is about. Each of yours is asked for by "
            "one of its sentences (inverse cloze task).",
            2,
        )
        yield f"  sources: {_flow([squad, *own])}"
    yield "  registry:"
    for key, file in zip(own, files, strict=True):
        yield f"    {key}:"
        yield from _indented(_source(file, wanted), 6)
    if wanted.memories:
        yield f"    {name}-memory:"
        keys = ["all", *(f"all/{number}" for number in range(2, len(wanted.memories) + 1))]
        named = {key: {"name": str(path)} for key, path in zip(keys, wanted.memories, strict=True)}
        yield from _indented({"path": "{name}", "reader": "memory", "licence": wanted.licence, "files": named}, 6)
    heldout = min(MOST_HELD_OUT, questions // HELD_OUT_SHARE)
    yield from _comment(
        f"One question in {HELD_OUT_SHARE} (no more than {MOST_HELD_OUT}) is put aside for the test, with its whole group: there "
        f"are {groups:,} ({_called(files)}), and none is cut through, so that nothing about what is tested is seen in training.",
        2,
    )
    yield f"  heldout: {{ questions: {heldout}, sources: {_flow(own)} }}"
    yield from _comment("13 words in a row that stand in a benchmark too are no chance in natural text.", 2)
    limit = f", max_questions: {questions + borrowed}" if borrowed else ""
    yield f"  clean: {{ contamination_ngram: 13{limit} }}"
    yield ""
    yield from _translate(wanted, ways)
    yield ""
    yield "filter:"
    yield from _comment(
        "For natural text: engines write some numbers as words, and what aligns worst is often the translation of another text.",
        2,
    )
    back = [lang for lang, way in ways.items() if way.back]
    if back:
        yield from _comment("What came back from the round trip must still be recognised: chrF++ against the source.", 2)
    rules = {"numbers": 0.5, "alignment": -2.4, "round_trip_chrf": 0.4 if back else None}
    yield f"  rules: {_flow(rules)}"
    yield ""
    yield from _backbone(questions + borrowed - heldout, passages, [] if asked else own)
    yield ""
    yield from _evaluate(wanted, len(passages), [] if asked else own)


def _called(files: Sequence[File]) -> str:
    """What a group is in the first file."""
    named = files[0].columns.get("group") or ("group" if any(row.get("group") for row in files[0].rows) else "")
    return f"a `{named}` each" if named else "a passage each; name articles or entities in a column `group`, if you know them"


def _source_name(name: str, number: int) -> str:
    return name if number == 0 else f"{name}-{number + 1}"


def _source(file: File, wanted: Wanted) -> dict[str, Any]:
    origin: dict[str, Any] = {"hub": file.path} if file.hub else {"path": "{name}"}
    named = {wanted.source: {"name": "train.jsonl" if file.hub else file.path}}
    columns = {"columns": {"question": "question", "passage": "passage"} | file.columns} if file.hub or file.columns else {}
    if columns and not file.hub:
        columns = {"columns": file.columns}
    size = [len(file.rows), len(_passages([file]))]
    about = {"reader": file.reader, "lang": wanted.source, "domain": wanted.name, "licence": wanted.licence}
    return origin | columns | about | {"size": size, "files": named}


def _translate(wanted: Wanted, ways: Mapping[str, Way]) -> Iterator[str]:
    yield "translate:"
    yield f"  source: {wanted.source}"
    yield f"  languages: {_flow(wanted.languages)}"
    backends = [way.backend for way in ways.values()]
    usual = max(dict.fromkeys(backends), key=backends.count)
    for lang, way in ways.items():
        yield from _comment(f"{lang}: {way.backend}. {way.why[0].upper()}{way.why[1:]}.", 2)
    yield f"  backend: {usual}"
    if others := {lang: way.backend for lang, way in ways.items() if way.backend != usual}:
        yield f"  backends: {_flow(others)}"
    yield f"  resources: {_flow([f'{wanted.name}-memory'] if wanted.memories else [])}"
    yield "  reverse: []"
    if back := [lang for lang, way in ways.items() if way.back]:
        yield from _comment("And back again: that doubles the work and finds what went wrong, in the held-out questions too.", 2)
        yield f"  round_trip: {_flow(back)}"
    models = {way.model for way in ways.values() if way.model}
    if models:  # one model serves all: NLLB, if it is needed for any
        compute_type = "float16" if _gpus() else "int8"
        yield from _comment(f"{compute_type} suits {'GPUs' if _gpus() else 'CPUs'}.", 2)
        model = NLLB if NLLB in models else M2M100
        yield f"  decoding: {_flow({'model': model, 'compute_type': compute_type})}"


def _backbone(questions: int, passages: Sequence[str], unasked: Sequence[str]) -> Iterator[str]:
    lengths = np.array([len(words(text)) for text in passages]) * TOKENS_PER_WORD
    longest = next((length for length in LENGTHS if (lengths <= length).mean() >= 0.95), LENGTHS[-1])
    cut = float((lengths > longest).mean())
    reads = f"{longest} tokens hold {1 - cut:.0%} of your passages; of the others the beginning is read."
    pretrained = "multilingual-e5-base"
    if _gpus() and (on_disk("intfloat/multilingual-e5-base") or _hub()):
        yield "backbones:"
        yield from _comment(f"There is a GPU: {pretrained} starts from vectors that search many languages already. {reads}", 2)
        steps = int(np.clip(3 * questions / 100, 100, 3000))
        yield from _comment(f"{steps} batches of 100 pairs see each question about {steps * 100 / questions:.0f} times.", 2)
        yield f"  {pretrained}:"
        yield f"    tokenizer: {{ max_length: {longest} }}"
        yield f"    optimisation: {{ max_steps: {steps}, bf16: true }}"
        yield ""
        yield "train:"
        yield f"  backbones: [{pretrained}]"
        yield from _comment("One seed, as each is long; [1, 2, 3] tells what is chance in training, too.", 2)
        yield "  seeds: [1]"
    else:
        batch = int(2 ** np.clip(np.floor(np.log2(questions / 8)), *np.log2(BATCHES)))
        steps = int(np.clip(np.ceil(EPOCHS * questions / batch), *STEPS))
        yield "backbones:"
        yield from _comment(
            "No GPU here, or no pretrained model within reach: `static` (the mean of token embeddings, from scratch) trains in "
            f"minutes on a CPU. With a GPU, name multilingual-e5-base under train.backbones instead. {reads}",
            2,
        )
        yield from _comment(f"{steps} batches of {batch} pairs see each question about {steps * batch / questions:.0f} times.", 2)
        yield "  static:"
        yield f"    tokenizer: {{ vocab_size: 20000, max_length: {longest} }}"
        yield "    architecture: { hidden_size: 512 }"
        yield (
            f"    optimisation: {{ max_steps: {steps}, batch_size: {batch}, bf16: true, query_dropout: 0.1, "
            "passage_dropout: 0.3 }"
        )
        yield ""
        yield "train:"
        yield "  backbones: [static]"
        yield "  seeds: [1, 2, 3]"
    if unasked:
        yield from _comment(
            "hybrid learns from the questions of others alone, daft from your passages alone, hybrid-daft from both: that is the "
            "one to use.",
            2,
        )
        yield "  strategies: [untrained, x-x-mono, hybrid, daft, hybrid-daft]"
        yield f"  datasets: {{ domain: {_flow(list(unasked))} }}"
    else:
        yield from _comment("hybrid is the one to use; the others say what it gains and what it costs.", 2)
        yield "  strategies: [untrained, en-en, x-x-mono, x-y, hybrid]"


def _evaluate(wanted: Wanted, passages: int, unasked: Sequence[str]) -> Iterator[str]:
    pool = passages * (1 + len(wanted.languages))
    if pool > FLAT or unasked:
        yield "index:"
    if unasked:
        yield "  strategies: [hybrid-daft]"
    if pool > FLAT:
        yield from _comment(f"About {pool:,} passages in all languages: short codes, with the best ranked again.", 2)
        yield "  kind: ivfpq"
    if pool > FLAT or unasked:
        yield ""
    yield "evaluate:"
    yield from _comment(
        "The held-out questions in all languages, against all of your passages in all languages. They are machine translations: "
        "they compare models and languages, and flatter all of them. A test that people have written is worth more: --test.",
        2,
    )
    own = f"{wanted.name}-test"
    yield f"  benchmarks: {_flow([HELD_OUT, *([own] if wanted.tests else [])])}"
    if wanted.tests:
        readers = {_format(path) for path in wanted.tests.values()}
        if len(readers) > 1:
            raise KoineError(f"--test: files of {', '.join(sorted(readers))}; give all languages in one format")
        ids = {lang: {str(row["id"]) for row in _rows(path, next(iter(readers)), {})} for lang, path in wanted.tests.items()}
        shared = set.intersection(*ids.values())
        native = len(ids) > 1 and len(shared) < min(map(len, ids.values())) / 2
        yield "  registry:"
        yield f"    {own}:"
        says = "Few ids are the same: each language asks its own questions." if native else "Equal ids are the same question."
        yield from _comment(says, 6)
        files = {lang: {"name": str(path)} for lang, path in wanted.tests.items()}
        entry = {"path": "{name}", "reader": next(iter(readers)), "licence": wanted.licence, "native": native, "files": files}
        yield from _indented(entry, 6)


def _comment(text: str, indent: int = 0) -> Iterator[str]:
    for line in wrap(text, 108 - indent, break_on_hyphens=False, break_long_words=False):
        yield f"{' ' * indent}# {line}"


def _flow(value: object) -> str:
    """YAML on one line."""
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
        .strip()
        .removesuffix("\n...")
    )


def _indented(entry: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, value in entry.items():
        yield f"{' ' * indent}{key}: {_flow(value)}"
