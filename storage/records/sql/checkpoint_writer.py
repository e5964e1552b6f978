"""Writing one checkpoint within a transaction, so that nothing older ever replaces something newer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Executable, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.ports.errors import RecordsUnavailableError
from storage.ports.records import Checkpoint, StoredSnapshot, TournamentRow
from storage.records.sql.dialects import insert_new, upsert
from storage.records.sql.schema import (
    DELTA_PART,
    FIRST_PART,
    SNAPSHOT_PART_BYTES,
    SNAPSHOTS_KEPT,
    outbox,
    outbox_values,
    participants,
    projected,
    snapshots,
    tournament_values,
    tournaments,
)

# Ids in one statement: far below SQLite's 32,766 variables, and a plan that databases still make well.
IDS_A_STATEMENT = 500
ROWS_A_CALL = 200  # aiomysql writes them into a statement in one go, 20 us each: the event loop waits as long
DROPPED_A_STATEMENT = 200  # SQLite takes conditions up to 1,000 deep


def in_parts(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Ids cut to what one statement takes."""
    for start in range(0, len(ids), IDS_A_STATEMENT):
        yield ids[start : start + IDS_A_STATEMENT]


def partition_of_checkpoint(checkpoint: Checkpoint) -> int:
    """The one partition that a checkpoint is of. Raises ValueError: of none, of several."""
    found = {row.partition for row in checkpoint.tournaments} | {row.partition for row in checkpoint.snapshots}
    found |= {partition for _, partition, _ in checkpoint.projected}
    if len(found) != 1:
        raise ValueError(f"expected a checkpoint of one partition, got one of {sorted(found)}")
    return found.pop()


def checked_partition(checkpoint: Checkpoint) -> int:
    """Its partition. Raises ValueError: not of one partition; a participant or effect without its tournament."""
    named = {row.tournament_id for row in checkpoint.participants} | {row.tournament_id for row in checkpoint.outbox}
    strangers = named - {row.tournament_id for row in checkpoint.tournaments}
    if strangers:
        raise ValueError(f"participants or outbox rows of tournaments that are not in the checkpoint: {strangers}")
    return partition_of_checkpoint(checkpoint)


class _Stored(NamedTuple):
    """How far the stored row of a tournament is, and under which epoch."""

    offset: int
    epoch: int


NOT_STORED = _Stored(-1, -1)


