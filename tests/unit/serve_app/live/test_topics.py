from __future__ import annotations

import asyncio
import time

import pytest

from actors.domain.publications import changed_channel, updates_channel
from serve_app.live.topic import Subscription
from serve_app.live.topics import TopicsFullError
from tests.support.live_parts import MemorySocket, Parts


async def test_a_tournament_has_one_topic_and_its_channel() -> None:
    topics = Parts().topics
    topic = topics.obtain(7)
    assert topics.obtain(7) is topic
    assert topics.by_channel == {updates_channel(7): topic}
    assert topics.watched == []


async def test_an_idle_topic_makes_room_and_a_watched_one_does_not() -> None:
    parts = Parts(most_topics=2)
    parts.watching(MemorySocket(), 1)
    parts.topics.obtain(2)
    parts.watching(MemorySocket(), 3)
    assert list(parts.topics.by_id) == [1, 3]
    with pytest.raises(TopicsFullError, match="2 tournaments"):
        parts.topics.obtain(4)
    assert list(parts.topics.by_id) == [1, 3]


async def test_a_dropped_topic_leaves_no_channel_and_no_flight() -> None:
    parts = Parts()
    topic = parts.topics.obtain(7)
    heard = parts.topics.hear_updates(topic), parts.topics.hear_changes(topic)
    topic.flight = flight = asyncio.create_task(asyncio.sleep(3600))
    parts.topics.drop(topic)
    assert parts.topics.by_id == {}
    assert parts.topics.by_channel == {}
    assert all(future.cancelled() for future in heard)
    with pytest.raises(asyncio.CancelledError):
        await flight
    assert topic.flight is None


async def test_what_nobody_watches_goes_after_a_while() -> None:
    parts = Parts()
    left, watched = MemorySocket(), MemorySocket()
    topic = parts.watching(left, 1)
    parts.watching(watched, 2)
    parts.subscriptions.remove_all(left)
    assert topic.idle_since is not None
    parts.topics.drop_idle(3600)
    assert list(parts.topics.by_id) == [1, 2]
    topic.idle_since = time.monotonic() - 11
    parts.topics.drop_idle(10)
    assert list(parts.topics.by_id) == [2]


async def test_changes_are_heard_where_they_matter() -> None:
    topics = Parts().topics
    topic = topics.obtain(7)
    nobody: dict[int, set[Subscription]] = {}
    cases: list[tuple[bool | None, dict[int, set[Subscription]], bool]] = [
        (True, nobody, False),
        (False, nobody, True),
        (True, {1: set()}, True),
        (None, nobody, False),
    ]
    for public, me, heard in cases:
        topic.public, topic.me = public, me
        topics.watch_changes(topic)
        assert (changed_channel(7) in topics.by_channel) is heard
