"""The page in a real browser: hostile names stay text, no script but its own runs, nothing is asked of the network, and what a
person presses does what it says, by mouse, by keyboard, and without scripts.

`pytest -m chromium`; needs Debian's chromium, which .ci/run installs.
"""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from test_report_page import evidence

from koine.report import page as pages
from koine.report.page import render

pytestmark = pytest.mark.chromium

#: What would run, load or turn text around if a name were taken for markup; `MARK` is what it would write.
MARK = "it-ran"
HOSTILE = [
    f"<script>document.body.id='{MARK}'</script>",
    f'"><img src=http://example.org/x.png onerror="document.body.id=\'{MARK}\'">',
    f"'><svg/onload=document.body.id='{MARK}'>",
    f"</style></title></script><script>document.body.id='{MARK}'</script>",
    f"javascript:document.body.id='{MARK}'",
    "<link rel=stylesheet href=//example.org/x.css><iframe src=http://example.org></iframe>",
    "\u202eright to left\u202c \u2066isolated",
]
ARABIC, HEBREW = "متى بُني الجسر فوق نهر Rhine؟", "מתי נבנה הגשר?"


@pytest.fixture(scope="module")
def proxy() -> Iterator[tuple[int, list[bytes]]]:
    """The only way to the network that the browser is given: notes what it asks for, and answers nothing."""
    asked: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(200))

    threading.Thread(target=listen, daemon=True).start()
    yield server.getsockname()[1], asked
    server.close()


