"""What the workflow makes of the parameters: every flag once, execution apart, code by digest, lines the CLI takes."""

import ast
import inspect
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
import yaml
from koine.plan import Plan
from pydantic import BaseModel

from koine import plan as plan_module
from koine.cli import app
from koine.params import (
    Architecture,
    Clean,
    Encode,
    IndexKind,
    Optimisation,
    Params,
    Report,
    Rules,
    Sample,
    Score,
    Start,
    Tokenizer,
    laid_over,
)
from koine.runtime.errors import KoineError

ROOT = Path(__file__).parents[1]
RECIPES = ["sample", *sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))]


def config(recipe: str = "sample", **changes: Any) -> dict[str, Any]:
    """params.yaml, a recipe over it, and changes over both; `a__b=1` is `{"a": {"b": 1}}`."""
    whole = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    if recipe != "sample":
        whole = laid_over(whole, yaml.safe_load((ROOT / f"recipes/{recipe}.yaml").read_text(encoding="utf-8")))
    for path, value in changes.items():
        path = "recipe" if path == "recipe_name" else path
        for key in reversed(path.split("__")):
            value = {key: value}
        whole = laid_over(whole, value)
    return whole


def state(plan: Plan) -> dict[str, Any]:
    """Everything that rules read from a plan and Snakemake compares: all but the execution flags and the parameters."""
    names = [name for name in vars(plan) if name not in {"execution", "params", "locations"}]
    computed = ("runs", "indexed", "reported", "trained", "shown")
    return {name: getattr(plan, name) for name in (*names, *computed)}


# --- flags -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", RECIPES)
def test_flags_hold_each_result_parameter_exactly_once(recipe: str) -> None:
    plan = Plan(config(recipe))
    rules: list[tuple[str, list[type[BaseModel]]]] = [
        (plan.flags["collect_sample"], [Sample]),
        (plan.flags["collect"], [Clean]),
        (plan.flags["filter_score"], [Score]),
        (plan.flags["filter"], [Rules]),
        (plan.flags["encode"], [Encode]),
        (plan.flags["index"], [IndexKind]),
        (plan.flags["report"], [Report]),
        *((line, [Tokenizer]) for line in plan.tokenizers.values()),
        *(
            (plan.backbones[name], [Start if backbone.kind == "pretrained" else Architecture, Optimisation])
            for name, backbone in plan.params.backbones.items()
        ),
    ]
    for line, blocks in rules:
        options = [word for word in shlex.split(line) if word.startswith("--")]
        for block in blocks:
            for name, field in block.model_fields.items():
                option = name.replace("_", "-")
                count = sum(word in (f"--{option}", f"--no-{option}") for word in options)
                assert count == 1 or re.match("list|dict", str(field.annotation)), (option, line)


LEAVES = {  # a change of a result parameter, and where it must and may show
    "collect__clean__near_duplicate": (0.5, {"flags"}),
    "collect__clean__contamination_ngram": (9, {"flags"}),
    "collect__sample__seed": (2, {"flags"}),
    "translate__shards": (2, {"flags", "shards"}),
    "filter__rules__numbers": (0.5, {"flags"}),
    "filter__score__neighbours": (["sv"], {"flags"}),
    "backbones__static__tokenizer__vocab_size": (100, {"tokenizers"}),
    "backbones__static__tokenizer__query_prefix": ("it's: ", {"tokenizers", "inputs", "backbones"}),
    "backbones__static__architecture__hidden_size": (64, {"backbones"}),
    "backbones__static__optimisation__learning_rate": (0.5, {"backbones"}),
    "train__alpha": (0.3, {"strategies"}),
    "train__languages__equal_languages": (True, {"strategies"}),
    "train__languages__pair_per": ("batch", {"strategies"}),
    "train__datasets__sampling_exponent": (0.5, {"strategies"}),
    "train__validation__share": (0.1, {"strategies"}),
    "train__gradient_cosine_every": (5, {"strategies"}),
    "train__mining__range_max": (9, {"mine"}),
    "train__mining__model": ("org/model", {"mine"}),
    "train__seeds": ([1, 2], {"runs", "reported", "made_from", "shown"}),
    "encode__dtype": ("float16", {"flags"}),
    "evaluate__pools": (["en+fi"], {"pools"}),
    "evaluate__candidates": ({"sample": "passage"}, set()),
    "evaluate__domains": ({"sample": 4}, {"domains", "reported"}),
    "report__confidence": (0.9, {"flags"}),
    "report__published": ({"xlm-r": "static"}, {"flags"}),
    "index__nprobe": (7, {"flags"}),
    "index__strategies": (["x-y"], {"indexed", "reported"}),
}


