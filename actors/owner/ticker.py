"""Appends a tick for each tournament whose time has come. A tick decides nothing: it only makes the fold look at the log's time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from actors.domain.messages import Tick, encode_message
from actors.domain.tournament import Tournament
from actors.owner.entity import Entity
from storage.ports import LogUnavailableError, NewRecord, ScoreLog

logger = logging.getLogger(__name__)

SCAN_MS: Final = 1000  # all due times are looked at this often at least: a clock that is set back costs no more
REPEAT_MS: Final = 250  # a tick that did not move the fold on is appended again after this, doubling with each one
REPEAT_MAX_MS: Final = 4000  # an owner that is cut off never hears that its ticks were read


class Ticker:
    """`active` are the tournaments that are looked after; `clock_ms` only says when to append."""

    def __init__(self, log: ScoreLog, active: Mapping[int, Entity], clock_ms: Callable[[], int]) -> None:
        self._log = log
        self._active = active
        self._clock_ms = clock_ms
        self._ticked: dict[int, tuple[int, int]] = {}  # tournament -> (when a tick was appended, ms until the next one)
        self._next_due_ms = 0  # no tournament is due before this

    def note(self, state: Tournament) -> None:
        """The due time of this tournament may have changed."""
        if state.due_ms is not None:
            self._next_due_ms = min(self._next_due_ms, state.due_ms)

    def passed(self, tournament_id: int) -> None:
        """The fold moved this tournament's status on, or it is gone."""
        self._ticked.pop(tournament_id, None)

    async def tick_due(self) -> int:
        """Append a tick for each tournament whose time has come by this clock, again until the fold passed it; returns how many."""
        now = self._clock_ms()
        if 0 < self._next_due_ms - now <= SCAN_MS:
            return 0
        due: list[NewRecord] = []
        value = encode_message(Tick())
        self._next_due_ms = now + SCAN_MS
        for tournament_id, entity in self._active.items():
            at = entity.state.due_ms
            if at is None or not entity.scope.ready:
                continue
            if at > now:
                self._next_due_ms = min(self._next_due_ms, at)
                continue
            ticked_ms, pause_ms = self._ticked.get(tournament_id, (now - REPEAT_MS, REPEAT_MS // 2))
            if 0 <= now - ticked_ms < pause_ms:
                self._next_due_ms = min(self._next_due_ms, ticked_ms + pause_ms)
                continue
            pause_ms = min(2 * pause_ms, REPEAT_MAX_MS)
            self._ticked[tournament_id] = now, pause_ms
            self._next_due_ms = min(self._next_due_ms, now + pause_ms)
            due.append(NewRecord(entity.state.partition, str(tournament_id).encode(), value))
        if due:
            try:
                await self._log.append(due)
            except LogUnavailableError as error:
                logger.warning("ticks not appended, they will be tried again: %s", error)
        return len(due)
