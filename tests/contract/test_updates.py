"""What every Updates must keep, as `storage/ports/updates.py` states it."""

from __future__ import annotations

import asyncio

from storage.ports import Publication, Subscription, Updates


async def drain(subscription: Subscription, wanted: int) -> list[Publication]:
    found: list[Publication] = []
    while len(found) < wanted:
        taken = await subscription.receive(5_000)
        assert taken, f"only {len(found)} of {wanted} came"
        found += taken
    return found


async def test_what_is_published_after_add_is_delivered_in_order(updates: Updates) -> None:
    subscription = await updates.subscribe()
    await updates.publish([("a", b"early")])
    await subscription.add(["a", "b"])
    await updates.publish([("a", b"1"), ("b", b"2"), ("c", b"other"), ("a", b"3")])
    await updates.publish([("b", b"4")])
    found = await drain(subscription, 4)
    assert [p for p in found if p.channel == "a"] == [Publication("a", b"1"), Publication("a", b"3")]
    assert [p for p in found if p.channel == "b"] == [Publication("b", b"2"), Publication("b", b"4")]
    assert await subscription.receive(10) == []


async def test_every_subscriber_gets_its_own(updates: Updates) -> None:
    first, second = await updates.subscribe(), await updates.subscribe()
    await first.add(["a"])
    await second.add(["a", "b"])
    await updates.publish([("a", b"1"), ("b", b"2")])
    assert await drain(first, 1) == [Publication("a", b"1")]
    assert sorted(await drain(second, 2)) == [Publication("a", b"1"), Publication("b", b"2")]
    assert await first.receive(10) == []


async def test_receive_waits_for_the_first(updates: Updates) -> None:
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    waiting = asyncio.create_task(subscription.receive(10_000))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    await updates.publish([("a", b"1")])
    assert await waiting == [Publication("a", b"1")]


async def test_adding_twice_delivers_once(updates: Updates) -> None:
    subscription = await updates.subscribe()
    await subscription.add(["a", "a"])
    await subscription.add(["a"])
    await updates.publish([("a", b"1")])
    assert await drain(subscription, 1) == [Publication("a", b"1")]
    assert await subscription.receive(10) == []


async def test_removed_channels_are_silent(updates: Updates) -> None:
    subscription = await updates.subscribe()
    await subscription.add(["a", "b"])
    await subscription.remove(["a", "unknown"])
    await updates.publish([("a", b"1"), ("b", b"2")])
    assert await drain(subscription, 1) == [Publication("b", b"2")]
    assert await subscription.receive(10) == []


async def test_publishing_without_subscribers_is_dropped(updates: Updates) -> None:
    await updates.publish([("nobody", b"1")])
    await updates.publish([])
    subscription = await updates.subscribe()
    await subscription.add(["nobody"])
    assert await subscription.receive(10) == []


async def test_who_listens_is_known_until_nobody_does(updates: Updates) -> None:
    first, second = await updates.subscribe(), await updates.subscribe()
    await first.add(["tournament:{1}:updates", "tournament:{2}:updates"])
    await second.add(["tournament:{2}:updates"])
    assert sorted(await updates.listened() or ()) == ["tournament:{1}:updates", "tournament:{2}:updates"]
    await first.close()
    async with asyncio.timeout(10):
        while await updates.listened() != ["tournament:{2}:updates"]:
            await asyncio.sleep(0.01)
    await second.remove(["tournament:{2}:updates"])
    assert await updates.listened() == []


async def test_a_receiver_that_stops_waiting_loses_nothing(updates: Updates) -> None:
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    for i in range(5):
        waiting = asyncio.create_task(subscription.receive(10_000))
        await asyncio.sleep(0.005)
        await updates.publish([("a", b"%d" % i)])
        waiting.cancel()
        await asyncio.wait([waiting])
        if not waiting.cancelled():
            assert waiting.result() == [Publication("a", b"%d" % i)]
            continue
        assert await drain(subscription, 1) == [Publication("a", b"%d" % i)]


async def test_concurrent_publishers_keep_each_its_own_order(updates: Updates) -> None:
    subscription = await updates.subscribe()
    await subscription.add(["a"])

    async def publish(name: str) -> None:
        for i in range(50):
            await updates.publish([("a", f"{name}{i:03}".encode())])

    await asyncio.gather(*(publish(name) for name in "xyz"))
    found = [p.payload.decode() for p in await drain(subscription, 150)]
    for name in "xyz":
        assert [v for v in found if v[0] == name] == [f"{name}{i:03}" for i in range(50)]


async def test_a_full_buffer_is_told_as_lost_and_delivery_goes_on(updates: Updates) -> None:
    """The fixture's buffers hold 1,000 publications at most."""
    slow, quick = await updates.subscribe(), await updates.subscribe()
    await slow.add(["a"])
    await quick.add(["a"])
    got = 0
    for i in range(30):
        await updates.publish([("a", b"%d" % (100 * i + j)) for j in range(100)])
        got += len(await drain(quick, 100))
    assert got == 3_000
    await updates.publish([("a", b"last")])
    found = await drain(slow, 1)
    while found[-1].payload != b"last":  # it may still be on its way
        found += await drain(slow, 1)
    assert any(p.lost and p.channel in {"", "a"} for p in found)
    payloads = [int(p.payload) for p in found if p.payload not in {b"", b"last"}]
    assert payloads == sorted(payloads)
    assert found[-1].payload == b"last"
    # Nothing is missing after the announcement.
    lost_at = max(i for i, p in enumerate(found) if p.lost)
    after = [int(p.payload) for p in found[lost_at:-1] if p.payload]
    assert after == list(range(3_000 - len(after), 3_000))
    await updates.publish([("a", b"more")])
    assert await drain(slow, 1) == [Publication("a", b"more")]


async def test_close_unsubscribes(updates: Updates) -> None:
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    await subscription.close()
    await subscription.close()
    await updates.publish([("a", b"1")])
    assert await subscription.receive(10) == []


async def test_what_reaches_the_broker_is_not_called_lost(updates: Updates) -> None:
    subscription = await updates.subscribe()
    await subscription.add(["a"])
    await updates.publish([("a", b"1"), ("nobody listens", b"2")])
    assert await drain(subscription, 1) == [Publication("a", b"1")]
    assert updates.lost_publications == 0
