"""Slots: a tournament id belongs to one of a fixed number of slots, and a table on shard 0 says which shard holds a slot.

So a shard is added by moving slots, and no tournament's slot ever changes. Each shard's database also says which shard it is: addresses
in another order than before, or of another installation, are noticed before anything is written.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.base.errors import StorageError
from storage.records_engines import WRITES, insert_new
from storage.records_schema import shard_identity, shard_slots

SLOTS = 1_024
SLOT_BITS = 10
MASK = (1 << 64) - 1


def slot_of(tournament_id: int) -> int:
    """The slot of a tournament, fixed for ever. MurmurHash3's 64-bit finalizer (Austin Appleby), the highest bits of it."""
    x = tournament_id & MASK
    x ^= x >> 33
    x = x * 0xFF51AFD7ED558CCD & MASK
    x ^= x >> 33
    x = x * 0xC4CEB9FE1A85EC53 & MASK
    x ^= x >> 33
    return x >> (64 - SLOT_BITS)


def even(shards: int) -> list[int]:
    """The shard of each slot when an installation is new: as many slots for each, in a row."""
    return [slot * shards // SLOTS for slot in range(SLOTS)]


async def identify(engine: AsyncEngine, shard: int, installation: str | None, where: str) -> str:
    """See that a database is this shard of this installation (None: whichever it is), or make it so when it is new.

    Returns the installation's id. Raises StorageError.
    """
    async with engine.execution_options(**{WRITES: True}).begin() as connection:
        found = await _identity(connection)
        if found is None:
            new = {"id": 0, "shard": shard, "installation": installation or secrets.token_hex(16)}
            await connection.execute(insert_new(engine.dialect.name, shard_identity), [new])
            found = await _identity(connection)
    if found is None or found[0] != shard:
        raise StorageError(
            f"expected shard {shard} at {where}, found shard {found and found[0]}: see the order of addresses"
        )
    if installation is not None and found[1] != installation:
        raise StorageError(f"expected shard {shard} of installation {installation} at {where}, found one of {found[1]}")
    return found[1]


async def _identity(connection: AsyncConnection) -> tuple[int, str] | None:
    row = (await connection.execute(select(shard_identity.c.shard, shard_identity.c.installation))).first()
    return None if row is None else (row[0], row[1])


async def load_slots(catalog: AsyncEngine, shards: int) -> list[int]:
    """The shard of each slot, spread evenly where nothing was written yet. Raises StorageError: a shard that is not configured."""
    async with catalog.execution_options(**{WRITES: True}).begin() as connection:
        columns = select(shard_slots.c.slot, shard_slots.c.shard).order_by(shard_slots.c.slot)
        rows = (await connection.execute(columns)).all()
        if not rows:
            new = [{"slot": slot, "shard": shard} for slot, shard in enumerate(even(shards))]
            await connection.execute(insert_new(catalog.dialect.name, shard_slots), new)
            rows = (await connection.execute(columns)).all()
    slots = [shard for _, shard in rows]
    check_slots(slots, shards)
    return slots


def check_slots(slots: Sequence[int], shards: int) -> None:
    """Raise StorageError unless each slot lies on a shard that there is."""
    if len(slots) != SLOTS:
        raise StorageError(f"expected {SLOTS} slots in {shard_slots.name}, found {len(slots)}")
    strangers = sorted(set(slots) - set(range(shards)))
    if strangers:
        raise StorageError(f"slots lie on shards {strangers}, but addresses are configured of {shards} shards")
