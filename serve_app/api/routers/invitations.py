"""Invitations to a tournament."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import Accepted, Invitations, NewInvitation
from serve_app.api.calls import IdempotencyKey, InvitationId, ManagersCall, Prefer, TournamentId
from serve_app.api.responses import json_body, operation, reads, writes
from serve_app.http.request_schemas import InvitationRequest

router = APIRouter(tags=["invitations"])
_NEW: Final = {"uses": 20, "expires_at": "2027-05-01T09:00:00.000Z"}


@operation(
    router,
    summary="Invite a user, or as many as bring it",
    status_code=201,
    responses=writes({201: NewInvitation, 202: Accepted}, 403, 404, 409, 415),
    openapi_extra=json_body(InvitationRequest, _NEW, required=False),
)
async def create_invitation(
    call: ManagersCall, tournament: TournamentId, idempotency_key: IdempotencyKey = None, prefer: Prefer = None
) -> WebResponse:
    """Who: service, operator. The `invite` is what a player joins with: a private tournament, or one that the player was removed from."""
    return await call.answer("create_invitation")


@operation(router, summary="List invitations", responses=reads({200: Invitations}, 403, 404))
async def list_invitations(call: ManagersCall, tournament: TournamentId) -> WebResponse:
    """Who: service, operator. Newest first, with the uses that are left; revoked ones are gone."""
    return await call.answer("list_invitations")


@operation(
    router,
    summary="Revoke an invitation",
    status_code=204,
    responses=writes({204: None, 202: Accepted}, 403, 404, 409),
)
async def revoke_invitation(
    call: ManagersCall, tournament: TournamentId, invitation: InvitationId, prefer: Prefer = None
) -> WebResponse:
    """Who: service, operator. Who came by it stays."""
    return await call.answer("revoke_invitation")
