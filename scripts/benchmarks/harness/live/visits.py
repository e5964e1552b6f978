"""Many cheap clients that open a live socket, watch a tournament for a while and leave: runs in a process of its own."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Final, NamedTuple

from scripts.benchmarks.harness.http_load import HOST, Pool, request
from scripts.benchmarks.harness.live.socket import CLOSE, Subscriber

HANDSHAKES_AT_ONCE: Final = 50
VISIT_S: Final = 60.0  # for each step of a visit; beyond it has failed
ABRUPTLY: Final = 10  # one in so many leaves without a word
GOING: Final = (1000).to_bytes(2)  # the code of a normal close


class Place(NamedTuple):
    """What is visited: a running tournament, and one of its participants, who scores all the time by `token`, a service's."""

    port: int
    tournament: str
    user: int
    token: str


class _Visitor(Subscriber):
    """One socket. `gone` is done once it is closed."""

    def __init__(self, tournament: str) -> None:
        super().__init__(tournament)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.received = 0  # bytes of updates, while it watches
        self._left = False

    def on_update(self, payload: bytes) -> None:
        """Count."""
        self.received += 0 if self._left else len(payload)

    def leave(self, *, abruptly: bool) -> None:
        """Close the socket."""
        self._left = True
        if abruptly:
            self.transport.abort()
        else:
            self.send(CLOSE, GOING)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        super().connection_lost(exc)
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