@pytest.fixture(scope="module")
def chromium(proxy: tuple[int, list[bytes]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    # Chromium takes addresses of this machine to the proxy, too.
    options = [f"--proxy-server=127.0.0.1:{proxy[0]}", "--proxy-bypass-list=<-loopback>"]
    with Browser(tmp_path_factory.mktemp("profile"), *options) as one:
        one("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
        yield one


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of the usual evidence, with dropped texts from right to left."""
    given = evidence()
    spread = {"edges": [0, 0.5, 1], "counts": [4, 12], "threshold": 0.2}
    for one, lang, text in zip(given.filtered, ("ar", "he"), (ARABIC, HEBREW), strict=True):
        examples = [{"source": "When was the bridge built?", "target": text, "score": 0.1}]
        one |= {"lang": lang, "scores": {"language": spread}, "examples": {"language": examples}}
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(given), encoding="utf-8")
    return path


@pytest.fixture
def page(chromium: Browser, written: Path) -> Browser:
    """That page, freshly opened."""
    chromium("Emulation.setScriptExecutionDisabled", value=False)
    chromium("Emulation.setEmulatedMedia", features=[])
    chromium("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)
    chromium.open(written)
    told = [event for event in chromium.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    assert told == []
    return chromium


def ran(browser: Browser) -> str:
    """The body's id, which what runs would change, after half a second."""
    time.sleep(0.5)
    return str(browser.js("document.body.id"))


# --- names and texts of data ------------------------------------------------------------------------------


def test_hostile_names_stay_text_and_the_page_asks_for_nothing(
    tmp_path: Path, chromium: Browser, proxy: tuple[int, list[bytes]]
) -> None:
    asked = proxy[1]
    names: list[Any] = [{"source": text, "licence": text, "questions": 1} for text in HOSTILE]
    collected = {
        "collected": 9, "kept": 2, "passages": 2, "dropped": dict.fromkeys(HOSTILE, 1),
        "contamination": [{"reason": text, "against": text, "len": 1} for text in HOSTILE], "sources": names,
    }  # fmt: skip
    examples = [{"source": text, "target": text, "score": 0.5} for text in HOSTILE]  # what a filter dropped: texts of users
    spread = {"edges": [0, 1], "counts": [1], "threshold": 0.1}
    filtered = [
        {"lang": "fi", "pairs": 9, "kept": 2, "dropped": dict.fromkeys(HOSTILE, 1), "scores": dict.fromkeys(HOSTILE, spread),
         "examples": dict.fromkeys(HOSTILE, examples)}
    ]  # fmt: skip
    own = Path(pages.__file__).with_name("page.js").read_text(encoding="utf-8")
    for number, text in enumerate(HOSTILE):
        path = tmp_path / f"{number}.html"
        given = evidence(recipe=text, languages={text: ("en", "ar", "fi")}, collected=collected, filtered=filtered)
        path.write_text(render(given), encoding="utf-8")
        asked.clear()
        chromium.open(path)
        # What it may do with a name, it has done then: open a row's commands, sort by it, filter by it.
        for selector in ("td button", "th button", 'input[name="backbone"]', 'input[name="lang"]'):
            chromium.js(f"document.querySelector('{selector}')?.click()")
        assert ran(chromium) == ""
        assert chromium.js("[...document.scripts].map(script => script.textContent)") == [own]
        assert chromium.js("document.querySelectorAll('img, iframe, link, object, embed, [onload], [onerror]').length") == 0
        assert [request for request in asked if b"example.org" in request] == []
        assert text in chromium.js("document.body.textContent")


def test_the_policy_stops_what_an_escape_that_is_forgotten_would_let_through(
    tmp_path: Path, written: Path, chromium: Browser, proxy: tuple[int, list[bytes]]
) -> None:
    asked = proxy[1]
    link = f"<a href=\"javascript:document.body.id='{MARK}'\">x</a>"
    injected = "<style>body { color: red }</style>" + link + "".join(HOSTILE)
    path = tmp_path / "injected.html"
    path.write_text(written.read_text(encoding="utf-8").replace("<main", injected + "<main", 1), encoding="utf-8")
    asked.clear()
    chromium.open(path)
    chromium.js("document.querySelector('a[href^=javascript]').click()")
    assert ran(chromium) == ""
    assert chromium.js("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"
    assert [request for request in asked if b"example.org" in request] == []
    assert chromium.js("document.documentElement.outerHTML").count("<img") == 1  # it was there


def test_the_browser_of_these_tests_runs_scripts_and_asks_the_proxy(
    tmp_path: Path, chromium: Browser, proxy: tuple[int, list[bytes]]
) -> None:
    """Without which the tests above would prove nothing."""
    path = tmp_path / "open.html"
    path.write_text(f"<body>{''.join(HOSTILE)}</body>", encoding="utf-8")
    chromium.open(path)
    assert ran(chromium) == MARK
    assert any(b"example.org" in request for request in proxy[1])


def test_texts_from_right_to_left_are_shown_so(page: Browser) -> None:
    cells = "[...document.querySelectorAll('.examples td[lang]')]"
    directions = page.js(f"{cells}.map(td => [td.lang, getComputedStyle(td).direction])")
    assert directions == [["en", "ltr"], ["ar", "rtl"], ["en", "ltr"], ["he", "rtl"]]


# --- commands ---------------------------------------------------------------------------------------------

CELL = 'section#results table.head button[value="cross,map,"]'
OPENED = "document.querySelector(':popover-open')"
COMMANDS = [
    "snakemake --cores all data/test/evaluate/static/untrained/seed-1/xquad-r/pairs.csv --configfile recipes/test.yaml",
    "koine report data/test/evaluate/static/untrained/seed-1/xquad-r --out cell",
    "grep '^test,static,untrained,xquad-r,cross,map,' cell/table.csv",
]


def test_a_number_opens_its_commands_which_can_be_copied(page: Browser) -> None:
    assert page.js(OPENED) is None
    page.click(CELL)
    assert page.js(f"{OPENED}.ariaLabel") == "static untrained on xquad-r, cross map: .350"
    page.click(":popover-open button")
    assert page.js("navigator.clipboard.readText()") == "\n".join(COMMANDS)
    assert page.js("document.getElementById('said').textContent") == "Copied"
    page.click("h1")
    assert page.js(OPENED) is None


def test_commands_can_be_reached_and_copied_by_keyboard_alone(page: Browser) -> None:
    page.press("Tab")
    assert page.js("document.activeElement.textContent") == "Skip to the results"
    page.press("Enter", "Tab")
    assert page.js("document.activeElement.closest('main') !== null")
    page.js(f"document.querySelector('{CELL}').focus()")
    page.press("Enter", "Tab", "Enter")
    assert page.js("navigator.clipboard.readText()") == "\n".join(COMMANDS)
    page.press("Escape")
    assert page.js(OPENED) is None
    assert page.js("document.activeElement.value") == "cross,map,"  # where it was before
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.js(outline) == "solid"


def test_without_scripts_the_page_is_whole_and_opens_the_commands_of_a_row(chromium: Browser, written: Path) -> None:
    chromium("Emulation.setScriptExecutionDisabled", value=True)
    chromium("Emulation.setDeviceMetricsOverride", width=1400, height=900, deviceScaleFactor=1, mobile=False)
    chromium.open(written)
    before = chromium.tree()
    assert not any(node["role"] in ("dialog", "checkbox", "form") for node in before)  # what could not work is not there
    assert len([node for node in before if node["role"] == "region"]) > 8
    chromium.click(CELL)
    shown = chromium.tree()
    assert [node["name"] for node in shown if node["role"] == "dialog"] == ["static untrained on xquad-r"]
    texts = "".join(node["name"] for node in shown if node["role"] == "StaticText")
    assert "\n".join(COMMANDS).replace("cross,map,", "") in texts
    chromium.press("Escape")
    assert not any(node["role"] == "dialog" for node in chromium.tree())
    chromium.click("#claims summary")  # the claims that are not tested
    assert any("it needs " in node["name"] for node in chromium.tree())
    chromium("Emulation.setScriptExecutionDisabled", value=False)


# --- sort and filter --------------------------------------------------------------------------------------

TABLE = "document.querySelector('section#results table.head')"
HEADS = "section#results table.head th button"


def order(page: Browser) -> list[list[str]]:
    """Strategies of the first table of results as they stand, by backbone."""
    found: list[list[str]] = page.js(
        f"[...{TABLE}.tBodies].map(body => [...body.rows].filter(row => row.dataset.strategy && row.checkVisibility())"
        ".map(row => row.dataset.strategy))"
    )
    return found


def test_columns_sort_with_the_best_first_then_the_other_way_then_as_before(page: Browser) -> None:
    before = order(page)
    rising = ["hybrid@0.3", "hybrid", "x-x-mono", "untrained", "en-en", "hybrid@0.7"]  # as their values are made
    page.click(HEADS, 1)
    assert order(page) == [rising[::-1]] * 2
    assert page.js(f"[...{TABLE}.querySelectorAll('thead th')].map(head => head.ariaSort)") == [
        None,
        "descending",
        None,
        None,
        None,
    ]
    assert page.js("document.getElementById('said').textContent") == "Sorted by monomAP, descending"
    page.click(HEADS, 1)
    assert order(page) == [rising] * 2
    page.click(HEADS, 4)  # rank distance: the lowest first, which falls as the others rise
    assert order(page) == [rising[::-1]] * 2
    assert page.js(f"{TABLE}.querySelector('[aria-sort]').ariaSort") == "ascending"
    page.js(f"document.querySelectorAll('{HEADS}')[0].focus()")
    page.press("Enter")
    assert order(page) == [sorted(rising)] * 2
    page.press("Enter", " ")
    assert order(page) == before
    assert page.js(f"{TABLE}.querySelector('[aria-sort]')") is None
    assert page.js(f"[...{TABLE}.tBodies].every(body => body.rows[0].className === 'group')")


def visible(page: Browser, selector: str) -> int:
    return int(page.js(f"[...document.querySelectorAll('{selector}')].filter(one => !one.closest('[hidden]')).length"))


def test_filters_hide_what_is_not_ticked_in_tables_and_maps_alike(page: Browser) -> None:
    everything = page.js("document.querySelector('#filter output').textContent")
    page.click("#filter summary")
    page.click('#filter input[value="xlm-r"]')
    page.click('#filter input[value="hybrid"]')
    page.click('#filter input[value="x-x-mono"]')
    assert order(page) == [[], ["x-x-mono", "hybrid"]]
    assert visible(page, "section#results table.head tr.group") == 3  # xlm-r's, once a benchmark
    assert visible(page, "section#proof tr[data-strategy]") == 3  # the reference's own rival alone
    assert visible(page, "section#bias .bars [data-strategy]") == 2 * 2
    assert visible(page, "section#training figure") == 2
    maps = visible(page, "table.heat")
    page.click('#filter input[value="Arab"]')
    page.click('#filter input[value="Grek"]')
    assert visible(page, "table.heat") == maps
    # Of six, three and two languages in two maps each: Arabic and Greek, Arabic, and none.
    assert visible(page, "section#languages table.heat tbody tr") == 2 * (2 + 1)
    assert visible(page, "section#languages table.heat tbody td") == 2 * (4 + 1)
    assert visible(page, "details.langs tbody tr") == 2 * (2 + 1)
    assert page.js("document.querySelector('details.langs').open")
    shown = page.js("document.querySelector('#filter output').textContent")
    assert shown != everything and page.js("document.getElementById('said').textContent") == f"Showing {shown}"
    page.js("document.querySelector('#filter input[value=ar]').focus()")
    page.press(" ")
    assert visible(page, "details.langs tbody tr") == 2 * (1 + 1)
    page.js("document.querySelector('#filter [type=reset]').focus()")
    page.press("Enter")
    time.sleep(0.2)
    assert page.js("document.querySelector('#filter output').textContent") == everything
    assert page.js("document.querySelectorAll('main [hidden]').length") == 0


# --- how it looks -----------------------------------------------------------------------------------------

PAPER = "getComputedStyle(document.body).backgroundColor"


def test_light_and_dark_follow_the_system_until_they_are_chosen(page: Browser) -> None:
    light = page.js(PAPER)
    page("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    dark = page.js(PAPER)
    assert light != dark
    page.js("document.querySelector('input[value=auto]').focus()")
    page.press("ArrowRight")
    assert page.js(PAPER) == light
    page.press("ArrowRight")
    assert page.js(PAPER) == dark
    page("Emulation.setEmulatedMedia", features=[])
    assert page.js(PAPER) == dark
    page("Emulation.setEmulatedMedia", media="print")
    assert page.js(PAPER) == light
    assert page.js("getComputedStyle(document.querySelector('nav')).display") == "none"
    page("Emulation.setEmulatedMedia", media="")


def test_nothing_moves_by_itself_for_those_who_asked_for_that(page: Browser) -> None:
    smooth = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.js(smooth) == "smooth"
    page("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert page.js(smooth) == "auto"


def test_a_telephone_scrolls_wide_tables_and_not_the_page(page: Browser) -> None:
    page("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=False)
    page.js("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
    assert page.js("document.documentElement.scrollWidth") == 400


def test_a_screen_reader_finds_landmarks_names_and_states(page: Browser) -> None:
    page.js("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
    page.click(HEADS, 1)
    page.click(CELL)
    tree = page.tree()
    by_role: dict[str, list[dict[str, Any]]] = {}
    for node in tree:
        by_role.setdefault(node["role"], []).append(node)
    assert [node["name"] for node in by_role["navigation"]] == ["Sections"] and len(by_role["main"]) == 1
    sections = page.js("[...document.querySelectorAll('main > section > h2')].map(head => head.textContent)")
    assert [node["name"] for node in by_role["region"]][: len(sections)] == sections
    for role in ("button", "link", "table", "checkbox", "radio", "image", "img", "dialog", "form", "group", "columnheader"):
        nameless = [node for node in by_role.get(role, []) if not node["name"]]
        assert role in ("group", "columnheader") or not nameless, (role, nameless)
    assert [node["name"] for node in by_role["group"] if node["name"]] == [
        "Colours",
        "backbone",
        "strategy",
        "language",
        "script",
    ]
    opened = next(node for node in by_role["button"] if node.get("expanded"))
    assert opened["name"] == ".450"  # the first, now that rows are sorted
    assert [node["name"] for node in by_role["status"]][-1:] == [""] or by_role["status"][-1].get("live") == "polite"
    assert all(name for name in page.js("[...document.querySelectorAll('table')].map(table => table.caption?.textContent)"))
    scopes = page.js("[...document.querySelectorAll('th')].filter(head => !head.scope).length")
    assert scopes == 0
