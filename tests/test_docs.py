"""The documentation: it builds strictly, asks nothing of the network, its links lead somewhere, and what it names exists."""

import importlib.util
import itertools
import logging
import re
import runpy
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urldefrag

import polars as pl
import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

from koine.cli import COMMANDS, load
from koine.collect.readers import READERS
from koine.params.recipe import recipe_files

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *PAGES]
MARKDOWN = MarkdownIt("commonmark").enable("table")
NAMES = [str(path.relative_to(ROOT)) for path in TEXTS]

#: Options of entries that a page tells its reader to write.
ADDED = {"--capitals"}
#: Options of other programs (uv, sbatch) that stand in a text by themselves.
OTHERS = {"--universal", "--gpus", "--gres", "--signal"}

#: Files that a page tells its reader to write.
YOURS = {"recipes/my.yaml", "recipes/clinic.yaml", "recipes/medquad.yaml"}
YOURS |= {f"src/koine/{name}.py" for name in ("backbones/signs", "collect/formats/tabbed", "translate/mine")}


def make_site(folder: Path, config: Path = ROOT / "mkdocs.yml") -> Path:
    """Build the site as `make docs` does."""
    settings = load_config(str(config), site_dir=str(folder), strict=True)
    settings.plugins.on_startup(command="build", dirty=False)
    build(settings)
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"))


