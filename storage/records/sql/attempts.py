"""Attempts in the durable store: see `storage.ports.attempts`. Rows of the outbox that stay; the same on one database and over shards."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.analytics.attempts import ANEW_KIND, ANEW_N, FIRST_N, KEPT_KIND, KIND, KINDS, Columns, encode_block
from storage.ports.attempts import WaitingTournament
from storage.records.sql.prize_ledger import Held
from storage.records.sql.prize_ledger import Store as OneStore
from storage.records.sql.schema import outbox, tournaments

T = TypeVar("T")
WAITING: Final = (KIND, ANEW_KIND)


class Store(OneStore, Protocol):
    """What attempts ask of the records besides."""

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
        newest = select(o.tournament_id, func.max(o.log_offset), func.min(o.kind)).where(
            o.kind.in_(WAITING), o.tournament_id > after
        )
        newest = newest.group_by(o.tournament_id).order_by(o.tournament_id).limit(limit)

        async def ask(connection: AsyncConnection, held: Held) -> list[WaitingTournament]:
            rows = await connection.execute(_held(newest, held))
            return [WaitingTournament(number, offset, kind == ANEW_KIND) for number, offset, kind in rows]

        found = await self._store.read_each(ask, of_all=False)
        return list(itertools.islice(heapq.merge(*found), limit))

    async def blocks(self, tournament_id: int, upto: int | None = None) -> list[bytes]:
        """See `AttemptBlocks.blocks`."""
        o = outbox.c
        statement = select(o.payload).where(_of(tournament_id)).order_by(o.log_offset, o.n)
        if upto is not None:
            statement = statement.where(o.log_offset <= upto)

        async def ask(connection: AsyncConnection) -> list[bytes]:
            return list(await connection.scalars(statement))

        return await self._store.read_of(tournament_id, ask)

    async def keep(self, tournament_id: int, upto: int, merged: Sequence[bytes] | None = None) -> None:
        """See `AttemptBlocks.keep`."""
        o = outbox.c
        mine = and_(_of(tournament_id), o.log_offset <= upto)

        async def work(connection: AsyncConnection, _partition: int) -> None:
            if merged is None:
                await connection.execute(delete(outbox).where(mine, o.n == ANEW_N))
                await connection.execute(update(outbox).where(mine, o.kind == KIND).values(kind=KEPT_KIND))
                return
            await connection.execute(delete(outbox).where(mine))
            for n, block in enumerate(merged, FIRST_N):
                values: dict[str, Any] = {"tournament_id": tournament_id, "log_offset": upto, "n": n}
                await connection.execute(insert(outbox).values(**values, kind=KEPT_KIND, payload=block))

        await self._store.write_of(tournament_id, work)

    async def rebuild(self) -> int:
        """See `AttemptBlocks.rebuild`."""
        t = tournaments.c
        nothing = encode_block(Columns.nothing())
        marks = select(t.tournament_id, t.log_offset, literal(ANEW_N), literal(ANEW_KIND), literal(nothing))
        names = ["tournament_id", "log_offset", "n", "kind", "payload"]
        mark = insert(outbox).prefix_with("IGNORE", dialect="mysql").prefix_with("OR IGNORE", dialect="sqlite")

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(mark.from_select(names, marks))

        await self._store.write_each(work)
        return (await self.counts())[0]

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


def _of(tournament_id: int) -> ColumnElement[bool]:
    return and_(outbox.c.tournament_id == tournament_id, outbox.c.kind.in_(KINDS))


def _held(statement: Select[Any], held: Held) -> Select[Any]:
    """Only of the partitions that a database holds."""
    if held is None:
        return statement
    mine = statement.join(tournaments, tournaments.c.tournament_id == outbox.c.tournament_id)
    return mine.where(tournaments.c.log_partition.in_(held))