class CheckpointWriter:
    """Holds the statements of a dialect (`sqlite`, `mysql`), compiled once."""

    def __init__(self, dialect: str) -> None:
        self._rows_lock = dialect != "sqlite"
        self._placeholders = insert_new(dialect, tournaments)
        self._tournaments = upsert(dialect, tournaments, guard="log_offset")
        self._participants = upsert(dialect, participants)
        self._outbox = insert_new(dialect, outbox)
        self._projected = upsert(dialect, projected, guard="log_offset")
        self._snapshots = upsert(dialect, snapshots)

    async def write(self, connection: AsyncConnection, checkpoint: Checkpoint) -> None:
        """Write a checkpoint that was checked, within the connection's transaction.

        Tournaments' rows are locked first, in the order of their keys, so that two transactions seldom end in a deadlock: who has them has
        all that is of these tournaments.
        """
        stored = await self._stored_positions(connection, checkpoint.tournaments)
        # What a stale owner writes is older than what is there; its participants carry no offset of their own.
        fresh = {
            row.tournament_id: row for row in checkpoint.tournaments if row.offset >= stored[row.tournament_id].offset
        }
        await _many(
            connection,
            self._tournaments,
            # where a stale owner has got further than a later one, its state is right, but it does not speak for the tournament
            (
                tournament_values(row._replace(epoch=max(row.epoch, stored[number].epoch)))
                for number, row in fresh.items()
            ),
        )
        await _many(
            connection,
            self._participants,
            (row._asdict() for row in checkpoint.participants if row.tournament_id in fresh),
        )
        # Effects up to the stored offset were written with it, and may have been released and deleted since.
        await _many(
            connection,
            self._outbox,
            (outbox_values(row) for row in checkpoint.outbox if row.offset > stored[row.tournament_id].offset),
        )
        await self._write_snapshots(connection, checkpoint.snapshots)
        rows = [{"scope": s, "log_partition": p, "log_offset": o} for s, p, o in sorted(checkpoint.projected)]
        await _many(connection, self._projected, rows)

    async def _stored_positions(self, connection: AsyncConnection, rows: Sequence[TournamentRow]) -> dict[int, _Stored]:
        """What is stored of each tournament, locked until the transaction ends (SQLite holds its one lock already)."""
        rows = sorted(rows, key=lambda row: row.tournament_id)
        stored = await self._locked_positions(connection, [row.tournament_id for row in rows])
        new = [row for row in rows if row.tournament_id not in stored]
        if new and self._rows_lock:
            # A row that is not there cannot be locked, and another owner may be writing it: so it is put there, older than anything.
            await _many(connection, self._placeholders, (tournament_values(row._replace(offset=-1)) for row in new))
            stored |= await self._locked_positions(connection, [row.tournament_id for row in new])
        return {row.tournament_id: NOT_STORED for row in rows} | stored

    async def _locked_positions(self, connection: AsyncConnection, ids: Sequence[int]) -> dict[int, _Stored]:
        table = tournaments.c
        columns = select(table.tournament_id, table.log_offset, table.epoch).with_for_update()
        found: dict[int, _Stored] = {}
        for part in in_parts(ids):
            rows = await connection.execute(columns.where(table.tournament_id.in_(part)))
            found.update((number, _Stored(offset, epoch)) for number, offset, epoch in rows)
        return found

    async def _write_snapshots(self, connection: AsyncConnection, new: Sequence[StoredSnapshot]) -> None:
        kept = await kept_snapshots(connection, [snapshot.tournament_id for snapshot in new])
        dropped: list[tuple[int, int, int]] = []
        parts: list[dict[str, Any]] = []
        for snapshot in new:
            number, offset = snapshot.tournament_id, snapshot.offset
            there = kept.get(number, NOTHING_KEPT)
            if offset < there.newest or (offset == there.newest and snapshot.after is not None):
                continue
            if snapshot.after is None:
                keeping = sorted({*there.whole, offset}, reverse=True)[: 1 if snapshot.alone else SNAPSHOTS_KEPT]
                if there.whole:
                    # what is of the same offset goes, too: the new one may have fewer parts
                    dropped.append((number, keeping[-1], offset))
            elif not there.whole or snapshot.after != there.newest:
                raise RecordsUnavailableError(
                    f"tournament {number}: expected a delta that follows offset {there.newest}, got one that follows {snapshot.after}"
                )
            parts += _parts(snapshot)
        for start in range(0, len(dropped), DROPPED_A_STATEMENT):
            # One statement for many; numbers of ours, written out, since each statement is another.
            which = " OR ".join(
                f"(tournament_id = {number:d} AND (log_offset < {oldest:d} OR log_offset = {same:d}))"
                for number, oldest, same in dropped[start : start + DROPPED_A_STATEMENT]
            )
            await connection.exec_driver_sql(f"DELETE FROM {snapshots.name} WHERE {which}")  # noqa: S608 - numbers
        await _many(connection, self._snapshots, parts)


class _Kept(NamedTuple):
    """The offsets of the whole snapshots of a tournament, and that of the newest of them or of its last delta."""

    whole: list[int]
    newest: int


NOTHING_KEPT = _Kept([], -1)


async def kept_snapshots(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, _Kept]:
    """What is kept of each tournament, locked until the transaction ends."""
    table = snapshots.c
    columns = select(table.tournament_id, table.log_offset, table.part)
    columns = columns.where(table.part.in_((FIRST_PART, DELTA_PART))).with_for_update()
    kept: dict[int, _Kept] = {}
    for part in in_parts(ids):
        for number, offset, kind in await connection.execute(columns.where(table.tournament_id.in_(part))):
            whole, newest = kept.get(number, ([], -1))
            kept[number] = _Kept([*whole, offset] if kind == FIRST_PART else whole, max(newest, offset))
    return kept


def _parts(snapshot: StoredSnapshot) -> Iterator[dict[str, Any]]:
    first, step = (FIRST_PART, 1) if snapshot.after is None else (DELTA_PART, -1)
    for number, start in enumerate(range(0, max(1, len(snapshot.data)), SNAPSHOT_PART_BYTES)):
        yield {
            "tournament_id": snapshot.tournament_id,
            "log_offset": snapshot.offset,
            "part": first + step * number,
            "log_partition": snapshot.partition,
            "data": snapshot.data[start : start + SNAPSHOT_PART_BYTES],
        }


async def _many(connection: AsyncConnection, statement: Executable, rows: Iterable[dict[str, Any]]) -> None:
    left = iter(rows)
    while values := list(itertools.islice(left, ROWS_A_CALL)):
        await connection.execute(statement, values)