class Html(HTMLParser):
    """What a page holds: its tags, its anchors, what it loads, and where its links lead."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: set[str] = set()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.script = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.script = tag == "script"
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        for name, value in given.items():
            if name == "href" and tag == "a":
                self.links.append(value)
            elif name in ("src", "href", "xlink:href", "data", "poster", "action", "background", "formaction", "ping"):
                self.loads.append(value)
            elif name in ("srcset", "imagesrcset"):
                self.loads += [part.split()[0] for part in value.split(",")]
            elif name == "style":
                self.loads += loaded_by_css(value)

    def handle_data(self, data: str) -> None:
        if self.get_starttag_text() and (self.get_starttag_text() or "").startswith("<style"):
            self.loads += loaded_by_css(data)
        elif self.script:
            self.loads += re.findall(r"https?://[^\"'`\s]+", data)

    def handle_endtag(self, tag: str) -> None:
        self.script = self.script and tag != "script"


def loaded_by_css(text: str) -> list[str]:
    found = re.findall(r"""url\(\s*["']?(.*?)["']?\s*\)|@import\s+["'](.*?)["']""", text)
    return [one or other for one, other in found]


def elsewhere(address: str) -> bool:
    """Whether an address is another host's."""
    return bool(re.match(r"(?!data:)([a-z][a-z0-9+.-]*:)|//", address, re.I))


def test_every_page_is_built_and_no_page_asks_for_anything_from_elsewhere(site: Path) -> None:
    for page in PAGES:
        assert (site / page.relative_to(DOCS)).with_suffix(".html").is_file(), page
    for path in [*site.rglob("*.html"), *site.rglob("*.svg")]:
        html = Html(path)
        assert [address for address in html.loads if elsewhere(address)] == [], path
        for address in html.loads:
            if address and not address.startswith(("data:", "#")):
                assert (path.parent / unquote(urldefrag(address).url)).exists() or path.name == "404.html", (path, address)
    for path in site.rglob("*.css"):
        assert [address for address in loaded_by_css(path.read_text(encoding="utf-8")) if elsewhere(address)] == [], path


def test_the_page_of_collect_lists_every_format(site: Path) -> None:
    text = (site / "collect.html").read_text(encoding="utf-8")
    for name, reader in READERS.items():
        assert f"<td><code>{name}</code></td>" in text and reader.words.partition(":")[0] in text, name


def test_nothing_on_a_page_makes_the_theme_ask_for_more(site: Path) -> None:
    """Its script loads mermaid and the facts of a repository from elsewhere, where a page has a diagram or names a repository."""
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert 'class="mermaid"' not in text and 'data-md-component="source"' not in text, path


def test_every_link_of_the_site_leads_to_a_file_and_an_anchor(site: Path) -> None:
    pages = {path: Html(path) for path in site.rglob("*.html") if path.name != "404.html"}
    for path, html in pages.items():
        for link in html.links:
            address, anchor = urldefrag(link)
            if elsewhere(address):
                continue
            target = (path.parent / unquote(address)).resolve() if address else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (path, link)
            assert not anchor or unquote(anchor) in pages[target].ids, (path, link)


def test_search_works_from_a_disk_and_knows_every_page(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    for page in PAGES:
        assert f'"{page.relative_to(DOCS).with_suffix(".html").as_posix()}"' in index, page
    assert "assets/iframe-worker.js" in (site / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_is_the_same_on_the_site_as_where_markdown_is_common(site: Path, page: Path) -> None:
    """MkDocs' Markdown is older than GitHub's: a list without an empty line before it is none, and so on."""
    built = (site / page.relative_to(DOCS)).with_suffix(".html").read_text(encoding="utf-8")
    built = built[built.index("<article") : built.index("</article>")]
    text = page.read_text(encoding="utf-8").replace("<!-- readers -->", runpy.run_path(str(DOCS / "hooks.py"))["_readers"]())
    common = MARKDOWN.render(text)
    for tag in ("h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "table", "tr", "td", "pre", "code", "strong", "em", "img"):
        assert len(re.findall(f"<{tag}[ >]", built)) == len(re.findall(f"<{tag}[ >]", common)), tag


def test_a_broken_link_a_missing_anchor_and_a_page_out_of_the_navigation_stop_the_build(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("results", "recipes", "CONTRIBUTING.md"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "docs").mkdir()
    for name in DOCS.iterdir():
        (tmp_path / "docs" / name.name).symlink_to(name)
    (tmp_path / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), encoding="utf-8")
    stray = "# Stray\n\n[a](nowhere.md) [b](index.md#nothing) [c](../results/nothing.csv)\n"
    (tmp_path / "docs" / "stray.md").write_text(stray, encoding="utf-8")
    with caplog.at_level(logging.WARNING, logger="mkdocs"), pytest.raises(Abort, match="4 warnings"):
        make_site(tmp_path / "site", tmp_path / "mkdocs.yml")
    for words in ("stray.md", "'nowhere.md'", "'index.md#nothing'", "'results/nothing.csv'"):
        assert words in caplog.text


# --- links of the files themselves ----------------------------------------------------------------------------------------


def tokens(path: Path) -> Iterator[Token]:
    for token in MARKDOWN.parse(path.read_text(encoding="utf-8")):
        yield token
        yield from token.children or []


def anchors(path: Path) -> set[str]:
    """The anchors of a file's headings on GitHub."""
    found: Counter[str] = Counter()
    names = set()
    parsed = MARKDOWN.parse(path.read_text(encoding="utf-8"))
    for here, inner in itertools.pairwise(parsed):
        if here.type == "heading_open":
            words = "".join(part.content for part in inner.children or [])
            slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            names.add(f"{slug}-{found[slug]}" if found[slug] else slug)
            found[slug] += 1
    return names


@pytest.mark.parametrize("path", TEXTS, ids=NAMES)
def test_every_link_of_a_text_leads_to_a_file_and_an_anchor(path: Path) -> None:
    for token in tokens(path):
        link = str(token.attrGet("href") or token.attrGet("src") or "")
        address, anchor = urldefrag(link)
        if not link or elsewhere(link):
            continue
        target = path.parent / unquote(address) if address else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


# --- commands, recipes and paths that the texts name ----------------------------------------------------------------------


def commands(path: Path) -> Iterator[list[str]]:
    """Every command of a text's code as a list of words, without comments."""
    for token in tokens(path):
        if token.type not in ("fence", "code_block", "code_inline"):
            continue
        for line in token.content.replace("\\\n", " ").splitlines():
            code = re.sub(r"(^|\s)#.*", "", line)
            for command in [code] if token.type == "code_inline" else re.split(r"&&|\||;", code):
                try:
                    words = shlex.split(command)
                except ValueError:  # a quote that ends elsewhere: no command
                    continue
                if words:
                    yield words


def after(words: list[str], program: str) -> list[str] | None:
    """The words after a program's name; none if the command is another."""
    start = next((n for n, word in enumerate(words) if "=" not in word), 0)
    if words[start] in ("torchrun", "nice"):
        start = words.index(program) if program in words else start
    return words[start + 1 :] if words[start] == program else None


def options(words: list[str]) -> list[str]:
    return [word.partition("=")[0].rstrip(":") for word in words if re.match(r"--?[a-zA-Z]", word)]


@cache
def koine_options(command: str) -> set[str]:
    """The options of a subcommand."""
    parameters = load(command).params
    return {"--help", "-h"} | {option for parameter in parameters for option in parameter.opts + parameter.secondary_opts}


def snakemake_options() -> set[str]:
    from snakemake.cli import get_argument_parser

    return {option for action in get_argument_parser()._actions for option in action.option_strings}


SNAKEMAKE = snakemake_options()


@pytest.mark.parametrize("path", TEXTS, ids=NAMES)
def test_every_command_that_a_text_names_exists_with_its_options(path: Path) -> None:
    targets = re.search(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    markers = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]["markers"]
    for words in commands(path):
        if (given := after(words, "koine")) and given[0] not in ("COMMAND", "--help", "--install-completion", "<step>"):
            assert given[0].replace("-", "_") in COMMANDS, words
            assert {*options(given[1:])} - ADDED <= koine_options(given[0]), words
        elif (given := after(words, "snakemake")) is not None:
            assert {*options(given)} <= SNAKEMAKE, words
        elif given := after(words, "make"):
            assert targets and given[0] in targets[1].split(), words
        elif (given := after(words, "pytest")) and given[0] == "-m":
            assert given[1] in {marker.partition(":")[0] for marker in markers}, words
        elif (given := after(words, "python")) and given[0] == "-m":
            assert importlib.util.find_spec(given[1]), words
        elif words[0].startswith("--"):
            assert {*options(words[:1])} <= SNAKEMAKE.union(OTHERS, *map(koine_options, COMMANDS)), words


@pytest.mark.parametrize("path", TEXTS, ids=NAMES)
def test_every_recipe_scale_and_file_that_a_text_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for name in {*re.findall(r"\brecipes/[\w.-]+\.yaml", text)} - YOURS:
        assert (ROOT / name).is_file(), name
    for name in {*re.findall(r"`((?:src|tests|benchmarks|workflow|profiles|docs)/[\w./-]+)`", text)} - YOURS:
        assert (ROOT / name).exists(), name
    scales = {recipe.stem: yaml.safe_load(recipe.read_text(encoding="utf-8")).get("scales", {}) for recipe in recipes()}
    for recipe, scale in re.findall(r"recipes/([\w-]+)\.yaml(?:\s--scale\s|\s--config\sscale=)([\w-]+)", text):
        assert scale in scales[recipe], (recipe, scale)
    for scale in re.findall(r"\bscale=([\w-]+)", text):
        assert any(scale in known for known in scales.values()), scale


def recipes() -> list[Path]:
    return [ROOT / path for path in recipe_files()]


def test_the_page_of_recipes_has_all_of_them_and_no_others() -> None:
    text = (DOCS / "recipes.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| \[?`([\w-]+)`", text, re.M)
    assert sorted(named) == sorted(recipe.stem for recipe in recipes())


# --- the figures, and the page that explains the table --------------------------------------------------------------------


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("figures", DOCS / "figures.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_figures_are_what_their_script_draws(figures: ModuleType) -> None:
    for name in ("chain", "reading", "headline"):
        drawn = getattr(figures, name)()
        assert (figures.IMAGES / f"{name}.svg").read_text(encoding="utf-8") == drawn, "run python docs/figures.py"


def test_the_example_has_the_numbers_that_koines_metrics_give(figures: ModuleType) -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    shown = re.findall(r'class="number middle">([\d.]+)<', figures.reading())
    found = {model: figures.numbers(model) for model in ("monolingual", "hybrid")}
    assert shown == [
        f"{value:.0f}" if name == "rank distance" else f"{value:.2f}" for each in found.values() for name, value in each.items()
    ]
    for model, values in found.items():
        ranks = [rank for rank, name in enumerate(figures.RANKINGS[model], 1) if name in figures.RELEVANT]
        steps = " + ".join(f"{nth}/{rank}" for nth, rank in enumerate(ranks, 1))
        row = f"| {model}, `multi` | {', '.join(map(str, ranks))} | ({steps}) / 3 = {values['multi']:.2f} |"
        assert row in text
        assert values["multi"] == pytest.approx(sum(nth / rank for nth, rank in enumerate(ranks, 1)) / 3)
        assert f"{ranks[-1]} − {ranks[0]} = {values['rank distance']:.0f}" in text
        assert values["mono"] == 1 and "| 1/1 = 1.00 |" in text
        assert re.search(rf"\| {model}, `cross` \|.*so {values['cross']:.2f} \|", text)


def points(value: float) -> str:
    """A fraction as the page writes it."""
    return f"{value:+.3f}".replace("0.", ".").replace("-", "−")


def test_the_real_table_of_the_page_is_that_of_the_results() -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8")
    table = pl.read_csv(ROOT / "results/squad-fi/table.csv").filter(
        pl.col("backbone") == "static", pl.col("benchmark") == "squad-dev-parallel:en+fi"
    )
    for strategy in ("x-x-mono", "x-y", "hybrid"):
        cells = []
        for setting, metric in (("mono", "map"), ("cross", "map"), ("multi", "map"), ("multi", "rank_distance")):
            at = table.row(
                by_predicate=(pl.col("strategy") == strategy) & (pl.col("setting") == setting) & (pl.col("metric") == metric),
                named=True,
            )
            values = [at["mean"], at["ci_low"], at["ci_high"]]
            said = [f"{value:.0f}" if metric == "rank_distance" else points(value).lstrip("+") for value in values]
            cells.append(f"{said[0]} [{said[1]}, {said[2]}]")
        assert f"| {strategy} | {' | '.join(cells)} |" in text
    contrasts = pl.read_csv(ROOT / "results/squad-fi/contrasts.csv", infer_schema_length=None).filter(
        pl.col("benchmark") == "squad-dev-parallel:en+fi", pl.col("metric") == "map",
        pl.col("backbone") == "static", pl.col("other_backbone") == "static", pl.col("strategy") == "hybrid",
    )  # fmt: skip
    for rival, setting in (("x-x-mono", "multi"), ("x-x-mono", "mono"), ("x-y", "cross")):
        at = contrasts.row(by_predicate=(pl.col("other_strategy") == rival) & (pl.col("setting") == setting), named=True)
        interval = f"[{points(at['ci_low']).lstrip('+')}, {points(at['ci_high']).lstrip('+')}]"
        assert f"| {rival} | {setting} | {points(at['difference'])} {interval} | {points(at['p_holm']).lstrip('+')} |" in text


def test_every_term_of_the_glossary_stands_once_and_is_one_sentence() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.M)
    rows = [(term, meaning) for term, meaning in rows if term not in ("term", "---")]
    terms = [term for names, _ in rows for term in names.split(", ")]
    assert sorted(terms) == sorted({*terms})
    for term, meaning in rows:
        assert meaning.endswith(".") and not re.search(r"\. [A-Z]", meaning.replace("et al. ", "")), term
