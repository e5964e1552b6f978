"""The hub of a gateway replica: who watches which tournament, and one encoded frame an update for all of them.

All of it runs on one loop, and whatever changes who is live at which position happens between two awaits: a subscriber is
sent its start and made live in one step, so it misses nothing and gets nothing twice.

What it is made of, each with what it needs and no more: `topics`, `subscriptions`, `members` of private tournaments, `standings` for `me`,
`sync`, which brings topics in step, and `slow` sockets. The hub itself has the sockets, the updates and the regular check.

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

from actors.domain.publications import NOTICES_CHANNEL, decode_changed, decode_notices, frame_position
from serve_app.live.limits.backpressure import SlowSockets
from serve_app.live.limits.bounds import HubLimits
from serve_app.live.members import Members
from serve_app.live.owner_calls import OwnerCalls
from serve_app.live.protocol import CLOSE_DRAINING, come_back, text_frame
from serve_app.live.resync import Sync
from serve_app.live.standings import Standings
from serve_app.live.subscriptions import Subscriptions
from serve_app.live.topic import RING_FRAMES, Socket, Subscription, Taken, Topic
from serve_app.live.topics import Topics
from serve_app.live.updates_feed import UpdatesFeed
from serve_app.metrics import DELIVERED, LIVE_CONNECTIONS, PUSH_SECONDS, SOCKETS
from storage.ports import LiveSnapshot, Owners, Publication, ReadModel, Updates

logger = logging.getLogger(__name__)

DRAIN_STEPS_A_SECOND: Final = 50
DRAIN_LEAST_A_SECOND: Final = 100  # sockets
RETRY_AFTER_LEAST_MS: Final = 500
RETRY_AFTER_JITTER_MS: Final = 1000
STATUS: Final = b'"/status"'  # in a patch that changes it


class Hub:
    """See the module. `start` before the first subscription; `read_model` answers while an owner does not.

    `on_status` is called with a watched tournament whose status may have changed, before its watchers are told.
    """

    def __init__(
        self,
        owners: Owners,
        updates: Updates,
        limits: HubLimits,
        read_model: ReadModel | None = None,
        on_status: Callable[[int], None] | None = None,
    ) -> None:
        self.limits = limits
        self.sockets: set[Socket] = set()
        self._by_user: dict[int, set[Socket]] = {}
        self._by_address: Counter[str] = Counter()
        self.draining = False
        self._on_status = on_status
        calls = OwnerCalls(owners, limits.owner_calls)
        self.feed = UpdatesFeed(updates, self._deliver)
        self.topics = Topics(self.feed, limits.max_topics)
        self.standings = Standings(calls, self.topics.watch_changes)
        self.subscriptions = Subscriptions(self.topics, self.standings, self._fetch)
        self.members = Members(calls, self.subscriptions)
        self.sync = Sync(self.topics, calls, self.subscriptions, self._adopt, self.members.admit, read_model)
        self.slow = SlowSockets(self.subscriptions.serve, limits.slow_timeout_s)
        self._checks: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to receive updates and to check positions, on the running loop."""
        self.feed.start()
        self.feed.watch(NOTICES_CHANNEL)
        self._checks = asyncio.create_task(self._check_regularly(), name="hub-checks")

    async def stop(self) -> None:
        """End all background work. Sockets are the server's to close; see `drain`."""
        if self._checks is not None:
            self._checks.cancel()
            await asyncio.wait([self._checks])
        await self.sync.stop()
        await self.members.stop()
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
        LIVE_CONNECTIONS.inc()

    def leave(self, socket: Socket) -> None:
        """A socket is gone; a second call does nothing."""
        if socket not in self.sockets:
            return
        self.subscriptions.remove_all(socket)
        self.sign(socket, socket.user, None)
        self.sockets.remove(socket)
        self._by_address[socket.address] -= 1
        if not self._by_address[socket.address]:
            del self._by_address[socket.address]
        self.slow.forget(socket)
        SOCKETS.set(len(self.sockets))

    def sign(self, socket: Socket, before: int | None, user: int | None) -> None:
        """A socket's user was `before`, and is another one now (None: nobody): theirs are the notices that it gets."""
        if before == user:
            return
        if before is not None and (theirs := self._by_user.get(before)) is not None:
            theirs.discard(socket)
            if not theirs:
                del self._by_user[before]
        if user is not None:
            self._by_user.setdefault(user, set()).add(socket)

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

    # The regular check

    async def check(self) -> None:
        """One round: drop idle topics, compare positions with the owners', check who may still see private ones, refresh `me`."""
        self.topics.drop_idle(self.limits.keep_s)
        watched = self.topics.watched
        await self.sync.check_positions(watched, self.limits.check_grace_s)
        await asyncio.gather(*(self.members.check(topic) for topic in watched if topic.public is False))
        await self.standings.refresh([topic for topic in watched if topic.me])

    async def _check_regularly(self) -> None:
        while True:
            await asyncio.sleep(self.limits.check_interval_s)
            try:
                await self.check()
            except Exception:
                # The next round is a few seconds away; a defect in one must not end the checks.
                logger.exception("the check of watched tournaments failed")

    # Updates and snapshots

    def _fetch(self, topic: Topic) -> None:
        self.sync.request(topic)  # which is made after what asks for it

    def _adopt(self, topic: Topic, snapshot: LiveSnapshot) -> bool:
        if not snapshot.found:
            for subscription in [*topic.waiting, *topic.live]:
                self.subscriptions.refuse(subscription)
            self.topics.drop(topic)
            return True
        frames = topic.adopt(snapshot)
        if frames is None:
            return False
        if frames and self._on_status is not None:
            self._on_status(topic.tournament_id)
        self._fan_out(topic, frames)
        self.topics.watch_changes(topic)
        for epoch, seq, payload in topic.take_pending():
            self._take(topic, epoch, seq, payload)
        for subscription in [s for s in topic.waiting if s.permitted]:
            self.subscriptions.serve(subscription, RING_FRAMES)
        return True

    def _deliver(self, publication: Publication) -> None:
        if publication.channel == NOTICES_CHANNEL:
            self._notify(publication.payload)
            return
        topic = self.topics.by_channel.get(publication.channel)
        if publication.lost:
            lost = list(self.topics.by_id.values()) if not publication.channel else [topic] if topic is not None else []
            for missed in lost:
                self.sync.resync(missed, "lost")
                self._changed(missed, None)
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

    def _notify(self, payload: bytes) -> None:
        """Notices of users, some of whom may be here."""
        if not payload:
            return  # some were lost: they are not sent again
        for user, notice in decode_notices(payload):
            frame = text_frame(notice)
            for socket in self._by_user.get(user, ()):
                if not socket.paused:  # one that does not keep up misses it, as one that is not there does
                    socket.send(frame)

    def _changed(self, topic: Topic, users: set[int] | None) -> None:
        """These users scored, joined, left or were removed (None: anyone may have)."""
        self.standings.changed(topic, users)
        self.members.changed(topic, users)

    def _take(self, topic: Topic, epoch: int, seq: int, payload: bytes) -> None:
        taken, frame = topic.offer(epoch, seq, payload)
        if taken is Taken.NEXT:
            if STATUS in payload and self._on_status is not None:
                self._on_status(topic.tournament_id)
            self._fan_out(topic, [frame])
        elif taken is Taken.GAP and topic.synced:
            self.sync.resync(topic, "epoch" if epoch > topic.epoch else "gap")

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
