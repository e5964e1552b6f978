"""Moving slots between shards: how a shard is added, or emptied. For when Palio is stopped.

Each step can run again, so a move that was cut off is finished by starting it again:
1. the shards that the slots leave refuse the writes of everybody who does not know of the move yet (so one who was not stopped loses
   nothing: its saves fail, loudly, until it is started again);
2. everything of the slots' tournaments is copied to the target, a transaction for a few tournaments;
3. the catalog names the target: the commit of the move;
4. what the slots left behind is deleted, wherever it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from storage.ports.errors import RecordsUnavailableError
from storage.records.mysql.engine import MysqlOptions
from storage.records.mysql.open import CATALOG
from storage.records.mysql.sharded import TOURNAMENT_SCOPE, ShardedRecords
from storage.records.mysql.slots import SLOTS, slot_of
from storage.records.sql.checkpoint_writer import in_parts
from storage.records.sql.dialects import WRITES, upsert
from storage.records.sql.schema import (
    outbox,
    participants,
    projected,
    shard_identity,
    shard_slots,
    snapshots,
    tournaments,
)

TABLES = (tournaments, participants, snapshots, outbox)
TOURNAMENTS_A_TRANSACTION = 20
ROWS_A_STATEMENT = 500
SNAPSHOT_PARTS_A_STATEMENT = 4  # of up to 4 MiB each, held in memory


async def move_slots(options: MysqlOptions, slots: Iterable[int], target: int) -> int:
    """Move slots, wherever they lie, to a shard; returns how many tournaments were copied.

    Raises ValueError (no such slot or shard), RecordsUnavailableError (start again), and as `ShardedRecords.open`.
    """
    wanted = frozenset(slots)
    if not wanted <= frozenset(range(SLOTS)):
        raise ValueError(f"expected slots from 0 to {SLOTS - 1}, got {sorted(wanted - frozenset(range(SLOTS)))}")
    if not 0 <= target < len(options.shards):
        raise ValueError(f"expected a shard from 0 to {len(options.shards) - 1}, got {target}")
    records = await ShardedRecords.open(options, every_primary=True)
    try:
        engines = [shard.primary.engine for shard in records.shards]
        return await _move(engines, records.slots.shards, records.slots.version + 1, wanted, target)
    except DBAPIError as error:
        raise RecordsUnavailableError(f"the move was cut off, start it again: {error.orig}") from error
    finally:
        await records.close()


async def _move(
    engines: Sequence[AsyncEngine], lie: Sequence[int], version: int, wanted: frozenset[int], target: int
) -> int:
    leaving = {slot for slot in wanted if lie[slot] != target}
    copied = 0
    for source in sorted({lie[slot] for slot in leaving}):
        async with _writing(engines[source]).begin() as connection:
            await connection.execute(update(shard_identity).values(slots_version=version))
        theirs = [n for n in await _tournaments(engines[source], leaving) if lie[slot_of(n)] == source]
        for start in range(0, len(theirs), TOURNAMENTS_A_TRANSACTION):
            await _copy(engines[source], engines[target], theirs[start : start + TOURNAMENTS_A_TRANSACTION])
        copied += len(theirs)
    if leaving:
        async with _writing(engines[CATALOG]).begin() as connection:
            moved = update(shard_slots).where(shard_slots.c.slot.in_(sorted(leaving)))
            await connection.execute(moved.values(shard=target, version=version))
    for shard, engine in enumerate(engines):
        if shard != target:
            await _delete(engine, await _tournaments(engine, wanted))
    return copied


async def _tournaments(engine: AsyncEngine, slots: Iterable[int]) -> list[int]:
    """All tournaments of some slots of which a database holds anything."""
    wanted = frozenset(slots)
    found: set[int] = set()
    async with engine.connect() as connection:
        for table in (tournaments, snapshots):
            found.update(await connection.scalars(select(table.c.tournament_id).distinct()))
        scopes = await connection.scalars(
            select(projected.c.scope).where(projected.c.scope.startswith(TOURNAMENT_SCOPE))
        )
        numbers = [scope.removeprefix(TOURNAMENT_SCOPE) for scope in scopes]
        found.update(int(number) for number in numbers if number.isascii() and number.isdigit())
    return sorted(number for number in found if slot_of(number) in wanted)


async def _copy(source: AsyncEngine, target: AsyncEngine, numbers: Sequence[int]) -> None:
    """Everything of some tournaments, replacing what an earlier attempt left."""
    await _delete(target, numbers)
    async with source.connect() as reading, _writing(target).begin() as writing:
        for table in (*TABLES, projected):
            put = upsert(target.dialect.name, table)
            size = SNAPSHOT_PARTS_A_STATEMENT if table is snapshots else ROWS_A_STATEMENT
            rows = await reading.stream(select(table).where(_of(table, numbers)))
            async for part in rows.mappings().partitions(size):
                await writing.execute(put, [dict(row) for row in part])


async def _delete(engine: AsyncEngine, numbers: Sequence[int]) -> None:
    for part in in_parts(numbers):
        async with _writing(engine).begin() as connection:
            for table in (*TABLES, projected):
                await connection.execute(delete(table).where(_of(table, part)))


def _of(table: Table, numbers: Sequence[int]) -> ColumnElement[bool]:
    if table is projected:
        return projected.c.scope.in_([f"{TOURNAMENT_SCOPE}{number}" for number in numbers])
    return table.c.tournament_id.in_(numbers)


def _writing(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(**{WRITES: True})
