"""All calls of the contract, each `async (Request) -> Response`; both entrypoints delegate to these. They answer whatever goes wrong."""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

from actors.domain.values import rfc3339
from serve_app.handlers.base import answered
from serve_app.handlers.participants import ParticipantHandlers
from serve_app.handlers.reads import ReadHandlers
from serve_app.handlers.scores import ScoreHandlers
from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem
from serve_app.security.auth import make_token

DEMO_USERS_FROM: Final = 2**62  # ids that nobody's own system gives: half of the range, so that two players never meet


class Handlers(ScoreHandlers, ParticipantHandlers, ReadHandlers):
    """`Handlers(services, entrypoint)`, see the methods of its bases: each is one call of the contract."""

    @answered
    async def demo_player(self, request: Request) -> Response:
        """`POST /v1/demo/player`: a player of one's own, where the demo is on."""
        await self.principal(request)
        config = self.config
        if not config.demo or config.jwt_algorithm != "HS256":
            raise Problem(404, "not_found", "the demo is off")
        user_id = DEMO_USERS_FROM + secrets.randbelow(2**62)
        expires_ms = self.services.clock_ms() + int(config.demo_token_ttl_s * 1000)
        token = make_token(
            config.jwt_secret,
            role="player",
            user_id=user_id,
            ttl_s=config.demo_token_ttl_s,
            audience=config.jwt_audience,
            now_s=self.services.clock_ms() / 1000,
        )
        body = {
            "user_id": str(user_id),
            "name": f"Guest {user_id % 10_000:04d}",
            "token": token,
            "expires_at": rfc3339(expires_ms),
        }
        return Response(201, msgspec.json.encode(body), dict(NO_STORE))