@pytest.mark.parametrize("path", LEAVES)
def test_a_result_parameter_shows_exactly_where_it_is_read(path: str) -> None:
    value, wanted = LEAVES[path]
    before, after = state(Plan(config())), state(Plan(config(**{path: value})))
    assert {name for name in before if before[name] != after[name]} == wanted


def test_a_backbone_changes_no_other_backbone() -> None:
    before, after = Plan(config()), Plan(config(backbones__static__optimisation__learning_rate=0.5))
    assert [name for name in before.backbones if before.backbones[name] != after.backbones[name]] == ["static"]


def test_a_rule_reads_only_its_own_flags() -> None:
    before, after = Plan(config()).flags, Plan(config(filter__rules__numbers=0.5)).flags
    assert [rule for rule in before if before[rule] != after[rule]] == ["filter"]


def test_alpha_reaches_hybrid_alone_and_a_strategy_may_say_its_own() -> None:
    strategies = ["untrained", "en-en", "x-x", "x-x-mono", "x-y", "hybrid", "hybrid@0.3"]
    plans = [Plan(config(train__strategies=strategies, train__alpha=alpha)) for alpha in (0.5, 0.7)]
    assert [name for name in strategies if plans[0].strategies[name] != plans[1].strategies[name]] == ["hybrid"]
    equal = Plan(config(train__strategies=strategies, train__languages__equal_languages=True)).strategies
    changed = [name for name in strategies if equal[name] != plans[0].strategies[name]]
    assert changed == ["x-y", "hybrid", "hybrid@0.3"]


def test_a_strategy_of_some_languages_knows_the_first_ones_alone() -> None:
    chosen = {"train__strategies": ["mlm+hybrid-of-3", "grad-mix-of-2"], "train__backbones": ["tiny"]}
    plan = Plan(config(**chosen, index__strategies=["grad-mix-of-2"]))
    assert "--only" not in plan.strategies["mlm"]
    assert "--strategy mlm+hybrid-of-3 --only en --only ar --only de --alpha" in plan.strategies["mlm+hybrid-of-3"]
    assert "--only en --only ar --alpha" in plan.strategies["grad-mix-of-2"]


def test_a_language_may_have_a_backend_of_its_own() -> None:
    usual, mixed = Plan(config()).resource_flags, Plan(config(translate__backends={"fi": "apertium"})).resource_flags
    assert [lang for lang in usual if usual[lang] != mixed[lang]] == ["fi"]
    assert "--backend memory" in usual["fi"] and "--backend apertium" in mixed["fi"]


EXECUTION = {
    "device": "cpu",
    "encode_batch_size": 7,
    "workers": 9,
    "translate_threads": 3,
    "translate_batch_tokens": 99,
    "checkpoint_minutes": 2.5,
    "processes": 2,
    "track": "tensorboard",
}


@pytest.mark.parametrize(("name", "value"), EXECUTION.items())
def test_an_execution_setting_changes_execution_flags_alone(name: str, value: object) -> None:
    before, after = Plan(config()), Plan(config(**{f"execution__{name}": value}))
    assert state(before) == state(after)
    assert before.execution != after.execution
    option = "--" + name.replace("translate_", "").replace("_", "-")
    assert option not in shlex.split(" ".join(before.flags.values()))


