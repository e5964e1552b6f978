"""How routers describe answers, problems and bodies; and the OpenAPI document, which FastAPI makes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, FastAPI
from starlette.responses import Response as WebResponse

from serve_app.api.answers import Answer, Health
from serve_app.handlers.routes import ROUTES
from serve_app.http import request_schemas as bodies
from serve_app.http.batches import MAX_BATCH
from serve_app.http.notification_schemas import Notifications
from serve_app.http.operator_bodies import LetterPlace, Replay
from serve_app.http.prize_bodies import PrizeChoice, PrizeClaim, PrizePreview, PrizeRevocation
from serve_app.http.problems import CODES, PROBLEM_JSON, Problem, ProblemDetails, problem_response
from serve_app.standards.ags import LineItem, ScoreTaken, ToolResult, ToolScore
from serve_app.standards.xapi import Statement

Responses = dict[int | str, dict[str, Any]]
Operation = TypeVar("Operation", bound=Callable[..., Awaitable[WebResponse]])
DESCRIPTION: Final = (
    "Score tournaments, ranked live. Ids are decimal strings, scores numbers with at most 2 decimals, times RFC 3339 in UTC. "
    "Errors are problem details (RFC 9457) with a stable `code`."
)
_REF: Final = "#/components/schemas/{name}"
# What FastAPI does not see: bodies are read by these, and problems are of another media type than answers.
_STRUCTS: Final = (
    bodies.NewTournament,
    bodies.BatchCreate,
    bodies.TournamentEdit,
    bodies.JoinRequest,
    bodies.InvitationRequest,
    bodies.ParticipantEdit,
    bodies.Disqualification,
    bodies.Reopening,
    bodies.Submission,
    bodies.BatchSubmission,
    Notifications,
    bodies.BatchJoin,
    LetterPlace,
    Replay,
    PrizePreview,
    PrizeChoice,
    PrizeRevocation,
    PrizeClaim,
    Statement,
    ToolScore,
    ScoreTaken,
    LineItem,
    ToolResult,
    ProblemDetails,
)
_TITLES: Final = {
    200: "Done", 201: "Created", 202: "In the log, undecided: repeating the call does no harm", 204: "Done", 304: "Unchanged",
}  # fmt: skip
_ROUTES: Final = {route.name: route for route in ROUTES}


TOKEN: Final[list[dict[str, list[str]]]] = [{"token": []}]
TOKEN_OPTIONAL: Final = [*TOKEN, {}]
_SCHEMES: Final = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}


def operation(
    router: APIRouter, *, security: list[dict[str, list[str]]] = TOKEN, openapi_extra: Any = None, **told: Any
) -> Callable[[Operation], Operation]:
    """Offers a path operation where the table of routes has its name; `told` is what FastAPI is told of it. Raises KeyError if it has not."""

    def offer(endpoint: Operation) -> Operation:
        route = _ROUTES[endpoint.__name__]
        told["openapi_extra"] = (openapi_extra or {}) | ({"security": security} if security else {})
        gateway = " The gateway answers it too." if route.gateway else ""
        description = (endpoint.__doc__ or "") + gateway
        told["operation_id"] = route.name
        router.add_api_route(route.path, endpoint, methods=[route.method], description=description, **told)
        return endpoint

    return offer


def reads(models: Mapping[int, type[Answer] | None], *statuses: int) -> Responses:
    """What a call may answer that reads: models of answers by status, None without a body; and `statuses` of problems that are its own."""
    # What heads, queries and a server that starts or stops may bring about in any call; tokens and limits.
    return _answers(models) | _problems(400, 401, 422, 429, 503, *statuses)


def writes(models: Mapping[int, type[Answer] | None], *statuses: int) -> Responses:
    """As `reads`, of a call that has a body, be it one that is ignored."""
    return reads(models, 408, 413, *statuses)


def files(media_types: Mapping[str, Any], *statuses: int) -> Responses:
    """What a call may answer that gives a file, or a text for other programs: an example by media type; and problems as `reads`."""
    content = {
        kind: {"schema": {"type": "object"}, "example": example}
        if kind == "application/json"
        else {"schema": {"type": "string"}, "example": example}
        for kind, example in media_types.items()
    }
    return {200: {"description": "The file", "content": content}} | reads({}, *statuses)


def health() -> Responses:
    """What a health check may answer: it is for everybody and without a limit."""
    return _answers({200: Health}) | _problems(400, 422, 503)


def typed(status: int, media_type: str, schema: Any, example: Any) -> Responses:
    """An answer of a standard, in its own media type."""
    return {status: {"description": _TITLES[status], "content": {media_type: {"schema": schema, "example": example}}}}


def either(responses: Responses, status: int, model: type[Answer]) -> Responses:
    """The same, where an answer of this status may also be another model's."""
    told = responses[status]
    return responses | {status: told | {"model": told["model"] | model}}


def _answers(models: Mapping[int, type[Answer] | None]) -> Responses:
    told: Responses = {status: {"description": _TITLES[status]} for status in models}
    for status, model in models.items():
        if model is not None:
            told[status] |= {"model": model, "content": {"application/json": {"example": model.example}}}
    return told


def _problems(*statuses: int) -> Responses:
    """Problems by status, each with its codes and an example."""
    return {
        status: _problem(status, [code for code, (of, _) in CODES.items() if of == status])
        for status in sorted(statuses)
    }


def _problem(status: int, codes: list[str]) -> dict[str, Any]:
    example = msgspec.json.decode(problem_response(Problem(status, codes[0], CODES[codes[0]][1])).body)
    content = {"schema": {"$ref": _REF.format(name=ProblemDetails.__name__)}, "example": example}
    return {
        "description": "\n".join(f"- `{code}`: {CODES[code][1]}" for code in codes),
        "content": {PROBLEM_JSON: content},
    }


def json_body(struct: type[msgspec.Struct], example: Any, *, required: bool = True) -> dict[str, Any]:
    """A body as `openapi_extra`: FastAPI does not read it, the handlers do (`serve_app.http.request_schemas`)."""
    content = {"application/json": {"schema": schema_of(struct), "example": example}}
    return {"requestBody": {"required": required, "content": content}}


def batch_body(struct: type[msgspec.Struct], item: Any) -> dict[str, Any]:
    """The same of a batch: an array of items, or one a line."""
    array = {"type": "array", "items": schema_of(struct), "maxItems": MAX_BATCH}
    content = {
        "application/json": {"schema": array, "example": [item]},
        "application/x-ndjson": {"schema": schema_of(struct), "example": item},
    }
    return {"requestBody": {"required": True, "content": content}}


def body_or_lines(struct: type[msgspec.Struct], example: Any, line: type[msgspec.Struct], item: Any) -> dict[str, Any]:
    """The body of a call that takes one as JSON, or many, one a line."""
    content = {
        "application/json": {"schema": schema_of(struct), "example": example},
        "application/x-ndjson": {"schema": schema_of(line), "example": item},
    }
    return {"requestBody": {"required": True, "content": content}}


def file_body(example: str) -> dict[str, Any]:
    """A file as a body, of any media type."""
    content = {"*/*": {"schema": {"type": "string", "format": "binary"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def schema_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Where the document has the schema of a Struct."""
    return {"$ref": _REF.format(name=struct.__name__)}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document with the Structs' schemas, and who must show a token."""
    document = FastAPI.openapi(app)
    document["components"]["securitySchemes"] = _SCHEMES
    document["components"]["schemas"].update(msgspec.json.schema_components(_STRUCTS, ref_template=_REF)[1])
    return document
