"""Submitting a score. An entrypoint refuses a score only for form, auth, size, rate and an unknown tournament."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from actors.domain.messages import encode_score
from actors.domain.publications import OutcomeReply
from actors.domain.values import decimal_score, hundredths, parse_id
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.http.bodies import require_json
from serve_app.http.caching import NO_STORE
from serve_app.http.headers import preferred_wait_s
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import Problem, invalid, unavailable
from serve_app.http.request_schemas import Submission, check_submission, decode_submission, read_submission
from serve_app.metrics import ACCEPTED, APPLIED_SECONDS, SUBMISSION_SECONDS
from serve_app.services.known import Known
from serve_app.services.outcome_waiters import Waiters
from serve_app.services.reads import Reads
from serve_app.services.retention import Appends
from storage.ports import NewRecord

MEMBERSHIP_REMEMBERED_S: Final = 60.0  # only for submissions while nobody can be asked
MAX_MEMBERSHIPS: Final = 100_000
_encode = msgspec.json.Encoder().encode


class Submitted(NamedTuple):
    """A score on its way into the log: the future has its one offset."""

    offsets: asyncio.Future[list[int]]
    event_id: str
    partition: int
    started_s: float


@dataclass(eq=False)
class ScoreHandlers:
    """See the module. `entrypoint` is the metrics' label."""

    callers: Callers
    reads: Reads
    appends: Appends
    waiters: Waiters
    config: FrontConfig
    entrypoint: str

    def __post_init__(self) -> None:
        self._accepted = ACCEPTED.labels(entrypoint=self.entrypoint, kind="score")
        self._seconds = SUBMISSION_SECONDS.labels(entrypoint=self.entrypoint)
        self._applied_seconds = APPLIED_SECONDS.labels(entrypoint=self.entrypoint)
        self._members: OrderedDict[tuple[int, int], float] = OrderedDict()

    async def submit_score(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/scores`: 202 with partition and offset, or 200 with the outcome when waited for."""
        started_s = time.perf_counter()
        principal = self.callers.caller_at_once(request) or await self.callers.caller(request)
        body, user_id, score = _read_submission(require_json(request, self.config.max_body_bytes), principal)
        known = self.reads.known(request.path["tournament"])
        if known is None or not (known.public or principal.privileged):
            known = await self.target(request.path["tournament"], principal)
        wait_s = preferred_wait_s(request.headers, 0.0, self.config.max_wait_s)
        reply_to = self.waiters.reply_to(wait_s)
        offset = (await self._submit(known, body.event_id, user_id, score, reply_to))[0]
        self._count_accepted(started_s)
        if reply_to:
            outcome = await self.waiters.wait(known.partition, offset, wait_s)
            if outcome is not None:
                self._applied_seconds.observe(time.perf_counter() - started_s)
                return Response(200, outcome_body(body.event_id, outcome), dict(NO_STORE))
        return accepted(body.event_id, known.partition, offset)

    def submit_score_at_once(self, request: Request) -> Submitted | None:
        """As `submit_score`, without waiting for anything but the log; None, with nothing done, where it takes more than that.

        Raises what is wrong with it.
        """
        known = self.reads.known(request.path["tournament"])
        if known is None or not known.public or "prefer" in request.headers:
            return None
        started_s = time.perf_counter()
        principal = self.callers.caller_at_once(request)
        if principal is None:
            return None
        body, user_id, score = _read_submission(require_json(request, self.config.max_body_bytes), principal)
        offsets = self._submit(known, body.event_id, user_id, score)
        return Submitted(offsets, body.event_id, known.partition, started_s)

    def submitted(self, submission: Submitted) -> Response:
        """The answer to a submission whose offsets have come. Raises what the log raised, Problem 503 when it was cancelled."""
        try:
            offset = submission.offsets.result()[0]
        except asyncio.CancelledError:
            raise unavailable("unavailable", "not answered in time") from None
        self._count_accepted(submission.started_s)
        return accepted(submission.event_id, submission.partition, offset)

    def _submit(
        self, known: Known, event_id: str, user_id: int, score: int, reply_to: str = ""
    ) -> asyncio.Future[list[int]]:
        record = NewRecord(known.partition, known.key, encode_score(event_id, user_id, score), "", reply_to)
        return self.appends.submit([record], self.config.append_timeout_s)

    def _count_accepted(self, started_s: float) -> None:
        self._accepted.inc()
        self._seconds.observe(time.perf_counter() - started_s)

    def record(self, known: Known, submission: Submission, principal: Principal) -> NewRecord:
        """The record of a submission. Raises Problem 403, 422."""
        try:
            user_id, score = _judged(submission, principal)
        except ValueError:
            check_submission(submission)
            raise AssertionError("a value that failed was found right") from None
        return NewRecord(known.partition, known.key, encode_score(submission.event_id, user_id, score))

    async def target(self, tournament: str, principal: Principal) -> Known:
        """The tournament of a submission: found, and not hidden from the caller. Raises Problem 404, 503."""
        now_s = time.monotonic()
        try:
            known = await self.reads.visible(tournament, principal)
        except Problem as problem:
            found = self.reads.known(tournament)
            if found is None:
                raise
            # while an owner restarts, who was a member a minute ago may submit: the fold judges all the same
            member = (found.tournament_id, principal.user_id)
            remembered_s = self._members.get(member)
            if problem.status == 503 and remembered_s is not None and now_s - remembered_s < MEMBERSHIP_REMEMBERED_S:
                return found
            self._members.pop(member, None)
            raise
        if known.public or principal.privileged:
            return known
        member = (known.tournament_id, principal.user_id)
        self._members[member] = now_s
        self._members.move_to_end(member)
        if len(self._members) > MAX_MEMBERSHIPS:
            self._members.popitem(last=False)
        return known


def _read_submission(body: bytes, principal: Principal) -> tuple[Submission, int, int]:
    """(submission, user id, hundredths). Raises Problem 400, 403, 422."""
    try:
        submission = decode_submission(body)
        return submission, *_judged(submission, principal)
    except (ValueError, RecursionError):  # of any kind: read again slowly, for all its problems
        read_submission(body)
        raise AssertionError("a body that failed to be read was read") from None


def _judged(submission: Submission, principal: Principal) -> tuple[int, int]:
    """(user id, hundredths). Raises Problem 403, 422, and ValueError for a value that is wrong."""
    score = hundredths(submission.score)
    user_id = principal.user_id if submission.user_id is None else parse_id(submission.user_id)
    if principal.role == "service":
        if submission.user_id is None:
            raise invalid("user_id", "expected the user whose score this is")
    elif user_id != principal.user_id:
        raise Problem(403, "not_yours", "expected your own user id: scores of others are submitted by a service")
    return user_id, score


def accepted(event_id: str, partition: int, offset: int | None) -> Response:
    """202: in the log, its outcome not known here."""
    body = _encode({"event_id": event_id, "partition": partition, "offset": offset})
    return Response(202, body, dict(NO_STORE))


def outcome_body(event_id: str, outcome: OutcomeReply, **more: Any) -> bytes:
    """The outcome of a waited-for record as the contract has it."""
    fields: dict[str, Any] = {"event_id": event_id, "outcome": outcome.outcome}
    if outcome.reason:
        fields["reason"] = outcome.reason
    fields["score"] = None if outcome.score is None else decimal_score(outcome.score)
    fields["rank"] = outcome.rank
    fields["previous_rank"] = outcome.previous_rank
    return _encode({**fields, **more})
