"""MetricsSeries as Parquet files: each flush is a file, written beside and then renamed, so that a reader sees whole files only.

Columns: `time` (timestamp, ms, UTC), `measurement` (dictionary-encoded text), `tags` (map of text), `fields` (map of doubles).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from storage.metrics.buffer import PointBuffer
from storage.ports.metrics import Point

logger = logging.getLogger(__name__)

SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ms", tz="UTC")),
        ("measurement", pa.dictionary(pa.int32(), pa.string())),
        ("tags", pa.map_(pa.string(), pa.string())),
        ("fields", pa.map_(pa.string(), pa.float64())),
    ]
)


class ParquetMetrics:
    """See `storage.ports.metrics.MetricsSeries`. Several processes may share a directory.

    At most `max_points` are buffered, beyond that the oldest are dropped and counted; at most `max_files` are kept in the
    directory, beyond that the oldest are deleted.
    """

    def __init__(self, directory: Path | str, *, max_points: int = 100_000, max_files: int = 1_000) -> None:
        self._directory = Path(directory)
        self._max_files = max_files
        self._buffer = PointBuffer(max_points)
        self._files = 0
        self._name = f"{os.getpid()}-{uuid4().hex[:8]}"
        self._flushing = asyncio.Lock()

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
                    await asyncio.to_thread(self._write_file, points)
                except (OSError, pa.ArrowException) as error:
                    logger.warning("%d metric points could not be written: %s", len(points), error)
                    return
                points.clear()

    async def close(self) -> None:
        """See `MetricsSeries.close`."""
        await self.flush()

    def _write_file(self, points: list[Point]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._files += 1
        # Sorted by name they are sorted by time, which is how the oldest are found.
        path = self._directory / f"points-{time.time_ns() // 1_000_000:014d}-{self._name}-{self._files:06d}.parquet"
        unfinished = path.with_suffix(".tmp")
        try:
            encoded = pa.BufferOutputStream()  # a file that pyarrow failed to write would stay open
            pq.write_table(_table(points), encoded, compression="zstd")
            unfinished.write_bytes(encoded.getvalue())
            unfinished.rename(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        files = sorted(self._directory.glob("points-*"))  # what a killed process left unfinished, too
        for old in islice(files, max(0, len(files) - self._max_files)):
            old.unlink(missing_ok=True)  # another process may have been faster


def _table(points: list[Point]) -> pa.Table:
    columns = [
        pa.array([point.time_ms for point in points], pa.int64()).cast(SCHEMA.field("time").type),
        pa.array([point.measurement for point in points], pa.string()).dictionary_encode(),
        pa.array([list(point.tags.items()) for point in points], SCHEMA.field("tags").type),
        pa.array([[(k, float(v)) for k, v in point.fields.items()] for point in points], SCHEMA.field("fields").type),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)
