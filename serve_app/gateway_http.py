"""The gateway's HTTP/1.1 connections: uvicorn's httptools protocol with a hot lane for score submissions and cached views.

The hot lane goes from the parser to the handler and from the response to the transport: no scope, no receive, no send, and for a
view that is in the cache no task. Everything else, and whatever is unusual about a hot request (pipelined behind another, `Expect`,
a client that does not read), takes uvicorn's ASGI way to the app, with the same answers.

Bounds: the head of a request, its body, the time until it is whole, the time until it is answered, connections.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from serve_app.bodies import too_large
from serve_app.gateway_app import GatewayApp
from serve_app.gateway_wire import HotCycle, head_and_body, wire
from serve_app.handlers_base import reply_response
from serve_app.handlers_reads import MAX_AGE_S
from serve_app.http import Request, Response
from serve_app.metrics import VIEW_SECONDS
from serve_app.problems import Problem, problem_response, unavailable

MAX_HEAD_BYTES: Final = 32 * 1024  # request line and headers; a token is at most 4 KiB
HTTP_CONNECTIONS: Final = 5000  # beside the live sockets
LINGER_S: Final = 2.0  # what a refused client still sends is read and dropped: a reset would overtake the answer

_PREFIX: Final = b"/v1/tournaments/"
_SCORES: Final = b"/scores"
_WANTED: Final = {
    b"authorization": "authorization",
    b"content-type": "content-type",
    b"if-none-match": "if-none-match",
    b"prefer": "prefer",
}
_view_seconds = VIEW_SECONDS.labels(door="gateway")


class GatewayHttp(HttpToolsProtocol):
    """See the module. `config.app` must be a GatewayApp."""

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
        self.answering_since_s = 0.0
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
        elif (
            type(cycle) is HotCycle
            and cycle.task is not None
            and self.answering_since_s
            and now_s - self.answering_since_s > limit_s
        ):
            cycle.task.cancel()

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
        """Its head is whole: choose the lane."""
        if self.refused:
            return
        existing = self.cycle
        if (existing is None or existing.response_complete) and not (
            self.expect_100_continue or self.flow.write_paused or self.parser.should_upgrade()
        ):
            hot = self._hot_cycle()
            if hot is not None:
                self.cycle = hot  # type: ignore[assignment]
                return
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
        cycle: Any = self.cycle  # uvicorn's own kind, or a HotCycle
        if type(cycle) is not HotCycle:
            if not self.refused:
                super().on_body(body)
        elif not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > self.limits.max_body_bytes:
                cycle.body.clear()
                self._answer(
                    cycle, self.gateway.handlers.error_response(too_large(self.limits.max_body_bytes), "gateway")
                )

    def on_message_complete(self) -> None:
        """It is whole."""
        self.waiting_since_s = 0.0
        cycle: Any = self.cycle  # uvicorn's own kind, or a HotCycle
        if type(cycle) is not HotCycle:
            if not self.refused:
                super().on_message_complete()
        elif not cycle.response_complete and not self.refused:
            cycle.more_body = False
            self._start(cycle)

    def send_400_response(self, msg: str) -> None:
        """What arrived is no HTTP."""
        self._refuse(Problem(400, "malformed", msg))

    # The hot lane

    def _hot_cycle(self) -> HotCycle | None:
        url, method = self.url, self.parser.get_method()
        if not url.startswith(_PREFIX):
            return None
        if method == b"POST" and url.endswith(_SCORES):
            tournament, submits = url[len(_PREFIX) : -len(_SCORES)], True
        elif method == b"GET":
            tournament, submits = url[len(_PREFIX) :], False
        else:
            return None
        if not tournament.isdigit():
            return None
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        keep_alive = keep_alive and not self.gateway.hub.draining
        return HotCycle(tournament.decode("ascii"), submits, keep_alive)

    def _start(self, cycle: HotCycle) -> None:
        headers = {_WANTED[name]: value.decode("latin-1") for name, value in self.headers if name in _WANTED}
        client = self.client[0] if self.client else ""
        if not cycle.submits and self._answer_from_cache(cycle, headers, client):
            return
        request = Request(
            "POST" if cycle.submits else "GET",
            headers,
            {},
            {"tournament": cycle.tournament},
            bytes(cycle.body),
            client,
        )
        self.answering_since_s = self.loop.time()
        cycle.task = self.loop.create_task(self._handle(cycle, request))
        self.tasks.add(cycle.task)
        cycle.task.add_done_callback(self.tasks.discard)

    async def _handle(self, cycle: HotCycle, request: Request) -> None:
        handlers = self.gateway.handlers
        try:
            response = await (handlers.submit_score(request) if cycle.submits else handlers.view(request))
        except asyncio.CancelledError:
            # Cancelled by `expire`, or by the server when its time to stop is over: the client is told either way.
            error = unavailable("unavailable", "not answered in time")
            response = handlers.error_response(error, "gateway")
        self.answering_since_s = 0.0
        if self.flow.write_paused:
            await self.flow.drain()
        self._answer(cycle, response)

    def _answer_from_cache(self, cycle: HotCycle, headers: dict[str, str], client: str) -> bool:
        """Answer a public view from the cache, at once; False when it takes more than that."""
        started_s = time.perf_counter()
        handlers = self.gateway.handlers
        authorization, principal = headers.get("authorization"), None
        if authorization is not None:
            principal = handlers.services.authenticator.peek(authorization)
            if principal is None:
                return False
        entry = handlers.reads.cached_view(cycle.tournament, time.monotonic())
        if entry is None:
            return False
        try:
            handlers.services.limiter.check(principal, client)
        except Problem as problem:
            self._answer(cycle, handlers.error_response(problem, "gateway"))
            return True
        if "if-none-match" in headers:
            request = Request("GET", headers)
            self._answer(cycle, reply_response(request, entry.reply, public=True, max_age_s=MAX_AGE_S))
        else:
            self._write_answer(cycle, STATUS_LINE[200], entry.wire or wire(entry))
        _view_seconds.observe(time.perf_counter() - started_s)
        return True

    def _answer(self, cycle: HotCycle, response: Response) -> None:
        if not cycle.response_complete:
            self._write_answer(cycle, STATUS_LINE[response.status], head_and_body(response))

    def _write_answer(self, cycle: HotCycle, status_line: bytes, rest: bytes) -> None:
        if cycle.disconnected or self.transport.is_closing():
            return
        parts = [status_line]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(rest)
        self.transport.write(b"".join(parts))
        cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

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
