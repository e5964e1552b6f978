"""Around the api's app: how many requests are answered at once, and how long each may take, or each piece of an answer in pieces.

An answer that comes before its request is whole ends with it: the connection would be closed, and with bytes unread the answer be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.api.security_headers import completed
from serve_app.http.cors import Cors
from serve_app.http.problems import Problem, problem_response, unavailable
from serve_app.metrics import REJECTED

MAX_RUNNING: Final = 3000  # requests of a process
RANGE: Final = (
    b"range"  # no page is so large that a part of it helps, and who asks wrongly would be told so in plain text
)
_BODY: Final = (b"content-length", b"transfer-encoding")


class ApiEdge:
    """See the module."""

    def __init__(self, app: ASGIApp, cors: Cors, timeout_s: float) -> None:
        self._app = app
        self._cors = cors
        self._timeout_s = timeout_s
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        whole = True
        for name, _ in scope["headers"]:
            if name in _BODY:
                whole = False
            elif name == RANGE:
                scope["headers"] = [header for header in scope["headers"] if header[0] != RANGE]
        request = _Request(receive, send, whole=whole)
        if self._running >= MAX_RUNNING:
            await self._refuse(scope, request, unavailable("unavailable", "too many requests wait"))
            return
        self._running += 1
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                request.extend = lambda: limit.reschedule(asyncio.get_running_loop().time() + self._timeout_s)
                await self._app(scope, receive if whole else request.receive, request.send)
        except TimeoutError:
            if request.started:
                raise
            await self._refuse(scope, request, _late(whole=request.whole))
        finally:
            self._running -= 1

    async def _refuse(self, scope: Scope, request: _Request, problem: Problem) -> None:
        REJECTED.labels("api", problem.code).inc()
        response = problem_response(problem)
        length = str(len(response.body))
        own = response.headers | {"content-type": response.content_type, "content-length": length}
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in own.items()]
        start = {"type": "http.response.start", "status": response.status}
        await request.send({**start, "headers": completed(scope, headers, self._cors)})
        await request.send({"type": "http.response.body", "body": response.body})


def _late(*, whole: bool) -> Problem:
    if whole:
        return unavailable("unavailable", "not answered in time")
    return Problem(408, "request_timeout", "expected the whole request in less time", headers={"connection": "close"})


class _Request:
    """A request, and whether it is `whole` and its answer `started`."""

    __slots__ = ("_receive", "_send", "extend", "started", "whole")

    def __init__(self, receive: Receive, send: Send, *, whole: bool) -> None:
        self._receive = receive
        self._send = send
        self.whole = whole
        self.started = False
        self.extend: Callable[[], None] = lambda: None

    async def receive(self) -> Message:
        message = await self._receive()
        self.whole = self.whole or message["type"] == "http.disconnect" or not message.get("more_body")
        return message

    async def send(self, message: Message) -> None:
        """Send; the end of the answer only once the request has ended."""
        self.started = True
        if not self.whole and message["type"] == "http.response.body" and not message.get("more_body"):
            await self._send({**message, "more_body": True})
            while not self.whole:
                await self.receive()
            message = {"type": "http.response.body"}
        await self._send(message)
        if message.get("more_body"):  # one who goes on reading has time for the rest
            self.extend()
