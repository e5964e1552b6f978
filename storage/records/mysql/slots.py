"""Slots: a tournament id belongs to one of a fixed number of slots, and a table on shard 0 says which shard holds a slot.

So a shard is added by moving slots, and no tournament's slot ever changes. Each shard's database also says which shard it is: addresses
in another order than before, or of another installation, are noticed before anything is written.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.ports.errors import RecordsUnavailableError, StorageError
from storage.records.sql.dialects import WRITES, insert_new
from storage.records.sql.schema import shard_identity, shard_slots

SLOTS = 1_024
SLOT_BITS = 10
MASK = (1 << 64) - 1


class SlotMap(NamedTuple):
    """The shard of each slot, as of a version of the whole."""

    shards: tuple[int, ...]
    version: int

    def shard_of(self, tournament_id: int) -> int:
        """The shard that a tournament lies on."""
        return self.shards[slot_of(tournament_id)]


class Identity(NamedTuple):
    """Which shard of which installation a database is; `slots_version` is that of the last move of slots away from it."""

    shard: int
    installation: str
    slots_version: int


def slot_of(tournament_id: int) -> int:
    """The slot of a tournament, fixed for ever. MurmurHash3's 64-bit finalizer (Austin Appleby), the highest bits of it."""
    x = tournament_id & MASK
    x ^= x >> 33
    x = x * 0xFF51AFD7ED558CCD & MASK
    x ^= x >> 33
    x = x * 0xC4CEB9FE1A85EC53 & MASK
    x ^= x >> 33
    return x >> (64 - SLOT_BITS)


def even(shards: int) -> tuple[int, ...]:
    """The shard of each slot when an installation is new: as many slots for each, in a row."""
    return tuple(slot * shards // SLOTS for slot in range(SLOTS))


async def identify(engine: AsyncEngine, shard: int, installation: str | None, where: str) -> str:
    """See that a database is this shard of this installation (None: whichever it is), or make it so when it is new.

    Returns the installation's id. Raises StorageError.
    """
    async with engine.execution_options(**{WRITES: True}).begin() as connection:
        found = await stored_identity(connection)
        if found is None:
            new = {"id": 0, "shard": shard, "installation": installation or secrets.token_hex(16), "slots_version": 0}
            await connection.execute(insert_new(engine.dialect.name, shard_identity), [new])
            found = await stored_identity(connection)
    return check_identity(found, shard, installation, where)


def check_identity(found: Identity | None, shard: int, installation: str | None, where: str) -> str:
    """Raise StorageError unless a database is this shard of this installation (None: of any); returns the installation's id."""
    if found is None or found.shard != shard:
        raise StorageError(
            f"expected shard {shard} at {where}, found shard {found and found.shard}: see the order of addresses"
        )
    if installation is not None and found.installation != installation:
        raise StorageError(
            f"expected shard {shard} of installation {installation} at {where}, found one of {found.installation}"
        )
    return found.installation


async def stored_identity(connection: AsyncConnection) -> Identity | None:
    """What a database says of itself; None where that was not written yet."""
    columns = select(shard_identity.c.shard, shard_identity.c.installation, shard_identity.c.slots_version)
    row = (await connection.execute(columns)).first()
    return None if row is None else Identity(*row)


async def load_slots(catalog: AsyncEngine, shards: int) -> SlotMap:
    """Where slots lie, spread evenly where nothing was written yet. Raises StorageError: a shard that is not configured."""
    async with catalog.execution_options(**{WRITES: True}).begin() as connection:
        slots = await stored_slots(connection)
        if slots is None:
            new = [{"slot": slot, "shard": shard, "version": 0} for slot, shard in enumerate(even(shards))]
            await connection.execute(insert_new(catalog.dialect.name, shard_slots), new)
            slots = await stored_slots(connection)
    check_slots(slots.shards if slots else (), shards)
    return slots or SlotMap((), 0)


async def stored_slots(connection: AsyncConnection) -> SlotMap | None:
    """Where slots lie; None where that was not written yet."""
    columns = select(shard_slots.c.shard, shard_slots.c.version).order_by(shard_slots.c.slot)
    rows = (await connection.execute(columns)).all()
    return SlotMap(tuple(shard for shard, _ in rows), max(version for _, version in rows)) if rows else None


async def check_writable(connection: AsyncConnection, version: int) -> None:
    """Within a transaction that writes: see that no slot left this shard since `version`, and keep it so until the end.

    Raises RecordsUnavailableError: who opens the store anew knows where slots lie now.
    """
    statement = select(shard_identity.c.slots_version).with_for_update(read=True)
    needed = await connection.scalar(statement)
    if needed is None or needed > version:
        raise RecordsUnavailableError(
            f"slots have moved since this process read where they lie (version {version}, now {needed})"
        )


def check_slots(slots: Sequence[int], shards: int) -> None:
    """Raise StorageError unless each slot lies on a shard that there is."""
    if len(slots) != SLOTS:
        raise StorageError(f"expected {SLOTS} slots in {shard_slots.name}, found {len(slots)}")
    strangers = sorted(set(slots) - set(range(shards)))
    if strangers:
        raise StorageError(f"slots lie on shards {strangers}, but addresses are configured of {shards} shards")
