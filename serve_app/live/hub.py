"""The hub of a gateway replica: who watches which tournament, and one encoded frame an update for all of them.

All of it runs on one loop, and whatever changes who is live at which position happens between two awaits: a subscriber is
sent its start and made live in one step, so it misses nothing and gets nothing twice.

Bounds: sockets, subscriptions a socket (the session counts), topics; a socket with more unsent bytes than its buffer may hold gets no
updates until it has taken them, then the newest snapshots; if it does not take them in time it is closed.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from actors.domain.publications import changed_channel, decode_changed, frame_position, updates_channel
from serve_app.live.backpressure import SlowSockets
from serve_app.live.limits import HubLimits
from serve_app.live.protocol import (
    CLOSE_DRAINING,
    NOT_ALLOWED,
    NOT_FOUND,
    MessageId,
    Position,
    come_back,
    error_frame,
    unsubscribed_frame,
)
from serve_app.live.resync import Copies, Sync
from serve_app.live.standings import Standings
from serve_app.live.topic import CATCH_UP_FRAMES, RING_FRAMES, Socket, Subscription, Taken, Topic
from serve_app.live.updates_feed import UpdatesFeed
from serve_app.metrics import DELIVERED, PUSH_SECONDS, RESYNCS, SOCKETS, SUBSCRIPTIONS, TOPICS
from storage.ports import LiveSnapshot, Owners, Publication, Updates

logger = logging.getLogger(__name__)

DRAIN_STEPS_A_SECOND: Final = 50
DRAIN_LEAST_A_SECOND: Final = 100  # sockets
RETRY_AFTER_LEAST_MS: Final = 500
RETRY_AFTER_JITTER_MS: Final = 1000


STATUS: Final = b'"/status"'  # in a patch that changes it


class HubFullError(Exception):
    """This replica watches as many tournaments as it may."""


class Hub:
    """See the module. `start` before the first subscription; `copies` answers while an owner does not.

    `on_status` is called with a watched tournament whose status may have changed, before its watchers are told.
    """

    def __init__(
        self,
        owners: Owners,
        updates: Updates,
        limits: HubLimits,
        copies: Copies | None = None,
        on_status: Callable[[int], None] | None = None,
    ) -> None:
        self.limits = limits
        self.topics: dict[int, Topic] = {}
        self.sockets: set[Socket] = set()
        self._by_address: Counter[str] = Counter()
        self.draining = False
        self._on_status = on_status
        self.feed = UpdatesFeed(updates, self._deliver)
        self.sync = Sync(self, owners, copies)
        self.standings = Standings(self, owners)
        self._channels: dict[str, Topic] = {}
        self.slow = SlowSockets(self)

    def start(self) -> None:
        """Begin to receive updates and to check positions, on the running loop."""
        self.feed.start()
        self.sync.start()

    async def stop(self) -> None:
        """End all background work. Sockets are the server's to close; see `drain`."""
        await self.sync.stop()
        await self.standings.stop()
        await self.feed.stop()
        self.slow.stop()

    # Sockets

    @property
    def full(self) -> bool:
        """Whether no further socket may come."""
        return len(self.sockets) >= self.limits.max_sockets

    def sockets_of(self, address: str) -> int:
        """How many sockets an address has."""
        return self._by_address[address]

    def join(self, socket: Socket) -> None:
        """A socket has come."""
        self.sockets.add(socket)
        self._by_address[socket.address] += 1
        SOCKETS.set(len(self.sockets))

    def leave(self, socket: Socket) -> None:
        """A socket is gone; a second call does nothing."""
        if socket not in self.sockets:
            return
        for subscription in socket.subscriptions.values():
            self._detach(subscription)
        socket.subscriptions.clear()
        self.sockets.remove(socket)
        self._by_address[socket.address] -= 1
        if not self._by_address[socket.address]:
            del self._by_address[socket.address]
        self.slow.forget(socket)
        SOCKETS.set(len(self.sockets))

    async def drain(self, spread_s: float) -> None:
        """Close all sockets, evenly over at most `spread_s`, telling each when to connect again, with jitter. Few take less time."""
        self.draining = True
        sockets = list(self.sockets)
        spread_s = min(spread_s, len(sockets) / DRAIN_LEAST_A_SECOND)
        steps = max(1, int(spread_s * DRAIN_STEPS_A_SECOND))
        for step in range(steps):
            for socket in sockets[step::steps]:
                # The closes are spread already: the wait only keeps those of one step apart.
                wait_ms = RETRY_AFTER_LEAST_MS + random.randrange(1, RETRY_AFTER_JITTER_MS)  # noqa: S311 - spreads load
                socket.close(CLOSE_DRAINING, come_back(wait_ms))
            if step < steps - 1:
                await asyncio.sleep(spread_s / steps)

    # Subscriptions

    def subscribe(
        self, socket: Socket, request_id: MessageId, tournament_id: int, since: Position | None, me: bool
    ) -> None:
        """Subscribe; the answer and the start follow, at once where everything is at hand. A second time starts over.

        Raises HubFullError.
        """
        topic = self.topics.get(tournament_id) or self._new_topic(tournament_id)
        before = socket.subscriptions.get(tournament_id)
        if before is not None:
            self._detach(before)
        subscription = Subscription(socket, topic, request_id, since, me)
        socket.subscriptions[tournament_id] = subscription
        topic.waiting[subscription] = None
        topic.idle_since = None
        SUBSCRIPTIONS.inc()
        self.serve(subscription)

    def unsubscribe(self, socket: Socket, tournament_id: int) -> None:
        """Unsubscribe; what is not subscribed is fine."""
        subscription = socket.subscriptions.pop(tournament_id, None)
        if subscription is not None:
            self._detach(subscription)

    def end(self, subscription: Subscription, code: str, message: str) -> None:
        """Refuse a subscription that was not answered yet, or tell the client that it ended."""
        socket, tournament_id = subscription.socket, subscription.topic.tournament_id
        if socket.subscriptions.get(tournament_id) is subscription:
            del socket.subscriptions[tournament_id]
        self._detach(subscription)
        if subscription.answered:
            socket.send(unsubscribed_frame(tournament_id, code))
        else:
            socket.send(error_frame(subscription.request_id, code, message))

    def refuse(self, subscription: Subscription) -> None:
        """There is no such tournament, or it is hidden from this user: the same answer."""
        self.end(subscription, NOT_FOUND, f"there is no tournament {subscription.topic.tournament_id}")

    def sign_out(self, socket: Socket, reason: str) -> None:
        """The socket's user is no longer known: private subscriptions and `me` end."""
        for subscription in list(socket.subscriptions.values()):
            if subscription.topic.public is False:
                self.end(subscription, reason, "the token is no longer valid")
            elif subscription.me:
                subscription.me = False
                self.standings.leave(subscription)

    def lose_rights(self, socket: Socket) -> None:
        """The socket's user sees all no more: private subscriptions that rest on that end, answered ones at once."""
        for subscription in list(socket.subscriptions.values()):
            if subscription.answered and subscription.topic.public is False and not self.permitted(subscription):
                self.end(subscription, NOT_ALLOWED, "this tournament is no longer visible to you")

    def permitted(self, subscription: Subscription) -> bool:
        """Whether it is known that this subscriber may see the tournament."""
        topic, socket = subscription.topic, subscription.socket
        return topic.public is True or (topic.public is False and (socket.sees_all or subscription.admitted))

    def serve(self, subscription: Subscription, longest: int = CATCH_UP_FRAMES) -> None:
        """Send a waiting subscription its start and make it live, or have what is missing fetched."""
        topic, socket = subscription.topic, subscription.socket
        if socket.paused:
            return  # `resume` serves it
        if not self.permitted(subscription):
            self.sync.request(topic)
            return
        subscription.answer()
        frames = topic.start(subscription.since, longest) if topic.synced else None
        if frames is None:
            self.sync.request(topic)
            return
        for frame in frames:
            socket.send(frame)
        DELIVERED.inc(len(frames))
        subscription.since = None
        del topic.waiting[subscription]
        topic.live[subscription] = socket.write
        if subscription.me:
            self.standings.join(subscription)

    # Updates and snapshots

    def adopt(self, topic: Topic, snapshot: LiveSnapshot) -> bool:
        """Take what an owner answered; False when it was no use (older than what is known)."""
        if not snapshot.found:
            for subscription in [*topic.waiting, *topic.live]:
                self.refuse(subscription)
            self.drop(topic)
            return True
        frames = topic.adopt(snapshot)
        if frames is None:
            return False
        if frames and self._on_status is not None:
            self._on_status(topic.tournament_id)
        self._fan_out(topic, frames)
        self.watch_changes(topic)
        for epoch, seq, payload in topic.take_pending():
            self._take(topic, epoch, seq, payload)
        for subscription in [s for s in topic.waiting if self.permitted(s)]:
            self.serve(subscription, RING_FRAMES)
        return True

    def resync(self, topic: Topic, reason: str) -> None:
        """Something may be missing: fetch a snapshot. Nobody is told anything until it is here."""
        RESYNCS.labels(reason).inc()
        topic.forget_position()
        if topic.watched:
            self.sync.request(topic)

    def drop(self, topic: Topic) -> None:
        """Forget a topic that nobody watches."""
        self.topics.pop(topic.tournament_id, None)
        self._channels.pop(updates_channel(topic.tournament_id), None)
        self._channels.pop(changed_channel(topic.tournament_id), None)
        self.feed.unwatch(updates_channel(topic.tournament_id))
        self.feed.unwatch(changed_channel(topic.tournament_id))
        self.sync.forget(topic)
        TOPICS.set(len(self.topics))

    def watch_changes(self, topic: Topic) -> None:
        """Hear who changed where that matters: for `me`, and for who may see a private tournament."""
        channel = changed_channel(topic.tournament_id)
        if topic.me or topic.public is False:
            self._channels[channel] = topic
            self.feed.watch(channel)
        else:
            self._channels.pop(channel, None)
            self.feed.unwatch(channel)

    def _new_topic(self, tournament_id: int) -> Topic:
        if len(self.topics) >= self.limits.max_topics:
            idle = next((topic for topic in self.topics.values() if not topic.watched), None)
            if idle is None:
                raise HubFullError(f"this server watches {self.limits.max_topics} tournaments, the most it may")
            self.drop(idle)
        topic = self.topics[tournament_id] = Topic(tournament_id)
        self._channels[updates_channel(tournament_id)] = topic
        TOPICS.set(len(self.topics))
        return topic

    def _detach(self, subscription: Subscription) -> None:
        topic = subscription.topic
        topic.live.pop(subscription, None)
        topic.waiting.pop(subscription, None)
        SUBSCRIPTIONS.dec()
        self.standings.leave(subscription)
        if not topic.watched:
            topic.idle_since = time.monotonic()

    def _deliver(self, publication: Publication) -> None:
        if publication.lost:
            lost: Sequence[Topic] = list(self.topics.values()) if not publication.channel else []
            topic = self._channels.get(publication.channel)
            for missed in lost or ([topic] if topic is not None else []):
                self.resync(missed, "lost")
                self._changed(missed, None)
        topic = self._channels.get(publication.channel)
        if topic is None or (publication.lost and not publication.payload):
            return
        if publication.channel.endswith(":changed"):
            self._changed(topic, decode_changed(publication.payload))
            return
        started = time.perf_counter()
        try:
            epoch, seq = frame_position(publication.payload)
        except (msgspec.ValidationError, msgspec.DecodeError):
            logger.exception("%s carried what is no update", publication.channel)
            return
        self._take(topic, epoch, seq, publication.payload)
        PUSH_SECONDS.observe(time.perf_counter() - started)

    def _changed(self, topic: Topic, users: set[int] | None) -> None:
        """These users scored, joined, left or were removed (None: anyone may have)."""
        self.standings.changed(topic, users)
        self.sync.members_changed(topic, users)

    def _take(self, topic: Topic, epoch: int, seq: int, payload: bytes) -> None:
        taken, frame = topic.offer(epoch, seq, payload)
        if taken is Taken.NEXT:
            if STATUS in payload and self._on_status is not None:
                self._on_status(topic.tournament_id)
            self._fan_out(topic, [frame])
        elif taken is Taken.GAP and topic.synced:
            self.resync(topic, "epoch" if epoch > topic.epoch else "gap")

    def _fan_out(self, topic: Topic, frames: Sequence[bytes]) -> None:
        closed: list[Subscription] = []
        for frame in frames:
            for subscription, write in topic.live.items():
                try:
                    write(frame)
                except RuntimeError:
                    closed.append(subscription)  # the transport is gone; its socket leaves in a moment
        for subscription in closed:
            topic.live.pop(subscription, None)
        DELIVERED.inc(len(topic.live) * len(frames))
        self.slow.settle()


__all__ = ["Hub", "HubFullError", "HubLimits"]
