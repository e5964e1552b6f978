"""Who serves which slot of a Redis Cluster, as its nodes tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.crc import key_slot
from redis.exceptions import ResponseError

from storage.redis_client.connection import Address, Command

SLOTS: Final = 16384
# the epoch tells which of two nodes knows more: each failover raises it, and a node that was cut off has not heard of it
MAP_COMMANDS: Final[Sequence[Command]] = (("CLUSTER", "INFO"), ("CLUSTER", "SLOTS"))


@dataclass(frozen=True, slots=True)
class SlotMap:
    """`nodes`: all that were named, replicas too."""

    epoch: int
    slots: Sequence[Address | None]
    primaries: frozenset[Address]
    nodes: frozenset[Address]

    def address_of(self, key: str) -> Address | None:
        """The node that serves a key."""
        return self.slots[key_slot(key.encode())] if self.slots else None


UNKNOWN: Final = SlotMap(-1, (), frozenset(), frozenset())


def slot_map(answers: Sequence[Any], asked: Address) -> SlotMap:
    """What a node answered to MAP_COMMANDS; one that hides its epoch counts as the oldest.

    Raises its ResponseError where it does not tell its slots.
    """
    info, ranges = answers
    if isinstance(ranges, ResponseError):
        raise ranges
    slots: list[Address | None] = [None] * SLOTS
    primaries, nodes = set(), set()
    for first, last, *served in ranges:
        # a node that does not know its own name: as we reached it
        at = [(node[0].decode() if node[0] else asked[0], int(node[1])) for node in served]
        slots[first : last + 1] = [at[0]] * (last + 1 - first)
        primaries.add(at[0])
        nodes.update(at)
    return SlotMap(_epoch(info), slots, frozenset(primaries), frozenset(nodes))


def _epoch(info: Any) -> int:
    if isinstance(info, ResponseError):
        return 0
    fields = dict(line.split(":", 1) for line in info.decode().split("\r\n") if ":" in line)
    return int(fields.get("cluster_current_epoch", 0))
