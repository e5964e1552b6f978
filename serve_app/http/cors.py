"""Cross-origin answers: the page of one entrypoint calls the other.

Any origin may call the API: there are no cookies, what is not public asks for a token in `Authorization`. Pages, metrics and health
checks are for their own origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from serve_app.http.messages import Response

ALLOW_ORIGIN: Final = "access-control-allow-origin"
CORS_HEADERS: Final[Mapping[str, str]] = {
    ALLOW_ORIGIN: "*",
    "access-control-expose-headers": "Date, ETag, Location, Preference-Applied, Retry-After, WWW-Authenticate",
}
_PREFLIGHT: Final[Mapping[str, str]] = {
    **CORS_HEADERS,
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer",
    "access-control-max-age": "600",
    "cache-control": "max-age=600",
}
CORS_RAW: Final[tuple[tuple[bytes, bytes], ...]] = tuple((k.encode(), v.encode()) for k, v in CORS_HEADERS.items())


def cross_origin(path: str) -> bool:
    """Whether other origins may read what is there: the API's calls, but not the pages, the metrics and the health checks."""
    return path == "/v1" or path.startswith("/v1/")


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may do."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


def preflight_response() -> Response:
    """204 that allows what the contract offers. Add no further CORS headers to it."""
    return Response(204, headers=dict(_PREFLIGHT))
