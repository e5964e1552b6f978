"""How many requests the api answers at once, how long each may take, and what it does not offer."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from serve_app.api import edge
from serve_app.api.edge import ApiEdge
from serve_app.http.cors import Cors
from tests.support.front import open_front

CORS = Cors("palio", (8000, 8001))
OWN = "http://palio:8000"


class App:
    """Answers once it is released, after the whole request where it reads one."""

    def __init__(self, *, reads: bool = True) -> None:
        self.release = asyncio.Event()
        self.reads = reads
        self.begun = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del scope
        self.begun += 1
        while self.reads and (await receive())["more_body"]:
            pass
        await self.release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


def client(app: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://palio")


def told(answer: httpx2.Response) -> tuple[int, str]:
    """(status, code) of a problem with all headers that it must have."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == OWN
    return answer.status_code, answer.json()["code"]


async def test_more_than_so_many_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "MAX_RUNNING", 2)
    app = App()
    async with client(ApiEdge(app, CORS, 30)) as http:
        running = [asyncio.create_task(http.get("/v1")) for _ in range(2)]
        while app.begun < 2:
            await asyncio.sleep(0)
        refused = await http.post("/v1/tournaments", content=b"{}", headers={"origin": OWN})
        assert told(refused) == (503, "unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        app.release.set()
        assert [answer.status_code for answer in await asyncio.gather(*running)] == [200, 200]
        assert (await http.get("/v1")).status_code == 200


async def test_an_answer_that_takes_too_long() -> None:
    async with client(ApiEdge(App(), CORS, 0.05)) as http:
        answer = await http.post("/v1/tournaments", content=b"{}", headers={"origin": OWN})
        assert told(answer) == (503, "unavailable")
        assert "retry-after" in answer.headers


async def test_a_request_that_takes_too_long() -> None:
    sent: list[Any] = []
    whole = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await whole.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": "/v1", "headers": [(b"content-length", b"9")]}
    asking = asyncio.create_task(ApiEdge(App(), CORS, 0.05)(scope, receive, send))
    while len(sent) < 2:
        await asyncio.sleep(0.01)
    whole.set()
    await asking
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert b'"code":"request_timeout"' in sent[1]["body"]


async def test_only_the_api_is_for_other_origins() -> None:
    ask = {"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
    async with open_front() as front:
        shared = (
            "/v1",
            "/v1/tournaments",
            "/v1/nothing",
            "/openapi.json",
            "/asyncapi.json",
            "/schemas/",
            "/palio-board.js",
        )
        for path in shared:
            answer = await front.client.get(path, headers={"origin": ask["origin"]})
            assert answer.headers["access-control-allow-origin"] == "*", path
            assert (await front.client.options(path, headers=ask)).status_code == 204
        for path in ("/", "/docs", "/metrics", "/healthz", "/readyz", "/web/app.js", "/nothing"):
            for answer in (
                await front.client.get(path, headers={"origin": ask["origin"]}),
                await front.client.options(path, headers=ask),
            ):
                assert not [name for name in answer.headers if name.startswith("access-control-")], path
            assert answer.headers.get("allow") or answer.status_code == 404, path


@pytest.mark.parametrize("path", ["*", "/-/routes", "/-/healthz"])
async def test_what_is_no_path_is_not_found(path: str) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async with open_front() as front:
        scope = {"type": "http", "method": "OPTIONS", "path": path, "query_string": b"", "headers": []}
        await ApiEdge(front.app, CORS, 30)(scope, receive, send)
    assert sent[0]["status"] == 404
    assert b'"code":"not_found"' in sent[1]["body"]


async def test_parts_of_pages_are_not_offered() -> None:
    """What asks wrongly for one was told so in plain text."""
    async with open_front() as front, client(ApiEdge(front.app, CORS, 30)) as http:
        whole = await http.get("/web/app.js")
        for part in ("bytes=0-9", "bytes=9-1", "bytes=99999999-", "x"):
            answer = await http.get("/web/app.js", headers={"range": part})
            assert (answer.status_code, answer.content) == (200, whole.content), part


async def test_an_answer_in_pieces_has_time_for_each() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(6):
            await asyncio.sleep(0.05)
            await send({"type": "http.response.body", "body": b".", "more_body": True})
        await send({"type": "http.response.body"})

    async with client(ApiEdge(app, CORS, 0.15)) as http:
        assert (await http.get("/v1")).text == "......"


async def test_a_piece_that_takes_too_long_ends_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b".", "more_body": True})
        await asyncio.sleep(30)

    async with client(ApiEdge(app, CORS, 0.05)) as http:
        with pytest.raises(TimeoutError):
            await http.get("/v1")
