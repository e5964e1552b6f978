from __future__ import annotations

import asyncio

import pytest

from serve_app.live import updates_feed
from storage.ports import Publication
from tests.support.gateway import WAIT_S
from tests.support.live_parts import Parts, until


async def test_what_is_published_after_the_future_is_done_arrives_in_order() -> None:
    async with Parts.running() as parts, asyncio.timeout(WAIT_S):
        assert parts.feed.watch("a") is parts.feed.watch("a")
        await parts.feed.watch("a")
        messages = [("a", b"1"), ("b", b"not wanted"), ("a", b"2")]
        await parts.updates.publish(messages)
        await until(lambda: len(parts.delivered) == 2)
        assert parts.delivered == [Publication("a", b"1"), Publication("a", b"2")]


async def test_what_is_no_longer_wanted_stops_and_whoever_waits_for_it_is_cancelled() -> None:
    async with Parts.running() as parts, asyncio.timeout(WAIT_S):
        await parts.feed.watch("a")
        waiting = parts.feed.watch("b")
        parts.feed.unwatch("b")
        parts.feed.unwatch("a")
        parts.feed.unwatch("unknown")
        with pytest.raises(asyncio.CancelledError):
            await waiting
        [subscription] = parts.updates._subscriptions
        await until(lambda: not subscription.channels)
        await parts.updates.publish([("a", b"1")])
        assert parts.delivered == []


async def test_a_channel_wanted_again_at_once_is_heard() -> None:
    async with Parts.running() as parts, asyncio.timeout(WAIT_S):
        await parts.feed.watch("a")
        parts.feed.unwatch("a")
        await parts.feed.watch("a")
        await parts.updates.publish([("a", b"1")])
        await until(lambda: parts.delivered == [Publication("a", b"1")])


async def test_a_broken_broker_is_subscribed_to_anew_and_the_loss_is_told_after_the_channels_are_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(updates_feed, "BACKOFF_S", 0.001)
    monkeypatch.setattr(updates_feed, "RECEIVE_WAIT_MS", 1)
    async with Parts.running() as parts, asyncio.timeout(WAIT_S):
        await parts.feed.watch("a")
        parts.updates.broken = True
        await until(lambda: parts.feed.restarts > 0)
        late = parts.feed.watch("b")
        parts.updates.broken = False
        await late
        await until(lambda: Publication("", b"", lost=True) in parts.delivered)
        parts.delivered.clear()
        await parts.updates.publish([("a", b"1"), ("b", b"2")])
        await until(lambda: len(parts.delivered) == 2)
        assert parts.delivered == [Publication("a", b"1"), Publication("b", b"2")]
    assert not parts.updates._subscriptions


async def test_a_feed_that_never_started_stops() -> None:
    await Parts().feed.stop()
