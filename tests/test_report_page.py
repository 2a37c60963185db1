"""The page: whole, escaped, the same every time, and asking nothing of the network."""

import html
import re
import shlex
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from koine import params
from koine.params.recipe import load_recipe, recipe_files
from koine.records import CLAIMS, CONTRASTS, PAIRS, PUBLISHED, TABLE
from koine.report import style, view
from koine.report.claims import Findings, verdicts
from koine.report.commands import Commands
from koine.report.groups import groups
from koine.report.markup import Html, fraction, join, language, listing, rank, tag
from koine.report.origins import smooth
from koine.report.page import Evidence, render
from koine.report.svg import Scale
from koine.report.view import View
from koine.strategies import STRATEGIES as REGISTRY
from koine.workflow.experiment import Experiment

HOSTILE = "<script>alert(1)</script>"
LANGUAGES = ("en", "ar", "zh", "pt-BR", "fi", "el")
STRATEGIES = ("hybrid@0.3", "hybrid", "x-x-mono", "untrained", "en-en", "hybrid@0.7")
BENCHMARKS = {"xquad-r": LANGUAGES, "mine": LANGUAGES[:3], "xquad-r:en+fi": ("en", "fi")}
VOID = {"meta", "input"}


def evidence(recipe: str = "test", languages: dict[str, tuple[str, ...]] = BENCHMARKS, **parts: Any) -> Evidence:
    """Two backbones, six strategies, a benchmark without rank distance and a sub-pool."""
    table: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for b, backbone in enumerate(("static", "xlm-r")):
        for s, strategy in enumerate(STRATEGIES):
            named = {"recipe": recipe, "backbone": backbone, "strategy": strategy}
            for benchmark, codes in languages.items():
                for setting in ("mono", "cross", "multi"):
                    mean = 0.2 + 0.05 * s + 0.1 * b
                    result = {**named, "benchmark": benchmark, "setting": setting, "n_seeds": 1, "n_queries": 1200}
                    table += [
                        {**result, "metric": metric, "mean": mean, "ci_low": mean - 0.02, "ci_high": mean + 0.02}
                        for metric in ("map", "ndcg@10")
                    ]
                    if setting == "multi" and benchmark != "mine":
                        spread = {"mean": 900.0 - 100 * s, "ci_low": 800.0 - 100 * s, "ci_high": 1000.0 - 100 * s}
                        table.append({**result, "metric": "rank_distance", **spread})
                cells = [(q, d) for q in codes for d in codes]
                for query, doc in cells:
                    cell = {"setting": "mono" if query == doc else "cross", "query_lang": query, "doc_lang": doc}
                    pairs.append(
                        {**named, "seed": 1, "benchmark": benchmark, **cell, "metric": "map", "value": 0.3, "n_queries": 200}
                    )
    models = [
        {"backbone": backbone, "strategy": strategy, "seed": 1, "languages": ["en", "ar", "zh"], "alpha": 0.5, "questions": 1700,
         "optimisation": {"batch_size": 64}, "versions": {"torch": "2.13.0"}}
        for backbone in ("static", "xlm-r") for strategy in STRATEGIES
    ]  # fmt: skip
    kinds = {"untrained": [], "x-x-mono": ["mono"], "en-en": ["mono"]}
    curves = [
        [
            {"step": 10 * i, "type": kind, "loss": 5 / (i + 1), "lr": 0.1}
            for i in range(200)
            for kind in kinds.get(model["strategy"], ["mono", "cross"])
        ]
        for model in models
    ]
    codes = languages[max(languages, key=lambda name: len(languages[name]))]
    answered = [
        {"backbone": model["backbone"], "strategy": model["strategy"], "benchmark": benchmark, "query_lang": q, "answer_lang": d}
        for model in models for benchmark in languages for q, d in zip(codes, codes, strict=True)
    ]  # fmt: skip
    compared = [
        {"recipe": recipe, "benchmark": benchmark, "setting": setting, "metric": metric,
         "backbone": backbone, "strategy": "hybrid", "other_backbone": backbone, "other_strategy": rival,
         "difference": 0.1, "ci_low": 0.05, "ci_high": 0.2, "p": 0.001, "p_holm": 0.002, "effect": 0.4, "detectable": 0.02,
         "margin": 0.01, "p_equal": 0.9, "n_seeds": 1, "n_questions": 1200}
        for benchmark in languages for backbone in ("static", "xlm-r") for rival in STRATEGIES if rival != "hybrid"
        for setting, metric in (("mono", "map"), ("cross", "map"), ("multi", "map"), ("multi", "rank_distance"))
    ]  # fmt: skip
    grouped = [
        {"backbone": backbone, "strategy": strategy, "benchmark": benchmark, "setting": setting, "metric": "map",
         "by": by, "group": group, "value": 0.3, "languages": 2}
        for backbone in ("static", "xlm-r") for strategy in STRATEGIES for benchmark in languages
        for setting in ("mono", "cross")
        for by, group in (("family", f"{recipe} family"), ("word_order", "SVO"), ("script", "Latn"))
    ]  # fmt: skip
    printed = [
        {"recipe": recipe, "table": table, "benchmark": "xquad-r", "setting": "multi", "metric": metric, "language": "mean",
         "paper_backbone": "xlm-r", "backbone": recipe, "strategy": "hybrid", "paper": paper, "ours": ours, "difference": 0.0,
         "ci_low": None, "ci_high": None}
        for table, metric, paper, ours in (
            ("1", "map", 0.593, 0.25), ("2", "rank_distance", 287.0, 4500.0), ("3", "map", 0.5, None),
        )
    ]  # fmt: skip
    contrasts = CONTRASTS.frame(compared)
    given: dict[str, Any] = {
        "answers": pl.DataFrame(answered).with_columns(share=1.0),
        "groups": pl.DataFrame(grouped),
        "contrasts": contrasts,
        "claims": verdicts(Findings(recipe, contrasts, PAIRS.frame(pairs), {}, ["en", "ar", "zh"], 0.95)),
        "table": TABLE.frame(table),
        "pairs": PAIRS.frame(pairs),
        "published": PUBLISHED.frame(printed),
        "collected": {
            "collected": 3000, "kept": 1700, "passages": 900, "dropped": {"duplicate pair": 300, "passage in a benchmark": 900},
            "contamination": [{"reason": "passage in a benchmark", "against": "xquad-r", "len": 900}],
            "sources": [{"source": "squad", "licence": "CC-BY-SA-4.0", "questions": 1700}],
        },
        "filtered": [
            {"lang": "ar", "pairs": 1700, "kept": 1500, "dropped": {"language": 150, "new_rule": 90},
             "planted": {"pairs": 80, "precision": None, "recall": 0.9, "recall_by_defect": {"wrong_language": 1.0}}},
            {"lang": "zh", "pairs": 1700, "kept": 1200, "dropped": {"language": 500}},
        ],
        "models": models,
        "curves": curves,
        "indexes": {
            "static/hybrid/seed-1/xquad-r": {"kind": "flat", "vectors": 13014, "dim": 128, "bytes": 5_000_000, "recall@10": 1.0}
        },
        "report": params.Report(),
    }  # fmt: skip
    return Evidence(**(given | parts))


