"""Which other origins may read an answer (CORS): the one rule of both entrypoints.

- What anybody may read is for every origin: answers to GET and HEAD that are public, or were asked for without a token.
- Writes, and reads that depend on the caller, are for Palio's own page, which calls both entrypoints, and for the origins of PALIO_CORS_ORIGINS.
- Only the calls of the API are shared, the documents that describe them, and the module that shows a board on other sites: not the pages,
  the metrics, the health checks, nor what is refused before it is a request.

No cookies are used, so a page of another origin has no more than what its visitor gave it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from serve_app.http.caching import NO_STORE, is_public
from serve_app.http.messages import Response

ANY: Final = "*"
EMBED_MODULE: Final = "/palio-board.js"
READING: Final = ("GET", "HEAD")
_ALLOW_ORIGIN: Final = "access-control-allow-origin"
_EXPOSED: Final = {
    "access-control-expose-headers": "Age, Date, ETag, Location, Preference-Applied, Retry-After, WWW-Authenticate"
}
FOR_ANYBODY: Final[Mapping[str, str]] = {_ALLOW_ORIGIN: ANY, **_EXPOSED}
_LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_PORTS: Final = {"http": 80, "https": 443}
_ORIGIN: Final = re.compile(r"(https?)://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")


class Cors:
    """See the module. `host` and `ports` are the entrypoints', `origins` those of PALIO_CORS_ORIGINS.

    Raises ValueError for what is no origin.
    """

    def __init__(self, host: str, ports: Iterable[int], origins: str = "") -> None:
        texts = [text.strip() for text in origins.split(",")] if origins.strip() else []
        self._any = ANY in texts
        self._others = frozenset(_origin(text) for text in texts if text != ANY)
        self._ports = frozenset(ports)
        self._host = host.lower()

    def headers(
        self, path: str, method: str, origin: str | None, host: str, *, authorized: bool, answer: Mapping[str, str]
    ) -> Mapping[str, str]:
        """What is added to an answer that has the headers `answer`, over those; `authorized`: the request carried a token."""
        if not shared(path):
            return {}
        if method in READING and (not authorized or is_public(answer)):
            return FOR_ANYBODY
        if origin is None or method == "OPTIONS" or not self.trusts(origin, host):
            return {}
        vary = f"{answer['vary']}, origin" if "vary" in answer else "origin"
        return {_ALLOW_ORIGIN: origin, "vary": vary, **_EXPOSED}

    def preflight(self, origin: str, host: str) -> Response:
        """What the pages of an origin may ask for. Other CORS headers are not to be added to it."""
        trusted = self.trusts(origin, host)
        methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" if trusted else ", ".join(READING)
        headers = (
            "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-Experience-API-Version"
            if trusted
            else "If-None-Match"
        )
        return Response(
            204,
            headers={
                **NO_STORE,
                _ALLOW_ORIGIN: origin if trusted else ANY,
                "access-control-allow-methods": methods,
                "access-control-allow-headers": headers,
                "access-control-max-age": "600",
                "vary": "origin",
            },
        )

    def trusts(self, origin: str, host: str) -> bool:
        """Whether an origin is Palio's own page, under the name by which this entrypoint was asked (`Host`), or one of the setting's."""
        try:
            scheme, name, port = _origin(origin)
        except ValueError:
            return False
        if self._any or (scheme, name, port) in self._others:
            return True
        if port not in self._ports:
            return False
        try:
            asked = _origin(f"http://{host}")[1]
        except ValueError:
            asked = self._host
        return name in (asked, self._host) or (name in _LOOPBACK and asked in _LOOPBACK)


def _origin(text: str) -> tuple[str, str, int]:
    """(scheme, name, port) of `scheme://name[:port]`, in lower case. Raises ValueError."""
    matched = _ORIGIN.fullmatch(text)
    if matched is None:
        raise ValueError("expected origins as https://host or http://host:port with commas between them, or *")
    scheme, name, port = matched[1], matched[2].lower().strip("[]"), matched[3]
    return scheme, name, int(port) if port else _PORTS[scheme]


def shared(path: str) -> bool:
    """Whether other origins may read anything there: the API's calls, the documents that describe them, and the module made for other sites."""
    documents = ("/openapi.json", "/asyncapi.json")
    return path in ("/v1", *documents, EMBED_MODULE) or path.startswith(("/v1/", "/xapi/", "/schemas/"))


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may do."""
    return method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
