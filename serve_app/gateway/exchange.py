"""A request on a gateway's connection, and responses as bytes."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE

from serve_app.handlers.reads import MAX_AGE_S
from serve_app.http.caching import NO_STORE, reply_response
from serve_app.http.cors import FOR_ANYBODY
from serve_app.http.messages import Request, Response
from serve_app.services.reads import CachedReply

_JSON: Final = "application/json"
_ACCEPTED: Final = f"cache-control: {NO_STORE['cache-control']}\r\ncontent-type: {_JSON}\r\n".encode()


class Exchange:
    """A request of a connection, and how far it is. `headers` have lower-case names; `body` grows until it is `whole`.

    `answer` is what answers it, once started, if that takes time.
    """

    __slots__ = ("answer", "body", "headers", "keep_alive", "method", "started", "target", "whole")

    def __init__(self, method: bytes, target: bytes, headers: dict[bytes, bytes], keep_alive: bool) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.whole = False
        self.started = False
        self.answer: asyncio.Future[Any] | None = None

    @property
    def authorization(self) -> str | None:
        """Its `Authorization`, if any."""
        value = self.headers.get(b"authorization")
        return None if value is None else value.decode("latin-1")


def head_and_body(response: Response) -> bytes:
    """The response behind its status line."""
    if response.status == 202 and response.headers == NO_STORE and response.content_type == _JSON:  # an accepted score
        return b"%bcontent-length: %d\r\n\r\n%b" % (_ACCEPTED, len(response.body), response.body)
    if response.status in (204, 304):
        return b"%b\r\n%b" % (_headers(response), response.body)
    return b"%bcontent-length: %d\r\n\r\n%b" % (head_of(response), len(response.body), response.body)


def head_of(response: Response) -> bytes:
    """Its headers, without what ends them: more may follow."""
    return b"%bcontent-type: %b\r\n" % (_headers(response), response.content_type.encode())


def _headers(response: Response) -> bytes:
    parts: list[bytes] = []
    for name, value in response.headers.items():
        raw = value.encode("latin-1", "replace")
        if HEADER_VALUE_RE.search(raw):
            raise ValueError(f"header {name} has control characters")
        parts += (name.encode("latin-1"), b": ", raw, b"\r\n")
    return b"".join(parts)


def wire(entry: CachedReply) -> bytes:
    """The response of a cached view behind its status line, kept with it."""
    response = reply_response(Request("GET", {}), entry.reply, max_age_s=MAX_AGE_S)
    response.headers |= FOR_ANYBODY
    entry.wire = head_and_body(response)
    return entry.wire
