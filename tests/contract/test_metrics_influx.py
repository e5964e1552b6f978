"""What InfluxMetrics keeps beyond the port, on a real InfluxDB: names of any text, a server that is away, refusals, credentials."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage.metrics.influx import InfluxConfig, InfluxMetrics
from storage.metrics.line_protocol import carried, carried_key, carried_measurement
from storage.ports import Point, SeriesUnavailableError
from tests.support.certificates import Authority
from tests.support.servers_influx import InfluxDatabase, RunningInflux, free_ports

START_MS = 1_790_000_000_000
TRICKY = ",= \"\\'#\n\t\x00/éß😀\u2028_time0a"


def point(i: int, measurement: str = "owner", **tags: str) -> Point:
    return Point(measurement, tags, {"active": float(i)}, START_MS + i)


def as_carried(written: Point) -> Point:
    fields = {carried_key(name): value for name, value in written.fields.items() if math.isfinite(float(value))}
    tags = {carried_key(name): carried(value) for name, value in written.tags.items() if value}
    return Point(carried_measurement(written.measurement), tags, fields, written.time_ms)


def merged(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The keys told apart from fields and from each other, whatever becomes of them on the way."""
    return {f"{prefix}{i}{name}": value for i, (name, value) in enumerate(tags.items())}


names = st.one_of(st.text(TRICKY, min_size=1, max_size=8), st.text(min_size=1, max_size=8))
numbers = st.one_of(st.floats(), st.integers(-(2**62), 2**62).map(float))
Written = tuple[str, dict[str, str], dict[str, float]]  # a point's measurement, tags and fields


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(
        st.tuples(
            names,
            st.dictionaries(names, st.one_of(st.text(TRICKY, max_size=8), st.text(max_size=8)), max_size=3),
            st.dictionaries(names, numbers, min_size=1, max_size=3),
        ),
        min_size=1,
        max_size=20,
    )
)
@example(
    [("#m", {"time": "x"}, {"time": 1.0}), ("a\\", {"b\\": "c\\"}, {"d\\": 2.0}), ("a\nb 1", {'"': '"'}, {'"=': 3.0})]
)
@example(
    [(" ", {" ": " "}, {" ": 1.0}), ("a\\ b=", {"x\\ ": 'y="'}, {'f\\=",': 1.0, 'g"': 5e-324}), ("b", {}, {"x": 1e308})]
)
def test_what_is_written_is_read_back_whatever_the_names(influx: InfluxDatabase, written: list[Written]) -> None:
    database = influx.server.make_database()
    points = [
        Point(
            measurement,
            merged(tags, "t"),
            {f"f{i}{name}": value for i, (name, value) in enumerate(fields.items())},
            1 + n,
        )
        for n, (measurement, tags, fields) in enumerate(written)
    ]

    async def write() -> int:
        series = InfluxMetrics(database.config(), batch_points=7)
        series.write(points)
        await series.close()
        return series.dropped

    dropped = asyncio.run(write())
    expected = [as_carried(p) for p in points]
    assert database.stored() == [p for p in expected if p.fields]
    assert dropped == sum(not p.fields for p in expected)
    database.drop()


@pytest.mark.parametrize("key", ["time", "a,b", "a=b", "a b", 'a"b', "\\", "a\\", "#a", " a ", "_measurement", "Ünï"])
async def test_keys_stand_for_themselves(influx: InfluxDatabase, key: str) -> None:
    series = InfluxMetrics(influx.config())
    series.write([Point(key, {}, {key: 1.0}, 1), Point("tagged", {key: key}, {"x": 1.0}, 2), point(3)])
    await series.close()
    as_key, as_text = carried_key(key), carried(key)
    tagged = Point("tagged", {as_key: as_text}, {"x": 1.0}, 2)
    assert influx.stored() == [Point(carried_measurement(key), {}, {as_key: 1.0}, 1), tagged, point(3)]
    assert series.dropped == 0


async def test_a_ping_tells_the_servers_version(influx: InfluxDatabase) -> None:
    series = InfluxMetrics(influx.config())
    assert re.match(r"v?1\.", await series.ping())
    await series.close()


async def test_what_cannot_be_written_is_counted_and_holds_nothing_up(influx: InfluxDatabase) -> None:
    series = InfluxMetrics(influx.config(), batch_points=3)
    odd: list[Point] = [
        Point("", {}, {"x": 1.0}, 1),
        Point("m", {}, {"x": math.nan, "y": math.inf}, 1),
        Point("m", {}, {"x": None}, 1),  # type: ignore[dict-item]
        Point("m", {}, {"x": 2**63}, 1),
        Point("m", {}, {"x": "t" * 65_536}, 1),
        Point("m", {}, {"x": 10**400}, 1),
        Point("m", {}, {"x": 1.0}, 2**62),  # beyond the server's years, which only it knows
        Point("m", {"tag": "x" * 70_000}, {"x": 1.0}, 1),  # longer than its keys may be
        Point("m", None, {"x": 1.0}, 1),  # type: ignore[arg-type]
    ]
    for i, each in enumerate(odd):
        series.write([each, point(i)])
    await series.close()
    assert influx.stored() == [point(i) for i in range(len(odd))]
    assert series.dropped == len(odd)


