"""How the hub gets back in step: snapshots from owners, one flight a tournament, and the regular check that nothing was lost."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import msgspec

from actors.domain.publications import changed_channel, snapshot_frame, updates_channel
from serve_app.live.protocol import NOT_ALLOWED, text_frame
from serve_app.live.topic import Subscription, Topic
from storage.ports import (
    Access,
    AccessQuery,
    LiveQuery,
    OwnerMovedError,
    Owners,
    OwnerUnavailableError,
    Query,
    Reply,
    StandingsQuery,
    StorageError,
    ViewQuery,
)

if TYPE_CHECKING:
    from serve_app.live.hub import Hub

BACKOFF_FIRST_S: Final = 0.05
BACKOFF_MOST_S: Final = 2.0
POSITIONS_A_CALL: Final = 500
CHANNEL_WAIT_S: Final = 1.0
AWAY: Final = (OwnerUnavailableError, OwnerMovedError)

A = TypeVar("A")
logger = logging.getLogger(__name__)


class Copies(Protocol):
    """Where a view comes from while the owner does not answer: `storage.ports.ReadModel` is one."""

    async def read(self, tournament_id: int, query: Query[A]) -> A | None:
        """As `ReadModel.read`."""
        ...


class Sync:
    """See the module. At most `limits.owner_calls` calls are under way, whatever the number of tournaments."""

    def __init__(self, hub: Hub, owners: Owners, copies: Copies | None) -> None:
        self._hub = hub
        self._owners = owners
        self._copies = copies
        self._calls = asyncio.Semaphore(hub.limits.owner_calls)
        self._flights: dict[int, asyncio.Task[None]] = {}
        self._checks: asyncio.Task[None] | None = None
        self._doubted: dict[int, set[int]] = {}  # users of private tournaments who may have left
        self._asking: dict[int, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Begin the regular checks."""
        self._checks = asyncio.create_task(self._check_regularly(), name="hub-checks")

    async def stop(self) -> None:
        """End flights and checks."""
        tasks = [*self._flights.values(), *self._asking.values(), *([self._checks] if self._checks else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def request(self, topic: Topic) -> None:
        """Have a topic brought in step and its waiting subscribers served; a flight under way does it."""
        if topic.tournament_id not in self._flights:
            flight = asyncio.create_task(self._fly(topic), name=f"hub-sync-{topic.tournament_id}")
            self._flights[topic.tournament_id] = flight

    def forget(self, topic: Topic) -> None:
        """The topic is dropped."""
        flight = self._flights.pop(topic.tournament_id, None)
        if flight is not None:
            flight.cancel()

    async def call(self, request: Callable[[], Awaitable[Any]]) -> Any:
        """One call to an owner, within the bound."""
        async with self._calls:
            return await request()

    async def _fly(self, topic: Topic) -> None:
        backoff_s = BACKOFF_FIRST_S
        # A broker that is away must not keep subscribers from what owners and copies can tell; a loss is announced when it is back.
        await asyncio.wait({self._hub.feed.watch(updates_channel(topic.tournament_id))}, timeout=CHANNEL_WAIT_S)
        while True:
            try:
                snapshot = await self.call(lambda: self._owners.read(topic.tournament_id, LiveQuery()))
                if self._hub.adopt(topic, snapshot) and topic.public is False and topic.watched:
                    # Whoever is removed after the owner was asked is heard of, if the broker is there; else the regular check finds it.
                    changes = self._hub.feed.watch(changed_channel(topic.tournament_id))
                    await asyncio.wait({changes}, timeout=CHANNEL_WAIT_S)
                    await self._admit(topic)
            except AWAY:
                await self._show_copies(topic)
            except Exception:
                # A defect somewhere must not end what every subscriber waits for; the log has it, the next round may do.
                logger.exception("no snapshot of tournament %d", topic.tournament_id)
            if not _needs(topic):
                if self._flights.get(topic.tournament_id) is asyncio.current_task():
                    del self._flights[topic.tournament_id]
                return
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
            backoff_s = min(2 * backoff_s, BACKOFF_MOST_S)

    async def _admit(self, topic: Topic) -> None:
        """Serve those of a private topic's waiting subscribers whom the owner lets see it; refuse the others."""
        asked: set[int | None] = set()
        for subscription in list(topic.waiting):
            user = subscription.socket.user
            if self._hub.permitted(subscription):
                self._hub.serve(subscription)
            elif user not in asked:
                asked.add(user)
                allowed = await self._allowed(
                    topic, user
                )  # without a token, too: what is hidden takes as long as what is unknown
                for waiting in [s for s in topic.waiting if s.socket.user == user]:
                    if allowed:
                        waiting.admitted = True
                        self._hub.serve(waiting)
                    else:
                        self._hub.refuse(waiting)

    async def _allowed(self, topic: Topic, user: int | None) -> bool:
        access: Access = await self.call(lambda: self._owners.read(topic.tournament_id, AccessQuery(user)))
        return access.allowed

    async def _show_copies(self, topic: Topic) -> None:
        """While the owner is away: answer, and show what copy there is. Updates do not fit on a copy, so they stay waiting."""
        by_user: dict[int | None, list[Subscription]] = {}
        for subscription in topic.waiting:
            subscription.answer()
            if not subscription.shown and not subscription.socket.paused:
                by_user.setdefault(subscription.socket.user, []).append(subscription)
        if self._copies is None:
            return
        for user, subscriptions in by_user.items():
            try:
                access = await self._copies.read(topic.tournament_id, AccessQuery(user))
                reply = await self._copies.read(topic.tournament_id, ViewQuery())
            except StorageError:
                return
            if access is None or reply is None:
                continue
            frame = text_frame(_snapshot_of_view(topic.tournament_id, reply))
            for subscription in subscriptions:
                if subscription not in topic.waiting or subscription.socket.user != user:
                    continue
                if not (access.allowed or subscription.socket.sees_all):
                    self._hub.refuse(subscription)
                elif not subscription.socket.paused:
                    subscription.shown = True
                    subscription.socket.send(frame)

    async def _check_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._hub.limits.check_interval_s)
            try:
                await self.check()
            except Exception:
                # The next round is a few seconds away; a defect in one must not end the checks.
                logger.exception("the check of watched tournaments failed")

    async def check(self) -> None:
        """One round: drop idle topics, compare positions with the owners', check who may still see private ones, refresh `me`."""
        hub, now = self._hub, time.monotonic()
        for topic in list(hub.topics.values()):
            if topic.idle_since is not None and now - topic.idle_since > hub.limits.keep_s:
                hub.drop(topic)
        watched = [topic for topic in hub.topics.values() if topic.watched]
        await self.check_positions(watched)
        await asyncio.gather(*(self._check_members(topic) for topic in watched if topic.public is False))
        await hub.standings.refresh([topic for topic in watched if topic.me])

    async def check_positions(self, topics: Iterable[Topic]) -> None:
        """Resync what is behind its owner, and still is after a grace in which updates on their way may arrive."""
        ids = [topic.tournament_id for topic in topics if topic.synced]
        ahead: dict[int, tuple[int, int]] = {}
        for at in range(0, len(ids), POSITIONS_A_CALL):
            chunk = ids[at : at + POSITIONS_A_CALL]
            try:
                found = await self.call(lambda chunk=chunk: self._owners.positions(chunk))  # type: ignore[misc]
            except AWAY:
                continue
            ahead |= {key: position for key, position in found.items() if self._behind(key, position)}
        if not ahead:
            return
        await asyncio.sleep(self._hub.limits.check_grace_s)
        for key, position in ahead.items():
            topic = self._hub.topics.get(key)
            if topic is not None and self._behind(key, position):
                self._hub.resync(topic, "behind")

    def _behind(self, tournament_id: int, position: tuple[int, int]) -> bool:
        topic = self._hub.topics.get(tournament_id)
        return topic is not None and topic.synced and topic.position < position

    def members_changed(self, topic: Topic, users: set[int] | None) -> None:
        """Ask the owner at once whether these users (None: all) may still see a private topic, if they watch it.

        Whoever waits to be admitted is asked about, too: that answer may be older than this change.
        """
        doubted = _to_check(topic, users) if topic.public is False else set()
        if not doubted:
            return
        self._doubted.setdefault(topic.tournament_id, set()).update(doubted)
        if topic.tournament_id not in self._asking:
            self._asking[topic.tournament_id] = asyncio.create_task(self._settle_doubts(topic))

    async def _settle_doubts(self, topic: Topic) -> None:
        try:
            while users := self._doubted.pop(topic.tournament_id, None):
                await self._check_members(topic, users)
        except Exception:
            logger.exception("the members of tournament %d could not be checked", topic.tournament_id)
        finally:
            self._doubted.pop(topic.tournament_id, None)
            self._asking.pop(topic.tournament_id, None)

    async def _check_members(self, topic: Topic, users: set[int] | None = None) -> None:
        """End the subscriptions to a private topic of those who may no longer see it. One call for all, and one more for each lost."""
        asked = sorted(_to_check(topic, users))
        if not asked:
            return
        try:
            standings = await self.call(lambda: self._owners.read(topic.tournament_id, StandingsQuery(tuple(asked))))
            members = {standing.user_id for standing in standings}
            for user in asked:
                if user not in members and not await self._allowed(topic, user):
                    for subscription in [s for s in (*topic.live, *topic.waiting) if s.socket.user == user]:
                        if subscription.socket.sees_all:
                            continue
                        if subscription.answered:
                            self._hub.end(subscription, NOT_ALLOWED, "this tournament is no longer visible to you")
                        else:
                            self._hub.refuse(subscription)
        except AWAY:
            return  # nobody can say now; the next round asks again


def _to_check(topic: Topic, users: set[int] | None) -> set[int]:
    """Those of `users` (None: of all) who watch the topic, or want to, and not as one who sees all."""
    sockets = [subscription.socket for subscription in (*topic.live, *topic.waiting)]
    return {s.user for s in sockets if s.user is not None and not s.sees_all and (users is None or s.user in users)}


def _needs(topic: Topic) -> bool:
    return any(not s.socket.paused for s in topic.waiting) or (topic.watched and not topic.synced)


def _snapshot_of_view(tournament_id: int, reply: Reply) -> bytes:
    """A snapshot frame from an encoded tournament view."""
    view = msgspec.json.decode(reply.body)
    data = {key: view[key] for key in ("status", "participants", "starts_at", "ends_at", "ties")}
    data["top"] = [{key: row[key] for key in ("user_id", "name", "score")} for row in view["top"]]
    return snapshot_frame(tournament_id, reply.epoch, reply.seq, msgspec.json.encode(data))
