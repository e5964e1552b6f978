"""Who watches what: takes subscriptions, serves them, and ends them."""

from __future__ import annotations

import time
from collections.abc import Callable

from serve_app.live.protocol import (
    NOT_ALLOWED,
    NOT_FOUND,
    MessageId,
    Position,
    Unsubscription,
    error_frame,
    unsubscribed_frame,
)
from serve_app.live.standings import Standings
from serve_app.live.topic import CATCH_UP_FRAMES, Socket, Subscription, Topic
from serve_app.live.topics import Topics
from serve_app.metrics import DELIVERED, SUBSCRIPTIONS


class Subscriptions:
    """See the module. `fetch(topic)` has what a topic's waiting subscribers lack brought; they are served then."""

    def __init__(self, topics: Topics, standings: Standings, fetch: Callable[[Topic], None]) -> None:
        self._topics = topics
        self._standings = standings
        self._fetch = fetch

    def add(self, socket: Socket, request_id: MessageId, tournament_id: int, since: Position | None, me: bool) -> None:
        """Subscribe; the answer and the start follow, at once where everything is at hand. A second time starts over.

        Raises TopicsFullError.
        """
        topic = self._topics.obtain(tournament_id)
        self.remove(socket, tournament_id)
        subscription = Subscription(socket, topic, request_id, since, me)
        socket.subscriptions[tournament_id] = subscription
        topic.waiting[subscription] = None
        topic.idle_since = None
        SUBSCRIPTIONS.inc()
        self.serve(subscription)

    def remove(self, socket: Socket, tournament_id: int) -> None:
        """Unsubscribe; what is not subscribed is fine. One that was not answered yet, be it of a tournament or not, stood until now."""
        subscription = socket.subscriptions.pop(tournament_id, None)
        if subscription is not None:
            subscription.answer()
            self._detach(subscription)

    def remove_all(self, socket: Socket) -> None:
        """A socket is gone."""
        for subscription in socket.subscriptions.values():
            self._detach(subscription)
        socket.subscriptions.clear()

    def serve(self, subscription: Subscription, longest: int = CATCH_UP_FRAMES) -> None:
        """Send a waiting subscription its start and make it live, or have what is missing fetched."""
        topic, socket = subscription.topic, subscription.socket
        if socket.paused:
            return  # served once the socket is no longer
        if not subscription.permitted:
            self._fetch(topic)
            return
        subscription.answer()
        frames = topic.start(subscription.since, longest) if topic.synced else None
        if frames is None:
            self._fetch(topic)
            return
        for frame in frames:
            socket.send(frame)
        DELIVERED.inc(len(frames))
        subscription.since = None
        subscription.seen = True
        del topic.waiting[subscription]
        topic.live[subscription] = socket.write
        if subscription.me:
            self._standings.join(subscription)

    def end(self, subscription: Subscription, code: Unsubscription, message: str) -> None:
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

    def hide(self, subscription: Subscription) -> None:
        """It may no longer be seen by this user. Whoever has seen nothing of it learns no more than a stranger."""
        if subscription.seen:
            self.end(subscription, NOT_ALLOWED, "this tournament is no longer visible to you")
        else:
            self.refuse(subscription)

    def sign_out(self, socket: Socket, reason: Unsubscription) -> None:
        """The socket's user is no longer known: private subscriptions and `me` end."""
        for subscription in list(socket.subscriptions.values()):
            if subscription.topic.public is False:
                self.end(subscription, reason, "the token is no longer valid")
            elif subscription.me:
                subscription.me = False
                self._standings.leave(subscription)

    def lose_rights(self, socket: Socket) -> None:
        """The socket's user sees all no more: private subscriptions that rest on that end; those not answered yet are decided anew."""
        for subscription in list(socket.subscriptions.values()):
            if subscription.answered and subscription.topic.public is False and not subscription.permitted:
                self.hide(subscription)

    def _detach(self, subscription: Subscription) -> None:
        topic = subscription.topic
        topic.live.pop(subscription, None)
        topic.waiting.pop(subscription, None)
        SUBSCRIPTIONS.dec()
        self._standings.leave(subscription)
        if not topic.watched:
            topic.idle_since = time.monotonic()
