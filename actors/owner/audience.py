"""Learns from the broker of updates who listens, so that only what somebody hears is published.

Gateways have registered their interest there already, by their subscriptions, which end with them and come back after any restart. So does
anyone with a Redis client. An owner asks regularly, and as soon as it has caught up with a scope.
"""

from __future__ import annotations

from collections.abc import Callable

from actors.domain.publications import tournament_of
from actors.owner.entity import Entity
from storage.ports import Updates


class Audience:
    """`find` gives a tournament that is in memory; `watch` is called with each that somebody listens to. `clock_ms` only paces.

    `listened`: how many of its tournaments somebody listens to, by the last answer.
    """

    def __init__(
        self,
        updates: Updates,
        find: Callable[[int], Entity | None],
        watch: Callable[[Entity], None],
        clock_ms: Callable[[], int],
        interval_ms: int,
    ) -> None:
        self._updates = updates
        self._find = find
        self._watch = watch
        self._clock_ms = clock_ms
        self._interval_ms = interval_ms
        self._next_ms = 0
        self.listened = 0

    def look_soon(self) -> None:
        """Ask at the next call of `look_due`."""
        self._next_ms = 0

    async def look_due(self) -> bool:
        """Ask the broker, if it is time, and tell of what somebody listens to; returns whether it answered."""
        now = self._clock_ms()
        if 0 < self._next_ms - now <= self._interval_ms:
            return False
        self._next_ms = now + self._interval_ms
        channels = await self._updates.listened()
        if channels is None:
            return False
        heard = 0
        for channel in channels:
            tournament_id = tournament_of(channel)
            entity = None if tournament_id is None else self._find(tournament_id)
            if entity is not None and entity.scope.ready:
                heard += 1
                self._watch(entity)
        self.listened = heard
        return True
