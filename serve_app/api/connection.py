"""The api's HTTP/1.1 connections: uvicorn's httptools protocol with bounds of our own.

Bounds: connections, the head of a request, its body, the requests that wait on a connection, the time until a request is whole, until
the next one begins, and until an answer is read. What ends a connection is told in such a way that it arrives: the server stops writing,
and drops what the client still sends until it is silent, since a reset would overtake the answer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serve_app.http.bodies import UnreadBodies, too_large
from serve_app.http.connection_bounds import (
    EXPIRE_INTERVAL_S,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_QUEUED,
    SlowClient,
    head_too_large,
    no_http,
    not_whole_in_time,
    too_many_wait,
)
from serve_app.http.messages import Response
from serve_app.http.problems import Problem, problem_response, unavailable
from serve_app.metrics import REJECTED


@dataclass(slots=True, kw_only=True)
class ApiLimits:
    """What the settings of these names say; and the bodies that all connections of a process hold, until they are answered.

    `leaving`: each answer ends its connection.
    """

    max_api_connections: int = 5000
    max_body_bytes: int = 1024 * 1024
    max_unread_body_bytes: int = 64 * 1024 * 1024
    request_timeout_s: float = 30
    leaving: bool = False
    bodies: UnreadBodies = field(init=False)

    def __post_init__(self) -> None:
        self.bodies = UnreadBodies(self.max_unread_body_bytes)


class ApiConnection(HttpToolsProtocol):
    """See the module."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ApiLimits,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.limits = limits
        self.running: RequestResponseCycle | None = None  # being answered; `cycle` is the newest one
        self.head_bytes = self.body_bytes = 0
        self.held_bytes = 0  # of bodies, until they are answered
        self.unparsed_bytes = 0  # since the end of the request before
        self.in_head = self.in_body = False
        self.refused = False
        self.check: asyncio.TimerHandle | None = None
        # Times; 0: not so.
        self.waiting_since_s = 0.0  # for a request, or the rest of one
        self.slow = SlowClient()

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.running is not None and not self.running.response_complete

    # From the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self.waiting_since_s = self.loop.time()
        self._check_later()
        if len(self.connections) > self.limits.max_api_connections:
            self._refuse(unavailable("unavailable", "too many connections", 5))

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if self.refused:
            if self.slow.drop(len(data), self.loop.time()):
                self.transport.abort()
            return
        if not self.waiting_since_s and not self.busy:
            self.waiting_since_s = self.loop.time()
        self.unparsed_bytes += len(data)  # the parser keeps an unfinished header to itself
        super().data_received(data)
        if self.in_head and self.unparsed_bytes > MAX_HEAD_BYTES:
            self._refuse(head_too_large())

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        super().connection_lost(exc)
        self.pipeline.clear()
        self._hold(-self.held_bytes)
        if self.busy:  # of pipelined requests it is not the newest, which is told by uvicorn
            assert self.running is not None
            self.running.disconnected = True
            self.running.message_event.set()
        if self.check is not None:
            self.check.cancel()

    def send_400_response(self, msg: str) -> None:
        """What arrived is no HTTP."""
        del msg
        self._refuse(no_http())

    # Time

    def _check_later(self) -> None:
        interval_s = min(EXPIRE_INTERVAL_S, self.limits.request_timeout_s / 4)
        self.check = self.loop.call_later(interval_s, self._expire)

    def _expire(self) -> None:
        """End what takes too long."""
        now_s, limit_s = self.loop.time(), self.limits.request_timeout_s
        if self.slow.is_overdue(self.transport.get_write_buffer_size(), now_s, limit_s):
            self.transport.abort()
        elif self.slow.ended_since_s:
            pass
        elif self.waiting_since_s and now_s - self.waiting_since_s > limit_s:
            self._refuse(not_whole_in_time(limit_s))
        if not self.transport.is_closing():
            self._check_later()

    # From the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.head_bytes = self.body_bytes = 0
        self.in_head = True
        if len(self.pipeline) >= MAX_QUEUED:
            self._refuse(too_many_wait())

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        if self._count_head(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers, or a trailer behind its body."""
        if self._count_head(len(name) + len(value) + 4):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self.in_head = False
        if self.refused:
            return
        announced = next((value for name, value in self.headers if name == b"content-length"), b"0")
        if int(announced) > self.limits.max_body_bytes:  # the parser has seen to it that it is a number
            self._refuse(too_large(self.limits.max_body_bytes))
            return
        super().on_headers_complete()
        self.in_body = True
        if self.limits.leaving or self.parser.should_upgrade():  # to what is not offered: behind it would come no HTTP
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        if self.refused:
            return
        self.body_bytes += len(body)
        self._hold(len(body))
        try:
            if self.body_bytes > self.limits.max_body_bytes:
                raise too_large(self.limits.max_body_bytes)
            self.limits.bodies.check(lambda: True)  # tokens are verified by `serve_app.api.calls`
        except Problem as problem:
            self._refuse(problem)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """It is whole."""
        self.waiting_since_s = 0.0
        if not self.refused:
            super().on_message_complete()
        self.in_body = False
        self.unparsed_bytes = 0

    def _hold(self, more_bytes: int) -> None:
        self.held_bytes += more_bytes
        self.limits.bodies.add(more_bytes)

    def _count_head(self, size: int) -> bool:
        """Whether this much more of a head is taken."""
        self.head_bytes += size
        if not self.refused and (self.head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS):
            self._refuse(head_too_large())
        return not self.refused

    # Answers

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """A request is answered. As uvicorn's, but what waits on this connection is answered before more is read."""
        waiting = len(self.pipeline)
        super().on_response_complete()
        if not waiting:
            self._hold(-self.held_bytes)
        elif waiting > 1 and not self.transport.is_closing():
            self.flow.pause_reading()

    def _refuse(self, problem: Problem) -> None:
        """Take nothing more, and end the connection: with this error, unless an answer before it is under way, which is still sent."""
        if self.refused or self.transport.is_closing():
            return
        self.refused = True
        REJECTED.labels("api", problem.code).inc()
        self.pipeline.clear()
        running = self.running
        its_own = self.in_body and running is self.cycle  # else it is of a request behind that
        if running is not None and not running.response_complete:
            if not its_own:
                running.keep_alive = False
                return
            running.disconnected = True
            running.message_event.set()
        if running is None or not (its_own and running.response_started):
            self._write(problem_response(problem))
        self.transport.write_eof()
        self.slow.end(self.loop.time())
        self.flow.resume_reading()

    def _write(self, response: Response) -> None:
        headers = response.headers | {"content-type": response.content_type, "content-length": str(len(response.body))}
        parts = [STATUS_LINE[response.status], b"connection: close\r\n"]
        parts += [f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items()]
        self.transport.write(b"".join([*parts, b"\r\n", response.body]))
