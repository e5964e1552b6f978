"""The two servers that `bench_fanout` compares, each in a process of its own: the gateway as replicas run it, and `websockets.broadcast`.

A server is told what to do by a pipe: `(updates, watchers)` sends that many updates to all and answers its CPU seconds (user and system, of
the whole process); `"memory"` answers its resident bytes; `"stop"` ends it. It never runs further ahead of the clients than LEAD updates.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from typing import Any, Final

import psutil
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from actors.domain.publications import update_frame, updates_channel

LEAD: Final = 50  # updates, 15 KB a socket: with more, what clients have not read makes the gateway skip updates, which then never come
STUCK_S: Final = 60
PING_INTERVAL_S: Final = 3600  # the clients answer no pings
TOURNAMENT: Final = 10**18
PATCH: Final = (
    b'[{"op":"replace","path":"/participants","value":4059},{"op":"move","from":"/top/7","path":"/top/3"},'
    b'{"op":"replace","path":"/top/3/score","value":912.25},{"op":"replace","path":"/top/12/score","value":871.5}]'
)
FIRST_SEQ: Final = 10**6  # so that all frames are equally long
PAYLOAD_BYTES: Final = len(update_frame(TOURNAMENT, 1, FIRST_SEQ, PATCH))

Send = Callable[[bytes], Awaitable[None]]
Progress = Any  # Synchronized[int]: frames that the clients have read


def gateway(pipe: Connection, progress: Synchronized[int]) -> None:
    """The gateway: updates come by the updates port, as from an owner."""
    pin(0)
    uvloop.run(_gateway(pipe, progress))


def websockets_broadcast(pipe: Connection, progress: Synchronized[int]) -> None:
    """A `websockets` server, without compression, that broadcasts the same payloads as text."""
    pin(0)
    uvloop.run(_broadcast(pipe, progress))


async def _gateway(pipe: Connection, progress: Progress) -> None:
    from serve_app.live.limits.bounds import HubLimits
    from tests.support.gateway import running_gateway

    async with running_gateway(
        HubLimits(max_sockets=10_000, max_sockets_per_address=10_000), socket_idle_timeout_s=PING_INTERVAL_S
    ) as running:
        palio = running.palio
        tournament = int(await running.tournament())
        # The clients subscribe to a tournament whose position is where the frames begin.
        palio.seqs[tournament] = FIRST_SEQ - 1
        channel = updates_channel(tournament)

        async def send(payload: bytes) -> None:
            palio.seqs[tournament] += 1  # what the owner would answer
            await palio.updates.publish([(channel, payload)])

        def watchers() -> int:
            topic = running.hub.topics.by_id.get(tournament)
            return 0 if topic is None else len(topic.live)

        await _obey(pipe, progress, running.server.port, tournament, send, watchers)


async def _broadcast(pipe: Connection, progress: Progress) -> None:
    async def keep(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(keep, "127.0.0.1", 0, compression=None, ping_interval=PING_INTERVAL_S) as server:

        async def send(payload: bytes) -> None:
            broadcast(server.connections, payload, text=True)

        port = next(iter(server.sockets)).getsockname()[1]
        await _obey(pipe, progress, port, TOURNAMENT, send, lambda: len(server.connections))


async def _obey(
    pipe: Connection, progress: Progress, port: int, tournament: int, send: Send, watchers: Callable[[], int]
) -> None:
    loop = asyncio.get_running_loop()
    pipe.send((port, tournament))
    seq = FIRST_SEQ
    while (order := await loop.run_in_executor(None, pipe.recv)) != "stop":
        gc.collect()
        if order == "memory":
            pipe.send(psutil.Process(os.getpid()).memory_info().rss)
            continue
        updates, wanted = order
        while watchers() < wanted:  # noqa: ASYNC110 - looks at another server's state, too
            await asyncio.sleep(0.01)
        start, used_s = progress.value, time.process_time()
        for sent in range(1, updates + 1):
            await send(update_frame(tournament, 1, seq, PATCH))
            seq += 1
            await asyncio.sleep(0)
            await _read(progress, start + (sent - LEAD) * wanted)
        await _read(progress, start + updates * wanted)
        pipe.send(time.process_time() - used_s)


async def _read(progress: Progress, wanted: int) -> None:
    """Until the clients have read so many frames. Raises TimeoutError."""
    async with asyncio.timeout(STUCK_S):
        while progress.value < wanted:  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(0.001)


def pin(core: int) -> None:
    """Keep this process to one of the cores."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})
