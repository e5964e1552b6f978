"""The gateway's HTTP/1.1 connections: requests are taken within bounds and answered one after another, in the order they came.

Bounds: the head of a request, its body, the bodies that all connections hold together, the requests that wait on a connection, the time
until a request is whole, until it is answered, until its answer is read, connections. `expire` sees to all times: no request sets a timer.

What ends a connection (bytes that are no HTTP, a body too large, a time that is over) is told behind the answers to the requests
before it, and in such a way that it arrives: the server stops writing, and drops what the client still sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from serve_app.gateway.app import GatewayApp
from serve_app.gateway.exchange import Exchange, head_and_body, head_of
from serve_app.http.bodies import body_limit
from serve_app.http.connection_bounds import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_QUEUED,
    SlowClient,
    head_too_large,
    no_http,
    not_whole_in_time,
    too_many_wait,
)
from serve_app.http.headers import add_header
from serve_app.http.messages import Response
from serve_app.http.problems import Problem, unavailable
from serve_app.security.client_address import FORWARDED_FOR

HTTP_CONNECTIONS: Final = 5000  # beside the live sockets
CLOSE: Final = b"connection: close\r\n"
NO_LINGER: Final = struct.pack("ii", 1, 0)


class GatewayConnection(HttpToolsProtocol):
    """See the module. `config.app` must be a GatewayApp. `expire` is to be called every few seconds; subclasses give `start`."""

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
        self.exchanges: deque[Exchange] = deque()  # not answered yet; only the first is ever being answered
        self.receiving: Exchange | None = None  # the last of them while its body arrives
        self.verifying = False  # whether that body is wanted depends on its token
        self.small_body_bytes = self.body_limit_bytes = body_limit(self.limits, 0, None)
        self.unread_bytes = 0  # of bodies, as counted for the process
        self.peer = ""  # whose requests these are, unless a proxy says otherwise
        self.named: dict[bytes, bytes] = {}  # the headers of the request that arrives
        self.head_bytes = 0
        self.head_complete = False
        self.taking = True  # whether what arrives is read
        self.lingers = True  # whether the client may still send
        self.refusal: Response | None = None  # to be sent behind the answers that are due
        # Times; 0: not so.
        self.waiting_since_s = 0.0  # for a request, or the rest of one
        self.answering_since_s = 0.0
        self.idle_since_s = 0.0  # between two requests
        self.slow = SlowClient()

    def start(self, exchange: Exchange) -> None:
        """Answer a whole request: `answer` is called now or later, and `exchange.answer` can be cancelled."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return bool(self.exchanges)

    def client_of(self, exchange: Exchange) -> str:
        """Whose request it is, for limits by address."""
        if FORWARDED_FOR not in exchange.headers:
            return self.peer
        return self.gateway.services.proxies.client(self.client, exchange.headers.items())

    # From the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self.peer = self.gateway.services.proxies.client(self.client, ())
        self.waiting_since_s = self.loop.time()
        if len(self.connections) > self.limits.max_sockets + HTTP_CONNECTIONS:
            self._refuse(unavailable("unavailable", "too many connections", 5))

    def data_received(self, data: bytes) -> None:
        """Bytes arrived."""
        if not self.taking:
            if self.slow.drop(len(data), self.loop.time()):
                self.transport.abort()
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self.taking and self._should_upgrade():
                self._upgrade()
                return
        except httptools.HttpParserCallbackError as error:
            self._refuse(error.__context__ if isinstance(error.__context__, Exception) else error)
        except httptools.HttpParserError:
            self._refuse(no_http())
        if self.waiting_since_s or self.unread_bytes or len(self.exchanges) > 1:
            self._count_unread()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """The client sends no more; what it asked for is answered."""
        self.taking = self.lingers = False
        self._forget_unfinished()
        return bool(self.exchanges or self.refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone."""
        del exc
        self.connections.discard(self)
        self.taking = False
        self.refusal = self.receiving = None
        self.exchanges.clear()
        self._count_unread()
        self.flow.resume_writing()  # for an answer in pieces: it ends
        self.parser = None  # it holds this object

    def resume_writing(self) -> None:
        """Most of what was written is sent."""
        super().resume_writing()
        self._start_next()

    def shutdown(self) -> None:
        """The server stops: what was asked for is answered."""
        self.lingers = False
        self._forget_unfinished()
        self.taking = False
        if not self.exchanges:
            self.transport.close()

    def expire(self, now_s: float) -> None:
        """End what takes too long; to be called every few seconds."""
        limit_s = self.limits.request_timeout_s
        if self.slow.is_overdue(self.transport.get_write_buffer_size(), now_s, limit_s):
            self._cut_off()
        elif self.slow.ended_since_s:
            pass
        elif self.waiting_since_s and now_s - self.waiting_since_s > limit_s:
            self._refuse(not_whole_in_time(limit_s))
        elif self.idle_since_s and now_s - self.idle_since_s > self.timeout_keep_alive:
            self.transport.close()
        if self.answering_since_s and now_s - self.answering_since_s > limit_s:
            answer = self.exchanges[0].answer if self.exchanges else None
            if answer is not None:
                answer.cancel()

    # From the parser; what comes once `taking` is over is dropped

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self.taking:
            return
        self.url = b""
        self.named = {}
        self.head_bytes = 0
        self.head_complete = False
        self.idle_since_s = 0.0
        self.waiting_since_s = self.loop.time()
        if len(self.exchanges) > MAX_QUEUED:
            self._refuse(too_many_wait())

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        if self.taking:
            self.url += url
            self.head_bytes += len(url)
            if self.head_bytes > MAX_HEAD_BYTES:
                self._refuse(head_too_large())

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers, or a trailer behind its body: those are counted, and tell nothing."""
        if not self.taking:
            return
        headers = self.named
        self.head_bytes = head_bytes = self.head_bytes + len(name) + len(value) + 4
        if head_bytes > MAX_HEAD_BYTES or len(headers) >= MAX_HEADERS:
            self._refuse(head_too_large())
        elif not self.head_complete:
            name = name.lower()
            if name not in headers:
                headers[name] = value
            else:
                self._repeated(name, value)

    def _repeated(self, name: bytes, value: bytes) -> None:
        self.head_bytes += MAX_HEAD_BYTES // MAX_HEADERS  # so that they are bounded in number, too
        try:
            add_header(self.named, name, value)
        except Problem as problem:
            self._refuse(problem)

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        if not self.taking:
            return
        self.head_complete = True
        headers, parser = self.named, self.parser
        upgrade = parser.should_upgrade()
        if upgrade:
            self.headers = list(headers.items())
            if self._should_upgrade():
                self.scope = {"method": parser.get_method().decode("ascii"), "headers": self.headers}  # type: ignore[typeddict-item]
                return
        keep_alive = parser.should_keep_alive() and not (upgrade or self.gateway.hub.draining)
        if b"connection" in headers and parser.get_http_version() == "1.0":
            keep_alive = False
        exchange = Exchange(parser.get_method(), self.url, headers, keep_alive)
        self.receiving = exchange
        self.exchanges.append(exchange)
        self.body_limit_bytes = self.small_body_bytes
        announced = headers.get(b"content-length")
        if announced is not None and int(announced) > self.body_limit_bytes:
            self._check_size(exchange, int(announced))
        if b"expect" in headers:
            self._ask_for_body()

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        exchange = self.receiving
        if exchange is not None:
            exchange.body += body
            if len(exchange.body) > self.body_limit_bytes:
                self._check_size(exchange, len(exchange.body))

    def on_message_complete(self) -> None:
        """It is whole."""
        exchange = self.receiving
        if exchange is None:  # refused, or a live handshake
            if self.taking:
                self.waiting_since_s = 0.0
            return
        self.receiving = None
        self.waiting_since_s = 0.0
        exchange.whole = True
        if not exchange.keep_alive:
            self.taking = False
        if len(self.exchanges) == 1:
            self._start_next()
        else:
            self._regulate_reading()

    # Bodies

    def _check_size(self, exchange: Exchange, size_bytes: int) -> None:
        """Refuse a body that is too large; a larger one needs a token that verifies."""
        authorization = exchange.authorization
        try:
            self.body_limit_bytes = body_limit(self.limits, size_bytes, authorization)
        except Problem as problem:
            self._refuse(problem)
            return
        if authorization is not None and not self._verified(authorization):
            self.verifying = True
            self._regulate_reading()
            task = self.loop.create_task(self._verify(exchange, authorization))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def _verified(self, authorization: str | None) -> bool:
        return authorization is not None and self.gateway.services.authenticator.peek(authorization) is not None

    async def _verify(self, exchange: Exchange, authorization: str) -> None:
        try:
            await self.gateway.handlers.callers.verified(authorization, self.client_of(exchange))
        except Exception as error:
            if exchange is self.receiving:
                self._refuse(error)
        finally:
            self.verifying = False
        if exchange is self.receiving:
            self._ask_for_body()
        self._regulate_reading()

    def _ask_for_body(self) -> None:
        """Tell a client that waits for it (`Expect: 100-continue`) to go on: when its body is wanted, and answers before it are sent."""
        exchange = self.receiving
        if exchange is None or exchange is not self.exchanges[0] or exchange.body or self.verifying:
            return
        if exchange.headers.pop(b"expect", b"").lower() == b"100-continue" and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _count_unread(self) -> None:
        """Count what is held of bodies that nobody reads yet, for the process; refuse what goes beyond its total."""
        unread_bytes = sum(len(exchange.body) for exchange in self.exchanges if not exchange.started)
        more_bytes, self.unread_bytes = unread_bytes - self.unread_bytes, unread_bytes
        if more_bytes:
            self.gateway.unread_bodies.add(more_bytes)
        if more_bytes > 0:
            try:
                self.gateway.unread_bodies.check(lambda: self._verified(self.exchanges[-1].authorization))
            except Problem as problem:
                self._refuse(problem)
                self._count_unread()

    def _forget_unfinished(self) -> None:
        if self.receiving is not None:
            self.receiving = None
            self.exchanges.pop()
        self.waiting_since_s = 0.0

    def _regulate_reading(self) -> None:
        """Read on unless what was read already has to wait."""
        if self.transport.is_closing() or not self.lingers:
            return
        if not self.slow.ended_since_s and (len(self.exchanges) > 1 or self.verifying or self.refusal is not None):
            self.flow.pause_reading()
        else:
            self.flow.resume_reading()

    # Answers

    def _start_next(self) -> None:
        """Start the first request, if it is whole and the client reads."""
        if self.exchanges:
            exchange = self.exchanges[0]
            if exchange.whole and not exchange.started and not self.flow.write_paused:
                exchange.started = True
                self.start(exchange)

    def answer(self, exchange: Exchange, status_line: bytes, rest: bytes) -> None:
        """Send the answer to the first request, and go on with the next."""
        if self.exchanges and not self.transport.is_closing():
            self._write(status_line, b"" if exchange.keep_alive else CLOSE, rest)
        self._answered(exchange)

    async def answer_in_pieces(self, exchange: Exchange, response: Response) -> None:
        """The same of an answer that comes in pieces, as fast as the client reads. One that breaks off ends the connection, so that nobody takes
        it for whole: where its length is not known, what follows keep-alive is in chunks, and anything else ends with the connection."""
        assert response.stream is not None
        wanted = exchange.method != b"HEAD"
        chunked = wanted and exchange.keep_alive and "content-length" not in response.headers
        try:
            if self.exchanges and not self.transport.is_closing():
                head = head_of(response) + (b"transfer-encoding: chunked\r\n\r\n" if chunked else b"\r\n")
                self._write(STATUS_LINE[response.status], b"" if exchange.keep_alive else CLOSE, head)
                if wanted:
                    await self._send_pieces(response.stream, chunked=chunked)
        except BaseException:
            self._cut_off()
            raise
        finally:
            await response.stream.aclose()
        self._answered(exchange)

    async def _send_pieces(self, pieces: AsyncGenerator[bytes, None], *, chunked: bool) -> None:
        async for piece in pieces:
            if self.transport.is_closing():
                return
            if piece:
                self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await self.flow.drain()
            self.slow.has_read()
            self.answering_since_s = self.loop.time()  # one who goes on reading has time for the rest
        if chunked and not self.transport.is_closing():
            self.transport.write(b"0\r\n\r\n")

    def _answered(self, exchange: Exchange) -> None:
        self.answering_since_s = 0.0
        if not self.exchanges or self.transport.is_closing():
            return
        self.exchanges.popleft()
        self.server_state.total_requests += 1
        if not exchange.keep_alive:
            self._end()
        elif self.exchanges:
            if self.unread_bytes:
                self._count_unread()
            self._regulate_reading()
            self._ask_for_body()
            self._start_next()  # goes no deeper than MAX_QUEUED
        elif self.refusal is not None:
            self._send_refusal(self.refusal)
        elif not self.taking:
            self._end()
        else:
            self.idle_since_s = self.loop.time()
            if self.flow.read_paused:
                self._regulate_reading()

    def _write(self, status_line: bytes, connection: bytes, rest: bytes) -> None:
        parts = [status_line]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        parts += (connection, rest)
        self.transport.write(b"".join(parts))

    def _refuse(self, error: Exception) -> None:
        """Take nothing more, and end the connection with an error behind the answers that are due."""
        if not self.taking:
            return
        self.taking = False
        self._forget_unfinished()
        self.refusal = self.gateway.handlers.errors.response(error, "gateway")
        if not self.exchanges:
            self._send_refusal(self.refusal)
        else:
            self._regulate_reading()

    def _send_refusal(self, refusal: Response) -> None:
        if not self.transport.is_closing():
            self._write(STATUS_LINE[refusal.status], CLOSE, head_and_body(refusal))
            self._end()

    def _end(self) -> None:
        """Nothing more is answered. What the client still sends is dropped until it is silent, or closes."""
        self.taking = False
        self.refusal = self.receiving = None
        self.exchanges.clear()
        self.waiting_since_s = 0.0
        if self.unread_bytes:
            self._count_unread()
        if not self.lingers or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.slow.end(self.loop.time())
        self.transport.write_eof()
        self._regulate_reading()

    def _cut_off(self) -> None:
        """End the connection at once, by a reset: what is cut off is not taken for whole."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None and not self.transport.is_closing():
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()

    # Live sockets

    def _upgrade(self) -> None:
        if self.exchanges:
            self._refuse(
                Problem(400, "malformed", "expected a live handshake once all requests before it are answered")
            )
        else:
            self.handle_websocket_upgrade()

    def handle_websocket_upgrade(self) -> None:
        """Hand the transport to a live connection."""
        # Browsers send all their cookies for the host. They mean nothing here, and the library refuses lines over 8 KiB.
        self.scope["headers"] = [header for header in self.headers if header[0] != b"cookie"]
        if not self.url.startswith(b"/"):  # `GET http://host/path`, as to a proxy, is the same target
            with contextlib.suppress(httptools.HttpParserInvalidURLError):
                self.url = httptools.parse_url(self.url).path or b"/"
        super().handle_websocket_upgrade()
        # Nothing comes here any more; without these cycles it is freed at once, not when the collector finds it.
        self.parser = self.scope = self.headers = self.named = self.flow = None  # type: ignore[assignment]
