"""`me`: one's own standing, to that user's sockets alone. At once when one caused the change, else when a regular check finds it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from serve_app.live.owner_calls import AWAY, OwnerCalls
from serve_app.live.protocol import me_frame
from serve_app.live.topic import Subscription, Topic
from serve_app.metrics import DELIVERED
from storage.ports import Standing, StandingsQuery

logger = logging.getLogger(__name__)


class Standings:
    """See the module. One question a tournament is under way; who changes meanwhile is asked for next.

    `me_changed(topic)` is called when the users whose standings are sent have become others.
    """

    def __init__(self, calls: OwnerCalls, me_changed: Callable[[Topic], None]) -> None:
        self._calls = calls
        self._me_changed = me_changed
        self._dirty: dict[int, set[int]] = {}
        self._asking: dict[int, asyncio.Task[None]] = {}

    async def stop(self) -> None:
        """End questions under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def join(self, subscription: Subscription) -> None:
        """A live subscription wants `me`; the first message comes as soon as the owner answers. A second call does nothing."""
        user, topic = subscription.socket.user, subscription.topic
        if user is None or subscription.me_user is not None:
            return
        subscription.me_user = user
        topic.me.setdefault(user, set()).add(subscription)
        self._me_changed(topic)
        self.changed(topic, {user})

    def leave(self, subscription: Subscription) -> None:
        """It no longer does; unknown ones are fine."""
        topic, user = subscription.topic, subscription.me_user
        if user is None:
            return
        subscription.me_user = None
        subscriptions = topic.me[user]
        subscriptions.remove(subscription)
        if not subscriptions:
            del topic.me[user]
            self._me_changed(topic)

    def changed(self, topic: Topic, users: set[int] | None) -> None:
        """These users' standings changed (None: anyone's may have)."""
        affected = topic.me.keys() if users is None else topic.me.keys() & users
        if not affected:
            return
        self._dirty.setdefault(topic.tournament_id, set()).update(affected)
        if topic.tournament_id not in self._asking:
            self._asking[topic.tournament_id] = asyncio.create_task(self._ask(topic))

    async def refresh(self, topics: Iterable[Topic]) -> None:
        """Check everyone's standing; it is sent where it changed."""
        for topic in topics:
            self.changed(topic, None)
        await asyncio.gather(*list(self._asking.values()), return_exceptions=True)

    async def _ask(self, topic: Topic) -> None:
        tournament_id = topic.tournament_id
        try:
            while users := self._dirty.pop(tournament_id, None):
                wanted = sorted(users)
                found = await self._calls.read(tournament_id, StandingsQuery(tuple(wanted)))
                standings = {standing.user_id: standing for standing in found}
                for user in wanted:
                    for subscription in list(topic.me.get(user, ())):
                        self._send(subscription, standings.get(user))
        except AWAY:
            pass  # the regular check asks again
        except Exception:
            logger.exception("standings of tournament %d failed", tournament_id)
        finally:
            self._dirty.pop(tournament_id, None)
            self._asking.pop(tournament_id, None)

    def _send(self, subscription: Subscription, standing: Standing | None) -> None:
        socket = subscription.socket
        if socket.paused or subscription.me_sent == standing:
            return  # a paused socket's is found changed by the next regular check
        frame = me_frame(subscription.topic.tournament_id, standing, subscription.previous_rank)
        subscription.me_sent = standing
        subscription.previous_rank = None if standing is None else standing.rank
        socket.send(frame)
        DELIVERED.inc()
