"""The gateway's ASGI app: the data plane's HTTP calls over the shared handlers, and `/v1/live` over the hub.

Plain ASGI, so any server carries it; live sockets need `serve_app.live.connection.LiveConnection`, which hands the connection over.
`serve_app.gateway.fast_path` answers the hottest calls without coming here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from serve_app.handlers.handlers import Handlers
from serve_app.http.bodies import too_large
from serve_app.http.cors import CORS_HEADERS, is_preflight, preflight_response
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, unavailable
from serve_app.live.connection import CONNECTION, LiveConnection
from serve_app.live.hub import Hub
from serve_app.live.protocol import SUBPROTOCOL
from serve_app.live.session import LiveSession

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Response]]

LIVE_PATH: Final = "/v1/live"
MAX_QUERY_FIELDS: Final = 20
_TOURNAMENT: Final = re.compile(r"/v1/tournaments/([^/]+)(/rankings|/scores|/participants/(?P<user>[^/]+))?")
_OFFERS: Final = (
    "the gateway serves tournament views, rankings, scores, participants and /v1/live; everything else is at the api"
)


class GatewayApp:
    """See the module. `hub` is started and stopped by whoever made it."""

    def __init__(self, handlers: Handlers, hub: Hub) -> None:
        self.handlers = handlers
        self.hub = hub
        self.config = handlers.config
        self._routes: dict[str, dict[str, Handler]] = {
            "/healthz": {"GET": handlers.healthz},
            "/v1/scores": {"POST": handlers.submit_batch},
        }
        self._tournament_routes: dict[str, dict[str, Handler]] = {
            "": {"GET": handlers.view},
            "/rankings": {"GET": handlers.rankings},
            "/scores": {"POST": handlers.submit_score},
        }
        # beside the contract's hot paths: joining comes in waves as scores do, and costs a tenth here of what it costs at the api
        self._participant_routes: dict[str, Handler] = {
            "GET": handlers.participant,
            "PUT": handlers.join,
            "DELETE": handlers.leave,
        }

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI 3: `http` and `websocket` scopes."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            raise ValueError(f"expected an http or websocket scope, got {scope['type']}")

    async def _http(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if is_preflight(scope["method"], headers):
            response = preflight_response()
            await _respond(send, response, response.headers)
            return
        try:
            async with asyncio.timeout(self.config.request_timeout_s):
                response = await self._answer(scope, headers, receive)
        except TimeoutError:
            error = unavailable("unavailable", f"not answered within {self.config.request_timeout_s:g} s")
            response = self.handlers.error_response(error, "gateway")
        except _GoneError:
            return
        await _respond(send, response, {**response.headers, **CORS_HEADERS})

    async def _answer(self, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive) -> Response:
        try:
            handler, path = self._route(scope["method"], scope["path"])
            body = await _read_body(receive, headers, self.config.max_body_bytes)
            query = dict(
                parse_qsl(
                    scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS
                )
            )
        except Problem as problem:
            return self.handlers.error_response(problem, "gateway")
        except ValueError as error:
            return self.handlers.error_response(Problem(400, "malformed", f"query: {error}"), "gateway")
        client = self.handlers.services.proxies.client(scope["client"], scope["headers"])
        return await handler(Request(scope["method"], headers, query, path, body, client))

    def _route(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """The handler and the path's parameters. Raises Problem 404, 405."""
        parameters: dict[str, str] = {}
        methods = self._routes.get(path)
        if methods is None:
            matched = _TOURNAMENT.fullmatch(path)
            if matched is None:
                raise Problem(404, "not_found", _OFFERS)
            parameters["tournament"] = matched[1]
            user = matched["user"]
            if user is None:
                methods = self._tournament_routes[matched[2] or ""]
            else:
                parameters["user"] = user
                methods = self._participant_routes
        handler = methods.get("GET" if method == "HEAD" else method)
        if handler is None:
            allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])
            if method == "OPTIONS":
                return _options(allowed), parameters
            raise Problem(
                405, "method_not_allowed", f"expected {allowed}; other methods are at the api", (), {"allow": allowed}
            )
        return handler, parameters

    async def _websocket(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        connection: LiveConnection = scope["extensions"][CONNECTION]
        problem = self._refusal(scope)
        if problem is not None:
            await _refuse(send, self.handlers.error_response(problem, "live"))
            connection.handshake_complete = True  # or uvicorn logs an error for each refusal
            return
        session = LiveSession(connection, self.hub, self.handlers.services.authenticator, self.config.max_subscriptions)
        # Counted from here on, or a burst of handshakes would pass the limit together.
        self.hub.join(session)
        try:
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL if scope["subprotocols"] else None})
            connection.attach(session, self.config.socket_buffer_bytes)
            await session.run(receive)
        finally:
            session.leave()

    def _refusal(self, scope: Mapping[str, Any]) -> Problem | None:
        """Why a handshake is refused: with an HTTP response, as RFC 6455 section 4.2.2 wants it."""
        if scope["path"] != LIVE_PATH:
            return Problem(404, "not_found", f"live sockets are at {LIVE_PATH}")
        if scope["subprotocols"] and SUBPROTOCOL not in scope["subprotocols"]:
            return Problem(400, "malformed", f"expected the subprotocol {SUBPROTOCOL}, or none")
        if self.hub.draining:
            return unavailable("draining", "this server is stopping; connect again")
        if self.hub.full:
            return unavailable("too_many_sockets", f"all {self.hub.limits.max_sockets} live connections are taken", 5)
        return None


class _GoneError(Exception):
    """The client left before its request was whole."""


def _options(allowed: str) -> Handler:
    async def answer(_: Request) -> Response:
        return Response(204, b"", {"allow": allowed})

    return answer


async def _read_body(receive: Receive, headers: Mapping[str, str], max_bytes: int) -> bytes:
    """The whole body. Raises Problem 413 as soon as it is known to be too large, 400 for a wrong length, _GoneError."""
    announced = headers.get("content-length", "0")
    if announced.isdigit() and int(announced[:20]) > max_bytes:
        raise too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def _respond(send: Send, response: Response, headers: Mapping[str, str]) -> None:
    await send({"type": "http.response.start", "status": response.status, "headers": _raw_headers(response, headers)})
    await send({"type": "http.response.body", "body": response.body})


async def _refuse(send: Send, response: Response) -> None:
    headers = _raw_headers(response, response.headers)
    await send({"type": "websocket.http.response.start", "status": response.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": response.body})


def _raw_headers(response: Response, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    if response.status not in (204, 304):
        raw.append((b"content-type", response.content_type.encode()))
        raw.append((b"content-length", b"%d" % len(response.body)))
    return raw
