"""The gateway's hot lane for score submissions and cached views.

It goes from the parser to the handler and from the response to the transport: no scope, no receive, no send, and mostly no task. Everything
else, and whatever is unusual about a hot request (pipelined behind another, `Expect`, a client that does not read), takes uvicorn's ASGI
way to the app, with the same answers.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serve_app.gateway.fast_path_wire import HotCycle, head_and_body, wire
from serve_app.gateway.http_connection import GatewayConnection
from serve_app.handlers.reads import MAX_AGE_S
from serve_app.handlers.scores import Submitted
from serve_app.http.bodies import too_large
from serve_app.http.caching import reply_response
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, unavailable
from serve_app.metrics import VIEW_SECONDS

_PREFIX: Final = b"/v1/tournaments/"
_SCORES: Final = b"/scores"
_WANTED: Final = {
    b"authorization": "authorization",
    b"content-type": "content-type",
    b"if-none-match": "if-none-match",
    b"prefer": "prefer",
}
_view_seconds = VIEW_SECONDS.labels(door="gateway")


class GatewayHttp(GatewayConnection):
    """See the module."""

    answering_since_s = 0.0  # a hot request, or 0

    def expire(self, now_s: float) -> None:
        """See GatewayConnection; and a hot request that is not answered in time is told so."""
        super().expire(now_s)
        cycle: Any = self.cycle
        late = self.answering_since_s and now_s - self.answering_since_s > self.limits.request_timeout_s
        if late and type(cycle) is HotCycle and cycle.task is not None:
            cycle.task.cancel()

    # From the parser

    def on_headers_complete(self) -> None:
        """The head of a request is whole: choose the lane."""
        existing = self.cycle
        if (existing is None or existing.response_complete) and not (
            self.refused or self.expect_100_continue or self.flow.write_paused or self.parser.should_upgrade()
        ):
            hot = self._hot_cycle()
            if hot is not None:
                self.cycle = hot  # type: ignore[assignment]
                return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        cycle: Any = self.cycle
        if type(cycle) is not HotCycle:
            super().on_body(body)
        elif not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > self.limits.max_body_bytes:
                cycle.body.clear()
                error = too_large(self.limits.max_body_bytes)
                self._answer(cycle, self.gateway.handlers.error_response(error, "gateway"))

    def on_message_complete(self) -> None:
        """It is whole."""
        cycle: Any = self.cycle
        if type(cycle) is not HotCycle:
            super().on_message_complete()
            return
        self.waiting_since_s = 0.0
        # an upgrade behind it makes no cycle of its own: only the first end is this one's
        if cycle.more_body and not cycle.response_complete and not self.refused:
            cycle.more_body = False
            self._start(cycle)

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
        client = self.gateway.handlers.services.proxies.client(self.client, self.headers)
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
        if cycle.submits:
            try:
                submitted = self.gateway.handlers.submit_score_at_once(request)
            except Exception as error:
                self._answer(cycle, self.gateway.handlers.error_response(error, "submit_score"))
                return
            if submitted is not None:
                self._await(cycle, submitted.offsets)
                submitted.offsets.add_done_callback(lambda _: self._answer_submitted(cycle, submitted))
                return
        self._await(cycle, self.loop.create_task(self._handle(cycle, request)))

    def _await(self, cycle: HotCycle, answer: asyncio.Future[Any]) -> None:
        """Let `expire`, and the server when its time to stop is over, cancel it: the client is told either way."""
        self.answering_since_s = self.loop.time()
        cycle.task = answer
        self.tasks.add(answer)  # type: ignore[arg-type]  # all that the server does with them is to cancel
        answer.add_done_callback(self.tasks.discard)

    def _answer_submitted(self, cycle: HotCycle, submitted: Submitted) -> None:
        response = self.gateway.handlers.submitted(submitted)
        self.answering_since_s = 0.0
        if self.flow is None:  # the connection became a live one
            return
        if self.flow.write_paused:
            self._await(cycle, self.loop.create_task(self._answer_drained(cycle, response)))
        else:
            self._answer(cycle, response)

    async def _answer_drained(self, cycle: HotCycle, response: Response) -> None:
        if self.flow.write_paused:
            try:
                await self.flow.drain()
            except asyncio.CancelledError:  # it does not read, so nothing can be told it
                self.transport.abort()
                raise
        self.answering_since_s = 0.0
        self._answer(cycle, response)

    async def _handle(self, cycle: HotCycle, request: Request) -> None:
        handlers = self.gateway.handlers
        try:
            response = await (handlers.submit_score(request) if cycle.submits else handlers.view(request))
        except asyncio.CancelledError:
            error = unavailable("unavailable", "not answered in time")
            response = handlers.error_response(error, "gateway")
        await self._answer_drained(cycle, response)

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
            self._answer(cycle, reply_response(request, entry.reply, max_age_s=MAX_AGE_S))
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
