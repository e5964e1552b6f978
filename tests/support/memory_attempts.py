"""`AttemptBlocks` in memory, over the effects of whatever records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from actors.domain.analytics.attempts import (
    ANEW_KIND,
    ANEW_N,
    FIRST_N,
    KEPT_KIND,
    KIND,
    KINDS,
    Columns,
    encode_block,
)
from storage.ports import OutboxRow, WaitingTournament

Effects = dict[tuple[int, int, int], OutboxRow]


class MemoryAttempts:
    """See `storage.ports.attempts.AttemptBlocks`; `offsets` tells of each tournament how far it is stored."""

    def __init__(self, effects: Effects, offsets: Callable[[], Mapping[int, int]]) -> None:
        self._effects = effects
        self._offsets = offsets

    def tell(self, row: OutboxRow) -> None:
        """An effect of an owner's."""
        self._effects.setdefault(row[:3], row)

    async def waiting(self, after: int, limit: int) -> list[WaitingTournament]:
        found: dict[int, WaitingTournament] = {}
        for row in self._rows():
            if row.kind != KEPT_KIND and row.tournament_id > after:
                before = found.get(row.tournament_id)
                anew = row.kind == ANEW_KIND or (before is not None and before.anew)
                offset = max(row.offset, -1 if before is None else before.offset)
                found[row.tournament_id] = WaitingTournament(row.tournament_id, offset, anew)
        return [found[number] for number in sorted(found)][:limit]

    async def blocks(self, tournament_id: int, upto: int | None = None) -> list[bytes]:
        return [row.payload for row in self._of(tournament_id, upto)]

    async def keep(self, tournament_id: int, upto: int, merged: Sequence[bytes] | None = None) -> None:
        for row in self._of(tournament_id, upto):
            if merged is not None or row.n == ANEW_N:
                del self._effects[row[:3]]
            else:
                self._effects[row[:3]] = row._replace(kind=KEPT_KIND)
        for n, block in enumerate(merged or (), FIRST_N):
            row = OutboxRow(tournament_id, upto, n, KEPT_KIND, block)
            self._effects[row[:3]] = row

    async def rebuild(self) -> int:
        for number, offset in self._offsets().items():
            self.tell(OutboxRow(number, offset, ANEW_N, ANEW_KIND, encode_block(Columns.nothing())))
        return (await self.counts())[0]

    async def counts(self) -> tuple[int, int]:
        return len({row.tournament_id for row in self._rows() if row.kind in (KIND, ANEW_KIND)}), len(self._offsets())

    def _rows(self) -> list[OutboxRow]:
        return [row for _, row in sorted(self._effects.items()) if row.kind in KINDS]

    def _of(self, tournament_id: int, upto: int | None) -> list[OutboxRow]:
        mine = (row for row in self._rows() if row.tournament_id == tournament_id)
        return [row for row in mine if upto is None or row.offset <= upto]
