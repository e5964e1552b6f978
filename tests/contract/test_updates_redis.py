"""What updates over Redis keep beyond the port: lost connections, failovers, slots that move, wrong passwords, a Redis that is away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable

import pytest

from storage.ports import Publication, Subscription
from storage.redis_client.connection import RedisConfig
from storage.updates.redis import RedisUpdates
from tests.support.calm_clock import calm_s
from tests.support.servers_redis import RunningRedis, free_ports

AGAIN_S = 5.0  # channels are subscribed again, and announced as lost, within this
CHANNELS = [f"tournament:{{{i}}}:updates" for i in range(40)]


class Standstills:
    """How long our own process was kept from running, on a machine that has too much to do: not to be blamed on what is tested."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def end(self) -> None:
        self._task.cancel()


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[RedisConfig], RedisUpdates]]:
    every: list[RedisUpdates] = []

    def open_one(config: RedisConfig) -> RedisUpdates:
        every.append(RedisUpdates(config, max_buffered=1_000))
        return every[-1]

    yield open_one
    for each in every:
        await each.close()


async def until(
    subscription: Subscription, wanted: Callable[[list[Publication]], bool], within_s: float = 15
) -> list[Publication]:
    found: list[Publication] = []
    deadline = time.monotonic() + within_s
    while not wanted(found):
        assert time.monotonic() < deadline, f"not within {within_s} s: {found[-5:]}"
        found += await subscription.receive(200)
    return found


async def test_a_restarted_redis_is_announced_and_updates_go_on(
    single_redis: RunningRedis, opened: Callable[[RedisConfig], RedisUpdates]
) -> None:
    updates = opened(single_redis.config())
    subscription = await updates.subscribe()
    await subscription.add(["a", "b"])
    single_redis.kill(single_redis.ports[0])
    began = calm_s()
    for _ in range(10):
        await updates.publish([("a", b"into the void")])
    assert calm_s() - began < 2
    assert updates.lost_publications == 10
    await subscription.add(["c"])  # while it is away
    single_redis.empty()
    found = await until(subscription, lambda f: {p.channel for p in f if p.lost} == {"a", "b", "c"})
    assert all(p.lost for p in found)
    await updates.publish([("a", b"1"), ("c", b"2")])
    assert await until(subscription, lambda f: len(f) == 2) == [Publication("a", b"1"), Publication("c", b"2")]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_failover_while_subscribed(
    clustered_redis: RunningRedis, opened: Callable[[RedisConfig], RedisUpdates], sign: signal.Signals
) -> None:
    """A primary is killed, or hangs: its channels are announced as lost and go on at its replica; the others never notice."""
    clustered_redis.empty()
    updates = opened(clustered_redis.config())
    subscription = await updates.subscribe()
    await subscription.add(CHANNELS)
    await updates.publish([(channel, b"before") for channel in CHANNELS])
    await until(subscription, lambda f: len(f) == len(CHANNELS))
    dead = clustered_redis.primaries()[0]
    touched = {c for c in CHANNELS if updates._nodes.address_of(c) == ("127.0.0.1", dead)}
    assert 0 < len(touched) < len(CHANNELS)
    pid = clustered_redis.pid_of(dead)
    os.kill(pid, sign)
    began = time.monotonic()
    seen: list[Publication] = []
    n, slowest_s = 0, 0.0
    ours = Standstills()
    try:
        while {p.channel for p in seen if p.lost} != touched:
            assert time.monotonic() - began < AGAIN_S
            n += 1
            calling = time.monotonic()
            await updates.publish([(channel, b"%d" % n) for channel in CHANNELS])
            slowest_s = max(slowest_s, time.monotonic() - calling)
            await asyncio.sleep(0.01)  # as an owner does
            seen += await subscription.receive(50)
    finally:
        ours.end()
        if sign == signal.SIGSTOP:
            os.kill(pid, signal.SIGCONT)
    assert time.monotonic() - began > 0.9, "there was no failover"
    # a publisher does not wait for a node that hangs, nor do the channels of the others; a timeout takes 1 s
    assert slowest_s - ours.longest_s < 0.8
    assert not any(p.channel in touched and not p.lost for p in seen[:-1] if p.payload == b"1")
    untouched = next(c for c in CHANNELS if c not in touched)
    numbers = [int(p.payload) for p in seen if p.channel == untouched]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= n - 1
    await subscription.receive(100)
    await updates.publish([(channel, b"after") for channel in CHANNELS])
    after = await until(subscription, lambda f: sum(p.payload == b"after" for p in f) == len(CHANNELS))
    assert not any(p.lost for p in after)
    assert updates.lost_publications > 0
    clustered_redis.empty()


async def test_a_subscription_notices_by_itself_that_a_node_hangs(
    clustered_redis: RunningRedis, opened: Callable[[RedisConfig], RedisUpdates]
) -> None:
    """It publishes nothing; what others publish comes again, after the announcement, and new channels elsewhere are subscribed meanwhile."""
    clustered_redis.empty()
    updates, others = opened(clustered_redis.config()), opened(clustered_redis.config())
    subscription = await updates.subscribe()
    await subscription.add(CHANNELS[:20])
    dead = clustered_redis.primaries()[0]
    touched = {c for c in CHANNELS[:20] if _port_of(updates, c) == dead}
    late = next(c for c in CHANNELS[20:] if _port_of(updates, c) != dead)
    with clustered_redis.stopped(dead):
        began = calm_s()
        await asyncio.sleep(0.2)
        await subscription.add([late])
        assert calm_s() - began < 0.9
        found = await until(subscription, lambda f: {p.channel for p in f} == touched, AGAIN_S)
        assert all(p.lost for p in found)
        assert calm_s() - began < AGAIN_S
        await others.publish([(channel, b"1") for channel in (*CHANNELS[:20], late)])
        await until(subscription, lambda f: len(f) == 21, 2)
    clustered_redis.empty()


