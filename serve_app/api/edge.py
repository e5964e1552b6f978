"""What Serve's proxy says of itself, in the contract's form: while the api starts, when its replica is gone or has too much to do.

An ASGI middleware around Serve's proxy. Answers of the api itself pass: they are known by the headers that all of them carry. One that
comes before its request is whole ends with it: the connection would be closed, and with bytes unread the answer be lost.
"""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.api.security_headers import ALWAYS, completed
from serve_app.http.cors import Cors
from serve_app.http.problems import Problem, problem_response, unavailable
from serve_app.metrics import REJECTED

SERVES_OWN: Final = "/-/"  # its routes and health, which are nobody's business
# Headers by which a request would set its own time limit, or go on without its client; and by which it would ask for a part of a page, of
# which none is so large that it helps, and be told in plain text where it asks wrongly.
NOT_OFFERED: Final = (b"x-request-timeout-seconds", b"x-request-disconnect-disabled", b"range")
_OURS: Final = ALWAYS[0][0]


class ApiEdge:
    """See the module."""

    def __init__(self, app: ASGIApp, cors: Cors) -> None:
        self._app = app
        self._cors = cors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = [header for header in scope["headers"] if header[0] not in NOT_OFFERED]
        status, started, whole, gone = 0, False, False, False

        async def receive_noted() -> Message:
            nonlocal whole, gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            whole = whole or gone or not message.get("more_body")
            return message

        async def send_whole(message: Message) -> None:
            """Send; the end of the answer only once the request has ended."""
            if message["type"] == "http.response.body" and not message.get("more_body") and not whole:
                await send({**message, "more_body": True})
                while not whole:
                    await receive_noted()
                message = {"type": "http.response.body"}
            await send(message)

        async def send_ours(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status = message["status"]
                started = any(name == _OURS for name, _ in message["headers"])
            if started:
                await send_whole(message)

        # What is no path at all (`OPTIONS *`) Serve routes nowhere, as if the api were starting.
        if scope["path"].startswith(SERVES_OWN) or not scope["path"].startswith("/"):
            problem = Problem(404, "not_found", "there is no such page")
        else:
            await self._app(scope, receive_noted, send_ours)
            if started or gone:
                return
            problem = problem_of(status, whole=whole)
        for message in self._messages(scope, problem):
            await send_whole(message)

    def _messages(self, scope: Scope, problem: Problem) -> list[Message]:
        REJECTED.labels("api", problem.code).inc()
        response = problem_response(problem)
        length = str(len(response.body))
        own = response.headers | {"content-type": response.content_type, "content-length": length}
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in own.items()]
        return [
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": completed(scope, headers, self._cors),
            },
            {"type": "http.response.body", "body": response.body},
        ]


def problem_of(status: int, *, whole: bool) -> Problem:
    """What an answer of Serve's own means; 0: it gave none. `whole`: the request had arrived."""
    if status == 404:
        return unavailable("starting", "the api is starting; try again")
    if status == 408 and not whole:
        return Problem(
            408, "request_timeout", "expected the whole request in less time", headers={"connection": "close"}
        )
    if status == 408:
        return unavailable("unavailable", "not answered in time")
    if status == 503:
        return unavailable("unavailable", "too many requests wait")
    return unavailable("unavailable", "the api's process has ended; another one is being started")
