"""MetricsSeries as Parquet files: each flush is a file, written beside and then renamed, so that a reader sees whole files only.

Columns: `time` (timestamp, ms, UTC), `measurement` (dictionary-encoded text), `tags` (map of text), and by the kind of value `fields` (map of
doubles), `integers` (map of 64-bit integers) and `texts` (map of text).

Every flush makes a small file, `points-...`. One process, the analytics', puts them together into a file for each day, `day-...`, which has
each point once (`compact`); should it be away, the oldest small files are deleted beyond a bound, but for its own (`kept-...`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.metrics.buffer import PointBuffer
from storage.ports.metrics import MAX_READ_POINTS, Point, SeriesTooLargeError, SeriesUnavailableError, Tags, Value

logger = logging.getLogger(__name__)

T = TypeVar("T")
SCHEMA: Final = pa.schema(
    [
        ("time", pa.timestamp("ms", tz="UTC")),
        ("measurement", pa.dictionary(pa.int32(), pa.string())),
        ("tags", pa.map_(pa.string(), pa.string())),
        ("fields", pa.map_(pa.string(), pa.float64())),
        ("integers", pa.map_(pa.string(), pa.int64())),
        ("texts", pa.map_(pa.string(), pa.string())),
    ]
)
VALUES: Final = ("fields", "integers", "texts")
DAY_MS: Final = 86_400_000
READS: Final = 3  # of all files, while others put them together


class ParquetMetrics:
    """See `storage.ports.metrics.MetricsSeries`. Several processes may share a directory.

    At most `max_points` are buffered, beyond that the oldest are dropped and counted; at most `max_files` small files are kept in the
    directory, beyond that the oldest are deleted. `keeps`: nobody deletes those of this one, which is to `compact` them.
    """

    def __init__(
        self, directory: Path | str, *, max_points: int = 100_000, max_files: int = 1_000, keeps: bool = False
    ) -> None:
        self._directory = Path(directory)
        self._max_files = max_files
        self._prefix = "kept" if keeps else "points"
        self._buffer = PointBuffer(max_points)
        self._files = 0
        self._name = f"{os.getpid()}-{uuid4().hex[:8]}"
        self._flushing = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """See `MetricsSeries.waiting`."""
        return len(self._buffer)

    @property
    def dropped(self) -> int:
        """See `MetricsSeries.dropped`."""
        return self._buffer.dropped

    def write(self, points: Sequence[Point]) -> None:
        """See `MetricsSeries.write`. Belongs to the event loop's thread, as `flush` does."""
        self._buffer.add(points)

    async def flush(self) -> None:
        """See `MetricsSeries.flush`. A failure is logged; the points stay and the next flush tries again."""
        async with self._flushing:
            with self._buffer.taken(len(self._buffer)) as points:
                if not points:
                    return
                try:
                    await asyncio.to_thread(self._write_points, points)
                except (OSError, pa.ArrowException, OverflowError) as error:
                    logger.warning("%d metric points could not be written: %s", len(points), error)
                    return
                points.clear()

    async def read(self, measurement: str, from_ms: int, until_ms: int, tags: Tags | None = None) -> list[Point]:
        """See `MetricsSeries.read`."""
        return await self._of_files(lambda: self._read(measurement, from_ms, until_ms, tags or {}))

    async def sums(
        self,
        measurement: str,
        fields: Sequence[str],
        from_ms: int,
        until_ms: int,
        step_ms: int,
        tags: Tags | None = None,
    ) -> dict[int, dict[str, int]]:
        """See `MetricsSeries.sums`."""
        found: dict[int, dict[str, int]] = {}
        for point in await self.read(measurement, from_ms, until_ms, tags):
            present = {name: value for name in fields if isinstance(value := point.fields.get(name), int)}
            if present:
                sums = found.setdefault(point.time_ms // step_ms * step_ms, dict.fromkeys(fields, 0))
                for name, value in present.items():
                    sums[name] += value
        return found

    async def compact(self, keep_days: int) -> int:
        """Put small files together, and delete days of more than `keep_days` ago; returns how many files went. Of one process at a time.

        A flush meanwhile is left for the next time. Raises SeriesUnavailableError.
        """
        return await self._of_files(lambda: self._compact(keep_days))

    async def close(self) -> None:
        """See `MetricsSeries.close`."""
        await self.flush()

    async def _of_files(self, work: Callable[[], T]) -> T:
        for attempt in range(1, READS + 1):
            try:
                return await asyncio.to_thread(work)
            except FileNotFoundError:  # put together meanwhile: what was in it is in another one by now
                if attempt == READS:
                    raise SeriesUnavailableError("the files of the series change too fast") from None
            except (OSError, pa.ArrowException) as error:
                raise SeriesUnavailableError(f"the files of the series cannot be read: {error}") from error
        raise AssertionError  # not reached

    def _read(self, measurement: str, from_ms: int, until_ms: int, tags: Tags) -> list[Point]:
        found: dict[_Key, Point] = {}
        for path in [*self._days(from_ms, until_ms), *self._small()]:
            _add(found, _points(path, measurement, from_ms, until_ms, tags))
            if len(found) > MAX_READ_POINTS:
                raise SeriesTooLargeError(f"more than {MAX_READ_POINTS} points of {measurement}")
        return sorted(found.values(), key=lambda point: point.time_ms)

    def _compact(self, keep_days: int) -> int:
        small = self._small()
        days: dict[str, list[Point]] = {}
        for path in small:
            for point in _points(path):
                days.setdefault(_day(point.time_ms), []).append(point)
        for day, points in days.items():
            path = self._directory / f"day-{day}.parquet"
            found: dict[_Key, Point] = {}
            _add(found, _points(path) if path.exists() else [])
            _add(found, points)
            self._write_file(path, list(found.values()))
        oldest = _day((time.time_ns() // 1_000_000) - keep_days * DAY_MS)
        old = [path for path in self._directory.glob("day-*.parquet") if path.stem.removeprefix("day-") < oldest]
        for path in (*small, *old):
            path.unlink(missing_ok=True)
        return len(small) + len(old)

    def _small(self) -> list[Path]:
        """Small files by the time they were written."""
        files = [*self._directory.glob("points-*.parquet"), *self._directory.glob("kept-*.parquet")]
        return sorted(files, key=lambda path: path.name.partition("-")[2])

    def _days(self, from_ms: int, until_ms: int) -> list[Path]:
        first, last = f"day-{_day(from_ms)}.parquet", f"day-{_day(until_ms - 1)}.parquet"
        return sorted(path for path in self._directory.glob("day-*.parquet") if first <= path.name <= last)

    def _write_points(self, points: list[Point]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._files += 1
        # Sorted by name they are sorted by time, which is how the oldest are found.
        stamp = f"{time.time_ns() // 1_000_000:014d}-{self._name}-{self._files:06d}"
        self._write_file(self._directory / f"{self._prefix}-{stamp}.parquet", points)
        files = sorted(self._directory.glob("points-*"))  # what a killed process left unfinished, too
        for old in islice(files, max(0, len(files) - self._max_files)):
            old.unlink(missing_ok=True)  # another process may have been faster

    def _write_file(self, path: Path, points: list[Point]) -> None:
        unfinished = path.with_suffix(".tmp")
        try:
            encoded = pa.BufferOutputStream()  # a file that pyarrow failed to write would stay open
            pq.write_table(_table(points), encoded, compression="zstd")
            with unfinished.open("wb") as file:
                file.write(encoded.getvalue())
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


_Key = tuple[str, tuple[tuple[str, str], ...], int]


def _add(found: dict[_Key, Point], points: Iterable[Point]) -> None:
    """Each point once: later fields of the same name win."""
    for point in points:
        key = (point.measurement, tuple(sorted(point.tags.items())), point.time_ms)
        before = found.get(key)
        found[key] = point if before is None else point._replace(fields={**before.fields, **point.fields})


def _points(
    path: Path,
    measurement: str | None = None,
    from_ms: int | None = None,
    until_ms: int | None = None,
    tags: Tags | None = None,
) -> list[Point]:
    """The points of a file, in its order: all, or those of a measurement, a range and with these tags."""
    table = pq.read_table(path)
    if measurement is not None and from_ms is not None and until_ms is not None:
        times = table["time"].cast(pa.int64())
        wanted = pc.and_(pc.greater_equal(times, from_ms), pc.less(times, until_ms))
        wanted = pc.and_(wanted, pc.equal(table["measurement"].cast(pa.string()), measurement))
        for name, value in (tags or {}).items():
            values = pa.array([value] if isinstance(value, str) else value, pa.string())
            has = pc.is_in(pc.map_lookup(table["tags"], name, "first"), values)
            wanted = pc.and_(wanted, has.fill_null(fill_value=False))
        table = table.filter(wanted)
    columns = [table["time"].cast(pa.int64()).to_pylist(), table["measurement"].to_pylist(), table["tags"].to_pylist()]
    values = [table[name].to_pylist() for name in VALUES if name in table.column_names]  # older files have fewer
    points = []
    for time_ms, name, its_tags, *of_kinds in zip(*columns, *values, strict=True):
        fields: dict[str, Value] = {}
        for kind in of_kinds:
            fields.update(kind or ())
        points.append(Point(name, dict(its_tags), fields, time_ms))
    return points


def _day(time_ms: int) -> str:
    """A day in UTC, from the year 1 to 9999: beyond, the nearest of these."""
    day = min(max(time_ms // DAY_MS, -719_162), 2_932_896)
    return datetime.fromordinal(day + 719_163).replace(tzinfo=UTC).date().isoformat()


def _table(points: list[Point]) -> pa.Table:
    kinds = [[_of_kind(point.fields, kind) for point in points] for kind in VALUES]
    columns = [
        pa.array([point.time_ms for point in points], pa.int64()).cast(SCHEMA.field("time").type),
        pa.array([point.measurement for point in points], pa.string()).dictionary_encode(),
        pa.array([list(point.tags.items()) for point in points], SCHEMA.field("tags").type),
        *(pa.array(column, SCHEMA.field(kind).type) for kind, column in zip(VALUES, kinds, strict=True)),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _of_kind(fields: Mapping[str, Value], kind: str) -> list[tuple[str, Value]]:
    wanted = {"fields": float, "integers": int, "texts": str}[kind]
    return [(name, value) for name, value in fields.items() if type(value) is wanted]
