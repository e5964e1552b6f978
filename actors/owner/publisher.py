"""Publishes what changed: of a watched tournament at most one update an interval, the first change at once; of one that nobody watches
seldom, since all that such an update does is count `seq` on.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Final, TypeVar

from actors.domain import views
from actors.domain.publications import (
    OutcomeReply,
    changed_channel,
    encode_changed,
    encode_outcomes,
    encode_patch,
    update_frame,
    updates_channel,
)
from actors.owner.entity import Entity
from storage.ports import Updates

R = TypeVar("R")

WATCHED_MS: Final = 30_000  # gateways ask for snapshots and then, every 5 s, for the positions of what they watch
UNWATCHED_INTERVAL_MS: Final = 5000
READ_WAIT_S: Final = 0.25  # for the next update, which comes within an interval unless the process is too busy


class Publisher:
    """Collects dirty entities and replies; `publish_due` sends what is due. `clock_ms` only paces, it decides nothing."""

    def __init__(self, updates: Updates, clock_ms: Callable[[], int], interval_ms: int) -> None:
        self._updates = updates
        self._clock_ms = clock_ms
        self._interval_ms = interval_ms
        self._idle_interval_ms = max(interval_ms, UNWATCHED_INTERVAL_MS)
        self._now_ms = clock_ms()
        self._dirty: dict[int, Entity] = {}
        self._due: list[tuple[int, int]] = []  # a heap of (ms, tournament); that of the entity's `due_ms` counts
        self._replies: dict[str, list[OutcomeReply]] = {}
        self._messages: list[tuple[str, bytes]] = []  # made, and to be sent
        self.wake = asyncio.Event()
        self.published = 0

    def mark(self, entity: Entity, *, top: bool = True) -> None:
        """Something to tell: the live data may have changed (`top`), or only somebody's standing."""
        if top:
            entity.top_dirty = True
        tournament_id = entity.state.tournament_id
        if self._dirty.get(tournament_id) is not entity:
            self._dirty[tournament_id] = entity
            self._plan(entity)

    def watch(self, entity: Entity) -> None:
        """Somebody watches it: for a while, its changes are told as they come."""
        now, before = self._time(), entity.watched_ms
        entity.watched_ms = now
        if now - before >= WATCHED_MS and entity.state.tournament_id in self._dirty:
            self._plan(entity)

    def reply(self, reply_to: str, outcome: OutcomeReply) -> None:
        """Answer a waiting entrypoint with the next publication."""
        self._replies.setdefault(reply_to, []).append(outcome)
        self.wake.set()

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved or dropped)."""
        entity = self._dirty.pop(tournament_id, None)
        if entity is not None:
            _read(entity)  # as it was

    def start_live(self, entity: Entity) -> None:
        """Take the present data as published, with nothing to tell: subscribers start from a snapshot."""
        entity.published = entity.live_data()

    def _time(self) -> int:
        """The clock; one that went back takes all that is planned with it, so that nothing falls silent."""
        now = self._clock_ms()
        if now < self._now_ms:
            back = self._now_ms - now
            self._due = [(due - back, tournament_id) for due, tournament_id in self._due]
            for entity in self._dirty.values():
                entity.due_ms -= back
        self._now_ms = now
        return now

    async def settled(self, entity: Entity, read: Callable[[], R]) -> R:
        """What `read` gives at a moment when all that shows is published, so that it has a position.

        That is now, if an update may be sent now, else with the next one. Who has waited for READ_WAIT_S reads without a position.
        """
        now = self._time()
        if entity.top_dirty and not 0 <= now - entity.published_ms < self._interval_ms:
            self._update(entity, now)
            self._plan(entity)  # what else is to be told of it
            self.wake.set()
        if not entity.top_dirty:
            return read()
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        entity.readers.append(lambda: _settle(answer, read))
        self._plan(entity, self._interval_ms)
        await asyncio.wait({answer}, timeout=READ_WAIT_S)
        return answer.result() if answer.done() else read()

    def _plan(self, entity: Entity, interval_ms: int | None = None) -> None:
        now = self._time()
        entity.due_ms = due = min(entity.published_ms, now) + (interval_ms or self._interval_of(entity, now))
        heapq.heappush(self._due, (due, entity.state.tournament_id))
        if self._due[0][0] == due:
            self.wake.set()  # sooner than anything planned before

    def _interval_of(self, entity: Entity, now: int) -> int:
        # a watcher seen in the future, before the clock went back, is none
        return self._interval_ms if 0 <= now - entity.watched_ms < WATCHED_MS else self._idle_interval_ms

    async def publish_due(self) -> int | None:
        """Publish what is due; returns how many ms until the next entity is due, None when nothing waits."""
        now = self._time()
        for reply_to, outcomes in self._replies.items():
            self._messages.append((reply_to, encode_outcomes(outcomes)))
        self._replies = {}
        while self._due and self._due[0][0] <= now:
            due, tournament_id = heapq.heappop(self._due)
            entity = self._dirty.get(tournament_id)
            if entity is None or entity.due_ms != due:
                continue  # gone, or planned anew since
            if not entity.scope.ready:
                entity.due_ms = now + self._interval_ms
                heapq.heappush(self._due, (entity.due_ms, tournament_id))
                continue
            del self._dirty[tournament_id]
            watched = self._interval_of(entity, now) == self._interval_ms
            entity.published_ms = now
            self._update(entity, now)
            self._tell_changed(entity, watched=watched)
        next_due = self._due[0][0] - now if self._due else None
        if self._messages:
            messages, self._messages = self._messages, []
            await self._updates.publish(messages)
        return next_due

    def _update(self, entity: Entity, now: int) -> None:
        """The next update, if the live data changed; then whoever waited for that reads."""
        if entity.published is None:
            self.start_live(entity)
        operations = []
        if entity.top_dirty:
            entity.top_dirty = False
            before, entity.published = entity.published or {}, entity.live_data()
            operations = views.patch(before, entity.published)
        if operations:
            entity.published_ms = now
            entity.seq += 1
            patch = encode_patch(operations)
            entity.recent.append((entity.seq, patch))
            tournament_id = entity.state.tournament_id
            frame = update_frame(tournament_id, entity.epoch, entity.seq, patch)
            self._messages.append((updates_channel(tournament_id), frame))
            self.published += 1
        _read(entity)

    def _tell_changed(self, entity: Entity, *, watched: bool) -> None:
        """Whose standing changed; who subscribes to `me` asks for the standing first."""
        if entity.changed_users or entity.changed_many:
            if watched:
                changed = b"" if entity.changed_many else encode_changed(entity.changed_users)
                self._messages.append((changed_channel(entity.state.tournament_id), changed))
            entity.changed_users.clear()
            entity.changed_many = False


def _settle(answer: asyncio.Future[R], read: Callable[[], R]) -> None:
    if answer.done():
        return  # whoever waited has gone
    try:
        answer.set_result(read())
    except Exception as error:
        answer.set_exception(error)


def _read(entity: Entity) -> None:
    readers, entity.readers = entity.readers, []
    for read in readers:
        read()
