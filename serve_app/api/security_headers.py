"""Around the whole api: headers of every answer (CORS, and what keeps browsers from guessing), HEAD as GET, and no answer is a stack trace."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response as WebResponse
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.http.cors import Cors, is_preflight, shared
from serve_app.http.messages import Response
from serve_app.http.problems import unexpected_response

ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),  # may be kept, if asked for each time
)
ASKED_METHOD: Final = (
    "palio.method"  # of a scope; path operations have GET alone, and the server leaves out the body of HEAD
)


class SecurityHeaders:
    """ASGI middleware; answers preflights itself."""

    def __init__(self, app: ASGIApp, cors: Cors) -> None:
        self._app = app
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = completed(scope, message["headers"], self._cors)
            await send(message)

        asked = Headers(scope=scope)
        if is_preflight(scope["method"], asked) and shared(scope["path"]):
            allowed = self._cors.preflight(asked["origin"], asked.get("host", ""))
            await web_response(allowed)(scope, receive, send_with_headers)
            return
        method = scope["method"]
        inner = {**scope, ASKED_METHOD: method, "method": "GET" if method == "HEAD" else method}
        try:
            await self._app(inner, receive, send_with_headers)
        except Exception as error:
            if started:
                raise
            unexpected = web_response(unexpected_response(error, scope["path"]))
            await unexpected(scope, receive, send_with_headers)


def completed(scope: Scope, headers: list[tuple[bytes, bytes]], cors: Cors) -> list[tuple[bytes, bytes]]:
    """The headers of an answer to a request, and those that all answers have."""
    asked, own = Headers(scope=scope), Headers(raw=headers)
    shared_by = cors.headers(
        scope["path"],
        scope["method"],
        asked.get("origin"),
        asked.get("host", ""),
        authorized="authorization" in asked,
        answer=own,
    )
    more = [(name.encode(), value.encode("latin-1")) for name, value in shared_by.items()]
    return [
        *(header for header in headers if header[0].decode("latin-1") not in shared_by),
        *(header for header in ALWAYS if header[0].decode() not in own),
        *more,
    ]


def web_response(response: Response) -> WebResponse:
    """A handler's answer as Starlette sends it."""
    if response.status in (204, 304):
        return WebResponse(status_code=response.status, headers=response.headers)
    if response.stream is not None:
        return StreamingResponse(response.stream, response.status, response.headers, response.content_type)
    return WebResponse(response.body, response.status, response.headers, response.content_type)
