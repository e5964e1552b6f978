"""Tournaments: managing them, and reading them as a whole."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import (
    Accepted,
    CommandOutcome,
    CreatedBatch,
    Groups,
    History,
    Rankings,
    TeamTable,
    Tournament,
    TournamentPage,
)
from serve_app.api.calls import (
    AnyonesCall,
    Around,
    Board,
    BoardName,
    Cursor,
    Group,
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    Limit,
    ManagersCall,
    Prefer,
    Rows,
    RowSearch,
    Search,
    StatusQuery,
    TournamentId,
    TypeQuery,
    Users,
)
from serve_app.api.responses import TOKEN_OPTIONAL, body_or_lines, either, json_body, operation, reads, writes
from serve_app.http.request_schemas import BatchCreate, NewTournament, Reopening, TournamentEdit

router = APIRouter(tags=["tournaments"])
_NEW: Final = {"name": "Sprint", "type": "instant", "capacity": 2, "duration_s": 3600, "metadata": {"room": 7}}


@operation(
    router,
    summary="Create a tournament",
    status_code=201,
    responses=either(writes({201: Tournament, 202: Accepted}, 403, 409, 415), 202, CreatedBatch),
    openapi_extra=body_or_lines(NewTournament, _NEW, BatchCreate, {**_NEW, "idempotency_key": "sprint-1"}),
)
async def create_tournament(
    call: ManagersCall, idempotency_key: IdempotencyKey = None, prefer: Prefer = None
) -> WebResponse:
    """Who: service, operator. Or up to 1,000 as NDJSON, one a line, each with its `idempotency_key`: 202, and what became of each."""
    return await call.answer("create_tournament")


@operation(
    router,
    summary="List tournaments, newest first",
    responses=reads({200: TournamentPage}),
    security=TOKEN_OPTIONAL,
)
async def list_tournaments(
    call: AnyonesCall,
    status: StatusQuery = None,
    type_: TypeQuery = None,
    q: Search = None,
    cursor: Cursor = None,
    limit: Limit = None,
) -> WebResponse:
    """Who: all. Private tournaments are listed to their members, to services and operators."""
    return await call.answer("list_tournaments")


@operation(
    router,
    summary="A tournament's view",
    responses=reads({200: Tournament, 304: None}, 404),
    security=TOKEN_OPTIONAL,
)
async def view(call: AnyonesCall, tournament: TournamentId, if_none_match: IfNoneMatch = None) -> WebResponse:
    """Who: all."""
    return await call.answer("view")


@operation(
    router,
    summary="Edit what the state allows",
    responses=writes({200: Tournament, 202: Accepted}, 403, 404, 409, 412, 415),
    openapi_extra=json_body(TournamentEdit, {"name": "Sprint in room 7", "capacity": 20}),
)
async def edit_tournament(
    call: ManagersCall, tournament: TournamentId, if_match: IfMatch = None, prefer: Prefer = None
) -> WebResponse:
    """Who: service, operator. Absent fields stay as they are."""
    return await call.answer("edit_tournament")


@operation(router, summary="Start it now", responses=writes({200: CommandOutcome, 202: Accepted}, 403, 404, 409))
async def start_tournament(call: ManagersCall, tournament: TournamentId, prefer: Prefer = None) -> WebResponse:
    """Who: service, operator."""
    return await call.answer("start_tournament")


@operation(router, summary="End it now", responses=writes({200: CommandOutcome, 202: Accepted}, 403, 404, 409))
async def end_tournament(call: ManagersCall, tournament: TournamentId, prefer: Prefer = None) -> WebResponse:
    """Who: service, operator."""
    return await call.answer("end_tournament")


@operation(router, summary="Cancel it", responses=writes({200: CommandOutcome, 202: Accepted}, 403, 404, 409))
async def cancel_tournament(call: ManagersCall, tournament: TournamentId, prefer: Prefer = None) -> WebResponse:
    """Who: service, operator."""
    return await call.answer("cancel_tournament")


@operation(
    router,
    summary="Undo a mistaken end or cancel",
    responses=writes({200: CommandOutcome, 202: Accepted}, 403, 404, 409, 415),
    openapi_extra=json_body(Reopening, {"ends_at": "2027-05-01T11:00:00.000Z"}, required=False),
)
async def reopen_tournament(call: ManagersCall, tournament: TournamentId, prefer: Prefer = None) -> WebResponse:
    """Who: service, operator. Until the prizes are approved; `revision` rises. What counted before counts on."""
    return await call.answer("reopen_tournament")


@operation(
    router,
    summary="Show the table that stands still",
    responses=writes({200: CommandOutcome, 202: Accepted}, 403, 404, 409),
)
async def reveal_table(call: ManagersCall, tournament: TournamentId, prefer: Prefer = None) -> WebResponse:
    """Who: service, operator. Before the end that shows it anyway; it is not frozen again."""
    return await call.answer("reveal_table")


@operation(router, summary="Who ordered what", responses=reads({200: History}, 403, 404))
async def history(call: ManagersCall, tournament: TournamentId) -> WebResponse:
    """Who: service, operator. Newest first, the newest 200."""
    return await call.answer("history")


@operation(
    router,
    summary="The rankings",
    responses=reads({200: Rankings, 304: None}, 404),
    security=TOKEN_OPTIONAL,
)
async def rankings(
    call: AnyonesCall,
    tournament: TournamentId,
    limit: Rows = None,
    cursor: Cursor = None,
    around: Around = None,
    users: Users = None,
    q: RowSearch = None,
    board: Board = None,
    group: Group = None,
    if_none_match: IfNoneMatch = None,
) -> WebResponse:
    """Who: all. At most one of `cursor`, `around` and `users`; `q` goes with `cursor` alone.

    With `board` and `group`: among the members of that group alone.
    """
    return await call.answer("rankings")


@operation(
    router,
    summary="The groups of a board",
    responses=reads({200: Groups, 304: None}, 404),
    security=TOKEN_OPTIONAL,
)
async def board_groups(
    call: AnyonesCall,
    tournament: TournamentId,
    board: BoardName,
    limit: Rows = None,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> WebResponse:
    """Who: all."""
    return await call.answer("board_groups")


@operation(
    router,
    summary="The table of the teams",
    responses=reads({200: TeamTable, 304: None}, 404),
    security=TOKEN_OPTIONAL,
)
async def teams(
    call: AnyonesCall,
    tournament: TournamentId,
    limit: Rows = None,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> WebResponse:
    """Who: all. Where the tournament has `teams`."""
    return await call.answer("teams")
