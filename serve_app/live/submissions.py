"""Scores that are submitted on live sockets: the rules of the POST, answered in batches.

What a socket sends in one turn of the loop is one append, and one frame acknowledges it. Of one socket at most MAX_IN_FLIGHT wait for the
log; meanwhile nothing more of it is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from serve_app.handlers.errors import Errors
from serve_app.handlers.scores import ScoreHandlers
from serve_app.http.messages import Principal
from serve_app.http.problems import Problem
from serve_app.http.request_schemas import LiveSubmission
from serve_app.live.protocol import MessageId, ok_frame, refusal_frame
from serve_app.metrics import ACCEPTED
from serve_app.security.auth import unauthorized
from serve_app.security.rate_limits import Limiter
from storage.ports import NewRecord

MAX_IN_FLIGHT: Final = 1000
WHERE: Final = "submit on a live socket"


class LiveScores:
    """What the sockets of a gateway share: the rules, and the way into the log."""

    def __init__(self, scores: ScoreHandlers, limiter: Limiter, errors: Errors) -> None:
        self._scores = scores
        self._limiter = limiter
        self._errors = errors
        self._accepted = ACCEPTED.labels(entrypoint="gateway", kind="live_score")

    def at_once(self, submission: LiveSubmission, principal: Principal | None, address: str) -> NewRecord | None:
        """The record of a score, counted against its caller's limit; None, with nothing done, where somebody has to be asked.

        Raises Problem 401, 403, 422, 429.
        """
        known = self._scores.reads.known(submission.tournament)
        if principal is None or known is None or not (known.public or principal.privileged):
            return None
        if known.rules is None and not submission.plain:
            return None
        self._limiter.check(principal, address)
        return self._scores.record(known, submission, principal)

    async def after_asking(self, submission: LiveSubmission, principal: Principal | None, address: str) -> NewRecord:
        """The same, whoever has to be asked. Raises also Problem 404, 503."""
        if principal is None:
            raise unauthorized("token_missing", "expected `auth` before `submit`")
        self._limiter.check(principal, address)
        known = await self._scores.target(submission.tournament, principal)
        if not submission.plain:
            await self._scores.reads.learn_rules(known)
        return self._scores.record(known, submission, principal)

    def append(self, records: list[NewRecord]) -> asyncio.Future[list[int]]:
        """See `Appends.submit`."""
        return self._scores.appends.submit(records, self._scores.config.append_timeout_s)

    def refusals(self, ids: list[MessageId], error: Exception) -> bytes:
        """The frames that tell what went wrong with these, counted."""
        problem = self._errors.problem(error, WHERE)
        return b"".join([refusal_frame(message_id, problem) for message_id in ids])

    def accepted(self, ids: list[MessageId]) -> bytes:
        """The frame that acknowledges these, counted."""
        self._accepted.inc(len(ids))
        return ok_frame(*ids)


class Held(Protocol):
    """What is not read from while too much of it is in flight."""

    def hold(self, held: bool) -> None:
        """Stop reading, or go on."""
        ...


class Submissions:
    """Those of one socket that are on their way. `send` gets whole frames."""

    __slots__ = ("_connection", "_ids", "_in_flight", "_records", "_scores", "_send")

    def __init__(self, scores: LiveScores, connection: Held, send: Callable[[bytes], None]) -> None:
        self._scores = scores
        self._connection = connection
        self._send = send
        self._ids: list[MessageId] = []
        self._records: list[NewRecord] = []
        self._in_flight = 0

    def add(self, message_id: MessageId, record: NewRecord) -> None:
        """Append it with what else comes in this turn of the loop."""
        if not self._records:
            asyncio.get_running_loop().call_soon(self._append)
        self._ids.append(message_id)
        self._records.append(record)
        self._in_flight += 1
        if self._in_flight == MAX_IN_FLIGHT:
            self._connection.hold(True)

    def _append(self) -> None:
        ids, records, self._ids, self._records = self._ids, self._records, [], []
        try:
            offsets = self._scores.append(records)
        except Exception as error:
            self._settle(ids, error)
            return
        offsets.add_done_callback(partial(self._appended, ids))

    def _appended(self, ids: list[MessageId], offsets: asyncio.Future[list[int]]) -> None:
        error = Problem(0, "log_unavailable", "the server is stopping") if offsets.cancelled() else offsets.exception()
        self._settle(ids, error)

    def _settle(self, ids: list[MessageId], error: BaseException | None) -> None:
        held = self._in_flight >= MAX_IN_FLIGHT
        self._in_flight -= len(ids)
        if isinstance(error, Exception):
            self._send(self._scores.refusals(ids, error))
        else:
            self._send(self._scores.accepted(ids))
        if held and self._in_flight < MAX_IN_FLIGHT:
            self._connection.hold(False)
