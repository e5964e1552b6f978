"""`UpdatesActor`: the broker of the embedded Palio as a Ray actor, and the connection to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cluster.actors.handles import Handles
from cluster.config.settings import Settings
from cluster.startup.ports import UPDATES
from storage.updates.broker import Broker
from storage.updates.embedded import BrokerUpdates

if TYPE_CHECKING:
    from storage.updates.redis import RedisUpdates


class UpdatesActor(Broker):
    """The broker; transient by contract: when it restarts, subscribers notice and fetch snapshots."""

    async def ready(self) -> bool:
        """True once it runs."""
        return True


def connect_updates(settings: Settings) -> BrokerUpdates | RedisUpdates:
    """The Updates port: Redis if it is configured, else the actor. To be closed by whoever opens it."""
    redis = settings.redis()
    if redis is None:
        return BrokerUpdates(partial(Handles().call, UPDATES))
    from storage.updates.redis import RedisUpdates

    return RedisUpdates(redis)
