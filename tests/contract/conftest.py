"""The implementations that the contract suites judge: another one is another parameter here."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.base import Records, ScoreLog, Updates
from storage.records_mysql import MysqlOptions, mysql_engine, prepare
from storage.records_sharded import ShardedRecords
from storage.records_sql import SqlRecords
from storage.score_log_sqlite import SqliteScoreLog
from storage.updates_broker import Broker, BrokerUpdates
from tests.support.memory_ports import MemoryRecords, MemoryScoreLog
from tests.support.servers_mysql import RunningMysql, mysql_servers

__all__ = ["mysql_servers"]  # pytest finds the fixture here

PARTITIONS = 5


class ManualClock:
    """Milliseconds since 1970, moved by the test."""

    def __init__(self, now_ms: int = 1_790_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


class LogUnderTest:
    """One log; `open` gives handles on it, as processes of their own would have, and options go to the implementation."""

    def __init__(self, make: Callable[..., ScoreLog], clock: ManualClock) -> None:
        self._make = make
        self._opened: list[ScoreLog] = []
        self.clock = clock

    def open(self, **options: Any) -> ScoreLog:
        log = self._make(**options)
        self._opened.append(log)
        return log

    async def close(self) -> None:
        for log in self._opened:
            await log.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(params=["sqlite", "memory"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[LogUnderTest]:
    """A log of PARTITIONS partitions whose append clock the test moves."""
    if request.param == "sqlite":

        def make(**options: Any) -> ScoreLog:
            return SqliteScoreLog(tmp_path / "log.db", PARTITIONS, **{"window_ms": 0.2, "clock_ms": clock, **options})

    else:
        kept: list[MemoryScoreLog] = []

        def make(**options: Any) -> ScoreLog:
            if not kept:
                kept.append(MemoryScoreLog(PARTITIONS, clock_ms=clock, **options))
            return kept[0]

    under_test = LogUnderTest(make, clock)
    yield under_test
    await under_test.close()


@pytest.fixture
def log(bench: LogUnderTest) -> ScoreLog:
    return bench.open()


@pytest.fixture(params=["sqlite", "memory", "mysql", "mysql-sharded"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    """An empty durable store."""
    opened: Records
    if request.param == "sqlite":
        opened = await SqlRecords.open(tmp_path / "records.db")
    elif request.param == "memory":
        opened = MemoryRecords()
    else:
        servers: RunningMysql = request.getfixturevalue("mysql_servers")
        options = servers.options(shards=1 if request.param == "mysql" else 2)
        servers.empty(options)
        if request.param == "mysql":
            primary = options.shards[0].primary
            await prepare(options, primary)
            opened = SqlRecords(mysql_engine(options, primary), timeout_ms=options.timeout_ms)
        else:
            opened = await ShardedRecords.open(options)
    yield opened
    await opened.close()


@pytest.fixture
def mysql(mysql_servers: RunningMysql) -> Iterator[RunningMysql]:
    """All up, and up again after a test that took one down."""
    mysql_servers.empty(mysql_servers.options())
    yield mysql_servers
    mysql_servers.up()


@pytest.fixture
def mysql_options(mysql: RunningMysql) -> MysqlOptions:
    return mysql.options(probe_interval_ms=200, connect_timeout_ms=1_000, timeout_ms=3_000, lock_wait_ms=1_000)


@pytest.fixture
async def sharded(mysql_options: MysqlOptions) -> AsyncIterator[ShardedRecords]:
    records = await ShardedRecords.open(mysql_options)
    yield records
    await records.close()


@pytest.fixture(params=["broker"])
def updates(request: pytest.FixtureRequest) -> Updates:
    """Updates whose subscribers' buffers hold 1,000 publications."""
    return BrokerUpdates(Broker(max_buffered=1_000))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mounted)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a tmpfs needs root")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)
