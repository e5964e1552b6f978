"""What every MetricsSeries must keep, as `storage/ports/metrics.py` states it, and what the Parquet one adds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from storage.metrics.influx import InfluxMetrics
from storage.metrics.parquet import ParquetMetrics
from storage.ports import MetricsSeries, Point
from tests.support.memory_ports import MemoryMetrics
from tests.support.servers_influx import InfluxDatabase


class MetricsUnderTest:
    """One store of points; options of `open` go to the implementation."""

    def __init__(self, make: Callable[..., MetricsSeries], stored: Callable[[], list[Point]]) -> None:
        self.open = make
        self.stored = stored


def read_points(directory: Path) -> list[Point]:
    points = []
    for path in sorted(directory.glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            time_ms = round(row["time"].timestamp() * 1000)
            points.append(Point(row["measurement"], dict(row["tags"]), dict(row["fields"]), time_ms))
    return points


def point(i: int) -> Point:
    return Point(f"m{i % 2}", {"actor": f"shard-{i}"}, {"records": float(i), "lag_s": 0.5}, 1_790_000_000_000 + i)


@pytest.fixture(params=["parquet", "influx", "memory"])
def metrics(request: pytest.FixtureRequest, tmp_path: Path) -> MetricsUnderTest:
    if request.param == "parquet":
        directory = tmp_path / "metrics"
        return MetricsUnderTest(partial(ParquetMetrics, directory), lambda: read_points(directory))
    if request.param == "influx":
        database: InfluxDatabase = request.getfixturevalue("influx")
        return MetricsUnderTest(partial(InfluxMetrics, database.config()), database.stored)
    opened: list[MemoryMetrics] = []

    def make(**options: Any) -> MetricsSeries:
        opened.append(MemoryMetrics(**options))
        return opened[-1]

    return MetricsUnderTest(make, lambda: [point for series in opened for point in series.points])


async def test_points_are_stored_in_the_order_written(metrics: MetricsUnderTest) -> None:
    series = metrics.open()
    await series.flush()
    assert metrics.stored() == []
    untagged = Point("untagged", {}, {"records": -0.25}, 0)
    series.write([untagged])
    series.write([point(i) for i in range(5)])
    await series.flush()
    series.write([point(9)])
    await series.close()
    assert metrics.stored() == [untagged, *(point(i) for i in range(5)), point(9)]
    assert series.dropped == 0


async def test_a_point_without_fields_is_kept_or_counted_and_holds_nothing_up(metrics: MetricsUnderTest) -> None:
    series = metrics.open()
    empty = Point("empty", {"actor": "shard-1"}, {}, 0)
    series.write([empty, point(1)])
    await series.close()
    stored = metrics.stored()
    assert stored[-1] == point(1)
    assert stored[:-1] == ([] if series.dropped else [empty])
    assert series.dropped <= 1


async def test_a_full_buffer_drops_the_oldest_and_counts_them(metrics: MetricsUnderTest) -> None:
    series = metrics.open(max_points=10)
    series.write([point(i) for i in range(8)])
    series.write([point(i) for i in range(8, 25)])
    assert series.dropped == 15
    await series.close()
    assert metrics.stored() == [point(i) for i in range(15, 25)]


async def test_what_is_written_after_the_end_is_counted_or_stored_and_raises_nothing(metrics: MetricsUnderTest) -> None:
    series = metrics.open()
    series.write([point(1)])
    await series.close()
    await series.close()
    series.write([point(2)])
    await series.flush()
    assert len(metrics.stored()) + series.dropped == 2


async def test_a_sink_that_is_away_keeps_the_points_within_the_bound(tmp_path: Path) -> None:
    directory = tmp_path / "metrics"
    directory.write_text("a file where the directory should be")
    series = ParquetMetrics(directory, max_points=10)
    series.write([point(i) for i in range(8)])
    await series.flush()
    series.write([point(i) for i in range(8, 12)])
    await series.flush()
    assert series.dropped == 2
    directory.unlink()
    await series.flush()
    assert read_points(directory) == [point(i) for i in range(2, 12)]
    await series.flush()
    assert len(list(directory.iterdir())) == 1


async def test_a_full_disk_leaves_no_broken_file(small_disk: Path) -> None:
    directory = small_disk / "metrics"
    series = ParquetMetrics(directory)
    series.write([point(1)])
    await series.flush()
    with pytest.raises(OSError, match="No space"):
        (small_disk / "ballast").write_bytes(bytes(5 << 20))
    series.write([point(2)])
    await series.flush()
    assert read_points(directory) == [point(1)]
    (small_disk / "ballast").unlink()
    await series.close()
    assert read_points(directory) == [point(1), point(2)]
    assert {path.suffix for path in directory.iterdir()} == {".parquet"}


async def test_old_files_are_deleted_beyond_the_bound(tmp_path: Path) -> None:
    first, second = (ParquetMetrics(tmp_path, max_files=3) for _ in range(2))
    (tmp_path / "points-00000000000001-1-x-000001.tmp").write_bytes(b"left by a killed process")
    for i in range(8):
        series = (first, second)[i % 2]
        series.write([point(i)])
        await series.flush()
    assert len(list(tmp_path.iterdir())) == 3
    assert {p.time_ms for p in read_points(tmp_path)} <= {point(i).time_ms for i in range(8)}
    shutil.rmtree(tmp_path)