async def test_a_field_of_another_type_is_refused_alone(
    influx: InfluxDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    other = InfluxMetrics(influx.config())
    await other._post(b'conflict x="text" 1790000000000')
    await other.close()
    series = InfluxMetrics(influx.config())
    series.write([Point("conflict", {}, {"x": 1.0}, START_MS + i) for i in range(3)] + [point(1)])
    await series.flush()
    assert series.dropped == 3
    assert "3 metric points were refused and are dropped: status 400, " in caplog.text
    series.write([point(2)])
    await series.close()
    assert series.dropped == 3
    assert influx.server.ask('SELECT count(*) FROM "owner"', influx.name)["series"][0]["values"][0][1] == 2


async def test_a_refused_batch_is_never_sent_again_as_it_was(
    influx: InfluxDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = InfluxMetrics(influx.config(), batch_points=64)
    series.write([Point("m", {"n": "0"}, {"x": "text"}, START_MS)])
    await series.flush()
    sent: list[bytes] = []
    post = series._post

    async def noted(text: bytes) -> tuple[int, str]:
        sent.append(text)
        return await post(text)

    monkeypatch.setattr(series, "_post", noted)
    bad = {7, 30, 31, 99}
    points = [Point("m", {"n": str(n)}, {"x": 1.0 if n in bad else "text"}, START_MS + n) for n in range(1, 200)]
    series.write(points)
    await series.flush()
    assert series.dropped == len(bad)
    assert len(set(sent)) == len(sent) < 80
    stored = await series.read("m", START_MS + 1, START_MS + 1_000)
    assert stored == [point for point in points if point.fields["x"] == "text"]
    await series.close()


async def test_a_server_that_refuses_everything_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    series = InfluxMetrics(InfluxConfig(url="http://127.0.0.1:1", database="palio"))
    calls = 0

    async def refuse(_text: bytes) -> tuple[int, str]:
        nonlocal calls
        calls += 1
        return 400, "no"

    monkeypatch.setattr(series, "_post", refuse)
    series.write([point(i) for i in range(1_000)])
    await series.flush()
    assert series.dropped == 100
    assert (series.waiting, calls < 1_000) == (900, True)


async def test_who_may_not_read_is_told(influx: InfluxDatabase) -> None:
    series = InfluxMetrics(influx.config(password="wr0ng-s3cret"))
    with pytest.raises(SeriesUnavailableError, match="status 401, ") as refused:
        await series.read("m", 0, 1)
    assert "wr0ng" not in str(refused.value)
    nowhere = InfluxMetrics(influx.config(database="nowhere"))
    with pytest.raises(SeriesUnavailableError):
        await nowhere.sums("m", ["x"], 0, 1, 60_000)
    away = InfluxMetrics(InfluxConfig(url=f"http://127.0.0.1:{free_ports(1)}", database="palio"))
    with pytest.raises(SeriesUnavailableError):
        await away.read("m", 0, 1)
    for each in (series, nowhere, away):
        await each.close()


async def test_the_later_of_two_points_of_a_series_and_time_wins_also_over_batches(influx: InfluxDatabase) -> None:
    series = InfluxMetrics(influx.config(), batch_points=2)
    series.write([Point("m", {"owner": "a"}, {"x": float(i)}, START_MS) for i in range(9)])
    await series.close()
    assert influx.stored() == [Point("m", {"owner": "a"}, {"x": 8.0}, START_MS)]


async def test_large_flushes_go_in_batches_by_number_and_size(influx: InfluxDatabase) -> None:
    series = InfluxMetrics(influx.config())
    points = [point(i, owner="x" * 300) for i in range(12_000)]
    series.write(points)
    await series.flush()
    assert series.dropped == 0
    assert influx.stored() == points
    await series.close()


async def test_a_killed_server_costs_nothing_within_the_bound(
    influx: InfluxDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    series = InfluxMetrics(influx.config(), max_points=100, batch_points=30)
    series.write([point(i) for i in range(10)])
    await series.flush()
    influx.server.kill()
    try:
        for i in range(10, 160):
            series.write([point(i)])
            if i % 25 == 0:
                await series.flush()
        assert series.dropped == 50
        told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert 1 <= len(told) == len(set(told)) <= 3, "told when it begins or changes, not each time"
    finally:
        influx.server.start()
    await series.flush()
    assert influx.stored() == [point(i) for i in [*range(10), *range(60, 160)]]
    assert series.dropped == 50
    await series.close()
    assert series.dropped == 50


async def test_a_wrong_password_is_told_without_it_and_the_points_stay(
    influx: InfluxDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    config = influx.config(password="wr0ng-s3cret")
    series = InfluxMetrics(config, max_points=10)
    series.write([point(i) for i in range(12)])
    await series.flush()
    assert influx.stored() == []
    assert series.dropped == 2
    assert "status 401, " in caplog.text
    assert "authorization failed" in caplog.text
    await series.close()
    assert series.dropped == 12, "what is left at the end is lost, and counted"
    for password in ("wr0ng-s3cret", influx.server.facts["password"]):
        assert password not in caplog.text
        assert password not in repr(config)


async def test_a_user_that_may_not_write_and_a_database_that_is_not_there_are_told(
    influx: InfluxDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    influx.server.ask(f'REVOKE ALL ON "{influx.name}" FROM "{influx.server.facts["user"]}"')
    series = InfluxMetrics(influx.config())
    series.write([point(1)])
    await series.flush()
    assert "status 403, " in caplog.text
    influx.server.ask(f'GRANT WRITE ON "{influx.name}" TO "{influx.server.facts["user"]}"')
    await series.close()
    assert influx.stored() == [point(1)]

    elsewhere = InfluxMetrics(influx.config(database="nowhere"))
    elsewhere.write([point(1)])
    await elsewhere.flush()
    assert "database not found" in caplog.text
    assert elsewhere.dropped == 0


@pytest.mark.parametrize("kind", ["no host", "no listener", "silent", "dripping"])
async def test_an_unreachable_server_neither_raises_nor_holds_up(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = False
        while kind == "dripping" and not writer.is_closing():
            writer.write(b"HTTP/1.1 204 No Content\r\nx: " if not sent else b"y")
            sent = True
            await asyncio.sleep(0.05)
        await reader.read()
        writer.close()

    port = free_ports(1)
    listener = await asyncio.start_server(answer, "127.0.0.1", port) if kind in {"silent", "dripping"} else None
    host = "no-such-host.invalid" if kind == "no host" else "127.0.0.1"
    config = InfluxConfig(url=f"http://{host}:{port}", database="palio", user="u", password="s3cret", timeout_s=0.3)
    series = InfluxMetrics(config, max_points=10)
    began = time.perf_counter()
    series.write([point(i) for i in range(12)])
    wrote = time.perf_counter()
    await series.flush()
    series.write([point(12)])
    await series.close()
    took = time.perf_counter() - began
    if listener is not None:
        listener.close()
    assert wrote - began < 0.05
    assert took < 5 if kind == "no host" else took < 2
    assert series.dropped == 13
    assert "metric points wait" in caplog.text
    assert "s3cret" not in caplog.text


async def test_over_tls_only_a_trusted_server_gets_points_and_credentials(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = Authority(tmp_path).own.both
    server = RunningInflux(tmp_path, certificate)
    try:
        database = server.make_database()
        for ca_file in ("", str(certificate)):
            series = InfluxMetrics(database.config(ca_file=ca_file))
            series.write([point(1)])
            await series.flush()
            assert database.stored() == ([point(1)] if ca_file else [])
            await series.close()
        assert "certificate verify failed" in caplog.text
    finally:
        server.kill()


async def test_points_that_make_room_while_their_batch_is_under_way_are_not_called_lost_too_soon(
    influx: InfluxDatabase,
) -> None:
    series = InfluxMetrics(influx.config(), max_points=10)
    series.write([point(i) for i in range(10)])
    flushing = asyncio.create_task(series.flush())
    await asyncio.sleep(0)
    series.write([point(i) for i in range(10, 20)])  # the batch has the first ten
    assert series.dropped == 0
    await flushing
    await series.close()
    assert influx.stored() == [point(i) for i in range(20)]
    assert series.dropped == 0

    away = InfluxMetrics(InfluxConfig(url=f"http://127.0.0.1:{free_ports(1)}", database="palio"), max_points=10)
    away.write([point(i) for i in range(10)])
    flushing = asyncio.create_task(away.flush())
    await asyncio.sleep(0)
    away.write([point(i) for i in range(10, 16)])
    await flushing
    assert away.dropped == 6
    await away.close()
    assert away.dropped == 16


async def test_a_cancelled_flush_keeps_its_points(influx: InfluxDatabase) -> None:
    series = InfluxMetrics(influx.config())
    series.write([point(i) for i in range(5)])
    flushing = asyncio.create_task(series.flush())
    await asyncio.sleep(0.001)
    flushing.cancel()
    await asyncio.gather(flushing, return_exceptions=True)
    await series.close()
    assert influx.stored() == [point(i) for i in range(5)]
    assert series.dropped == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://user:s3cret@127.0.0.1:1"}, "without user, password or query"),
        ({"url": "http://127.0.0.1:1/?p=s3cret"}, "without user, password or query"),
        ({"url": "http://user:s3cret@[::1"}, "as http://host:port"),
        ({"url": "127.0.0.1:8086"}, "as http://host:port"),
        ({"url": "ftp://127.0.0.1"}, "as http://host:port, got 'ftp://127.0.0.1'"),
        ({"url": "http://127.0.0.1:1", "user": "u", "token": "s3cret"}, "a user or a token"),
        ({"url": "http://127.0.0.1:1", "database": ""}, "name of the metric series' database"),
        ({"url": "https://127.0.0.1:1", "ca_file": "/nowhere/ca.pem"}, "PEM certificates at /nowhere/ca.pem"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        InfluxMetrics(InfluxConfig(**{"database": "palio", **options}))
    assert "s3cret" not in str(refused.value)
    assert "\n" not in str(refused.value)