def test_every_execution_setting_is_tested_above() -> None:
    assert set(EXECUTION) == set(Params.model_fields["execution"].annotation.model_fields)  # type: ignore[union-attr]


# --- targets -----------------------------------------------------------------------------------------------------


def test_runs_are_backbones_times_strategies_times_seeds() -> None:
    plan = Plan(config(train__backbones=["static", "tiny"], train__strategies=["x-y", "hybrid"], train__seeds=[3, 1]))
    assert len(plan.runs) == len(set(plan.runs)) == 8
    assert plan.runs[0] == "static/x-y/seed-3"
    assert plan.indexed == ["static/hybrid/seed-3", "tiny/hybrid/seed-3"]
    assert set(plan.indexed) <= set(plan.runs)


def test_patterns_are_filled_with_runs_and_benchmarks_and_nothing_twice() -> None:
    plan = Plan(config("squad-fi"))
    filled = plan.per_run("{run}/{benchmark}")
    assert len(filled) == len(plan.runs) * len(plan.benchmarks) == len(set(filled))
    assert plan.per_run("models/{run}") == [f"models/{run}" for run in plan.runs]
    assert plan.per_run("{run}:{benchmark}", ["r"]) == [f"r:{name}" for name in plan.benchmarks]


def test_the_default_writes_to_results_and_a_recipe_below() -> None:
    assert Plan(config()).results == "results"
    assert Plan(config("squad-fi")).results == "results/squad-fi"


# --- sources -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "near"), [("xquad", "xquad-r"), ("mlqa-R", "mlqa-r"), ("smaple", "sample")])
def test_an_unknown_benchmark_is_an_error_with_near_names(name: str, near: str) -> None:
    with pytest.raises(KoineError, match=f"unknown benchmark '{name}': try .*{near}.*evaluate.registry"):
        Plan(config(evaluate__benchmarks=[name]))


def test_an_unknown_source_is_an_error_with_near_names() -> None:
    with pytest.raises(KoineError, match=r"unknown source 'squad-trian': try .*squad-train.*collect\.registry"):
        Plan(config(recipe_name="mine", collect__sources=["squad-trian"]))


def test_a_language_without_a_translation_resource_is_an_error() -> None:
    with pytest.raises(KoineError, match=r"has no file for nl; take it out of translate\.languages"):
        Plan(config("squad-fi", translate__languages=["fi", "nl"]))


def test_own_files_by_path_are_inputs_and_are_not_fetched() -> None:
    mine = {"path": "my data/{name}", "files": {"en": {"name": "a.jsonl"}}, "reader": "jsonl", "licence": "mine; all of it"}
    pool = {"path": "beir/{name}", "files": {"en": {"name": "english"}, "fi": {"name": "finnish"}}, "reader": "beir"}
    plan = Plan(
        config(recipe_name="mine", collect__sources=["mine"], collect__registry={"mine": mine},
               evaluate__benchmarks=["pool"], evaluate__registry={"pool": pool})
    )  # fmt: skip
    assert plan.sources["mine"]["files"] == ["my data/a.jsonl"]
    assert plan.sources["mine"]["flags"].endswith("--licence 'mine; all of it'")
    wanted = [f"beir/{name}/{part}" for name in ("english", "finnish") for part in plan_module.BEIR_FILES]
    assert plan.benchmarks["pool"]["files"] == wanted
    assert shlex.split(plan.benchmarks["pool"]["flags"])[-4:] == ["--file", "en=beir/english", "--file", "fi=beir/finnish"]
    assert set(plan.own_files) == {"my data/a.jsonl", *wanted}
    assert not {"mine", "pool"} & set(plan.fetch)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_input_is_made_fetched_or_the_users_own(recipe: str) -> None:
    plan = Plan(config(recipe))
    fetched = {f"data/raw/{name}/{file}" for name, files in plan.fetch.items() for file in files}
    known = {*fetched, *plan.sample_files, *plan.own_files}
    for part in (plan.sources, plan.benchmarks):
        for name, entry in part.items():
            assert entry["files"], name
            assert set(entry["files"]) <= known
    assert {path for paths in [*plan.resources.values(), *plan.reverse.values()] for path in paths} <= known


