from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from storage.ports import LogDiskFullError, LogError, LogUnavailableError, StorageVersionError
from storage.score_log.sqlite.schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    LogFile,
    pack_offsets,
    translate_error,
    unpack_offsets,
)


def test_offsets_are_packed_as_little_endian() -> None:
    assert pack_offsets([1, -1]) == b"\x01" + bytes(7) + b"\xff" * 8
    assert unpack_offsets(pack_offsets([0, 2**63 - 1, -1])) == [0, 2**63 - 1, -1]


def test_errors_are_messagein_the_ports_terms(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT_INDEX, sqlite3.SQLITE_CORRUPT_SEQUENCE, sqlite3.SQLITE_NOTADB])
def test_a_damaged_file_is_no_passing_trouble_whatever_the_extended_code(tmp_path: Path, code: int) -> None:
    error = sqlite3.DatabaseError("failed")
    error.sqlite_errorcode = code
    assert type(translate_error(error, tmp_path / "log.db")) is LogError


def test_an_error_on_a_full_disk_is_put_down_to_it_but_for_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    for code, kind in (
        (sqlite3.SQLITE_IOERR_SHMSIZE, LogDiskFullError),
        (sqlite3.SQLITE_BUSY, LogUnavailableError),
        (sqlite3.SQLITE_BUSY_RECOVERY, LogUnavailableError),
        (sqlite3.SQLITE_CORRUPT, LogError),
    ):
        error = sqlite3.OperationalError("failed")
        error.sqlite_errorcode = code
        assert type(translate_error(error, tmp_path / "log.db")) is kind, code


def test_a_directory_that_is_gone_is_not_a_full_disk(tmp_path: Path) -> None:
    assert type(translate_error(sqlite3.OperationalError("gone"), tmp_path / "away" / "log.db")) is LogUnavailableError


def test_a_new_log_is_empty_and_stays_the_same(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "made" / "log.db", 3)
    with closing(file.connect(100)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: a commit survives the power
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (100,)
        made = connection.execute("SELECT * FROM log").fetchone()
        assert (made[0], *map(unpack_offsets, made[3:])) == (0, [0, 0, 0], [-1, -1, -1])
        assert connection.execute("SELECT seq, heads FROM batches").fetchall() == [(0, pack_offsets([0, 0, 0]))]
    with closing(file.connect(100)) as connection:
        assert connection.execute("SELECT * FROM log").fetchone() == made


def test_another_number_of_partitions_is_another_log(tmp_path: Path) -> None:
    LogFile(tmp_path / "log.db", 3).connect(100).close()
    with pytest.raises(LogError, match="has 3 partitions, expected 4"):
        LogFile(tmp_path / "log.db", 4).connect(100)


def test_files_of_others_and_of_later_versions_are_left_alone(tmp_path: Path) -> None:
    foreign, later, text = tmp_path / "foreign.db", tmp_path / "later.db", tmp_path / "text.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE t (a)")
    with closing(sqlite3.connect(later)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    text.write_text("no database, and long enough to be none" * 50, encoding="utf-8")
    before = {path: path.read_bytes() for path in (foreign, later, text)}
    for path, error, message in (
        (foreign, LogError, "not a score log"),
        (later, StorageVersionError, f"schema {SCHEMA_VERSION + 1}"),
        (text, LogError, "cannot be read"),
    ):
        with pytest.raises(error, match=message):
            LogFile(path, 3).connect(100)
    assert {path: path.read_bytes() for path in before} == before


def test_room_is_checked_before_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LogFile(tmp_path / "log.db", 1)
    file.check_room()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(LogDiskFullError):
        file.check_room()
