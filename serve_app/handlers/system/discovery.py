"""Where a client begins: what is where, and, where the demo is on, a player of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from actors.domain.values import rfc3339
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem
from serve_app.security.auth import make_token

DEMO_USERS_FROM: Final = 2**62  # ids that nobody's own system gives: half of the range, so that two players never meet
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class DiscoveryHandlers:
    """See the module."""

    callers: Callers
    config: FrontConfig
    clock_ms: Callable[[], int]

    async def root(self, request: Request) -> Response:
        """`GET /v1`: where the gateway is."""
        await self.callers.principal(request)
        config = self.config
        body = {
            "gateway": config.gateway_url,
            "live": config.live_url,
            "version": config.version,
            "demo": config.demo,
            "time": self.clock_ms(),
        }
        return Response(200, _encode(body), {"cache-control": "no-cache"})

    async def demo_player(self, request: Request) -> Response:
        """`POST /v1/demo/player`: a player of one's own, where the demo is on."""
        await self.callers.principal(request)
        config = self.config
        if not config.demo or config.jwt_algorithm != "HS256":
            raise Problem(404, "not_found", "the demo is off")
        user_id = DEMO_USERS_FROM + secrets.randbelow(2**62)
        now_ms = self.clock_ms()
        token = make_token(
            config.jwt_secret,
            role="player",
            user_id=user_id,
            ttl_s=config.demo_token_ttl_s,
            audience=config.jwt_audience,
            now_s=now_ms / 1000,
        )
        body = {
            "user_id": str(user_id),
            "name": f"Guest {user_id % 10_000:04d}",
            "token": token,
            "expires_at": rfc3339(now_ms + int(config.demo_token_ttl_s * 1000)),
        }
        return Response(201, _encode(body), dict(NO_STORE))
