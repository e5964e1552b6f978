"""Reading the log's file: finding where to start, going on in `seq` order, noticing that something was pruned."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

from storage.ports.errors import LogTruncatedError, LogUnavailableError
from storage.ports.score_log import LogRange, LogRecord
from storage.score_log.sqlite.batch import decode_groups, decode_records
from storage.score_log.sqlite.schema import LogFile, translate_error, unpack_offsets

# Rows that one step looks at, at most: bounds the time a reader holds the event loop when nothing in them is for it.
STEP_BATCHES = 64
# How long a waiting reader sleeps between looks at the file; it grows while nothing comes.
POLL_FIRST_S = 0.002
POLL_LAST_S = 0.015
POLL_GROWTH = 1.2
NOT_SOUGHT = -2  # below every answer of `seek`


class Step(NamedTuple):
    """What one step read.

    `seq` is the last row that needs no further look, `found` has the records by partition.
    """

    seq: int
    found: dict[int, list[LogRecord]]
    at_end: bool


def check_start(connection: sqlite3.Connection, positions: Mapping[int, int]) -> None:
    """Raise LogTruncatedError when records after one of the positions were pruned."""
    (data,) = connection.execute("SELECT starts FROM log").fetchone()
    starts = unpack_offsets(data)
    for partition, after in positions.items():
        if after + 1 < starts[partition]:
            raise LogTruncatedError(f"partition {partition} starts at {starts[partition]}, wanted {after + 1}")


def seek(connection: sqlite3.Connection, positions: Mapping[int, int]) -> int:
    """The `seq` after which the first record lies that is beyond its partition's position.

    Rows are numbered without holes and their heads only grow, so this is a binary search.
    """
    # Two selections: SQLite answers min and max in one by reading the whole table.
    low, high = connection.execute("SELECT (SELECT min(seq) FROM batches), (SELECT max(seq) FROM batches)").fetchone()
    high += 1
    while low < high:  # the answer is in [low, high]; high means: no row has news
        middle = (low + high) // 2
        row = connection.execute("SELECT heads FROM batches WHERE seq = ?", (middle,)).fetchone()
        if row is not None:
            heads = unpack_offsets(row[0])
            if any(heads[partition] > after + 1 for partition, after in positions.items()):
                high = middle
                continue
        low = middle + 1
    return int(low) - 1


def step(connection: sqlite3.Connection, seq: int, positions: Mapping[int, int], max_records: int) -> Step:
    """Read on after `seq`: at most STEP_BATCHES rows and `max_records` records that lie beyond the positions.

    Raises LogTruncatedError when records that were asked for are gone.
    """
    if max_records < 1:
        raise ValueError(f"max_records is {max_records}, expected at least 1")
    found: dict[int, list[LogRecord]] = {}
    reached = dict(positions)
    count = rows = 0
    # The bounds go into the statement, so it is read to its end or closed: an open statement would hold the
    # checkpoint back.
    cursor = connection.execute(
        "SELECT seq, time_ms, groups FROM batches WHERE seq > ? ORDER BY seq LIMIT ?", (seq, STEP_BATCHES)
    )
    try:
        for row_seq, time_ms, groups in cursor:
            if row_seq != seq + 1:
                check_start(connection, reached)
            rows += 1
            for partition, first, size, encoded in decode_groups(groups):
                after = reached.get(partition)
                if after is None or first + size - 1 <= after:
                    continue
                if first > after + 1:
                    raise LogTruncatedError(f"partition {partition} goes on at {first}, wanted {after + 1}")
                if count >= max_records:
                    return Step(seq, found, at_end=False)
                records = decode_records(partition, first, time_ms, encoded)
                wanted = records[after + 1 - first : after + 1 - first + max_records - count]
                found.setdefault(partition, []).extend(wanted)
                reached[partition] = wanted[-1].offset
                count += len(wanted)
                if reached[partition] < first + size - 1:
                    return Step(seq, found, at_end=False)
            seq = row_seq
    finally:
        cursor.close()
    return Step(seq, found, at_end=rows < STEP_BATCHES)


class SqliteLogReader:
    """A `LogReader` with a connection of its own.

    Reads happen on the event loop's thread: they cost about a microsecond a record.
    """

    def __init__(self, file: LogFile, positions: Mapping[int, int]) -> None:
        self._file = file
        self._positions = dict(positions)
        self._connection: sqlite3.Connection | None = None
        self._seq = NOT_SOUGHT
        self._seen_version = -1  # PRAGMA data_version when the end was last reached; -1: there may be more
        self._sleep_s = POLL_FIRST_S
        self._closed = False

    async def poll(self, max_records: int, wait_ms: int) -> list[LogRange]:
        """See `LogReader.poll`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_ms / 1000
        while True:
            ranges = self._read(max_records)
            if ranges:
                self._sleep_s = POLL_FIRST_S
                return ranges
            remaining = deadline - loop.time()
            if remaining <= 0:
                return []
            if self._seen_version == -1:
                await asyncio.sleep(0)  # more rows are there, though none of the last ones was ours
                continue
            await asyncio.sleep(min(self._sleep_s, remaining))
            self._sleep_s = min(self._sleep_s * POLL_GROWTH, POLL_LAST_S)

    def _read(self, max_records: int) -> list[LogRange]:
        if self._closed:
            raise LogUnavailableError("the reader is closed")
        try:
            if self._connection is None:
                self._connection = self._file.connect(busy_ms=250)
            if self._seq == NOT_SOUGHT:
                # Checked after the search, so that what is pruned in between is noticed.
                seq = seek(self._connection, self._positions)
                check_start(self._connection, self._positions)
                self._seq = seq
            # Before reading: what is committed in between is then looked for once more, never overlooked.
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
            if version == self._seen_version:
                return []
            self._seen_version = -1
            taken = step(self._connection, self._seq, self._positions, max_records)
        except sqlite3.Error as error:
            raise translate_error(error, self._file.path) from error
        self._seq = taken.seq
        if taken.at_end:
            self._seen_version = version
        ranges = []
        for partition, records in taken.found.items():
            after, upto = self._positions[partition], records[-1].offset
            self._positions[partition] = upto
            ranges.append(LogRange(partition, after, upto, records))
        return ranges

    async def close(self) -> None:
        """See `LogReader.close`."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