async def test_order_is_kept_while_slots_move(
    clustered_redis: RunningRedis, opened: Callable[[RedisConfig], RedisUpdates]
) -> None:
    """Publications that are refused at the old place and sent anew are not overtaken by those that follow."""
    clustered_redis.empty()
    updates = opened(clustered_redis.config())
    subscription = await updates.subscribe()
    await subscription.add(CHANNELS)
    primary = clustered_redis.primaries()[0]
    replica = clustered_redis.replica_of(primary)
    calls = []
    for n in range(300):
        calls.append(asyncio.create_task(updates.publish([(channel, b"%d" % n) for channel in CHANNELS])))
        if n == 50:
            clustered_redis.ask("CLUSTER", "FAILOVER", "TAKEOVER", port=replica)
        await asyncio.sleep(0.002)
    await asyncio.gather(*calls)
    await updates.publish([(channel, b"300") for channel in CHANNELS])
    found: list[Publication] = []
    while sum(p.payload == b"300" for p in found) < len(CHANNELS):
        found += await subscription.receive(2000)
    for channel in CHANNELS:
        numbers = [int(p.payload) for p in found if p.channel == channel and not p.lost]
        assert numbers == sorted(set(numbers))
    assert any(p.lost for p in found)
    clustered_redis.empty()


async def test_a_slot_that_moves_is_announced(
    clustered_redis: RunningRedis, opened: Callable[[RedisConfig], RedisUpdates]
) -> None:
    clustered_redis.empty()
    updates = opened(clustered_redis.config())
    subscription = await updates.subscribe()
    await subscription.add(CHANNELS[:2])
    first, second = clustered_redis.primaries()[:2]
    channel = next(
        f"tournament:{{{i}}}:updates"
        for i in range(10_000)
        if _port_of(updates, f"tournament:{{{i}}}:updates") == first
    )
    await subscription.add([channel])
    slot = clustered_redis.ask("CLUSTER", "KEYSLOT", channel).strip(":\r\n")
    ids = {port: clustered_redis.ask("CLUSTER", "MYID", port=port).strip() for port in (first, second)}

    def move(source: int, target: int) -> None:
        clustered_redis.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source], port=target)
        clustered_redis.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target], port=source)
        for port in (target, source):
            clustered_redis.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target], port=port)

    move(first, second)
    try:
        found = await until(subscription, lambda f: any(p.lost for p in f))
        assert found == [Publication(channel, b"", lost=True)]
        await updates.publish([(channel, b"1")])
        assert await until(subscription, bool) == [Publication(channel, b"1")]
        assert updates.lost_publications == 0
        assert _port_of(updates, channel) == second
    finally:
        move(second, first)


def _port_of(updates: RedisUpdates, channel: str) -> int | None:
    address = updates._nodes.address_of(channel)
    return None if address is None else address[1]


@pytest.mark.parametrize("kind", ["single_redis", "clustered_redis"])
async def test_a_wrong_password_loses_and_tells_nobody_the_password(
    request: pytest.FixtureRequest,
    opened: Callable[[RedisConfig], RedisUpdates],
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    caplog.set_level("DEBUG")
    running: RunningRedis = request.getfixturevalue(kind)
    config = running.config(password="not-this-secret")
    assert "not-this-secret" not in repr(config)
    updates = opened(config)
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    await updates.publish([("a", b"1")])
    assert updates.lost_publications == 1
    assert await subscription.receive(10) == []
    assert "not-this-secret" not in caplog.text
    assert running.password not in caplog.text
    assert "invalid username-password pair" in caplog.text


async def test_nobody_listens_where_redis_should_be(opened: Callable[[RedisConfig], RedisUpdates]) -> None:
    updates = opened(RedisConfig((f"redis://127.0.0.1:{free_ports(1)}",)))
    began = calm_s()
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    await updates.publish([("a", b"1"), ("a", b"2")])
    assert updates.lost_publications == 2
    await subscription.close()
    assert calm_s() - began < 1


async def test_a_redis_that_hangs_holds_nobody_up_for_long(
    single_redis: RunningRedis, opened: Callable[[RedisConfig], RedisUpdates]
) -> None:
    single_redis.empty()
    updates = opened(single_redis.config())
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    with single_redis.stopped(single_redis.ports[0]):
        began = calm_s()
        await asyncio.gather(*(updates.publish([("a", b"1")]) for _ in range(5)))
        assert calm_s() - began < 0.9  # a publisher does not wait for what is late; a timeout takes 1 s
        while updates.lost_publications < 5:
            assert calm_s() - began < 3
            await asyncio.sleep(0.01)
    await asyncio.sleep(1)
    await until(subscription, lambda f: True)
    await updates.publish([("a", b"2")])
    assert (await until(subscription, bool))[-1] == Publication("a", b"2")


async def test_what_waits_to_be_published_is_bounded(single_redis: RunningRedis) -> None:
    single_redis.empty()
    updates = RedisUpdates(single_redis.config(), max_waiting=10)
    calls = [asyncio.create_task(updates.publish([("a", b"1")] * 8)) for _ in range(3)]
    await asyncio.gather(*calls)
    assert updates.lost_publications == 16
    await updates.close()
