"""Submitting a score. An entrypoint refuses a score only for form, auth, size, rate and an unknown tournament."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from actors.domain.errors import ResultError
from actors.domain.messages import encode_score, encode_submission
from actors.domain.publications import OutcomeReply
from actors.domain.values import decimal_score, hundredths, parse_id
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.http.bodies import require_json
from serve_app.http.caching import NO_STORE
from serve_app.http.headers import preferred_wait_s
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import Problem, invalid, unavailable
from serve_app.http.request_schemas import (
    BatchSubmission,
    PlainSubmission,
    Submission,
    check_submission,
    decode_plain_submission,
    read_submission,
)
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
        if isinstance(body, Submission):
            await self.reads.learn_rules(known)
        wait_s = preferred_wait_s(request.headers, 0.0, self.config.max_wait_s)
        reply_to = self.waiters.reply_to(wait_s)
        offset = (await self._submit(known, body, user_id, score, reply_to))[0]
        self._count_accepted(started_s)
        if reply_to:
            outcome = await self.waiters.wait(known.partition, offset, wait_s)
            if outcome is not None:
                self._applied_seconds.observe(time.perf_counter() - started_s)
                outcome = await self.reads.with_rank(known, user_id, principal, outcome)
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
        if isinstance(body, Submission) and known.rules is None:
            return None
        offsets = self._submit(known, body, user_id, score)
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
        self, known: Known, body: PlainSubmission | Submission, user_id: int, score: int, reply_to: str = ""
    ) -> asyncio.Future[list[int]]:
        """Raises Problem 422 for what does not fit the tournament's rules, where these are known."""
        if not known.plain or isinstance(body, Submission):
            value = fitting_value(known, body, user_id)
        else:
            value = encode_score(body.event_id, user_id, score)
        record = NewRecord(known.partition, known.key, value, "", reply_to)
        return self.appends.submit([record], self.config.append_timeout_s)

    def _count_accepted(self, started_s: float) -> None:
        self._accepted.inc()
        self._seconds.observe(time.perf_counter() - started_s)

    def record(self, known: Known, submission: Submission, principal: Principal) -> NewRecord:
        """The record of a submission. Raises Problem 403, 422."""
        if submission.plain and submission.score is not UNSET and known.plain:
            try:
                value = encode_score(submission.event_id, _user_of(submission, principal), hundredths(submission.score))
                return NewRecord(known.partition, known.key, value)
            except ValueError:  # told below
                pass
        check_submission(submission)
        _check_either(submission)
        user_id = _user_of(submission, principal)
        return NewRecord(known.partition, known.key, fitting_value(known, submission, user_id))

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


def _read_submission(body: bytes, principal: Principal) -> tuple[PlainSubmission | Submission, int, int]:
    """(submission, user id, hundredths of a plain one). Raises Problem 400, 403, 422."""
    submission: PlainSubmission | Submission
    try:
        submission = decode_plain_submission(body)
        return submission, _user_of(submission, principal), hundredths(submission.score)
    except (
        ValueError,
        RecursionError,
    ):  # of any kind: more than a plain score, or read again slowly, for all its problems
        submission = read_submission(body)
        _check_either(submission)
        return submission, _user_of(submission, principal), 0


def _check_either(submission: Submission) -> None:
    """Raises Problem 422 unless it has a score or a result, and not both."""
    if submission.score is UNSET and submission.result is UNSET:
        raise invalid("score", "expected this field, or a result")
    if submission.score is not UNSET and submission.result is not UNSET:
        raise invalid("result", "expected either this field or score, not both")


def _user_of(submission: PlainSubmission | Submission, principal: Principal) -> int:
    """Raises Problem 403, 422, and ValueError for an id that is none."""
    user_id = principal.user_id if submission.user_id is None else parse_id(submission.user_id)
    if principal.role == "service":
        if submission.user_id is None:
            raise invalid("user_id", "expected the user whose score this is")
    elif user_id != principal.user_id:
        raise Problem(403, "not_yours", "expected your own user id: scores of others are submitted by a service")
    return user_id


def fitting_value(known: Known, body: PlainSubmission | Submission | BatchSubmission, user_id: int) -> bytes:
    """The record of a submission. Raises Problem 422 for what does not fit the tournament's rules, as far as they are known."""
    subscore, result = (UNSET, UNSET) if isinstance(body, PlainSubmission) else (body.subscore, body.result)
    if known.rules is not None:
        try:
            known.rules.check(subscore=subscore is not UNSET, result=result)
        except ResultError as error:
            raise invalid(error.path, error.message) from None
    return encode_submission(
        body.event_id,
        user_id,
        None if body.score is UNSET else hundredths(body.score),
        None if subscore is UNSET else hundredths(subscore),
        None if result is UNSET else _encode(result),
    )


def accepted(event_id: str, partition: int, offset: int | None) -> Response:
    """202: in the log, its outcome not known here."""
    body = _encode({"event_id": event_id, "partition": partition, "offset": offset})
    return Response(202, body, dict(NO_STORE))


def outcome_body(event_id: str, outcome: OutcomeReply, **more: Any) -> bytes:
    """The outcome of a waited-for record as the contract has it."""
    fields: dict[str, Any] = {"event_id": event_id, "outcome": outcome.outcome}
    if outcome.reason:
        fields["reason"] = outcome.reason
    if outcome.reason == "result_invalid":
        fields["detail"] = outcome.detail
    fields["score"] = None if outcome.score is None else decimal_score(outcome.score)
    if outcome.subscore is not None:
        fields["subscore"] = decimal_score(outcome.subscore)
    fields["rank"] = outcome.rank
    fields["previous_rank"] = outcome.previous_rank
    return _encode({**fields, **more})
