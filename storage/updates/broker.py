"""The embedded broker of updates: one process, a bounded buffer a subscriber.

Policy when a buffer is full: all of it is dropped and its subscriber is told that publications were lost. A subscriber that
asks for nothing during `silent_s` is forgotten. Nothing survives the process.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from storage.ports.updates import Publication

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 5.0
LOST = Publication("", b"", lost=True)


class UnknownSubscriberError(Exception):
    """The broker does not know this subscriber (any more): it restarted, or the subscriber was silent too long."""


class _Subscriber:
    def __init__(self, now_s: float) -> None:
        self.channels: set[str] = set()
        self.buffer: list[Publication] = []
        self.bytes = 0
        self.lost = False
        self.waiter: asyncio.Future[bool] | None = None  # of the `receive` that waits; False: another one came
        self.seen_s = now_s

    def wake(self, *, answer: bool = True) -> None:
        if self.waiter is not None:
            _answer(self.waiter, answer)


def _answer(waiter: asyncio.Future[bool], answer: bool) -> None:
    if not waiter.done():
        waiter.set_result(answer)


class Broker:
    """See the module. All calls on one event loop. `clock_s` is monotonic, in seconds."""

    def __init__(
        self,
        *,
        max_buffered: int = 10_000,
        max_buffered_bytes: int = 16 << 20,
        silent_s: float = 30.0,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_buffered = max_buffered
        self._max_buffered_bytes = max_buffered_bytes
        self._silent_s = silent_s
        self._clock_s = clock_s
        self._subscribers: dict[str, _Subscriber] = {}
        self._channels: dict[str, dict[str, _Subscriber]] = {}
        self._sweep_at_s = 0.0

    async def call(self, method: str, *args: Any) -> Any:
        """One of the methods below, by its name."""
        return await getattr(self, method)(*args)

    async def subscribe(self) -> str:
        """The id of a new subscriber without channels."""
        self._sweep()
        subscriber = uuid4().hex
        self._subscribers[subscriber] = _Subscriber(self._clock_s())
        return subscriber

    async def unsubscribe(self, subscriber: str) -> None:
        """Forget a subscriber; an unknown one is fine."""
        known = self._subscribers.pop(subscriber, None)
        if known is not None:
            self._leave(subscriber, known, list(known.channels))
            known.wake()

    async def add(self, subscriber: str, channels: Sequence[str]) -> None:
        """Deliver from now on what is published on these channels. Raises UnknownSubscriberError."""
        known = self._known(subscriber)
        known.channels.update(channels)
        for channel in channels:
            self._channels.setdefault(channel, {})[subscriber] = known

    async def remove(self, subscriber: str, channels: Sequence[str]) -> None:
        """Stop delivering them; unknown channels are fine. Raises UnknownSubscriberError."""
        self._leave(subscriber, self._known(subscriber), channels)

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Put (channel, payload) pairs into the buffers of the channels' subscribers, in order."""
        self._sweep()
        for channel, payload in messages:
            subscribers = self._channels.get(channel)
            if not subscribers:
                continue
            publication = Publication(channel, payload)
            for known in subscribers.values():
                known.buffer.append(publication)
                known.bytes += len(payload)
                if len(known.buffer) > self._max_buffered or known.bytes > self._max_buffered_bytes:
                    known.buffer = []
                    known.bytes = 0
                    known.lost = True
                known.wake()

    async def listened(self) -> list[str]:
        """The channels that have a subscriber."""
        self._sweep()
        return list(self._channels)

    async def receive(self, subscriber: str, wait_ms: int) -> list[Publication]:
        """What is in the buffer, waiting up to `wait_ms` for the first; LOST first if some were dropped.

        A later call ends an earlier one that still waits. Raises UnknownSubscriberError.
        """
        known = self._known(subscriber)
        known.seen_s = self._clock_s()
        known.wake(answer=False)
        if not known.buffer and not known.lost and wait_ms > 0 and not await self._wait(known, wait_ms):
            return []
        known.seen_s = self._clock_s()
        if subscriber not in self._subscribers:
            raise UnknownSubscriberError(subscriber)
        taken = [LOST, *known.buffer] if known.lost else known.buffer
        known.buffer = []
        known.bytes = 0
        known.lost = False
        return taken

    async def _wait(self, known: _Subscriber, wait_ms: int) -> bool:
        """Wait for a publication or the time; False when a later `receive` took over."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        known.waiter = waiter
        timer = loop.call_later(wait_ms / 1000, _answer, waiter, True)
        try:
            return await waiter
        finally:
            timer.cancel()
            if known.waiter is waiter:
                known.waiter = None

    def _known(self, subscriber: str) -> _Subscriber:
        try:
            return self._subscribers[subscriber]
        except KeyError:
            raise UnknownSubscriberError(subscriber) from None

    def _leave(self, subscriber: str, known: _Subscriber, channels: Sequence[str]) -> None:
        known.channels.difference_update(channels)
        for channel in channels:
            subscribers = self._channels.get(channel)
            if subscribers is not None:
                subscribers.pop(subscriber, None)
                if not subscribers:
                    del self._channels[channel]

    def _sweep(self) -> None:
        now_s = self._clock_s()
        if now_s < self._sweep_at_s:
            return
        self._sweep_at_s = now_s + min(SWEEP_EVERY_S, self._silent_s)
        for subscriber, known in list(self._subscribers.items()):
            if known.waiter is None and now_s - known.seen_s > self._silent_s:
                logger.warning("subscriber %s was silent for %.0f s and is forgotten", subscriber, now_s - known.seen_s)
                del self._subscribers[subscriber]
                self._leave(subscriber, known, list(known.channels))
