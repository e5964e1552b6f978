"""What operators look at: what runs where, how servers are, what could not be applied, who ordered what."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import WithJsonSchema
from starlette.responses import Response as WebResponse

from serve_app.api.calls import Cursor, Limit, OperatorsCall, Prefer, Search, StatusQuery, TournamentId, TypeQuery
from serve_app.api.operator_answers import (
    Actors,
    Letters,
    NoticesProgress,
    Orders,
    Place,
    PlacedTournamentPage,
    ReplayAnswer,
    ServersHealth,
)
from serve_app.api.responses import json_body, operation, reads, writes
from serve_app.http.operator_bodies import Replay

router = APIRouter(tags=["operations"])
_REPLAY: Final = {"letters": [{"partition": 7, "offset": 90811}]}
_most_200: Final = WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 200})
Newest = Annotated[
    str | None, Query(alias="limit", description="How many at most; 50 unless told otherwise."), _most_200
]
MostLetters = Annotated[
    str | None,
    Query(alias="limit", description="How many at most; 100 unless told otherwise."),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000}),
]


@operation(router, summary="Tournaments and who holds them", responses=reads({200: PlacedTournamentPage}, 403))
async def placed_tournaments(
    call: OperatorsCall,
    status: StatusQuery = None,
    type_: TypeQuery = None,
    q: Search = None,
    cursor: Cursor = None,
    limit: Limit = None,
) -> WebResponse:
    """Who: operator. Newest first."""
    return await call.answer("placed_tournaments")


@operation(router, summary="Who holds a tournament, and its notices", responses=reads({200: Place}, 403, 404))
async def placed_tournament(call: OperatorsCall, tournament: TournamentId) -> WebResponse:
    """Who: operator."""
    return await call.answer("placed_tournament")


@operation(router, summary="Owners, ingest actors and partitions", responses=reads({200: Actors}, 403))
async def running_actors(call: OperatorsCall) -> WebResponse:
    """Who: operator. As of a second ago at most."""
    return await call.answer("running_actors")


@operation(router, summary="How the servers are", responses=reads({200: ServersHealth}, 403))
async def server_health(call: OperatorsCall) -> WebResponse:
    """Who: operator. What `scripts/palio doctor` finds, as of five seconds ago at most; and the shards of the records."""
    return await call.answer("server_health")


@operation(router, summary="Who ordered what, everywhere", responses=reads({200: Orders}, 403))
async def all_history(
    call: OperatorsCall,
    status: StatusQuery = None,
    type_: TypeQuery = None,
    q: Search = None,
    limit: Newest = None,
) -> WebResponse:
    """Who: operator. Of the newest 100 tournaments that the query finds; each keeps its newest 200 orders."""
    return await call.answer("all_history")


@operation(router, summary="How far notices are told", responses=reads({200: NoticesProgress}, 403))
async def all_notices(call: OperatorsCall, limit: Newest = None) -> WebResponse:
    """Who: operator."""
    return await call.answer("all_notices")


@operation(router, summary="What could not be applied", responses=reads({200: Letters}, 403))
async def dead_letters(call: OperatorsCall, limit: MostLetters = None) -> WebResponse:
    """Who: operator. Newest first."""
    return await call.answer("dead_letters")


@operation(
    router,
    summary="Send dead letters again",
    responses=writes({200: ReplayAnswer}, 403, 404, 415),
    openapi_extra=json_body(Replay, _REPLAY),
)
async def replay_dead_letters(call: OperatorsCall, prefer: Prefer = None) -> WebResponse:
    """Who: operator. Scores alone, up to 100, into the partitions where they belong; they are judged by the time at which they are appended
    now. One that counted before is ignored, `duplicate`, so to repeat the call does no harm."""
    return await call.answer("replay_dead_letters")
