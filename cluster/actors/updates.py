"""`UpdatesActor`: the broker of the embedded Palio as a Ray actor, and the connection to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cluster.actors.handles import Handles
from cluster.config.settings import Settings
from cluster.startup.ports import UPDATES
from storage.ports import Publication
from storage.updates.broker import Broker
from storage.updates.embedded import BrokerUpdates

if TYPE_CHECKING:
    from storage.updates.redis import RedisUpdates


class UpdatesActor:
    """The broker; transient by contract: when it restarts, subscribers notice and fetch snapshots."""

    def __init__(self) -> None:
        self._broker = Broker()

    async def ready(self) -> bool:
        """True once it runs."""
        return True

    async def subscribe(self) -> str:
        """See Broker.subscribe."""
        return await self._broker.subscribe()

    async def unsubscribe(self, subscriber: str) -> None:
        """See Broker.unsubscribe."""
        await self._broker.unsubscribe(subscriber)

    async def add(self, subscriber: str, channels: Sequence[str]) -> None:
        """See Broker.add."""
        await self._broker.add(subscriber, channels)

    async def remove(self, subscriber: str, channels: Sequence[str]) -> None:
        """See Broker.remove."""
        await self._broker.remove(subscriber, channels)

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """See Broker.publish."""
        await self._broker.publish(messages)

    async def receive(self, subscriber: str, wait_ms: int) -> list[Publication]:
        """See Broker.receive."""
        return await self._broker.receive(subscriber, wait_ms)


class _RemoteBroker:
    """The broker's methods as calls to the actor."""

    def __init__(self) -> None:
        self._handles = Handles()

    async def subscribe(self) -> str:
        answer: str = await self._handles.call(UPDATES, "subscribe")
        return answer

    async def unsubscribe(self, subscriber: str) -> None:
        await self._handles.call(UPDATES, "unsubscribe", subscriber)

    async def add(self, subscriber: str, channels: Sequence[str]) -> None:
        await self._handles.call(UPDATES, "add", subscriber, list(channels))

    async def remove(self, subscriber: str, channels: Sequence[str]) -> None:
        await self._handles.call(UPDATES, "remove", subscriber, list(channels))

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        await self._handles.call(UPDATES, "publish", list(messages))

    async def receive(self, subscriber: str, wait_ms: int) -> list[Publication]:
        answer: list[Publication] = await self._handles.call(UPDATES, "receive", subscriber, wait_ms)
        return answer


def connect_updates(settings: Settings) -> BrokerUpdates | RedisUpdates:
    """The Updates port: Redis if it is configured, else the actor. To be closed by whoever opens it."""
    redis = settings.redis()
    if redis is None:
        return BrokerUpdates(_RemoteBroker())
    from storage.updates.redis import RedisUpdates

    return RedisUpdates(redis)
