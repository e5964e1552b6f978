"""Taking part: join, leave, one's own standing, one's tournaments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from actors.domain.messages import Join, Leave
from actors.domain.texts import normal_name
from actors.domain.values import decimal_score, rfc3339
from serve_app.handlers.base import answered, query_int
from serve_app.handlers.listing import ASKED_AT_ONCE, tournament_item
from serve_app.handlers.scores import outcome_body
from serve_app.handlers.tournaments import TournamentHandlers, undecided
from serve_app.http.bodies import require_json
from serve_app.http.caching import NO_STORE, PERSONAL, reply_response
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem, invalid
from serve_app.http.request_schemas import JoinRequest, read_join
from serve_app.security.auth import Principal
from serve_app.services.appends import new_command_id
from serve_app.services.reads import unknown_tournament
from storage.ports import ParticipantRow, TournamentRow

_encode = msgspec.json.Encoder().encode


class ParticipantHandlers(TournamentHandlers):
    """See the module."""

    @answered
    async def join(self, request: Request) -> Response:
        """`PUT /v1/tournaments/{id}/participants/{user}`: 201 the first time, 200 again.

        Nobody gives invitations yet: a private tournament is joined through a service, and to all but its members it does not exist.
        """
        principal = await self.caller(request)
        user_id = self._own(request, principal)
        body = require_json(request, self.config.max_body_bytes)
        wanted = read_join(body) if body.strip() else JoinRequest()
        known = await self.visible(request.path["tournament"], principal)
        command_id = new_command_id()
        name = None if wanted.name is None else normal_name(wanted.name)
        invited = principal.role == "service"
        message = Join(command_id=command_id, user_id=str(user_id), name=name, invited=invited)
        wait_s = self.wait_s(request, self.config.command_wait_s)
        try:
            issued = await self.commands.issue(known, command_id, message, wait_s)
        except Problem as problem:
            if known.public or principal.privileged or problem.code == "already_over":
                raise
            raise unknown_tournament(known.text) from None  # no member any more: members are refused another name alone
        if issued.outcome is None:
            return undecided(issued)
        status = 201 if issued.outcome.first else 200
        told = outcome_body(command_id, issued.outcome, user_id=str(user_id), status=issued.outcome.status)
        return Response(status, told, dict(NO_STORE))

    @answered
    async def leave(self, request: Request) -> Response:
        """`DELETE` the same: 204, also for one who does not take part."""
        principal = await self.caller(request)
        user_id = self._own(request, principal)
        known = await self.visible(request.path["tournament"], principal)
        command_id = new_command_id()
        removed = True if principal.role == "service" else msgspec.UNSET
        message = Leave(command_id=command_id, user_id=str(user_id), removed=removed)
        issued = await self.commands.issue(known, command_id, message, self.wait_s(request, self.config.command_wait_s))
        return undecided(issued) if issued.outcome is None else Response(204, headers=dict(NO_STORE))

    @answered
    async def participant(self, request: Request) -> Response:
        """`GET` the same."""
        principal = await self.principal(request)
        user_id = self.user(request, principal)
        known = await self.visible(request.path["tournament"], principal)
        reply = await self.reads.participant(known, user_id)
        if not reply.found:
            raise Problem(404, "participant_unknown", f"user {user_id} does not take part in tournament {known.text}")
        return reply_response(request, reply._replace(etag=""))

    @answered
    async def user_tournaments(self, request: Request) -> Response:
        """`GET /v1/users/{user}/tournaments`: newest joined first."""
        user_id = await self._readable_user(request)
        limit = query_int(request, "limit", 50, 1, 100)
        try:
            rows, cursor = await self.services.records.user_tournaments(user_id, request.query.get("cursor"), limit)
        except ValueError as error:
            raise invalid("cursor", "expected a cursor that an earlier page gave") from error
        parts = await self._standings(rows)
        items = [
            {**tournament_item(row), "participation": part}
            for (row, _), part in zip(rows, parts, strict=True)
            if part is not None
        ]
        return Response(200, _encode({"items": items, "next_cursor": cursor}), dict(PERSONAL))

    @answered
    async def user_prizes(self, request: Request) -> Response:
        """`GET /v1/users/{user}/prizes`: nothing is given out yet."""
        await self._readable_user(request)
        return Response(200, b'{"items":[],"next_cursor":null}', dict(PERSONAL))

    async def _standings(self, rows: Sequence[tuple[TournamentRow, ParticipantRow]]) -> list[dict[str, object] | None]:
        """How a user takes part in each: as of now where it goes on (None: no more), as stored where it is over or its owner is silent."""
        gate = asyncio.Semaphore(ASKED_AT_ONCE)

        async def standing(row: TournamentRow, part: ParticipantRow) -> dict[str, object] | None:
            stored = _participation(part)
            if row.status in ("finished", "cancelled"):
                return stored
            known = self.reads.fresh(row.tournament_id, public=row.visibility == "public")
            try:
                async with gate:
                    reply = await self.reads.participant(known, part.user_id)
            except Problem:  # 503
                return stored
            if not reply.found:
                return None
            now = msgspec.json.decode(reply.body)
            return {name: now.get(name, value) for name, value in stored.items()}

        return await asyncio.gather(*(standing(row, part) for row, part in rows))

    def _own(self, request: Request, principal: Principal) -> int:
        """The user of the path, who must be the caller unless a service calls."""
        user_id = self.user(request, principal)
        if principal.role != "service" and user_id != principal.user_id:
            raise Problem(403, "not_yours", "expected your own user id: others are managed by a service")
        return user_id

    async def _readable_user(self, request: Request) -> int:
        principal = await self.caller(request)
        user_id = self.user(request, principal)
        if not principal.privileged and user_id != principal.user_id:
            raise Problem(403, "not_yours", "expected your own user id")
        return user_id


def _participation(row: ParticipantRow) -> dict[str, object]:
    return {
        "user_id": str(row.user_id),
        "name": row.name,
        "score": None if row.score is None else decimal_score(row.score),
        "rank": row.rank,
        "attempts": row.attempts,
        "joined_at": rfc3339(row.joined_ms),
        "scored_at": None if row.scored_ms is None else rfc3339(row.scored_ms),
    }
