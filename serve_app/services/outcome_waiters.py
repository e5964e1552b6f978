"""`Prefer: wait`: requests that wait until an owner has applied their record and answered on this process's replies channel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec

from actors.domain.publications import OutcomeReply, decode_outcomes, replies_channel
from serve_app.metrics import WAITERS
from storage.ports import Subscription, Updates

logger = logging.getLogger(__name__)
EARLY_S: Final = 2.0  # how long a reply is kept that came before its append returned
RECEIVE_WAIT_MS: Final = 1000
RETRY_S: Final = 0.5


class Waiters:
    """A bounded registry by (partition, offset). Beyond `max_waiters` nobody waits: the answer is then 202 at once.

    An owner may answer before `append` has returned the offset here: replies nobody waits for yet are kept for EARLY_S,
    at most `max_waiters` of them, the oldest dropped.
    """

    def __init__(
        self, updates: Updates, replica_id: str, max_waiters: int, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.channel = replies_channel(replica_id)
        self._updates = updates
        self._max = max_waiters
        self._monotonic_s = monotonic_s
        self._waiting: dict[tuple[int, int], asyncio.Future[OutcomeReply | None]] = {}
        self._early: OrderedDict[tuple[int, int], tuple[float, OutcomeReply]] = OrderedDict()
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def open(self) -> None:
        """Subscribe and begin to receive."""
        self._subscription = await self._subscribe()
        self._task = asyncio.create_task(self._receive(), name="replies")

    async def close(self) -> None:
        """Stop; who still waits is told that nothing is known. A second call does nothing."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.close()
            self._subscription = None
        for future in self._waiting.values():
            if not future.done():
                future.set_result(None)

    def __len__(self) -> int:
        return len(self._waiting)

    def reply_to(self, wait_s: float) -> str:
        """The channel to put into a record whose outcome is waited for; empty for no wait, or when too many wait."""
        return self.channel if wait_s > 0 and len(self._waiting) < self._max else ""

    @property
    def healthy(self) -> bool:
        """Whether replies are being received."""
        return self._task is not None and not self._task.done()

    async def wait(self, partition: int, offset: int, timeout_s: float) -> OutcomeReply | None:
        """The outcome of a record, or None when it is not known in time."""
        key = (partition, offset)
        early = self._early.pop(key, None)
        if early is not None:
            return early[1]
        if timeout_s <= 0 or len(self._waiting) >= self._max or key in self._waiting or not self.healthy:
            return None
        loop = asyncio.get_running_loop()
        future: asyncio.Future[OutcomeReply | None] = loop.create_future()
        self._waiting[key] = future
        timer = loop.call_later(timeout_s, _give_up, future)
        WAITERS.inc()
        try:
            return await future
        finally:
            timer.cancel()
            WAITERS.dec()
            del self._waiting[key]

    def settle(self, replies: list[OutcomeReply]) -> None:
        """Hand replies to those who wait; keep the others for a short while."""
        now = self._monotonic_s()
        for reply in replies:
            key = (reply.partition, reply.offset)
            future = self._waiting.get(key)
            if future is None:
                self._early[key] = (now, reply)
            elif not future.done():
                future.set_result(reply)
        early = self._early
        while early:
            kept_s, _ = next(iter(early.values()))
            if now - kept_s < EARLY_S and len(early) <= self._max:
                break
            early.popitem(last=False)

    async def _subscribe(self) -> Subscription:
        subscription = await self._updates.subscribe()
        await subscription.add([self.channel])
        return subscription

    async def _receive(self) -> None:
        """Receive until closed; when the broker fails, subscribe anew (who waited meanwhile gets 202).

        The flag is looked at beside the cancellation, which `asyncio.wait_for` of Python 3.11 may swallow in a port.
        """
        while not self._closed:
            try:
                if self._subscription is None:
                    self._subscription = await self._subscribe()
                for publication in await self._subscription.receive(RECEIVE_WAIT_MS):
                    if publication.payload:
                        self._read(publication.payload)
            except Exception:  # the broker's own errors: any of them means to subscribe again
                logger.warning("replies are not being received, subscribing again", exc_info=True)
                broken, self._subscription = self._subscription, None
                if broken is not None:
                    await asyncio.gather(broken.close(), return_exceptions=True)
                await asyncio.sleep(RETRY_S)

    def _read(self, payload: bytes) -> None:
        try:
            self.settle(decode_outcomes(payload))
        except (msgspec.ValidationError, msgspec.DecodeError):
            logger.warning("a reply of %d bytes cannot be read; dropped", len(payload))


def _give_up(future: asyncio.Future[OutcomeReply | None]) -> None:
    if not future.done():
        future.set_result(None)
