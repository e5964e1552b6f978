"""How the hub gets back in step: snapshots from owners, one flight a tournament, and the comparison of positions."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from actors.domain.publications import snapshot_frame
from serve_app.live.owner_calls import AWAY, OwnerCalls
from serve_app.live.protocol import text_frame
from serve_app.live.subscriptions import Subscriptions
from serve_app.live.topic import Subscription, Topic
from serve_app.live.topics import Topics
from serve_app.metrics import RESYNCS
from storage.ports import AccessQuery, LiveQuery, LiveSnapshot, ReadModel, Reply, StorageError, ViewQuery

BACKOFF_FIRST_S: Final = 0.05
BACKOFF_MOST_S: Final = 2.0
POSITIONS_A_CALL: Final = 500
CHANNEL_WAIT_S: Final = 1.0

logger = logging.getLogger(__name__)


class Sync:
    """See the module. `adopt(topic, snapshot)` takes what an owner answered and serves whom it can, False when it was no use;
    `admit(topic)` serves or refuses those who wait for a private topic.
    """

    def __init__(
        self,
        topics: Topics,
        calls: OwnerCalls,
        subscriptions: Subscriptions,
        adopt: Callable[[Topic, LiveSnapshot], bool],
        admit: Callable[[Topic], Awaitable[None]],
        read_model: ReadModel | None,
    ) -> None:
        self._topics = topics
        self._calls = calls
        self._subscriptions = subscriptions
        self._adopt = adopt
        self._admit = admit
        self._read_model = read_model

    async def stop(self) -> None:
        """End all flights."""
        flights = [topic.flight for topic in self._topics.by_id.values() if topic.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def request(self, topic: Topic) -> None:
        """Have a topic brought in step and its waiting subscribers served; a flight under way does it."""
        if topic.flight is None:
            topic.flight = asyncio.create_task(self._fly(topic), name=f"hub-sync-{topic.tournament_id}")

    def resync(self, topic: Topic, reason: str) -> None:
        """Something may be missing: fetch a snapshot. Nobody is told anything until it is here."""
        RESYNCS.labels(reason).inc()
        topic.forget_position()
        if topic.watched:
            self.request(topic)

    async def _fly(self, topic: Topic) -> None:
        backoff_s = BACKOFF_FIRST_S
        # A broker that is away must not keep subscribers from what owners and the read model can tell; a loss is announced when it is back.
        await asyncio.wait({self._topics.hear_updates(topic)}, timeout=CHANNEL_WAIT_S)
        while True:
            try:
                snapshot = await self._calls.read(topic.tournament_id, LiveQuery())
                if self._adopt(topic, snapshot) and topic.public is False and topic.watched:
                    # Whoever is removed after the owner was asked is heard of, if the broker is there; else the regular check finds it.
                    await asyncio.wait({self._topics.hear_changes(topic)}, timeout=CHANNEL_WAIT_S)
                    await self._admit(topic)
            except AWAY:
                await self._show_read_model(topic)
            except Exception:
                # A defect somewhere must not end what every subscriber waits for; the log has it, the next round may do.
                logger.exception("no snapshot of tournament %d", topic.tournament_id)
            if not _needs(topic):
                if topic.flight is asyncio.current_task():
                    topic.flight = None
                return
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
            backoff_s = min(2 * backoff_s, BACKOFF_MOST_S)

    async def _show_read_model(self, topic: Topic) -> None:
        """While the owner is away: answer, and show what the read model has. Updates do not follow it, so they stay waiting."""
        by_user: dict[int | None, list[Subscription]] = {}
        for subscription in topic.waiting:
            subscription.answer()
            if not subscription.shown and not subscription.socket.paused:
                by_user.setdefault(subscription.socket.user, []).append(subscription)
        if self._read_model is None:
            return
        for user, subscriptions in by_user.items():
            try:
                access = await self._read_model.read(topic.tournament_id, AccessQuery(user))
                reply = await self._read_model.read(topic.tournament_id, ViewQuery())
            except StorageError:
                return
            if access is None or reply is None:
                continue
            frame = text_frame(_snapshot_of_view(topic.tournament_id, reply))
            for subscription in subscriptions:
                if subscription not in topic.waiting or subscription.socket.user != user:
                    continue
                # Only the owner refuses: what is hidden is not told from what there is not.
                allowed = access.allowed or subscription.socket.sees_all
                if allowed and not subscription.socket.paused:
                    subscription.shown = subscription.seen = True
                    subscription.socket.send(frame)

    async def check_positions(self, topics: Iterable[Topic], grace_s: float) -> None:
        """Resync what is behind its owner, and still is after a grace in which updates on their way may arrive."""
        ids = [topic.tournament_id for topic in topics if topic.synced]
        ahead: dict[int, tuple[int, int]] = {}
        for at in range(0, len(ids), POSITIONS_A_CALL):
            try:
                found = await self._calls.positions(ids[at : at + POSITIONS_A_CALL])
            except AWAY:
                continue
            ahead |= {key: position for key, position in found.items() if self._behind(key, position)}
        if not ahead:
            return
        await asyncio.sleep(grace_s)
        for key, position in ahead.items():
            topic = self._behind(key, position)
            if topic is not None:
                self.resync(topic, "behind")

    def _behind(self, tournament_id: int, position: tuple[int, int]) -> Topic | None:
        topic = self._topics.by_id.get(tournament_id)
        return topic if topic is not None and topic.synced and topic.position < position else None


def _needs(topic: Topic) -> bool:
    return any(not s.socket.paused for s in topic.waiting) or (topic.watched and not topic.synced)


def _snapshot_of_view(tournament_id: int, reply: Reply) -> bytes:
    """A snapshot frame from an encoded tournament view."""
    view = msgspec.json.decode(reply.body)
    data = {key: view[key] for key in ("status", "participants", "starts_at", "ends_at", "ties")}
    data["top"] = [{key: row[key] for key in ("user_id", "name", "score")} for row in view["top"]]
    return snapshot_frame(tournament_id, reply.epoch, reply.seq, msgspec.json.encode(data))