# --- the digest of a step's code -----------------------------------------------------------------------------------


STEPS = ["collect", "translate", "filter", "train", "encode", "index", "evaluate", "report"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    copy = tmp_path / "koine"
    shutil.copytree(plan_module.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(plan_module, "PACKAGE", copy)
    plan_module.code_digest.cache_clear()
    yield copy
    plan_module.code_digest.cache_clear()


def digests() -> dict[str, str]:
    plan_module.code_digest.cache_clear()
    return {step: Plan.code(step) for step in STEPS}


def changed_by(path: Path) -> set[str]:
    before = digests()
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    after = digests()
    return {step for step in STEPS if before[step] != after[step]}


@pytest.mark.parametrize(
    ("module", "reruns", "leaves"),
    [
        ("train/loss.py", {"train"}, set(STEPS) - {"train"}),
        ("filter/scores.py", {"filter"}, {"train", "encode", "evaluate", "index", "collect", "translate"}),
        ("translate/memory.py", {"translate"}, {"collect", "filter", "train", "encode", "evaluate"}),
        ("backbones/static.py", {"train", "encode"}, {"collect", "translate", "filter", "index"}),  # imported lazily
        ("encode/vectors.py", {"index", "evaluate"}, {"collect", "translate", "filter", "train"}),
        ("evaluate/metrics.py", {"evaluate"}, {"collect", "translate", "filter", "train", "encode", "index"}),
        ("report/page.css", {"report"}, set(STEPS) - {"report"}),
        ("report/page.js", {"report"}, set(STEPS) - {"report"}),
        ("collect/sample_templates.yaml", {"collect"}, {"translate", "filter", "train", "encode", "index", "report"}),
        ("collect/sources.yaml", set(), set(STEPS)),  # its entries are flags
        ("records.py", set(STEPS) - {"report"}, set()),
        ("cli.py", set(), set(STEPS)),
        ("params.py", set(), set(STEPS)),
        ("plan.py", set(), set(STEPS)),
        ("runtime/console.py", set(), set(STEPS)),
    ],
)
def test_an_edited_module_changes_the_digests_of_the_steps_that_import_it(
    package: Path, module: str, reruns: set[str], leaves: set[str]
) -> None:
    changed = changed_by(package / module)
    assert reruns <= changed
    assert not changed & leaves


def test_a_new_module_that_a_step_imports_counts(package: Path) -> None:
    (package / "extra.py").write_text("X = 1\n")
    loss = package / "train/loss.py"
    loss.write_text(loss.read_text() + "\nfrom koine.extra import X  # noqa\n")
    assert changed_by(package / "extra.py") == {"train"}


def test_koine_is_imported_only_in_the_way_that_the_digest_follows() -> None:
    """`from koine… import …`: neither `import koine.x` nor relative imports, which the digest would miss."""
    for path in (ROOT / "src/koine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not any(alias.name.split(".")[0] == "koine" for alias in node.names), path
            if isinstance(node, ast.ImportFrom):
                assert not node.level, path


def test_a_probe_is_asked_of_every_trained_model() -> None:
    given = {**config("sample"), "evaluate": {**config("sample")["evaluate"], "probes": ["xnli"]}}
    plan = Plan(given)
    assert plan.probes == {"xnli": {"train": "own/xnli/multinli.train.en.tsv", "test": "own/xnli/xnli.test.tsv"}}
    assert set(plan.own_files) == set(plan.homes) == {*plan.probes["xnli"].values()}  # what `koine doctor` asks for
    assert [line for line in shlex.split(plan.reported) if line.endswith("/xnli")] == [
        f"data/sample/evaluate/{run}/xnli" for run in plan.shown
    ]
    with pytest.raises(KoineError, match="unknown probe 'xnly': try xnli"):
        Plan({**given, "evaluate": {**given["evaluate"], "probes": ["xnly"]}})


def test_domains_are_clusters_of_the_source_language_or_labels_of_the_users_own(commands: Any) -> None:
    plan = Plan(
        config("squad", evaluate__benchmarks=["xquad-r", "mlqa-r"], evaluate__domains={"mlqa-r": 8, "xquad-r": "own/a b.csv"})
    )
    assert plan.domains["mlqa-r"] == {"files": [], "flags": "--clusters 8 --lang en"}
    assert plan.domains["xquad-r"] == {"files": ["own/a b.csv"], "flags": "--labels 'own/a b.csv'"}
    assert "own/a b.csv" in plan.own_files
    words = shlex.split(plan.reported)
    assert [words[place + 1] for place, word in enumerate(words) if word == "--domains"] == [
        f"{name}=data/squad/collect/benchmarks/{name}/domains.parquet" for name in ("mlqa-r", "xquad-r")
    ]
    for entry in plan.domains.values():
        line = ["collect-domains", "folder", *shlex.split(entry["flags"]), "--out", "f"]
        name, command, rest = commands.resolve_command(commands.make_context("koine", [], resilient_parsing=True), line)
        command.make_context(name, rest)
    with pytest.raises(KoineError, match=r"evaluate\.domains: 'mlqa-r' is not in evaluate\.benchmarks"):
        Plan(config(evaluate__domains={"mlqa-r": 8}))


# --- the lines of the rules ----------------------------------------------------------------------------------------


def shell_lines() -> dict[str, str]:
    """The shell line of each rule of the workflow."""
    lines = {}
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", path.read_text(encoding="utf-8"), re.M | re.S):
            shell = re.sub("^#.*", "", body[body.index("shell:") + len("shell:") :], flags=re.M)  # what stands over the next
            lines[name] = ast.literal_eval(f"({shell.strip()})").split(" > {log}")[0]
    return lines


def filled_lines(plan: Plan) -> Iterator[tuple[str, list[str]]]:
    """(rule, words) for every rule, and for every backbone, strategy, language, source and benchmark."""
    lang = next(iter(plan.resources))
    common = {"out": "out", "vectors": "v", "benchmark": "b", "model": "m", "tokens": "t", "source": plan.params.translate.source}
    common |= {"recipe": plan.params.recipe, "pools": plan.pools, "parallel": plan.parallel}
    common |= {"benchmarks": plan.tested, "reported": plan.reported, "settings": next(iter(plan.settings.values()))}
    common |= {"metrics": next(iter(plan.metrics.values())), "results": plan.results}

    class Files(SimpleNamespace):
        def __str__(self) -> str:
            return "some.parquet"

    for rule, line in shell_lines().items():
        given: list[dict[str, Any]] = [{"flags": plan.flags.get(rule, "")}]
        if rule == "collect_fetch":
            given = [{"flags": flags} for files in plan.fetch.values() for flags in files.values()]
        elif rule == "collect_own":
            given = [{"flags": plan.home(SimpleNamespace(own=path))} for path in plan.absent]
        elif rule == "collect_source":
            given = [{"flags": entry["flags"]} for entry in plan.sources.values()]
        elif rule == "collect_benchmark":
            given = [{"flags": entry["flags"]} for entry in plan.benchmarks.values()]
        elif rule == "translate":
            given = [{"flags": plan.flags[rule], "resources": flags} for flags in plan.resource_flags.values()]
        elif rule == "translate_convert":
            given = [{"flags": flags} for flags in plan.translators.values()]
        elif rule == "train_tokens":
            given = [{"flags": flags} for flags in plan.tokenizers.values()]
        elif rule == "encode_tokens":
            given = [{"flags": flags} for flags in plan.inputs.values()]
        elif rule == "train":
            given = [
                {"strategy": flags, "backbone": plan.backbones[b], "made_from": plan.made_from[b][name][seed]["flags"]}
                for name, flags in plan.strategies.items()
                for b in plan.backbones
                for seed in list(plan.made_from[b][name])[:1]
            ]
        elif rule == "train_mine":
            given = [{"flags": plan.mine["flags"]}]
        for params in given:
            words = line.format(
                params=SimpleNamespace(**{**common, **params}),
                input=Files(
                    qa="qa", heldout="h", scores="s", sources="a b", translations="0 1", tokenizer="t", train="a", test="b",
                    models="m",
                ),
                output=Files(kept="kept", summary="sum"),
                resources=SimpleNamespace(execution=plan.execution.get(rule, ""), launch=plan.execution["launch"]),
                wildcards=SimpleNamespace(
                    lang=lang, shard=0, source="s", backbone="static", strategy="hybrid", seed=1, benchmark="b", method="lir",
                    probe="xnli",
                ),
            )  # fmt: skip
            yield rule, shlex.split(words)


@pytest.fixture
def commands() -> Any:
    return typer.main.get_command(app)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_command_line_takes_the_line_of_every_rule(commands: Any, recipe: str) -> None:
    plan, seen = Plan(config(recipe)), set()
    for rule, (program, *words) in filled_lines(plan):
        assert program == "koine"
        assert words[0] == rule.replace("_", "-")
        name, command, rest = commands.resolve_command(commands.make_context("koine", [], resilient_parsing=True), words)
        command.make_context(name, rest)  # parses and converts, runs nothing
        seen.add(rule)
    there = {"collect_fetch": plan.fetch, "collect_own": plan.absent, "translate_convert": plan.translators}
    unused = {rule for rule, used in there.items() if not used}
    assert {*STEPS} <= seen == set(shell_lines()) - unused


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_step_gets_the_parameters_that_the_recipe_says(commands: Any, recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From params.yaml through flags and the command line to the step: the blocks arrive as they left."""
    got: list[dict[str, Any]] = []

    def stub(target: str) -> None:
        module, _, name = target.rpartition(".")
        signature = inspect.signature(getattr(__import__(module, fromlist=[name]), name))
        monkeypatch.setattr(target, lambda *given, **named: got.append(signature.bind(*given, **named).arguments))

    targets: dict[str, str] = {
        "collect": "koine.collect.steps.collect",
        "filter": "koine.filter.steps.decide",
        "train_tokens": "koine.train.tokens.tokenise",
        "train": "koine.train.steps.train",
        "report": "koine.report.steps.report",
    }
    for target in targets.values():
        stub(target)
    config_of = config(recipe)
    plan = Plan(config_of)
    p = plan.params
    made = {rule: calls_of(commands, plan, rule, got) for rule in targets}
    assert (made["collect"][0]["settings"], made["collect"][0]["heldout"]) == (p.collect.clean, p.collect.heldout)
    assert made["filter"][0]["rules"] == p.filter.rules
    assert made["report"][0]["settings"] == p.report
    assert [call["settings"] for call in made["train_tokens"]] == [backbone.tokenizer for backbone in p.backbones.values()]
    backbones = list(p.backbones.values()) * len(plan.trained)
    assert len(made["train"]) == len(backbones)
    for call, backbone in zip(made["train"], backbones, strict=True):
        assert (call["architecture"], call["optimisation"]) == (backbone.architecture, backbone.optimisation)
        assert call["prefixes"] == {"query": backbone.tokenizer.query_prefix, "passage": backbone.tokenizer.passage_prefix}
        assert call["kind"] == backbone.kind
        if call["strategy"] != "untrained":
            assert (call["datasets"], call["validation"]) == (p.train.datasets, p.train.validation)


def calls_of(commands: Any, plan: Plan, rule: str, got: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the stub of a rule's step was called with, for each of the rule's lines."""
    got.clear()
    for name, (_, *words) in filled_lines(plan):
        if name == rule:
            commands.main(words, prog_name="koine", standalone_mode=False)
    return list(got)
