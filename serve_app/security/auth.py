"""Who calls: Bearer JWTs, checked by an algorithm that configuration fixes, remembered within a bound.

The same JWT may come as the password of `Basic`, for programs that can send nothing else (most of those that speak xAPI).
"""

from __future__ import annotations

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Literal

import jwt

from actors.domain.values import parse_id
from serve_app.config import FrontConfig
from serve_app.http.messages import Principal
from serve_app.http.problems import Problem
from serve_app.security.jwks import KeySet

Role = Literal["player", "service", "operator"]
ROLES: Final = ("player", "service", "operator")
MAX_HEADER_CHARS: Final = 4096
TRUSTED_S: Final = 300  # a verified token is verified anew after this long: a key may have been withdrawn
LONGEST_EXP_S: Final = 2**53  # beyond it a double no longer counts seconds


class Authenticator:
    """Verifies `Authorization` headers. Bounded: `jwt_cache_entries` verified headers, the least recently used is forgotten."""

    def __init__(self, config: FrontConfig, *, clock_s: Callable[[], float] = time.time) -> None:
        self._algorithm = config.jwt_algorithm
        self._audience = config.jwt_audience
        self._secret = config.jwt_secret
        self._max_entries = config.jwt_cache_entries
        self._clock_s = clock_s
        self._verified: OrderedDict[str, tuple[float, float, Principal]] = OrderedDict()
        self._keys: KeySet | None = None
        if self._algorithm == "HS256":
            if len(self._secret) < 32:  # RFC 7518 section 3.2
                raise ValueError(f"expected an HS256 secret of at least 32 bytes, got {len(self._secret)}")
        elif config.jwt_jwks is None:
            raise ValueError(f"expected a JWKS path or URL for {self._algorithm}")
        else:
            self._keys = KeySet(config.jwt_jwks, self._algorithm)

    def peek(self, authorization: str) -> Principal | None:
        """The caller of a header verified before and still valid, else None: then ask `authenticate`."""
        entry = self._verified.get(authorization)
        if entry is None:
            return None
        now = self._clock_s()
        if now >= entry[0] or now >= entry[1]:
            del self._verified[authorization]
            return None
        self._verified.move_to_end(authorization)
        return entry[2]

    async def authenticate(self, authorization: str) -> Principal:
        """The caller. Raises Problem 401 for a token that is no good, 503 when no keys can be had."""
        return self.peek(authorization) or await self._verify(authorization)

    async def authenticate_token(self, token: str) -> Principal:
        """The same for a bare token (the live socket's `auth`)."""
        return await self.authenticate(f"Bearer {token}")

    async def _verify(self, authorization: str) -> Principal:
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() == "basic" and len(token) <= MAX_HEADER_CHARS:
            scheme, token = "bearer", _password(token)
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("token_invalid", "expected `Authorization: Bearer <JWT>`")
        if len(token) > MAX_HEADER_CHARS:
            raise unauthorized("token_invalid", f"expected a token of at most {MAX_HEADER_CHARS} characters")
        claims = await self._claims(token)
        principal = _principal(claims)
        now = self._clock_s()
        self._verified[authorization] = (principal.expires_s, now + TRUSTED_S, principal)
        while len(self._verified) > self._max_entries:
            self._verified.popitem(last=False)
        return principal

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            key: Any = self._secret
            if self._keys is not None:
                key = await self._keys.key(jwt.get_unverified_header(token).get("kid"))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[self._algorithm],
                audience=self._audience,
                options={"require": ["sub", "exp", "aud"], "verify_exp": False, "verify_iat": False},
            )
            expires = claims["exp"]
            if isinstance(expires, bool) or not isinstance(expires, int | float) or not 0 < expires < LONGEST_EXP_S:
                raise unauthorized("token_invalid", "expected `exp` in seconds since 1970")
        except jwt.InvalidAudienceError as error:
            raise unauthorized("token_invalid", f"expected a token for the audience {self._audience}") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise unauthorized("token_invalid", _explained(error)) from error
        if expires <= self._clock_s():
            raise unauthorized("token_expired", "the token has expired")
        return claims


def _principal(claims: dict[str, Any]) -> Principal:
    role = claims.get("role")
    if role not in ROLES:
        raise unauthorized("token_invalid", f"expected a `role` of {', '.join(ROLES)}")
    try:
        user_id = parse_id(claims["sub"])
    except ValueError as error:
        raise unauthorized("token_invalid", "expected `sub` to be a decimal user id") from error
    return Principal(user_id, str(role), role != "player", float(claims["exp"]))


def _password(credentials: str) -> str:
    """The password of RFC 7617 credentials, whoever the user is; empty where they cannot be read."""
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2].decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _explained(error: Exception) -> str:
    """What PyJWT found, as far as it helps; other errors are about the token's bytes and say nothing to people."""
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the token has no `{error.claim}`"
    if isinstance(error, jwt.InvalidAlgorithmError):
        return "the token's algorithm is not the one this server is configured for"
    if isinstance(error, jwt.InvalidSignatureError):
        return "the token's signature does not verify"
    if isinstance(error, jwt.ImmatureSignatureError):
        return "the token is not valid yet"
    return "the token cannot be read"


def unauthorized(code: str, detail: str) -> Problem:
    """401 with `WWW-Authenticate` (RFC 6750)."""
    challenge = 'Bearer realm="palio"'
    if code != "token_missing":
        challenge += f', error="invalid_token", error_description="{detail.replace(chr(34), chr(39))}"'
    return Problem(401, code, detail, headers={"www-authenticate": challenge})


def make_token(
    secret: bytes, *, role: str, user_id: int | str, ttl_s: float, audience: str = "palio", now_s: float | None = None
) -> str:
    """An HS256 token of the contract: `sub`, `role`, `iat`, `exp`, `aud`.

    Raises ValueError for an unknown role, a user id that is none (decimal, 1 .. 2^63-1) or a lifetime that is not positive.
    """
    if role not in ROLES:
        raise ValueError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
    if not ttl_s > 0:
        raise ValueError(f"expected a lifetime above 0 seconds, got {ttl_s}")
    sub = str(parse_id(str(user_id)))
    now = time.time() if now_s is None else now_s
    claims = {"sub": sub, "role": role, "aud": audience, "iat": int(now), "exp": int(now + ttl_s + 0.999)}
    return jwt.encode(claims, secret, algorithm="HS256")
