"""Sockets whose clients do not keep up: set back to snapshots, and closed when that does not help."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from serve_app.live.protocol import CLOSE_TOO_SLOW, come_back
from serve_app.live.topic import Socket, Subscription
from serve_app.metrics import CONFLATED


class SlowSockets:
    """A socket is `paused` while it holds more unsent bytes than it may (the transport tells). It then gets no updates; once most is
    sent, the newest snapshots, by `serve(subscription)`; and it is closed when that takes longer than `timeout_s`.
    """

    def __init__(self, serve: Callable[[Subscription], None], timeout_s: float) -> None:
        self._serve = serve
        self._timeout_s = timeout_s
        self._newly_paused: dict[Socket, None] = {}
        self._timers: dict[Socket, asyncio.TimerHandle] = {}

    def stop(self) -> None:
        """End all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def pause(self, socket: Socket) -> None:
        """A socket holds too much. That is found out in the middle of a fan-out, so it is taken out right after."""
        if not self._newly_paused:
            asyncio.get_running_loop().call_soon(self.settle)
        self._newly_paused[socket] = None

    def resume(self, socket: Socket) -> None:
        """A socket has sent most of it: it goes on from the newest snapshots."""
        self.forget(socket)
        for subscription in list(socket.subscriptions.values()):
            if socket.paused:
                return
            if subscription in subscription.topic.waiting:
                self._serve(subscription)

    def forget(self, socket: Socket) -> None:
        """It is gone, or no longer slow."""
        self._newly_paused.pop(socket, None)
        timer = self._timers.pop(socket, None)
        if timer is not None:
            timer.cancel()

    def settle(self) -> None:
        """Take the newly paused out of the fan-outs."""
        if not self._newly_paused:
            return
        paused, self._newly_paused = self._newly_paused, {}
        loop = asyncio.get_running_loop()
        for socket in paused:
            CONFLATED.inc()
            for subscription in socket.subscriptions.values():
                if subscription.topic.live.pop(subscription, None) is not None:
                    subscription.topic.waiting[subscription] = None
            if socket not in self._timers:
                self._timers[socket] = loop.call_later(self._timeout_s, self._too_slow, socket)

    def _too_slow(self, socket: Socket) -> None:
        self._timers.pop(socket, None)
        socket.close(CLOSE_TOO_SLOW, come_back(random.randrange(1000, 5000)))  # noqa: S311 - spreads load
