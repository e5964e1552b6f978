"""Every call is answered: problems and the ports' errors in the contract's form, anything else as a logged 500."""

from __future__ import annotations

import functools
from typing import Final

from serve_app.http.messages import Handler, Request, Response
from serve_app.http.problems import CODES, Problem, problem_response, unavailable, unexpected
from serve_app.metrics import REJECTED
from serve_app.services.reads import owner_away
from storage.ports import (
    ArchiveUnavailableError,
    LogBehindError,
    LogConfigurationError,
    LogDiskFullError,
    LogOverloadedError,
    LogUnavailableError,
    OwnerMovedError,
    OwnerUnavailableError,
    RecordsUnavailableError,
)

# An error of a port, the problem's code and detail, the least `Retry-After` in seconds; the first that fits.
_UNAVAILABLE: Final = (
    (LogOverloadedError, "log_overloaded", "too many scores are waiting to be written", 1.0),
    (LogDiskFullError, "disk_full", "the disk under the score log is full", 5.0),
    (LogBehindError, "log_behind", "scores wait to be applied for too long; none are taken", 1.0),
    (LogConfigurationError, "log_unavailable", "the score log is not as it must be", 5.0),
    (LogUnavailableError, "log_unavailable", "the score log does not answer", 1.0),
    (RecordsUnavailableError, "unavailable", "the records do not answer", 1.0),
    (ArchiveUnavailableError, "unavailable", "the archive does not answer", 5.0),
)


class Errors:
    """Answers to errors, counted. `entrypoint` is the metrics' label: `api` or `gateway`."""

    def __init__(self, entrypoint: str) -> None:
        self._entrypoint = entrypoint
        for code, (status, _) in CODES.items():
            if status >= 500:  # alerts look at how these grow, which Prometheus does not see of a series' first value
                REJECTED.labels(entrypoint=entrypoint, code=code)

    def response(self, error: Exception, where: str) -> Response:
        """The answer to an error; `where` is for the log."""
        return problem_response(self.problem(error, where))

    def problem(self, error: Exception, where: str) -> Problem:
        """What an error is to clients; one of our own is logged."""
        problem = translated(error) or unexpected(error, where)
        REJECTED.labels(entrypoint=self._entrypoint, code=problem.code).inc()
        return problem

    def answered(self, handler: Handler) -> Handler:
        """The handler, answering whatever goes wrong in it."""
        where = handler.__name__

        @functools.wraps(handler)
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as error:
                return self.response(error, where)

        return answer


def translated(error: Exception) -> Problem | None:
    """The problem that an error of a port is to clients, None for what is our own fault."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, OwnerUnavailableError | OwnerMovedError):
        return owner_away()
    for kind, code, detail, least_s in _UNAVAILABLE:
        if isinstance(error, kind):
            return unavailable(code, detail, max(getattr(error, "retry_after_s", least_s), least_s))
    return None
