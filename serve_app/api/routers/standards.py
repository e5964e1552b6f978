"""The field's own formats: CloudEvents, xAPI, LTI Advantage. What they say is in docs/standards.md."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from pydantic import WithJsonSchema
from starlette.responses import Response as WebResponse

from serve_app.api.answers import About, EventsAnswer, ToolToken
from serve_app.api.calls import CallersCall, TournamentId, UnjudgedCall
from serve_app.api.responses import TOKEN_OPTIONAL, operation, reads, schema_of, typed, writes
from serve_app.http.batches import MAX_BATCH
from serve_app.standards.ags import (
    ITEM_TYPE,
    ITEMS_TYPE,
    RESULTS_TYPE,
    SCOPES,
    SCORE_TYPE,
    LineItem,
    ScoreTaken,
    ToolResult,
    ToolScore,
)
from serve_app.standards.cloud_events import BATCHED, STRUCTURED
from serve_app.standards.lti_handlers import FORM
from serve_app.standards.lti_tokens import ASSERTION_TYPE
from serve_app.standards.xapi import UUID, Statement

router = APIRouter(tags=["standards"])

_EVENT: Final = {
    "specversion": "1.0",
    "type": "palio.score.submitted",
    "source": "https://game.example/matches",
    "id": "match-17",
    "subject": "8127364512893471",
    "data": {"user_id": "42", "score": 912.5},
}
_EVENT_SCHEMA: Final = {
    "type": "object",
    "required": ["specversion", "type", "source", "id", "subject", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "type": {"const": "palio.score.submitted"},
        "source": {"type": "string", "minLength": 1, "maxLength": 2048},
        "id": {"type": "string", "minLength": 1, "maxLength": 2048},
        "subject": {"type": "string", "description": "The tournament's id."},
        "data": {"type": "object", "required": ["user_id"], "properties": {"user_id": {"type": "string"}}},
    },
}
_STATEMENT: Final = {
    "id": "fd41c918-b88b-4b20-a0a5-a4c32391aaa0",
    "actor": {"account": {"homePage": "https://exam.example", "name": "42"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
    "object": {"id": "https://exam.example/tournaments/8127364512893471"},
    "result": {"score": {"raw": 87.5, "min": 0, "max": 100}, "completion": True, "duration": "PT12M30S"},
}
_IDS: Final = {"type": "array", "items": {"type": "string", "format": "uuid"}, "maxItems": MAX_BATCH}
_ITEM: Final = {
    "id": "https://palio.example/v1/lti/lineitems/8127364512893471",
    "scoreMaximum": 100,
    "label": "Spring exam",
    "resourceId": "8127364512893471",
    "startDateTime": "2027-05-01T09:00:00.000Z",
    "endDateTime": "2027-05-01T10:00:00.000Z",
}
_RESULT: Final = {
    "id": "https://palio.example/v1/lti/lineitems/8127364512893471/results?user_id=42",
    "scoreOf": "https://palio.example/v1/lti/lineitems/8127364512893471",
    "userId": "42",
    "resultScore": 87.5,
    "resultMaximum": 100,
}
_SCORE: Final = {
    "userId": "42",
    "scoreGiven": 83,
    "scoreMaximum": 100,
    "activityProgress": "Completed",
    "gradingProgress": "FullyGraded",
    "timestamp": "2027-05-01T09:40:12.345Z",
}
_TAKEN: Final = {"resultUrl": _RESULT["id"], "counted": True, "eventId": "lti-7c0e4f0be4bfa1b92ef1de0a2a0f4b11"}
_TOKEN_FORM: Final = {
    "grant_type": "client_credentials",
    "client_assertion_type": ASSERTION_TYPE,
    "client_assertion": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
    "scope": "https://purl.imsglobal.org/spec/lti-ags/scope/score",
}
_TOKEN_FORM_SCHEMA: Final = {
    "type": "object",
    "required": list(_TOKEN_FORM),
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_assertion_type": {"const": ASSERTION_TYPE},
        "client_assertion": {"type": "string", "minLength": 1},
        "scope": {"type": "string", "pattern": f"(^| )({'|'.join(map(re.escape, SCOPES))})( |$)"},
    },
}

XapiVersion = Annotated[
    str | None,
    Header(alias="X-Experience-API-Version", description="The version that the caller speaks.", examples=["1.0.3"]),
    WithJsonSchema({"type": "string", "pattern": "^(1\\.0(\\..*)?|2\\.0\\..*)$"}),
]
StatementId = Annotated[
    str | None,
    Query(alias="statementId", description="The statement's id, a UUID."),
    WithJsonSchema({"type": "string", "pattern": UUID}),
]
_whole: Final = WithJsonSchema({"type": "integer", "minimum": 1})
ItemsLimit = Annotated[str | None, Query(alias="limit", description="How many at most, up to 100."), _whole]
ResultsLimit = Annotated[str | None, Query(alias="limit", description="How many at most, up to 1,000."), _whole]
ResourceId = Annotated[str | None, Query(alias="resource_id", description="Only of this tournament.")]
ForUser = Annotated[str | None, Query(alias="user_id", description="Only of this user.")]


def _body(contents: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    """A body by media types, each with its schema and an example."""
    content = {kind: {"schema": schema, "example": example} for kind, (schema, example) in contents.items()}
    return {"requestBody": {"required": True, "content": content}}


@operation(
    router,
    summary="Submit scores as CloudEvents",
    status_code=202,
    responses=writes({202: EventsAnswer}, 403, 404, 415),
    openapi_extra=_body(
        {
            STRUCTURED: (_EVENT_SCHEMA, _EVENT),
            BATCHED: ({"type": "array", "items": _EVENT_SCHEMA, "maxItems": MAX_BATCH}, [_EVENT]),
            "application/json": (_EVENT_SCHEMA["properties"]["data"], _EVENT["data"]),  # type: ignore[index]
        }
    ),
)
async def submit_events(call: CallersCall) -> WebResponse:
    """Who: that player, service. CloudEvents 1.0, structured, batched (up to 1,000), or binary: the attributes in `ce-` headers, the data as
    the body.
    """
    return await call.answer("submit_events")


@operation(
    router,
    summary="Submit xAPI statements",
    responses=writes({}, 403, 404, 409, 415) | typed(200, "application/json", _IDS, [_STATEMENT["id"]]),
    openapi_extra=_body(
        {
            "application/json": (
                {
                    "oneOf": [
                        schema_of(Statement),
                        {"type": "array", "items": schema_of(Statement), "maxItems": MAX_BATCH},
                    ]
                },
                _STATEMENT,
            )
        }
    ),
)
async def submit_statements(call: UnjudgedCall, version: XapiVersion = None) -> WebResponse:
    """Who: that player, service. One or many, all or none; the answer is their ids. Statements that are no scores are taken, and not kept."""
    return await call.answer("submit_statements")


@operation(
    router,
    summary="Submit an xAPI statement by its id",
    status_code=204,
    responses=writes({204: None}, 403, 404, 409, 415),
    openapi_extra=_body({"application/json": (schema_of(Statement), _STATEMENT)}),
)
async def put_statement(call: UnjudgedCall, statement: StatementId = None, version: XapiVersion = None) -> WebResponse:
    """Who: that player, service. A second copy counts for nothing."""
    return await call.answer("put_statement")


@operation(router, summary="What Palio takes of xAPI", responses=reads({200: About}), security=TOKEN_OPTIONAL)
async def xapi_about(call: UnjudgedCall) -> WebResponse:
    """Who: all. The versions, and what becomes of statements."""
    return await call.answer("xapi_about")


@operation(
    router,
    summary="An access token for a tool of LTI",
    responses=writes({200: ToolToken}, 415),
    security=TOKEN_OPTIONAL,
    openapi_extra=_body({FORM: (_TOKEN_FORM_SCHEMA, _TOKEN_FORM)}),
)
async def lti_token(call: UnjudgedCall) -> WebResponse:
    """Who: all. Client credentials with a JWT that the tool's key signed (RFC 7523), as the 1EdTech Security Framework has it."""
    return await call.answer("lti_token")


