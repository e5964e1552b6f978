"""Assertions of tools, each taken once; access tokens and their scopes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from serve_app.http.problems import Problem
from serve_app.standards.ags import POST_SCORES, READ_ITEMS, READ_RESULTS
from serve_app.standards.lti_tokens import MAX_JTI_CHARS, TOKEN_TTL_S, LtiTokens, OnceOnly
from serve_app.standards.lti_tools import parse_tools
from serve_app.standards.watched_file import WatchedFile
from tests.support import lti_tool

URL = "https://palio.example/v1/lti/token"
SECRET = b"a secret of thirty-two bytes, now"
NOW_S = 1_800_000_000.0


class Clock:
    now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(tmp_path: Path, clock: Clock) -> LtiTokens:
    return LtiTokens(WatchedFile(lti_tool.register(tmp_path), parse_tools), URL, SECRET, clock_s=clock)


def signed(**claims: Any) -> dict[str, str]:
    return lti_tool.form(lti_tool.assertion(NOW_S, URL, **claims))


async def refusal(tokens: LtiTokens, form: Mapping[str, str]) -> tuple[int, str, str]:
    with pytest.raises(Problem) as caught:
        await tokens.grant(form)
    return caught.value.status, caught.value.oauth_error, caught.value.detail


async def test_an_assertion_gives_a_token_with_the_scopes_that_there_are(tokens: LtiTokens) -> None:
    form = {**signed(), "scope": f"{POST_SCORES} openid {READ_ITEMS} {POST_SCORES}"}
    granted = await tokens.grant(form)
    assert granted.scopes == [POST_SCORES, READ_ITEMS]
    authorization = f"Bearer {granted.token}"
    tool = await tokens.tool_of(authorization, (POST_SCORES,))
    assert tool is not None
    assert tool.client_id == lti_tool.CLIENT
    with pytest.raises(Problem) as caught:
        await tokens.tool_of(authorization, (READ_RESULTS,))
    assert (caught.value.status, caught.value.code) == (403, "scope_missing")


async def test_an_assertion_is_taken_once_until_it_has_expired(tokens: LtiTokens, clock: Clock) -> None:
    form = signed()
    await tokens.grant(form)
    assert (await refusal(tokens, form))[:2] == (401, "invalid_client")
    await tokens.grant(signed())
    clock.now_s += 61
    assert "expired" in (await refusal(tokens, form))[2]


@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"aud": "https://other.example/v1/lti/token"}, "expected `aud`"),
        ({"iss": "other"}, "`iss`"),
        ({"sub": "other", "iss": "other"}, "registered"),
        ({"sub": None}, "registered"),
        ({"jti": None}, "`jti`"),
        ({"jti": ""}, "`jti`"),
        ({"jti": "x" * (MAX_JTI_CHARS + 1)}, "`jti`"),
        ({"exp": None}, "`exp`"),
        ({"exp": NOW_S}, "expired"),
        ({"exp": NOW_S + 3700}, "within 3600 s"),
        ({"exp": 2**60}, "`exp`"),
        ({"iat": None}, "`iat`"),
        ({"iat": NOW_S + 70}, "future"),
        ({"iat": True}, "`iat`"),
        ({"key": lti_tool.OTHER_KEY}, "does not verify"),
        ({"key": "x" * 32, "algorithm": "HS256"}, "does not verify"),
        ({"key": ec.generate_private_key(ec.SECP256R1()), "algorithm": "ES256"}, "does not verify"),
        ({"key": None, "algorithm": "none"}, "does not verify"),
    ],
)
async def test_one_that_is_no_good_is_refused(tokens: LtiTokens, claims: dict[str, Any], detail: str) -> None:
    status, error, said = await refusal(tokens, signed(**claims))
    assert (status, error) == (401, "invalid_client")
    assert detail in said


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, "invalid_request"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"client_assertion": ""}, "invalid_client"),
        ({"client_assertion": "a.b.c"}, "invalid_client"),
        ({"client_assertion": "x" * 9000}, "invalid_client"),
    ],
)
async def test_a_request_that_is_none_is_refused(tokens: LtiTokens, more: dict[str, str], error: str) -> None:
    assert (await refusal(tokens, {**signed(), **more}))[1] == error
    assert (await refusal(tokens, {}))[1] == "unsupported_grant_type"


async def test_what_cannot_be_remembered_is_not_taken(tmp_path: Path, clock: Clock) -> None:
    tools = WatchedFile(lti_tool.register(tmp_path), parse_tools)
    tokens = LtiTokens(tools, URL, SECRET, clock_s=clock, once=OnceOnly(2))
    first = signed()
    for form in (first, signed()):
        await tokens.grant(form)
    with pytest.raises(Problem) as caught:
        await tokens.grant(signed())
    assert (caught.value.status, caught.value.headers["retry-after"]) == (503, "60")
    assert (await refusal(tokens, first))[0] == 401  # it was not forgotten for the third
    clock.now_s += 61
    await tokens.grant(lti_tool.form(lti_tool.assertion(clock.now_s, URL)))


async def test_an_access_token_expires_and_is_told_from_others(tokens: LtiTokens, clock: Clock) -> None:
    authorization = f"Bearer {(await tokens.grant(signed())).token}"
    for other in (None, "", "Bearer x", "Basic abc", f"Bearer {jwt.encode({'sub': '1'}, SECRET)}"):
        assert await tokens.tool_of(other, (POST_SCORES,)) is None
    forged = jwt.encode({"sub": lti_tool.CLIENT}, b"x" * 32, headers={"typ": "at+jwt"})
    bare = jwt.encode({"sub": lti_tool.CLIENT, "aud": "palio-lti"}, SECRET, headers={"typ": "at+jwt"})
    for wrong in (forged, bare):
        with pytest.raises(Problem, match="token_invalid"):
            await tokens.tool_of(f"Bearer {wrong}", (POST_SCORES,))
    clock.now_s += TOKEN_TTL_S
    with pytest.raises(Problem, match="token_expired"):
        await tokens.tool_of(authorization, (POST_SCORES,))


async def test_without_tools_nobody_gets_a_token(clock: Clock) -> None:
    assert (await refusal(LtiTokens(None, URL, SECRET, clock_s=clock), signed()))[:2] == (401, "invalid_client")
