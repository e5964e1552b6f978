"""What path operations get: the call, read within bounds, and by whom it may be made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from serve_app.handlers.routes import ROUTES
from serve_app.http.messages import Request, Response
from tests.support.calls import DOCUMENT
from tests.support.front import Front, open_front, problem


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    async with open_front(request_timeout_s=0.2) as front:
        yield front


async def test_dependencies_tell_who_may_call_before_a_handler_is_asked(front: Front) -> None:
    reached: list[Request] = []

    async def answer(request: Request) -> Response:
        reached.append(request)
        return Response(200, b"{}")

    table = front.app.state.calls.handlers.table
    table.update(dict.fromkeys(table, answer))
    callers = {
        "nobody": {},
        "player": front.token("player", 42),
        "operator": front.token("operator"),
        "wrong": {"authorization": "x"},
    }
    for call in ROUTES:
        path = (
            call.path.replace("{tournament}", "77")
            .replace("{user}", "42")
            .replace("{invitation}", "i")
            .replace("{board}", "b")
            .replace("{schema}", "s")
        )
        who = DOCUMENT["paths"][call.path][call.method.lower()]["description"].partition(".")[0].removeprefix("Who: ")
        for caller, headers in callers.items():
            reached.clear()
            got = await front.client.request(call.method, path, headers=headers)
            untold = call.path in ("/healthz", "/readyz") or call.path.startswith(("/xapi/", "/v1/lti/"))
            if untold:
                expected: tuple[int, str | None] = (200, None)
            elif caller == "wrong":
                expected = (401, "token_invalid")
            elif caller == "nobody" and who != "all":
                expected = (401, "token_missing")
            elif caller == "player" and who in ("service, operator", "operator"):
                expected = (403, "role_forbidden")
            else:
                expected = (200, None)
            assert (got.status_code, got.json().get("code")) == expected, (call, caller)
            assert len(reached) == (expected[0] == 200)
            for request in reached:
                assert request.counted == (not untold)
                assert (request.principal is None) == (caller == "nobody" or not request.counted)
                assert (
                    dict(request.path).items()
                    <= {"tournament": "77", "user": "42", "invitation": "i", "board": "b", "schema": "s"}.items()
                )


async def test_a_body_that_does_not_arrive_is_408(front: Front) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b'{"name":'
        await asyncio.sleep(30)

    response = await front.call("POST", "/v1/tournaments", front.token(), content=slow())
    assert problem(response) == (408, "request_timeout")


@pytest.mark.parametrize("length", ["99999999999", "9" * 400])
async def test_a_body_announced_too_large_is_not_read(front: Front, length: str) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {**front.token(), "content-length": length}
    response = await front.call("POST", "/v1/tournaments", headers, content=unread())
    assert problem(response) == (413, "too_large")
    assert response.headers["connection"] == "close"
