"""What every handler does: who calls, how often, who may see what; and that each answer is one, whatever goes wrong."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from actors.domain.values import parse_id
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, invalid, problem_response, unavailable, unexpected_response
from serve_app.metrics import REJECTED
from serve_app.security.auth import Principal, unauthorized
from serve_app.services.container import Services
from serve_app.services.known import Known
from serve_app.services.reads import owner_away, unknown_tournament
from storage.ports import (
    LogBehindError,
    LogConfigurationError,
    LogDiskFullError,
    LogOverloadedError,
    LogUnavailableError,
    OwnerMovedError,
    OwnerUnavailableError,
    RecordsUnavailableError,
)

H = TypeVar("H", bound="HandlersBase")
_WAIT: Final = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,6}(?:\.\d{1,6})?)"?\s*(?:[,;]|$)', re.IGNORECASE)


def answered(handler: Callable[[H, Request], Awaitable[Response]]) -> Callable[[H, Request], Awaitable[Response]]:
    """A handler that always answers: problems and the ports' errors in the contract's form, anything else a logged 500."""

    @functools.wraps(handler)
    async def answer(self: H, request: Request) -> Response:
        try:
            return await handler(self, request)
        except Exception as error:
            return self.error_response(error, handler.__name__)

    return answer


def translated(error: Exception) -> Problem | None:
    """The problem that an error of a port is to clients, None for what is our own fault."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, LogOverloadedError):
        return unavailable("log_overloaded", "too many scores are waiting to be written", error.retry_after_s)
    if isinstance(error, LogDiskFullError):
        return unavailable("disk_full", "the disk under the score log is full", max(error.retry_after_s, 5.0))
    if isinstance(error, LogBehindError):
        return unavailable("log_behind", "scores wait to be applied for too long; none are taken", error.retry_after_s)
    if isinstance(error, LogConfigurationError):
        return unavailable("log_unavailable", "the score log is not as it must be", 5.0)
    if isinstance(error, LogUnavailableError):
        return unavailable("log_unavailable", "the score log does not answer", error.retry_after_s)
    if isinstance(error, RecordsUnavailableError):
        return unavailable("unavailable", "the records do not answer")
    if isinstance(error, OwnerUnavailableError | OwnerMovedError):
        return owner_away()
    return None


class HandlersBase:
    """See the module. `entrypoint` names the metrics' label: `api` or `gateway`."""

    def __init__(self, services: Services, entrypoint: str = "api") -> None:
        self.services = services
        self.config = services.config
        self.reads = services.reads
        self.waiters = services.waiters
        self.entrypoint = entrypoint

    def error_response(self, error: Exception, where: str) -> Response:
        """The answer to an error, counted."""
        problem = translated(error)
        if problem is None:
            REJECTED.labels(entrypoint=self.entrypoint, code="internal").inc()
            return unexpected_response(error, where)
        REJECTED.labels(entrypoint=self.entrypoint, code=problem.code).inc()
        return problem_response(problem)

    async def principal(self, request: Request) -> Principal | None:
        """The caller, None without a token; counted against their limit. Raises Problem 401, 429."""
        authorization = request.headers.get("authorization")
        principal = None if authorization is None else await self.verified(authorization, request.client)
        self.services.limiter.check(principal, request.client)
        return principal

    async def verified(self, authorization: str, client: str) -> Principal:
        """Whose token this is; only a wrong one is counted against a limit. Raises Problem 401, 429, 503."""
        try:
            return await self.services.authenticator.authenticate(authorization)
        except Problem:
            self.services.limiter.check(None, client)  # guesses are an address's requests
            raise

    def caller_at_once(self, request: Request) -> Principal | None:
        """As `caller`, without waiting for anything; None, with nothing counted, when that takes more. Raises Problem 429."""
        authorization = request.headers.get("authorization")
        principal = None if authorization is None else self.services.authenticator.peek(authorization)
        if principal is not None:
            self.services.limiter.check(principal, request.client)
        return principal

    async def caller(self, request: Request) -> Principal:
        """The caller, who must have a token."""
        principal = await self.principal(request)
        if principal is None:
            raise unauthorized("token_missing", "this call needs `Authorization: Bearer <JWT>`")
        return principal

    async def privileged(self, request: Request) -> Principal:
        """The caller, who must be a service or an operator."""
        principal = await self.caller(request)
        if not principal.privileged:
            raise Problem(403, "role_forbidden", "expected the role service or operator")
        return principal

    def me(self, request: Request, principal: Principal | None) -> int:
        """The caller's user id, where `me` stood for it: from here on the answer is theirs alone. Raises Problem 401."""
        if principal is None:
            raise unauthorized("token_missing", "`me` needs `Authorization: Bearer <JWT>`")
        request.personal = True
        return principal.user_id

    def user(self, request: Request, principal: Principal | None) -> int:
        """The user named in the path; `me` is the caller."""
        text = request.path["user"]
        if text == "me":
            return self.me(request, principal)
        try:
            return parse_id(text)
        except ValueError:
            raise Problem(404, "participant_unknown", f"there is no user {text[:40]}") from None

    def wait_s(self, request: Request, default_s: float) -> float:
        """`Prefer: wait=N` within the setting's bound, else the default; a preference that cannot be read is none."""
        prefer = request.headers.get("prefer")
        matched = _WAIT.search(prefer) if prefer else None
        return default_s if matched is None else min(float(matched[1]), self.config.max_wait_s)

    async def visible(self, tournament: str, principal: Principal | None) -> Known:
        """A tournament that the caller may see. Raises Problem 404 for one that is unknown or hidden, in the same way."""
        sees_all = principal is not None and principal.privileged
        known = self.reads.known(tournament)
        if known is None or known.public is None or not (known.public or sees_all):
            known, allowed = await self.reads.access(tournament, viewer_of(principal), sees_all=sees_all)
            if not allowed:
                raise unknown_tournament(known.text)
        return known


def viewer_of(principal: Principal | None) -> int | None:
    """As the ports want it."""
    return None if principal is None else principal.user_id


def query_int(request: Request, name: str, default: int, low: int, high: int) -> int:
    """An integer of the query. Raises Problem 422."""
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 18) or not low <= int(text) <= high:
        raise invalid(name, f"expected an integer from {low} to {high}, got {text[:40]!r}")
    return int(text)
