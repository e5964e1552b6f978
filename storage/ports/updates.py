"""Updates: the transient stream from owners to gateways (`tournament:{id}:updates`) and of replies to waiting entrypoints.

Guarantees
- Order: what one publisher publishes on a channel arrives in that order.
- Duplicates: none.
- Loss: possible, and then announced where it can be: a subscription that lost publications (its bounded buffer was full, its
  connection was cut) returns a publication with `lost=True` for the channel, or for all (`channel=""`); the subscriber
  fetches a snapshot. A publication on a channel without subscribers is dropped. Nothing is kept for later subscribers.
- A publisher never waits for a slow subscriber.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Publication(NamedTuple):
    """One message of a channel; `lost` says that publications before it are missing (then payload may be empty)."""

    channel: str
    payload: bytes
    lost: bool = False


class Subscription(Protocol):
    """A subscriber's own bounded buffer over the channels it asked for."""

    async def add(self, channels: Sequence[str]) -> None:
        """Subscribe; when this returns, everything published on them from now on is delivered or announced as lost."""

    async def remove(self, channels: Sequence[str]) -> None:
        """Unsubscribe; unknown channels are fine."""

    async def receive(self, wait_ms: int) -> list[Publication]:
        """What arrived since the last call, in order; waits up to `wait_ms` for the first."""

    async def close(self) -> None:
        """Unsubscribe from all. A second call does nothing."""


class Updates(Protocol):
    """See the module's guarantees."""

    @property
    def lost_publications(self) -> int:
        """Messages of this process that did not reach the broker, or not surely; it only grows."""

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish (channel, payload) pairs, in order. Never raises for a missing or slow broker: it counts the loss."""

    async def listened(self) -> Sequence[str] | None:
        """The channels that somebody is subscribed to now, anyone's; None when the broker does not tell. What is published to others is
        heard by nobody. Never raises."""

    async def subscribe(self) -> Subscription:
        """A new subscription, without channels yet."""

    async def close(self) -> None:
        """Release connections. Close the subscriptions first. A second call does nothing."""
