"""The hub's parts one by one: sockets in memory, owners that answer as told, and the registry over an in-process broker."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from serve_app.live.owner_calls import OwnerCalls
from serve_app.live.standings import Standings
from serve_app.live.subscriptions import Subscriptions
from serve_app.live.topic import Subscription, Topic, Write
from serve_app.live.topics import Topics
from serve_app.live.updates_feed import UpdatesFeed
from storage.ports import LiveSnapshot, Publication, Query
from tests.support.gateway import WAIT_S
from tests.support.inprocess_updates import InProcessUpdates


async def until(condition: Any) -> None:
    """Wait for what must come."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0)


def snapshot(seq: int = 1, *, epoch: int = 1, public: bool = True) -> LiveSnapshot:
    """What an owner answers."""
    return LiveSnapshot(True, public, epoch, seq, b'{"top":[]}')


class MemorySocket:
    """A `serve_app.live.topic.Socket`; `got` is what its client was sent."""

    def __init__(self, user: int | None = None, *, sees_all: bool = False) -> None:
        self.address = "192.0.2.1"
        self.user = user
        self.sees_all = sees_all
        self.paused = False
        self.subscriptions: dict[int, Subscription] = {}
        self.got: list[dict[str, Any]] = []
        self.closed: list[tuple[int, str]] = []
        self.write: Write = self._take

    def _take(self, frame: bytes) -> None:
        self.got.append(json.loads(frame[2 if frame[1] < 126 else 4 :]))

    def send(self, frame: bytes) -> None:
        self.write(frame)

    def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))

    @property
    def kinds(self) -> list[str]:
        """The types of what it got; `ok` and error codes for answers."""
        return [m.get("type") or ("ok" if m.get("ok") else m["error"]["code"]) for m in self.got]


class ScriptedOwners:
    """`Owners`: `answers` by the query's type are values, exceptions or functions of the query; `asked` are the queries so far.

    While `free` is not set, calls wait.
    """

    def __init__(self) -> None:
        self.answers: dict[type[Any], Any] = {}
        self.found: dict[int, tuple[int, int]] | Exception = {}
        self.asked: list[Any] = []
        self.under_way: Counter[str] = Counter()
        self.free = asyncio.Event()
        self.free.set()

    async def read(self, tournament_id: int, query: Query[Any]) -> Any:
        self.asked.append(query)
        await self._wait()
        answer = self.answers[type(query)]
        answer = answer(query) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def positions(self, tournament_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        self.asked.append(tuple(tournament_ids))
        await self._wait()
        if isinstance(self.found, Exception):
            raise self.found
        return {key: self.found[key] for key in tournament_ids if key in self.found}

    async def resolve_placement(self, tournament_id: int, placement: str, capacity: int | None) -> bool:
        raise NotImplementedError

    async def _wait(self) -> None:
        self.under_way["now"] += 1
        self.under_way["most"] = max(self.under_way["most"], self.under_way["now"])
        try:
            await asyncio.sleep(0)
            await self.free.wait()
        finally:
            self.under_way["now"] -= 1


class Parts:
    """The registry, the subscriptions and the standings, wired as the hub wires them; `fetched` are the topics that were asked for."""

    def __init__(self, most_topics: int = 1000) -> None:
        self.updates = InProcessUpdates()
        self.delivered: list[Publication] = []
        self.feed = UpdatesFeed(self.updates, self.delivered.append)
        self.owners = ScriptedOwners()
        self.calls = OwnerCalls(self.owners, 4)
        self.topics = Topics(self.feed, most_topics)
        self.standings = Standings(self.calls, self.topics.watch_changes)
        self.fetched: list[Topic] = []
        self.subscriptions = Subscriptions(self.topics, self.standings, self.fetched.append)

    def watching(self, socket: MemorySocket, tournament_id: int = 7, *, me: bool = False) -> Topic:
        """Subscribe a socket."""
        self.subscriptions.add(socket, 1, tournament_id, None, me)
        return self.topics.by_id[tournament_id]

    def serve_all(self, topic: Topic, answer: LiveSnapshot) -> bool:
        """As the hub takes a snapshot, without the fan-out: serve who may see it."""
        topic.adopt(answer)
        for waiting in [s for s in topic.waiting if s.permitted]:
            self.subscriptions.serve(waiting)
        return True

    @classmethod
    @asynccontextmanager
    async def running(cls, **options: Any) -> AsyncIterator[Parts]:
        """With the feed started."""
        parts = cls(**options)
        parts.feed.start()
        try:
            yield parts
        finally:
            await parts.standings.stop()
            await parts.feed.stop()
