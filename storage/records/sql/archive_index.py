"""What the durable store knows of the archive: see `storage.ports.archive_index`. The same on one database and over shards."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.analytics.attempts import KEPT_KIND
from storage.ports.archive_index import PLACES, Archived, ArchivePlace
from storage.ports.records import OVER_EFFECTS
from storage.records.sql.archive_schema import archived_participants, archives
from storage.records.sql.dialects import upsert
from storage.records.sql.notices_schema import notice_jobs, notice_retries
from storage.records.sql.prize_ledger import Held, Store
from storage.records.sql.queries import decode_cursor, encode_cursor
from storage.records.sql.schema import outbox, participants, snapshots, tournaments

ROWS_A_TRANSACTION: Final = 1000  # of participants: others that write wait for it some 20 ms on SQLite
_COLUMNS: Final = tuple(archives.c["log_offset" if name == "offset" else name] for name in Archived._fields)
_OVER: Final = outbox.c.kind.in_(OVER_EFFECTS)


class SqlArchiveIndex:
    """Implements ArchiveIndex over a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def waiting(self, limit: int) -> dict[int, int]:
        """See `ArchiveIndex.waiting`."""
        newest = select(outbox.c.tournament_id, func.max(outbox.c.log_offset)).where(_OVER)

        async def ask(connection: AsyncConnection, held: Held) -> list[tuple[int, int]]:
            statement = newest
            if held is not None:
                statement = newest.join(tournaments, tournaments.c.tournament_id == outbox.c.tournament_id)
                statement = statement.where(tournaments.c.log_partition.in_(held))
            statement = statement.group_by(outbox.c.tournament_id).order_by(outbox.c.tournament_id).limit(limit)
            return [(number, offset) for number, offset in await connection.execute(statement)]

        return dict(itertools.islice(heapq.merge(*await self._store.read_each(ask, of_all=False)), limit))

    async def archived(self, tournament_id: int) -> Archived | None:
        """See `ArchiveIndex.archived`."""

        async def ask(connection: AsyncConnection) -> Archived | None:
            rows = await connection.execute(select(*_COLUMNS).where(archives.c.tournament_id == tournament_id))
            row = rows.first()
            return None if row is None else Archived(*row)

        return await self._store.read_of(tournament_id, ask)

    async def note(self, entry: Archived) -> None:
        """See `ArchiveIndex.note`."""

        async def work(connection: AsyncConnection, partition: int) -> None:
            values = entry._asdict()
            values["log_offset"] = values.pop("offset")
            put = upsert(connection.dialect.name, archives, guard="log_offset")
            await connection.execute(put, [{**values, "log_partition": partition}])
            await connection.execute(delete(outbox).where(_effects(entry.tournament_id, entry.offset)))

        await self._store.write_of(entry.tournament_id, work)

    async def forget(self, tournament_id: int, upto: int) -> None:
        """See `ArchiveIndex.forget`."""
        mine = and_(archives.c.tournament_id == tournament_id, archives.c.log_offset <= upto)

        async def work(connection: AsyncConnection, _partition: int) -> None:
            await connection.execute(delete(archives).where(mine))
            await connection.execute(delete(outbox).where(_effects(tournament_id, upto)))

        await self._store.write_of(tournament_id, work)

    async def page(self, cursor: str | None, limit: int) -> tuple[list[tuple[Archived, str]], str | None]:
        """See `ArchiveIndex.page`."""
        a = archives.c
        statement = select(*_COLUMNS, tournaments.c.name).join(
            tournaments, tournaments.c.tournament_id == a.tournament_id
        )
        statement = statement.where(tournaments.c.status == "finished")
        if cursor is not None:
            time_ms, number = decode_cursor(cursor)
            later = and_(a.finished_ms == time_ms, a.tournament_id < number)
            statement = statement.where((a.finished_ms < time_ms) | later)
        statement = statement.order_by(a.finished_ms.desc(), a.tournament_id.desc()).limit(limit + 1)

        async def ask(connection: AsyncConnection, held: Held) -> list[tuple[Archived, str]]:
            mine = statement if held is None else statement.where(a.log_partition.in_(held))
            return [(Archived(*row[:-1]), row[-1]) for row in await connection.execute(mine)]

        pages = await self._store.read_each(ask)
        found = list(itertools.islice(heapq.merge(*pages, key=_place, reverse=True), limit + 1))
        return found[:limit], encode_cursor(*_place(found[limit - 1])) if len(found) > limit else None

    async def due(self, before_ms: int, places: tuple[ArchivePlace, ...], limit: int) -> list[Archived]:
        """See `ArchiveIndex.due`."""
        a = archives.c
        statement = select(*_COLUMNS).where(a.place.in_(places), a.finished_ms < before_ms)
        statement = statement.order_by(a.finished_ms, a.tournament_id).limit(limit)

        async def ask(connection: AsyncConnection, held: Held) -> list[Archived]:
            mine = statement if held is None else statement.where(a.log_partition.in_(held))
            return [Archived(*row) for row in await connection.execute(mine)]

        found = await self._store.read_each(ask, of_all=False)
        first = heapq.merge(*found, key=lambda entry: (entry.finished_ms, entry.tournament_id))
        return list(itertools.islice(first, limit))

    async def leave(self, entry: Archived) -> bool:
        """See `ArchiveIndex.leave`: who took part is copied first, then the snapshots go, then the participants."""
        number = entry.tournament_id
        if entry.place == "kept":
            after: int | None = 0
            while after is not None:
                after = await self._copy(entry, after)

            async def commit(connection: AsyncConnection, _partition: int) -> bool:
                if not await _same(connection, entry) or await _is_wanted(connection, number):
                    return False
                await connection.execute(delete(snapshots).where(snapshots.c.tournament_id == number))
                return await _put(connection, entry, "leaving")

            if not await self._store.write_of(number, commit):
                return False

        async def drop(connection: AsyncConnection, _partition: int) -> bool | None:
            if not await _same(connection, entry):
                return False
            if not await _delete_some(connection, participants, number):
                return await _put(connection, entry, "left")
            return None

        while True:
            done = await self._store.write_of(number, drop)
            if done is not None:
                return done

    async def _copy(self, entry: Archived, after: int) -> int | None:
        """Note some of those who took part, beyond a user; the last of them, None once there are no more."""
        number, p = entry.tournament_id, participants.c
        some = select(*(p[column.name] for column in archived_participants.c)).where(
            p.tournament_id == number, p.user_id > after
        )
        some = some.order_by(p.user_id).limit(ROWS_A_TRANSACTION)

        async def work(connection: AsyncConnection, _partition: int) -> int | None:
            rows = [dict(row) for row in (await connection.execute(some)).mappings()]
            if not rows or not await _same(connection, entry):
                return None
            await connection.execute(upsert(connection.dialect.name, archived_participants), rows)
            return int(rows[-1]["user_id"])

        return await self._store.write_of(number, work)

    async def erase(self, entry: Archived) -> None:
        """See `ArchiveIndex.erase`."""
        number = entry.tournament_id

        async def work(connection: AsyncConnection, _partition: int) -> bool:
            if not await _same(connection, entry):
                return True
            if await _delete_some(connection, archived_participants, number):
                return False
            for table in (outbox, snapshots, archives, tournaments):
                await connection.execute(delete(table).where(table.c.tournament_id == number))
            return True

        while not await self._store.write_of(number, work):
            pass

    async def counts(self) -> Mapping[ArchivePlace, int]:
        """See `ArchiveIndex.counts`."""
        statement = select(archives.c.place, func.count()).group_by(archives.c.place)
        counts: dict[ArchivePlace, int] = dict.fromkeys(PLACES, 0)

        async def ask(connection: AsyncConnection, held: Held) -> list[tuple[ArchivePlace, int]]:
            mine = statement if held is None else statement.where(archives.c.log_partition.in_(held))
            return [(place, count) for place, count in await connection.execute(mine)]

        for found in await self._store.read_each(ask, of_all=False):
            for place, count in found:
                counts[place] += count
        return counts


