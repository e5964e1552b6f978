"""The gateway's HTTP/1.1 connections: uvicorn's httptools protocol with bounds of our own, and without a timer for each request.

Bounds: the head of a request, its body, the time until it is whole, the time until it is answered, connections.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serve_app.gateway.app import GatewayApp
from serve_app.gateway.fast_path_wire import head_and_body
from serve_app.http.problems import Problem, problem_response, unavailable

MAX_HEAD_BYTES: Final = 32 * 1024  # request line and headers; a token is at most 4 KiB
HTTP_CONNECTIONS: Final = 5000  # beside the live sockets
LINGER_S: Final = 2.0  # what a refused client still sends is read and dropped: a reset would overtake the answer


class GatewayConnection(HttpToolsProtocol):
    """See the module. `config.app` must be a GatewayApp. `expire` is to be called every few seconds."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config.app, GatewayApp)
        self.gateway = config.app
        self.limits = config.app.config
        self.waiting_since_s = 0.0  # for a request, or the rest of one; 0: not waiting
        self.idle_since_s = 0.0  # between two requests; 0: not idle
        self.head_bytes = 0
        self.refused = False

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        cycle: Any = self.cycle  # uvicorn's own kind, or a HotCycle
        return cycle is not None and not cycle.response_complete

    # From the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self.waiting_since_s = self.loop.time()
        if len(self.connections) > self.limits.max_sockets + HTTP_CONNECTIONS:
            self._refuse(unavailable("unavailable", "too many connections", 5))

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if not self.refused:
            super().data_received(data)

    def expire(self, now_s: float) -> None:
        """End what takes too long; called every few seconds."""
        cycle: Any = self.cycle  # uvicorn's own kind, or a HotCycle
        limit_s = self.limits.request_timeout_s
        if self.waiting_since_s and now_s - self.waiting_since_s > limit_s and not self.refused:
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
            self._refuse(Problem(408, "request_timeout", f"expected the whole request within {limit_s:g} s"))
        elif self.idle_since_s and now_s - self.idle_since_s > self.timeout_keep_alive:
            self.timeout_keep_alive_handler()

    def _unset_keepalive_if_required(self) -> None:
        self.idle_since_s = 0.0

    def on_response_complete(self) -> None:
        """A request is answered. As uvicorn's, but `expire` ends idle connections: a timer a request is dear, and never goes off."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self.idle_since_s = self.loop.time()

    def handle_websocket_upgrade(self) -> None:
        """Hand the transport to a live connection."""
        # Browsers send all their cookies for the host. They mean nothing here, and the library refuses lines over 8 KiB.
        self.scope["headers"] = [header for header in self.headers if header[0] != b"cookie"]
        super().handle_websocket_upgrade()
        # Nothing comes here any more; without these cycles it is freed at once, not when the collector finds it.
        self.parser = self.scope = self.headers = self.flow = None  # type: ignore[assignment]

    # From the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self.head_bytes = 0
        self.idle_since_s = 0.0
        self.waiting_since_s = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._count_head(len(url))
        if not self.refused:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self._count_head(len(name) + len(value) + 4)
        if self.refused:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        if self.refused:
            return
        existing = self.cycle
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,  # type: ignore[typeddict-item]
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        super().on_headers_complete()
        if self.gateway.hub.draining and self.cycle is not existing:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        if not self.refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """It is whole."""
        self.waiting_since_s = 0.0
        if not self.refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What arrived is no HTTP."""
        self._refuse(Problem(400, "malformed", msg))

    # The ASGI lane

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """As uvicorn's, but nothing is written to a connection that was reset: uvloop raises there, before `connection_lost` comes."""

        async def careful(scope: Any, receive: Any, send: Any) -> None:
            async def send_if_open(message: Any) -> None:
                cycle.disconnected = cycle.disconnected or self.transport.is_closing()
                await send(message)

            await app(scope, receive, send_if_open)

        super()._start_asgi_task(cycle, careful)

    # Refusing

    def _count_head(self, size: int) -> None:
        self.head_bytes += size
        if self.head_bytes > MAX_HEAD_BYTES and not self.refused:
            self._refuse(
                Problem(431, "too_large", f"expected at most {MAX_HEAD_BYTES} bytes of request line and headers")
            )

    def _refuse(self, problem: Problem) -> None:
        """Answer with an error and end the connection, in such a way that the answer arrives."""
        self.refused = True
        if self.transport.is_closing():
            return
        response = problem_response(problem)
        parts = [STATUS_LINE[problem.status], b"connection: close\r\n", head_and_body(response)]
        self.transport.write(b"".join(parts))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)