NO_ANSWERS = pl.DataFrame(
    schema={name: pl.String() for name in ("backbone", "strategy", "benchmark", "query_lang", "answer_lang")}
)
NO_GROUPS = groups(PAIRS.frame([]), ["map"])
EMPTY = Evidence(
    table=TABLE.frame([]), pairs=PAIRS.frame([]), answers=NO_ANSWERS.with_columns(share=0.0), contrasts=CONTRASTS.frame([]),
    groups=NO_GROUPS, published=PUBLISHED.frame([]),
    claims=CLAIMS.frame([]), collected={}, filtered=[], models=[], curves=[], indexes={}, report=params.Report(confidence=0.9),
)  # fmt: skip


class Balance(HTMLParser):
    """Fails where a tag is not closed in its order; collects text and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse(page: str) -> Balance:
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found, name
    return found[0]


@pytest.mark.parametrize("given", [evidence(), EMPTY, evidence(indexes={}, models=[], curves=[], collected={}, filtered=[])])
def test_page_is_whole_and_the_same_every_time(given: Evidence) -> None:
    page = render(given)
    assert page == render(given)
    parser = parse(page)
    targets = [value for tag, name, value in parser.attributes if name == "id"]
    assert len(targets) == len(set(targets))
    assert {value for tag, name, value in parser.attributes if name == "href"} <= {f"#{target}" for target in targets}
    assert {value for tag, name, value in parser.attributes if name == "popovertarget"} <= set(targets)


def test_page_loads_nothing() -> None:
    page = render(evidence())
    parser = parse(page)
    assert parser.tags.count("script") == parser.tags.count("style") == 1
    assert not {"link", "img", "iframe", "object", "embed"} & set(parser.tags)
    assert not [value for _, name, value in parser.attributes if name in ("src", "srcset", "xlink:href", "data")]
    assert not re.search(r"https?://|@import|url\(", page)


def test_hostile_names_stay_names() -> None:
    given = evidence(recipe=HOSTILE, languages={HOSTILE: ("en", HOSTILE), "b:" + HOSTILE: ("en", '" onload="x')})
    given.collected["sources"] = [{"source": HOSTILE, "licence": HOSTILE, "questions": 1}]
    given.collected["dropped"] = {HOSTILE: 5}
    given.filtered.append({"lang": HOSTILE, "pairs": 0, "kept": 0, "dropped": {HOSTILE: 0}})
    for model in given.models:
        model |= {"strategy": HOSTILE, "backbone": HOSTILE, "versions": {HOSTILE: HOSTILE}, "languages": [HOSTILE]}
    given.indexes[f"{HOSTILE}/b"] = {"kind": HOSTILE, "vectors": 1, "dim": 1, "bytes": 1}
    parser = parse(render(given))
    assert parser.tags.count("script") == 1
    assert not [name for _, name, _ in parser.attributes if name.startswith("on")]
    assert HOSTILE in parser.text


def test_summary_says_what_the_numbers_say() -> None:
    text = "".join(parse(render(evidence())).text)
    # Of hybrid, the second strategy, and x-x-mono, the third: .25 and .30 with static, .35 and .40 with xlm-r.
    assert "With hybrid batches, a question finds its passage in another language with mAP .25; with monolingual" in text
    assert "Among the passages of all languages at once it is .35 against .40." in text
    assert "Highest mAP of all: hybrid@0.7 in mono, cross and multi." in text
    assert "ranked 800 places apart" not in "".join(parse(render(evidence(languages={"mine": ("en",)}))).text)


def test_summary_without_hybrid_and_with_overlap() -> None:
    table = evidence().table.filter(pl.col("strategy").is_in(["en-en", "untrained"])).with_columns(ci_low=0.0)
    text = "".join(parse(render(evidence(table=table))).text)
    assert "Highest mAP of all: en-en in mono, cross and multi (its interval overlaps that of untrained)" in text


def test_differences_say_which_way_is_better_and_whether_it_is_real() -> None:
    page = render(evidence())
    # Higher mAP and higher rank distance than five rivals, on three benchmarks with two backbones.
    assert (
        page.count('<td class="better"><b>+.100 ↑</b><small class="note"> +.050 to +.200, p .002</small></td>') == 3 * 5 * 3 * 2
    )
    assert page.count('<td class="worse">') == 5 * 3 * 2
    weak = evidence().contrasts.with_columns(p_holm=0.2)
    assert '<td class="open">' in render(evidence(contrasts=weak))
    assert '<td class="equal">' in render(evidence(contrasts=weak.with_columns(p_equal=0.01)))


def test_strategies_in_several_numbers_of_languages_are_drawn_over_them() -> None:
    assert 'id="growth"' not in render(evidence())
    given = evidence()
    named = {"x-x-mono": "hybrid-of-2", "en-en": "hybrid-of-3"}
    table = given.table.with_columns(pl.col("strategy").replace(named))
    for model in given.models:
        model["strategy"] = named.get(model["strategy"], model["strategy"])
        model["languages"] = ["en", "ar", "zh", "fi", "el", "de", "es", "hi"][
            : {"hybrid-of-2": 2, "hybrid-of-3": 3}.get(model["strategy"], 8)
        ]
    page = render(evidence(table=table, models=given.models))
    assert section(page, "growth").count('<svg class="curves trend"') == 2 * (
        4 + 3 + 4
    )  # two backbones; `mine` has no rank distance
    points = re.findall(r"<title>(hybrid\S*), (\d) languages: (\S+), interval", page)
    assert set(points[:3]) == {("hybrid-of-2", "2", ".300"), ("hybrid-of-3", "3", ".400"), ("hybrid", "8", ".250")}


def test_bm25_has_one_row_whatever_the_number_of_references() -> None:
    given = evidence().contrasts.filter(backbone="static", other_strategy="x-x-mono", benchmark="xquad-r")
    lexical = given.with_columns(other_backbone=pl.lit("bm25"), other_strategy=pl.lit("untrained"))
    fewer = lexical.with_columns(strategy=pl.lit("hybrid-of-2"), difference=pl.lit(0.9))
    for several in ([given, lexical, fewer], [fewer, lexical, given]):
        page = render(evidence(contrasts=pl.concat(several)))
        assert "hybrid, in as many languages, less" not in page and "+.900" not in page and page.count("+.100 ↑") == 2 * 3


def test_claims_stand_on_the_page_with_their_verdicts() -> None:
    text = "".join(parse(render(evidence())).text)
    assert "Hybrid batches are best when one pool holds the passages of all languages." in text
    assert "not tested here" in text


def test_groups_of_languages_are_folded_below_the_maps_of_whole_benchmarks() -> None:
    page = render(evidence())
    assert page.count("By family, word order and resource level") == sum(":" not in name for name in BENCHMARKS)
    # A row for each group and backbone: family and word order; the script is in groups.csv alone.
    assert page.count('<th class="who" scope="row">test family (2)</th>') == page.count("SVO (2)</th>") == 2 * 2
    assert "Latn (2)" not in page


def test_published_means_stand_beside_ours_where_they_were_asked_for() -> None:
    page = render(evidence())
    row = '<td class="n">– / –</td><td class="n">– / –</td><td class="n">.593 / .250</td><td class="n">287 / 4,500</td>'
    assert page.count(row) == 1
    assert "Published tables" not in render(evidence(published=PUBLISHED.frame([])))


def test_missing_values_are_dashes() -> None:
    absent = pl.when((pl.col("strategy") != "en-en") | (pl.col("setting") != "mono")).then("mean")
    page = render(evidence(table=evidence().table.with_columns(mean=absent, ci_low=pl.lit(None, dtype=pl.Float64))))
    assert "<td>–</td>" in page
    assert 'class="whisker"' not in page


def test_languages_that_gave_no_pairs_are_marked() -> None:
    given = evidence()
    view = View.of(given.table, given.pairs, given.models, given.report)
    assert view.trained["static", "en-en"] == ["en"]
    assert view.trained["static", "untrained"] == []
    assert view.trained["static", "hybrid"] == ["en", "ar", "zh"]
    assert view.strategies == ["untrained", "en-en", "x-x-mono", "hybrid", "hybrid@0.3", "hybrid@0.7"]
    assert view.benchmarks == ["xquad-r", "xquad-r:en+fi", "mine"]
    assert view.languages("xquad-r")[:3] == ["en", "ar", "zh"]
    page = render(given)
    assert '<th scope="col" title="Finnish (fi)" data-lang="fi"><span class="unseen">fi</span></th>' in page


def test_best_of_each_backbone_is_bold_and_lowest_rank_distance_is_best() -> None:
    given = evidence()
    view = View.of(given.table, given.pairs, given.models, given.report)
    best = view.best("xquad-r", "static", "multi", "rank_distance")
    assert best is not None and best.mean == 400.0
    # Three settings of three benchmarks with two metrics, and rank distance of two, for two backbones.
    assert len(re.findall(r'<td [^>]*class="[^"]*\bbest\b', render(given))) == (3 * 3 * 2 + 2) * 2


def test_verdicts_come_first() -> None:
    names = re.findall(r'<section id="(\w+)"', render(evidence()))
    assert names[:3] == ["claims", "terms", "results"] and names[-1] == "again"
    tested, _, rest = section(render(evidence()), "claims").partition("<details>")
    assert "Hybrid batches are best when one pool" in tested and "not tested" not in tested
    assert "claims that this recipe does not test" in rest and "<td>it needs " in rest


def test_command_names_the_recipe() -> None:
    assert "<pre>snakemake --cores all --configfile recipes/test.yaml</pre>" in render(evidence())
    assert "<pre>snakemake --cores all</pre>" in render(evidence(recipe="sample"))
    full = Commands.of(evidence(recipe="paper@full").pairs, [], params.Report()).snakemake("x")
    assert full == "snakemake --cores all x --configfile recipes/paper.yaml --config scale=full"


def test_every_number_of_the_results_opens_the_commands_of_its_row() -> None:
    page = render(evidence())
    found = dict(re.findall(r'<div id="(c\d+)" popover="" role="dialog" aria-label="([^"]+)">', page))
    assert len(found) == 3 * 2 * len(STRATEGIES)
    opened = re.findall(r'<button popovertarget="(c\d+)" value="([^"]+)">', page)
    assert len(opened) == (4 + 3 + 4) * 2 * len(STRATEGIES) and {name for name, _ in opened} == set(found)
    assert {value for _, value in opened} == {"mono,map,", "cross,map,", "multi,map,", "multi,rank_distance,"}
    name = next(name for name, title in found.items() if title == "static hybrid@0.3 on xquad-r:en+fi")
    text = re.search(rf'id="{name}".*?<pre>(.*?)</pre>', page, re.DOTALL)
    assert text and text[1] == (
        "snakemake --cores all data/test/evaluate/static/hybrid@0.3/seed-1/xquad-r/pairs.csv --configfile recipes/test.yaml\n"
        "koine report data/test/evaluate/static/hybrid@0.3/seed-1/xquad-r --out cell\n"
        "grep &#x27;^test,static,hybrid@0.3,xquad-r:en+fi,<span></span>&#x27; cell/table.csv"
    )


@pytest.mark.parametrize("recipe", ["params.yaml", *map(str, recipe_files())])
def test_commands_name_the_files_of_the_workflow(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = yaml.safe_load(Path(recipe).read_text(encoding="utf-8")) if recipe == "params.yaml" else load_recipe(Path(recipe))
    experiment = Experiment(given)
    runs = [(run.split("/"), name) for run in experiment.models.evaluated for name in experiment.sources.tested]
    columns = {
        "backbone": pl.String(),
        "strategy": pl.String(),
        "seed": pl.Int64(),
        "benchmark": pl.String(),
        "recipe": pl.String(),
    }
    rows = [(b, s, int(seed.removeprefix("seed-")), name, experiment.params.recipe) for (b, s, seed), name in runs]
    commands = Commands.of(pl.DataFrame(rows, schema=columns, orient="row"), [], experiment.params.report)
    targets, models = set(), set()
    for backbone, strategy, _, benchmark, _ in rows:
        lines = (commands.row(backbone, strategy, benchmark) or "").splitlines()
        words = subprocess.run(["bash", "-c", f"printf '%s\\n' {lines[0]}"], capture_output=True, text=True, check=True).stdout
        assert words.split()[:3] == ["snakemake", "--cores", "all"]
        targets |= {word for word in words.split() if word.startswith(experiment.data)}
        assert words.split()[-2:] == ["--configfile", recipe] or recipe == "params.yaml"
        if alone := commands.alone(backbone, strategy, benchmark):
            models.add(shlex.split(alone)[3])
            assert shlex.split(alone)[5] == f"{experiment.data}/collect/benchmarks/{benchmark}"
    assert targets == {f"{experiment.data}/evaluate/{'/'.join(run)}/{name}/pairs.csv" for run, name in runs}
    assert models <= {f"{experiment.model_folder}/{run}" for run in experiment.models.shown} and models


def test_commands_of_languages_not_trained_in_say_which_were() -> None:
    given = evidence()
    commands = Commands.of(given.pairs, given.models, params.Report(resamples=50))
    row = commands.row("static", "en-en", "xquad-r:unseen") or ""
    assert row.count("models/test/static/hybrid@0.3/seed-1/koine.json") == 2 and " --resamples 50 --out" in row
    assert Commands.of(given.pairs, [], params.Report()).row("static", "en-en", "xquad-r:unseen") is None
    assert commands.row("static", "none", "xquad-r") is None
    changed = commands.alone("static", "hybrid+lir@3", "xquad-r")
    assert changed is None  # nothing was evaluated
    assert commands.alone("static", "en-en", "xquad-r:en+fi") == (
        "koine evaluate --model models/test/static/en-en/seed-1 --benchmark data/test/collect/benchmarks/xquad-r "
        "--pools en+fi --out cell"
    )


def test_strategies_at_several_alphas_are_drawn_over_them() -> None:
    drawn = section(render(evidence()), "alpha")
    assert drawn.count('<svg class="curves trend"') == 2 * (4 + 3 + 4)
    titles = re.findall(r"<title>(\S+), α = (\S+): (\S+), interval", drawn)
    assert titles[:4] == [
        ("hybrid@0.3", "0.3", ".200"),
        ("hybrid", "0.5", ".250"),
        ("hybrid@0.7", "0.7", ".450"),
        ("x-x-mono", "1", ".300"),
    ]
    few = evidence().table.filter(~pl.col("strategy").str.contains("@"))
    alone = evidence()
    models = [model for model in alone.models if "@" not in model["strategy"]]
    pairs = alone.pairs.filter(~pl.col("strategy").str.contains("@"))
    assert 'id="alpha"' not in render(evidence(table=few, pairs=pairs, models=models, curves=[[] for _ in models]))


def test_cost_is_counted() -> None:
    cost = section(render(evidence()), "cost")
    # 200 logged steps up to 1990, of batches of 64; hybrid's log has two batches a step.
    rows = re.findall(r'<tr data-backbone="static" data-strategy="([^"]+)">(.*?)</tr>', cost)
    assert {name: re.findall(r'<td class="n">([^<]+)</td>', cells)[1:3] for name, cells in rows}["hybrid"] == ["1,991", "254,848"]
    assert "untrained" not in dict(rows)
    deep = evidence()
    for model in deep.models:
        model["architecture"] = {"num_hidden_layers": 2, "hidden_size": 10}
    for log in deep.curves:
        for line in log:
            line["tokens"] = 100
    assert "2.9e+09" in section(render(deep), "cost")  # 6 × 12 × 2 × 10² × 199,100 for one batch a step


def test_texts_that_were_dropped_are_in_their_own_language_and_direction() -> None:
    given = evidence()
    spread = {"edges": [0, 0.5, 1], "counts": [4, 12], "threshold": 0.2}
    given.filtered[0] |= {
        "scores": {"language": spread},
        "examples": {"language": [{"source": "Who?", "target": "من؟", "score": 0.1}]},
    }
    page = render(given)
    assert '<td lang="en" dir="auto">Who?</td><td lang="ar" dir="auto">من؟</td><td class="n">.100</td>' in page
    assert '<path d="M0 56v-32.3h119V56M120 56v-56h119V56"/>' in page


def test_the_policy_of_the_page_knows_its_script_and_its_styles() -> None:
    page = render(evidence())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy and page.index("Content-Security-Policy") < page.index("<style>")
    rules = dict(rule.split(" ", 1) for rule in html.unescape(policy[1]).split("; "))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    for name, element in (("style-src", "style"), ("script-src", "script")):
        inside = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert inside and rules.pop(name) == f"'sha256-{b64encode(sha256(inside[1].encode()).digest()).decode()}'"
    assert not rules and ' style="' not in page
    assert "<" not in (Path(view.__file__).parent / "page.js").read_text(encoding="utf-8").replace(" < ", "").replace("=>", "")


def test_texts_are_escaped_and_markup_is_not() -> None:
    assert tag("p", "a < b", tag("b", "c"), None, title='"') == '<p title="&quot;">a &lt; b<b>c</b></p>'
    assert join(["&", Html("&amp;")], " & ") == "&amp; &amp; &amp;"
    assert tag("rect", x=1.50, y=2, class_="a", aria_label="b", rx=None) == '<rect x="1.5" y="2" class="a" aria-label="b"/>'


@pytest.mark.parametrize(
    ("value", "text"), [(0.6374, ".637"), (1.0, "1.000"), (0.0, ".000"), (None, "–"), (float("nan"), "–"), (0.9999, "1.000")]
)
def test_fraction(value: float | None, text: str) -> None:
    assert fraction(value) == text


def test_words() -> None:
    assert [rank(4137.4), rank(8.34), rank(None)] == ["4,137", "8.3", "–"]
    assert [listing([]), listing(["a"]), listing(["a", "b", "c"])] == ["", "a", "a, b and c"]
    assert [language(code) for code in ("fi", "zh-Hans", "ar", HOSTILE)] == ["Finnish", "Chinese (Simplified)", "Arabic", HOSTILE]


@pytest.mark.parametrize(
    ("values", "zero", "limits"),
    [
        ([0.31, 0.62], False, (0.3, 0.7)),
        ([0.31, 0.62], True, (0.0, 0.8)),
        ([3310, 9661], True, (0.0, 10000.0)),
        ([], True, (0, 0.25)),
    ],
)
def test_scale_has_round_limits(values: list[float], zero: bool, limits: tuple[float, float]) -> None:
    scale = Scale.over(values, zero=zero)
    assert (scale.low, scale.high) == pytest.approx(limits)
    assert scale.ticks()[-1] == pytest.approx(scale.high)
    assert [scale.at(scale.low), scale.at(scale.high)] == [0.0, 1.0]


def test_smoothing_keeps_the_ends_and_bounds_the_points() -> None:
    assert smooth([(0, 7.0), (10, 6.0), (20, 2.0)]) == [(0, 7.0), (10, 5.0), (20, 2.0)]
    assert len(smooth([(step, 1.0) for step in range(100_000)])) <= 61
    assert smooth([(5, 3.0)]) == [(5, 3.0)]


def test_colours_are_those_of_the_registry_and_stand_nowhere_else() -> None:
    css = (Path(view.__file__).parent / "page.css").read_text(encoding="utf-8")
    sheet = style.colours(view_of(["hybrid@0.3", "mlm+hybrid", "given", *REGISTRY]))
    for name, strategy in REGISTRY.items():
        assert sheet.count(f"--{name}: light-dark({', '.join(strategy.colour)});") == 1
        assert f"--{name}:" not in css
    rules = dict(re.findall(r"\.s(\d+) { --own: (.*?); color", sheet))
    assert len(rules) == len(REGISTRY) + 3 and sum(rule == "var(--other)" for rule in rules.values()) == 1
    # At its own α, of half the steps and a chain: no two of a family have one colour.
    family = [rule for rule in rules.values() if "--hybrid)" in rule]
    assert len(family) == len(set(family)) == 3 and "color-mix" in next(r for r in rules.values() if "--pcgrad-half" in r)


def view_of(strategies: list[str], reference: str = "hybrid") -> View:
    """Strategies without results."""
    models = [{"backbone": "static", "strategy": name, "languages": ["en", "fi"]} for name in strategies]
    return View.of(TABLE.frame([]), PAIRS.frame([]), models, params.Report(reference=reference))


def test_what_the_page_shows_of_many_strategies_follows_from_the_registry_and_the_reference() -> None:
    many = view_of([*REGISTRY, "hybrid@0.3"])
    assert many.mapped() == ["untrained", "en-en", "x-x", "x-x-mono", "x-y", "hybrid"]
    assert view_of([*REGISTRY], "daft").mapped() == [*many.mapped(), "daft"]
    assert view_of(["hybrid", "daft"]).mapped() == ["hybrid", "daft"]
    assert many.contrasted() == ["x-x-mono", "x-y", "hybrid"]
    assert view_of([*REGISTRY], "pcgrad-half").contrasted() == ["x-x-mono", "x-y", "pcgrad-half"]
    assert view_of([*REGISTRY], "x-x").contrasted() == ["x-x"]
    assert many.mixtures() == {"hybrid": ["hybrid", "hybrid@0.3", "x-y", "x-x-mono"]}


def test_the_summary_is_about_the_reference() -> None:
    text = "".join(parse(render(evidence(report=params.Report(reference="en-en")))).text)
    assert "With en-en batches, a question finds its passage in another language with mAP .40; with monolingual" in text
    own = "".join(parse(render(evidence(report=params.Report(reference="hybrid@0.7")))).text)
    assert "With hybrid@0.7, a question finds" in own


def test_no_value_of_what_is_neither_good_nor_bad_is_bold() -> None:
    given = evidence()
    rows = given.table.filter(setting="multi", metric="map", benchmark="xquad-r").with_columns(metric=pl.lit("same_language@1"))
    page = render(evidence(table=pl.concat([given.table, rows])))
    assert page.count('<th class="n" scope="col">same_language@1</th>') == 1
    assert page.count(" best") == render(given).count(" best")


def test_what_is_better_when_lower_is_sorted_so() -> None:
    page = render(evidence())
    heads = re.findall(r'<th[^>]*data-better="lower"[^>]*>([^<]*)', page)
    assert set(heads) == {"rank distance", "multi rank_distance"}
