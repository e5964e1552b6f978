"""Both entrypoints over one in-process Palio, each on a loopback port, as replicas run them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2

from serve_app.api.server import start
from tests.support.gateway import Gateway, running_gateway
from tests.support.running import free_ports


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
        port = free_ports(1)[0]  # which both must know before they listen
        gateway = await stack.enter_async_context(running_gateway(**{"listen_ports": (port, port), **config}))
        server = await start(gateway.services, "127.0.0.1", port)
        url = f"http://127.0.0.1:{server.port}"
        try:
            async with (
                httpx2.AsyncClient(base_url=url, timeout=20) as api,
                httpx2.AsyncClient(base_url=gateway.url, timeout=20) as other,
            ):
                yield Entrypoints(gateway, url, {"api": api, "gateway": other})
        finally:
            await server.stop()
