"""Results as files, out and in, and the calendar."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import WithJsonSchema
from starlette.responses import Response as WebResponse

from serve_app.api.answers import Imported
from serve_app.api.calls import AnyonesCall, ManagersCall, Search, TournamentId
from serve_app.api.responses import TOKEN_OPTIONAL, file_body, files, operation, writes
from serve_app.formats.importing import KINDS
from serve_app.formats.read.files import READERS
from serve_app.formats.read.values import MARKS, UNITS
from serve_app.formats.write.gradebook import SYSTEMS
from serve_app.handlers.exports import CSV, FORMATS, IOF, JSON, PARQUET

router = APIRouter(tags=["files"])
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
ImportFormat = Annotated[
    str | None,
    Query(alias="format", description="Told by what the file holds, unless given."),
    WithJsonSchema({"enum": list(READERS)}),
]
ColumnName = Annotated[
    str | None,
    Query(description="The column of the file that is this; guessed unless given.", examples=["ID number"]),
    WithJsonSchema({"type": "string"}),
]
Condition = Annotated[
    str | None,
    Query(description="Only rows that say so, as `COLUMN=VALUE`.", examples=["class=H21"]),
    WithJsonSchema({"type": "string"}),
]
KindName = Annotated[
    str | None,
    Query(description="`scores` where there is one, unless told otherwise."),
    WithJsonSchema({"enum": list(KINDS)}),
]
UnitName = Annotated[
    str | None,
    Query(description="Of the scores; the tournament's unless told otherwise."),
    WithJsonSchema({"enum": list(UNITS)}),
]
DecimalName = Annotated[
    str | None,
    Query(description="The decimal mark; that of the first rows unless told otherwise."),
    WithJsonSchema({"enum": list(MARKS)}),
]
_FLAG: Final = WithJsonSchema({"type": "boolean"})
RoundFlag = Annotated[
    str | None, Query(alias="round", description="Round to 2 decimals; else more are an error."), _FLAG
]
JoinFlag = Annotated[str | None, Query(description="Let each user take part before the score."), _FLAG]
DryRunFlag = Annotated[str | None, Query(description="`false` brings it in; else it is only told."), _FLAG]


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
    summary="Results from a file",
    responses=writes({200: Imported, 202: Imported}, 403, 404, 409, 415),
    openapi_extra=file_body("user,name,score\n42,Rita,912.50\n"),
)
async def import_file(
    call: ManagersCall,
    tournament: TournamentId,
    format_: ImportFormat = None,
    user_id: ColumnName = None,
    score: ColumnName = None,
    subscore: ColumnName = None,
    result: ColumnName = None,
    name: ColumnName = None,
    event_id: ColumnName = None,
    where: Condition = None,
    kind: KindName = None,
    unit: UnitName = None,
    decimal: DecimalName = None,
    round_: RoundFlag = None,
    join: JoinFlag = None,
    dry_run: DryRunFlag = None,
) -> WebResponse:
    """Who: service, operator. The body is the file: CSV, NDJSON, Parquet, a gradebook of Moodle or Canvas, an IOF XML 3.0 result list, SCORM's
    JSON; up to 10,000 rows. The first call tells what it is taken for and what would be done; the same with `dry_run=false` brings it in, as
    often as one likes: nothing counts twice. Rows that are wrong are told, the others are taken; a file that breaks off changes nothing."""
    return await call.answer("import_file")


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
