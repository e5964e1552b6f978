"""The page's live socket against a scripted server that speaks palio.v1: a real browser, real sockets, no Palio."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.e2e.browser import window
from tests.e2e.static_files import served_files

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

WAIT_S = 20  # for something that comes at once or not at all


class Script:
    """A gateway whose every answer the test decides."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[ServerConnection, dict[str, Any]]] = asyncio.Queue()
        self.url = ""

    async def handle(self, socket: ServerConnection) -> None:
        try:
            async for text in socket:
                self.received.put_nowait((socket, json.loads(text)))
        except ConnectionClosed:
            pass  # the page may go at any moment; what the test waits for tells the rest

    async def next(self) -> tuple[ServerConnection, dict[str, Any]]:
        return await asyncio.wait_for(self.received.get(), WAIT_S)

    async def subscribed(self) -> tuple[ServerConnection, dict[str, Any]]:
        """The next subscription, acknowledged."""
        while True:
            socket, message = await self.next()
            await send(socket, {"id": message["id"], "ok": True})
            if "subscribe" in message:
                return socket, message


async def send(socket: ServerConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


def snapshot(seq: int, n: int, epoch: int = 1) -> dict[str, Any]:
    return {"tournament": "7", "type": "snapshot", "epoch": epoch, "seq": seq, "data": {"n": n}}


def update(seq: int, n: int, epoch: int = 1) -> dict[str, Any]:
    patch = [{"op": "replace", "path": "/n", "value": n}]
    return {"tournament": "7", "type": "update", "epoch": epoch, "seq": seq, "patch": patch}


@pytest.fixture(scope="module")
def static_url() -> Iterator[str]:
    with served_files() as url:
        yield url


@pytest_asyncio.fixture(loop_scope="module")
async def script() -> AsyncIterator[Script]:
    script = Script()
    async with serve(script.handle, "127.0.0.1", 0, subprotocols=["palio.v1"]) as server:  # type: ignore[list-item]
        script.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1/live"
        yield script


@pytest.fixture
def watching(browser: Browser, static_url: str, script: Script) -> Callable[..., Any]:
    """A window that watches tournament 7 and keeps what it was told in `seen`, `states`, `mine` and `errors`."""

    @asynccontextmanager
    async def open_window(token: str | None = None, timing: dict[str, int] | None = None) -> AsyncIterator[Page]:
        async with window(browser) as page:
            await page.goto(f"{static_url}/favicon.svg")
            await page.evaluate(
                """async ([url, token, timing]) => {
                    const {Live} = await import('/client/src/live.js');
                    Object.assign(globalThis, {seen: [], states: [], mine: [], errors: [], refusals: []});
                    globalThis.live = new Live(async () => url, {authRefused: (error) => refusals.push(error.code), timing});
                    live.onState((state) => states.push(state));
                    live.setToken(token);
                    globalThis.stop = live.watch('7', {
                        data: (data) => seen.push(data.n), me: (message) => mine.push(message.rank), error: (error) => errors.push(error.code),
                    });
                }""",
                [script.url, token, timing or {}],
            )
            yield page

    return open_window


async def sees(page: Page, name: str, wanted: list[Any]) -> None:
    """Wait until the window's list is as wanted."""
    await page.wait_for_function(
        "([name, wanted]) => JSON.stringify(globalThis[name]) === wanted",
        arg=[name, json.dumps(wanted, separators=(",", ":"))],
    )


async def test_snapshot_then_updates(watching: Callable[..., Any], script: Script) -> None:
    async with watching() as page:
        socket, message = await script.subscribed()
        assert socket.subprotocol == "palio.v1"
        assert message == {"id": message["id"], "subscribe": "7"}
        await send(socket, snapshot(4, 1), update(5, 2), update(5, 99), update(6, 3))
        await sees(page, "seen", [1, 2, 3])
        assert await page.evaluate("[live.state, states]") == ["live", ["live"]]


async def test_a_gap_brings_one_fresh_subscription(watching: Callable[..., Any], script: Script) -> None:
    async with watching() as page:
        socket, _ = await script.subscribed()
        await send(socket, snapshot(4, 1), update(6, 98), update(7, 99))
        again, message = await script.subscribed()
        assert again is socket
        assert "since" not in message
        await send(socket, snapshot(7, 5), update(8, 6))
        await sees(page, "seen", [1, 5, 6])
        assert script.received.empty()


async def test_after_a_lost_connection_it_resumes_where_it_was(watching: Callable[..., Any], script: Script) -> None:
    async with watching() as page:
        socket, _ = await script.subscribed()
        await send(socket, snapshot(4, 1), update(5, 2))
        await sees(page, "seen", [1, 2])
        await socket.close(4001, '{"retry_after_ms": 50}')
        other, message = await script.subscribed()
        assert other is not socket
        assert message["since"] == {"epoch": 1, "seq": 5}
        await send(other, update(6, 3))
        await sees(page, "seen", [1, 2, 3])
        await sees(page, "states", ["live", "reconnecting", "live"])


async def test_told_not_to_come_back_it_stays_away_until_asked(watching: Callable[..., Any], script: Script) -> None:
    async with watching() as page:
        socket, _ = await script.subscribed()
        await socket.close(4501, "too many sockets")
        await sees(page, "states", ["live", "closed"])
        assert await page.evaluate("live.closedWhy") == "too many sockets"
        assert script.received.empty()
        await page.evaluate("live.retry()")
        await script.subscribed()
        await sees(page, "states", ["live", "closed", "live"])


async def test_a_silent_connection_is_probed_found_stale_and_replaced(
    watching: Callable[..., Any], script: Script
) -> None:
    async with watching(timing={"silenceMs": 200, "answerMs": 300, "checkMs": 50}) as page:
        socket, _ = await script.subscribed()
        await send(socket, snapshot(4, 1))
        await sees(page, "seen", [1])
        probing, probe = await script.next()  # and no answer to it
        assert probing is socket
        assert probe["since"] == {"epoch": 1, "seq": 4}
        while True:
            other, message = await script.next()
            if other is not socket:
                break
        await send(other, {"id": message["id"], "ok": True})
        await page.wait_for_function("states.join(' ').startsWith('live stale live')")


async def test_the_token_goes_first_and_brings_me(watching: Callable[..., Any], script: Script) -> None:
    async with watching(token="a.b.c") as page:
        socket, first = await script.next()
        assert first == {"id": first["id"], "auth": "a.b.c"}
        await send(socket, {"id": first["id"], "ok": True})
        _, message = await script.subscribed()
        assert message["me"] is True
        await send(
            socket,
            snapshot(1, 1),
            {"type": "me", "tournament": "7", "rank": 3, "previous_rank": 4, "score": 1, "percentile": 50},
        )
        await sees(page, "mine", [3])
        await page.evaluate("live.setToken(null)")
        other, message = await script.subscribed()
        assert other is not socket
        assert "me" not in message


async def test_refusals_are_told(watching: Callable[..., Any], script: Script) -> None:
    async with watching(token="a.b.c") as page:
        socket, auth = await script.next()
        await send(socket, {"id": auth["id"], "error": {"code": "token_invalid", "message": "no"}})
        _, subscribe = await script.next()
        await send(socket, {"id": subscribe["id"], "error": {"code": "tournament_not_found", "message": "no"}})
        await sees(page, "refusals", ["token_invalid"])
        await sees(page, "errors", ["tournament_not_found"])


async def test_unsubscribes_when_nobody_looks(watching: Callable[..., Any], script: Script) -> None:
    async with watching() as page:
        socket, _ = await script.subscribed()
        await sees(page, "states", ["live"])  # else the answer finds nobody
        await page.evaluate("stop()")
        _, message = await script.next()
        assert message == {"id": message["id"], "unsubscribe": "7"}
        await send(socket, snapshot(1, 1))
        await asyncio.wait_for(socket.wait_closed(), WAIT_S)
        await sees(page, "states", ["live", "connecting"])
        assert await page.evaluate("seen") == []


async def test_what_the_server_ends_by_itself_is_told(watching: Callable[..., Any], script: Script) -> None:
    async with watching() as page:
        socket, _ = await script.subscribed()
        await send(socket, {"type": "signed_out", "reason": "token_expired"})
        await send(socket, {"tournament": "7", "type": "unsubscribed", "reason": "not_allowed"})
        await sees(page, "refusals", ["token_expired"])
        await sees(page, "errors", ["not_allowed"])


async def test_frames_that_are_not_understood_change_nothing(watching: Callable[..., Any], script: Script) -> None:
    async with watching() as page:
        socket, _ = await script.subscribed()
        await socket.send("{")
        await send(
            socket, {"type": "new kind"}, {"id": 999, "ok": True}, {**snapshot(1, 1), "tournament": "8"}, snapshot(4, 1)
        )
        await sees(page, "seen", [1])
