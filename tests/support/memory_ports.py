"""The ports in memory, for the seeded simulator and for tests without a disk: no threads, an injected clock, nothing lost.

Faults are the simulator's business: it wraps these.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from storage.ports import (
    DeadLetter,
    LogBounds,
    LogError,
    LogRange,
    LogReader,
    LogRecord,
    LogTruncatedError,
    LogUnavailableError,
    NewRecord,
    Point,
    Tags,
)
from tests.support.memory_records import MemoryRecords


class MemoryScoreLog:
    """`ScoreLog` in memory. `clock_ms` stamps records; `identity` is given, so that runs repeat."""

    def __init__(
        self,
        partitions: int = 50,
        *,
        clock_ms: Callable[[], int],
        identity: str = "memory",
        max_queued: int = 10_000,
        max_dead_letters: int = 10_000,
    ) -> None:
        self._clock_ms = clock_ms
        self._identity = identity
        self._max_queued = max_queued
        self._records: list[list[LogRecord]] = [[] for _ in range(partitions)]
        self._starts = [0] * partitions
        self._committed = [-1] * partitions
        self._last_ms = 0
        self._letters: deque[DeadLetter] = deque(maxlen=max_dead_letters)
        self._appended = asyncio.Event()
        self._closed = False

    @property
    def partitions(self) -> int:
        return len(self._records)

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def queued(self) -> int:
        return 0

    def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> asyncio.Future[list[int]]:
        if self._closed:
            raise LogUnavailableError("the log is closed")
        for record in records:
            if not 0 <= record.partition < len(self._records):
                raise ValueError(f"partition {record.partition}, expected 0 to {len(self._records) - 1}")
            if type(record.key) is not bytes or type(record.value) is not bytes:
                raise TypeError("key and value of a record must be bytes")
        if len(records) > self._max_queued:
            raise ValueError(f"a call of {len(records)} records is more than the queue may hold")
        self._last_ms = max(self._last_ms, self._clock_ms())
        offsets = []
        for record in records:
            kept = self._records[record.partition]
            offset = self._starts[record.partition] + len(kept)
            kept.append(LogRecord(record.partition, offset, self._last_ms, *record[1:]))
            offsets.append(offset)
        self._appended.set()
        self._appended = asyncio.Event()
        appended: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        appended.set_result(offsets)
        return appended

    def reader(self, positions: Mapping[int, int]) -> LogReader:
        return _MemoryReader(self, positions)

    async def read(self, partition: int, after: int, max_records: int) -> LogRange:
        records = self.after(partition, after, max_records)
        return LogRange(partition, after, records[-1].offset if records else after, records)

    def after(self, partition: int, after: int, max_records: int) -> list[LogRecord]:
        """At most `max_records` records beyond an offset."""
        if max_records < 1:
            raise ValueError(f"max_records is {max_records}, expected at least 1")
        start = self._starts[partition]
        if after + 1 < start:
            raise LogTruncatedError(f"partition {partition} starts at {start}, wanted {after + 1}")
        return self._records[partition][after + 1 - start : after + 1 - start + max_records]

    @property
    def appended(self) -> asyncio.Event:
        """Set by the next append."""
        return self._appended

    async def bounds(self) -> dict[int, LogBounds]:
        return {
            p: LogBounds(start, start + len(kept) - 1)
            for p, (start, kept) in enumerate(zip(self._starts, self._records, strict=True))
        }

    async def commit(self, offsets: Mapping[int, int]) -> None:
        for partition, offset in offsets.items():
            last = self._starts[partition] + len(self._records[partition]) - 1
            if offset > last:
                raise LogError(f"partition {partition} ends at {last}, commit of {offset}")
        for partition, offset in offsets.items():
            self._committed[partition] = max(self._committed[partition], offset)

    async def committed(self) -> dict[int, int]:
        return dict(enumerate(self._committed))

    async def prune(self, keep_ms: int) -> int:
        cutoff_ms = self._clock_ms() - keep_ms
        total = 0
        for partition, kept in enumerate(self._records):
            count = 0
            for record in kept:
                if record.offset > self._committed[partition] or record.time_ms > cutoff_ms:
                    break
                count += 1
            del kept[:count]
            self._starts[partition] += count
            total += count
        return total

    async def stamped_after(self, time_ms: int) -> dict[int, int]:
        return dict.fromkeys(range(self.partitions), self._last_ms) if self._last_ms > time_ms else {}

    async def check_writable(self) -> None:
        if self._closed:
            raise LogUnavailableError("the log is closed")

    async def near_retention(self, headroom_ms: int) -> set[int]:
        return set()

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        self._letters.extend(letters)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        return list(reversed(self._letters))[:limit]

    async def close(self) -> None:
        self._closed = True


class _MemoryReader:
    """`LogReader`: partitions in turn, so that one with much to read does not keep the others waiting."""

    def __init__(self, log: MemoryScoreLog, positions: Mapping[int, int]) -> None:
        self._log = log
        self._positions = dict(positions)
        self._closed = False

    async def poll(self, max_records: int, wait_ms: int) -> list[LogRange]:
        if max_records < 1:
            raise ValueError(f"max_records is {max_records}, expected at least 1")
        ranges = self._read(max_records)
        if not ranges and wait_ms > 0:
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    while not ranges:
                        await self._log.appended.wait()
                        ranges = self._read(max_records)
            except TimeoutError:
                return []
        return ranges

    def _read(self, max_records: int) -> list[LogRange]:
        if self._closed:
            raise LogUnavailableError("the reader is closed")
        ranges = []
        left = max_records
        for partition, after in list(self._positions.items()):
            records = self._log.after(partition, after, left) if left else []
            if records:
                ranges.append(LogRange(partition, after, records[-1].offset, records))
                left -= len(records)
                # Behind the others in turn.
                del self._positions[partition]
                self._positions[partition] = records[-1].offset
        return ranges

    async def close(self) -> None:
        self._closed = True


class MemoryMetrics:
    """`MetricsSeries` in memory: `points` are those flushed."""

    def __init__(self, max_points: int = 10_000) -> None:
        self._buffer: deque[Point] = deque()
        self._max_points = max_points
        self._dropped = 0
        self.points: list[Point] = []

    def write(self, points: Sequence[Point]) -> None:
        self._buffer.extend(points)
        while len(self._buffer) > self._max_points:
            self._buffer.popleft()
            self._dropped += 1

    async def flush(self) -> None:
        self.points.extend(self._buffer)
        self._buffer.clear()

    @property
    def waiting(self) -> int:
        return len(self._buffer)

    @property
    def dropped(self) -> int:
        return self._dropped

    async def read(self, measurement: str, from_ms: int, until_ms: int, tags: Tags | None = None) -> list[Point]:
        found: dict[tuple[frozenset[tuple[str, str]], int], Point] = {}
        for point in self.points:
            its = point.tags.items()
            wanted = all(
                point.tags.get(name) in ([value] if isinstance(value, str) else value)
                for name, value in (tags or {}).items()
            )
            if point.measurement == measurement and from_ms <= point.time_ms < until_ms and wanted:
                key = frozenset(its), point.time_ms
                before = found.get(key)
                found[key] = point if before is None else point._replace(fields={**before.fields, **point.fields})
        return sorted(found.values(), key=lambda point: point.time_ms)

    async def sums(
        self,
        measurement: str,
        fields: Sequence[str],
        from_ms: int,
        until_ms: int,
        step_ms: int,
        tags: Tags | None = None,
    ) -> dict[int, dict[str, int]]:
        found: dict[int, dict[str, int]] = {}
        for point in await self.read(measurement, from_ms, until_ms, tags):
            if point.fields.keys() & set(fields):
                sums = found.setdefault(point.time_ms // step_ms * step_ms, dict.fromkeys(fields, 0))
                for name in fields:
                    value = point.fields.get(name, 0)
                    assert isinstance(value, int)
                    sums[name] += value
        return found

    async def close(self) -> None:
        await self.flush()


__all__ = ["MemoryMetrics", "MemoryRecords", "MemoryScoreLog"]