@operation(
    router,
    summary="Line items: tournaments, for tools of LTI",
    response_class=WebResponse,
    responses=reads({}, 403)
    | typed(200, ITEMS_TYPE, {"type": "array", "items": schema_of(LineItem), "maxItems": 100}, [_ITEM]),
)
async def line_items(call: UnjudgedCall, limit: ItemsLimit = None, resource: ResourceId = None) -> WebResponse:
    """Who: service, operator, a tool's access token. Newest first; `Link` names the next page."""
    return await call.answer("line_items")


@operation(
    router,
    summary="A line item",
    response_class=WebResponse,
    responses=reads({}, 403, 404) | typed(200, ITEM_TYPE, schema_of(LineItem), _ITEM),
)
async def line_item(call: UnjudgedCall, tournament: TournamentId) -> WebResponse:
    """Who: service, operator, a tool's access token."""
    return await call.answer("line_item")


@operation(
    router,
    summary="A tool's score",
    responses=writes({}, 403, 404, 409, 415) | typed(200, "application/json", schema_of(ScoreTaken), _TAKEN),
    openapi_extra=_body({SCORE_TYPE: (schema_of(ToolScore), _SCORE)}),
)
async def submit_lti_score(call: UnjudgedCall, tournament: TournamentId) -> WebResponse:
    """Who: service, a tool's access token. Only `FullyGraded` counts, scaled to the line item's `scoreMaximum`."""
    return await call.answer("submit_lti_score")


@operation(
    router,
    summary="Results: rows of the table, for tools of LTI",
    response_class=WebResponse,
    responses=reads({}, 403, 404)
    | typed(200, RESULTS_TYPE, {"type": "array", "items": schema_of(ToolResult), "maxItems": 1000}, [_RESULT]),
)
async def line_item_results(
    call: UnjudgedCall, tournament: TournamentId, limit: ResultsLimit = None, user: ForUser = None
) -> WebResponse:
    """Who: service, operator, a tool's access token. By rank; `Link` names the next page."""
    return await call.answer("line_item_results")
