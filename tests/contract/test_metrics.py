"""What every MetricsSeries must keep, as `storage/ports/metrics.py` states it, and what the Parquet one adds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.metrics.influx import InfluxMetrics
from storage.metrics.parquet import SCHEMA, ParquetMetrics
from storage.ports import MetricsSeries, Point, SeriesTooLargeError, SeriesUnavailableError, Value
from tests.support.memory_ports import MemoryMetrics
from tests.support.servers_influx import InfluxDatabase


class MetricsUnderTest:
    """One store of points; options of `open` go to the implementation."""

    def __init__(self, make: Callable[..., MetricsSeries], stored: Callable[[], list[Point]]) -> None:
        self.open = make
        self.stored = stored


def read_points(directory: Path) -> list[Point]:
    """By another reader than ours."""
    points = []
    for path in sorted(directory.glob("*.parquet")):
        for row in pq.read_table(path).to_pylist():
            time_ms = round(row["time"].timestamp() * 1000)
            fields = {**dict(row["fields"]), **dict(row["integers"]), **dict(row["texts"])}
            points.append(Point(row["measurement"], dict(row["tags"]), fields, time_ms))
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


LARGE = 2**62 + 1  # which a double does not hold


def mixed(tournament: int, time_ms: int, **fields: Value) -> Point:
    return Point("finished", {"tournament": str(tournament), "type": "a" if tournament % 2 else "b"}, fields, time_ms)


async def test_points_are_read_back_by_measurement_range_and_tags(metrics: MetricsUnderTest) -> None:
    series = metrics.open()
    points = [mixed(n, n * 1_000, joined=LARGE - n, rate=0.5, name="\"Ü\\ ' ,=") for n in range(1, 6)]
    series.write([*points, Point("other", {"type": "a"}, {"x": 1.0}, 2_000)])
    await series.flush()
    assert series.waiting == 0
    assert await series.read("finished", 0, 10_000) == points
    assert await series.read("finished", 2_000, 4_000) == points[1:3]
    assert await series.read("finished", 0, 10_000, {"type": "a"}) == points[::2]
    assert await series.read("finished", 0, 10_000, {"type": "a", "tournament": "3"}) == [points[2]]
    several = {"type": "a", "tournament": ["3", "4", "5", "'; DROP"]}
    assert await series.read("finished", 0, 10_000, several) == [points[2], points[4]]
    assert await series.read("finished", 0, 10_000, {"type": "'; DROP", "x": '"'}) == []
    assert await series.read("nothing", -(1 << 60), 1 << 60) == []
    await series.close()


async def test_a_point_that_is_written_again_is_there_once(metrics: MetricsUnderTest) -> None:
    series = metrics.open()
    series.write([mixed(1, 5, joined=1, scored=7), mixed(2, 5, joined=3)])
    await series.flush()
    series.write([mixed(1, 5, joined=2)])
    await series.flush()
    expected = [mixed(1, 5, joined=2, scored=7), mixed(2, 5, joined=3)]
    found = await series.read("finished", 0, 10)
    assert sorted(found, key=lambda point: point.tags["tournament"]) == expected
    assert await series.sums("finished", ["joined"], 0, 10, 60_000) == {0: {"joined": 5}}
    await series.close()


async def test_sums_of_integers_are_exact_and_by_steps_since_1970(metrics: MetricsUnderTest) -> None:
    series = metrics.open()
    minute = 60_000
    at = 1_800_000_000_000
    series.write([mixed(1, at, joined=LARGE // 2), mixed(2, at + minute - 1, joined=LARGE // 2 + 1, scored=4)])
    series.write(
        [mixed(3, at + 5 * minute, joined=-7), mixed(5, at + 5 * minute, rate=0.5), mixed(4, at - 1, joined=1)]
    )
    await series.flush()
    found = await series.sums("finished", ["joined", "scored"], at, at + 10 * minute, minute)
    assert found == {at: {"joined": LARGE, "scored": 4}, at + 5 * minute: {"joined": -7, "scored": 0}}
    only = await series.sums("finished", ["joined"], at, at + 10 * minute, 10 * minute, {"type": "b"})
    assert only == {at: {"joined": LARGE // 2 + 1}}
    assert await series.sums("nothing", ["x"], at, at + minute, minute) == {}
    await series.close()


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
    (tmp_path / "points-9.parquet").write_bytes(b"no Parquet")
    with pytest.raises(SeriesUnavailableError):
        await first.read("m0", 0, 1 << 60)
    (tmp_path / "points-9.parquet").unlink()
    assert {p.time_ms for p in read_points(tmp_path)} <= {point(i).time_ms for i in range(8)}
    shutil.rmtree(tmp_path)


DAY_MS = 86_400_000
TODAY_MS = time.time_ns() // 1_000_000


async def test_small_files_are_put_together_by_days_each_point_once(tmp_path: Path) -> None:
    others, keeping = ParquetMetrics(tmp_path, max_files=2), ParquetMetrics(tmp_path, keeps=True)
    for n in range(6):
        keeping.write([mixed(1, TODAY_MS, joined=n), mixed(2, TODAY_MS - DAY_MS, joined=n)])
        await keeping.flush()
        others.write([Point("owner", {}, {"x": float(n)}, TODAY_MS)])
        await others.flush()
    assert len(list(tmp_path.glob("kept-*"))) == 6, "others delete their own alone"
    before = await others.read("finished", 0, 1 << 60)
    for _ in range(2):
        await keeping.compact(keep_days=30)
        assert len(list(tmp_path.iterdir())) == 2
        assert await others.read("finished", 0, 1 << 60) == before
        assert [each.fields for each in before] == [{"joined": 5}, {"joined": 5}]
        assert await others.read("owner", 0, 1 << 60) == [Point("owner", {}, {"x": 5.0}, TODAY_MS)]
    assert sum(len(read_points(path.parent)) for path in list(tmp_path.iterdir())[:1]) == 3


async def test_what_a_compaction_that_was_killed_left_is_there_once(tmp_path: Path) -> None:
    series = ParquetMetrics(tmp_path, keeps=True)
    series.write([mixed(1, TODAY_MS, joined=4)])
    await series.flush()
    (small,) = tmp_path.iterdir()
    content = small.read_bytes()
    await series.compact(keep_days=30)
    small.write_bytes(content)  # it was not deleted any more
    assert await series.sums("finished", ["joined"], 0, 1 << 60, DAY_MS * 10**6) == {0: {"joined": 4}}
    await series.compact(keep_days=30)
    assert len(await series.read("finished", 0, 1 << 60)) == 1


async def test_old_days_go(tmp_path: Path) -> None:
    series = ParquetMetrics(tmp_path, keeps=True)
    series.write([mixed(1, TODAY_MS - n * DAY_MS, joined=1) for n in range(5)])
    await series.flush()
    await series.compact(keep_days=2)
    assert len(await series.read("finished", 0, 1 << 60)) == 3


async def test_a_reader_meets_files_being_put_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, series = ParquetMetrics(tmp_path), ParquetMetrics(tmp_path, keeps=True)
    series.write([mixed(1, TODAY_MS, joined=4)])
    await series.flush()
    small, times = reader._small, 0

    def compacted_after() -> list[Path]:
        nonlocal times
        found = small()
        times += 1
        if times == 1:
            series._compact(30)
        return found

    monkeypatch.setattr(reader, "_small", compacted_after)
    assert len(await reader.read("finished", 0, 1 << 60)) == 1
    assert times == 2


async def test_more_points_than_a_read_may_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.metrics.parquet.MAX_READ_POINTS", 3)
    series = ParquetMetrics(tmp_path)
    series.write([mixed(n, n, joined=4) for n in range(5)])
    await series.flush()
    assert len(await series.read("finished", 0, 3)) == 3
    with pytest.raises(SeriesTooLargeError):
        await series.read("finished", 0, 10)


async def test_files_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    old = pa.schema([field for field in SCHEMA if field.name not in ("integers", "texts")])
    rows = [[5], ["owner"], [[("owner", "a")]], [[("x", 1.0)]]]
    arrays = [
        pa.array(row, pa.int64()).cast(kind) if n == 0 else pa.array(row).cast(kind) if n == 1 else pa.array(row, kind)
        for n, (row, kind) in enumerate(zip(rows, old.types, strict=True))
    ]
    pq.write_table(pa.Table.from_arrays(arrays, schema=old), tmp_path / "points-1-a.parquet")
    assert await ParquetMetrics(tmp_path).read("owner", 0, 10) == [Point("owner", {"owner": "a"}, {"x": 1.0}, 5)]
