"""What clients may read about messages: the AsyncAPI document, and the JSON Schemas with their index. The same for everybody."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from serve_app.config import FrontConfig
from serve_app.documents.asyncapi import asyncapi_document
from serve_app.documents.schemas import MESSAGES, index, schema
from serve_app.handlers.callers import Callers
from serve_app.http.caching import reply_response
from serve_app.http.messages import Request, Response
from serve_app.http.problems import Problem
from storage.ports import Reply

_BY_NAME = {f"{message.name}.json": message for message in MESSAGES}
_encode = msgspec.json.Encoder().encode


@dataclass(eq=False)
class DocumentHandlers:
    """See the module. Each document is made when it is first asked for, and kept."""

    callers: Callers
    config: FrontConfig
    _made: dict[str, Reply] = field(default_factory=dict, init=False)  # as many as there are documents

    async def asyncapi(self, request: Request) -> Response:
        """`GET /asyncapi.json`: the live protocol and the topic."""
        await self.callers.principal(request)
        config = self.config
        return self._answer(request, "", lambda: asyncapi_document(config.version, config.live_url))

    async def list_schemas(self, request: Request) -> Response:
        """`GET /schemas/`: which there are."""
        await self.callers.principal(request)
        return self._answer(request, "/", index)

    async def message_schema(self, request: Request) -> Response:
        """`GET /schemas/{schema}`: one of them."""
        await self.callers.principal(request)
        name = request.path["schema"]
        message = _BY_NAME.get(name)
        if message is None:
            raise Problem(404, "schema_unknown", "there is no such schema; /schemas/ lists those that there are")
        response = self._answer(request, name, lambda: schema(message))
        response.content_type = "application/schema+json"
        return response

    def _answer(self, request: Request, name: str, make: Callable[[], dict[str, Any]]) -> Response:
        reply = self._made.get(name)
        if reply is None:
            body = _encode(make())
            etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
            reply = self._made[name] = Reply(found=True, body=body, etag=etag)
        return reply_response(request, reply)
