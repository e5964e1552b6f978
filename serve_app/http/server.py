"""A uvicorn of a replica's own, on the running loop and a port that all replicas of a node share (SO_REUSEPORT)."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final, Protocol

import uvicorn

from serve_app.http.connection_bounds import KEEP_ALIVE_S, allow_connections
from serve_app.log_limit import limit_server_logs

BACKLOG: Final = 4096
NOTSENT_LOWAT_BYTES: Final = 128 * 1024
STOP_WAIT_S: Final = 5.0
SO_ATTACH_FILTER: Final = 26  # Linux's socket(7), which Python does not name
BPF_RETURN: Final = 0x06
LEAVE_S: Final = 1.0  # for clients to hear on their next request that this connection ends


class PortInUseError(OSError):
    """Somebody else listens on the port."""


class Connection(Protocol):
    """An HTTP connection as a server that leaves looks at it."""

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process belongs to whoever runs us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class OwnServer:
    """A running server. `port` is the one really bound (for port 0)."""

    def __init__(self, config: uvicorn.Config, host: str, port: int, max_connections: int) -> None:
        """Listen, and begin to serve. Raises PortInUseError when the port is taken by someone who does not share it.

        With SO_REUSEPORT another Palio of the same user does share it: who starts a Palio checks that the port is free.
        """
        limit_server_logs()
        allow_connections(max_connections)
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="server")

    async def started(self) -> None:
        """Returns once connections are accepted."""
        while not self._server.started:
            await asyncio.sleep(0.01)
            self.check()

    @property
    def requests(self) -> int:
        """HTTP requests answered so far."""
        return self._server.server_state.total_requests

    def check(self) -> None:
        """Raises RuntimeError when the server has ended or never came up."""
        check_runs(self._serving)

    def http_connections(self) -> list[Any]:
        """Those that are open, each a `Connection`."""
        return [each for each in self._server.server_state.connections if hasattr(each, "busy")]

    async def end_connections(self, until_s: float) -> None:
        """Wait, at most until this time of the loop, for connections to end well: from now on each answer is to end its connection, so that a
        busy client leaves between two requests. One that is closed while idle may cross with a request, so idle ones get LEAVE_S.
        """
        loop = asyncio.get_running_loop()
        idle_until_s = loop.time() + LEAVE_S
        while connections := self.http_connections():
            now_s = loop.time()
            busy = any(connection.busy for connection in connections)
            if now_s >= until_s or (now_s >= idle_until_s and not busy):
                break
            await asyncio.sleep(0.02)

    async def stop_listening(self) -> None:
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
        loop, config, state = asyncio.get_running_loop(), self._server.config, self._server.server_state
        for each in accepted:
            each.setblocking(False)

            def connection() -> asyncio.Protocol:
                return config.http_protocol_class(config=config, server_state=state, app_state={})  # type: ignore[call-arg]

            with contextlib.suppress(OSError):  # it is gone meanwhile
                await loop.connect_accepted_socket(connection, each)

    async def stop(self) -> None:
        """End at once what is left: requests under way are answered within STOP_WAIT_S. A second call does nothing."""
        self._server.should_exit = True
        await asyncio.wait([self._serving], timeout=STOP_WAIT_S)
        if not self._serving.done():
            self._server.force_exit = True
            self._serving.cancel()
            await asyncio.wait([self._serving])


def check_runs(task: asyncio.Task[None]) -> None:
    """Raises RuntimeError when a server's task has ended."""
    if task.done():
        raise RuntimeError("the server has ended") from (None if task.cancelled() else task.exception())


def uvicorn_config(app: Any, http: Any, ws: Any = None, **more: Any) -> uvicorn.Config:
    """How uvicorn is to run `app`, with the protocol classes `http` and, where there are live sockets, `ws`."""
    return uvicorn.Config(
        app,
        http=http,
        ws=ws,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # who a proxy speaks for is decided in one place: PALIO_TRUSTED_PROXIES
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(STOP_WAIT_S) - 1,
        **more,
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
