"""Both entrypoints over one in-process Palio, each on a loopback port: the gateway as replicas run it, the api behind its edge."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import uvicorn

from serve_app.api.app import create_app
from serve_app.api.connection import ApiConnection, ApiLimits
from serve_app.api.edge import ApiEdge
from tests.support.gateway import Gateway, running_gateway


class Entrypoints:
    """`gateway` has the Palio behind it and shorthands; `clients` are by name: `api`, `gateway`."""

    def __init__(self, gateway: Gateway, api_url: str, clients: dict[str, httpx2.AsyncClient]) -> None:
        self.gateway = gateway
        self.palio = gateway.palio
        self.urls = {"api": api_url, "gateway": gateway.url}
        self.clients = clients

    def bearer(self, user: int = 1, role: Any = "player") -> dict[str, str]:
        return {"authorization": f"Bearer {self.gateway.token(user, role)}"}


@asynccontextmanager
async def running_entrypoints(**config: Any) -> AsyncIterator[Entrypoints]:
    """Both over the same services, with generous rates unless given."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        gateway = await stack.enter_async_context(running_gateway(**{"listen_ports": (port, port), **config}))
        services = gateway.services
        app = ApiEdge(create_app(services), services.cors)
        limits = ApiLimits(
            max_body_bytes=services.config.max_body_bytes, request_timeout_s=services.config.request_timeout_s
        )
        http: Any = functools.partial(ApiConnection, limits=limits)  # as in Serve's proxy
        no_sockets: Any = None
        settings = uvicorn.Config(app, http=http, ws=no_sockets, log_level="warning", lifespan="off", access_log=False)
        server = uvicorn.Server(settings)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            async with (
                httpx2.AsyncClient(base_url=url, timeout=20) as api,
                httpx2.AsyncClient(base_url=gateway.url, timeout=20) as other,
            ):
                yield Entrypoints(gateway, url, {"api": api, "gateway": other})
        finally:
            server.should_exit = True
            await serving
