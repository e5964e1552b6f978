"""The file under `SqliteScoreLog`: its schema, how a connection is opened, and what SQLite's errors mean.

Records are stored a batch a row, as Kafka stores record batches: everything that one process appends in one
transaction is one row. A row a record costs twice the CPU (50 index pages touched by 64 records of 50 partitions),
and readers a statement step a record.

    batches       one row a transaction; `seq` grows by one and orders all records of the log. `heads` holds, for each
                  partition, the offset that its next record will get (little-endian int64), `groups` the records (see
                  `score_log_sqlite_batch`). The last row is never deleted: it says where the log ends. Row 0 is empty.
    log           one row: the identity, and for each partition the first offset still there and the committed one.
    dead_letters  what could not be applied, oldest dropped beyond a bound.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
import struct
import uuid
from pathlib import Path

from storage.ports.errors import LogDiskFullError, LogError, LogUnavailableError, StorageVersionError
from storage.sqlite_files import begin, switch_to_wal

SCHEMA_VERSION = 1
APPLICATION_ID = 0x50414C4C  # "PALL"; tells our file from any other SQLite database

# Larger than SQLite's 1,000 pages: a checkpoint syncs the database file in the middle of the appends, so it should be
# seldom.
WAL_CHECKPOINT_PAGES = 2_000
# A write-ahead log that had to grow (a long read held the checkpoint back) is cut to this when it starts over.
WAL_KEPT_BYTES = 64 << 20
# Free space under which a failing write is put down to a full disk, when SQLite itself calls it an I/O error.
FULL_BELOW_BYTES = 1 << 20
# How long opening waits for another process that creates or recovers the file.
OPEN_WAIT_S = 5.0

_SCHEMA = """
CREATE TABLE batches (seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, heads BLOB NOT NULL, groups BLOB NOT NULL);
CREATE TABLE log (
    id INTEGER PRIMARY KEY CHECK (id = 0), identity TEXT NOT NULL, partitions INTEGER NOT NULL,
    starts BLOB NOT NULL, committed BLOB NOT NULL);
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, log_partition INTEGER NOT NULL, log_offset INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, signature TEXT NOT NULL, reply_to TEXT NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL);
"""


def pack_offsets(offsets: list[int]) -> bytes:
    """One little-endian int64 a partition."""
    return struct.pack(f"<{len(offsets)}q", *offsets)


def unpack_offsets(data: bytes) -> list[int]:
    """The inverse of `pack_offsets`."""
    return list(struct.unpack(f"<{len(data) // 8}q", data))


def translate_error(error: sqlite3.Error | OSError, path: Path, *, committing: bool = False) -> LogError:
    """The port's error for one of SQLite or of the system.

    `committing` says that the error came from COMMIT: then, but for a full disk (the commit record was not written),
    whether the transaction took place is unknown.
    """
    code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF  # without what the extended codes add
    if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
        return LogDiskFullError(f"the disk under {path.name} is full: {error}")
    if committing:
        return LogUnavailableError(f"{path.name}: whether the commit took place is unknown: {error}")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return LogError(f"{path.name} cannot be read: {error}")
    # SQLite calls a file that cannot grow (its shared memory, a truncation) an I/O error.
    if code != sqlite3.SQLITE_BUSY and _free_bytes(path) < FULL_BELOW_BYTES:
        return LogDiskFullError(f"the disk under {path.name} is full: {error}")
    return LogUnavailableError(f"{path.name}: {error}")


def _free_bytes(path: Path) -> int:
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:  # the directory itself is gone: not a question of space
        return FULL_BELOW_BYTES


class LogFile:
    """Opens connections to the log at `path`, creating it with `partitions` when there is none."""

    def __init__(self, path: Path, partitions: int) -> None:
        self.path = path
        self.partitions = partitions

    def connect(self, busy_ms: int) -> sqlite3.Connection:
        """A connection in autocommit mode. It may be used from any thread, by one at a time.

        Raises StorageVersionError (made by a newer version; nothing was touched), LogError (not such a file, or
        another number of partitions), LogDiskFullError and LogUnavailableError.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=OPEN_WAIT_S, isolation_level=None, check_same_thread=False)
        except (sqlite3.Error, OSError) as error:
            raise translate_error(error, self.path) from error
        try:
            self._prepare(connection)
            connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        except sqlite3.Error as error:
            connection.close()
            raise translate_error(error, self.path) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def check_room(self) -> None:
        """Raises LogDiskFullError on a disk so full that a write would soon fail, be it that the next one still finds a free page."""
        free = _free_bytes(self.path)
        if free < FULL_BELOW_BYTES:
            raise LogDiskFullError(f"the disk under {self.path.name} is full: {free} bytes are left")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # In one transaction: another process may be creating the schema right now.
        connection.execute("BEGIN")
        version = self._version(connection)
        connection.execute("COMMIT")
        if version == 0:
            self._create(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
        (stored,) = connection.execute("SELECT partitions FROM log").fetchone()
        if stored != self.partitions:
            raise LogError(f"{self.path.name} has {stored} partitions, expected {self.partitions}: growth is a new log")

    def _version(self, connection: sqlite3.Connection) -> int:
        """The schema version, 0 for an empty file; raises for a foreign file or a newer version."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise LogError(f"{self.path.name} is a SQLite database, but not a score log of Palio")
        if version > SCHEMA_VERSION:
            raise StorageVersionError(
                f"{self.path.name} has schema {version}, this version reads up to {SCHEMA_VERSION}"
            )
        return int(version)

    def _create(self, connection: sqlite3.Connection) -> None:
        """Create the schema, unless another process just did."""
        switch_to_wal(connection, OPEN_WAIT_S)
        connection.execute("PRAGMA synchronous = FULL")
        begin(connection, OPEN_WAIT_S)
        try:
            if self._version(connection) == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                zeros = pack_offsets([0] * self.partitions)
                connection.execute("INSERT INTO batches VALUES (0, 0, ?, x'90')", (zeros,))
                connection.execute(
                    "INSERT INTO log VALUES (0, ?, ?, ?, ?)",
                    (str(uuid.uuid4()), self.partitions, zeros, pack_offsets([-1] * self.partitions)),
                )
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
