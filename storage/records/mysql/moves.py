"""Moving partitions between shards, while Palio runs or not: how a shard is added, or emptied.

Each step can run again, so a move that was cut off is finished by starting it again:
1. all tournaments of the partition are copied to the target, while it is saved to as ever;
2. the source is closed to saves of the partition: a save that is refused is tried again, like one to a shard that is away, and the owner
   goes on applying meanwhile. Reads go on;
3. what changed since is copied;
4. the source gives the partition away, which is the commit of the move, and the target takes it. Whoever asks the source from now on is
   told where the partition lies, and asks there. The other shards are told, too;
5. what the partition left behind is deleted.

Rows of `shard_partitions` change only from what was read of them, under their lock, with a higher version: so of two moves of a partition at
the same time one is told, and stops. No copy is written once its target holds the partition, and none over something newer. A move that
fails while the source is closed opens it again; one that is killed there leaves it closed, until it is started again, or taken back.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.ports.errors import RecordsUnavailableError
from storage.records.sql.archive_schema import archived_participants, archives
from storage.records.sql.dialects import WRITES, is_lock_conflict, upsert
from storage.records.sql.notices_schema import notice_jobs, notice_retries
from storage.records.sql.partitions import Place, stored_place
from storage.records.sql.schema import (
    outbox,
    participants,
    prizes,
    projected,
    shard_partitions,
    snapshots,
    tournaments,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 5  # of a move that others' locks cut off
TABLES = (
    tournaments, participants, snapshots, outbox, prizes, notice_jobs, notice_retries, archives, archived_participants,
)  # fmt: skip
OWN_PACE = (
    outbox,
    prizes,
    notice_jobs,
    notice_retries,
    archives,
    archived_participants,
)  # these change without their tournament's row
TOURNAMENTS_A_TRANSACTION = 50
ROWS_A_STATEMENT = 500
SNAPSHOT_PARTS_A_STATEMENT = 4  # of up to 4 MiB each, held in memory
TELL_EVERY_S = 2.0
NOT_THERE = (-1, -1)

Tell = Callable[[str], None]


class MovedMeanwhileError(RecordsUnavailableError):
    """Somebody else moves, or has moved, the partition."""


async def move_partition(engines: Sequence[AsyncEngine], partition: int, target: int, tell: Tell) -> bool:
    """Move a partition, wherever it lies, to a shard, by the primaries of all shards; whether it lay elsewhere.

    What others' locks cut off (one big save may hold them for long) is tried again, a few times. Raises RecordsUnavailableError: start it
    again.
    """
    with _cut_off():
        known = await _known(engines, partition)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await _bring(engines, partition, target, tell)
                break
            except DBAPIError as error:
                if attempt == ATTEMPTS or not is_lock_conflict(error):
                    raise
                tell(f"partition {partition}: cut off by others' locks, trying again")
    return _newest(known).shard != target


async def _bring(engines: Sequence[AsyncEngine], partition: int, target: int, tell: Tell) -> None:
    known = await _known(engines, partition)
    place = _newest(known)
    if known[place.shard].version < place.version:  # an earlier move was cut off before its target took it
        await _put(engines[place.shard], partition, place)
    if place.shard != target:
        place = await _move(engines, partition, place, target, tell)
    elif place.moving_to is not None:  # back to where it still is
        place = await _change(engines[target], partition, place, Place(target, place.version + 1))
    for number, engine in enumerate(engines):
        if number != target:
            await _put(engine, partition, place)
            await _delete_partition(engine, partition, place)


async def _move(engines: Sequence[AsyncEngine], partition: int, place: Place, target: int, tell: Tell) -> Place:
    source = engines[place.shard]
    await _copy_partition(source, engines[target], partition, tell, target)
    began = time.monotonic()
    closed = await _change(source, partition, place, Place(place.shard, place.version + 1, target))
    try:
        await _put(engines[target], partition, closed)  # nobody deletes here any more what an earlier move left
        await _copy_partition(source, engines[target], partition, tell, target, closed=True)
    except BaseException:
        with contextlib.suppress(DBAPIError, MovedMeanwhileError):  # then what is started again does it
            await _change(source, partition, closed, Place(place.shard, closed.version + 1))
        raise
    there = await _change(source, partition, closed, Place(target, closed.version + 1))
    await _put(engines[target], partition, there)
    tell(f"partition {partition} lies on shard {target}; saves to it waited for {time.monotonic() - began:.1f} s")
    return there


async def bring_together(engines: Sequence[AsyncEngine], places: Mapping[int, Place], tell: Tell) -> None:
    """Bring everything of each partition to the shard where it is to lie, from wherever it lies. Nobody may save meanwhile."""
    with _cut_off():
        for number, engine in enumerate(engines):
            strangers = [p for p in await _partitions(engine) if p in places and places[p].shard != number]
            for done, partition in enumerate(strangers):
                tell(f"bringing partitions together, from shard {number}: {done} of {len(strangers)} done")
                await _copy_partition(engine, engines[places[partition].shard], partition, tell, closed=True)
                await _delete_partition(engine, partition, None)


# -- rows that say where a partition lies -------------------------------------------------------------------------------


async def _known(engines: Sequence[AsyncEngine], partition: int) -> list[Place]:
    """What each shard knows of a partition."""
    known = []
    for engine in engines:
        async with engine.connect() as connection:
            place = await stored_place(connection, partition)
        if place is None:
            raise ValueError(f"no such partition: {partition}")
        known.append(place)
    return known


def _newest(known: Sequence[Place]) -> Place:
    return max(known, key=lambda place: place.version)


async def _change(engine: AsyncEngine, partition: int, before: Place, after: Place) -> Place:
    """From what was read to something newer. Raises MovedMeanwhileError."""
    async with _writing(engine).begin() as connection:
        if await stored_place(connection, partition, lock=True) != before:
            raise MovedMeanwhileError(f"partition {partition} is being moved by somebody else")
        await connection.execute(upsert(engine.dialect.name, shard_partitions), [_values(partition, after)])
    return after


async def _put(engine: AsyncEngine, partition: int, place: Place) -> None:
    """Tell a shard, unless it knows as much."""
    async with _writing(engine).begin() as connection:
        known = await stored_place(connection, partition, lock=True)
        if known is None or known.version < place.version:
            await connection.execute(upsert(engine.dialect.name, shard_partitions), [_values(partition, place)])


def _values(partition: int, place: Place) -> dict[str, Any]:
    return {"log_partition": partition, **place._asdict()}


# -- rows of tournaments ------------------------------------------------------------------------------------------------


async def _partitions(engine: AsyncEngine) -> list[int]:
    """The partitions of which a database has anything."""
    found: set[int] = set()
    async with engine.connect() as connection:
        for table in (tournaments, snapshots, projected):
            found.update(await connection.scalars(select(table.c.log_partition).distinct()))
    return sorted(found)


async def _numbers(connection: AsyncConnection, partition: int) -> list[int]:
    """The tournaments of a partition of which a database has anything."""
    found: set[int] = set()
    for table in (tournaments, snapshots):
        statement = select(table.c.tournament_id).where(table.c.log_partition == partition).distinct()
        found.update(await connection.scalars(statement))
    return sorted(found)


async def _positions(
    connection: AsyncConnection, numbers: Sequence[int], *, lock: bool = False
) -> dict[int, tuple[int, int]]:
    """(offset, epoch) of each tournament that is there."""
    t = tournaments.c
    statement = select(t.tournament_id, t.log_offset, t.epoch).where(t.tournament_id.in_(numbers))
    rows = await connection.execute(statement.with_for_update() if lock else statement)
    return {number: (offset, epoch) for number, offset, epoch in rows}


async def _copy_partition(
    source: AsyncEngine,
    target: AsyncEngine,
    partition: int,
    tell: Tell,
    target_shard: int | None = None,
    *,
    closed: bool = False,
) -> None:
    """Bring the target up to what the source has; `closed`: the source is not saved to, so what goes its own pace is the same here, too."""
    async with source.connect() as reading:
        numbers = await _numbers(reading, partition)
    told_s = time.monotonic()
    for start in range(0, len(numbers), TOURNAMENTS_A_TRANSACTION):
        if time.monotonic() - told_s > TELL_EVERY_S:
            told_s = time.monotonic()
            tell(f"partition {partition}: {start} of {len(numbers)} tournaments copied")
        part = numbers[start : start + TOURNAMENTS_A_TRANSACTION]
        async with source.connect() as reading, _writing(target).begin() as writing:
            await _check_target(writing, partition, target_shard)
            there = await _positions(writing, part, lock=True)
            here = await _positions(reading, part)
            newer = [n for n in part if n not in there or here.get(n, NOT_THERE) > there[n]]
            await _copy(reading, writing, newer, TABLES)
            if closed:
                await _copy(reading, writing, [n for n in part if n in there and here.get(n) == there[n]], OWN_PACE)
    async with source.connect() as reading, _writing(target).begin() as writing:
        await _check_target(writing, partition, target_shard)
        put = upsert(target.dialect.name, projected, guard="log_offset")
        await _stream(reading, writing, projected, projected.c.log_partition == partition, put)


async def _check_target(writing: AsyncConnection, partition: int, target: int | None) -> None:
    """Keep the target as it is until the transaction ends. Raises MovedMeanwhileError: it holds the partition by now."""
    place = await stored_place(writing, partition, lock=True)
    if place is not None and place.shard == target:
        raise MovedMeanwhileError(f"partition {partition} was moved to shard {target} by somebody else")


async def _copy(
    reading: AsyncConnection, writing: AsyncConnection, numbers: Sequence[int], tables: Sequence[Table]
) -> None:
    """All rows of some tournaments, in place of those that are there."""
    if not numbers:
        return
    for table in tables:
        theirs = table.c.tournament_id.in_(numbers)
        await writing.execute(delete(table).where(theirs))
        await _stream(reading, writing, table, theirs, upsert(writing.dialect.name, table))


async def _stream(
    reading: AsyncConnection, writing: AsyncConnection, table: Table, which: ColumnElement[bool], put: Any
) -> None:
    size = SNAPSHOT_PARTS_A_STATEMENT if table is snapshots else ROWS_A_STATEMENT
    rows = await reading.stream(select(table).where(which))
    async for part in rows.mappings().partitions(size):
        await writing.execute(put, [dict(row) for row in part])


async def _delete_partition(engine: AsyncEngine, partition: int, place: Place | None) -> None:
    """Delete what a partition left behind, while the database knows of nothing newer than `place`."""
    async with engine.connect() as connection:
        numbers = await _numbers(connection, partition)
    starts = range(0, len(numbers), TOURNAMENTS_A_TRANSACTION)
    for part in [*(numbers[start : start + TOURNAMENTS_A_TRANSACTION] for start in starts), []]:
        async with _writing(engine).begin() as connection:
            known = await stored_place(connection, partition, share=True)
            if known != place:
                logger.warning("partition %d was moved again: what it left behind stays", partition)
                return
            if part:
                for table in TABLES:
                    await connection.execute(delete(table).where(table.c.tournament_id.in_(part)))
            else:
                await connection.execute(delete(projected).where(projected.c.log_partition == partition))


@contextmanager
def _cut_off() -> Iterator[None]:
    """A database's errors as the port's."""
    try:
        yield
    except DBAPIError as error:
        raise RecordsUnavailableError(f"the move was cut off, start it again: {error.orig}") from error


def _writing(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(**{WRITES: True})
