"""ScoreLog on one SQLite file that several processes of a machine append to and read: WAL, synchronous=FULL, group
commit.

Beyond the port's guarantees: a call is appended whole or not at all; offsets of a partition grow by exactly one;
`time_ms` never goes back in the whole log. Pruning takes whole transactions off the log's start, so a partition whose
commit stands still keeps all that was appended after it, and the newest transaction always stays.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

from storage.ports.errors import LogError, LogUnavailableError
from storage.ports.score_log import DeadLetter, LogBounds, LogRange, LogReader, LogRecord, NewRecord
from storage.score_log.pending_calls import LogCalls, nothing_appended
from storage.score_log.sqlite.reader import SqliteLogReader, check_start, seek, step
from storage.score_log.sqlite.schema import LogFile, pack_offsets, translate_error, unpack_offsets
from storage.score_log.sqlite.writer import LogWriter

# Rows that one pruning transaction deletes, and how many of these one call makes: appends wait for each, so they are
# short.
PRUNE_BATCHES = 64
PRUNE_TRANSACTIONS = 100
# A job (commit, prune, dead letters) waits at most so long for its transaction.
JOB_TIMEOUT_S = 10.0
LETTER_COLUMNS = "log_partition, log_offset, time_ms, key, value, signature, reply_to, reason, detail"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class SqliteScoreLog:
    """See `storage.ports.score_log.ScoreLog`. Opens its file when first used; belongs to one process, and to one event loop.

    `window_ms`: the pause between two transactions of this process. `max_queued` records and `max_queued_bytes` bound
    what waits (LogOverloadedError beyond). `max_dead_letters` are kept, the newest.
    """

    def __init__(
        self,
        path: Path | str,
        partitions: int = 50,
        *,
        max_queued: int = 10_000,
        max_queued_bytes: int = 64 << 20,
        window_ms: float = 2.0,
        lock_wait_ms: int = 5_000,
        max_dead_letters: int = 10_000,
        clock_ms: Callable[[], int] = _now_ms,
    ) -> None:
        self._file = LogFile(Path(path), partitions)
        self._max_queued = max_queued
        self._max_queued_bytes = max_queued_bytes
        self._max_dead_letters = max_dead_letters
        self._clock_ms = clock_ms
        self._writer = LogWriter(
            self._file,
            max_queued=max_queued,
            max_queued_bytes=max_queued_bytes,
            window_s=window_ms / 1000,
            lock_wait_s=lock_wait_ms / 1000,
            clock_ms=clock_ms,
        )
        self._calls = LogCalls(self._writer.withdraw)
        self._reading: sqlite3.Connection | None = None
        self._identity = ""
        self._readers: WeakSet[SqliteLogReader] = WeakSet()
        self._closed = False

    @property
    def partitions(self) -> int:
        """See `ScoreLog.partitions`."""
        return self._file.partitions

    @property
    def identity(self) -> str:
        """See `ScoreLog.identity`. Opens the file the first time, with the errors of `LogFile.connect`."""
        if not self._identity:
            self._identity = str(self._query("SELECT identity FROM log")[0][0])
        return self._identity

    @property
    def queued(self) -> int:
        """See `ScoreLog.queued`: those waiting for a transaction."""
        return self._writer.queued

    def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> asyncio.Future[list[int]]:
        """See `ScoreLog.append`."""
        size = self._checked(records)
        if not records:
            return nothing_appended()
        return self._calls.start(self._writer.submit(records, size), timeout_s)

    def _checked(self, records: Sequence[NewRecord]) -> int:
        """The size of a call in bytes.

        Checked here, since one record that cannot be encoded would fail a whole group.
        """
        partitions = self._file.partitions
        size = 0
        for record in records:
            if not 0 <= record.partition < partitions:
                raise ValueError(f"partition {record.partition}, expected 0 to {partitions - 1}")
            if type(record.key) is not bytes or type(record.value) is not bytes:
                raise TypeError("key and value of a record must be bytes")
            size += len(record.key) + len(record.value) + len(record.signature) + len(record.reply_to)
        if len(records) > self._max_queued or size > self._max_queued_bytes:
            raise ValueError(f"a call of {len(records)} records and {size} bytes is more than the queue may hold")
        return size

    def reader(self, positions: Mapping[int, int]) -> LogReader:
        """See `ScoreLog.reader`. It reads through a connection of its own and is closed with the log."""
        reader = SqliteLogReader(self._file, positions)
        self._readers.add(reader)
        return reader

    async def read(self, partition: int, after: int, max_records: int) -> LogRange:
        """See `ScoreLog.read`. Rows without records of the partition are skipped by search, not read one by one."""
        connection = self._connected()
        positions = {partition: after}
        try:
            while True:
                seq = seek(connection, positions)
                check_start(connection, positions)
                taken = step(connection, seq, positions, max_records)
                records = taken.found.get(partition, [])
                if records or taken.at_end:
                    return LogRange(partition, after, records[-1].offset if records else after, records)
                await asyncio.sleep(0)
        except sqlite3.Error as error:
            raise translate_error(error, self._file.path) from error

    async def bounds(self) -> dict[int, LogBounds]:
        """See `ScoreLog.bounds`."""
        query = "SELECT starts, (SELECT heads FROM batches ORDER BY seq DESC LIMIT 1) FROM log"
        starts, heads = map(unpack_offsets, self._query(query)[0])
        return {p: LogBounds(starts[p], heads[p] - 1) for p in range(self.partitions)}

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """See `ScoreLog.commit`.

        LogError: an offset beyond the log's end; it is not of this log, and nothing was noted.
        """

        def work(connection: sqlite3.Connection) -> None:
            committed, heads = map(
                unpack_offsets,
                connection.execute(
                    "SELECT committed, (SELECT heads FROM batches ORDER BY seq DESC LIMIT 1) FROM log"
                ).fetchone(),
            )
            for partition, offset in offsets.items():
                if offset >= heads[partition]:
                    raise LogError(f"partition {partition} ends at {heads[partition] - 1}, commit of {offset}")
                committed[partition] = max(committed[partition], offset)
            connection.execute("UPDATE log SET committed = ?", (pack_offsets(committed),))

        if offsets:
            await self._job(work)

    async def committed(self) -> dict[int, int]:
        """See `ScoreLog.committed`."""
        return dict(enumerate(unpack_offsets(self._query("SELECT committed FROM log")[0][0])))

    async def prune(self, keep_ms: int) -> int:
        """See `ScoreLog.prune`. Bounded work a call: call again while the number returned is high."""
        cutoff_ms = self._clock_ms() - keep_ms
        total = 0
        for _ in range(PRUNE_TRANSACTIONS):
            rows, records = await self._job(lambda connection: _prune(connection, cutoff_ms))
            total += records
            if rows < PRUNE_BATCHES:
                break
        return total

    async def stamped_after(self, time_ms: int) -> dict[int, int]:
        """See `ScoreLog.stamped_after`: there is one clock for the whole log."""
        newest_ms = int(self._query("SELECT time_ms FROM batches ORDER BY seq DESC LIMIT 1")[0][0])
        return dict.fromkeys(range(self.partitions), newest_ms) if newest_ms > time_ms else {}

    async def check_writable(self) -> None:
        """See `ScoreLog.check_writable`: there is room, and a transaction takes place."""
        self._file.check_room()
        await self._job(lambda connection: connection.execute("UPDATE log SET committed = committed"))

    async def near_retention(self, headroom_ms: int) -> set[int]:  # noqa: ARG002 - the port's
        """See `ScoreLog.near_retention`: nothing above the committed offsets is ever deleted."""
        return set()

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """See `ScoreLog.dead_letter`."""
        rows = [
            (*letter.record[:7], letter.reason, letter.detail) for letter in letters
        ]  # its detail tells `moved_from`

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                f"INSERT INTO dead_letters ({LETTER_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - a constant
                rows,
            )
            connection.execute(
                "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?", (self._max_dead_letters,)
            )

        if rows:
            await self._job(work)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """See `ScoreLog.dead_letters`."""
        rows = self._query(
            f"SELECT {LETTER_COLUMNS} FROM dead_letters ORDER BY id DESC LIMIT ?",  # noqa: S608 - a constant
            (limit,),
        )
        return [DeadLetter(LogRecord(*row[:7]), row[7], row[8]) for row in rows]

    async def close(self) -> None:
        """See `ScoreLog.close`. Closes the readers made here, too."""
        self._closed = True
        thread = self._writer.stop()
        if thread is not None:
            await asyncio.to_thread(thread.join)
        for reader in self._readers:
            await reader.close()
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    async def _job(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        return await self._calls.start(self._writer.submit_job(work), JOB_TIMEOUT_S)

    def _connected(self) -> sqlite3.Connection:
        if self._closed:
            raise LogUnavailableError("the log is closed")
        if self._reading is None:
            self._reading = self._file.connect(busy_ms=250)
        return self._reading

    def _query(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        connection = self._connected()
        try:
            return connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise translate_error(error, self._file.path) from error


def _prune(connection: sqlite3.Connection, cutoff_ms: int) -> tuple[int, int]:
    """Delete rows off the log's start that are old and committed in every partition; (rows, records) deleted."""
    starts, committed = map(unpack_offsets, connection.execute("SELECT starts, committed FROM log").fetchone())
    # A partition holds nothing back when its records up to here are committed, or when it has none since the start.
    free = [max(start, offset + 1) for start, offset in zip(starts, committed, strict=True)]
    rows = connection.execute(
        "SELECT seq, heads FROM batches WHERE time_ms <= ? AND seq < (SELECT max(seq) FROM batches)"
        " ORDER BY seq LIMIT ?",
        (cutoff_ms, PRUNE_BATCHES),
    ).fetchall()
    last, heads = -1, starts
    count = 0
    for seq, data in rows:
        following = unpack_offsets(data)
        if any(head > limit for head, limit in zip(following, free, strict=True)):
            break
        last, heads = seq, following
        count += 1
    if count:
        connection.execute("DELETE FROM batches WHERE seq <= ?", (last,))
        connection.execute("UPDATE log SET starts = ?", (pack_offsets(heads),))
    return count, sum(heads) - sum(starts)
