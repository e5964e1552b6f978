"""Analytics, for operators: see docs/analytics.md."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import WithJsonSchema
from starlette.responses import Response as WebResponse

from actors.domain.analytics.series import METRICS
from serve_app.api.analytics_answers import AnalyticsSeries, AnalyticsSummary, TournamentAnalytics
from serve_app.api.answers import Answer
from serve_app.api.calls import OperatorsCall, TournamentId
from serve_app.api.responses import Responses, files, operation, reads
from serve_app.handlers.analytics import MAX_STEP_S, REPORT_TABLES
from serve_app.http.request_schemas import ID_PATTERN
from serve_app.pictures.report import FORMS, PARTS, THEMES
from serve_app.services.analytics import TYPES

router = APIRouter(tags=["analytics"])
_time: Final = WithJsonSchema({"type": "string", "format": "date-time"})
From = Annotated[str | None, Query(alias="from", description="From this time on."), _time]
To = Annotated[str | None, Query(alias="to", description="Before this time; now unless told otherwise."), _time]
OfType = Annotated[
    str | None, Query(alias="type", description="Only of this type."), WithJsonSchema({"enum": [*TYPES]})
]
MetricName = Annotated[
    str | None, Query(description="What is asked for; it must be given."), WithJsonSchema({"enum": [*METRICS]})
]
OfTournament = Annotated[
    str | None,
    Query(alias="tournament", description="Only of this tournament: as it stood at the end of each step."),
    WithJsonSchema({"type": "string", "pattern": ID_PATTERN}),
]
Step = Annotated[
    str | None,
    Query(
        description="Seconds of a step, whole minutes; so that there are some 120 unless told otherwise, 1,000 at most."
    ),
    WithJsonSchema({"type": "integer", "minimum": 60, "maximum": MAX_STEP_S, "multipleOf": 60}),
]
Format = Annotated[
    str | None,
    Query(alias="format", description="`json` or `csv`; goes before `Accept`."),
    WithJsonSchema({"enum": ["json", "csv"]}),
]
ReportTable = Annotated[
    str | None,
    Query(description="Which table as CSV; `standings` unless told otherwise."),
    WithJsonSchema({"enum": [*REPORT_TABLES]}),
]


def _reads(model: type[Answer], example: str, *statuses: int) -> Responses:
    """An answer as JSON or CSV."""
    responses = reads({200: model}, *statuses)
    content: dict[str, Any] = responses[200]["content"]
    content["text/csv"] = {"schema": {"type": "string"}, "example": example}
    return responses


@operation(
    router,
    summary="What tournaments came to",
    responses=_reads(AnalyticsSummary, "type,created,cancelled,finished\r\nall,66,0,65\r\n", 403),
)
async def analytics_summary(
    call: OperatorsCall, start: From = None, end: To = None, kind: OfType = None, form: Format = None
) -> WebResponse:
    """Who: operator. Of the last 30 days unless told otherwise: all, and each type."""
    return await call.answer("analytics_summary")


@operation(
    router,
    summary="A metric over time",
    responses=_reads(AnalyticsSeries, "time,submissions\r\n2027-05-01T09:00:00.000Z,17\r\n", 403),
)
async def analytics_series(
    call: OperatorsCall,
    metric: MetricName = None,
    start: From = None,
    end: To = None,
    kind: OfType = None,
    tournament: OfTournament = None,
    step: Step = None,
    form: Format = None,
) -> WebResponse:
    """Who: operator. Of the last 24 hours unless told otherwise. Rates and scores are of the final tables of the tournaments that finished
    within a step; with `tournament` of its table at the end of the step."""
    return await call.answer("analytics_series")


@operation(
    router,
    summary="All there is to tell of a tournament",
    responses=_reads(TournamentAnalytics, "time,submissions,joins\r\n2027-05-01T09:00:00.000Z,17,63\r\n", 403, 404),
)
async def analytics_tournament(
    call: OperatorsCall, tournament: TournamentId, table: ReportTable = None, form: Format = None
) -> WebResponse:
    """Who: operator. A running one too, as of its last checkpoint, and never as its frozen table shows it."""
    return await call.answer("analytics_tournament")


PictureForm = Annotated[
    str | None, Query(alias="format", description="`svg` unless told otherwise."), WithJsonSchema({"enum": [*FORMS]})
]
PicturePart = Annotated[
    str | None,
    Query(description="`report`, which is all of it, unless told otherwise."),
    WithJsonSchema({"enum": [*PARTS]}),
]
PictureTheme = Annotated[
    str | None, Query(description="`light` unless told otherwise."), WithJsonSchema({"enum": [*THEMES]})
]


@operation(
    router,
    summary="A picture of a tournament's report",
    response_class=WebResponse,
    responses=files(dict.fromkeys(FORMS.values(), ""), 403, 404),
)
async def analytics_picture(
    call: OperatorsCall,
    tournament: TournamentId,
    form: PictureForm = None,
    part: PicturePart = None,
    theme: PictureTheme = None,
) -> WebResponse:
    """Who: operator. The scores, what came in over time, and the ranks of the first ten; as of its last checkpoint, and never as its frozen
    table shows it."""
    return await call.answer("analytics_picture")
