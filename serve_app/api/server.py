"""Runs the api's app on the running loop, and lets it leave without a client noticing."""

from __future__ import annotations

import asyncio
import functools

from fastapi import FastAPI

from serve_app.api.app import create_app
from serve_app.api.calls import CallReader
from serve_app.api.connection import ApiConnection, ApiLimits
from serve_app.api.edge import ApiEdge
from serve_app.config import FrontConfig
from serve_app.http.cors import Cors
from serve_app.http.messages import Request
from serve_app.http.server import OwnServer, uvicorn_config
from serve_app.services.container import Services


class ApiServer(OwnServer):
    """A running api."""

    def __init__(self, app: FastAPI, config: FrontConfig, cors: Cors, host: str, port: int) -> None:
        self._app = app
        self._limits = ApiLimits(
            max_api_connections=config.max_api_connections,
            max_body_bytes=config.max_body_bytes,
            max_unread_body_bytes=config.max_unread_body_bytes,
            request_timeout_s=config.request_timeout_s,
        )
        protocol = functools.partial(ApiConnection, limits=self._limits)
        edge = ApiEdge(app, cors, config.request_timeout_s)
        super().__init__(uvicorn_config(edge, protocol), host, port, config.max_api_connections)

    async def ready(self) -> bool:
        """Whether the api can serve, as `GET /readyz` tells."""
        calls: CallReader = self._app.state.calls
        return (await calls.handlers.table["readyz"](Request("GET", {}))).status == 200

    async def drain(self, spread_s: float) -> None:
        """Take no new connections, and let those that are open end well, within about `spread_s`: each answer ends its connection."""
        until_s = asyncio.get_running_loop().time() + spread_s
        self._limits.leaving = True
        await self.stop_listening()
        await self.end_connections(until_s)


async def start(services: Services, host: str, port: int) -> ApiServer:
    """Serve the api on the running loop, and return once connections are accepted. Raises PortInUseError."""
    running = ApiServer(create_app(services), services.config, services.cors, host, port)
    await running.started()
    return running
