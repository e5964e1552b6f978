"""Prizes: who won what, and how far it is."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import WithJsonSchema
from starlette.responses import Response as WebResponse

from serve_app.api.answers import Accepted, PrizeClaimed, PrizePage, PrizePreviewed, PrizeTable
from serve_app.api.calls import AnyonesCall, CallersCall, Cursor, Limit, ManagersCall, Prefer, TournamentId, UserId
from serve_app.api.responses import TOKEN_OPTIONAL, json_body, operation, reads, writes
from serve_app.http.prize_bodies import PrizeChoice, PrizeClaim, PrizePreview, PrizeRevocation

router = APIRouter(tags=["prizes"])
_CHOICE: Final = {"user_id": "42", "rule": 0}
Winners = Annotated[
    str | None,
    Query(alias="limit", description="How many winners at most; 1,000 unless told otherwise."),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000}),
]


@operation(
    router,
    summary="The prize table and, once finished, who won what",
    responses=reads({200: PrizeTable}, 404),
    security=TOKEN_OPTIONAL,
)
async def prizes(
    call: AnyonesCall, tournament: TournamentId, cursor: Cursor = None, limit: Winners = None
) -> WebResponse:
    """Who: all. `state`: `pending_review`, `approved`, `paying`, `paid`, `failed` or `revoked`."""
    return await call.answer("prizes")


@operation(
    router,
    summary="Who would win what now",
    responses=writes({200: PrizePreviewed}, 403, 404, 415),
    openapi_extra=json_body(
        PrizePreview, {"prizes": [{"ranks": [1, 2], "amount": "100.01", "currency": "EUR"}]}, required=False
    ),
)
async def preview_prizes(call: ManagersCall, tournament: TournamentId) -> WebResponse:
    """Who: service, operator. By the tournament's own rules, or by those of the body. Nothing is written; at most 1,000 winners are shown."""
    return await call.answer("preview_prizes")


@operation(
    router,
    summary="Approve prizes",
    responses=writes({200: PrizeTable, 202: Accepted}, 403, 404, 409, 415),
    openapi_extra=json_body(PrizeChoice, _CHOICE, required=False),
)
async def approve_prizes(call: ManagersCall, tournament: TournamentId, prefer: Prefer = None) -> WebResponse:
    """Who: service, operator. All that wait for review; or those of one user, failed and revoked ones too. From then on the tournament is
    not opened again."""
    return await call.answer("approve_prizes")


@operation(
    router,
    summary="Revoke prizes that are not paid",
    responses=writes({200: PrizeTable}, 403, 404, 409, 415),
    openapi_extra=json_body(PrizeRevocation, {**_CHOICE, "reason": "not eligible"}, required=False),
)
async def revoke_prizes(call: ManagersCall, tournament: TournamentId) -> WebResponse:
    """Who: service, operator. All, or those of one user. Approving them by name takes it back."""
    return await call.answer("revoke_prizes")


@operation(
    router,
    summary="Claim one's prizes",
    responses=writes({200: PrizeClaimed}, 403, 404, 409, 415),
    openapi_extra=json_body(PrizeClaim, {"rule": 0}, required=False),
)
async def claim_prizes(call: CallersCall, tournament: TournamentId) -> WebResponse:
    """Who: the winner, or a service for them. Prizes whose rule has `claim` are paid only then; again changes nothing."""
    return await call.answer("claim_prizes")


@operation(router, summary="A user's prizes", responses=reads({200: PrizePage}, 403, 404))
async def user_prizes(call: CallersCall, user: UserId, cursor: Cursor = None, limit: Limit = None) -> WebResponse:
    """Who: that player, service, operator. Of tournaments that are finished, newest first."""
    return await call.answer("user_prizes")
