"""The contract of the archive's index, for every implementation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from storage.ports import (
    Archived,
    ArchiveIndex,
    ListQuery,
    NoticeRetry,
    OutboxRow,
    Records,
    RecordsUnavailableError,
    StoredSnapshot,
)
from storage.records.mysql.sharded import ShardedRecords
from storage.records.seal import SettingsSeal
from storage.records.sql import archive_index
from storage.records.sql.archive_index import SqlArchiveIndex
from storage.records.sql.database import SqlRecords
from storage.records.sql.notices import SqlNotices
from tests.contract.test_records import checkpoint, participant, partition, tournament
from tests.support.memory_archive import MemoryArchiveIndex
from tests.support.memory_records import MemoryRecords


@pytest.fixture
def index(records: Records, monkeypatch: pytest.MonkeyPatch) -> ArchiveIndex:
    """Over the durable store of the same implementation."""
    if isinstance(records, MemoryRecords):
        return MemoryArchiveIndex(records)
    assert isinstance(records, SqlRecords | ShardedRecords)
    monkeypatch.setattr(archive_index, "ROWS_A_TRANSACTION", 3)
    return SqlArchiveIndex(records)


def snapshot(number: int, offset: int) -> StoredSnapshot:
    return StoredSnapshot(number, partition(number), offset, b"state")


async def end(records: Records, number: int, offset: int = 10, users: Sequence[int] = (1,)) -> None:
    """A tournament that is finished, with the effect of it."""
    row = tournament(number, offset, status="finished")
    people = [participant(number, user) for user in users]
    effects = [OutboxRow(number, offset, 0, "finished", b"")]
    await records.save(checkpoint(row, snapshots=[snapshot(number, offset)], participants=people, outbox=effects))


def entry(number: int, offset: int = 10, finished_ms: int = 1_000) -> Archived:
    return Archived(number, offset, 2, finished_ms + number, 3, 4_096, "ab" * 16, 5_000)


async def test_a_tournament_waits_until_its_file_follows_it(records: Records, index: ArchiveIndex) -> None:
    for number in (1, 2, 3):
        await end(records, number)
    assert await index.waiting(2) == {1: 10, 2: 10}
    await index.note(entry(1))
    await index.forget(2, 9)
    assert await index.waiting(9) == {2: 10, 3: 10}
    await index.forget(2, 10)
    await end(records, 1, 12)
    assert await index.waiting(9) == {1: 12, 3: 10}
    await index.note(entry(1))  # of one who was slower: it waits for the newer
    assert await index.waiting(9) == {1: 12, 3: 10}


async def test_an_entry_is_replaced_by_no_older_one(records: Records, index: ArchiveIndex) -> None:
    await end(records, 1)
    assert await index.archived(1) is None
    await index.note(entry(1, 12))
    await index.note(entry(1, 10))
    assert await index.archived(1) == entry(1, 12)
    await index.forget(1, 11)
    assert await index.archived(1) == entry(1, 12)
    await index.forget(1, 12)
    assert await index.archived(1) is None
    with pytest.raises(RecordsUnavailableError):
        await index.note(entry(99))


async def test_files_are_listed_those_of_the_last_first(records: Records, index: ArchiveIndex) -> None:
    for number in range(1, 6):
        await end(records, number)
        await index.note(entry(number))
    await records.save(checkpoint(tournament(4, 20, status="running")))  # it was opened again
    found: list[Archived] = []
    cursor = None
    for _ in range(2):
        rows, cursor = await index.page(cursor, 2)
        found += [row for row, name in rows if name == tournament(row.tournament_id, 10).name]
    assert (found, cursor) == ([entry(number) for number in (5, 3, 2, 1)], None)
    with pytest.raises(ValueError, match="cursor"):
        await index.page("nonsense", 2)


async def test_those_that_are_due_are_told_the_first_first(records: Records, index: ArchiveIndex) -> None:
    for number in (3, 1, 2):
        await end(records, number)
        await index.note(entry(number))
    assert await index.due(1_003, ("kept",), 9) == [entry(1), entry(2)]
    assert await index.due(9_999, ("kept", "left"), 1) == [entry(1)]
    assert await index.due(9_999, ("left",), 9) == []
    assert (await index.counts()) == {"kept": 3, "leaving": 0, "left": 0}


@pytest.mark.parametrize("users", [0, 1, 3, 7])
async def test_what_leaves_is_known_by_its_row_and_by_who_took_part(
    records: Records, index: ArchiveIndex, users: int
) -> None:
    for number in (1, 2):
        await end(records, number, users=range(1, users + 1))
        await index.note(entry(number))
    assert await index.leave(entry(1))
    gone = await index.archived(1)
    assert gone == entry(1)._replace(place="left")
    assert await records.snapshots(1) == []
    assert len(await records.snapshots(2)) == 1
    assert (await records.tournament(1)) == tournament(1, 10, status="finished")
    for user in range(1, users + 1):
        both, more = await records.user_tournaments(user, None, 9)
        assert [part for _, part in both] == [participant(2, user), participant(1, user, name=None)]
        assert both[1][0] == tournament(1, 10, status="finished")
        assert more is None
        first, cursor = await records.user_tournaments(user, None, 1)
        last, end_of_list = await records.user_tournaments(user, cursor, 1)
        assert ([*first, *last], end_of_list) == (both, None)
        assert await records.took_part(user, 0, 9) == [1, 2]
        assert await records.took_part(user, 1, 9) == [2]
        assert await records.took_part(user, 0, 1) == [1]
    assert await index.leave(gone)  # again changes nothing
    assert await index.counts() == {"kept": 1, "leaving": 0, "left": 1}


async def test_what_has_left_is_listed_to_its_members_as_it_was(records: Records, index: ArchiveIndex) -> None:
    row = tournament(1, 10, status="finished", visibility="private")
    people = [participant(1, 1), participant(1, 2, active=False)]
    await records.save(checkpoint(row, snapshots=[snapshot(1, 10)], participants=people))
    await index.note(entry(1))
    for viewer, listed in ((1, [1]), (2, []), (3, [])):
        for left in (False, True):
            if left:
                assert await index.leave(entry(1))
            page = await records.list_tournaments(ListQuery(viewer=viewer))
            assert [each.tournament_id for each in page.rows] == listed, (viewer, left)
            mine, _ = await records.user_tournaments(viewer, None, 9)
            assert [each.tournament_id for each, _ in mine] == listed
    # back again, without the first one
    people = [participant(1, 1, active=False), participant(1, 2)]
    await records.save(checkpoint(row._replace(offset=12), snapshots=[snapshot(1, 12)], participants=people))
    assert (await records.user_tournaments(1, None, 9))[0] == []
    assert (await records.list_tournaments(ListQuery(viewer=1))).rows == []
    assert [part for _, part in (await records.user_tournaments(2, None, 9))[0]] == [participant(1, 2)]
    await index.note(entry(1, 12))
    assert await index.leave(entry(1, 12))
    assert (await records.user_tournaments(1, None, 9))[0] == []
    assert [part for _, part in (await records.user_tournaments(2, None, 9))[0]] == [participant(1, 2, name=None)]


async def test_nothing_leaves_that_was_saved_since_or_that_waits(records: Records, index: ArchiveIndex) -> None:
    await end(records, 1, users=(1, 2))
    assert not await index.leave(entry(1))  # its effect waits
    await index.note(entry(1))
    await records.save(checkpoint(tournament(1, 12, status="finished"), snapshots=[snapshot(1, 12)]))
    assert not await index.leave(entry(1))
    assert len(await records.snapshots(1)) == 2
    assert await index.archived(1) == entry(1)
    assert len((await records.user_tournaments(2, None, 9))[0]) == 1


async def test_what_comes_back_is_kept(records: Records, index: ArchiveIndex) -> None:
    """Somebody was disqualified after it had left."""
    await end(records, 1, users=(1, 2))
    await index.note(entry(1))
    assert await index.leave(entry(1))
    await end(records, 1, 12, users=(1, 2))
    left = await index.archived(1)
    assert left is not None
    assert not await index.leave(left)
    await index.erase(left)
    assert await records.took_part(2, 0, 9) == [1]
    assert len(await records.snapshots(1)) == 1
    await index.note(entry(1, 12))
    assert await index.archived(1) == entry(1, 12)
    assert await index.leave(entry(1, 12))
    assert await records.snapshots(1) == []


async def test_what_is_erased_is_gone(records: Records, index: ArchiveIndex) -> None:
    for number in (1, 2):
        await end(records, number, users=range(1, 8))
        await index.note(entry(number))
    assert await index.leave(entry(1))
    await index.erase(entry(1)._replace(place="left"))
    assert await index.archived(1) is None
    assert await records.tournament(1) is None
    assert await records.took_part(5, 0, 9) == [2]


async def test_nothing_leaves_while_its_participants_are_told_something(records: Records, index: ArchiveIndex) -> None:
    if isinstance(records, MemoryRecords):
        return  # it has no notices
    assert isinstance(records, SqlRecords | ShardedRecords)
    notices = SqlNotices(records, SettingsSeal([b"x" * 32]))
    await end(records, 1)
    await index.note(entry(1))
    await notices.begin(1, "ended-10-0", b"{}", ["live"], 50)
    assert not await index.leave(entry(1))
    [job] = await notices.open_jobs("live", 9)
    retry = NoticeRetry(1, job.key, "live", 1, b"{}", 1, 99)
    assert await notices.advance(job, job._replace(cursor=1, done_ms=60), [retry])
    assert not await index.leave(entry(1))
    await notices.settle(retry, None, sent=True)
    assert await index.leave(entry(1))
