"""The tournaments that a gateway watches, and the channels by which it hears of them."""

from __future__ import annotations

import asyncio
import time

from actors.domain.publications import changed_channel, updates_channel
from serve_app.live.topic import Topic
from serve_app.live.updates_feed import UpdatesFeed
from serve_app.metrics import TOPICS


class TopicsFullError(Exception):
    """This replica watches as many tournaments as it may."""


class Topics:
    """At most `most` topics. `by_id` and `by_channel` are for reading."""

    def __init__(self, feed: UpdatesFeed, most: int) -> None:
        self._feed = feed
        self._most = most
        self.by_id: dict[int, Topic] = {}
        self.by_channel: dict[str, Topic] = {}

    @property
    def watched(self) -> list[Topic]:
        """Those that anybody is subscribed to."""
        return [topic for topic in self.by_id.values() if topic.watched]

    def obtain(self, tournament_id: int) -> Topic:
        """The topic of a tournament, made where there is none yet. Raises TopicsFullError."""
        topic = self.by_id.get(tournament_id)
        if topic is not None:
            return topic
        if len(self.by_id) >= self._most:
            idle = next((topic for topic in self.by_id.values() if not topic.watched), None)
            if idle is None:
                raise TopicsFullError(f"this server watches {self._most} tournaments, the most it may")
            self.drop(idle)
        topic = self.by_id[tournament_id] = Topic(tournament_id)
        self.by_channel[updates_channel(tournament_id)] = topic
        TOPICS.set(len(self.by_id))
        return topic

    def drop(self, topic: Topic) -> None:
        """Forget a topic that nobody watches."""
        self.by_id.pop(topic.tournament_id, None)
        for channel in (updates_channel(topic.tournament_id), changed_channel(topic.tournament_id)):
            self.by_channel.pop(channel, None)
            self._feed.unwatch(channel)
        if topic.flight is not None:
            topic.flight.cancel()
            topic.flight = None
        TOPICS.set(len(self.by_id))

    def drop_idle(self, keep_s: float) -> None:
        """Forget what nobody has watched for `keep_s`."""
        now_s = time.monotonic()
        for topic in list(self.by_id.values()):
            if topic.idle_since is not None and now_s - topic.idle_since > keep_s:
                self.drop(topic)

    def hear_updates(self, topic: Topic) -> asyncio.Future[None]:
        """Hear a topic's updates; the future is done when all that is published from then on arrives."""
        return self._feed.watch(updates_channel(topic.tournament_id))

    def hear_changes(self, topic: Topic) -> asyncio.Future[None]:
        """The same with who changed."""
        channel = changed_channel(topic.tournament_id)
        self.by_channel[channel] = topic
        return self._feed.watch(channel)

    def watch_changes(self, topic: Topic) -> None:
        """Hear who changed where that matters: for `me`, and for who may see a private tournament."""
        if topic.me or topic.public is False:
            self.hear_changes(topic)
        else:
            channel = changed_channel(topic.tournament_id)
            self.by_channel.pop(channel, None)
            self._feed.unwatch(channel)
