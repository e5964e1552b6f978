"""The contract's calls as the entrypoints offer them and as the OpenAPI document describes them."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import jsonschema_rs
from fastapi import FastAPI

from serve_app.api.responses import openapi_document
from serve_app.api.routers import ROUTERS
from serve_app.handlers.routes import ROUTES

GATEWAY_PATHS = {call.path for call in ROUTES if call.gateway}
METHODS_OF = {call.path: {other.method for other in ROUTES if other.path == call.path} for call in ROUTES}


def _document() -> dict[str, Any]:
    app = FastAPI(title="Palio", version="test")
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    return openapi_document(app)


DOCUMENT = _document()


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """What the document says of a call, None where it knows none."""
    for template, operations in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            found: dict[str, Any] | None = operations.get(method.lower())
            return found
    return None


@functools.cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def validate(schema: dict[str, Any], value: Any) -> None:
    """Raises ValueError where a value is not as one of the document's schemas says."""
    _validator(json.dumps(schema)).validate(value)
