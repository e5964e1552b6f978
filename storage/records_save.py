"""Writing one checkpoint within a transaction, so that nothing older ever replaces something newer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Executable, and_, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.base.records import Checkpoint, StoredSnapshot
from storage.records_engines import insert_new, upsert
from storage.records_schema import (
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


def in_parts(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Ids cut to what one statement takes."""
    for start in range(0, len(ids), IDS_A_STATEMENT):
        yield ids[start : start + IDS_A_STATEMENT]


class CheckpointWriter:
    """Holds the statements of a dialect (`sqlite`, `mysql`), compiled once."""

    def __init__(self, dialect: str) -> None:
        self._tournaments = upsert(dialect, tournaments, guard="log_offset")
        self._participants = upsert(dialect, participants)
        self._outbox = insert_new(dialect, outbox)
        self._projected = upsert(dialect, projected, guard="log_offset")
        self._snapshots = upsert(dialect, snapshots)
        self._drop_snapshot = delete(snapshots).where(
            and_(snapshots.c.tournament_id == bindparam("drop_id"), snapshots.c.log_offset == bindparam("drop_offset"))
        )

    async def write(self, connection: AsyncConnection, checkpoint: Checkpoint) -> None:
        """Write within the connection's transaction. ValueError: a participant or effect without its tournament."""
        offsets = {row.tournament_id: row.offset for row in checkpoint.tournaments}
        named = {row.tournament_id for row in checkpoint.participants} | {
            row.tournament_id for row in checkpoint.outbox
        }
        strangers = named - offsets.keys()
        if strangers:
            raise ValueError(f"participants or outbox rows of tournaments that are not in the checkpoint: {strangers}")
        stored = await self._stored_offsets(connection, list(offsets))
        # What a stale owner writes is older than what is there; its participants carry no offset of their own.
        fresh = {number for number, offset in offsets.items() if offset >= stored.get(number, offset)}
        await _many(
            connection,
            self._tournaments,
            (tournament_values(row) for row in checkpoint.tournaments if row.tournament_id in fresh),
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
            (outbox_values(row) for row in checkpoint.outbox if row.offset > stored.get(row.tournament_id, -1)),
        )
        await self._write_snapshots(connection, checkpoint.snapshots)
        rows = [{"scope": s, "log_partition": p, "log_offset": o} for s, p, o in checkpoint.projected]
        await _many(connection, self._projected, rows)

    async def _stored_offsets(self, connection: AsyncConnection, ids: list[int]) -> dict[int, int]:
        """The stored offset of each tournament, locked until the transaction ends (SQLite holds its one lock already)."""
        columns = select(tournaments.c.tournament_id, tournaments.c.log_offset).with_for_update()
        stored: dict[int, int] = {}
        for part in in_parts(sorted(ids)):
            rows = await connection.execute(columns.where(tournaments.c.tournament_id.in_(part)))
            stored.update((number, offset) for number, offset in rows)
        return stored

    async def _write_snapshots(self, connection: AsyncConnection, new: Sequence[StoredSnapshot]) -> None:
        kept = await kept_snapshots(connection, [snapshot.tournament_id for snapshot in new])
        dropped: list[dict[str, int]] = []
        parts: list[dict[str, Any]] = []
        for snapshot in new:
            number = snapshot.tournament_id
            there = kept.get(number, [])
            if there and snapshot.offset < there[0]:
                continue
            keeping = sorted({*there, snapshot.offset}, reverse=True)[:SNAPSHOTS_KEPT]
            # One of the same offset goes too: the new one may have fewer parts.
            gone = [offset for offset in there if offset not in keeping or offset == snapshot.offset]
            dropped += [{"drop_id": number, "drop_offset": offset} for offset in gone]
            parts += _parts(snapshot)
        await _many(connection, self._drop_snapshot, dropped)
        await _many(connection, self._snapshots, parts)


async def kept_snapshots(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, list[int]]:
    """The offsets of the snapshots kept of each tournament, newest first."""
    columns = select(snapshots.c.tournament_id, snapshots.c.log_offset).where(snapshots.c.part == 0)
    kept: dict[int, list[int]] = {}
    for part in in_parts(ids):
        for number, offset in await connection.execute(columns.where(snapshots.c.tournament_id.in_(part))):
            kept.setdefault(number, []).append(offset)
    return {number: sorted(offsets, reverse=True) for number, offsets in kept.items()}


def _parts(snapshot: StoredSnapshot) -> Iterator[dict[str, Any]]:
    for part, start in enumerate(range(0, max(1, len(snapshot.data)), SNAPSHOT_PART_BYTES)):
        yield {
            "tournament_id": snapshot.tournament_id,
            "log_offset": snapshot.offset,
            "part": part,
            "log_partition": snapshot.partition,
            "data": snapshot.data[start : start + SNAPSHOT_PART_BYTES],
        }


async def _many(connection: AsyncConnection, statement: Executable, rows: Iterable[dict[str, Any]]) -> None:
    values = list(rows)
    if values:
        await connection.execute(statement, values)
