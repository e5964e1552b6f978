"""Many cheap clients of live sockets that come back whatever happens, and insist on whole sequences: runs in a process of its own.

They read each frame's head alone: of which kind it is and at which position. A close that says when to come back is obeyed.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from scripts.benchmarks.harness.client_process import heard, tell
from scripts.benchmarks.harness.http_load import HOST
from scripts.benchmarks.harness.live.socket import CLOSE, PING, PONG, TEXT, LiveSocket, subscription

TRY_AGAIN_S: Final = 0.1
CONNECT_S: Final = 10.0
FINISH_S: Final = 30.0
QUIET_S: Final = 1.0  # nothing has come: all is here
_HEAD: Final = re.compile(rb'\{"tournament":"\d+","type":"(update|snapshot)","epoch":(\d+),"seq":(\d+)')


@dataclass
class Followed:
    """`told`: closes that said when to come back; `cut`: all other ends; `refused`: connections and handshakes that failed.

    `away_s`: of each return, from the end of a socket to the next one's subscription. `resumed`: returns that got only what they had
    missed; the others got a snapshot. `gaps`: updates that did not follow, of which there must be none; `behind`: clients that did not
    come to the newest position in the end.
    """

    told: int = 0
    cut: int = 0
    refused: int = 0
    resumed: int = 0
    gaps: int = 0
    behind: int = 0
    away_s: list[float] = field(default_factory=list)
    frames: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)  # of the ends that said nothing, and of what was refused


class _Follower:
    """One client, over as many sockets as it takes."""

    def __init__(self, port: int, tournament: str, followed: Followed) -> None:
        self.position: tuple[int, int] | None = None
        self.followed = followed
        self.lost_s = 0.0  # when the last socket ended; 0: it has not
        self.stopping = False
        self.started = asyncio.Event()  # it has its first snapshot
        self.transport: asyncio.Transport | None = None
        self.tournament = tournament
        self._port = port

    async def run(self) -> None:
        """Follow until told to stop."""
        loop = asyncio.get_running_loop()
        while not self.stopping:
            connection = _Connection(self)
            try:
                async with asyncio.timeout(CONNECT_S):
                    await loop.create_connection(lambda c=connection: c, HOST, self._port)  # type: ignore[misc]
            except OSError as error:  # TimeoutError, too
                self.refuse(repr(error))
                await asyncio.sleep(TRY_AGAIN_S)
                continue
            await asyncio.sleep(await connection.ended)

    def refuse(self, why: str) -> None:
        """A connection failed."""
        self.followed.refused += 1
        self.followed.why[why] += 1

    def take(self, kind: str, position: tuple[int, int], *, first: bool) -> None:
        """A frame came; `first`: of its socket."""
        followed = self.followed
        followed.frames[kind] += 1
        if kind == "update":
            if self.position is None or position != (self.position[0], self.position[1] + 1):
                followed.gaps += 1
            followed.resumed += first
        elif self.position is not None and position < self.position:
            followed.gaps += 1
        self.position = position
        self.started.set()


class _Connection(LiveSocket):
    """One socket of a follower; `ended` is how long to wait before the next one."""

    def __init__(self, follower: _Follower) -> None:
        super().__init__()
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._follower = follower
        self._first = True
        self._wait_s: float | None = None  # as the server said

    def on_open(self) -> None:
        """Subscribe from where this client is."""
        self._follower.transport = self.transport
        self.send(TEXT, subscription(self._follower.tournament, self._follower.position))

    def on_refused(self, answer: str) -> None:
        """To be tried again."""
        self._follower.refuse(answer)
        self._wait_s = TRY_AGAIN_S

    def on_frame(self, kind: int, payload: bytes) -> None:
        """A position, or how the socket is."""
        follower = self._follower
        if kind == PING:
            self.send(PONG, payload)
        elif kind == CLOSE:
            self._closed(payload)
        elif (head := _HEAD.match(payload)) is not None:
            follower.take(head[1].decode(), (int(head[2]), int(head[3])), first=self._first)
            self._first = False
        elif b'"ok":true' in payload:
            if follower.lost_s:
                follower.followed.away_s.append(time.monotonic() - follower.lost_s)
                follower.lost_s = 0.0
        else:
            follower.followed.why[payload[:100].decode()] += 1

    def _closed(self, payload: bytes) -> None:
        try:
            self._wait_s = json.loads(payload[2:])["retry_after_ms"] / 1000
        except (ValueError, KeyError):
            self._follower.followed.why[f"close {int.from_bytes(payload[:2], 'big')}"] += 1
        else:
            self._follower.followed.told += 1
        self.send(CLOSE, payload[:2])
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        follower = self._follower
        if self.open and not follower.stopping:
            follower.lost_s = follower.lost_s or time.monotonic()
            if self._wait_s is None:
                follower.followed.cut += 1
                follower.followed.why[repr(exc)] += 1
        if not self.ended.done():
            self.ended.set_result(TRY_AGAIN_S if self._wait_s is None else self._wait_s)


async def follow(port: int, tournament: str, sockets: int) -> Followed:
    """Follow with `sockets` clients: tells `open` once each has its snapshot, and ends a while after `finish` was said."""
    followed = Followed()
    followers = [_Follower(port, tournament, followed) for _ in range(sockets)]
    tasks = [asyncio.create_task(follower.run()) for follower in followers]
    async with asyncio.timeout(120):
        await asyncio.gather(*(follower.started.wait() for follower in followers))
    tell("open")
    await heard("finish")
    await _quiet(followers, followed)
    newest = max(follower.position or (-1, -1) for follower in followers)
    followed.behind = sum(follower.position != newest or follower.lost_s > 0 for follower in followers)
    for follower in followers:
        follower.stopping = True
        if follower.transport is not None:
            follower.transport.abort()
    await asyncio.wait(tasks, timeout=5)
    return followed


async def _quiet(followers: list[_Follower], followed: Followed) -> None:
    """Until all are back and nothing more comes, at most FINISH_S."""
    deadline_s = time.monotonic() + FINISH_S
    seen, since_s = -1, time.monotonic()
    while time.monotonic() < deadline_s:
        total = followed.frames.total()
        if total != seen or any(follower.lost_s for follower in followers):
            seen, since_s = total, time.monotonic()
        elif time.monotonic() - since_s > QUIET_S:
            return
        await asyncio.sleep(0.1)
