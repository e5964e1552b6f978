"""What the embedded broker keeps beyond the port: restarts, silence, a broker that does not answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.ports import Publication
from storage.updates.broker import Broker, UnknownSubscriberError
from storage.updates.embedded import BrokerUpdates

LOST = Publication("", b"", lost=True)


class RestartingBroker:
    """A handle to a broker in another place: `broker` None means it is away, `hangs` that it does not answer."""

    def __init__(self) -> None:
        self.broker: Broker | None = Broker()
        self.hangs = False

    async def call(self, method: str, *args: Any) -> Any:
        if self.hangs:
            await asyncio.Event().wait()
        if self.broker is None:
            raise ConnectionError("the broker is away")
        return await self.broker.call(method, *args)


async def test_a_restarted_broker_is_announced_and_all_channels_are_subscribed_again() -> None:
    handle = RestartingBroker()
    updates = BrokerUpdates(handle.call)
    subscription = await updates.subscribe()
    await subscription.add(["a", "b"])
    handle.broker = Broker()
    assert await subscription.receive(1_000) == [LOST]
    await updates.publish([("a", b"1"), ("b", b"2")])
    assert await subscription.receive(1_000) == [Publication("a", b"1"), Publication("b", b"2")]
    assert updates.lost_publications == 0


async def test_adding_at_a_restarted_broker_is_announced_too() -> None:
    handle = RestartingBroker()
    updates = BrokerUpdates(handle.call)
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    handle.broker = Broker()
    await subscription.add(["b"])
    assert await subscription.receive(1_000) == [LOST]
    await updates.publish([("a", b"1"), ("b", b"2")])
    assert await subscription.receive(1_000) == [Publication("a", b"1"), Publication("b", b"2")]


async def test_while_the_broker_is_away_nothing_raises_and_losses_are_counted() -> None:
    handle = RestartingBroker()
    updates = BrokerUpdates(handle.call)
    early = await updates.subscribe()
    await early.add(["a"])
    handle.broker = None
    await updates.publish([("a", b"1"), ("a", b"2")])
    assert updates.lost_publications == 2
    late = await updates.subscribe()
    await late.add(["a", "b"])
    await late.remove(["b"])
    assert await early.receive(10) == []
    assert await late.receive(10) == []
    handle.broker = Broker()
    assert await early.receive(1_000) == [LOST]
    assert await late.receive(1_000) == [LOST]
    await updates.publish([("a", b"3"), ("b", b"4")])
    assert await early.receive(1_000) == [Publication("a", b"3")]
    assert await late.receive(1_000) == [Publication("a", b"3")]
    handle.broker = None
    await early.close()


async def test_a_broker_that_does_not_answer_holds_nobody_up() -> None:
    handle = RestartingBroker()
    updates = BrokerUpdates(handle.call, call_timeout_s=0.02)
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    handle.hangs = True
    await updates.publish([("a", b"1")])
    assert updates.lost_publications == 1
    assert await subscription.receive(10) == []
    assert await subscription.receive(10) == []
    handle.hangs = False
    assert await subscription.receive(1_000) == [LOST]
    await updates.publish([("a", b"2")])
    assert await subscription.receive(1_000) == [Publication("a", b"2")]


async def test_what_waits_to_be_published_is_bounded() -> None:
    handle = RestartingBroker()
    handle.hangs = True
    updates = BrokerUpdates(handle.call, call_timeout_s=0.05, max_waiting=10)
    first = asyncio.create_task(updates.publish([("a", b"1")] * 8))
    await asyncio.sleep(0)
    await updates.publish([("a", b"2")] * 3)
    assert updates.lost_publications == 3
    await first
    assert updates.lost_publications == 11


async def test_a_silent_subscriber_is_forgotten_and_a_waiting_one_is_not() -> None:
    now_s = 0.0
    broker = Broker(silent_s=30, clock_s=lambda: now_s)
    silent, waits = await broker.subscribe(), await broker.subscribe()
    await broker.add(silent, ["a"])
    await broker.add(waits, ["a"])
    waiting = asyncio.create_task(broker.receive(waits, 60_000))
    await asyncio.sleep(0)
    now_s = 31.0
    await broker.publish([("a", b"1")])
    assert await waiting == [Publication("a", b"1")]
    with pytest.raises(UnknownSubscriberError):
        await broker.receive(silent, 0)
    with pytest.raises(UnknownSubscriberError):
        await broker.add(silent, ["b"])


async def test_a_later_receive_ends_an_earlier_one_and_gets_everything() -> None:
    broker = Broker()
    subscriber = await broker.subscribe()
    await broker.add(subscriber, ["a"])
    earlier = asyncio.create_task(broker.receive(subscriber, 60_000))
    await asyncio.sleep(0)
    later = asyncio.create_task(broker.receive(subscriber, 60_000))
    await asyncio.sleep(0)
    assert await earlier == []
    await broker.publish([("a", b"1")])
    assert await later == [Publication("a", b"1")]


async def test_unsubscribing_ends_a_waiting_receive() -> None:
    broker = Broker()
    subscriber = await broker.subscribe()
    waiting = asyncio.create_task(broker.receive(subscriber, 60_000))
    await asyncio.sleep(0)
    await broker.unsubscribe(subscriber)
    await broker.unsubscribe(subscriber)
    with pytest.raises(UnknownSubscriberError):
        await waiting


async def test_a_buffer_is_bounded_in_bytes() -> None:
    broker = Broker(max_buffered_bytes=1_000)
    subscriber = await broker.subscribe()
    await broker.add(subscriber, ["a"])
    await broker.publish([("a", bytes(600)), ("a", bytes(600)), ("a", b"1")])
    assert await broker.receive(subscriber, 0) == [LOST, Publication("a", b"1")]
