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
from storage.ports import Kept, OutboxRow, StoredAttempts, StoredSnapshot, WaitingTournament

Effects = dict[tuple[int, int, int], OutboxRow]


class MemoryAttempts:
    """See `storage.ports.attempts.AttemptBlocks`; `offsets` tells of each tournament how far it is stored, `snapshots` what is stored of one."""

    def __init__(
        self,
        effects: Effects,
        offsets: Callable[[], Mapping[int, int]],
        snapshots: Callable[[int], Sequence[StoredSnapshot]] = lambda _: (),
    ) -> None:
        self._effects = effects
        self._offsets = offsets
        self._snapshots = snapshots

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

    async def blocks(self, tournament_id: int) -> list[bytes]:
        return [row.payload for row in self._of(tournament_id)]

    async def stored(self, waiting: Sequence[WaitingTournament]) -> dict[int, StoredAttempts]:
        return {
            each.tournament_id: StoredAttempts(
                self._snapshots(each.tournament_id),
                [row.payload for row in self._of(each.tournament_id, each.offset)],
            )
            for each in waiting
        }

    async def keep(self, kept: Sequence[Kept]) -> set[int]:
        for number, upto, merged in kept:
            for row in self._of(number, upto):
                if merged is not None or row.n == ANEW_N:
                    del self._effects[row[:3]]
                else:
                    self._effects[row[:3]] = row._replace(kind=KEPT_KIND)
            for n, block in enumerate(merged or (), FIRST_N):
                row = OutboxRow(number, upto, n, KEPT_KIND, block)
                self._effects[row[:3]] = row
        return {each.tournament_id for each in kept}

    async def rebuild(self) -> int:
        if not await self.anew():
            for number, offset in self._offsets().items():
                self.tell(OutboxRow(number, offset, ANEW_N, ANEW_KIND, encode_block(Columns.nothing())))
        return await self.anew()

    async def anew(self) -> int:
        return len({row.tournament_id for row in self._rows() if row.kind == ANEW_KIND})

    async def counts(self) -> tuple[int, int]:
        return len({row.tournament_id for row in self._rows() if row.kind in (KIND, ANEW_KIND)}), len(self._offsets())

    def _rows(self) -> list[OutboxRow]:
        return [row for _, row in sorted(self._effects.items()) if row.kind in KINDS]

    def _of(self, tournament_id: int, upto: int | None = None) -> list[OutboxRow]:
        mine = (row for row in self._rows() if row.tournament_id == tournament_id)
        return [row for row in mine if upto is None or row.offset <= upto]
