"""Headers of every answer of the api: CORS for its calls, and what keeps browsers from guessing; and no answer is a stack trace."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response as WebResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.http.cors import CORS_RAW, cross_origin, is_preflight, preflight_response
from serve_app.http.messages import Response
from serve_app.http.problems import unexpected_response

ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),  # may be kept, if asked for each time
)


class SecurityHeaders:
    """ASGI middleware; answers preflights itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        shared = cross_origin(scope["path"])
        if shared and is_preflight(scope["method"], Headers(scope=scope)):
            await web_response(preflight_response())(scope, receive, send)
            return

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                present = {name for name, _ in message["headers"]}
                more = (*ALWAYS, *CORS_RAW) if shared else ALWAYS
                message["headers"] = [*message["headers"], *(header for header in more if header[0] not in present)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if started:
                raise
            unexpected = web_response(unexpected_response(error, scope["path"]))
            await unexpected(scope, receive, send_with_headers)


def web_response(response: Response) -> WebResponse:
    """A handler's answer as Starlette sends it."""
    if response.status in (204, 304):
        return WebResponse(status_code=response.status, headers=response.headers)
    return WebResponse(response.body, response.status, response.headers, response.content_type)
