"""What can go wrong: a problem that Palio answered (by its status and its `code`), or no answer within the patience."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, cast

import msgspec

# The `code` of a problem (RFC 9457). A newer Palio may answer others: compare, and let the rest fall through.
Code = Literal[
    "already_over",
    "attributes_fixed",
    "board_unknown",
    "clock_ahead",
    "disk_full",
    "draining",
    "edit_not_allowed",
    "goal_reached",
    "id_conflict",
    "idempotency_conflict",
    "internal",
    "invalid",
    "invitation_unknown",
    "invite_invalid",
    "keys_unavailable",
    "letter_unknown",
    "log_behind",
    "log_overloaded",
    "log_unavailable",
    "malformed",
    "method_not_allowed",
    "no_prizes",
    "no_window",
    "not_archived",
    "not_finished",
    "not_found",
    "not_frozen",
    "not_joinable",
    "not_over",
    "not_ranked",
    "not_replayable",
    "not_running",
    "not_scheduled",
    "not_yours",
    "nothing_to_claim",
    "older_rules",
    "participant_unknown",
    "prize_paid",
    "prize_unknown",
    "prizes_approved",
    "rate_limited",
    "refused",
    "registration_closed",
    "removed",
    "request_timeout",
    "role_forbidden",
    "scope_missing",
    "score_outdated",
    "schema_unknown",
    "series_unknown",
    "token_expired",
    "token_invalid",
    "token_missing",
    "too_few_participants",
    "too_large",
    "too_many_invitations",
    "too_many_sockets",
    "too_many_sockets_of_address",
    "tournament_full",
    "tournament_unknown",
    "unavailable",
    "unsupported_media_type",
    "version_mismatch",
]


class PalioError(Exception):
    """Base of all errors of this package."""


class NoAnswerError(PalioError):
    """Palio did not answer a call well within `retry_for_s`; the message says which call, and what came last.

    Of a call that changes something it is not known whether it did: the same call again does no harm.
    """


class NotPalioError(PalioError):
    """What answered is not Palio, or one that speaks otherwise; the message has the beginning of what it said."""


class LiveClosedError(PalioError):
    """The live connection ended for good: a close code that says so, or a handshake that will never be accepted."""


class LiveError(PalioError):
    """The live connection refused a subscription, ended it or signed out; `code` says why, as docs/live-protocol.md lists them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class BufferFullError(PalioError):
    """A buffer with the policy `raise` has no room; nothing was taken."""


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field of a body; `path` is dotted, empty for the whole body."""

    path: str
    message: str


class ProblemError(PalioError):
    """Palio refused a call: `status`, `code`, `detail` in words, and for a wrong body what is wrong with which field.

    Its subclasses go by status; which of a status it is, `code` says.
    """

    status_of_class: ClassVar[int] = 0

    def __init__(
        self,
        call: str,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[FieldError] = (),
        *,
        repeated: bool = False,
    ) -> None:
        super().__init__(f"{call}: {status} {code}: {detail}")
        self.status = status
        self.code = cast(Code, code)
        self.detail = detail
        self.errors = tuple(errors)
        self.repeated = repeated
        """An earlier try, whose answer did not come, may have been carried out."""


class MalformedError(ProblemError):
    """400."""

    status_of_class = 400


class UnauthorizedError(ProblemError):
    """401: there is no token, or it is not valid any more."""

    status_of_class = 401


class ForbiddenError(ProblemError):
    """403: not yours, or not for your role."""

    status_of_class = 403


class NotFoundError(ProblemError):
    """404: there is none, or it is hidden from you."""

    status_of_class = 404


class ConflictError(ProblemError):
    """409: the tournament's state forbids it."""

    status_of_class = 409


class VersionMismatchError(ProblemError):
    """412: it was edited since."""

    status_of_class = 412


class TooLargeError(ProblemError):
    """413."""

    status_of_class = 413


class InvalidError(ProblemError):
    """422: a field is wrong; `errors` names it."""

    status_of_class = 422


_BY_STATUS = {kind.status_of_class: kind for kind in ProblemError.__subclasses__()}


class _Problem(msgspec.Struct):
    status: int
    code: str
    detail: str
    errors: list[FieldError] = []


def problem_of(call: str, status: int, body: bytes, *, repeated: bool = False) -> ProblemError | NotPalioError:
    """The error of an answer that refuses a call."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.MsgspecError, UnicodeError):
        return NotPalioError(f"{call}: expected Palio's answer, got {status} {body[:200]!r}")
    kind = _BY_STATUS.get(status, ProblemError)
    return kind(call, status, problem.code, problem.detail, problem.errors, repeated=repeated)
