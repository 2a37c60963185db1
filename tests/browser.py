"""Chromium, driven over the DevTools protocol by a pair of pipes: nothing but the browser itself is needed.

The protocol: https://chromedevtools.github.io/devtools-protocol/. Clicks and keys are those of the browser's own input, so they
do what a person's do, without scripts in the page too.
"""

import base64
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
OPTIONS += ["--no-first-run", "--disable-sync", "--remote-debugging-pipe", "--hide-scrollbars"]
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), " ": (32, " "), "ArrowRight": (39, ""), "ArrowDown": (40, "")}


class Browser:
    """One browser with one page.

    Args:
        profile: folder for its settings.
        options: more of the command line.
    """

    def __init__(self, profile: Path, *options: str) -> None:
        (there, self._out), (self._in, back) = os.pipe(), os.pipe()

        def pipes() -> None:  # the browser reads from 3 and writes to 4
            ours = os.dup(there), os.dup(back)
            os.dup2(ours[0], 3)
            os.dup2(ours[1], 4)

        command = ["chromium", *OPTIONS, f"--user-data-dir={profile}", *options]
        self._process = subprocess.Popen(
            command, preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(there)
        os.close(back)
        self._rest, self._number, self._session = b"", 0, ""
        page = self("Target.createTarget", url="about:blank")["targetId"]
        self._session = self("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Accessibility", "DOM"):
            self(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            os.close(self._out)  # the browser ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\0" not in self._rest:
                read = os.read(self._in, 1 << 20)
                if not read:
                    raise EOFError("the browser has gone")
                self._rest += read
            message, _, self._rest = self._rest.partition(b"\0")
            yield json.loads(message)

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for what it gives."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        for found in self._messages():
            if found.get("id") == self._number:
                assert "error" not in found, f"{method}: {found['error']}"
                result: dict[str, Any] = found["result"]
                return result
            if "method" in found and self._session:
                self.events.append(found)
        raise AssertionError("unreachable")

    def open(self, page: Path) -> None:
        """Go to a file, and wait until it is loaded."""
        self.events.clear()
        self("Page.navigate", url=f"file://{page}")
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self("Runtime.getHeapUsage")
            time.sleep(0.02)

    def js(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def click(self, selector: str, number: int = 0) -> None:
        """Press the mouse in the middle of the element, which must be there to be seen; needs no scripts in the page."""
        found = self("DOM.querySelectorAll", nodeId=self("DOM.getDocument")["root"]["nodeId"], selector=selector)["nodeIds"]
        self("DOM.scrollIntoViewIfNeeded", nodeId=found[number])
        time.sleep(0.05)
        corners = self("DOM.getContentQuads", nodeId=found[number])["quads"][0]
        x, y = sum(corners[::2]) / 4, sum(corners[1::2]) / 4
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        time.sleep(0.05)

    def press(self, *keys: str) -> None:
        """Type keys by their names."""
        for key in keys:
            code, text = KEYS[key]
            named = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
            self("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": text} if text else {}))
            self("Input.dispatchKeyEvent", type="keyUp", **named)
        time.sleep(0.05)

    def tree(self) -> list[dict[str, Any]]:
        """What a screen reader is given: role, name and properties of all that it meets."""
        nodes = self("Accessibility.getFullAXTree")["nodes"]
        return [
            {
                "role": node["role"]["value"],
                "name": node.get("name", {}).get("value", ""),
                **{one["name"]: one["value"].get("value") for one in node.get("properties", [])},
            }
            for node in nodes
            if not node["ignored"]
        ]

    def picture(self, path: Path, *, width: int = 1400, dark: bool = False, top: int = 0, tall: int = 0) -> None:
        """Write a PNG of the page, or of so many pixels of it from `top` on."""
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        size = self("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": top, "width": width, "height": tall or size["height"] - top, "scale": 1}
        shot = self("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
