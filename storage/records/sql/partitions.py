"""Which shard holds a partition of the log, and with it all of its tournaments.

Each shard's database has a row for every partition. The row of the shard that holds a partition decides: it is looked at within each
transaction, so nothing is saved, and nothing taken for the truth, where the partition no longer is. The rows of the other shards are
hints; of several the one with the highest version is the newest. So to know where a partition lies any one shard is enough.

Each database also says which shard it is: addresses in another order than before, or of another installation, are noticed before
anything is written.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.ports.errors import RecordsUnavailableError, StorageError
from storage.records.sql.dialects import WRITES, insert_new
from storage.records.sql.schema import shard_identity, shard_partitions


class Place(NamedTuple):
    """The shard that holds a partition, as of a version; `moving_to`: it is being moved there, and is not saved to meanwhile."""

    shard: int
    version: int = 0
    moving_to: int | None = None


class Identity(NamedTuple):
    """Which shard of which installation a database is."""

    shard: int
    installation: str


class PlacedElsewhereError(StorageError):
    """The asked shard does not hold the partition; `place` is what it knows of it."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


class Held:
    """What one shard holds of an installation's `partitions`, looked up within transactions."""

    def __init__(self, shard: int, partitions: int) -> None:
        self.shard = shard
        self.partitions = partitions

    async def check(self, connection: AsyncConnection, partition: int, *, saving: bool = False) -> None:
        """See that the shard holds a partition; who is `saving` also keeps it so until the transaction ends.

        Raises PlacedElsewhereError, and, when it is being moved, RecordsUnavailableError to who is saving.
        """
        place = await stored_place(connection, partition, share=saving)
        if place is None or place.shard != self.shard:
            place = place or Place(self.shard, -1)
            raise PlacedElsewhereError(f"partition {partition} lies on shard {place.shard}, not on {self.shard}", place)
        if saving and place.moving_to is not None:
            raise RecordsUnavailableError(f"partition {partition} is being moved to shard {place.moving_to}")

    async def all(self, connection: AsyncConnection) -> list[int]:
        """The partitions held now."""
        places = await stored_places(connection)
        return [partition for partition, place in places.items() if place.shard == self.shard]


PLACE = (shard_partitions.c.shard, shard_partitions.c.version, shard_partitions.c.moving_to)


async def stored_place(
    connection: AsyncConnection, partition: int, *, share: bool = False, lock: bool = False
) -> Place | None:
    """What a database knows of a partition; with `share` or `lock` nobody changes it before the transaction ends."""
    statement = select(*PLACE).where(shard_partitions.c.log_partition == partition)
    if share or lock:
        statement = statement.with_for_update(read=share)
    row = (await connection.execute(statement)).first()
    return None if row is None else Place(*row)


async def stored_places(connection: AsyncConnection) -> dict[int, Place]:
    """What a database knows of each partition; empty before the first start."""
    rows = await connection.execute(select(shard_partitions.c.log_partition, *PLACE))
    return {partition: Place(*place) for partition, *place in rows}


def newest(known: Iterable[Mapping[int, Place]]) -> dict[int, Place]:
    """Of what several shards know, what is as of the highest version."""
    places: dict[int, Place] = {}
    for some in known:
        for partition, place in some.items():
            if partition not in places or place.version > places[partition].version:
                places[partition] = place
    return dict(sorted(places.items()))


def even(partitions: int, shards: int) -> dict[int, Place]:
    """Where partitions lie when an installation is new: as many on each shard, in a row."""
    return {partition: Place(partition * shards // partitions) for partition in range(partitions)}


async def add_places(engine: AsyncEngine, places: Mapping[int, Place]) -> None:
    """Tell a database of partitions that it does not know."""
    rows = [{"log_partition": partition, **place._asdict()} for partition, place in places.items()]
    async with engine.execution_options(**{WRITES: True}).begin() as connection:
        await connection.execute(insert_new(engine.dialect.name, shard_partitions), rows)


def check_places(places: Mapping[int, Place], partitions: int, shards: int) -> None:
    """Raise StorageError unless there are as many partitions as expected, each on a shard that there is."""
    if sorted(places) != list(range(partitions)):
        raise StorageError(f"expected {partitions} partitions (PALIO_PARTITIONS) in the records, found {len(places)}")
    strangers = sorted({place.shard for place in places.values()} - set(range(shards)))
    if strangers:
        raise StorageError(f"partitions lie on shards {strangers}, but addresses are configured of {shards} shards")


async def identify(engine: AsyncEngine, shard: int, installation: str | None, where: str) -> str:
    """See that a database is this shard of this installation (None: whichever it is), or make it so when it is new.

    Returns the installation's id. Raises StorageError.
    """
    async with engine.execution_options(**{WRITES: True}).begin() as connection:
        found = await stored_identity(connection)
        if found is None:
            new: dict[str, Any] = {"id": 0, "shard": shard, "installation": installation or secrets.token_hex(16)}
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
    row = (await connection.execute(select(shard_identity.c.shard, shard_identity.c.installation))).first()
    return None if row is None else Identity(*row)
