"""The `Updates` port of the in-process Palio: a broker of bounded queues."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from storage.ports import Publication


class InProcessUpdates:
    """`Updates`: a broker of bounded queues; `broken` makes receiving raise, as a broker that is away."""

    def __init__(self, max_kept: int = 1000) -> None:
        self._subscriptions: list[InProcessSubscription] = []
        self._max_kept = max_kept
        self.broken = False
        self.lost_publications = 0

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        for channel, payload in messages:
            for subscription in self._subscriptions:
                subscription.offer(Publication(channel, payload))

    async def listened(self) -> list[str]:
        return sorted({channel for subscription in self._subscriptions for channel in subscription.channels})

    async def subscribe(self) -> InProcessSubscription:
        subscription = InProcessSubscription(self, self._max_kept)
        self._subscriptions.append(subscription)
        return subscription

    async def close(self) -> None:
        """Nothing to release."""

    def forget(self, subscription: InProcessSubscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)


class InProcessSubscription:
    def __init__(self, broker: InProcessUpdates, max_kept: int) -> None:
        self._broker = broker
        self.channels: set[str] = set()
        self._kept: list[Publication] = []
        self._max_kept = max_kept
        self._some = asyncio.Event()

    def offer(self, publication: Publication) -> None:
        if publication.channel not in self.channels:
            return
        if len(self._kept) >= self._max_kept:
            self._kept = [Publication("", b"", lost=True)]
        self._kept.append(publication)
        self._some.set()

    async def add(self, channels: Sequence[str]) -> None:
        self.channels.update(channels)

    async def remove(self, channels: Sequence[str]) -> None:
        self.channels.difference_update(channels)

    async def receive(self, wait_ms: int) -> list[Publication]:
        if self._broker.broken:
            raise ConnectionError("the broker is away")
        if not self._kept:
            self._some.clear()
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    await self._some.wait()
            except TimeoutError:
                return []
        kept, self._kept = self._kept, []
        return kept

    async def close(self) -> None:
        self._broker.forget(self)
