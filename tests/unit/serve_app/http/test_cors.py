"""Which other origins may read an answer: what anybody may read is for all, the rest for Palio's own page and the setting's origins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from serve_app.handlers.routes import ROUTES
from serve_app.http.cors import Cors
from tests.support.entrypoints import Entrypoints, running_entrypoints

GAME = "https://game.example"
STRANGER = "https://elsewhere.example"
BODIES: dict[str, Any] = {
    "submit_score": {"event_id": "a", "score": 1},
    "submit_batch": [],
    "join_batch": [],
    "edit_tournament": {},
}


@pytest.fixture
async def both() -> AsyncIterator[Entrypoints]:
    async with running_entrypoints(cors_origins=f"{GAME}, http://other.example:3000", demo=True) as both:
        yield both


def shared_with(answer: httpx2.Response) -> str | None:
    """The origin that may read it; nothing else of CORS comes without one."""
    origin = answer.headers.get("access-control-allow-origin")
    assert ("access-control-expose-headers" in answer.headers) == (origin is not None)
    assert "access-control-allow-credentials" not in answer.headers
    return origin


@pytest.mark.parametrize("visibility", ["public", "private"])
async def test_every_call(both: Entrypoints, visibility: str) -> None:
    """`*` for what is read without a token or is public, else the origin itself where it is trusted, else nothing."""
    tournament = await both.gateway.tournament(visibility=visibility)
    await both.gateway.join(tournament, 1)
    await both.gateway.score(tournament, 1, 10)
    callers = {"nobody": {}, "member": both.bearer(1)}
    own, kinds = both.urls["api"], set()
    for name, client in both.clients.items():
        for route in ROUTES:
            if name == "gateway" and not route.gateway:
                continue
            path = route.path.replace("{tournament}", tournament).replace("{user}", "1")
            for method in (route.method, *(["HEAD", "OPTIONS"] if route.method == "GET" else [])):
                for caller, headers in callers.items():
                    for origin in (None, own, STRANGER):
                        more = {} if origin is None else {"origin": origin}
                        body = None if method in ("GET", "HEAD", "OPTIONS") else BODIES.get(route.name, {})
                        answer = await client.request(method, path, headers={**headers, **more}, json=body)
                        case = (name, method, path, caller, origin, answer.status_code)
                        personal = "no-store" in answer.headers["cache-control"]
                        if path in ("/healthz", "/readyz"):
                            expected = None
                        elif method in ("GET", "HEAD") and (not headers or not personal):
                            expected = "*"
                        elif method != "OPTIONS" and origin == own:
                            expected = origin
                        else:
                            expected = None
                        assert shared_with(answer) == expected, case
                        assert ("origin" in answer.headers.get("vary", "")) == (expected not in (None, "*")), case
                        kinds.add((expected, answer.status_code < 300))
    assert {("*", True), ("*", False), (own, True), (own, False), (None, True)} <= kinds


async def test_the_fast_ways_of_the_gateway(both: Entrypoints) -> None:
    tournament = await both.gateway.tournament(players=1)
    own, client, path = both.urls["api"], both.clients["gateway"], f"/v1/tournaments/{tournament}"
    for _ in range(2):  # the second time from the cache
        for origin in (own, STRANGER):
            for headers in ({}, both.bearer()):
                answer = await client.get(path, headers={**headers, "origin": origin})
                assert (answer.status_code, shared_with(answer)) == (200, "*")
                assert "vary" not in answer.headers  # caches may keep one for all
                same = {**headers, "origin": origin, "if-none-match": answer.headers["etag"]}
                assert shared_with(await client.get(path, headers=same)) == "*"
    for origin, expected in ((own, own), (GAME, GAME), (STRANGER, None)):
        for body, status in (({"event_id": "a", "score": 1}, 202), ({"event_id": "a"}, 422)):
            headers = {**both.bearer(), "origin": origin}
            answer = await client.post(f"{path}/scores", json=body, headers=headers)
            assert (answer.status_code, shared_with(answer)) == (status, expected)


async def test_preflights(both: Entrypoints) -> None:
    own = both.urls["api"]
    for name, client in both.clients.items():
        for origin, everything in ((own, True), (GAME, True), ("http://other.example:3000", True), (STRANGER, False)):
            ask = {
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization",
            }
            answer = await client.options("/v1/tournaments/1/scores", headers=ask)
            assert answer.status_code == 204
            assert answer.headers.get_list("access-control-allow-origin") == [origin if everything else "*"], name
            assert ("POST" in answer.headers["access-control-allow-methods"]) == everything, name
            assert ("Authorization" in answer.headers["access-control-allow-headers"]) == everything, name
            assert "If-None-Match" in answer.headers["access-control-allow-headers"], name
            assert (answer.headers["vary"], answer.headers["cache-control"]) == ("origin", "no-store"), name
            for path in ("/healthz", "/v1x", "/", "/metrics"):
                other = await client.options(path, headers=ask)
                assert not [header for header in other.headers if header.startswith("access-control-")], (name, path)


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8001", True),
        ("http://127.0.0.1:8001", "127.0.0.1:8000", True),
        ("http://localhost:8000", "127.0.0.1:8001", True),  # the page came by the one name, and is told the other
        ("http://[::1]:8000", "localhost:8001", True),
        ("http://10.1.2.3:8000", "10.1.2.3:8001", True),
        ("https://PALIO.example:8000", "palio.Example:8001", True),
        ("http://here.example:8000", "10.1.2.3:8001", True),  # the setting PALIO_HOST
        ("http://127.0.0.1:8002", "127.0.0.1:8001", False),
        ("http://127.0.0.1", "127.0.0.1:8001", False),
        ("http://localhost:8000", "10.1.2.3:8001", False),
        ("http://palio.example.evil.example:8000", "palio.example:8001", False),
        ("http://evil.example:8000", "palio.example:8001", False),
        ("http://evil.example:8000", "", False),
        ("http://evil.example:8000", "evil.example@palio.example", False),
        ("null", "null", False),
        ("", "", False),
        ("http://127.0.0.1:8000/", "127.0.0.1:8001", False),
        ("http://127.0.0.1:8000, http://x", "127.0.0.1:8001", False),
        ("file://127.0.0.1:8000", "127.0.0.1:8001", False),
        ("http://game.example", "palio.example:8001", False),
        ("https://game.example", "palio.example:8001", True),
        ("https://game.example:443", "palio.example:8001", True),
        ("https://game.example:8000", "palio.example:8001", False),
    ],
)
def test_whom_it_trusts(origin: str, host: str, expected: bool) -> None:
    assert Cors("here.example", (8000, 8001), "https://game.example").trusts(origin, host) is expected


def test_all_origins_may_be_trusted() -> None:
    cors = Cors("127.0.0.1", (8000, 8001), "*")
    assert cors.trusts("https://anywhere.example", "x")
    assert not cors.trusts("null", "x")


@pytest.mark.parametrize(
    "wrong", ["game.example", "https://game.example/", "https://", "https://a b", "https://a,,b", "**", "null"]
)
def test_what_is_no_list_of_origins(wrong: str) -> None:
    with pytest.raises(ValueError, match="expected origins"):
        Cors("127.0.0.1", (), wrong)
