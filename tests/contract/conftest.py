"""The implementations that the contract suites judge: another one is another parameter here."""

from __future__ import annotations

import asyncio
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from storage.base import Records, ScoreLog, Updates
from storage.records_sql import SqlRecords
from storage.score_log_kafka import KafkaScoreLog
from storage.score_log_kafka_config import KafkaLogConfig
from storage.score_log_sqlite import SqliteScoreLog
from storage.updates_broker import Broker, BrokerUpdates
from tests.support.memory_ports import MemoryRecords, MemoryScoreLog
from tests.support.servers_kafka import KafkaForTests, kafka

__all__ = ["kafka"]

PARTITIONS = 5


class ManualClock:
    """Milliseconds since 1970, moved by the test."""

    def __init__(self, now_ms: int = 1_790_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


class LogUnderTest:
    """One log; `open` gives handles on it, as processes of their own would have, and options go to the implementation.

    `clock` is what the log stamps records by where the test can move that clock (`clock_moves`); a broker's own clock only goes on.
    `reads_ahead`: a reader holds records that it has not given yet, so that it is not overtaken at once by what prunes them.
    A tick is the unit in which tests let time pass: `tick_ms` long on either clock.
    """

    def __init__(self, make: Callable[..., ScoreLog], clock: ManualClock, *, real_broker: bool = False) -> None:
        self._make = make
        self._opened: list[ScoreLog] = []
        self.clock = clock
        self.clock_moves = not real_broker
        self.reads_ahead = real_broker
        self.tick_ms = 200 if real_broker else 1_000

    def open(self, **options: Any) -> ScoreLog:
        log = self._make(**options)
        self._opened.append(log)
        return log

    async def pass_ticks(self, count: float) -> None:
        """Let time pass on the log's clock."""
        if self.clock_moves:
            self.clock.now_ms += round(count * self.tick_ms)
        else:
            await asyncio.sleep(count * self.tick_ms / 1000)

    def is_now(self, time_ms: int) -> bool:
        """Whether a stamp may be of this moment."""
        return time_ms == self.now_ms() if self.clock_moves else abs(time_ms - self.now_ms()) < 10_000

    def now_ms(self) -> int:
        """What the log's clock shows."""
        return self.clock.now_ms if self.clock_moves else time.time_ns() // 1_000_000

    async def close(self) -> None:
        for log in self._opened:
            await log.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def kafka_config(kafka: KafkaForTests, **options: Any) -> KafkaLogConfig:
    """A new topic of PARTITIONS partitions on one broker."""
    config = KafkaLogConfig(
        kafka.bootstrap_servers,
        topic=f"scores-{uuid.uuid4().hex[:12]}",
        partitions=PARTITIONS,
        replication_factor=1,
        min_insync_replicas=1,
    )
    return replace(config, **options)


@pytest.fixture(params=["sqlite", "memory", "kafka"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[LogUnderTest]:
    """A log of PARTITIONS partitions."""
    if request.param == "sqlite":

        def make(**options: Any) -> ScoreLog:
            return SqliteScoreLog(tmp_path / "log.db", PARTITIONS, **{"window_ms": 0.2, "clock_ms": clock, **options})

    elif request.param == "kafka":
        config = kafka_config(request.getfixturevalue("kafka"))

        def make(**options: Any) -> ScoreLog:
            return KafkaScoreLog(replace(config, **options))

    else:
        kept: list[MemoryScoreLog] = []

        def make(**options: Any) -> ScoreLog:
            if not kept:
                kept.append(MemoryScoreLog(PARTITIONS, clock_ms=clock, **options))
            return kept[0]

    under_test = LogUnderTest(make, clock, real_broker=request.param == "kafka")
    yield under_test
    await under_test.close()


@pytest.fixture
def log(bench: LogUnderTest) -> ScoreLog:
    return bench.open()


@pytest.fixture(params=["sqlite", "memory"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    """An empty durable store."""
    opened: Records = await SqlRecords.open(tmp_path / "records.db") if request.param == "sqlite" else MemoryRecords()
    yield opened
    await opened.close()


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
