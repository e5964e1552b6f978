"""`/xapi`: the part of an xAPI learning record store (LRS) that takes statements. It keeps scores, and says so at `/xapi/about`."""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec import UNSET

from actors.domain.values import decimal_score
from serve_app.handlers.errors import translated
from serve_app.http.bodies import require_json
from serve_app.http.caching import NO_STORE
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import FieldError, Problem
from serve_app.http.request_schemas import Submission
from serve_app.metrics import STATEMENTS_IGNORED
from serve_app.services.known import Known
from serve_app.standards.foreign_ids import ForeignIdsFile
from serve_app.standards.reading import wrong
from serve_app.standards.submissions import Remembered, Submissions
from serve_app.standards.xapi import (
    BAD,
    UUID,
    VERBS,
    Scored,
    Statement,
    is_others,
    read_statement,
    read_statements,
    scored,
)
from storage.ports import NewRecord

KIND: Final = "xapi"
VERSION: Final = "x-experience-api-version"
VERSIONS: Final = ("2.0.0", "1.0.3")  # the newest first; patches of either are taken
_encode: Final = msgspec.json.Encoder().encode
Call = Callable[["XapiHandlers", Request], Coroutine[Any, Any, Response]]


def _versioned(call: Call) -> Call:
    """Every answer names the version by which it was given, as the standard has it; that of errors, too."""

    @functools.wraps(call)
    async def answer(self: XapiHandlers, request: Request) -> Response:
        version = {VERSION: _answered_version(request)}
        try:
            response = await call(self, request)
        except Exception as error:
            problem = translated(error)
            if problem is None:
                raise
            problem.headers = {**problem.headers, **version}
            raise problem from error
        response.headers |= version
        return response

    return answer


@dataclass(frozen=True, slots=True)
class XapiHandlers:
    """See the module. `taken` holds what the scores of this process were, by caller and statement id."""

    submissions: Submissions
    ids: ForeignIdsFile
    taken: Remembered[tuple[str, int, str], Scored] = field(default_factory=Remembered)

    @_versioned
    async def xapi_about(self, request: Request) -> Response:
        """`GET /xapi/about`: versions, and what becomes of statements."""
        await self.submissions.callers.principal(request)
        kept = {
            "stores": "scores: of a statement its id, actor, activity and result.score; nothing else of it, and no other statement",
            "verbs": list(VERBS),
            "read": "GET /v1/tournaments/{id}/rankings; statements cannot be read again",
        }
        body = {"version": list(VERSIONS), "extensions": {"urn:palio:xapi:about": kept}}
        return Response(200, _encode(body), {"cache-control": "no-cache"})

    @_versioned
    async def submit_statements(self, request: Request) -> Response:
        """`POST /xapi/statements`: one or many, all or none; 200 with their ids."""
        principal = await self.submissions.callers.caller(request)
        _check_version(request)
        body = require_json(request, self.submissions.config.max_body_bytes)
        if "statementId" in request.query:
            raise wrong([FieldError("statementId", "expected only with PUT")], BAD)
        statements = read_statements(body)
        ids = await self._take(statements, principal, request.client)
        return Response(200, _encode(ids), dict(NO_STORE))

    @_versioned
    async def put_statement(self, request: Request) -> Response:
        """`PUT /xapi/statements?statementId=`: one, by the id that the caller gives it; 204."""
        principal = await self.submissions.callers.caller(request)
        _check_version(request)
        body = require_json(request, self.submissions.config.max_body_bytes)
        statement_id = request.query.get("statementId", "")
        if re.fullmatch(UUID, statement_id) is None:
            raise wrong([FieldError("statementId", "expected this parameter, a UUID")], BAD)
        statement = read_statement(body)
        if statement.id is not UNSET and statement.id.lower() != statement_id.lower():
            raise wrong([FieldError("id", f"expected the parameter's {statement_id}, or none")], BAD)
        await self._take([msgspec.structs.replace(statement, id=statement_id)], principal, request.client)
        return Response(204, headers=dict(NO_STORE))

    async def _take(self, statements: list[Statement], principal: Principal, client: str) -> list[str]:
        """Their ids, once every score among them is in the log. Raises Problem with nothing appended."""
        ids = [str(uuid.uuid4()) if each.id is UNSET else each.id for each in statements]
        foreign = await self.ids.current()
        several = len(statements) > 1
        found: dict[int, Scored] = {}
        for index, statement in enumerate(statements):
            said = scored(statement, foreign, f"[{index}]." if several else "")
            if isinstance(said, str):
                STATEMENTS_IGNORED.labels(said).inc()
            else:
                found[index] = said
        self.submissions.count(principal, client, len(found) - 1)
        targets = await self.submissions.targets((each.tournament for each in found.values()), principal)
        records: list[NewRecord] = []
        taken: dict[tuple[str, int, str], Scored] = {}
        for index, said in found.items():
            target = targets[said.tournament]
            if isinstance(target, Problem):
                if is_others(said.tournament):
                    STATEMENTS_IGNORED.labels("tournament_unknown").inc()
                    continue
                raise target
            key = (principal.role, principal.user_id, ids[index].lower())
            if self.taken.get(key) not in (None, said):
                raise Problem(409, "id_conflict", f"the statement {ids[index]} was taken before, with another content")
            taken[key] = said
            records.append(self._record(target, ids[index], said, principal))
        await self.submissions.append(records, KIND)
        for key, said in taken.items():
            self.taken.put(key, said)
        return ids

    def _record(self, target: Known, statement_id: str, said: Scored, principal: Principal) -> NewRecord:
        """The record of a score. Raises Problem 400 for one that does not fit the tournament's rules, 403."""
        wanted = target.rules is not None and target.rules.subscore is not UNSET and target.rules.scoring is UNSET
        submission = Submission(
            event_id=statement_id.lower(),
            user_id=str(said.user_id),
            score=decimal_score(said.score),
            subscore=UNSET if said.duration is None or not wanted else decimal_score(said.duration),
        )
        try:
            return self.submissions.scores.record(target, submission, principal)
        except Problem as problem:
            if problem.status == 422:
                raise Problem(BAD, problem.code, problem.detail, problem.errors) from None
            raise


def _answered_version(request: Request) -> str:
    return VERSIONS[1] if request.headers.get(VERSION, "").startswith("1.") else VERSIONS[0]


def _check_version(request: Request) -> None:
    """Raises Problem 400 unless the request says that it is of a version that is taken."""
    given: Any = request.headers.get(VERSION)
    if given is None:
        raise wrong([FieldError("X-Experience-API-Version", "expected this header, 1.0.3 or 2.0.0")], BAD)
    if not (given == "1.0" or given.startswith(("1.0.", "2.0."))):
        raise wrong([FieldError("X-Experience-API-Version", f"expected 1.0.x or 2.0.x, got {given[:20]!r}")], BAD)
