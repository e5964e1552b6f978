"""Publishes what changed: at most one update an interval for each tournament, the first change at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

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
from actors.entity import Entity
from storage.base import Updates


class Publisher:
    """Collects dirty entities and replies; `publish_due` sends what is due. `clock_ms` only paces, it decides nothing."""

    def __init__(self, updates: Updates, clock_ms: Callable[[], int], interval_ms: int) -> None:
        self._updates = updates
        self._clock_ms = clock_ms
        self._interval_ms = interval_ms
        self._dirty: dict[int, Entity] = {}
        self._replies: dict[str, list[OutcomeReply]] = {}
        self.wake = asyncio.Event()
        self.published = 0

    def mark(self, entity: Entity, *, top: bool = True) -> None:
        """Something to tell: the live data may have changed (`top`), or only somebody's standing."""
        entity.top_dirty = entity.top_dirty or top
        self._dirty[entity.state.tournament_id] = entity
        self.wake.set()

    def reply(self, reply_to: str, outcome: OutcomeReply) -> None:
        """Answer a waiting door with the next publication."""
        self._replies.setdefault(reply_to, []).append(outcome)
        self.wake.set()

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved or dropped)."""
        self._dirty.pop(tournament_id, None)

    def start_live(self, entity: Entity) -> None:
        """Take the present data as published, with nothing to tell: subscribers start from a snapshot."""
        entity.published = views.live_data(entity.state, entity.status)
        _note_top(entity)

    async def publish_due(self) -> int | None:
        """Publish what is due; returns how many ms until the next entity is due, None when nothing waits."""
        now = self._clock_ms()
        messages: list[tuple[str, bytes]] = []
        for reply_to, outcomes in self._replies.items():
            messages.append((reply_to, encode_outcomes(outcomes)))
        self._replies = {}
        next_due: int | None = None
        for tournament_id, entity in list(self._dirty.items()):
            if not entity.scope.ready:
                continue  # marked again by the delivery that makes it ready
            # a clock that went back must not silence an entity: hence the clamp
            wait = min(entity.published_ms + self._interval_ms - now, self._interval_ms)
            if wait > 0:
                next_due = wait if next_due is None else min(next_due, wait)
                continue
            del self._dirty[tournament_id]
            entity.published_ms = now
            messages.extend(self._messages(entity))
        if messages:
            await self._updates.publish(messages)
        return next_due

    def _messages(self, entity: Entity) -> list[tuple[str, bytes]]:
        messages: list[tuple[str, bytes]] = []
        tournament_id = entity.state.tournament_id
        if entity.published is None:
            self.start_live(entity)
        data = entity.published or {}
        operations = []
        if entity.top_dirty:
            entity.top_dirty = False
            data = views.live_data(entity.state, entity.status)
            operations = views.patch(entity.published or {}, data)
        if operations:
            entity.seq += 1
            patch = encode_patch(operations)
            entity.published = data
            entity.recent.append((entity.seq, patch))
            _note_top(entity)
            messages.append(
                (updates_channel(tournament_id), update_frame(tournament_id, entity.scope.epoch, entity.seq, patch))
            )
            self.published += 1
        if entity.changed_users or entity.changed_many:
            changed = b"" if entity.changed_many else encode_changed(entity.changed_users)
            messages.append((changed_channel(tournament_id), changed))
            entity.changed_users.clear()
            entity.changed_many = False
        return messages


def _note_top(entity: Entity) -> None:
    top = (entity.published or {})["top"]
    entity.top_users = {int(row["user_id"]) for row in top}
    full = len(top) >= views.TOP_ROWS
    entity.top_worst = round(top[-1]["score"] * 100) if full else None
