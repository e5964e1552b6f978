"""Series, leagues and cohorts: the tournaments that a tournament opens."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import CohortPage, Series
from serve_app.api.calls import AnyonesCall, Cursor, Limit, TournamentId
from serve_app.api.responses import TOKEN_OPTIONAL, operation, reads

router = APIRouter(tags=["series"])


@operation(
    router,
    summary="A series: its tournaments, and when the next ones come",
    responses=reads({200: Series}, 404),
    security=TOKEN_OPTIONAL,
)
async def series(call: AnyonesCall, tournament: TournamentId) -> WebResponse:
    """Who: all. A private series is for services, operators and, in a league, its players."""
    return await call.answer("series")


@operation(
    router,
    summary="The boards of cohorts",
    responses=reads({200: CohortPage}, 404),
    security=TOKEN_OPTIONAL,
)
async def cohorts(
    call: AnyonesCall, tournament: TournamentId, cursor: Cursor = None, limit: Limit = None
) -> WebResponse:
    """Who: all."""
    return await call.answer("cohorts")
