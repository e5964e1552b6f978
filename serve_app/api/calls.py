"""What the routers' path operations take: the call, read within bounds and its caller known, and the parameters.

Parameters are declared as texts with the schema of what they mean: handlers read them from the request, so that a wrong one is the same
problem at both entrypoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Depends, Header, Path, Query
from fastapi import Request as WebRequest
from pydantic import WithJsonSchema
from starlette.responses import Response as WebResponse

from serve_app.api.security_headers import web_response
from serve_app.handlers.handlers import Handlers
from serve_app.http.bodies import UnreadBodies, body_limit
from serve_app.http.headers import combined
from serve_app.http.messages import Request
from serve_app.http.problems import Problem
from serve_app.http.query import read_query
from serve_app.http.request_schemas import ID_PATTERN
from serve_app.services.container import Services


class Call:
    """One call: its request, and the handlers that answer it."""

    __slots__ = ("handlers", "request")

    def __init__(self, handlers: Handlers, request: Request) -> None:
        self.handlers = handlers
        self.request = request

    async def answer(self, name: str) -> WebResponse:
        """What the handler of this name answers."""
        return web_response(await self.handlers.table[name](self.request))


class CallReader:
    """Reads the calls of a process, their bodies no further than the limits."""

    def __init__(self, services: Services) -> None:
        self.handlers = Handlers(services, "api")
        self._services = services
        self._unread = UnreadBodies(services.config.max_unread_body_bytes)

    async def read(self, web: WebRequest) -> Call:
        """The call. Raises Problem 400, 401, 408, 413, 422, 429, 503."""
        client = self._services.proxies.client(web.scope.get("client"), web.scope["headers"])
        raw = combined(web.scope["headers"])
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw.items()}
        query = read_query(web.scope["query_string"])
        body = b"" if web.method == "GET" else await self._body(web, headers, client)
        return Call(self.handlers, Request(web.method, headers, query, web.path_params, body, client))

    async def _body(self, web: WebRequest, headers: Mapping[str, str], client: str) -> bytes:
        config = self._services.config
        authorization = headers.get("authorization")
        limit = held = 0

        async def check(size: int) -> None:
            nonlocal limit
            if size > limit:
                limit = body_limit(config, size, authorization)
                if limit > config.max_unverified_body_bytes and authorization is not None:
                    await self.handlers.callers.verified(authorization, client)

        def verified() -> bool:
            return authorization is not None and self._services.authenticator.peek(authorization) is not None

        announced = headers.get("content-length", "")
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(config.request_timeout_s):
                await check(int(announced[:20]) if announced.isdigit() else 0)
                async for chunk in web.stream():
                    await check(held + len(chunk))
                    self._unread.add(len(chunk))
                    held += len(chunk)
                    self._unread.check(verified)
                    chunks.append(chunk)
        except Problem as problem:
            raise _closing(problem) from None
        except TimeoutError:
            late = Problem(408, "request_timeout", f"no whole body in {config.request_timeout_s:g} s")
            raise _closing(late) from None
        finally:
            self._unread.add(-held)
        return b"".join(chunks)


def _closing(problem: Problem) -> Problem:
    """The rest of the body stays unread, so the connection cannot go on."""
    headers = {**problem.headers, "connection": "close"}
    return Problem(problem.status, problem.code, problem.detail, problem.errors, headers)


# Who calls. One dependency a call: each costs some 20 us, so that of the token is in the document alone (`responses.openapi_document`).


async def _call(web: WebRequest) -> Call:
    reader: CallReader = web.app.state.calls
    return await reader.read(web)


async def _anyone(web: WebRequest) -> Call:
    call = await _call(web)
    await call.handlers.callers.principal(call.request)
    return call


async def _caller(web: WebRequest) -> Call:
    call = await _call(web)
    await call.handlers.callers.caller(call.request)
    return call


async def _manager(web: WebRequest) -> Call:
    call = await _call(web)
    await call.handlers.callers.privileged(call.request)
    return call


async def _operator(web: WebRequest) -> Call:
    call = await _call(web)
    await call.handlers.callers.operator(call.request)
    return call


HealthCall = Annotated[Call, Depends(_call)]
UnjudgedCall = Annotated[
    Call, Depends(_call)
]  # the handler tells who calls: by a token of another kind, or in an answer of its own form
AnyonesCall = Annotated[Call, Depends(_anyone)]  # with or without a token
CallersCall = Annotated[Call, Depends(_caller)]  # with a token
ManagersCall = Annotated[Call, Depends(_manager)]  # of a service or an operator
OperatorsCall = Annotated[Call, Depends(_operator)]

# Parameters

TournamentId = Annotated[
    str,
    Path(
        description="Tournament id, decimal.", json_schema_extra={"pattern": ID_PATTERN}, examples=["8127364512893471"]
    ),
]
UserId = Annotated[
    str,
    Path(
        description="User id, decimal; `me` is the caller.",
        json_schema_extra={"pattern": "^([1-9][0-9]{0,18}|me)$"},
        examples=["me"],
    ),
]
InvitationId = Annotated[
    str,
    Path(
        description="The `id` of an invitation.",
        json_schema_extra={"minLength": 1, "maxLength": 64},
        examples=["6f1e9c0d4b7a5e2f8c3d1a90"],
    ),
]
_text: Final = WithJsonSchema({"type": "string"})
StatusQuery = Annotated[
    str | None,
    Query(alias="status", description="Only of this status."),
    WithJsonSchema({"enum": ["scheduled", "running", "finished", "cancelled"]}),
]
TypeQuery = Annotated[
    str | None,
    Query(
        alias="type",
        description="Only of this type; series are left out unless asked for, boards of cohorts always.",
    ),
    WithJsonSchema({"enum": ["scheduled", "instant", "series"]}),
]
Search = Annotated[
    str | None,
    Query(description="Looked for in names, whatever the case, spaces and encoding of accents."),
    WithJsonSchema({"type": "string", "maxLength": 200}),
]
RowSearch = Annotated[
    str | None,
    Query(
        alias="q",
        description="Only those whose names have this in them, whatever the case, spaces and encoding of accents, or whose user id it is; "
        "with their ranks in the whole table. `total` counts them.",
        examples=["rita"],
    ),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64}),
]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before."), _text]
Limit = Annotated[
    str | None,
    Query(description="How many at most; 50 unless told otherwise."),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100}),
]
Rows = Annotated[
    str | None,
    Query(alias="limit", description="How many rows at most; 100 unless told otherwise."),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000}),
]
Around = Annotated[str | None, Query(description="Rows around this user (`me`: the caller)."), _text]
Board = Annotated[
    str | None, Query(description="Only those in one `group` of this board.", examples=["country"]), _text
]
Group = Annotated[str | None, Query(description="The group of the `board`.", examples=["FR"]), _text]
SchemaFile = Annotated[str, Path(description="A `url` of the index.", examples=["score-record.json"])]
BoardName = Annotated[str, Path(description="One of the tournament's boards.", examples=["country"])]
Users = Annotated[str | None, Query(description="Rows of these users, at most 100, separated by commas."), _text]
Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="`wait=N`: wait up to N seconds (at most 10) for the outcome. Commands wait 5 s unless told otherwise.",
    ),
    _text,
]
IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="A repeat with the same key and body returns the first answer."),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 255}),
]
IfMatch = Annotated[str | None, Header(alias="If-Match", description='The version to edit, such as `"3"`.'), _text]
IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="The ETag at hand: 304 when it still holds."), _text
]
