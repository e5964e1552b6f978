from __future__ import annotations

from collections.abc import Awaitable

import pytest

from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers, me, path_user
from serve_app.http.messages import Principal, Request
from serve_app.http.problems import Problem
from serve_app.security.auth import Authenticator, Role, make_token
from serve_app.security.rate_limits import Limiter

SECRET = b"a secret of thirty-two bytes, now"
PLAYER = Principal(42, "player", privileged=False)


@pytest.fixture
def callers() -> Callers:
    config = FrontConfig(jwt_secret=SECRET, player_rate=0.001, player_burst=2, anonymous_rate=0.001, anonymous_burst=2)
    return Callers(Authenticator(config), Limiter(config))


def request(role: Role | None = None, user: int = 42) -> Request:
    token = {} if role is None else {"authorization": f"Bearer {make_token(SECRET, role=role, user_id=user, ttl_s=60)}"}
    return Request("GET", token, client="192.0.2.1")


async def refusal(asked: Awaitable[object]) -> tuple[int, str]:
    with pytest.raises(Problem) as raised:
        await asked
    return raised.value.status, raised.value.code


async def test_who_calls_and_who_must(callers: Callers) -> None:
    assert await callers.principal(request()) is None
    roles: list[tuple[Role, bool]] = [("player", False), ("service", True), ("operator", True)]
    for role, privileged in roles:
        principal = await callers.caller(request(role))
        assert (principal.user_id, principal.role, principal.privileged) == (42, role, privileged)
    assert (await callers.privileged(request("operator"))).privileged
    assert await refusal(callers.privileged(request("player"))) == (403, "role_forbidden")
    assert await refusal(callers.caller(request())) == (401, "token_missing")


async def test_callers_are_counted_by_user_and_strangers_and_guesses_by_address(callers: Callers) -> None:
    for _ in range(2):
        await callers.caller(request("player"))
    assert await refusal(callers.caller(request("player"))) == (429, "rate_limited")
    await callers.caller(request("player", 43))
    await callers.principal(request())
    assert await refusal(callers.verified("Bearer x.y.z", "192.0.2.1")) == (401, "token_invalid")
    assert await refusal(callers.verified("Bearer x.y.z", "192.0.2.1")) == (429, "rate_limited")
    await callers.caller(request("player", 43))  # with a token that verifies the address does not matter


async def test_a_caller_is_told_at_once_only_when_verified_before(callers: Callers) -> None:
    asked = request("player")
    again, once_more = Request("GET", asked.headers), Request("GET", asked.headers)
    assert callers.caller_at_once(request()) is None
    assert callers.caller_at_once(asked) is None, "and nothing was counted"
    await callers.caller(asked)
    known = callers.caller_at_once(again)
    assert known is not None
    assert known.user_id == 42
    with pytest.raises(Problem, match="rate_limited"):
        callers.caller_at_once(once_more)


async def test_a_request_is_counted_once_however_often_it_is_asked(callers: Callers) -> None:
    for asked in (request("player"), request()):
        for _ in range(5):
            principal = await callers.principal(asked)
            assert callers.caller_at_once(asked) is principal
    for asked in (request("player"), request()):
        await callers.principal(asked)  # the second of two that may come at once
    for asked in (request("player"), request()):
        assert await refusal(callers.principal(asked)) == (429, "rate_limited")
        assert await refusal(callers.principal(asked)) == (429, "rate_limited"), "what was refused is refused again"


def test_the_user_of_a_path() -> None:
    asked = Request("GET", {}, path={"user": "7"})
    assert (path_user(asked, None), asked.personal) == (7, False)
    asked.path = {"user": "me"}
    assert (path_user(asked, PLAYER), asked.personal) == (42, True)
    for text in ("0", "x", "-1", "07", str(2**63), ""):
        asked.path = {"user": text}
        with pytest.raises(Problem, match="participant_unknown"):
            path_user(asked, PLAYER)


def test_me_needs_a_token() -> None:
    with pytest.raises(Problem, match="token_missing"):
        me(request(), None)
