"""The OpenAPI document, built from the table of routes and the Structs that are read and written."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

from serve_app.api import documents as doc
from serve_app.handlers.routes import ROUTES, Route
from serve_app.http import request_schemas as schemas
from serve_app.http.problems import CODES

_REF: Final = "#/components/schemas/{name}"


class _Call(NamedTuple):
    """What the table of routes does not say of a call. `problems` are those beyond what `_problems` has for all."""

    answers: dict[int, type | None]
    problems: tuple[int, ...] = ()
    body: type | None = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    batch: bool = False


_COMMAND: Final = (403, 404, 409)
_WAITED: Final = ("Prefer",)

_CALLS: Final[dict[str, _Call]] = {
    "root": _Call({200: doc.Gateway}),
    "create_tournament": _Call(
        {201: doc.Tournament, 202: doc.Accepted},
        (403, 409, 415),
        schemas.NewTournament,
        headers=("Idempotency-Key", "Prefer"),
    ),
    "list_tournaments": _Call({200: doc.TournamentPage}, query=("status", "type", "q", "cursor", "limit")),
    "view": _Call({200: doc.Tournament, 304: None}, (404,), headers=("If-None-Match",)),
    "edit_tournament": _Call(
        {200: doc.Tournament, 202: doc.Accepted},
        (*_COMMAND, 412, 415),
        schemas.TournamentEdit,
        headers=("If-Match", "Prefer"),
    ),
    "start_tournament": _Call({200: doc.CommandOutcome, 202: doc.Accepted}, _COMMAND, headers=_WAITED),
    "end_tournament": _Call({200: doc.CommandOutcome, 202: doc.Accepted}, _COMMAND, headers=_WAITED),
    "cancel_tournament": _Call({200: doc.CommandOutcome, 202: doc.Accepted}, _COMMAND, headers=_WAITED),
    "join": _Call(
        {200: doc.JoinOutcome, 201: doc.JoinOutcome, 202: doc.Accepted},
        (*_COMMAND, 415),
        schemas.JoinRequest,
        headers=_WAITED,
    ),
    "leave": _Call({204: None, 202: doc.Accepted}, _COMMAND, headers=_WAITED),
    "participant": _Call({200: doc.Participant}, (404,)),
    "submit_score": _Call(
        {200: doc.ScoreOutcome, 202: doc.Accepted}, (403, 404, 415), schemas.Submission, headers=_WAITED
    ),
    "submit_batch": _Call({202: doc.BatchAnswer}, (403, 415), schemas.BatchSubmission, batch=True),
    "rankings": _Call(
        {200: doc.Rankings, 304: None},
        (404,),
        query=("rows", "start", "around", "users"),
        headers=("If-None-Match",),
    ),
    "prizes": _Call({200: doc.PrizeTable}, (404,)),
    "user_tournaments": _Call({200: doc.UserTournamentPage}, (403, 404), query=("cursor", "limit")),
    "user_prizes": _Call({200: doc.PrizePage}, (403, 404)),
    "demo_player": _Call({201: doc.DemoPlayer}, (404,)),
    "healthz": _Call({200: doc.Health}),
    "readyz": _Call({200: doc.Health}),
}

_PARAMETERS: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "tournament": ("path", "Tournament id, decimal.", {"type": "string", "pattern": schemas.ID_PATTERN}),
    "user": ("path", "User id, decimal; `me` is the caller.", {"type": "string", "pattern": "^([1-9][0-9]{0,18}|me)$"}),
    "status": ("query", "Only of this status.", {"enum": ["scheduled", "running", "finished", "cancelled"]}),
    "type": ("query", "Only of this type.", {"enum": ["scheduled", "instant"]}),
    "q": (
        "query",
        "Looked for in names, whatever the case, spaces and encoding of accents.",
        {"type": "string", "maxLength": 200},
    ),
    "cursor": ("query", "`next_cursor` of the page before.", {"type": "string"}),
    "limit": ("query", "How many at most.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 50}),
    "rows": ("query", "How many rows at most.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
    "start": ("query", "`next_cursor` of the page before; not with `around` or `users`.", {"type": "string"}),
    "around": ("query", "Rows around this user (`me`: the caller).", {"type": "string"}),
    "users": ("query", "Rows of these users, at most 100, separated by commas.", {"type": "string"}),
    "Prefer": (
        "header",
        "`wait=N`: wait up to N seconds (at most 10) for the outcome. Commands wait 5 s unless told otherwise.",
        {"type": "string"},
    ),
    "Idempotency-Key": (
        "header",
        "A repeat with the same key and body returns the first answer.",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "If-Match": ("header", 'The version to edit, such as `"3"`.', {"type": "string"}),
    "If-None-Match": ("header", "The ETag at hand: 304 when it still holds.", {"type": "string"}),
}
_WIRE_NAMES: Final = {"rows": "limit", "start": "cursor"}
_TITLES: Final = {
    200: "Done", 201: "Created", 202: "In the log, undecided: repeating the call does no harm", 204: "Done", 304: "Unchanged",
}  # fmt: skip


def openapi_document(version: str) -> dict[str, Any]:
    """OpenAPI 3.1 for all routes."""
    structs: set[type] = {doc.ProblemDetails}
    for call in _CALLS.values():
        structs |= {answer for answer in call.answers.values() if answer is not None}
        if call.body is not None:
            structs.add(call.body)
    ordered = sorted(structs, key=lambda struct: struct.__name__)
    _, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, _CALLS[route.handler])
    codes = "\n".join(f"- `{code}` ({status}): {title}" for code, (status, title) in CODES.items())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Palio",
            "version": version,
            "description": f"Score tournaments, ranked live. Errors are problem details with one of these codes:\n\n{codes}",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Route, call: _Call) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", route.path)
    also = " The gateway answers it too." if route.hot else ""
    operation: dict[str, Any] = {
        "operationId": route.handler,
        "summary": route.summary,
        "description": f"Who: {route.who}.{also}",
        "responses": {str(status): _answer(status, answer) for status, answer in call.answers.items()},
    }
    if route.who != "all":
        operation["security"] = [{"token": []}]
    parameters = [_parameter(name) for name in (*names, *call.query, *call.headers)]
    if parameters:
        operation["parameters"] = parameters
    if call.body is not None:
        operation["requestBody"] = _request_body(call, required=route.handler != "join")
    for status in _problems(route, call):
        operation["responses"][str(status)] = _problem(status)
    return operation


def _problems(route: Route, call: _Call) -> list[int]:
    """What heads, queries, bodies and a server that starts or stops may bring about in any call, and the call's own."""
    statuses = {400, 422, 503, *call.problems}
    if route.handler not in ("healthz", "readyz"):
        statuses |= {401, 429}
    if route.method != "GET":  # a body is read, be it only to be ignored
        statuses |= {408, 413}
    return sorted(statuses)


