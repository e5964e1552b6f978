"""`PrizeLedger` in memory, for tests that need no database: over whatever tells of tournaments and effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from actors.domain.prizes.ledger import STATES, Entry, State
from storage.ports import (
    PRIZES_EFFECT,
    LedgerChangedError,
    OutboxRow,
    RecordsUnavailableError,
    TournamentRow,
    UserPrize,
)
from storage.records.sql.queries import decode_numbers, encode_numbers

Key = tuple[int, int, int, int]


class Effects(Protocol):
    """Records whose effects can be released."""

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]: ...

    async def tournament(self, tournament_id: int) -> TournamentRow | None: ...

    def release(self, which: Callable[[OutboxRow], bool], tournament_id: int, upto: int) -> None: ...


def key_of(entry: Entry) -> Key:
    return entry.tournament_id, entry.rule, entry.user_id, entry.n


class MemoryPrizeLedger:
    """See `storage.ports.prizes.PrizeLedger`."""

    def __init__(self, records: Effects) -> None:
        self._records = records
        self._entries: dict[Key, Entry] = {}

    async def waiting(self, limit: int) -> dict[int, int]:
        found: dict[int, int] = {}
        for effect in await self._records.outbox(1_000_000):
            if effect.kind == PRIZES_EFFECT:
                found[effect.tournament_id] = effect.offset
        return dict(sorted(found.items())[:limit])

    async def waits(self, tournament_id: int) -> bool:
        return tournament_id in await self.waiting(1_000_000)

    async def entries(self, tournament_id: int) -> list[Entry]:
        mine = [entry for entry in self._entries.values() if entry.tournament_id == tournament_id]
        return sorted(mine, key=lambda entry: (entry.rule, entry.rank, entry.user_id, entry.n))

    async def write(self, tournament_id: int, entries: Sequence[Entry], upto: int = -1) -> None:
        if await self._records.tournament(tournament_id) is None:
            raise RecordsUnavailableError(f"tournament {tournament_id} is not stored yet")
        for entry in entries:
            before = self._entries.get(key_of(entry))
            if entry.version != (1 if before is None else before.version + 1):
                raise LedgerChangedError(f"prize {entry.key} is of another version")
        self._entries.update({key_of(entry): entry for entry in entries})
        if upto >= 0:
            self._records.release(lambda effect: effect.kind == PRIZES_EFFECT, tournament_id, upto)

    async def payable(self, now_ms: int, tournaments: int, each: int) -> list[Entry]:
        due: dict[int, list[Entry]] = {}
        for entry in sorted(self._entries.values(), key=lambda entry: (entry.due_ms, key_of(entry))):
            if entry.payable and entry.due_ms <= now_ms:
                due.setdefault(entry.tournament_id, []).append(entry)
        return [entry for entries in list(due.values())[:tournaments] for entry in entries[:each]]

    async def user_prizes(self, user_id: int, cursor: str | None, limit: int) -> tuple[list[UserPrize], str | None]:
        def place(entry: Entry) -> tuple[int, ...]:
            return entry.created_ms, entry.tournament_id, entry.rule, entry.n

        before: Callable[[Entry], bool] = lambda _: True  # noqa: E731 - one of two
        if cursor is not None:
            at = decode_numbers(cursor, 4)
            before = lambda entry: place(entry) < at  # noqa: E731
        found = []
        for entry in sorted(self._entries.values(), key=place, reverse=True):
            row = await self._records.tournament(entry.tournament_id)
            if entry.user_id == user_id and before(entry) and row is not None:
                found.append(UserPrize(entry, row.name))
        more = len(found) > limit
        return found[:limit], encode_numbers(*place(found[limit - 1].entry)) if more else None

    async def counts(self) -> Mapping[State, int]:
        counts = Counter(entry.state for entry in self._entries.values())
        return {state: counts[state] for state in STATES}
