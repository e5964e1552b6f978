"""Connections to Redis: TLS, calls that are given up, and the map of a cluster's slots."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ResponseError

from cluster.config.settings import Settings
from scripts.local_servers.base import HOST, stop, wait_until
from scripts.local_servers.redis import NODE_TIMEOUT_MS, start_node
from storage.ports import StorageError
from storage.redis_client import connection as redis_link
from storage.redis_client import topology as redis_slots
from storage.redis_client.check import check_redis
from storage.redis_client.cluster import RedisNodes
from storage.redis_client.connection import RedisConfig
from storage.redis_client.errors import RedisAwayError
from storage.redis_client.memory import memory_shares
from storage.updates.redis import RedisUpdates
from tests.support.calm_clock import calm_s
from tests.support.certificates import Authority
from tests.support.servers_redis import RunningRedis, free_ports

OLD = [
    [0, 5460, [b"127.0.0.1", 1, b"id"], [b"127.0.0.1", 3, b"id"]],
    [5461, 16383, [b"", 2, b"id"]],
]  # the last: it does not know its name


class TlsRedis:
    """A Redis (or a cluster of one node) that speaks TLS alone, and lets in whoever shows a certificate of its authority."""

    def __init__(self, directory: Path, *, cluster: bool) -> None:
        self.directory = directory
        self.cluster = cluster
        self.authority = Authority(directory)
        self.port = free_ports(1)
        own = self.authority.own
        files = ["--tls-cert-file", own.certificate, "--tls-key-file", own.key, "--tls-ca-cert-file", own.certificate]
        options = ["--port", "0", "--tls-port", self.port, "--tls-auth-clients", "yes", *files]
        if cluster:
            options += ["--cluster-enabled", "yes", "--tls-cluster", "yes", "--cluster-port", free_ports(1)]
        start_node(directory, "tls", self.port, "a-password", [str(option) for option in options])
        log = directory / "logs" / "tls.log"
        wait_until(lambda: b"Ready to accept connections" in log.read_bytes(), "Redis to be ready", 20)

    def config(self, **changes: str | None) -> RedisConfig:
        """As Palio's settings make it."""
        palio = self.authority.issue("palio")
        files = {"ca": self.authority.own.certificate, "cert": palio.certificate, "key": palio.key}
        values: dict[str, Any] = {f"redis_{name}_file": str(file) for name, file in files.items()} | changes
        url = f"rediss://{HOST}:{self.port}"
        config = Settings(redis_urls=url, redis_cluster=self.cluster, redis_password="a-password", **values).redis()
        assert config is not None
        return config


@pytest.fixture(params=[False, True], ids=["single", "cluster"])
async def tls_redis(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TlsRedis]:
    running = TlsRedis(tmp_path, cluster=request.param)
    if running.cluster:
        nodes = RedisNodes(running.config())
        assert await nodes.link((HOST, running.port)).call([("CLUSTER", "ADDSLOTSRANGE", "0", "16383")]) == [b"OK"]
        (state,) = await nodes.link((HOST, running.port)).call([("CLUSTER", "INFO")])
        while b"cluster_state:ok" not in state:
            await asyncio.sleep(0.05)
            (state,) = await nodes.link((HOST, running.port)).call([("CLUSTER", "INFO")])
        await nodes.close()
    yield running
    stop(tmp_path, "tls", signal.SIGKILL)