def _parameter(name: str) -> dict[str, Any]:
    where, description, schema = _PARAMETERS[name]
    told = {"name": _WIRE_NAMES.get(name, name), "in": where, "description": description, "schema": schema}
    return {**told, "required": True} if where == "path" else told


def _request_body(call: _Call, *, required: bool) -> dict[str, Any]:
    assert call.body is not None
    schema: dict[str, Any] = {"$ref": _REF.format(name=call.body.__name__)}
    content = {"application/json": {"schema": schema}}
    if call.batch:
        content = {
            "application/json": {"schema": {"type": "array", "items": schema, "maxItems": 1000}},
            "application/x-ndjson": {"schema": schema},
        }
    return {"required": required, "content": content}


def _answer(status: int, answer: type | None) -> dict[str, Any]:
    told: dict[str, Any] = {"description": _TITLES[status]}
    if answer is not None:
        told["content"] = {"application/json": {"schema": {"$ref": _REF.format(name=answer.__name__)}}}
    return told


def _problem(status: int) -> dict[str, Any]:
    codes = ", ".join(f"`{code}`" for code, (of, _) in CODES.items() if of == status)
    schema = {"$ref": _REF.format(name=doc.ProblemDetails.__name__)}
    return {"description": f"One of {codes}", "content": {"application/problem+json": {"schema": schema}}}
