from __future__ import annotations

import pytest

from storage.archive.records import RecordsWithArchive
from storage.ports import Archived, OutboxRow, RecordsUnavailableError, StoredSnapshot, state_name
from tests.contract.test_records import checkpoint, participant, partition, tournament
from tests.support.memory_archive import MemoryArchiveFiles, MemoryArchiveIndex
from tests.support.memory_records import MemoryRecords

ENTRY = Archived(1, 10, 0, 1_000, 1, 5, "ab" * 16, 2_000)
HELD = StoredSnapshot(1, partition(1), 10, b"held")


class Whole:
    def __init__(self) -> None:
        self.records = MemoryRecords()
        self.index = MemoryArchiveIndex(self.records)
        self.files = MemoryArchiveFiles()
        self.whole = RecordsWithArchive(self.records, self.index, self.files)

    async def end(self, offset: int = 10) -> None:
        row = tournament(1, offset, status="finished")
        effect = OutboxRow(1, offset, 0, "finished", b"")
        snapshot = HELD._replace(offset=offset)
        await self.whole.save(checkpoint(row, snapshots=[snapshot], participants=[participant(1, 5)], outbox=[effect]))

    async def leave(self) -> None:
        await self.end()
        await self.index.note(ENTRY)
        self.files.files[state_name(1)] = b"left"
        assert await self.index.leave(ENTRY)


@pytest.mark.parametrize("method", ["snapshots", "shown_snapshots"])
async def test_what_has_left_is_read_from_the_archive(method: str) -> None:
    whole = Whole()
    ask = getattr(whole.whole, method)
    assert await ask(1) == []
    await whole.leave()
    assert await ask(1) == [HELD._replace(data=b"left")]
    await whole.end(12)  # it came back
    assert await ask(1) == [HELD._replace(offset=12)]


async def test_what_the_records_have_is_not_looked_for_elsewhere() -> None:
    whole = Whole()
    await whole.end()
    await whole.index.note(ENTRY)
    whole.files.down = True
    assert await whole.whole.snapshots(1) == [HELD]
    assert await whole.whole.snapshots(2) == []


@pytest.mark.parametrize("down", [False, True])
async def test_what_cannot_be_read_now_is_not_taken_for_unknown(down: bool) -> None:
    whole = Whole()
    await whole.leave()
    whole.files.files.clear()
    whole.files.down = down
    with pytest.raises(RecordsUnavailableError, match="archive"):
        await whole.whole.snapshots(1)


async def test_everything_else_is_the_records() -> None:
    whole = Whole()
    await whole.leave()
    held, records = whole.whole, whole.records
    assert await held.tournament(1) == await records.tournament(1)
    assert await held.took_part(5, 0, 9) == [1]
    assert await held.outbox(9) == []
    assert await held.active(partition(1), dedicated=False) == []
    assert await held.projected(0, ["partition-0"]) == {"partition-0": -1}
    assert await held.snapshots_of(partition(1), [1]) == {}
    assert await held.settled_snapshots(1) == []
    assert (await held.user_tournaments(5, None, 9)) == (await records.user_tournaments(5, None, 9))
