"""The archive in memory, for tests that need no store: its files, and its index over whatever tells of tournaments and effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from storage.ports import (
    OVER_EFFECTS,
    Archived,
    ArchivePlace,
    ArchiveUnavailableError,
    OutboxRow,
    RecordsUnavailableError,
    TournamentRow,
)
from storage.ports.archive_index import PLACES
from storage.records.sql.queries import decode_cursor, encode_cursor


class MemoryArchiveFiles:
    """See `storage.ports.archive.ArchiveFiles`; `down`: it does not answer."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.down = False

    async def put(self, name: str, data: bytes) -> None:
        self._ask()
        self.files[name] = data

    async def get(self, name: str) -> bytes | None:
        self._ask()
        return self.files.get(name)

    async def delete(self, name: str) -> None:
        self._ask()
        self.files.pop(name, None)

    async def close(self) -> None:
        return None

    def _ask(self) -> None:
        if self.down:
            raise ArchiveUnavailableError("the archive is down")


class Tournaments(Protocol):
    """Records whose effects can be released, and whose tournaments can leave."""

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]: ...

    async def tournament(self, tournament_id: int) -> TournamentRow | None: ...

    def release(self, which: Callable[[OutboxRow], bool], tournament_id: int, upto: int) -> None: ...

    def leave(self, tournament_id: int, *, wholly: bool = False) -> None: ...


class MemoryArchiveIndex:
    """See `storage.ports.archive_index.ArchiveIndex`."""

    def __init__(self, records: Tournaments) -> None:
        self._records = records
        self.entries: dict[int, Archived] = {}

    async def waiting(self, limit: int) -> dict[int, int]:
        found: dict[int, int] = {}
        for effect in await self._records.outbox(1_000_000):
            if effect.kind in OVER_EFFECTS:
                found[effect.tournament_id] = effect.offset
        return dict(sorted(found.items())[:limit])

    async def archived(self, tournament_id: int) -> Archived | None:
        return self.entries.get(tournament_id)

    async def note(self, entry: Archived) -> None:
        if await self._records.tournament(entry.tournament_id) is None:
            raise RecordsUnavailableError(f"tournament {entry.tournament_id} is not stored yet")
        before = self.entries.get(entry.tournament_id)
        if before is None or before.offset <= entry.offset:
            self.entries[entry.tournament_id] = entry
        self._release(entry.tournament_id, entry.offset)

    async def forget(self, tournament_id: int, upto: int) -> None:
        if tournament_id in self.entries and self.entries[tournament_id].offset <= upto:
            del self.entries[tournament_id]
        self._release(tournament_id, upto)

    def _release(self, tournament_id: int, upto: int) -> None:
        self._records.release(lambda effect: effect.kind in OVER_EFFECTS, tournament_id, upto)

    async def page(self, cursor: str | None, limit: int) -> tuple[list[tuple[Archived, str]], str | None]:
        before = None if cursor is None else decode_cursor(cursor)
        found = []
        for entry in sorted(self.entries.values(), key=_place, reverse=True):
            row = await self._records.tournament(entry.tournament_id)
            if row is not None and row.status == "finished" and (before is None or _place(entry) < before):
                found.append((entry, row.name))
        return found[:limit], encode_cursor(*_place(found[limit - 1][0])) if len(found) > limit else None

    async def due(self, before_ms: int, places: tuple[ArchivePlace, ...], limit: int) -> list[Archived]:
        entries = (entry for entry in self.entries.values() if entry.place in places and entry.finished_ms < before_ms)
        return sorted(entries, key=_place)[:limit]

    async def leave(self, entry: Archived) -> bool:
        row = await self._records.tournament(entry.tournament_id)
        waits = entry.place == "kept" and await self._records.outbox(1, entry.tournament_id)
        if row is None or row.offset != entry.offset or waits:
            return False
        self._records.leave(entry.tournament_id)
        self.entries[entry.tournament_id] = entry._replace(place="left")
        return True

    async def erase(self, entry: Archived) -> None:
        row = await self._records.tournament(entry.tournament_id)
        if row is not None and row.offset == entry.offset:
            self._records.leave(entry.tournament_id, wholly=True)
            self.entries.pop(entry.tournament_id, None)

    async def counts(self) -> Mapping[ArchivePlace, int]:
        counts = Counter(entry.place for entry in self.entries.values())
        return {place: counts[place] for place in PLACES}


def _place(entry: Archived) -> tuple[int, int]:
    return entry.finished_ms, entry.tournament_id