def _effects(tournament_id: int, upto: int) -> ColumnElement[bool]:
    return and_(_OVER, outbox.c.tournament_id == tournament_id, outbox.c.log_offset <= upto)


def _place(row: tuple[Archived, str]) -> tuple[int, int]:
    return row[0].finished_ms, row[0].tournament_id


async def _same(connection: AsyncConnection, entry: Archived) -> bool:
    """Whether nobody has saved the tournament since it was archived; it stays so until the transaction ends."""
    t = tournaments.c
    stored = select(t.log_offset).where(t.tournament_id == entry.tournament_id).with_for_update()
    return await connection.scalar(stored) == entry.offset


async def _is_wanted(connection: AsyncConnection, number: int) -> bool:
    """Whether somebody is going to read the rows of a tournament: for its effects, or to tell its participants."""
    jobs, retries = notice_jobs.c, notice_retries.c
    for statement in (
        select(outbox.c.n).where(outbox.c.tournament_id == number, outbox.c.kind != KEPT_KIND),
        select(jobs.channel).where(jobs.tournament_id == number, jobs.done_ms.is_(None)),
        select(retries.channel).where(retries.tournament_id == number),
    ):
        if (await connection.execute(statement.limit(1))).first() is not None:
            return True
    return False


async def _put(connection: AsyncConnection, entry: Archived, place: ArchivePlace) -> bool:
    a = archives.c
    mine = and_(a.tournament_id == entry.tournament_id, a.log_offset == entry.offset)
    return (await connection.execute(update(archives).where(mine).values(place=place))).rowcount == 1


async def _delete_some(connection: AsyncConnection, table: Any, tournament_id: int) -> int:
    """Delete some rows of a tournament; how many."""
    some = select(table.c.user_id).where(table.c.tournament_id == tournament_id).limit(ROWS_A_TRANSACTION)
    users = list(await connection.scalars(some))
    if users:
        mine = and_(table.c.tournament_id == tournament_id, table.c.user_id.in_(users))
        await connection.execute(delete(table).where(mine))
    return len(users)
