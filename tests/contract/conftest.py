"""The implementations that the contract suites judge: another one is another parameter here."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client
from redis.exceptions import MovedError

from storage.ports import ReadModel, Records, ScoreLog, Updates
from storage.read_model.redis import RedisReadModel, RedisReadModelConfig
from storage.records.mysql.engine import MysqlOptions, mysql_engine, prepare
from storage.records.mysql.sharded import ShardedRecords
from storage.records.sql.database import SqlRecords
from storage.score_log.kafka.config import KafkaLogConfig
from storage.score_log.kafka.log import KafkaScoreLog
from storage.score_log.sqlite.log import SqliteScoreLog
from storage.updates.broker import Broker
from storage.updates.embedded import BrokerUpdates
from storage.updates.redis import RedisUpdates
from tests.support.memory_ports import MemoryRecords, MemoryScoreLog
from tests.support.servers_influx import influx, influx_server
from tests.support.servers_kafka import KafkaForTests, kafka
from tests.support.servers_mysql import RunningMysql, mysql_servers
from tests.support.servers_redis import RunningRedis, clustered_redis, single_redis

# fixtures made elsewhere
__all__ = ["clustered_redis", "influx", "influx_server", "kafka", "mysql_servers", "single_redis"]

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
            opened = await ShardedRecords.open(options, PARTITIONS)
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
    records = await ShardedRecords.open(mysql_options, PARTITIONS)
    yield records
    await records.close()


@pytest.fixture(params=["broker", "redis", "redis-cluster"])
async def updates(request: pytest.FixtureRequest) -> AsyncIterator[Updates]:
    """Updates whose subscribers' buffers hold 1,000 publications."""
    if request.param == "broker":
        yield BrokerUpdates(Broker(max_buffered=1_000).call)
        return
    running: RunningRedis = request.getfixturevalue("single_redis" if request.param == "redis" else "clustered_redis")
    opened = RedisUpdates(running.config(), max_buffered=1_000)
    yield opened
    await opened.close()


class ReadModelUnderTest:
    """Read models in one Redis (or cluster), and what a plain client sees there."""

    def __init__(self, redis: RunningRedis) -> None:
        self.redis = redis
        self._opened: list[RedisReadModel] = []
        self._port: dict[int, int] = {}
        self._plain: dict[int, redis_client.Redis] = {}

    def open(self, **options: Any) -> RedisReadModel:
        opened = RedisReadModel(self.redis.config(), RedisReadModelConfig(**options))
        self._opened.append(opened)
        return opened

    def by_hand(self, tournament_id: int, *command: Any) -> Any:
        """A command whose second word is the part of the key, from a plain client at the node that serves it."""
        name, part, *rest = command
        key = f"tournament:{{{tournament_id}}}:{part}"
        for port in self.redis.primaries():
            if port not in self._plain:
                self._plain[port] = redis_client.Redis(
                    host="127.0.0.1", port=port, password=self.redis.password, decode_responses=True
                )
            try:
                return self._plain[port].execute_command(name, key, *rest)  # type: ignore[no-untyped-call]
            except MovedError:
                continue
        raise AssertionError(f"no node serves {key}")

    def keys(self, tournament_id: int) -> set[str]:
        """The parts of a tournament's read model that there are."""
        found: set[str] = set()
        for port in self.redis.primaries():
            self.by_hand(tournament_id, "EXISTS", "state")
            if port in self._plain:
                keys: Any = self._plain[port].keys(f"tournament:{{{tournament_id}}}:*")
                found |= set(keys)
        return {key.partition("}:")[2] for key in found}

    def live_ms(self, tournament_id: int) -> int:
        return min(
            int(self.by_hand(tournament_id, "PTTL", part)) for part in ("state", "rankings", "participants", "order")
        )

    def table(self, tournament_id: int) -> list[tuple[str, float]]:
        found = self.by_hand(tournament_id, "ZREVRANGE", "rankings", 0, -1, "WITHSCORES")
        return [
            (row[0], float(row[1]))
            for row in (found if isinstance(found[0], list | tuple) else zip(*[iter(found)] * 2, strict=True))
        ]

    def hash(self, tournament_id: int, part: str) -> dict[str, str]:
        found = self.by_hand(tournament_id, "HGETALL", part)
        return found if isinstance(found, dict) else dict(zip(*[iter(found)] * 2, strict=True))

    async def close(self) -> None:
        for opened in self._opened:
            await opened.close()
        for client in self._plain.values():
            client.close()


@pytest.fixture(params=["redis", "redis-cluster"])
async def redis_read_model(request: pytest.FixtureRequest) -> AsyncIterator[ReadModelUnderTest]:
    """An empty Redis for read models."""
    running: RunningRedis = request.getfixturevalue("single_redis" if request.param == "redis" else "clustered_redis")
    running.empty()
    under_test = ReadModelUnderTest(running)
    yield under_test
    await under_test.close()


@pytest.fixture
def read_model(redis_read_model: ReadModelUnderTest) -> ReadModel:
    return redis_read_model.open()
