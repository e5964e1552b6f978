"""What is saved of a tournament: a whole snapshot, or what changed since the last save, a delta. So the cost follows changes, not members.

A delta follows the snapshot and the deltas that are durable: of that there is knowledge only here, after a save that was taken. So the first
save of an owner is whole, and so is the one after a save that failed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from actors.domain.codec import encode_delta, encode_snapshot, saved_part
from actors.owner.change import Change
from actors.owner.entity import Chain, Entity
from storage.ports import StoredSnapshot


class DeltaBounds(NamedTuple):
    """When a delta is saved.

    `least_members`: with fewer a whole snapshot costs about what a delta does. `most`: deltas behind a snapshot, which a recovery puts
    together; with saves 30 s apart the snapshot before is no older than what the log keeps. `rows_share`: a delta holds at most so large
    a part of the members (4: a quarter). `bytes_share`: all deltas behind a snapshot hold at most such a part of its bytes.
    """

    least_members: int = 256
    most: int = 16
    rows_share: int = 4
    bytes_share: int = 2


USUAL: Final = DeltaBounds()


def takes_delta(change: Change, bounds: DeltaBounds) -> bool:
    """Whether what changed may be saved as a delta."""
    entity = change.entity
    members, chain = len(entity.state.members), entity.chain
    return (
        chain is not None
        and chain.deltas < bounds.most
        and members >= bounds.least_members
        and len(change.slots) * bounds.rows_share <= members
        and not (change.whole or entity.erased)
    )


def next_snapshot(change: Change, bounds: DeltaBounds) -> tuple[StoredSnapshot, Chain]:
    """What to save of a tournament as it stands, and the chain that is durable then."""
    entity, state = change.entity, change.entity.state
    chain, part = entity.chain, saved_part(state)
    if chain is not None and takes_delta(change, bounds):
        delta = encode_delta(state, change.slots, chain.part)
        if delta is not None and (chain.delta_bytes + len(delta)) * bounds.bytes_share <= chain.whole_bytes:
            grown = Chain(part, chain.whole_bytes, chain.delta_bytes + len(delta), chain.deltas + 1)
            return _stored(entity, delta, chain.part.offset), grown
    data = encode_snapshot(state)
    return _stored(entity, data, None), Chain(part, len(data), 0, 0)


def _stored(entity: Entity, data: bytes, after: int | None) -> StoredSnapshot:
    state = entity.state
    return StoredSnapshot(state.tournament_id, state.partition, state.offset, data, alone=entity.erased, after=after)
