"""The gateway's app: the data plane's HTTP calls over the shared handlers, and `/v1/live` over the hub.

HTTP requests come whole from `serve_app.gateway.fast_path`, which answers the most frequent ones without coming here. Live sockets come by ASGI
from `serve_app.live.connection.LiveConnection`, which hands the connection over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serve_app.gateway.exchange import Exchange, head_and_body
from serve_app.handlers.handlers import Handlers
from serve_app.handlers.routes import ROUTES, Paths, answer_other_method
from serve_app.http.bodies import UnreadBodies
from serve_app.http.cors import READING, is_preflight, shared
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, unavailable
from serve_app.http.query import read_query
from serve_app.live.connection import CONNECTION, LiveConnection
from serve_app.live.hub import Hub
from serve_app.live.protocol import SUBPROTOCOL
from serve_app.live.session import LiveSession
from serve_app.live.submissions import LiveScores
from serve_app.metrics import LIVE_FAILURES, exposition
from serve_app.services.container import Services

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)
LIVE_PATH: Final = "/v1/live"
METRICS_PATH: Final = "/metrics"  # of all processes of this node
_PATHS: Final = Paths(route for route in ROUTES if route.gateway)
_OFFERS: Final = (
    "the gateway serves what is asked often (tournaments, rankings, scores, participants, exports, /v1/live); "
    "everything else is at the api"
)


class GatewayApp:
    """See the module. `hub` is started and stopped by whoever made it."""

    def __init__(self, services: Services, hub: Hub) -> None:
        self.services = services
        self.handlers = Handlers(services, "gateway")
        self.hub = hub
        self.config = services.config
        for code in ("internal", "draining", "too_many_sockets"):  # so that Prometheus sees the first one, too
            LIVE_FAILURES.labels(code)
        self.live_scores = LiveScores(self.handlers.scores, services.limiter, self.handlers.errors)
        self.unread_bodies = UnreadBodies(self.config.max_unread_body_bytes)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI 3, `websocket` scopes only: HTTP comes from the connection, to `answer`."""
        if scope["type"] != "websocket":
            raise ValueError(f"expected a websocket scope, got {scope['type']}")
        try:
            await self._websocket(scope, receive, send)
        except Exception:
            LIVE_FAILURES.labels("internal").inc()
            logger.exception("a live socket failed")  # the server's own line is kept short, as clients can cause those
            raise

    async def answer(self, exchange: Exchange, client: str) -> Response:
        """The answer to a request, whatever it is."""
        method = exchange.method.decode("ascii")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in exchange.headers.items()}
        try:
            url = httptools.parse_url(exchange.target)
            target = _path_of(url)
            if is_preflight(method, headers) and shared(target):
                return self.services.cors.preflight(headers["origin"], headers.get("host", ""))
            if target == METRICS_PATH and method in ("GET", "HEAD"):
                content, media_type = await asyncio.to_thread(exposition)
                return Response(200, content, {"cache-control": "no-store"}, content_type=media_type)
            names, path = _PATHS.match(target)
            if not names:
                return self.handlers.errors.response(Problem(404, "not_found", _OFFERS), "gateway")
            name = names.get("GET" if method == "HEAD" else method)
            if name is None:
                return answer_other_method(method, names)
            fields = read_query(url.query or b"")
        except Problem as problem:
            return self.handlers.errors.response(problem, "gateway")
        except (ValueError, httptools.HttpParserInvalidURLError) as error:
            return self.handlers.errors.response(Problem(400, "malformed", f"target: {error}"), "gateway")
        return await self.handlers.table[name](Request(method, headers, fields, path, bytes(exchange.body), client))

    def share(self, exchange: Exchange, response: Response) -> None:
        """Let other origins read an answer where they may."""
        method, origin = exchange.method.decode("ascii"), exchange.headers.get(b"origin")
        if origin is None and method not in READING:
            return
        try:
            path = _path_of(httptools.parse_url(exchange.target))
        except httptools.HttpParserInvalidURLError:
            return
        response.headers |= self.services.cors.headers(
            path,
            method,
            None if origin is None else origin.decode("latin-1"),
            exchange.headers.get(b"host", b"").decode("latin-1"),
            authorized=b"authorization" in exchange.headers,
            answer=response.headers,
        )

    async def _websocket(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        connection: LiveConnection = scope["extensions"].pop(CONNECTION)  # which holds the scope
        address = self.services.proxies.client(scope["client"], scope["headers"])
        problem = self._refusal(scope, address)
        if problem is not None:
            self._refuse(connection, problem)
            return
        authenticator = self.services.authenticator
        session = LiveSession(connection, self.hub, authenticator, self.live_scores, self.config, address)
        # Counted from here on, or a burst of handshakes would pass the limit together.
        self.hub.join(session)
        try:
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if scope["subprotocols"] else None})
            connection.attach(session, self.config.socket_buffer_bytes)
            await session.run(receive)
        finally:
            session.leave()

    def _refusal(self, scope: Mapping[str, Any], address: str) -> Problem | None:
        if scope["path"] != LIVE_PATH:
            return Problem(404, "not_found", f"live sockets are at {LIVE_PATH}")
        if scope["subprotocols"] and SUBPROTOCOL not in scope["subprotocols"]:
            return Problem(400, "malformed", f"expected the subprotocol {SUBPROTOCOL}, or none")
        if self.hub.draining:
            return unavailable("draining", "this server is stopping; connect again")
        if self.hub.full:
            return unavailable("too_many_sockets", f"all {self.hub.limits.max_sockets} live connections are taken", 5)
        if self.hub.sockets_of(address) >= self.hub.limits.max_sockets_per_address:
            detail = f"expected at most {self.hub.limits.max_sockets_per_address} live connections of an address"
            return Problem(429, "too_many_sockets_of_address", detail, headers={"retry-after": "5"})
        return None

    def refuse_handshake(self, connection: LiveConnection, status: int, detail: str) -> None:
        """See `serve_app.live.connection.LiveApp`."""
        code = {408: "request_timeout", 414: "too_large", 431: "too_large"}.get(status, "malformed")
        self._refuse(connection, Problem(status, code, detail))

    def _refuse(self, connection: LiveConnection, problem: Problem) -> None:
        """Refuse a live handshake: with an HTTP response, as RFC 6455 section 4.2.2 wants it."""
        response = self.handlers.errors.response(problem, "live")
        if problem.status >= 500:
            LIVE_FAILURES.labels(problem.code).inc()
        connection.refuse(STATUS_LINE[response.status] + b"connection: close\r\n" + head_and_body(response))


def _path_of(url: Any) -> str:
    return unquote((url.path or b"").decode("latin-1"))
