"""A subscription over Redis: a connection to each node that serves one of its channels, and one bounded buffer.

`_placed` says which connection carries which channel. What is subscribed and not placed is placed by a task that goes on until it succeeds, and
then announces it as lost: only from then on is a snapshot followed by everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from storage.ports.updates import Publication
from storage.redis_client.channel_connection import RedisLine
from storage.redis_client.cluster import RedisNodes
from storage.redis_client.connection import Address
from storage.redis_client.errors import RedisAwayError

logger = logging.getLogger(__name__)

LOST: Final = Publication("", b"", lost=True)
LOST_ONE_BY_ONE: Final = 256  # of more channels at a time the loss is announced for all
CHECK_EVERY_S: Final = (
    1.0  # a connection is asked for a sign of life: a node that hangs must be noticed before its replica takes over
)
RETRY_MIN_S: Final = 0.05  # between attempts to subscribe again, doubling up to RETRY_MAX_S, jittered
RETRY_MAX_S: Final = 0.3


class RedisSubscription:
    """See `storage.ports.updates.Subscription`. One `receive` at a time. `on_close` is called with it once it is closed."""

    def __init__(
        self,
        nodes: RedisNodes,
        call_timeout_s: float,
        max_buffered: int,
        max_buffered_bytes: int,
        on_close: Callable[[RedisSubscription], None],
    ) -> None:
        self._nodes = nodes
        self._call_timeout_s = call_timeout_s
        self._max_buffered = max_buffered
        self._max_buffered_bytes = max_buffered_bytes
        self._on_close = on_close
        self._channels: dict[str, None] = {}  # in the order of their subscription
        self._placed: dict[str, RedisLine] = {}
        self._lines: dict[Address, RedisLine] = {}
        self._changing = asyncio.Lock()
        self._buffer: list[Publication] = []
        self._bytes = 0
        self._overrun = False
        self._arrived = asyncio.Event()
        self._silent = asyncio.Event()
        self._closed = False
        self._checking = asyncio.create_task(self._check_regularly())

    async def add(self, channels: Sequence[str]) -> None:
        """See `Subscription.add`. Never raises: what could not be subscribed in time is announced as lost once it is."""
        if self._closed:
            return
        self._channels.update(dict.fromkeys(channels))
        try:
            async with asyncio.timeout(self._call_timeout_s), self._changing:
                missing = [c for c in dict.fromkeys(channels) if c in self._channels and c not in self._placed]
                await self._place(missing)
        except TimeoutError:
            logger.debug("Redis does not answer to a subscription")
        finally:
            if any(channel not in self._placed for channel in channels):
                self._silent.set()

    async def remove(self, channels: Sequence[str]) -> None:
        """See `Subscription.remove`. What is on its way is not delivered any more."""
        for channel in channels:
            self._channels.pop(channel, None)
        try:
            async with asyncio.timeout(self._call_timeout_s), self._changing:
                await self._unplace(channels)
        except TimeoutError:
            logger.debug("Redis does not answer to the end of a subscription")
            self._silent.set()

    async def receive(self, wait_ms: int) -> list[Publication]:
        """See `Subscription.receive`."""
        if not self._arrived.is_set() and not self._closed and wait_ms > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    await self._arrived.wait()
        if self._closed:
            return []
        self._arrived.clear()
        taken, self._buffer, self._bytes = self._buffer, [], 0
        found = [
            publication for publication in taken if not publication.channel or publication.channel in self._channels
        ]
        if self._overrun:
            self._overrun = False
            return [LOST, *found]
        return found

    async def close(self) -> None:
        """See `Subscription.close`."""
        if self._closed:
            return
        self._closed = True
        self._arrived.set()
        self._checking.cancel()
        self._channels.clear()
        for line in list(self._lines.values()):
            await line.close()
        self._on_close(self)

    # -- placing --------------------------------------------------------------------------------------------------

    async def _place(self, channels: Iterable[str]) -> list[str]:
        """Subscribe channels where they are served, by what is known; returns those that were confirmed. Never raises.

        A node that is away is left alone: the others would wait for it.
        """
        await self._nodes.ensure_topology()
        groups: dict[Address, list[str]] = {}
        for channel in channels:
            address = self._nodes.address_of(channel)
            if address is not None and not self._nodes.is_away(address):
                groups.setdefault(address, []).append(channel)
        found = await asyncio.gather(*(self._place_at(address, group) for address, group in groups.items()))
        return [channel for placed in found for channel in placed]

    async def _place_at(self, address: Address, channels: list[str]) -> list[str]:
        try:
            line = await self._line(address)
            confirmed = await line.subscribe(channels)
        except RedisAwayError as error:
            logger.debug("%s", error)
            self._nodes.mark_stale()
            return []
        for channel in confirmed:
            self._placed[channel] = line  # also one that was removed meanwhile: whoever removes it comes after us
        if line.lost:  # between the answer and now
            self._on_silent(line, confirmed)
            return []
        return confirmed

    async def _unplace(self, channels: Iterable[str]) -> None:
        """End the subscription of those of these channels that nobody wants any more."""
        lines: dict[RedisLine, list[str]] = {}
        for channel in channels:
            if channel not in self._channels and channel in self._placed:
                lines.setdefault(self._placed.pop(channel), []).append(channel)
        for line, known in lines.items():
            with contextlib.suppress(RedisAwayError):
                await line.unsubscribe(known)

    async def _line(self, address: Address) -> RedisLine:
        line = self._lines.get(address)
        if line is None or line.lost:
            connection = self._nodes.connection(address)
            line = RedisLine(self._nodes.config, address, connection, self._on_message, self._on_silent)
            await line.connect()
            self._lines[address] = line
        return line

    async def _check_regularly(self) -> None:
        """Place what is not placed, again and again until it is; check connections that say nothing."""
        pause_s, checked_s = RETRY_MIN_S, time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_EVERY_S):
                    await self._silent.wait()
            self._silent.clear()
            try:
                async with asyncio.timeout(2 * self._call_timeout_s):
                    await self._reach_missing()
                    async with self._changing:
                        left = await self._place_again()
            except TimeoutError:
                left = True
            if left:
                self._silent.set()
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
            pause_s = min(2 * pause_s, RETRY_MAX_S) if left else RETRY_MIN_S
            if time.monotonic() - checked_s >= CHECK_EVERY_S / 2:
                await self._check_lines()
                checked_s = time.monotonic()

    async def _reach_missing(self) -> None:
        """Look who serves what is not placed, and whether they answer: beside the changes, which a node that hangs must not hold up."""
        missing = [channel for channel in self._channels if channel not in self._placed]
        if missing:
            await self._nodes.refresh()
            found = {self._nodes.address_of(channel) for channel in missing}
            await asyncio.gather(*(self._nodes.reaches(address) for address in found if address is not None))

    async def _place_again(self) -> bool:
        """Place what is missing and announce it as lost; returns whether some is still missing."""
        await self._unplace([channel for channel in self._placed if channel not in self._channels])
        missing = [channel for channel in self._channels if channel not in self._placed]
        if not missing:
            return False
        placed = [channel for channel in await self._place(missing) if channel in self._channels]
        if len(placed) > LOST_ONE_BY_ONE:
            self._put(LOST)
        else:
            for channel in placed:
                self._put(Publication(channel, b"", lost=True))
        return len(placed) < len(missing)

    async def _check_lines(self) -> None:
        async def check(address: Address, line: RedisLine) -> None:
            if not line.lost:
                with contextlib.suppress(RedisAwayError):
                    await line.check()
            if line.lost and self._lines.get(address) is line:
                del self._lines[address]

        await asyncio.gather(*(check(address, line) for address, line in list(self._lines.items())))

    # -- what the connections tell --------------------------------------------------------------------------------

    def _on_message(self, channel: str, payload: bytes) -> None:
        self._put(Publication(channel, payload))

    def _on_silent(self, line: RedisLine, channels: Sequence[str]) -> None:
        for channel in channels:
            if self._placed.get(channel) is line:
                del self._placed[channel]
        if channels and not self._closed:
            self._silent.set()

    def _put(self, publication: Publication) -> None:
        self._buffer.append(publication)
        self._bytes += len(publication.payload)
        if len(self._buffer) > self._max_buffered or self._bytes > self._max_buffered_bytes:
            self._buffer = []
            self._bytes = 0
            self._overrun = True
        self._arrived.set()
