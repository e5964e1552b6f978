"""Who may see a private tournament: asks the owner for each subscription, and again whenever that may have changed."""

from __future__ import annotations

import asyncio
import logging

from serve_app.live.owner_calls import AWAY, OwnerCalls
from serve_app.live.subscriptions import Subscriptions
from serve_app.live.topic import Topic
from storage.ports import Access, AccessQuery, StandingsQuery

logger = logging.getLogger(__name__)


class Members:
    """See the module. One question a tournament is under way; who is doubted meanwhile is asked about next."""

    def __init__(self, calls: OwnerCalls, subscriptions: Subscriptions) -> None:
        self._calls = calls
        self._subscriptions = subscriptions
        self._doubted: dict[int, set[int]] = {}  # users who may have left, by tournament
        self._asking: dict[int, asyncio.Task[None]] = {}

    async def stop(self) -> None:
        """End questions under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def admit(self, topic: Topic) -> None:
        """Serve those of a private topic's waiting subscribers whom the owner lets see it; refuse the others.

        Raises OwnerUnavailableError or OwnerMovedError.
        """
        asked: set[int | None] = set()
        for subscription in list(topic.waiting):
            user = subscription.socket.user
            if subscription not in topic.waiting:
                continue  # served with another one of its user's, or gone meanwhile
            if subscription.permitted:
                self._subscriptions.serve(subscription)
            elif user not in asked:
                asked.add(user)
                # Without a token, too: what is hidden takes as long as what is unknown.
                allowed = await self._allowed(topic, user)
                for waiting in [s for s in topic.waiting if s.socket.user == user]:
                    if allowed:
                        waiting.admitted = True
                        self._subscriptions.serve(waiting)
                    else:
                        self._subscriptions.refuse(waiting)

    def changed(self, topic: Topic, users: set[int] | None) -> None:
        """Ask the owner at once whether these users (None: all) may still see a private topic, if they watch it.

        Whoever waits to be admitted is asked about, too: that answer may be older than this change.
        """
        doubted = _to_check(topic, users) if topic.public is False else set()
        if not doubted:
            return
        self._doubted.setdefault(topic.tournament_id, set()).update(doubted)
        if topic.tournament_id not in self._asking:
            self._asking[topic.tournament_id] = asyncio.create_task(self._settle_doubts(topic))

    async def check(self, topic: Topic, users: set[int] | None = None) -> None:
        """End the subscriptions to a private topic of those of `users` (None: of all) who may no longer see it.

        One call for all, and one more for each who has left.
        """
        asked = sorted(_to_check(topic, users))
        if not asked:
            return
        try:
            standings = await self._calls.read(topic.tournament_id, StandingsQuery(tuple(asked)))
            members = {standing.user_id for standing in standings}
            for user in asked:
                if user not in members and not await self._allowed(topic, user):
                    for subscription in [s for s in (*topic.live, *topic.waiting) if s.socket.user == user]:
                        if not subscription.socket.sees_all:
                            self._subscriptions.hide(subscription)
        except AWAY:
            return  # nobody can say now; the next round asks again

    async def _allowed(self, topic: Topic, user: int | None) -> bool:
        access: Access = await self._calls.read(topic.tournament_id, AccessQuery(user))
        return access.allowed

    async def _settle_doubts(self, topic: Topic) -> None:
        try:
            while users := self._doubted.pop(topic.tournament_id, None):
                await self.check(topic, users)
        except Exception:
            logger.exception("the members of tournament %d could not be checked", topic.tournament_id)
        finally:
            self._doubted.pop(topic.tournament_id, None)
            self._asking.pop(topic.tournament_id, None)


def _to_check(topic: Topic, users: set[int] | None) -> set[int]:
    """Those of `users` (None: of all) who watch the topic, or want to, and not as one who sees all."""
    sockets = [subscription.socket for subscription in (*topic.live, *topic.waiting)]
    return {s.user for s in sockets if s.user is not None and not s.sees_all and (users is None or s.user in users)}
