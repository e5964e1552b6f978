"""Updates over Redis: plain channels on a single one, sharded channels on a cluster, where only a channel's own shard carries it.

Redis keeps nothing for a subscriber that is not there. So whatever makes a channel silent (a lost connection, a slot that moved, a failover)
is announced as lost once the channel is subscribed again. Losses of a publisher are counted; subscribers notice them by comparing positions.

What goes to a node goes in order, and beside what goes to the others: a node that hangs holds up its own channels alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from storage.ports.updates import Subscription
from storage.redis_client.cluster import RedisNodes
from storage.redis_client.connection import Address, RedisConfig
from storage.updates.redis_subscription import RedisSubscription

logger = logging.getLogger(__name__)

PATIENCE_S: Final = 0.1  # a publisher waits so long for a node that is slow, once; what goes there then waits by itself


@dataclass(slots=True)
class _Lane:
    """What is under way to one node. `turn` is fair: what is published first is sent first. `waiting`: messages. `late`: nobody waits for it."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    late: bool = False


class RedisUpdates:
    """Implements Updates. `max_waiting` messages wait for a node's answers, more are dropped and counted.

    `call_timeout_s` bounds a publication and a change of a subscription; a subscription's buffer holds `max_buffered` publications or
    `max_buffered_bytes`: when it is full all of it is dropped and announced as lost.
    """

    def __init__(
        self,
        redis: RedisConfig,
        *,
        call_timeout_s: float = 2.0,
        max_waiting: int = 10_000,
        max_buffered: int = 10_000,
        max_buffered_bytes: int = 16 << 20,
    ) -> None:
        self._nodes = RedisNodes(redis)
        self._word = "SPUBLISH" if redis.cluster else "PUBLISH"
        self._which = ("PUBSUB", "SHARDCHANNELS" if redis.cluster else "CHANNELS")
        self._call_timeout_s = call_timeout_s
        self._max_waiting = max_waiting
        self._max_buffered = max_buffered
        self._max_buffered_bytes = max_buffered_bytes
        self._lost = 0
        self._lanes: dict[Address | None, _Lane] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._changes = 0  # of the map of slots, up to which all went in order
        self._subscriptions: set[RedisSubscription] = set()

    @property
    def lost_publications(self) -> int:
        """Messages that did not reach Redis, or not surely."""
        return self._lost

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """See `Updates.publish`."""
        if not messages:
            return
        try:
            async with asyncio.timeout(self._call_timeout_s):
                await self._await_map()
        except TimeoutError:
            logger.debug("%d publications lost: Redis does not answer", len(messages))
            self._lost += len(messages)
            return
        groups: dict[Address | None, list[tuple[str, bytes]]] = {}
        for message in messages:
            groups.setdefault(self._nodes.address_of(message[0]), []).append(message)
        started = [self._start(address, group) for address, group in groups.items()]
        await self._await_answers([each for each in started if each is not None])

    async def _await_map(self) -> None:
        """Until it is known who serves what. Where that has changed, what is under way to the nodes of before goes first."""
        await self._nodes.ensure_topology()
        while self._changes != self._nodes.changes:
            if self._under_way:
                await asyncio.wait(set(self._under_way))
            else:
                self._changes = self._nodes.changes

    def _start(
        self, address: Address | None, messages: Sequence[tuple[str, bytes]]
    ) -> tuple[_Lane, asyncio.Task[None]] | None:
        """Send to one node, after what is under way there; None when too much is."""
        lane, count = self._lanes.setdefault(address, _Lane()), len(messages)
        if lane.waiting and lane.waiting + count > self._max_waiting:
            self._lost += count
            return None
        lane.waiting += count
        task = asyncio.create_task(self._send(lane, messages))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return lane, task

    async def _await_answers(self, started: Sequence[tuple[_Lane, asyncio.Task[None]]]) -> None:
        awaited = {task: lane for lane, task in started if not lane.late}
        if awaited:
            _, slow = await asyncio.wait(awaited, timeout=PATIENCE_S)
            for task in slow:
                awaited[task].late = True

    async def _send(self, lane: _Lane, messages: Sequence[tuple[str, bytes]]) -> None:
        count, sent = len(messages), 0
        try:
            async with asyncio.timeout(self._call_timeout_s), lane.turn:
                answers = await self._nodes.call([(channel, (self._word, channel, data)) for channel, data in messages])
            failed = [answer for answer in answers if isinstance(answer, Exception)]
            sent = count - len(failed)
            if failed:
                logger.debug("%d publications lost: %s", len(failed), failed[0])
        except TimeoutError:
            logger.debug("%d publications lost: Redis does not answer", count)
        finally:
            self._lost += count - sent
            lane.waiting -= count
            lane.late = lane.late and lane.waiting > 0

    async def listened(self) -> list[str] | None:
        """See `Updates.listened`. Whoever subscribes by a pattern is not seen. Of a cluster what those nodes tell that answer."""
        try:
            async with asyncio.timeout(self._call_timeout_s):
                await self._nodes.ensure_topology()
                asked = [self._nodes.link(address).call([self._which]) for address in self._nodes.primaries]
                answers = await asyncio.gather(*asked, return_exceptions=True)
        except TimeoutError:
            return None
        told = [answer[0] for answer in answers if isinstance(answer, list) and isinstance(answer[0], list)]
        return [channel.decode() for channels in told for channel in channels] if told else None

    async def subscribe(self) -> Subscription:
        """See `Updates.subscribe`. When Redis is away, the subscription connects later and then announces a loss."""
        subscription = RedisSubscription(
            self._nodes, self._call_timeout_s, self._max_buffered, self._max_buffered_bytes, self._subscriptions.discard
        )
        self._subscriptions.add(subscription)
        return subscription

    async def close(self) -> None:
        """Close all subscriptions and connections. A second call does nothing."""
        for subscription in list(self._subscriptions):
            await subscription.close()
        for task in list(self._under_way):
            task.cancel()
        await self._nodes.close()
