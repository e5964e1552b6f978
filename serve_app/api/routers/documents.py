"""Documents about messages: AsyncAPI, and JSON Schemas."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import SchemaIndex
from serve_app.api.calls import AnyonesCall, SchemaFile
from serve_app.api.responses import TOKEN_OPTIONAL, operation, reads, typed

router = APIRouter(tags=["documents"])
_DOCUMENT = {"type": "object", "required": ["asyncapi", "channels", "operations"]}
_SCHEMA = {"type": "object", "required": ["$schema"]}


@operation(
    router,
    summary="The AsyncAPI document of the live socket and of the Kafka topic",
    responses=reads({})
    | typed(200, "application/json", _DOCUMENT, {"asyncapi": "3.0.0", "channels": {}, "operations": {}}),
    security=TOKEN_OPTIONAL,
)
async def asyncapi(call: AnyonesCall) -> WebResponse:
    """Who: all."""
    return await call.answer("asyncapi")


@operation(
    router,
    summary="Which messages have a JSON Schema",
    responses=reads({200: SchemaIndex}),
    security=TOKEN_OPTIONAL,
)
async def list_schemas(call: AnyonesCall) -> WebResponse:
    """Who: all. The records of the topic, and the live messages."""
    return await call.answer("list_schemas")


@operation(
    router,
    summary="The JSON Schema of a message",
    response_class=WebResponse,
    responses=reads({}, 404)
    | typed(200, "application/schema+json", _SCHEMA, {"$schema": "https://json-schema.org/draft/2020-12/schema"}),
    security=TOKEN_OPTIONAL,
)
async def message_schema(call: AnyonesCall, schema: SchemaFile) -> WebResponse:
    """Who: all. Of draft 2020-12, with all that it uses in it."""
    return await call.answer("message_schema")
