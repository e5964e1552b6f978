"""Keeps the archive: what is over gets its file, what changes after the end a new one, what is old enough leaves the records, or goes.

It may be cut off anywhere, and run by several at once: what it writes follows from the newest snapshot, and a tournament waits until its file
is there, whole, and read back. A tournament that cannot be archived now is tried again later and later, and holds up no other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import pyarrow as pa

from actors.domain.codec import decode_snapshot, encode_snapshot, newest_state
from actors.domain.errors import SnapshotError
from actors.domain.results.archive import archive_table, decode_archive, encode_archive
from storage.ports import (
    Archived,
    ArchiveFiles,
    ArchiveIndex,
    ArchiveUnavailableError,
    Records,
    StorageError,
    StoredSnapshot,
    digest_of,
    state_name,
    table_name,
)

logger = logging.getLogger(__name__)

LOOKED_AT: Final = 500  # tournaments a round
AT_ONCE: Final = 2  # each is held whole, state and file
AGAIN_MS: Final = 1000  # after what kept it from going on; twice as long with each time
AGAIN_MAX_MS: Final = 60_000
DAY_MS: Final = 86_400_000


class ArchiveRules(NamedTuple):
    """`keep_days`: how long after the finish a tournament's file is kept, 0: for ever. `leave_days`: after how long the tournament leaves the
    records, 0: never."""

    keep_days: float = 0.0
    leave_days: float = 0.0


class _File(NamedTuple):
    entry: Archived
    data: bytes


class Archiver:
    """See the module. `records` are those without the archive behind them."""

    def __init__(
        self,
        records: Records,
        index: ArchiveIndex,
        files: ArchiveFiles,
        clock_ms: Callable[[], int],
        rules: ArchiveRules,
    ) -> None:
        self._records = records
        self._index = index
        self._files = files
        self._clock_ms = clock_ms
        self._rules = rules
        self._again: dict[
            str, dict[int, tuple[int, int]]
        ] = {}  # by work: when a tournament is due again, after which pause
        self.waiting = 0
        # since the start
        self.archived = self.left = self.deleted = self.failures = self.written_bytes = 0

    async def round(self) -> int:
        """Archive what waits; returns how many follow now. Raises RecordsUnavailableError."""
        found = await self._index.waiting(LOOKED_AT)
        self.waiting = len(found)
        done = await self._each("archive", list(found), lambda number: self._archive(number, found[number]))
        self.waiting -= done
        return done

    async def leave(self) -> int:
        """Let go of the records what may leave them; returns how many did. Raises RecordsUnavailableError."""
        leaving = await self._index.due(0, ("leaving",), LOOKED_AT)  # of a process that was killed there
        if self._rules.leave_days:
            before_ms = self._clock_ms() - round(self._rules.leave_days * DAY_MS)
            leaving = await self._index.due(before_ms, ("leaving", "kept"), LOOKED_AT)
        entries = {entry.tournament_id: entry for entry in leaving}
        done = await self._each("leave", list(entries), lambda number: self._leave(entries[number]))
        self.left += done
        return done

    async def prune(self) -> int:
        """Take away the files that are too old; returns how many. Raises RecordsUnavailableError."""
        if not self._rules.keep_days:
            return 0
        before_ms = self._clock_ms() - round(self._rules.keep_days * DAY_MS)
        old = await self._index.due(before_ms, ("kept", "left"), LOOKED_AT)
        entries = {entry.tournament_id: entry for entry in old}
        done = await self._each("delete", list(entries), lambda number: self._delete(entries[number]))
        self.deleted += done
        return done

    async def _each(self, kind: str, numbers: Sequence[int], work: Callable[[int], Awaitable[bool]]) -> int:
        """Do the work for each that is due, a few at once; what fails is put off. How many were done."""
        now_ms, wanted = self._clock_ms(), set(numbers)
        again = {number: when for number, when in self._again.get(kind, {}).items() if number in wanted}
        self._again[kind] = again
        due = [number for number in numbers if again.get(number, (0, 0))[0] <= now_ms]
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> bool:
            async with gate:
                try:
                    done = await work(number)
                except (StorageError, SnapshotError, pa.ArrowException) as error:
                    logger.warning("the archive's file of tournament %d waits: %s", number, error)
                    self.failures += 1
                    done = False
            if done:
                again.pop(number, None)
            else:
                pause_ms = min(AGAIN_MAX_MS, 2 * again[number][1] if number in again else AGAIN_MS)
                again[number] = self._clock_ms() + pause_ms, pause_ms
            return done

        return sum(await asyncio.gather(*map(one, due)))

    async def _archive(self, tournament_id: int, offset: int) -> bool:
        """Make the file follow the state as of this offset, or a later one. What goes on or was cancelled has none."""
        snapshots = await self._records.snapshots(tournament_id)
        upto, file = await asyncio.to_thread(_encoded, snapshots, offset, self._clock_ms())
        before = await self._index.archived(tournament_id)
        if file is None:
            if before is not None:
                await self._files.delete(table_name(tournament_id))
                await self._forget_state(before)
            await self._index.forget(tournament_id, upto)
            return True
        await self._put(table_name(tournament_id), file.data)
        if before is not None:
            await self._forget_state(before)  # the records have it again
        await self._index.note(file.entry)
        self.archived += 1
        self.written_bytes += len(file.data)
        return True

    async def _forget_state(self, before: Archived) -> None:
        if before.place != "kept":
            await self._files.delete(state_name(before.tournament_id))

    async def _put(self, name: str, data: bytes) -> None:
        """Write a file and read it back. Raises ArchiveUnavailableError."""
        await self._files.put(name, data)
        if await self._files.get(name) != data:
            raise ArchiveUnavailableError(f"{name}: what was read back is not what was written")

    async def _leave(self, entry: Archived) -> bool:
        """Have the state beside the table, both read back, then let the records take theirs away."""
        if entry.place == "kept":
            newest = (await self._records.snapshots(entry.tournament_id))[:1]
            if not newest or newest[0].offset != entry.offset:
                return False
            state = await asyncio.to_thread(_whole, newest[0])
            data = await self._files.get(table_name(entry.tournament_id))
            if data is None or digest_of(data) != entry.digest:
                return (
                    await self._archive(entry.tournament_id, entry.offset) and False
                )  # written anew: then the next time
            await self._put(state_name(entry.tournament_id), state)
        return await self._index.leave(entry)

    async def _delete(self, entry: Archived) -> bool:
        await self._files.delete(table_name(entry.tournament_id))
        if entry.place == "kept":
            await self._index.forget(entry.tournament_id, entry.offset)
        else:
            await self._files.delete(state_name(entry.tournament_id))
            await self._index.erase(entry)
        return True


def _whole(stored: StoredSnapshot) -> bytes:
    """A snapshot with what may have followed it. Raises SnapshotError."""
    return encode_snapshot(decode_snapshot(stored.data, stored.deltas))


def _encoded(snapshots: Sequence[StoredSnapshot], offset: int, now_ms: int) -> tuple[int, _File | None]:
    """The offset of the newest state that can be read, and its file, None for one that is not finished."""
    state = newest_state(snapshots, offset)
    if state.status != "finished" or state.finished_ms is None:
        return state.offset, None
    table = archive_table(state)
    data = encode_archive(table)
    if not decode_archive(data).equals(table):
        raise ArchiveUnavailableError(f"the file of tournament {state.tournament_id} does not read as the table")
    entry = Archived(
        tournament_id=state.tournament_id,
        offset=state.offset,
        revision=state.revision,
        finished_ms=state.finished_ms,
        participants=len(table),
        size_bytes=len(data),
        digest=digest_of(data),
        archived_ms=now_ms,
    )
    return state.offset, _File(entry, data)
