"""Runs the gateway's app on the running loop: its own uvicorn on a socket that replicas share (SO_REUSEPORT)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import socket
import struct
from collections.abc import Iterator
from typing import Final

import uvicorn

from serve_app.gateway.app import GatewayApp
from serve_app.gateway.fast_path import GatewayHttp
from serve_app.gateway.http_connection import HTTP_CONNECTIONS
from serve_app.http.connection_bounds import EXPIRE_INTERVAL_S, KEEP_ALIVE_S, allow_connections
from serve_app.live.connection import LiveConnection
from serve_app.log_limit import limit_server_logs

BACKLOG: Final = 4096
NOTSENT_LOWAT_BYTES: Final = 128 * 1024
STOP_WAIT_S: Final = 5.0
SO_ATTACH_FILTER: Final = 26  # Linux's socket(7), which Python does not name
BPF_RETURN: Final = 0x06
LEAVE_S: Final = 1.0  # for clients to hear on their next request that this connection ends

logger = logging.getLogger(__name__)


class PortInUseError(OSError):
    """Somebody else listens on the gateway's port."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process belongs to whoever runs us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class GatewayServer:
    """A running gateway. `port` is the one really bound (for port 0)."""

    def __init__(self, app: GatewayApp, server: uvicorn.Server, listener: socket.socket) -> None:
        self.app = app
        self.port: int = listener.getsockname()[1]
        self._server = server
        self._listener = listener
        self._serving = asyncio.create_task(server.serve(sockets=[listener]), name="gateway-server")
        self._expiring = asyncio.create_task(self._expire_regularly(), name="gateway-expiry")

    @property
    def sockets(self) -> int:
        """Live sockets now."""
        return len(self.app.hub.sockets)

    @property
    def requests(self) -> int:
        """HTTP requests answered so far."""
        return self._server.server_state.total_requests

    def check(self) -> None:
        """Raises RuntimeError when the server has ended or never came up."""
        for task in (self._serving, self._expiring):
            if task.done():
                raise RuntimeError("the gateway's server has ended") from (
                    None if task.cancelled() else task.exception()
                )

    async def drain(self, spread_s: float) -> None:
        """Take no new connections, and let those that are open end well, within about `spread_s`.

        Live sockets are closed evenly over it, each told when to come back. HTTP requests are answered; from now on each answer ends its
        connection, so that a busy client leaves between two requests: one that is closed while idle may cross with a request.
        """
        began_s = asyncio.get_running_loop().time()
        await self._stop_listening()
        await self.app.hub.drain(spread_s)
        while connections := self._http_connections():
            waited_s = asyncio.get_running_loop().time() - began_s
            busy = any(connection.busy for connection in connections)
            if waited_s >= spread_s or (waited_s >= LEAVE_S and not busy):
                break
            await asyncio.sleep(0.02)

    async def _stop_listening(self) -> None:
        """Leave the port to the others on it. Whoever is connected but not accepted yet is taken: closing would reset these clients.

        Whoever would connect between is not heard, and asks again in a second: then another one answers.
        """
        _hear_nobody(self._listener)
        accepted: list[socket.socket] = []
        with contextlib.suppress(OSError):  # none waits, or it is closed already
            while True:
                accepted.append(self._listener.accept()[0])
        # At once: the event loop closes it only later, and until then the kernel chooses it, too. Uvicorn closes it in `stop`.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for server in self._server.servers:
            server.close()
        loop, state = asyncio.get_running_loop(), self._server.server_state
        for each in accepted:
            each.setblocking(False)
            with contextlib.suppress(OSError):  # it is gone meanwhile
                await loop.connect_accepted_socket(lambda: GatewayHttp(self._server.config, state, {}), each)

    def _http_connections(self) -> list[GatewayHttp]:
        return [each for each in self._server.server_state.connections if isinstance(each, GatewayHttp)]

    async def stop(self) -> None:
        """End at once what is left: requests under way are answered within STOP_WAIT_S. A second call does nothing."""
        self._expiring.cancel()
        self._server.should_exit = True
        await asyncio.wait([self._serving], timeout=STOP_WAIT_S)
        if not self._serving.done():
            self._server.force_exit = True
            self._serving.cancel()
        await asyncio.wait([self._serving, self._expiring])

    async def _expire_regularly(self) -> None:
        loop = asyncio.get_running_loop()
        interval_s = min(EXPIRE_INTERVAL_S, self.app.config.request_timeout_s / 4)
        while True:
            await asyncio.sleep(interval_s)
            self._expire(loop.time())

    def _expire(self, now_s: float) -> None:
        # Not in the loop that sleeps, whose variable would keep the last connection in memory.
        for connection in self._http_connections():
            connection.expire(now_s)


async def start(app: GatewayApp, host: str, port: int) -> GatewayServer:
    """Serve `app` on the running loop, and return once connections are accepted. The hub is the caller's to start.

    Raises PortInUseError when the port is taken by someone who does not share it. With SO_REUSEPORT another Palio of the same
    user does share it: who starts a Palio checks that the port is free.
    """
    limit_server_logs()
    allow_connections(app.config.max_sockets + HTTP_CONNECTIONS)
    listener = _listen(host, port)
    server = _Server(uvicorn_config(app))
    running = GatewayServer(app, server, listener)
    while not server.started:
        await asyncio.sleep(0.01)
        running.check()
    return running


def uvicorn_config(app: GatewayApp) -> uvicorn.Config:
    """How uvicorn is to run `app`."""
    return uvicorn.Config(
        app,
        http=GatewayHttp,
        ws=LiveConnection,
        ws_max_size=app.config.max_frame_bytes,
        ws_ping_interval=app.config.socket_idle_timeout_s,
        ws_ping_timeout=app.config.socket_idle_timeout_s / 2,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(STOP_WAIT_S) - 1,
    )


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Accepted sockets inherit these. What a slow client has not taken waits with us, where newer data can replace it, rather than
        # in the kernel; small frames leave at once.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setblocking(False)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(error.errno, f"port {port} on {host} is in use by another program") from error
        raise
    return listener


def _hear_nobody(listener: socket.socket) -> None:
    """Have the kernel drop all that comes to a listener. Its connections, accepted or not, go on."""
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))  # of a packet's bytes, take 0
    program = struct.pack("HP", 1, ctypes.addressof(nothing))
    with contextlib.suppress(OSError):  # it is closed already
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