async def test_over_tls_both_sides_show_certificates(tls_redis: TlsRedis, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    config = tls_redis.config()
    assert await check_redis(config)
    updates = RedisUpdates(config)
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    await updates.publish([("a", b"1")])
    assert [p.payload for p in await subscription.receive(5000)] == [b"1"]
    await updates.close()
    for wrong, told in (
        (tls_redis.config(redis_ca_file=None), "certificate verify failed"),
        (tls_redis.config(redis_cert_file=None, redis_key_file=None), "Redis at"),
        (replace(config, password="not-the-password"), "invalid username-password pair"),
    ):
        with pytest.raises(StorageError, match=told) as error:
            await check_redis(wrong)
        assert "not-the-password" not in str(error.value) + caplog.text
    assert "a-password" not in caplog.text


async def test_many_calls_share_a_connection_and_each_gets_its_own_answer(single_redis: RunningRedis) -> None:
    single_redis.empty()
    nodes = RedisNodes(single_redis.config())

    async def ask(n: int) -> None:
        first, second, third = await nodes.call(
            [("k", ("ECHO", str(n))), ("k", ("NO-SUCH-COMMAND",)), ("k", ("ECHO", -n))]
        )
        assert first == str(n).encode()
        assert isinstance(second, ResponseError)
        assert third == str(-n).encode()

    await asyncio.gather(*(ask(n) for n in range(500)))
    await nodes.close()
    (answer,) = await nodes.call([("k", ("ECHO", "x"))])
    assert answer == b"x"  # a closed one may be used again, as long as it is closed again
    await nodes.close()


async def test_a_caller_that_gives_up_disturbs_nobody(single_redis: RunningRedis) -> None:
    single_redis.empty()
    nodes = RedisNodes(single_redis.config())
    for n in range(50):
        leaving = asyncio.create_task(nodes.call([("k", ("ECHO", "left"))]))
        staying = asyncio.create_task(nodes.call([("k", ("ECHO", n))]))
        for _ in range(n % 5):
            await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == [str(n).encode()]
    await nodes.close()


async def test_calls_that_wait_are_bounded(single_redis: RunningRedis) -> None:
    single_redis.empty()
    nodes = RedisNodes(single_redis.config(max_waiting=5, timeout_ms=300))
    assert await nodes.call([("k", ("ECHO", "x"))]) == [b"x"]
    with single_redis.stopped(single_redis.ports[0]):
        answers = await asyncio.gather(*(nodes.call([("k", ("ECHO", "x"))]) for _ in range(20)))
    told = [str(answer) for (answer,) in answers]
    assert sum("calls waiting" in text for text in told) == 15
    assert sum("no answer in time" in text for text in told) == 5
    await nodes.close()


async def test_a_node_that_hangs_costs_one_timeout_and_is_used_again_once_it_answers(
    single_redis: RunningRedis,
) -> None:
    single_redis.empty()
    nodes = RedisNodes(single_redis.config())
    assert await nodes.call([("k", ("ECHO", "x"))]) == [b"x"]
    with single_redis.stopped(single_redis.ports[0]):
        for within_s in (2.0, 0.4, 0.4):
            began_s = calm_s()
            (answer,) = await nodes.call([("k", ("ECHO", "x"))])
            assert isinstance(answer, RedisAwayError)
            assert "no answer in time" in str(answer)
            assert calm_s() - began_s < within_s
            await asyncio.sleep(0.4)
        assert nodes.is_away(nodes.seeds[0])
    began_s = calm_s()
    while (await nodes.call([("k", ("ECHO", "x"))])) != [b"x"]:
        assert calm_s() - began_s < 2
        await asyncio.sleep(0.01)
    await nodes.close()


async def test_a_standstill_of_our_own_is_no_failure_of_the_node(single_redis: RunningRedis) -> None:
    single_redis.empty()
    nodes = RedisNodes(single_redis.config(timeout_ms=100))
    assert await nodes.call([("k", ("ECHO", "x"))]) == [b"x"]
    call = asyncio.create_task(nodes.call([("k", ("ECHO", "y"))]))
    await asyncio.sleep(0)
    time.sleep(0.3)
    assert await call == [b"y"]
    await nodes.close()


async def test_nobody_is_looked_for_when_nobody_calls(
    single_redis: RunningRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_link, "PROBE_FOR_S", 0.3)
    single_redis.empty()
    nodes = RedisNodes(single_redis.config())
    single_redis.kill(single_redis.ports[0])
    (answer,) = await nodes.call([("k", ("ECHO", "x"))])
    assert isinstance(answer, RedisAwayError)
    assert nodes.is_away(nodes.seeds[0])
    async with asyncio.timeout(10):
        while nodes.is_away(nodes.seeds[0]) or len(asyncio.all_tasks()) > 1:  # who asks next tries it
            await asyncio.sleep(0.05)
    await nodes.close()
    single_redis.empty()


async def test_the_map_is_taken_from_the_node_that_knows_more(clustered_redis: RunningRedis) -> None:
    """A primary that was replaced while it hung still tells the map of before when it wakes up."""
    clustered_redis.empty()
    old, new = (
        redis_slots.slot_map([b"cluster_current_epoch:5\r\n", OLD], ("a", 1)),
        RedisNodes(clustered_redis.config()),
    )
    assert (old.epoch, old.primaries, old.nodes) == (
        5,
        frozenset({("127.0.0.1", 1), ("a", 2)}),
        frozenset({("127.0.0.1", 1), ("127.0.0.1", 3), ("a", 2)}),
    )
    assert old.slots[5460:5462] == [("127.0.0.1", 1), ("a", 2)]
    told = [(await new.link((HOST, port)).call(redis_slots.MAP_COMMANDS), port) for port in clustered_redis.primaries()]
    real = [redis_slots.slot_map(answers, (HOST, port)) for answers, port in told]
    assert real[0].epoch >= 6
    assert real[0].primaries == {(HOST, port) for _, port in told} <= real[0].nodes
    asked = iter([old, *real[1:]])

    async def ask(address: object) -> redis_slots.SlotMap:
        return next(asked)

    new._ask_map = ask  # type: ignore[method-assign]
    await new.refresh()
    assert new._map.epoch > old.epoch
    assert new._map == real[1]
    await new.close()


async def test_one_reachable_node_is_enough_to_find_the_others(clustered_redis: RunningRedis) -> None:
    clustered_redis.empty()
    url = f"redis://{HOST}:{clustered_redis.ports[-1]}"  # a replica, which serves nothing itself
    nodes = RedisNodes(clustered_redis.config(urls=(f"redis://{HOST}:{free_ports(1)}", url)))
    keys = [f"k{n}" for n in range(100)]
    assert await nodes.call([(key, ("SET", key, key)) for key in keys]) == [b"OK"] * 100
    assert await nodes.call([(key, ("GET", key)) for key in keys]) == [key.encode() for key in keys]
    assert {nodes.address_of(key) for key in keys} == {(HOST, port) for port in clustered_redis.primaries()}
    await nodes.close()


async def test_how_full_each_primary_is(single_redis: RunningRedis, clustered_redis: RunningRedis) -> None:
    for redis in (single_redis, clustered_redis):
        nodes = RedisNodes(redis.config())
        shares = await memory_shares(nodes)
        assert set(shares) == {(HOST, port) for port in (redis.primaries() if nodes.config.cluster else redis.ports)}
        assert all(0 < share < 0.5 for share in shares.values())
        await nodes.close()
    nowhere = RedisNodes(RedisConfig((f"redis://{HOST}:{free_ports(1)}",)))
    assert await memory_shares(nowhere) == {}
    await nowhere.close()


async def test_a_redis_is_looked_at_before_it_is_used(
    single_redis: RunningRedis, clustered_redis: RunningRedis, caplog: pytest.LogCaptureFixture
) -> None:
    single_redis.empty()
    clustered_redis.empty()
    assert (await check_redis(single_redis.config())).startswith("7.")
    assert (await check_redis(clustered_redis.config())).startswith("7.")
    with pytest.raises(StorageError, match="expected a Redis cluster, found a single Redis"):
        await check_redis(single_redis.config(cluster=True))
    with pytest.raises(StorageError, match="expected a single Redis, found a Redis cluster"):
        await check_redis(clustered_redis.config(cluster=False))
    with pytest.raises(StorageError, match="invalid username-password pair") as error:
        await check_redis(single_redis.config(password="not-this-secret"))
    assert "not-this-secret" not in str(error.value)
    nowhere = f"redis://{HOST}:{free_ports(1)}"
    with pytest.raises(StorageError, match=rf"Redis at {HOST}:\d+: .*Connect call failed"):
        await check_redis(RedisConfig((nowhere,)))
    assert await check_redis(single_redis.config(urls=(nowhere, *single_redis.known["urls"])))
    assert not caplog.records
    single_redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    await check_redis(single_redis.config())
    single_redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert "expected noeviction" in caplog.text
    assert "replaced late" not in caplog.text
    for port in clustered_redis.ports:
        clustered_redis.ask("CONFIG", "SET", "cluster-node-timeout", "15000", port=port)
    await check_redis(clustered_redis.config())
    for port in clustered_redis.ports:
        clustered_redis.ask("CONFIG", "SET", "cluster-node-timeout", str(NODE_TIMEOUT_MS), port=port)
    assert "cluster-node-timeout is 15000" in caplog.text
