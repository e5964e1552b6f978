"""Firefox for tests, by WebDriver BiDi: what it speaks itself, so that nothing stands between."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

LISTENING = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")
WAIT_S = 20.0
START_S = 90.0
ENTER = "\ue007"
# It makes its profile anew each time; these keep it from calling home and from asking.
PREFERENCES = {
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class FirefoxError(AssertionError):
    """What Firefox answered in place of a result."""


class FirefoxPage:
    """The one tab of a Firefox."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._tab = ""

    async def open_session(self) -> None:
        await self._call("session.new", capabilities={})
        self._tab = (await self._call("browsingContext.getTree"))["contexts"][0]["context"]

    async def goto(self, url: str) -> None:
        await self._call("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression that is a string, a number, a boolean or null; of a promise, what it comes to."""
        answer = await self._call(
            "script.evaluate", expression=expression, target={"context": self._tab}, awaitPromise=True
        )
        if answer["type"] == "exception":
            raise FirefoxError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    async def until(self, expression: str, wanted: Any) -> None:
        """Wait until an expression has this value."""
        seen = None
        try:
            async with asyncio.timeout(WAIT_S):
                while (seen := await self.evaluate(expression)) != wanted:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"expected {expression} to be {wanted!r}, last {seen!r}") from None

    async def click(self, selector: str) -> None:
        """Click on what a CSS selector finds, once it is there, as a mouse does."""
        await self.until(f"document.querySelector({json.dumps(selector)}) !== null", wanted=True)
        await self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        located = {"type": "css", "value": selector}
        found = await self._call("browsingContext.locateNodes", context=self._tab, locator=located)
        origin = {"type": "element", "element": {"sharedId": found["nodes"][0]["sharedId"]}}
        moves = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        await self._act({"type": "pointer", "id": "mouse", "actions": moves})

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        keys = [{"type": kind, "value": char} for char in text for kind in ("keyDown", "keyUp")]
        await self._act({"type": "key", "id": "keyboard", "actions": keys})

    async def _act(self, *sources: dict[str, Any]) -> None:
        await self._call("input.performActions", context=self._tab, actions=list(sources))

    async def _call(self, method: str, **parameters: Any) -> Any:
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        async with asyncio.timeout(WAIT_S):
            while (message := json.loads(await self._socket.recv())).get("id") != number:
                pass  # an event
        if "error" in message:
            raise FirefoxError(f"{method}: {message['error']}: {message['message']}")
        return message["result"]


@asynccontextmanager
async def firefox_page(profile: Path) -> AsyncIterator[FirefoxPage]:
    """A headless Firefox with this folder for its profile; a skip where there is none, in CI a failure."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        assert os.environ.get("CI") != "true", "expected Firefox (Debian: apt install firefox-esr)"
        pytest.skip("no Firefox on this machine (apt install firefox-esr)")
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    said = profile / "stderr"
    with said.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            program,
            *("--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "HOME": str(profile), "MOZ_CRASHREPORTER_DISABLE": "1"},
        )
    try:
        async with connect(f"{await _address(said)}/session", max_size=None, proxy=None) as socket:
            page = FirefoxPage(socket)
            await page.open_session()
            yield page
    finally:
        process.terminate()
        await process.wait()


async def _address(said: Path) -> str:
    """Where it listens, once it says so."""
    try:
        async with asyncio.timeout(START_S):
            while not (found := LISTENING.search(said.read_bytes())):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"Firefox does not listen: {said.read_text()}") from None
    return found[1].decode()
