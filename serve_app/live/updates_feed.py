"""The hub's one subscription to Updates: keeps the broker's channels as the hub wants them, survives the broker, tells what was lost."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from storage.ports import Publication, Subscription, Updates

RECEIVE_WAIT_MS: Final = 1000
BACKOFF_S: Final = 1.0

logger = logging.getLogger(__name__)


class UpdatesFeed:
    """`watch` and `unwatch` say what is wanted; `deliver` gets what arrives, in order, on the running loop.

    When the subscription breaks, a new one takes its place, with all channels, and `deliver` gets a publication with
    `lost=True` for all channels (`channel=""`). Its size is that of the wanted channels, which the hub bounds.
    """

    def __init__(self, updates: Updates, deliver: Callable[[Publication], None]) -> None:
        self._updates = updates
        self._deliver = deliver
        self._wanted: dict[str, asyncio.Future[None]] = {}
        self._unready: set[str] = set()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.restarts = 0

    def start(self) -> None:
        """Begin to receive, on the running loop."""
        self._task = asyncio.create_task(self._run(), name="hub-feed")

    async def stop(self) -> None:
        """Unsubscribe from all and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def watch(self, channel: str) -> asyncio.Future[None]:
        """Want a channel; the future is done when everything published from then on is delivered (or announced as lost)."""
        future = self._wanted.get(channel)
        if future is None:
            future = self._wanted[channel] = asyncio.get_running_loop().create_future()
            self._unready.add(channel)
            self._changed.set()
        return future

    def unwatch(self, channel: str) -> None:
        """No longer want a channel; unknown ones are fine. Whoever waits for it is cancelled."""
        future = self._wanted.pop(channel, None)
        if future is not None:
            future.cancel()
            self._unready.discard(channel)
            self._changed.set()

    async def _run(self) -> None:
        while True:
            started = time.monotonic()
            try:
                subscription = await self._updates.subscribe()
                try:
                    async with asyncio.TaskGroup() as both:
                        both.create_task(self._reconcile(subscription))
                        both.create_task(self._receive(subscription))
                finally:
                    await subscription.close()
            except Exception:
                # Whatever it was, the hub goes on with a new subscription and snapshots; this line tells the operator.
                logger.exception("the updates subscription broke; subscribing anew")
            self.restarts += 1
            if time.monotonic() - started < BACKOFF_S:
                await asyncio.sleep(BACKOFF_S)

    async def _reconcile(self, subscription: Subscription) -> None:
        added: set[str] = set()
        anew = self.restarts > 0
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            add = [channel for channel in self._wanted if channel not in added]
            if add:
                await subscription.add(add)
                added.update(add)
            for channel in [channel for channel in self._unready if channel in added]:
                self._unready.discard(channel)
                self._wanted[channel].set_result(None)
            if anew:
                anew = False
                self._deliver(Publication("", b"", lost=True))
            # Wanted again while this waits: it is no longer in `added` afterwards, and so added anew.
            remove = [channel for channel in added if channel not in self._wanted]
            if remove:
                await subscription.remove(remove)
                added.difference_update(remove)

    async def _receive(self, subscription: Subscription) -> None:
        while True:
            for publication in await subscription.receive(RECEIVE_WAIT_MS):
                self._deliver(publication)
