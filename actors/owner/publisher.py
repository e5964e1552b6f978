"""Publishes what changed of watched tournaments: at most one update an interval, the first change at once.

Of one that nobody watches nothing is published and no patch made: it is noted that its live data changed, and whoever reads or
watches it next counts that as one update. A read is no reason to publish, so it counts in silence; whoever hears the channel all the same
finds a gap. Who watches is known from those who fetch what a subscription starts from, and from the broker (`actors.owner.audience`).
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from actors.domain import views
from actors.domain.publications import (
    OutcomeReply,
    PatchOperation,
    changed_channel,
    encode_changed,
    encode_outcomes,
    encode_patch,
    update_frame,
    updates_channel,
)
from actors.owner.change import Change
from actors.owner.entity import Entity
from storage.ports import Updates

R = TypeVar("R")

WATCHED_MS: Final = 15_000  # three times as long as between two looks at who listens
MAX_CHANGED_USERS: Final = 8192  # beyond, gateways are told that anyone may have changed
READ_WAIT_S: Final = 0.25  # for the next update, which comes within an interval unless the process is too busy


@dataclass(slots=True)
class _Waiting:
    """A tournament with something to tell. `users`: whose standing changed by their own doing, None: anyone's may have. `readers`: reads to be
    made with the next update, before anything else changes. Of its entries in the heap the one with `due_ms` counts."""

    entity: Entity
    due_ms: int = 0
    users: set[int] | None = field(default_factory=set)
    readers: tuple[Callable[[], None], ...] = ()

    def read(self) -> None:
        readers, self.readers = self.readers, ()
        for read in readers:
            read()


class Publisher:
    """Collects what changed, and replies; `publish_due` sends what is due. `clock_ms` only paces, it decides nothing."""

    def __init__(self, updates: Updates, clock_ms: Callable[[], int], interval_ms: int) -> None:
        self._updates = updates
        self._clock_ms = clock_ms
        self._interval_ms = interval_ms
        self._now_ms = clock_ms()
        self._dirty: dict[int, _Waiting] = {}
        self._due: list[tuple[int, int]] = []  # a heap of (ms, tournament); see `_Waiting.due_ms`
        self._replies: dict[str, list[OutcomeReply]] = {}
        self._messages: list[tuple[str, bytes]] = []  # made, and to be sent
        self.wake = asyncio.Event()
        self.published = 0

    def note(self, change: Change) -> None:
        """Something to tell: the live data may have changed, or only somebody's standing."""
        if not (change.slots or change.top):
            return
        entity, state = change.entity, change.entity.state
        live = entity.live
        if not self._is_watched(entity, self._time()):
            live.let_go()
            live.stale = True
            return
        if not live.stale and (change.top or live.may_show(entity.shown, change.slots)):
            live.stale = True
        waiting = self._dirty.get(state.tournament_id)
        if waiting is None or waiting.entity is not entity:
            waiting = self._dirty[state.tournament_id] = _Waiting(entity)
            self._plan(waiting, self._interval_ms)
        if (users := waiting.users) is not None:
            users.update(change.slots.values())
            if len(users) > MAX_CHANGED_USERS:
                waiting.users = None

    def watch(self, entity: Entity) -> None:
        """Somebody listens to it: for a while its changes are published. What was not until now is published as a whole."""
        now, live = self._time(), entity.live
        live.watched_ms = now
        if live.data is not None:
            return
        live.data = live.data_now(entity.shown, entity.status)
        if live.stale:
            live.stale = False
            self._publish(entity, views.whole_patch(live.data), now)
            self.wake.set()

    def reply(self, reply_to: str, outcome: OutcomeReply) -> None:
        """Answer a waiting entrypoint with the next publication."""
        self._replies.setdefault(reply_to, []).append(outcome)
        self.wake.set()

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved or dropped)."""
        waiting = self._dirty.pop(tournament_id, None)
        if waiting is not None:
            waiting.read()  # as it was

    def _time(self) -> int:
        """The clock; one that went back takes all that is planned with it, so that nothing falls silent."""
        now = self._clock_ms()
        if now < self._now_ms:
            back = self._now_ms - now
            self._due = [(due - back, tournament_id) for due, tournament_id in self._due]
            for waiting in self._dirty.values():
                waiting.due_ms -= back
        self._now_ms = now
        return now

    def settle(self, entity: Entity) -> bool:
        """Publish what shows now, if an update may be sent now; False when a read has to wait for the next one."""
        now, waiting = self._time(), self._dirty.get(entity.state.tournament_id)
        if not self._is_watched(entity, now):
            entity.live.count_unheard()
            return True
        if not entity.live.stale or waiting is None or waiting.entity is not entity:
            return True  # also when it was given up meanwhile: nothing more is published of it here
        if 0 <= now - entity.live.published_ms < self._interval_ms:
            return False
        self._update(waiting, now)
        self._plan(waiting, self._interval_ms)  # what else is to be told of it
        self.wake.set()
        return True

    async def settled(self, entity: Entity, read: Callable[[], R]) -> R:
        """What `read` gives at a moment when all that shows is published, so that it has a position.

        That is now, if an update may be sent now, else with the next one. Who has waited for READ_WAIT_S reads without a position.
        """
        if self.settle(entity):
            return read()
        waiting = self._dirty[entity.state.tournament_id]
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        waiting.readers += (lambda: _settle(answer, read),)
        self._plan(waiting, self._interval_ms)
        await asyncio.wait({answer}, timeout=READ_WAIT_S)
        return answer.result() if answer.done() else read()

    def _plan(self, waiting: _Waiting, interval_ms: int) -> None:
        now, entity = self._time(), waiting.entity
        due = min(entity.live.published_ms, now) + interval_ms
        waiting.due_ms = due
        heapq.heappush(self._due, (due, entity.state.tournament_id))
        if self._due[0][0] == due:
            self.wake.set()  # sooner than anything planned before

    def _is_watched(self, entity: Entity, now: int) -> bool:
        return now - entity.live.watched_ms < WATCHED_MS

    async def publish_due(self) -> int | None:
        """Publish what is due; returns how many ms until the next entity is due, None when nothing waits."""
        now = self._time()
        for reply_to, outcomes in self._replies.items():
            self._messages.append((reply_to, encode_outcomes(outcomes)))
        self._replies = {}
        while self._due and self._due[0][0] <= now:
            due, tournament_id = heapq.heappop(self._due)
            waiting = self._dirty.get(tournament_id)
            if waiting is None or waiting.due_ms != due:
                continue  # gone, or planned anew since
            if not waiting.entity.scope.ready:
                waiting.due_ms = now + self._interval_ms
                heapq.heappush(self._due, (waiting.due_ms, tournament_id))
                continue
            del self._dirty[tournament_id]
            if self._is_watched(waiting.entity, now):
                waiting.entity.live.published_ms = now
                self._update(waiting, now)
                self._tell_changed(waiting)
            else:
                waiting.entity.live.count_unheard()
                waiting.read()
        next_due = self._due[0][0] - now if self._due else None
        if self._messages:
            messages, self._messages = self._messages, []
            await self._updates.publish(messages)
        return next_due

    def _update(self, waiting: _Waiting, now: int) -> None:
        """The next update, if the live data changed; then whoever waited for that reads."""
        entity, live = waiting.entity, waiting.entity.live
        if live.stale:
            live.stale = False
            before, live.data = live.data, live.data_now(entity.shown, entity.status)
            operations = views.whole_patch(live.data) if before is None else views.patch(before, live.data)
            if operations:
                self._publish(entity, operations, now)
        waiting.read()

    def _publish(self, entity: Entity, operations: Sequence[PatchOperation], now: int) -> None:
        live, tournament_id = entity.live, entity.state.tournament_id
        live.published_ms = now
        live.seq += 1
        patch = encode_patch(operations)
        live.recent.append((live.seq, patch))
        frame = update_frame(tournament_id, entity.epoch, live.seq, patch)
        self._messages.append((updates_channel(tournament_id), frame))
        self.published += 1

    def _tell_changed(self, waiting: _Waiting) -> None:
        """Whose standing changed; who subscribes to `me` asks for the standing first."""
        if waiting.users is None or waiting.users:
            changed = encode_changed(waiting.users or ())
            self._messages.append((changed_channel(waiting.entity.state.tournament_id), changed))


def _settle(answer: asyncio.Future[R], read: Callable[[], R]) -> None:
    if answer.done():
        return  # whoever waited has gone
    try:
        answer.set_result(read())
    except Exception as error:
        answer.set_exception(error)
