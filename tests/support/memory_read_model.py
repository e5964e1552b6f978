"""Read models in memory: the write side of `ReadModel`, for tests of those who write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from storage.ports import (
    Query,
    ReadModelDelta,
    ReadModelFullError,
    ReadModelPosition,
    ReadModelUnavailableError,
)


class MemoryReadModel:
    """The write side of `ReadModel` in memory: positions and rows by user. `away`, `full` tell it to fail."""

    def __init__(self) -> None:
        self.held: dict[int, ReadModelPosition] = {}
        self.rows: dict[int, dict[int, bytes | None]] = {}
        self.finished: set[int] = set()
        self.away: set[int] | None = None  # these tournaments; None: all is well
        self.full = False
        self.writes: list[list[ReadModelDelta]] = []
        self.asked: list[list[int]] = []  # by `positions`
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, deltas: Sequence[ReadModelDelta]) -> list[int]:
        self.writes.append(list(deltas))
        await self.gate.wait()
        if self.full:
            raise ReadModelFullError("full", frozenset(d.tournament_id for d in deltas))
        away = self.away or set()
        refused = []
        for delta in deltas:
            tournament_id = delta.tournament_id
            if tournament_id in away:
                continue
            held = self.held.get(tournament_id)
            if held is not None and held.epoch > delta.epoch:
                continue  # fenced
            if delta.after is None:
                if held is not None and held > (delta.epoch, delta.offset):
                    continue
            elif held != (delta.epoch, delta.after):
                refused.append(tournament_id)
                continue
            rows = {} if delta.after is None else self.rows[tournament_id]
            for row in delta.rows[0 : len(delta.rows)]:
                rows[row.user_id] = row.participant
            self.rows[tournament_id] = rows
            self.held[tournament_id] = ReadModelPosition(delta.epoch, delta.offset)
            if delta.finished:
                self.finished.add(tournament_id)
        failed = away & {delta.tournament_id for delta in deltas}
        if failed:
            raise ReadModelUnavailableError("told to fail", frozenset(failed))
        return refused

    async def positions(self, epochs: Mapping[int, int]) -> dict[int, ReadModelPosition | None]:
        self.asked.append(list(epochs))
        away = self.away or set()
        return {i: self.held.get(i) for i in epochs if i not in away}

    def lose(self, tournament_id: int) -> None:
        self.held.pop(tournament_id, None)
        self.rows.pop(tournament_id, None)

    async def read(self, tournament_id: int, query: Query[Any]) -> None:
        return None

    async def close(self) -> None:
        return None
