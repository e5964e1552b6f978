"""OAuth 2 for tools of LTI (client credentials, RFC 6749 4.4): an assertion that the tool's key signed (RFC 7523) gives an access token.

The assertion and its claims are as the 1EdTech Security Framework 1.0, section 4.1, has them. Each is taken once: its `jti` is remembered
until it has expired, and what cannot be remembered is not taken.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import jwt

from actors.domain.signing import Signer
from serve_app.config import FrontConfig
from serve_app.http.problems import Problem, unavailable
from serve_app.security.auth import unauthorized
from serve_app.standards.ags import SCOPES
from serve_app.standards.lti_tools import Tool, Tools, parse_tools
from serve_app.standards.watched_file import WatchedFile

TOKEN_PATH: Final = "/v1/lti/token"  # noqa: S105 - a path
TOKEN_TTL_S: Final = 3600
LONGEST_ASSERTION_S: Final = 3600.0
CLOCK_SKEW_S: Final = 60.0
MAX_REMEMBERED: Final = 100_000  # assertions of a process that have not expired
MAX_ASSERTION_CHARS: Final = 8192
MAX_JTI_CHARS: Final = 255
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TYPE: Final = "at+jwt"  # RFC 9068
_AUDIENCE: Final = "palio-lti"


class Granted(NamedTuple):
    """An access token, and the scopes that it has."""

    token: str
    scopes: list[str]


class OnceOnly:
    """Which assertions were taken, by client and `jti`, until they expire; at most `limit`."""

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._taken: set[tuple[str, str]] = set()
        self._expiring: list[tuple[float, tuple[str, str]]] = []

    def take(self, client_id: str, jti: str, expires_s: float, now_s: float) -> None:
        """Raises Problem 401 for one taken before, 503 when all room is taken."""
        while self._expiring and self._expiring[0][0] < now_s:
            self._taken.discard(heapq.heappop(self._expiring)[1])
        key = (client_id, jti)
        if key in self._taken:
            raise refused("this assertion was used before: expected a new `jti`")
        if len(self._taken) >= self._limit:
            raise unavailable("unavailable", "too many assertions are remembered", self._expiring[0][0] - now_s)
        self._taken.add(key)
        heapq.heappush(self._expiring, (expires_s, key))


class LtiTokens:
    """See the module. `token_url` is the assertions' audience; `secret` signs access tokens, the same in all processes."""

    def __init__(
        self,
        tools: WatchedFile[Tools] | None,
        token_url: str,
        secret: bytes,
        *,
        clock_s: Callable[[], float] = time.time,
        once: OnceOnly | None = None,
    ) -> None:
        self._tools = tools
        self._token_url = token_url
        self._secret = secret
        self._clock_s = clock_s
        self._once = once or OnceOnly()

    async def grant(self, form: Mapping[str, str]) -> Granted:
        """The answer to a request for a token. Raises Problem 400, 401, 503."""
        if form.get("grant_type") != "client_credentials":
            raise oauth_problem("unsupported_grant_type", "expected `grant_type` client_credentials")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise oauth_problem("invalid_request", f"expected `client_assertion_type` {ASSERTION_TYPE}")
        scopes = [scope for scope in dict.fromkeys(form.get("scope", "").split(" ")) if scope in SCOPES]
        if not scopes:
            raise oauth_problem("invalid_scope", f"expected `scope` with some of {' '.join(SCOPES)}")
        tool = await self._client(form.get("client_assertion", ""))
        now_s = int(self._clock_s())
        claims = {
            "sub": tool.client_id,
            "aud": _AUDIENCE,
            "iat": now_s,
            "exp": now_s + TOKEN_TTL_S,
            "scope": " ".join(scopes),
        }
        return Granted(jwt.encode(claims, self._secret, algorithm="HS256", headers={"typ": _TYPE}), scopes)

    async def tool_of(self, authorization: str | None, scopes: tuple[str, ...]) -> Tool | None:
        """The tool whose access token this is; None for another kind of token, or none. Raises Problem 401, 403 without any of `scopes`, 503."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not _is_ours(token):
            return None
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=["HS256"],
                audience=_AUDIENCE,
                options={"require": ["sub", "exp", "aud", "scope"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise unauthorized("token_invalid", "the access token does not verify") from error
        if claims["exp"] <= self._clock_s():
            raise unauthorized("token_expired", "the access token has expired")
        tool = (await self._registered()).tool(claims["sub"])
        if tool is None:
            raise unauthorized("token_invalid", "the tool is not registered any more")
        if not set(scopes) & set(claims["scope"].split(" ")):
            raise Problem(403, "scope_missing", f"expected an access token with the scope {scopes[0]}")
        return tool

    async def _registered(self) -> Tools:
        if self._tools is None:
            raise refused("no tools are registered here")
        return await self._tools.current()

    async def _client(self, assertion: str) -> Tool:
        """The tool that signed an assertion. Raises Problem 401, 503."""
        if not assertion or len(assertion) > MAX_ASSERTION_CHARS:
            raise refused(f"expected `client_assertion`, a JWT of at most {MAX_ASSERTION_CHARS} characters")
        tools = await self._registered()
        try:
            named = jwt.decode(assertion, options={"verify_signature": False}).get("sub")
            tool = tools.tool(named)
            if tool is None:
                raise refused("expected `sub` to be the client id of a registered tool")
            key = await tools.keys(tool).key(jwt.get_unverified_header(assertion).get("kid"))
            claims = jwt.decode(
                assertion,
                key,
                algorithms=[tool.algorithm],
                audience=self._token_url,
                issuer=tool.client_id,
                options={
                    "require": ["iss", "sub", "aud", "iat", "exp", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidAudienceError as error:
            raise refused(f"expected `aud` {self._token_url}") from error
        except jwt.InvalidIssuerError as error:
            raise refused("expected `iss` to be the client id, as `sub`") from error
        except jwt.MissingRequiredClaimError as error:
            raise refused(f"the assertion has no `{error.claim}`") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise refused("the assertion does not verify by the tool's keys") from error
        self._check_claims(tool, claims)
        return tool

    def _check_claims(self, tool: Tool, claims: dict[str, Any]) -> None:
        now_s, issued, expires, jti = self._clock_s(), claims["iat"], claims["exp"], claims["jti"]
        for name, value in (("iat", issued), ("exp", expires)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**53:
                raise refused(f"expected `{name}` in seconds since 1970")
        if issued > now_s + CLOCK_SKEW_S:
            raise refused("the assertion was issued in the future")
        if expires <= now_s:
            raise refused("the assertion has expired")
        if expires > now_s + LONGEST_ASSERTION_S + CLOCK_SKEW_S:
            raise refused(f"expected an assertion that expires within {LONGEST_ASSERTION_S:g} s")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARS:
            raise refused(f"expected `jti` of 1 to {MAX_JTI_CHARS} characters")
        self._once.take(tool.client_id, jti, expires, now_s)


def open_tokens(config: FrontConfig, signer: Signer, clock_ms: Callable[[], int]) -> LtiTokens:
    """The tokens of one process. The secret follows from that of records, which all processes have."""
    tools = None if config.lti_tools is None else WatchedFile(config.lti_tools, parse_tools)
    secret = signer.sign(b"lti", b"access tokens").encode()
    return LtiTokens(tools, config.lti_url + TOKEN_PATH, secret, clock_s=lambda: clock_ms() / 1000)


def _is_ours(token: str) -> bool:
    try:
        return bool(jwt.get_unverified_header(token).get("typ") == _TYPE)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return False


def oauth_problem(error: str, detail: str) -> Problem:
    """An error of RFC 6749 5.2."""
    problem = Problem(400, "malformed", detail)
    problem.oauth_error = error
    return problem


def refused(detail: str) -> Problem:
    """The same for an assertion that is no good: `invalid_client`."""
    problem = unauthorized("token_invalid", detail)
    problem.oauth_error = "invalid_client"
    return problem
