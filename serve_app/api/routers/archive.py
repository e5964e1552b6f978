"""The archive of finished tournaments."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import ArchivePage
from serve_app.api.calls import Cursor, IfNoneMatch, Limit, ManagersCall, OperatorsCall, TournamentId
from serve_app.api.responses import files, operation, reads
from serve_app.handlers.exports import PARQUET

router = APIRouter(tags=["archive"])


@operation(
    router,
    summary="The archive's file of a tournament",
    response_class=WebResponse,
    responses=files({PARQUET: ""}, 403, 404) | reads({304: None}),
)
async def archive(call: ManagersCall, tournament: TournamentId, if_none_match: IfNoneMatch = None) -> WebResponse:
    """Who: service, operator. Parquet: everybody's final row, the disqualified included, with what they win; the tournament in its metadata.
    It is written within seconds of the end, and again after each change; until then 404 `not_archived`."""
    return await call.answer("archive")


@operation(router, summary="The archive's files", responses=reads({200: ArchivePage}, 403))
async def list_archives(call: OperatorsCall, cursor: Cursor = None, limit: Limit = None) -> WebResponse:
    """Who: operator. Of the tournaments that finished last first. `in_records` false: the tournament has left the records, and is shown from
    the archive."""
    return await call.answer("list_archives")
