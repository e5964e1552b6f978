"""How the gateway answers HTTP: score submissions and cached views on a fast path, everything else through the app.

The fast path goes from the parser to the handler and from the response to the transport, mostly without a task.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serve_app.gateway.exchange import Exchange, head_and_body, wire
from serve_app.gateway.http_connection import GatewayConnection
from serve_app.handlers.reads import MAX_AGE_S
from serve_app.handlers.scores import Submitted
from serve_app.http.caching import reply_response
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, unavailable
from serve_app.metrics import VIEW_SECONDS

logger = logging.getLogger(__name__)
_PREFIX: Final = b"/v1/tournaments/"
_SCORES: Final = b"/scores"
_WANTED: Final = {
    b"authorization": "authorization",
    b"content-encoding": "content-encoding",
    b"content-type": "content-type",
    b"if-none-match": "if-none-match",
    b"prefer": "prefer",
    b"transfer-encoding": "transfer-encoding",
}
_view_seconds = VIEW_SECONDS.labels(entrypoint="gateway")


class GatewayHttp(GatewayConnection):
    """See the module."""

    def start(self, exchange: Exchange) -> None:
        """Answer a whole request."""
        client = self.client_of(exchange)
        target = exchange.target
        if target.startswith(_PREFIX):
            if exchange.method == b"POST" and target.endswith(_SCORES):
                tournament = target[len(_PREFIX) : -len(_SCORES)]
                if tournament.isdigit():
                    self._submit(exchange, tournament.decode("ascii"), client)
                    return
            elif exchange.method == b"GET" and target[len(_PREFIX) :].isdigit():
                self._view(exchange, target[len(_PREFIX) :].decode("ascii"), client)
                return
        self._run(exchange, self.gateway.answer(exchange, client))

    def _submit(self, exchange: Exchange, tournament: str, client: str) -> None:
        body = bytes(exchange.body)
        request = Request("POST", _wanted(exchange), {}, {"tournament": tournament}, body, client)
        handlers = self.gateway.handlers
        try:
            submitted = handlers.scores.submit_score_at_once(request)
        except Exception as error:
            self._respond(exchange, handlers.errors.response(error, "submit_score"))
            return
        if submitted is None:
            self._run(exchange, handlers.table["submit_score"](request))
            return
        self._await(exchange, submitted.offsets)
        submitted.offsets.add_done_callback(lambda _: self._answer_submitted(exchange, submitted))

    def _answer_submitted(self, exchange: Exchange, submitted: Submitted) -> None:
        self.tasks.discard(submitted.offsets)
        handlers = self.gateway.handlers
        try:
            response = handlers.scores.submitted(submitted)
        except Exception as error:
            response = handlers.errors.response(error, "submit_score")
        self._respond(exchange, response)

    def _view(self, exchange: Exchange, tournament: str, client: str) -> None:
        """A public view from the cache at once; else by the handler."""
        started_s = time.perf_counter()
        services = self.gateway.services
        authorization, principal = exchange.authorization, None
        if authorization is not None:
            principal = services.authenticator.peek(authorization)
        known = authorization is None or principal is not None
        entry = services.reads.cached_view(tournament, principal, time.monotonic()) if known else None
        if entry is None:
            request = Request("GET", _wanted(exchange), {}, {"tournament": tournament}, b"", client)
            self._run(exchange, self.gateway.handlers.table["view"](request))
            return
        try:
            services.limiter.check(principal, client)
        except Problem as problem:
            self._respond(exchange, self.gateway.handlers.errors.response(problem, "gateway"))
            return
        if b"if-none-match" in exchange.headers:
            request = Request("GET", _wanted(exchange))
            self._respond(exchange, reply_response(request, entry.reply, max_age_s=MAX_AGE_S))
        else:
            self.answer(exchange, STATUS_LINE[200], entry.wire or wire(entry))
        _view_seconds.observe(time.perf_counter() - started_s)

    def _run(self, exchange: Exchange, response: Awaitable[Response]) -> None:
        answer = self.loop.create_task(self._answer_when_there(exchange, response))
        answer.add_done_callback(self.tasks.discard)
        self._await(exchange, answer)

    async def _answer_when_there(self, exchange: Exchange, response: Awaitable[Response]) -> None:
        try:
            answer = await response
        except asyncio.CancelledError:
            answer = self.gateway.handlers.errors.response(
                unavailable("unavailable", "not answered in time"), "gateway"
            )
        if answer.stream is None:
            self._respond(exchange, answer)
            return
        self.gateway.share(exchange, answer)
        try:
            await self.answer_in_pieces(exchange, answer)
        except asyncio.CancelledError:
            logger.warning("an answer broke off: its client or its pieces were too slow, or this server stops")
        except Exception:
            logger.exception("an answer broke off")

    def _await(self, exchange: Exchange, answer: asyncio.Future[Any]) -> None:
        """Let `expire`, and the server when its time to stop is over, cancel it while it is in `tasks`: the client is told either way."""
        self.answering_since_s = self.loop.time()
        exchange.answer = answer
        self.tasks.add(answer)  # type: ignore[arg-type]  # all that the server does with them is to cancel

    def _respond(self, exchange: Exchange, response: Response) -> None:
        self.gateway.share(exchange, response)
        try:
            rest = head_and_body(response)
        except ValueError as error:
            response = self.gateway.handlers.errors.response(error, "gateway")
            rest = head_and_body(response)
        if exchange.method == b"HEAD" and response.body:
            rest = rest[: -len(response.body)]
        self.answer(exchange, STATUS_LINE[response.status], rest)


def _wanted(exchange: Exchange) -> dict[str, str]:
    return {_WANTED[name]: value.decode("latin-1") for name, value in exchange.headers.items() if name in _WANTED}
