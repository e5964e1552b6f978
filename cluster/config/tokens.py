"""Tokens for operators, scripts and tests, signed as the settings say."""

from __future__ import annotations

from cluster.config.settings import Settings
from cluster.errors import StartError
from cluster.startup.ports import jwt_secret


def token(settings: Settings, *, role: str, sub: str | int = "1", ttl_s: float = 86_400.0) -> str:
    """A token of the contract. Raises ValueError as `serve_app.security.auth.make_token`, StartError when the keys are elsewhere (a JWKS)."""
    from serve_app.security.auth import make_token  # PyJWT takes a tenth of a second to import: actors mint nothing

    if settings.jwt_algorithm != "HS256":
        raise StartError(
            f"cannot sign: PALIO_JWT_ALGORITHM is {settings.jwt_algorithm}, so tokens come from who has the key"
        )
    return make_token(jwt_secret(settings), role=role, user_id=sub, ttl_s=ttl_s, audience=settings.jwt_audience)
