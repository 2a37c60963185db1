"""The recipe of a person's own data, with the reason of each choice as a comment beside it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

import yaml

from koine.params import HELD_OUT
from koine.people.init.choose import M2M100, NLLB, PRETRAINED, Machine, Wanted, Way, training
from koine.people.init.look import File, format_of, groups_of, passages_of, rows_of
from koine.runtime.errors import KoineError

HELD_OUT_SHARE, MOST_HELD_OUT = 10, 500  # one question in so many, and no more
FLAT = 200_000  # vectors that are searched one by one in some milliseconds
BORROWED = 20_000  # of other people's questions, beside passages that nobody has asked about


def recipe(wanted: Wanted, files: Sequence[File], ways: Mapping[str, Way], machine: Machine) -> Iterator[str]:
    """The lines of the recipe."""
    name, sources = wanted.name, [_source_name(wanted.name, number) for number in range(len(files))]
    questions, passages, groups = sum(len(file.rows) for file in files), passages_of(files), len(groups_of(files))
    asked = any(file.reader != "passages" for file in files)
    yield from _comment(
        f"{name}: a retriever for {', '.join([wanted.source, *wanted.languages])} from {questions:,} "
        f"{'questions' if asked else 'passages that nobody has asked about'}. Written by `koine init`; "
        "every choice has its reason beside it and is yours to change. What is not here is as in params.yaml."
    )
    yield "#"
    yield f"#     snakemake --cores all --configfile recipes/{name}.yaml     # run; the same command goes on after a stop"
    yield f"#     koine show recipes/{name}.yaml                             # the table; results/{name}/report.html is the page"
    yield f"recipe: {name}"
    yield ""
    yield "collect:"
    if asked:
        yield f"  sources: {_flow(sources)}"
        borrowed = 0
    else:
        borrowed = BORROWED
        squad = "squad-train-mirror" if "KOINE_MIRROR" in os.environ else "squad-train"
        yield from _comment(
            "Questions of others (SQuAD) teach what a question is; your passages what it is about. Each of yours is asked for by "
            "one of its sentences (inverse cloze task).",
            2,
        )
        yield f"  sources: {_flow([squad, *sources])}"
    yield "  registry:"
    for key, file in zip(sources, files, strict=True):
        yield f"    {key}:"
        yield from _indented(_source(file, wanted), 6)
    if wanted.memories:
        yield f"    {name}-memory:"
        keys = ["all", *(f"all/{number}" for number in range(2, len(wanted.memories) + 1))]
        memories = {key: {"name": str(path)} for key, path in zip(keys, wanted.memories, strict=True)}
        yield from _indented({"path": "{name}", "reader": "memory", "licence": wanted.licence, "files": memories}, 6)
    heldout = min(MOST_HELD_OUT, questions // HELD_OUT_SHARE)
    yield from _comment(
        f"One question in {HELD_OUT_SHARE} (no more than {MOST_HELD_OUT}) is put aside for the test, with its whole group: there "
        f"are {groups:,} ({_called(files)}), and none is cut through, so that nothing about what is tested is seen in training.",
        2,
    )
    yield f"  heldout: {{ questions: {heldout}, sources: {_flow(sources)} }}"
    yield from _comment("13 words in a row that stand in a benchmark too are no chance in natural text.", 2)
    limit = f", max_questions: {questions + borrowed}" if borrowed else ""
    yield f"  clean: {{ contamination_ngram: 13{limit} }}"
    yield ""
    yield from _translate(wanted, ways, machine)
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
    yield from _backbone(questions + borrowed - heldout, passages, [] if asked else sources, machine)
    yield ""
    yield from _evaluate(wanted, len(passages), [] if asked else sources)


def _called(files: Sequence[File]) -> str:
    """What a group is in the first file."""
    column = files[0].columns.get("group") or ("group" if any(row.get("group") for row in files[0].rows) else "")
    return f"a `{column}` each" if column else "a passage each; name articles or entities in a column `group`, if you know them"


def _source_name(name: str, number: int) -> str:
    return name if number == 0 else f"{name}-{number + 1}"


def _source(file: File, wanted: Wanted) -> dict[str, Any]:
    origin: dict[str, Any] = {"hub": file.path} if file.hub else {"path": "{name}"}
    named_files = {wanted.source: {"name": "train.jsonl" if file.hub else file.path}}
    columns = {"columns": {"question": "question", "passage": "passage"} | file.columns} if file.hub or file.columns else {}
    if columns and not file.hub:
        columns = {"columns": file.columns}
    size = [len(file.rows), len(passages_of([file]))]
    about = {"reader": file.reader, "lang": wanted.source, "domain": wanted.name, "licence": wanted.licence}
    return origin | columns | about | {"size": size, "files": named_files}


def _translate(wanted: Wanted, ways: Mapping[str, Way], machine: Machine) -> Iterator[str]:
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
        compute_type = "float16" if machine.gpu else "int8"
        yield from _comment(f"{compute_type} suits {'GPUs' if machine.gpu else 'CPUs'}.", 2)
        model = NLLB if NLLB in models else M2M100
        yield f"  decoding: {_flow({'model': model, 'compute_type': compute_type})}"


def _backbone(questions: int, passages: Sequence[str], unasked: Sequence[str], machine: Machine) -> Iterator[str]:
    chosen = training(questions, passages, machine)
    reads = f"{chosen.longest} tokens hold {chosen.held:.0%} of your passages; of the others the beginning is read."
    steps, batch = chosen.max_steps, chosen.batch_size
    seen = f"{steps} batches of {batch} pairs see each question about {steps * batch / questions:.0f} times."
    yield "backbones:"
    if chosen.pretrained:
        yield from _comment(f"There is a GPU: {PRETRAINED} starts from vectors that search many languages already. {reads}", 2)
        yield from _comment(seen, 2)
        yield f"  {PRETRAINED}:"
        yield f"    tokenizer: {{ max_length: {chosen.longest} }}"
        yield f"    optimisation: {{ max_steps: {steps}, bf16: true }}"
        yield ""
        yield "train:"
        yield f"  backbones: [{PRETRAINED}]"
        yield from _comment("One seed, as each is long; [1, 2, 3] tells what is chance in training, too.", 2)
        yield "  seeds: [1]"
    else:
        yield from _comment(
            "No GPU here, or no pretrained model within reach: `static` (the mean of token embeddings, from scratch) trains in "
            f"minutes on a CPU. With a GPU, name {PRETRAINED} under train.backbones instead. {reads}",
            2,
        )
        yield from _comment(seen, 2)
        yield "  static:"
        yield f"    tokenizer: {{ vocab_size: 20000, max_length: {chosen.longest} }}"
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
        "they compare models and languages, and flatter all of them. A test that people have written is worth more: --tests.",
        2,
    )
    test = f"{wanted.name}-test"
    yield f"  benchmarks: {_flow([HELD_OUT, *([test] if wanted.tests else [])])}"
    if wanted.tests:
        readers = {format_of(path) for path in wanted.tests.values()}
        if len(readers) > 1:
            raise KoineError(f"--tests: files of {', '.join(sorted(readers))}; give all languages in one format")
        ids = {lang: {str(row["id"]) for row in rows_of(path, next(iter(readers)), {})} for lang, path in wanted.tests.items()}
        shared = set.intersection(*ids.values())
        native = len(ids) > 1 and len(shared) < min(map(len, ids.values())) / 2
        yield "  registry:"
        yield f"    {test}:"
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
