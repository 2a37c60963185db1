"""The page in a real browser: hostile names stay text, no script runs, and nothing is asked of the network.

`pytest -m chromium`; needs Debian's chromium, which .ci/run installs.
"""

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_report_page import evidence

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


@pytest.fixture
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


def opened(page: Path, port: int, *options: str) -> str:
    """The page as it stands in the browser after its scripts, if any, had five seconds."""
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}"]
    command += ["--disable-background-networking", "--disable-component-update", "--no-first-run", "--disable-sync"]
    command += [f"--proxy-server=127.0.0.1:{port}", "--virtual-time-budget=5000", *options, f"file://{page}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_hostile_names_stay_text_and_the_page_asks_for_nothing(tmp_path: Path, proxy: tuple[int, list[bytes]]) -> None:
    port, asked = proxy
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
    for number, text in enumerate(HOSTILE):
        page = tmp_path / f"{number}.html"
        given = evidence(recipe=text, languages={text: ("en", "ar", "fi")}, collected=collected, filtered=filtered)
        page.write_text(render(given), encoding="utf-8")
        asked.clear()
        dom = opened(page, port, "--dump-dom")
        assert MARK not in dom.partition("<body")[2].partition(">")[0] and "<script" not in dom and "<img" not in dom
        assert [request for request in asked if b"example.org" in request] == []
        assert text.split(">")[0].replace("<", "&lt;")[:12] in dom.replace("&quot;", '"').replace("&#x27;", "'")


def test_the_browser_of_these_tests_runs_scripts_and_asks_the_proxy(tmp_path: Path, proxy: tuple[int, list[bytes]]) -> None:
    """Without which the test above would prove nothing."""
    port, asked = proxy
    page = tmp_path / "open.html"
    page.write_text(f"<body>{''.join(HOSTILE)}</body>", encoding="utf-8")
    assert MARK in opened(page, port, "--dump-dom").partition("<body")[2].partition(">")[0]
    assert any(b"example.org" in request for request in asked)
