"""This Palio: where its gateway is, and whether this process is well."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response as WebResponse

from serve_app.api.answers import Gateway
from serve_app.api.calls import AnyonesCall, HealthCall
from serve_app.api.responses import TOKEN_OPTIONAL, health, operation, reads

router = APIRouter(tags=["process"])


@operation(router, summary="Where the gateway is", responses=reads({200: Gateway}), security=TOKEN_OPTIONAL)
async def root(call: AnyonesCall) -> WebResponse:
    """Who: all."""
    return await call.answer("root")


@operation(router, summary="Whether this process is alive", responses=health(), security=[])
async def healthz(call: HealthCall) -> WebResponse:
    """Who: all."""
    return await call.answer("healthz")


@operation(router, summary="Whether it can serve", responses=health(), security=[])
async def readyz(call: HealthCall) -> WebResponse:
    """Who: all. The log can be read and written, the owners answer, and replies are being received."""
    return await call.answer("readyz")
