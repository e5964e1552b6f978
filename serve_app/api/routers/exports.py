"""Results as files, and the calendar."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import WithJsonSchema
from starlette.responses import Response as WebResponse

from serve_app.api.calls import AnyonesCall, Search, TournamentId
from serve_app.api.responses import TOKEN_OPTIONAL, files, operation
from serve_app.formats.write.gradebook import SYSTEMS
from serve_app.handlers.exports import CSV, FORMATS, IOF, JSON, PARQUET

router = APIRouter(tags=["exports"])
_ROW: Final = "rank,user_id,name,score,attempts,scored_at\r\n1,42,Rita,912.50,2,2026-05-01T09:12:07.250Z\r\n"
_STANDINGS: Final = {"standings": [{"pos": 1, "team": "Rita", "score": 912.5, "lastAccept": 1777626727}]}
FormatName = Annotated[
    str | None,
    Query(alias="format", description="`csv` unless told otherwise."),
    WithJsonSchema({"enum": list(FORMATS)}),
]
SystemName = Annotated[
    str | None,
    Query(alias="system", description="Whose gradebook, with `format=gradebook`; `moodle` unless told otherwise."),
    WithJsonSchema({"enum": list(SYSTEMS)}),
]


@operation(
    router,
    summary="The table as a file",
    response_class=WebResponse,
    responses=files({CSV: _ROW, PARQUET: "", IOF: "", JSON: _STANDINGS}, 404),
    security=TOKEN_OPTIONAL,
)
async def export(
    call: AnyonesCall, tournament: TournamentId, format_: FormatName = None, system: SystemName = None
) -> WebResponse:
    """Who: all. Those with a rank, all of one moment; while the table is frozen the frozen one, but to services and operators. `ctftime` and
    `clics` are JSON, `iof` is XML, `gradebook` is CSV. What each holds stands in docs/formats.md."""
    return await call.answer("export")


@operation(
    router,
    summary="A calendar of tournaments",
    response_class=WebResponse,
    responses=files({"text/calendar; charset=utf-8": "BEGIN:VCALENDAR\r\n"}),
    security=TOKEN_OPTIONAL,
)
async def calendar(call: AnyonesCall, q: Search = None) -> WebResponse:
    """Who: all. Scheduled, running and cancelled tournaments with a start and an end, as iCalendar, for programs that subscribe to it."""
    return await call.answer("calendar")
