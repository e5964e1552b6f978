"""Runs the gateway's app on the running loop, and lets it leave without a client noticing."""

from __future__ import annotations

import asyncio

import uvicorn

from serve_app.gateway.app import GatewayApp
from serve_app.gateway.fast_path import GatewayHttp
from serve_app.gateway.http_connection import HTTP_CONNECTIONS
from serve_app.http import server as http_server
from serve_app.http.connection_bounds import EXPIRE_INTERVAL_S
from serve_app.http.server import OwnServer, check_runs
from serve_app.live.connection import LiveConnection


class GatewayServer(OwnServer):
    """A running gateway."""

    def __init__(self, app: GatewayApp, host: str, port: int) -> None:
        super().__init__(uvicorn_config(app), host, port, app.config.max_sockets + HTTP_CONNECTIONS)
        self.app = app
        self._expiring = asyncio.create_task(self._expire_regularly(), name="gateway-expiry")

    @property
    def sockets(self) -> int:
        """Live sockets now."""
        return len(self.app.hub.sockets)

    def check(self) -> None:
        """Raises RuntimeError when the server has ended or never came up."""
        super().check()
        check_runs(self._expiring)

    async def drain(self, spread_s: float) -> None:
        """Take no new connections, and let those that are open end well, within about `spread_s`.

        Live sockets are closed evenly over it, each told when to come back. HTTP requests are answered, each answer ends its connection.
        """
        until_s = asyncio.get_running_loop().time() + spread_s
        await self.stop_listening()
        await self.app.hub.drain(spread_s)
        await self.end_connections(until_s)

    async def stop(self) -> None:
        """See `OwnServer.stop`."""
        self._expiring.cancel()
        await super().stop()
        await asyncio.wait([self._expiring])

    async def _expire_regularly(self) -> None:
        loop = asyncio.get_running_loop()
        interval_s = min(EXPIRE_INTERVAL_S, self.app.config.request_timeout_s / 4)
        while True:
            await asyncio.sleep(interval_s)
            self._expire(loop.time())

    def _expire(self, now_s: float) -> None:
        # Not in the loop that sleeps, whose variable would keep the last connection in memory.
        for connection in self.http_connections():
            connection.expire(now_s)


async def start(app: GatewayApp, host: str, port: int) -> GatewayServer:
    """Serve `app` on the running loop, and return once connections are accepted. The hub is the caller's to start. Raises PortInUseError."""
    running = GatewayServer(app, host, port)
    await running.started()
    return running


def uvicorn_config(app: GatewayApp) -> uvicorn.Config:
    """How uvicorn is to run `app`."""
    return http_server.uvicorn_config(
        app,
        GatewayHttp,
        LiveConnection,
        ws_max_size=app.config.max_frame_bytes,
        ws_ping_interval=app.config.socket_idle_timeout_s,
        ws_ping_timeout=app.config.socket_idle_timeout_s / 2,
        ws_per_message_deflate=False,
    )
