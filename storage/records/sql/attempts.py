"""Attempts in the durable store: see `storage.ports.attempts`. Rows of the outbox that stay; the same on one database and over shards."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Select, and_, bindparam, delete, func, insert, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.analytics.attempts import ANEW_KIND, ANEW_N, FIRST_N, KEPT_KIND, KIND, KINDS, Columns, encode_block
from storage.ports.attempts import Kept, StoredAttempts, WaitingTournament
from storage.records.sql.prize_ledger import Held
from storage.records.sql.prize_ledger import Store as OneStore
from storage.records.sql.queries import stored_snapshots
from storage.records.sql.schema import outbox, tournaments

T = TypeVar("T")
WAITING: Final = (KIND, ANEW_KIND)


class Store(OneStore, Protocol):
    """What attempts ask of the records besides."""

    async def read_of_many(
        self, tournament_ids: Sequence[int], ask: Callable[[AsyncConnection, Sequence[int]], Awaitable[T]]
    ) -> list[T]:
        """In a transaction for the tournaments of each database, of those that answer, at least one."""

    async def write_of_many(
        self, tournament_ids: Sequence[int], work: Callable[[AsyncConnection, Sequence[int]], Awaitable[T]]
    ) -> list[T]:
        """Likewise in one that writes."""

    async def write_each(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> list[T]:
        """In a transaction that writes, on each database."""


class SqlAttempts:
    """Implements AttemptBlocks over a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def waiting(self, after: int, limit: int) -> list[WaitingTournament]:
        """See `AttemptBlocks.waiting`."""
        o = outbox.c
        # by an index on (kind, tournament_id); the kind of a mark is the first of the two by name
        newest = select(o.tournament_id, func.max(o.log_offset).label("upto"), func.min(o.kind).label("kind")).where(
            o.kind.in_(WAITING), o.tournament_id > after
        )
        newest = newest.group_by(o.tournament_id).order_by(o.tournament_id).limit(limit)

        async def ask(connection: AsyncConnection, held: Held) -> list[WaitingTournament]:
            found = _held(newest, held).subquery()
            t, f = tournaments.c, found.c
            rows = select(f.tournament_id, f.upto, f.kind, func.coalesce(t.participants, 0))
            rows = rows.outerjoin_from(found, tournaments, t.tournament_id == f.tournament_id).order_by(f.tournament_id)
            return [
                WaitingTournament(number, offset, kind == ANEW_KIND, participants)
                for number, offset, kind, participants in await connection.execute(rows)
            ]

        found = await self._store.read_each(ask, of_all=False)
        return list(itertools.islice(heapq.merge(*found), limit))

    async def blocks(self, tournament_id: int) -> list[bytes]:
        """See `AttemptBlocks.blocks`."""
        o = outbox.c
        mine = and_(o.tournament_id == tournament_id, o.kind.in_(KINDS))
        statement = select(o.payload).where(mine).order_by(o.log_offset, o.n)

        async def ask(connection: AsyncConnection) -> list[bytes]:
            return list(await connection.scalars(statement))

        return await self._store.read_of(tournament_id, ask)

    async def stored(self, waiting: Sequence[WaitingTournament]) -> dict[int, StoredAttempts]:
        """See `AttemptBlocks.stored`."""
        o = outbox.c
        upto = {each.tournament_id: each.offset for each in waiting}
        rows = select(o.tournament_id, o.log_offset, o.payload).where(o.kind.in_(KINDS))
        rows = rows.order_by(o.tournament_id, o.log_offset, o.n)

        async def ask(connection: AsyncConnection, mine: Sequence[int]) -> dict[int, StoredAttempts]:
            snapshots = await stored_snapshots(connection, mine)
            blocks: dict[int, list[bytes]] = {number: [] for number in mine}
            for number, offset, payload in await connection.execute(rows.where(o.tournament_id.in_(mine))):
                if offset <= upto[number]:
                    blocks[number].append(payload)
            return {number: StoredAttempts(snapshots.get(number, ()), blocks[number]) for number in mine}

        found = await self._store.read_of_many(list(upto), ask)
        return {number: each for part in found for number, each in part.items()}

    async def keep(self, kept: Sequence[Kept]) -> set[int]:
        """See `AttemptBlocks.keep`."""
        o = outbox.c
        named = {each.tournament_id: each for each in kept}
        upto = and_(o.tournament_id == bindparam("number"), o.log_offset <= bindparam("upto"))
        marks = delete(outbox).where(upto, o.kind == ANEW_KIND)
        told = update(outbox).where(upto, o.kind == KIND).values(kind=KEPT_KIND)
        merged_away = delete(outbox).where(upto, or_(*(o.kind == kind for kind in KINDS)))  # of many at once no `in_`

        async def work(connection: AsyncConnection, mine: Sequence[int]) -> Sequence[int]:
            merged = [number for number in mine if named[number].merged is not None]
            others = [number for number in mine if named[number].merged is None]
            for statement, numbers in ((marks, others), (told, others), (merged_away, merged)):
                if numbers:
                    where = [{"number": number, "upto": named[number].offset} for number in numbers]
                    await connection.execute(statement, where)
            for number in merged:
                for n, block in enumerate(named[number].merged or (), FIRST_N):
                    values: dict[str, Any] = {"tournament_id": number, "log_offset": named[number].offset, "n": n}
                    await connection.execute(insert(outbox).values(**values, kind=KEPT_KIND, payload=block))
            return mine

        return {number for part in await self._store.write_of_many(list(named), work) for number in part}

    async def rebuild(self) -> int:
        """See `AttemptBlocks.rebuild`."""
        t = tournaments.c
        nothing = encode_block(Columns.nothing())
        marks = select(t.tournament_id, t.log_offset, literal(ANEW_N), literal(ANEW_KIND), literal(nothing))
        names = ["tournament_id", "log_offset", "n", "kind", "payload"]
        mark = insert(outbox).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")

        async def work(connection: AsyncConnection) -> None:
            if not await connection.scalar(_anew(None)):
                await connection.execute(mark.from_select(names, marks))

        await self._store.write_each(work)
        return await self.anew()

    async def anew(self) -> int:
        """See `AttemptBlocks.anew`."""

        async def ask(connection: AsyncConnection, held: Held) -> int:
            return await connection.scalar(_anew(held)) or 0

        return sum(await self._store.read_each(ask))

    async def counts(self) -> tuple[int, int]:
        """See `AttemptBlocks.counts`."""
        o = outbox.c
        waiting = select(func.count(o.tournament_id.distinct())).where(o.kind.in_(WAITING))

        async def ask(connection: AsyncConnection, held: Held) -> tuple[int, int]:
            everything = select(func.count()).select_from(tournaments)
            if held is not None:
                everything = everything.where(tournaments.c.log_partition.in_(held))
            return (
                await connection.scalar(_held(waiting, held)) or 0,
                await connection.scalar(everything) or 0,
            )

        found = await self._store.read_each(ask, of_all=False)
        return sum(waits for waits, _ in found), sum(count for _, count in found)


def _anew(held: Held) -> Select[Any]:
    """How many tournaments wait to be made anew."""
    return _held(select(func.count(outbox.c.tournament_id.distinct())).where(outbox.c.kind == ANEW_KIND), held)


def _held(statement: Select[Any], held: Held) -> Select[Any]:
    """Only of the partitions that a database holds."""
    if held is None:
        return statement
    mine = statement.join(tournaments, tournaments.c.tournament_id == outbox.c.tournament_id)
    return mine.where(tournaments.c.log_partition.in_(held))
