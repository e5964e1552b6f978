"""Updates embedded: the port over calls to a `Broker`, which may live in another process.

Whatever a call raises means that the broker is away. It comes back empty; then a subscription subscribes anew to
all its channels and says that publications were lost. While it is away publications are dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from storage.ports.updates import Publication, Subscription
from storage.updates.broker import LOST

logger = logging.getLogger(__name__)

# A pause after a call that failed, so that a broker that is away is not asked without end.
RETRY_PAUSE_S = 0.1


Call = Callable[..., Awaitable[Any]]  # (method of `Broker`, its arguments), wherever the broker lives


class BrokerUpdates:
    """See `storage.ports.updates.Updates`.

    `call_timeout_s` bounds every call to the broker; `max_waiting` messages wait behind a call that is under way, more
    are dropped and counted.
    """

    def __init__(self, call: Call, *, call_timeout_s: float = 2.0, max_waiting: int = 10_000) -> None:
        self._call = call
        self._call_timeout_s = call_timeout_s
        self._max_waiting = max_waiting
        self._waiting = 0
        self._lost = 0
        self._sending = asyncio.Lock()  # fair: what is published first is sent first

    @property
    def lost_publications(self) -> int:
        """See `Updates.lost_publications`."""
        return self._lost

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """See `Updates.publish`."""
        count = len(messages)
        if not count:
            return
        if self._waiting and self._waiting + count > self._max_waiting:
            self._lost += count
            return
        self._waiting += count
        sent = False
        try:
            async with self._sending, asyncio.timeout(self._call_timeout_s):
                await self._call("publish", messages)
                sent = True
        except Exception as error:
            logger.debug("%d publications lost: %r", count, error)
        finally:
            self._waiting -= count
            self._lost += 0 if sent else count

    async def listened(self) -> list[str] | None:
        """See `Updates.listened`."""
        try:
            async with asyncio.timeout(self._call_timeout_s):
                channels: list[str] = await self._call("listened")
        except Exception as error:
            logger.debug("the broker does not tell who listens: %r", error)
            return None
        return channels

    async def subscribe(self) -> Subscription:
        """See `Updates.subscribe`. When the broker is away, the subscription connects later and then announces a loss."""
        subscription = BrokerSubscription(self._call, self._call_timeout_s)
        await subscription.connect()
        return subscription

    async def close(self) -> None:
        """See `Updates.close`: there is nothing to release, subscriptions are closed by whoever made them."""


class BrokerSubscription:
    """See `storage.ports.updates.Subscription`. One `receive` at a time."""

    def __init__(self, call: Call, call_timeout_s: float) -> None:
        self._call = call
        self._call_timeout_s = call_timeout_s
        self._channels: dict[str, None] = {}  # in the order of their subscription
        self._id = ""  # empty: not connected
        self._announce = False
        self._asking: asyncio.Future[list[Publication]] | None = None
        self._closed = False

    async def connect(self) -> bool:
        """Subscribe anew with all channels; False when the broker is away."""
        try:
            async with asyncio.timeout(self._call_timeout_s):
                subscriber = await self._call("subscribe")
                channels = list(self._channels)
                await self._call("add", subscriber, channels)
        except Exception as error:
            self._disconnect(error)
            return False
        if channels != list(self._channels):  # changed meanwhile: once more, with the new ones
            return False
        self._id = subscriber
        return True

    def _disconnect(self, error: BaseException) -> None:
        logger.debug("the broker of updates is away: %r", error)
        self._id = ""
        self._announce = True

    async def add(self, channels: Sequence[str]) -> None:
        """See `Subscription.add`. Never raises: if the broker is away, the loss is announced once it is back."""
        self._channels.update(dict.fromkeys(channels))
        await self._change("add", channels)

    async def remove(self, channels: Sequence[str]) -> None:
        """See `Subscription.remove`. What is on its way is not delivered any more."""
        known = [channel for channel in channels if channel in self._channels]
        for channel in known:
            del self._channels[channel]
        await self._change("remove", known)

    async def _change(self, method: str, channels: Sequence[str]) -> None:
        if not self._id or not channels:
            return
        try:
            async with asyncio.timeout(self._call_timeout_s):
                await self._call(method, self._id, channels)
        except Exception as error:
            self._disconnect(error)

    async def receive(self, wait_ms: int) -> list[Publication]:
        """See `Subscription.receive`."""
        if self._closed:
            return []
        if not self._id and not await self._reconnect(wait_ms):
            return []
        if self._announce:
            self._announce = False
            return [LOST]
        # A task of its own: when our caller stops waiting, what the broker has given is kept for the next call.
        subscriber = self._id
        if self._asking is None:
            self._asking = asyncio.ensure_future(self._call("receive", subscriber, wait_ms))
        await asyncio.wait({self._asking}, timeout=wait_ms / 1000 + self._call_timeout_s)
        asking, self._asking = self._asking, None
        if asking is None or self._closed:
            return []
        if not asking.done():
            asking.cancel()
            self._disconnect(TimeoutError("the broker did not answer"))
            return []
        error = asyncio.CancelledError() if asking.cancelled() else asking.exception()
        if error is not None:
            self._disconnect(error)
            return await self.receive(0) if wait_ms else []
        return [p for p in asking.result() if not p.channel or p.channel in self._channels]

    async def _reconnect(self, wait_ms: int) -> bool:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        self._announce = True
        if await self.connect():
            return True
        await asyncio.sleep(min(RETRY_PAUSE_S, wait_ms / 1000))
        return False

    async def close(self) -> None:
        """See `Subscription.close`."""
        if self._closed:
            return
        self._closed = True
        subscriber, self._id = self._id, ""
        self._channels.clear()
        if self._asking is not None:
            self._asking.cancel()
        if subscriber:
            try:
                async with asyncio.timeout(self._call_timeout_s):
                    await self._call("unsubscribe", subscriber)
            except Exception as error:  # the broker forgets a silent subscriber by itself
                logger.debug("could not unsubscribe: %r", error)
