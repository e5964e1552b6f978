"""The parts of the SQLite log: batches as stored, errors as translated, the search for a position."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.ports import LogDiskFullError, LogError, LogRecord, LogUnavailableError, NewRecord
from storage.score_log.sqlite.batch import BatchBuilder, decode_groups, decode_records
from storage.score_log.sqlite.reader import STEP_BATCHES, seek, step
from storage.score_log.sqlite.schema import LogFile, pack_offsets, translate_error, unpack_offsets


def test_a_batch_groups_records_and_keeps_their_order() -> None:
    batch = BatchBuilder([0, 7, 100])
    assert batch.add([NewRecord(1, b"a", b"1"), NewRecord(2, b"b", b"2", "sig", "to")]) == [7, 100]
    assert batch.add([NewRecord(1, b"c", b"3")]) == [8]
    assert batch.heads == [0, 9, 101]
    groups = {p: decode_records(p, first, 55, rows) for p, first, _, rows in decode_groups(batch.encode())}
    assert groups == {
        1: [LogRecord(1, 7, 55, b"a", b"1"), LogRecord(1, 8, 55, b"c", b"3")],
        2: [LogRecord(2, 100, 55, b"b", b"2", "sig", "to")],
    }


def test_a_stored_batch_of_version_1_is_read() -> None:
    """Bytes as the first version wrote them: a later one must still read them, or raise the schema's version."""
    stored = bytes.fromhex("91940205029294c40231 31c40161a0a094c4023131c40162a3736967a27265".replace(" ", ""))
    ((partition, first, size, rows),) = decode_groups(stored)
    assert (partition, first, size) == (2, 5, 2)
    assert decode_records(partition, first, 9, rows) == [
        LogRecord(2, 5, 9, b"11", b"a"),
        LogRecord(2, 6, 9, b"11", b"b", "sig", "re"),
    ]


def test_offsets_are_packed_as_little_endian() -> None:
    assert pack_offsets([1, -1]) == b"\x01" + bytes(7) + b"\xff" * 8
    assert unpack_offsets(pack_offsets([0, 2**63 - 1, -1])) == [0, 2**63 - 1, -1]


def test_errors_are_told_in_the_ports_terms(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    def failed(code: int) -> sqlite3.OperationalError:
        error = sqlite3.OperationalError("failed")
        error.sqlite_errorcode = code
        return error

    assert type(translate_error(failed(sqlite3.SQLITE_FULL), path)) is LogDiskFullError
    assert type(translate_error(failed(sqlite3.SQLITE_FULL), path, committing=True)) is LogDiskFullError
    assert type(translate_error(OSError(errno.ENOSPC, "full"), path)) is LogDiskFullError
    assert type(translate_error(OSError(errno.EACCES, "no"), path)) is LogUnavailableError
    assert type(translate_error(failed(sqlite3.SQLITE_BUSY), path)) is LogUnavailableError
    assert type(translate_error(failed(sqlite3.SQLITE_CORRUPT), path)) is LogError
    assert "unknown" in str(translate_error(failed(sqlite3.SQLITE_IOERR), path, committing=True))


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
