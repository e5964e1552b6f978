"""Appends a tick for each tournament whose time has come. A tick decides nothing: it only makes the fold look at the log's time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from actors.domain.messages import Tick, encode_message
from actors.owner.change import Change
from actors.owner.entity import Entity
from storage.ports import LogUnavailableError, NewRecord, ScoreLog

logger = logging.getLogger(__name__)

SCAN_MS: Final = 1000  # all due times are looked at this often at least: a clock that is set back costs no more
REPEAT_MS: Final = 250  # a tick that did not move the fold on is appended again after this, doubling with each one
REPEAT_MAX_MS: Final = 4000  # an owner that is cut off never hears that its ticks were read


class _Ticked(NamedTuple):
    """For which due time the last tick was appended, when, and how long it is waited for."""

    due_ms: int
    ticked_ms: int
    pause_ms: int


class Ticker:
    """`active` are the tournaments that are looked after; `clock_ms` only says when to append."""

    def __init__(self, log: ScoreLog, active: Mapping[int, Entity], clock_ms: Callable[[], int]) -> None:
        self._log = log
        self._active = active
        self._clock_ms = clock_ms
        self._ticked: dict[int, _Ticked] = {}  # by tournament
        self._next_due_ms = 0  # no tournament is due before this

    def note(self, change: Change) -> None:
        """A tournament changed by more than scores, and so its due time may have."""
        state = change.entity.state
        due_ms = state.due_ms
        if due_ms is None:
            self._ticked.pop(state.tournament_id, None)
        else:
            self._next_due_ms = min(self._next_due_ms, due_ms)

    def forget(self, tournament_id: int) -> None:
        """An entity is gone (moved)."""
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
            ticked, pause_ms = self._ticked.get(tournament_id), REPEAT_MS
            if ticked is not None and ticked.due_ms == at:  # else the fold has moved on from that one
                if 0 <= now - ticked.ticked_ms < ticked.pause_ms:
                    self._next_due_ms = min(self._next_due_ms, ticked.ticked_ms + ticked.pause_ms)
                    continue
                pause_ms = min(2 * ticked.pause_ms, REPEAT_MAX_MS)
            self._ticked[tournament_id] = _Ticked(at, now, pause_ms)
            self._next_due_ms = min(self._next_due_ms, now + pause_ms)
            due.append(NewRecord(entity.state.partition, str(tournament_id).encode(), value))
        if due:
            try:
                await self._log.append(due)
            except LogUnavailableError as error:
                logger.warning("ticks not appended, they will be tried again: %s", error)
        return len(due)
