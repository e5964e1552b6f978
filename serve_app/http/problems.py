"""Errors as clients see them: RFC 9457 problem details with a stable `code`."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from serve_app.http.caching import PERSONAL
from serve_app.http.messages import Response

logger = logging.getLogger(__name__)
PROBLEM_JSON: Final = "application/problem+json"

CODES: Final[dict[str, tuple[int, str]]] = {
    "malformed": (400, "The request cannot be read"),
    "token_missing": (401, "A token is needed"),
    "token_invalid": (401, "The token is not valid"),
    "token_expired": (401, "The token has expired"),
    "not_yours": (403, "This is not yours"),
    "role_forbidden": (403, "Your role may not do this"),
    "scope_missing": (403, "The access token lacks a scope"),
    "invite_invalid": (403, "An invitation is needed"),
    "removed": (403, "You were removed from this tournament"),
    "not_found": (404, "There is no such page"),
    "tournament_unknown": (404, "There is no such tournament"),
    "not_archived": (404, "This tournament has no file in the archive"),
    "invitation_unknown": (404, "There is no such invitation"),
    "series_unknown": (404, "There is no such series"),
    "participant_unknown": (404, "There is no such participant"),
    "board_unknown": (404, "There is no such board or group"),
    "letter_unknown": (404, "There is no such dead letter"),
    "schema_unknown": (404, "There is no such schema"),
    "prize_unknown": (404, "There is no such prize"),
    "not_ranked": (404, "This participant has no rank"),
    "method_not_allowed": (405, "This method is not offered here"),
    "request_timeout": (408, "The request did not arrive in time"),
    "tournament_full": (409, "The tournament is full"),
    "registration_closed": (409, "Nobody can join any more"),
    "not_joinable": (409, "Nobody joins this one directly"),
    "not_scheduled": (409, "The tournament is not waiting for its start"),
    "not_running": (409, "The tournament is not running"),
    "no_window": (409, "The participants have no windows of their own"),
    "not_over": (409, "The tournament is not over"),
    "not_frozen": (409, "The table does not stand still"),
    "goal_reached": (409, "What ends the tournament has come"),
    "prizes_approved": (409, "The prizes are approved"),
    "not_finished": (409, "The tournament is not finished"),
    "nothing_to_claim": (409, "There is no prize to be claimed"),
    "prize_paid": (409, "The prize is paid"),
    "no_prizes": (409, "The tournament has no prizes"),
    "attributes_fixed": (409, "This was given before"),
    "already_over": (409, "The tournament is over"),
    "too_few_participants": (409, "Too few have joined"),
    "older_rules": (409, "The tournament is older than this"),
    "edit_not_allowed": (409, "The tournament's state forbids this edit"),
    "id_conflict": (409, "This id was used for something else"),
    "score_outdated": (409, "A later score was taken before"),
    "idempotency_conflict": (409, "This Idempotency-Key was used for something else"),
    "too_many_invitations": (409, "The tournament has all the invitations it may have"),
    "refused": (409, "The tournament's state forbids this"),
    "version_mismatch": (412, "The tournament has changed"),
    "too_large": (413, "The request is too large"),
    "unsupported_media_type": (415, "The body's type is not supported"),
    "invalid": (422, "A field is wrong"),
    "not_replayable": (422, "This cannot be sent again"),
    "rate_limited": (429, "Too many requests"),
    "too_many_sockets_of_address": (429, "Too many live connections of one address"),
    "internal": (500, "Something went wrong on our side"),
    "unavailable": (503, "Not available just now"),
    "log_unavailable": (503, "Scores cannot be taken just now"),
    "log_overloaded": (503, "Too many scores are waiting"),
    "log_behind": (503, "Scores wait too long to be applied"),
    "disk_full": (503, "The disk is full"),
    "clock_ahead": (503, "The log's clock is ahead"),
    "keys_unavailable": (503, "Tokens cannot be checked just now"),
    "draining": (503, "This server is stopping"),
    "too_many_sockets": (503, "All live connections are taken"),
}


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field; `path` is dotted (`metadata.tags[0]`), empty for the whole body."""

    path: str
    message: str


class Problem(Exception):  # noqa: N818 - the name of RFC 9457
    """An answer that is an error. `code` is one of CODES; `status` may be 0: then the code's own; headers have lower-case names."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status or CODES[code][0]
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.reference = ""  # of the log's lines about it
        self.oauth_error = ""  # what RFC 6749 calls it, where a token was asked for


class ProblemDetails(msgspec.Struct, omit_defaults=True):
    """An error (RFC 9457); `error` is OAuth's name for it where a token was asked for (RFC 6749)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []
    reference: str = ""
    error: str = ""


def invalid(path: str, message: str) -> Problem:
    """One wrong field: 422."""
    return Problem(422, "invalid", f"{path}: {message}", [FieldError(path, message)])


def unavailable(code: str, detail: str, retry_after_s: float = 1.0) -> Problem:
    """503 with `Retry-After`, in whole seconds, at least one."""
    return Problem(503, code, detail, headers={"retry-after": str(max(1, math.ceil(retry_after_s)))})


def problem_response(problem: Problem) -> Response:
    """The response of a problem."""
    body = ProblemDetails(
        type=f"/docs#{problem.code}",
        title=CODES[problem.code][1],
        status=problem.status,
        detail=problem.detail,
        code=problem.code,
        errors=list(problem.errors),
        reference=problem.reference,
        error=problem.oauth_error,
    )
    headers = {**PERSONAL, **problem.headers}
    return Response(problem.status, msgspec.json.encode(body), headers, PROBLEM_JSON)


def unexpected(error: BaseException, where: str) -> Problem:
    """500 for an error of our own: logged whole under a reference, of which the client is told nothing else."""
    reference = secrets.token_hex(6)
    logger.error("%s failed, reference %s", where, reference, exc_info=error)
    detail = f"The error was logged; please name the reference {reference} when you report it."
    problem = Problem(500, "internal", detail)
    problem.reference = reference
    return problem


def unexpected_response(error: BaseException, where: str) -> Response:
    """Its answer."""
    return problem_response(unexpected(error, where))
