"""Taking part: join, leave, a participant's standing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UNSET

from actors.domain.messages import Begin, Control, Disqualify, Done, ExtraTime, Join, Leave, Reinstate
from actors.domain.signing import Signer
from actors.domain.texts import normal_name
from actors.domain.values import parse_id
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers, path_user
from serve_app.handlers.scores import outcome_body
from serve_app.handlers.tournaments import undecided
from serve_app.http.bodies import require_json
from serve_app.http.caching import NO_STORE, reply_response
from serve_app.http.headers import preferred_wait_s
from serve_app.http.messages import Principal, Request, Response
from serve_app.http.problems import Problem
from serve_app.http.request_schemas import (
    JoinRequest,
    duration_ms,
    normal_attributes,
    read_disqualification,
    read_join,
    read_participant_edit,
)
from serve_app.security.invites import read_invite
from serve_app.services.commands import Commands, new_command_id
from serve_app.services.known import Known
from serve_app.services.reads import Reads, unknown_tournament
from storage.ports import AccessQuery

LOOK_S: Final = 0.02  # as often as owners look at what their tournaments are to write


@dataclass(frozen=True, slots=True)
class ParticipantHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    commands: Commands
    signer: Signer
    config: FrontConfig
    clock_ms: Callable[[], int]

    async def join(self, request: Request) -> Response:
        """`PUT /v1/tournaments/{id}/participants/{user}`: 201 the first time, 200 again.

        A private tournament is joined by an invite, or through a service; to all but its members it does not exist, and whoever brings an
        invite that is no good, or no longer, is not told more.
        """
        principal = await self.callers.caller(request)
        user_id = self._own(request, principal)
        body = require_json(request, self.config.max_body_bytes)
        wanted = read_join(body) if body.strip() else JoinRequest()
        tournament = request.path["tournament"]
        invitation = None
        if wanted.invite is not None:
            invitation = read_invite(self.signer, wanted.invite, tournament, user_id, self.clock_ms())
        known = self.reads.known(tournament)
        welcome = known is not None and (known.public or (principal.privileged and known.public is not None))
        if known is None or not welcome:
            query = AccessQuery(principal.user_id, invitation)
            known, access = await self.reads.asked_access(tournament, query, sees_all=principal.privileged)
            welcome = access.allowed or access.invited or principal.privileged
            if not welcome:
                raise unknown_tournament(known.text)
        message = Join(
            command_id=new_command_id(),
            user_id=str(user_id),
            name=None if wanted.name is None else normal_name(wanted.name),
            invited=principal.role == "service",
            invitation=UNSET if invitation is None else invitation,
            attributes=normal_attributes(wanted.attributes),
        )
        try:
            issued = await self.commands.issue(known, message, request.headers)
        except Problem as problem:
            if problem.code == "removed" and wanted.invite is not None:
                problem = Problem(0, "invite_invalid", "expected an invite for this user that is still good")
            if not (known.public or principal.privileged) and problem.code in ("invite_invalid", "removed"):
                problem = unknown_tournament(known.text)  # no member, or no longer invited, since that was asked
            raise problem from None
        if issued.outcome is None:
            return undecided(issued)
        more = {"user_id": str(user_id), "status": issued.outcome.status}
        if issued.outcome.detail:  # it opens others: the one of them on which the user is
            child = self.reads.fresh(parse_id(issued.outcome.detail), public=known.public)
            if not await self._landed(child, user_id, request):
                return undecided(issued)
            more["tournament_id"] = child.text
        status = 201 if issued.outcome.first else 200
        outcome = await self.reads.with_rank(known, user_id, principal, issued.outcome)
        return Response(status, outcome_body(issued.command_id, outcome, **more), dict(NO_STORE))

    async def _landed(self, child: Known, user_id: int, request: Request) -> bool:
        """Whether a user takes part in a child, as soon as it is so: its parent's owner sees to that. Waits as long as the headers prefer."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + preferred_wait_s(request.headers, self.config.command_wait_s, self.config.max_wait_s)
        while True:
            with contextlib.suppress(Problem):  # its owner is away, or has no such tournament yet
                if (await self.reads.participant(child, user_id, request.principal)).found:
                    self.reads.invalidate(child.text)
                    return True
            if loop.time() >= until_s:
                return False
            await asyncio.sleep(LOOK_S)

    async def leave(self, request: Request) -> Response:
        """`DELETE` the same: 204, also for one who does not take part."""
        principal = await self.callers.caller(request)
        user_id = self._own(request, principal)
        known = await self.reads.visible(request.path["tournament"], principal)
        removed = True if principal.role == "service" else msgspec.UNSET
        message = Leave(command_id=new_command_id(), user_id=str(user_id), removed=removed)
        issued = await self.commands.issue(known, message, request.headers)
        return undecided(issued) if issued.outcome is None else Response(204, headers=dict(NO_STORE))

    async def begin(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/participants/{user}/begin`: answers the participant."""
        return await self._own_command(request, Begin)

    async def done(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/participants/{user}/done`: answers the participant."""
        return await self._own_command(request, Done)

    async def disqualify(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/participants/{user}/disqualify`: answers the participant, or 204 for one who has left."""
        await self.callers.privileged(request)
        wanted = read_disqualification(require_json(request, self.config.max_body_bytes))
        return await self._managed(request, functools.partial(Disqualify, reason=normal_name(wanted.reason)))

    async def reinstate(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/participants/{user}/reinstate`: as `disqualify`."""
        return await self._managed(request, Reinstate)

    async def edit_participant(self, request: Request) -> Response:
        """`PATCH /v1/tournaments/{id}/participants/{user}`: extra time; answers the participant."""
        await self.callers.privileged(request)
        wanted = read_participant_edit(require_json(request, self.config.max_body_bytes))
        return await self._managed(request, functools.partial(ExtraTime, extra_ms=duration_ms(wanted.extra_s)))

    async def _own_command(self, request: Request, make: Callable[..., Control]) -> Response:
        principal = await self.callers.caller(request)
        user_id = self._own(request, principal)
        known = await self.reads.visible(request.path["tournament"], principal)
        message = make(command_id=new_command_id(), user_id=str(user_id))
        try:
            issued = await self.commands.issue(known, message, request.headers)
        except Problem as problem:
            if known.public or principal.privileged or problem.code != "participant_unknown":
                raise
            raise unknown_tournament(known.text) from None  # no member any more
        if issued.outcome is None:
            return undecided(issued)
        return await self._participant(request, known, user_id, principal)

    async def _managed(self, request: Request, make: Callable[..., Control]) -> Response:
        principal = await self.callers.privileged(request)
        user_id = path_user(request, principal)
        known = await self.reads.visible(request.path["tournament"], principal)
        message = make(command_id=new_command_id(), by=str(principal.user_id), user_id=str(user_id))
        issued = await self.commands.issue(known, message, request.headers)
        if issued.outcome is None:
            return undecided(issued)
        reply = await self.reads.participant(known, user_id, principal)
        request.personal = True
        return reply_response(request, reply) if reply.found else Response(204, headers=dict(NO_STORE))

    async def participant(self, request: Request) -> Response:
        """`GET` the same."""
        principal = await self.callers.principal(request)
        user_id = path_user(request, principal)
        known = await self.reads.visible(request.path["tournament"], principal)
        return await self._participant(request, known, user_id, principal)

    async def _participant(self, request: Request, known: Known, user_id: int, principal: Principal | None) -> Response:
        reply = await self.reads.participant(known, user_id, principal)
        if not reply.found:
            raise Problem(404, "participant_unknown", f"user {user_id} does not take part in tournament {known.text}")
        return reply_response(request, reply._replace(etag=""))

    def _own(self, request: Request, principal: Principal) -> int:
        """The user of the path, who must be the caller unless a service calls."""
        user_id = path_user(request, principal)
        if principal.role != "service" and user_id != principal.user_id:
            raise Problem(403, "not_yours", "expected your own user id: others are managed by a service")
        return user_id
