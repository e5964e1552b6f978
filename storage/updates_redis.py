"""Updates over Redis: plain channels on a single one, sharded channels on a cluster, where only a channel's own shard carries it.

Redis keeps nothing for a subscriber that is not there. So whatever makes a channel silent (a lost connection, a slot that moved, a failover)
is announced as lost once the channel is subscribed again. Losses of a publisher are counted; subscribers notice them by comparing positions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from storage.base.updates import Subscription
from storage.redis_nodes import RedisConfig, RedisNodes
from storage.updates_redis_subscription import RedisSubscription

logger = logging.getLogger(__name__)


class RedisUpdates:
    """Implements Updates. `max_waiting` messages wait behind a publication that is under way, more are dropped and counted.

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
        self._call_timeout_s = call_timeout_s
        self._max_waiting = max_waiting
        self._max_buffered = max_buffered
        self._max_buffered_bytes = max_buffered_bytes
        self._waiting = 0
        self._lost = 0
        self._sending = asyncio.Lock()  # fair: what is published first is sent first
        self._subscriptions: set[RedisSubscription] = set()

    @property
    def lost_publications(self) -> int:
        """Messages that did not reach Redis, or not surely."""
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
        sent = 0
        try:
            async with asyncio.timeout(self._call_timeout_s), self._sending:
                answers = await self._nodes.call([(channel, (self._word, channel, data)) for channel, data in messages])
            failed = [answer for answer in answers if isinstance(answer, Exception)]
            sent = count - len(failed)
            if failed:
                logger.debug("%d publications lost: %s", len(failed), failed[0])
        except TimeoutError:
            logger.debug("%d publications lost: Redis does not answer", count)
        finally:
            self._waiting -= count
            self._lost += count - sent

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
        await self._nodes.close()
