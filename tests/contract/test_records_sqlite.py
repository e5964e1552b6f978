"""What the SQLite records keep beyond the port: atomicity, several processes, a full disk, files of another version or making."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from storage.ports import (
    Checkpoint,
    ParticipantRow,
    Records,
    RecordsUnavailableError,
    StorageError,
    StorageVersionError,
    StoredSnapshot,
)
from storage.records.sql.database import SqlRecords
from tests.contract.test_records import checkpoint, everything, participant, partition, tournament, whole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


async def test_a_failure_in_the_middle_leaves_nothing(path: Path) -> None:
    records: Records = await SqlRecords.open(path)
    await records.save(whole(1, 10, b"kept"))
    before = await everything(records, 1)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TRIGGER fails BEFORE INSERT ON projected BEGIN SELECT RAISE(ABORT, 'the last table fails'); END"
        )
    with pytest.raises(DBAPIError, match="the last table fails"):
        await records.save(whole(1, 11, b"lost"))
    assert await everything(records, 1) == before
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER fails")
    await records.save(whole(1, 11, b"there"))
    assert (await records.projected(4, ["partition-4"])) == {"partition-4": 11}
    await records.close()


async def test_everything_is_there_after_a_restart(path: Path) -> None:
    records = await SqlRecords.open(path)
    await records.save(whole(1, 10, b"kept"))
    before = await everything(records, 1)
    await records.close()
    await records.close()
    again = await SqlRecords.open(path)
    assert await everything(again, 1) == before
    await again.close()


async def test_many_open_and_save_at_once(path: Path) -> None:
    stores = await asyncio.gather(*(SqlRecords.open(path) for _ in range(5)))

    async def work(store: Records, first: int) -> None:
        for i in range(10):
            await store.save(whole(first + 5 * i, 10))
            assert await store.tournament(first + 5 * i) is not None

    await asyncio.gather(*(work(store, i + 1) for i, store in enumerate(stores)))
    found = [number for p in range(5) for number in await stores[0].active(p, dedicated=False)]
    assert sorted(found) == list(range(1, 51))
    for store in stores:
        await store.close()


async def test_owners_that_race_leave_the_highest_offset(path: Path) -> None:
    stores = await asyncio.gather(*(SqlRecords.open(path) for _ in range(4)))
    await asyncio.gather(*(store.save(whole(1, offset)) for offset in range(1, 41) for store in [stores[offset % 4]]))
    row, kept, page, _, projected = await everything(stores[0], 1)
    expected = whole(1, 40)
    assert row == expected.tournaments[0]
    assert isinstance(kept, list)
    assert kept[0] == expected.snapshots[0]
    assert page == [(row, expected.participants[0])]
    assert projected == {"partition-4": 40}
    for store in stores:
        await store.close()


async def test_a_locked_file_is_unavailable_and_comes_back(path: Path) -> None:
    records = await SqlRecords.open(path, busy_timeout_ms=20)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsUnavailableError, match="locked"):
        await records.save(whole(1, 10))
    assert await records.tournament(1) is None  # reads go on
    blocker.execute("ROLLBACK")
    blocker.close()
    await records.save(whole(1, 10))
    assert await records.tournament(1) is not None
    await records.close()


async def test_a_full_disk_writes_nothing_and_comes_back(small_disk: Path) -> None:
    records = await SqlRecords.open(small_disk / "records.db")
    await records.save(whole(1, 10, b"kept"))
    before = await everything(records, 1)
    big = checkpoint(tournament(1, 11), snapshots=[StoredSnapshot(1, partition(1), 11, bytes(6 << 20))])
    with pytest.raises(RecordsUnavailableError, match="full"):
        await records.save(big)
    assert await everything(records, 1) == before
    await records.save(whole(1, 12, b"small"))
    assert (await records.projected(4, ["partition-4"])) == {"partition-4": 12}
    await records.close()


async def test_a_newer_version_is_refused_and_untouched(path: Path) -> None:
    records = await SqlRecords.open(path)
    await records.save(whole(1, 10))
    await records.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE schema_version SET version = 99")
    before = path.read_bytes()
    with pytest.raises(StorageVersionError, match="99"):
        await SqlRecords.open(path)
    assert path.read_bytes() == before


async def test_other_files_are_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database " * 100)
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
    for name, message in (("text.db", "not a database"), ("other.db", "not those of Palio's")):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(StorageError, match=message):
            await SqlRecords.open(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before


async def test_the_schema_is_the_seeds(path: Path) -> None:
    records = await SqlRecords.open(path)
    await records.save(checkpoint(tournament(1), participants=[participant(1, 2, score=-1_999)]))
    await records.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        sql = " ".join(row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
        (score,) = connection.execute("SELECT score FROM tournament_participants").fetchone()
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert score == -19.99
    for index in (
        "INDEX idx_tournament_participants_tournament ON tournament_participants (tournament_id, score DESC)",
        "INDEX idx_tournament_participants_user ON tournament_participants (user_id)",
        "INDEX idx_tournaments_status ON tournaments (status, start_time)",
        "INDEX idx_tournaments_active ON tournaments (is_active, end_time)",
        "PRIMARY KEY (tournament_id, user_id)",
    ):
        assert index in sql


async def test_queries_use_their_indexes(path: Path) -> None:
    """The page of a list, an owner's tournaments and a user's must not read whole tables."""
    records = await SqlRecords.open(path)
    await records.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for sql, index in (
            (
                "SELECT * FROM tournaments WHERE created_ms <= 5 AND (created_ms < 5 OR tournament_id < 7)"
                " ORDER BY created_ms DESC, tournament_id DESC LIMIT 51",
                "idx_tournaments_listed",
            ),
            ("SELECT 1 FROM tournaments WHERE log_partition = 1 AND is_active = 1", "idx_tournaments_partition"),
            ("SELECT 1 FROM tournament_participants WHERE user_id = 1", "idx_tournament_participants_user"),
        ):
            plan = " ".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql))
            assert f"SEARCH {sql.split(' FROM ')[1].split()[0]} USING" in plan
            assert index in plan
            assert "TEMP B-TREE" not in plan


async def test_a_wrong_row_is_told_as_such(path: Path) -> None:
    records = await SqlRecords.open(path)
    bad = ParticipantRow(1, 1, "x", True, 1, 1, None, None, None)  # type: ignore[arg-type]  # never joined
    with pytest.raises(DBAPIError, match="NOT NULL"):
        await records.save(Checkpoint([tournament(1)], [], [bad], [], []))
    assert await records.tournament(1) is None
    await records.close()
