"""Invitations to a tournament: given, listed, revoked."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from actors.domain.messages import Invite, RevokeInvitation
from actors.domain.signing import Signer
from actors.domain.values import parse_id, parse_time
from serve_app.config import FrontConfig
from serve_app.handlers.callers import Callers
from serve_app.handlers.tournaments import idempotency_key, undecided
from serve_app.http.bodies import require_json
from serve_app.http.caching import NO_STORE, reply_response
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem
from serve_app.http.request_schemas import InvitationRequest, read_invitation
from serve_app.security import invites
from serve_app.services.commands import Commands, new_command_id
from serve_app.services.known import Known
from serve_app.services.reads import Reads, unknown_tournament
from storage.ports import InvitationsQuery, Owners


class _OfCohorts(msgspec.Struct):
    tournament_id: str


class _OfSeries(msgspec.Struct):
    id: str
    tier: int | None = None


class _Place(msgspec.Struct):
    """What a view says of where players join."""

    recurrence: dict[str, Any] | None = None
    league: dict[str, Any] | None = None
    cohort: _OfCohorts | None = None
    series: _OfSeries | None = None


_place: Final = msgspec.json.Decoder(_Place)


@dataclass(frozen=True, slots=True)
class InvitationHandlers:
    """See the module."""

    callers: Callers
    reads: Reads
    owners: Owners
    commands: Commands
    signer: Signer
    config: FrontConfig
    clock_ms: Callable[[], int]

    async def create_invitation(self, request: Request) -> Response:
        """`POST /v1/tournaments/{id}/invitations`: 201 with the invite, which is told this once; the same `Idempotency-Key` finds it again."""
        principal = await self.callers.privileged(request)
        key = idempotency_key(request)
        body = require_json(request, self.config.max_body_bytes)
        asked = read_invitation(body, self.clock_ms()) if body.strip() else InvitationRequest()
        known = await self.reads.visible(request.path["tournament"], principal)
        await self._check_joinable(known)
        token = uuid.uuid4().hex if key is None else f"{principal.user_id}:{key}"
        message = Invite(
            command_id=new_command_id(),
            invitation=hashlib.blake2b(token.encode(), digest_size=12, key=known.key).hexdigest(),
            creator=str(principal.user_id),
            user_id=asked.user_id,
            uses=asked.uses,
            expires_ms=None if asked.expires_at is None else parse_time(asked.expires_at),
        )
        issued = await self.commands.issue(known, message, request.headers)
        if issued.outcome is None:
            return undecided(issued)
        user_id = 0 if message.user_id is None else parse_id(message.user_id)
        invite = invites.Invite(known.tournament_id, message.invitation, user_id, message.expires_ms)
        answer = {"id": message.invitation, "invite": invites.make_invite(self.signer, invite)}
        return Response(201, msgspec.json.encode(answer), dict(NO_STORE))

    async def _check_joinable(self, known: Known) -> None:
        """Raises Problem 409 where nobody could join by an invitation: it would look right and let nobody in."""
        reply = await self.reads.view(known)
        if not reply.found:
            raise unknown_tournament(known.text)
        place = _place.decode(reply.body)
        if place.recurrence is not None and place.league is None:
            raise Problem(0, "not_joinable", "a series is not joined: invite to one of its tournaments")
        if place.cohort is not None:
            raise Problem(
                0, "not_joinable", f"a board fills by itself: invite to tournament {place.cohort.tournament_id}"
            )
        if place.series is not None and place.series.tier is not None:
            raise Problem(0, "not_joinable", f"a tier has those who belong there: invite to series {place.series.id}")

    async def list_invitations(self, request: Request) -> Response:
        """`GET` the same: newest first, with the uses that are left."""
        principal = await self.callers.privileged(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        reply = await self.owners.read(known.tournament_id, InvitationsQuery())
        if not reply.found:
            raise unknown_tournament(known.text)
        request.personal = True
        return reply_response(request, reply._replace(etag=""))

    async def revoke_invitation(self, request: Request) -> Response:
        """`DELETE .../invitations/{invitation}`: 204. Who came by it stays."""
        principal = await self.callers.privileged(request)
        known = await self.reads.visible(request.path["tournament"], principal)
        message = RevokeInvitation(command_id=new_command_id(), invitation=request.path["invitation"][:64])
        issued = await self.commands.issue(known, message, request.headers)
        return undecided(issued) if issued.outcome is None else Response(204, headers=dict(NO_STORE))
