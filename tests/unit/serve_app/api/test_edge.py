"""What Serve's proxy says of itself, as clients are told it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from serve_app.api.edge import ApiEdge
from serve_app.http.cors import Cors
from tests.support.front import open_front

CORS = Cors("palio", (8000, 8001))
OWN = "http://palio:8000"


def serve(status: int, *, ours: bool = False, whole: bool = True) -> ApiEdge:
    """The edge before a Serve that answers so; status 0: not at all."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del scope
        while whole and (await receive())["more_body"]:
            pass
        if status:
            headers = [(b"content-type", b"text/plain")] + [(b"x-content-type-options", b"nosniff")] * ours
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"of Serve"})

    return ApiEdge(app, CORS)


async def asked(app: ApiEdge, path: str = "/v1/tournaments") -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://palio") as client:
        return await client.post(path, content=b"{}", headers={"origin": OWN})


@pytest.mark.parametrize(
    ("status", "whole", "expected"),
    [
        (404, True, (503, "starting")),
        (0, True, (503, "unavailable")),
        (500, True, (503, "unavailable")),
        (503, True, (503, "unavailable")),
        (408, True, (503, "unavailable")),
        (408, False, (408, "request_timeout")),
    ],
)
async def test_answers_of_serves_own(status: int, whole: bool, expected: tuple[int, str]) -> None:
    answer = await asked(serve(status, whole=whole))
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["code"]) == (body["status"], body["code"]) == expected
    assert (answer.headers.get("retry-after") is not None) == (expected[0] == 503)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == OWN


@pytest.mark.parametrize("status", [200, 404, 408, 500, 503])
async def test_answers_of_the_api_pass(status: int) -> None:
    answer = await asked(serve(status, ours=True))
    assert (answer.status_code, answer.text) == (status, "of Serve")


@pytest.mark.parametrize("path", ["/-/routes", "/-/healthz", "/-/x"])
async def test_serves_own_pages_are_nobodys_business(path: str) -> None:
    answer = await asked(serve(200), path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_only_the_api_is_for_other_origins() -> None:
    ask = {"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
    async with open_front() as front:
        for path in ("/v1", "/v1/tournaments", "/v1/nothing"):
            answer = await front.client.get(path, headers={"origin": ask["origin"]})
            assert answer.headers["access-control-allow-origin"] == "*", path
            assert (await front.client.options(path, headers=ask)).status_code == 204
        for path in ("/", "/docs", "/metrics", "/openapi.json", "/healthz", "/readyz", "/web/app.js", "/nothing"):
            for answer in (
                await front.client.get(path, headers={"origin": ask["origin"]}),
                await front.client.options(path, headers=ask),
            ):
                assert not [name for name in answer.headers if name.startswith("access-control-")], path
            assert answer.headers.get("allow") or answer.status_code == 404, path


async def test_what_is_no_path_is_not_found() -> None:
    """`OPTIONS *`: Serve says 404 of it, as while the api starts, which is 503 and "try again"."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    await serve(404)({"type": "http", "method": "OPTIONS", "path": "*", "headers": []}, receive, send)
    assert sent[0]["status"] == 404
    assert b'"code":"not_found"' in sent[1]["body"]


async def test_parts_of_pages_are_not_offered() -> None:
    """What asks wrongly for one was told so in plain text."""
    async with open_front() as front:
        transport = httpx2.ASGITransport(ApiEdge(front.client._transport.app, CORS))  # type: ignore[attr-defined]
        async with httpx2.AsyncClient(transport=transport, base_url="http://palio") as client:
            whole = await client.get("/web/app.js")
            for part in ("bytes=0-9", "bytes=9-1", "bytes=99999999-", "x"):
                answer = await client.get("/web/app.js", headers={"range": part})
                assert (answer.status_code, answer.content) == (200, whole.content), part


async def test_clients_do_not_set_serves_time_limits() -> None:
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        del receive, send
        seen.extend(name for name, _ in scope["headers"])

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(ApiEdge(app, CORS)), base_url="http://palio"
    ) as client:
        await client.get(
            "/v1", headers={"X-Request-Timeout-Seconds": "0", "X-Request-Disconnect-Disabled": "?1", "X-A": ""}
        )
    assert b"x-a" in seen
    assert not [name for name in seen if name.startswith(b"x-request-")]
