"""Many cheap clients that open a live socket, watch a tournament for a while and leave: runs in a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any, Final, NamedTuple

from scripts.benchmarks.harness.http_load import HOST, Pool, request

HANDSHAKES_AT_ONCE: Final = 50
VISIT_S: Final = 60.0  # for each step of a visit; beyond it has failed
ABRUPTLY: Final = 10  # one in so many leaves without a word
_HANDSHAKE: Final = (
    b"GET /v1/live HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: palio.v1\r\n\r\n"
)
_GOODBYE: Final = b"\x88\x82\0\0\0\0\x03\xe8"  # 1000, masked with zeros


class Place(NamedTuple):
    """What is visited: a running tournament, and one of its participants, who scores all the time by `token`, a service's."""

    port: int
    tournament: str
    user: int
    token: str


class _Visitor(asyncio.Protocol):
    """One socket. `watching` is done once it has its snapshot, `gone` once it is closed."""

    def __init__(self, tournament: str) -> None:
        loop = asyncio.get_running_loop()
        self.watching: asyncio.Future[None] = loop.create_future()
        self.gone = loop.create_future()
        self.received = 0  # bytes since the snapshot, while it watches
        self._subscribe = json.dumps({"id": 1, "subscribe": tournament}).encode()
        self._subscribed = False
        self._start = b""
        self._left = False

    def connection_made(self, transport: Any) -> None:
        """Shake hands."""
        self.transport: asyncio.Transport = transport
        transport.write(_HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        """The handshake's answer, the subscription's, the snapshot; then updates, whose bytes are counted."""
        if self.watching.done():
            self.received += 0 if self._left else len(data)
            return
        self._start += data
        if not self._subscribed and b"\r\n\r\n" in self._start:
            if not self._start.startswith(b"HTTP/1.1 101 "):
                self.watching.set_exception(RuntimeError(f"expected 101, got {self._start[:300]!r}"))
                return
            self._subscribed = True
            self.transport.write(bytes([0x81, 0x80 | len(self._subscribe), 0, 0, 0, 0]) + self._subscribe)
        elif b'"type":"snapshot"' in self._start:
            self._start = b""
            self.watching.set_result(None)

    def leave(self, *, abruptly: bool) -> None:
        """Close the socket."""
        self._left = True
        if abruptly:
            self.transport.abort()
        else:
            self.transport.write(_GOODBYE)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if not self.watching.done():
            self.watching.set_exception(RuntimeError(f"the server closed the socket before the snapshot: {exc}"))
        if not self.gone.done():
            self.gone.set_result(None)


async def visit(place: Place, first_wave: int, waves: int, sockets: int, stay_s: float, updates_a_second: float) -> int:
    """`waves` of `sockets` visitors, one after the other; returns how many bytes of updates they got.

    Each wave comes from an address of its own in 127.0.0.0/8, so that ports of closed sockets may rest. Raises RuntimeError or TimeoutError
    when a visit fails.
    """
    scoring = asyncio.create_task(_score(place, updates_a_second, first_wave)) if updates_a_second else None
    received = 0
    try:
        for wave in range(first_wave, first_wave + waves):
            received += await _wave(place, f"127.0.{1 + wave // 250 % 250}.{1 + wave % 250}", sockets, stay_s)
    finally:
        if scoring is not None:
            scoring.cancel()
    return received


async def _wave(place: Place, address: str, sockets: int, stay_s: float) -> int:
    room = asyncio.Semaphore(HANDSHAKES_AT_ONCE)

    async def come() -> _Visitor:
        async with room, asyncio.timeout(VISIT_S):
            _, visitor = await asyncio.get_running_loop().create_connection(
                lambda: _Visitor(place.tournament), HOST, place.port, local_addr=(address, 0)
            )
            await visitor.watching
            return visitor

    visitors = await asyncio.gather(*(come() for _ in range(sockets)))
    await asyncio.sleep(stay_s)
    for number, visitor in enumerate(visitors):
        visitor.leave(abruptly=number % ABRUPTLY == 0)
    async with asyncio.timeout(VISIT_S):
        await asyncio.gather(*(visitor.gone for visitor in visitors))
    return sum(visitor.received for visitor in visitors)


async def _score(place: Place, a_second: float, run: int) -> None:
    """Keep updates coming, so that sockets come and go in the middle of a fan-out."""
    pool = Pool(place.port, 1)
    path = f"/v1/tournaments/{place.tournament}/scores"
    began_s = time.monotonic()
    for count in itertools.count():
        body = {"event_id": f"visits-{run}-{count}", "user_id": str(place.user), "score": count}
        await pool.ask(request("POST", path, token=place.token, body=json.dumps(body).encode()))
        await asyncio.sleep(max(0.0, began_s + (count + 1) / a_second - time.monotonic()))
