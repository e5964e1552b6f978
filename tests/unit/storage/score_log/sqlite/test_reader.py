from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.ports import LogTruncatedError, LogUnavailableError, NewRecord
from storage.score_log.sqlite.batch import BatchBuilder
from storage.score_log.sqlite.reader import STEP_BATCHES, SqliteLogReader, check_start, seek, step
from storage.score_log.sqlite.schema import LogFile, pack_offsets


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Three partitions, 200 rows: row n has one record of partition 0, and of partition 1 when n is 50, of 2 when 150."""
    with closing(LogFile(tmp_path / "log.db", 3).connect(100)) as connection:
        connection.execute("BEGIN")
        heads = [0, 0, 0]
        for n in range(1, 201):
            batch = BatchBuilder(heads)
            batch.add([NewRecord(0, b"1", b"%d" % n)])
            batch.add([NewRecord(p, b"1", b"rare") for p, at in ((1, 50), (2, 150)) if n == at])
            connection.execute("INSERT INTO batches VALUES (?, 0, ?, ?)", (n, pack_offsets(heads), batch.encode()))
        connection.execute("COMMIT")
        yield connection


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ({0: -1}, 0),
        ({0: 99}, 100),
        ({0: 199}, 200),
        ({1: -1}, 49),
        ({1: 0}, 200),
        ({2: -1}, 149),
        ({0: 180, 1: -1, 2: -1}, 49),
        ({0: 180, 1: 0, 2: -1}, 149),
        ({0: 180, 1: 0, 2: 0}, 181),
    ],
)
def test_seek_finds_the_row_before_the_first_news(
    connection: sqlite3.Connection, positions: dict[int, int], expected: int
) -> None:
    assert seek(connection, positions) == expected


def test_a_step_is_bounded_in_rows_and_records(connection: sqlite3.Connection) -> None:
    taken = step(connection, 0, {1: -1}, 10)
    assert (taken.seq, list(taken.found), taken.at_end) == (STEP_BATCHES, [1], False)
    taken = step(connection, 0, {0: -1}, 10)
    assert (taken.seq, len(taken.found[0]), taken.at_end) == (10, 10, False)
    taken = step(connection, 190, {0: 189}, 100)
    assert (taken.seq, len(taken.found[0]), taken.at_end) == (200, 10, True)


def test_a_step_goes_on_within_a_row(connection: sqlite3.Connection) -> None:
    batch = BatchBuilder([200, 1, 1])
    batch.add([NewRecord(0, b"1", b"%d" % n) for n in range(200, 205)])
    connection.execute("INSERT INTO batches VALUES (201, 7, ?, ?)", (pack_offsets(batch.heads), batch.encode()))
    taken = step(connection, 200, {0: 199}, 3)
    assert (taken.seq, [r.offset for r in taken.found[0]], taken.at_end) == (200, [200, 201, 202], False)
    taken = step(connection, 200, {0: 202}, 3)
    assert (taken.seq, [r.offset for r in taken.found[0]], taken.at_end) == (201, [203, 204], True)
    assert {record.time_ms for record in taken.found[0]} == {7}
    with pytest.raises(ValueError, match="at least 1"):
        step(connection, 0, {0: -1}, 0)


def pruned(connection: sqlite3.Connection, upto: int) -> None:
    connection.execute("DELETE FROM batches WHERE seq <= ?", (upto,))
    connection.execute("UPDATE log SET starts = ?", (pack_offsets([upto, 1 if upto >= 50 else 0, 0]),))


def test_what_was_pruned_is_noticed_by_those_who_wanted_it(connection: sqlite3.Connection) -> None:
    pruned(connection, 60)
    check_start(connection, {0: 59, 1: 0, 2: -1})
    for positions in ({0: 58}, {1: -1}):
        with pytest.raises(LogTruncatedError):
            check_start(connection, positions)
        with pytest.raises(LogTruncatedError):
            step(connection, 0, positions, 10)
    assert step(connection, 10, {0: 59}, 1).found[0][0].offset == 60
    assert seek(connection, {2: -1}) == 149


async def test_a_reader_finds_its_start_and_waits_for_more(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log.db", 1)
    reader = SqliteLogReader(file, {0: 0})
    with closing(file.connect(100)) as connection:

        def append(seq: int, first: int, count: int) -> None:
            batch = BatchBuilder([first])
            batch.add([NewRecord(0, b"1", b"x")] * count)
            connection.execute(
                "INSERT INTO batches VALUES (?, 0, ?, ?)", (seq, pack_offsets(batch.heads), batch.encode())
            )

        append(1, 0, 3)
        ((partition, after, upto, records),) = await reader.poll(10, 0)
        assert (partition, after, upto, [r.offset for r in records]) == (0, 0, 2, [1, 2])
        assert await reader.poll(10, 5) == []
        append(2, 3, 1)
        ((_, after, upto, _),) = await reader.poll(10, 1000)
        assert (after, upto) == (2, 3)
    opened = reader._connection
    assert opened is not None
    await reader.close()
    await reader.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened.execute("SELECT 1")
    with pytest.raises(LogUnavailableError, match="closed"):
        await reader.poll(10, 0)
