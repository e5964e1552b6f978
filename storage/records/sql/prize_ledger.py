"""The ledger of prizes in the durable store: see `storage.ports.prizes`. The same on one database and over shards."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.domain.prizes.ledger import STATES, Entry, State
from storage.ports.prizes import PRIZES_EFFECT, LedgerChangedError, UserPrize
from storage.records.sql.queries import decode_numbers, encode_numbers
from storage.records.sql.schema import outbox, prizes, tournaments

T = TypeVar("T")
Held = Sequence[int] | None  # the partitions that a database holds; None: all
ENTRIES_A_CALL: Final = 200  # as the checkpoint writer's: the event loop waits while they are written into a statement
_NAMES: Final = {"rule": "rule_number", "rank": "place", "group": "board_group"}
_COLUMNS: Final = tuple(prizes.c[_NAMES.get(name, name)] for name in Entry._fields)
_KEYS: Final = ("tournament_id", "rule_number", "user_id", "n")


class Store(Protocol):
    """What the ledger asks of the records: transactions on the database that holds a tournament, and on all of them."""

    async def read_of(self, tournament_id: int, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """In a transaction that reads what was last written."""

    async def write_of(self, tournament_id: int, work: Callable[[AsyncConnection, int], Awaitable[T]]) -> T:
        """In a transaction that writes, where the tournament's partition (given to `work`) is held until it ends. May run `work` again."""

    async def read_each(self, ask: Callable[[AsyncConnection, Held], Awaitable[T]], *, of_all: bool = True) -> list[T]:
        """Of each database; with `of_all` False of those that answer, at least one."""


class SqlPrizeLedger:
    """Implements PrizeLedger over a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def waiting(self, limit: int) -> dict[int, int]:
        """See `PrizeLedger.waiting`."""
        newest = select(outbox.c.tournament_id, func.max(outbox.c.log_offset)).where(outbox.c.kind == PRIZES_EFFECT)
        newest = newest.group_by(outbox.c.tournament_id).order_by(outbox.c.tournament_id).limit(limit)

        async def ask(connection: AsyncConnection, held: Held) -> list[tuple[int, int]]:
            statement = newest
            if held is not None:
                statement = newest.join(tournaments, tournaments.c.tournament_id == outbox.c.tournament_id)
                statement = statement.where(tournaments.c.log_partition.in_(held))
            return [(number, offset) for number, offset in await connection.execute(statement)]

        found = await self._store.read_each(ask, of_all=False)
        return dict(itertools.islice(heapq.merge(*found), limit))

    async def waits(self, tournament_id: int) -> bool:
        """See `PrizeLedger.waits`."""
        effects = select(outbox.c.n).where(_effects_of(tournament_id)).limit(1)

        async def ask(connection: AsyncConnection) -> bool:
            return (await connection.execute(effects)).first() is not None

        return await self._store.read_of(tournament_id, ask)

    async def entries(self, tournament_id: int) -> list[Entry]:
        """See `PrizeLedger.entries`."""
        p = prizes.c
        statement = select(*_COLUMNS).where(p.tournament_id == tournament_id)
        statement = statement.order_by(p.rule_number, p.place, p.user_id, p.n)

        async def ask(connection: AsyncConnection) -> list[Entry]:
            return [_entry(row) for row in await connection.execute(statement)]

        return await self._store.read_of(tournament_id, ask)

    async def write(self, tournament_id: int, entries: Sequence[Entry], upto: int = -1) -> None:
        """See `PrizeLedger.write`."""
        new = [entry for entry in entries if entry.version == 1]
        changed = [entry for entry in entries if entry.version != 1]

        async def work(connection: AsyncConnection, partition: int) -> None:
            for part in _parts(new):
                await connection.execute(insert(prizes), [_values(entry, partition) for entry in part])
            for entry in changed:
                await _replace(connection, entry, partition)
            if upto >= 0:
                await connection.execute(delete(outbox).where(_effects_of(tournament_id), outbox.c.log_offset <= upto))

        try:
            await self._store.write_of(tournament_id, work)
        except IntegrityError as error:
            raise LedgerChangedError(f"an entry of tournament {tournament_id} is there already") from error

    async def payable(self, now_ms: int, tournaments: int, each: int) -> list[Entry]:
        """See `PrizeLedger.payable`."""
        p = prizes.c
        unclaimed = and_(p.claim, p.claimed_ms.is_(None), p.kind == "prize")
        due = and_(or_(p.state == "paying", and_(p.state == "approved", ~unclaimed)), p.due_ms <= now_ms)
        first = select(p.tournament_id, func.min(p.due_ms)).where(p.state.in_(("approved", "paying")), due)
        first = first.group_by(p.tournament_id).order_by(func.min(p.due_ms)).limit(tournaments)

        async def ask(connection: AsyncConnection, held: Held) -> list[tuple[int, list[Entry]]]:
            which = first if held is None else first.where(p.log_partition.in_(held))
            found = []
            for number, due_ms in (await connection.execute(which)).all():
                rows = select(*_COLUMNS).where(p.tournament_id == number, p.state.in_(("approved", "paying")), due)
                rows = rows.order_by(p.due_ms, p.rule_number, p.place, p.user_id, p.n).limit(each)
                found.append((due_ms, [_entry(row) for row in await connection.execute(rows)]))
            return found

        pages = await self._store.read_each(ask, of_all=False)
        in_turn = heapq.merge(*pages, key=lambda of_one: of_one[0])
        return [entry for _, entries in itertools.islice(in_turn, tournaments) for entry in entries]

    async def user_prizes(self, user_id: int, cursor: str | None, limit: int) -> tuple[list[UserPrize], str | None]:
        """See `PrizeLedger.user_prizes`."""
        p = prizes.c
        place = (p.created_ms, p.tournament_id, p.rule_number, p.n)
        statement = select(*_COLUMNS, tournaments.c.name).join(
            tournaments, tournaments.c.tournament_id == p.tournament_id
        )
        statement = statement.where(p.user_id == user_id)
        if cursor is not None:
            statement = statement.where(tuple_(*place) < tuple_(*decode_numbers(cursor, 4)))
        statement = statement.order_by(*(column.desc() for column in place)).limit(limit + 1)

        async def ask(connection: AsyncConnection, held: Held) -> list[UserPrize]:
            mine = statement if held is None else statement.where(p.log_partition.in_(held))
            return [UserPrize(_entry(row[:-1]), row[-1]) for row in await connection.execute(mine)]

        pages = await self._store.read_each(ask)
        found = list(itertools.islice(heapq.merge(*pages, key=_place, reverse=True), limit + 1))
        more = len(found) > limit
        return found[:limit], encode_numbers(*_place(found[limit - 1])) if more else None

    async def counts(self) -> Mapping[State, int]:
        """See `PrizeLedger.counts`."""
        statement = select(prizes.c.state, func.count()).group_by(prizes.c.state)
        counts: dict[State, int] = dict.fromkeys(STATES, 0)

        async def ask(connection: AsyncConnection, held: Held) -> list[tuple[State, int]]:
            mine = statement if held is None else statement.where(prizes.c.log_partition.in_(held))
            return [(state, count) for state, count in await connection.execute(mine)]

        for found in await self._store.read_each(ask, of_all=False):
            for state, count in found:
                counts[state] += count
        return counts


def _effects_of(tournament_id: int) -> ColumnElement[bool]:
    return and_(outbox.c.kind == PRIZES_EFFECT, outbox.c.tournament_id == tournament_id)


def _place(prize: UserPrize) -> tuple[int, int, int, int]:
    entry = prize.entry
    return entry.created_ms, entry.tournament_id, entry.rule, entry.n


def _parts(entries: Sequence[Entry]) -> Sequence[Sequence[Entry]]:
    return [entries[start : start + ENTRIES_A_CALL] for start in range(0, len(entries), ENTRIES_A_CALL)]


def _values(entry: Entry, partition: int) -> dict[str, Any]:
    values = {_NAMES.get(name, name): value for name, value in entry._asdict().items()}
    return {**values, "log_partition": partition}


def _entry(row: Any) -> Entry:
    return Entry(*row)


async def _replace(connection: AsyncConnection, entry: Entry, partition: int) -> None:
    """In place of the version before. Raises LedgerChangedError."""
    values = _values(entry, partition)
    mine = and_(*(prizes.c[name] == values.pop(name) for name in _KEYS), prizes.c.version == entry.version - 1)
    written = await connection.execute(update(prizes).where(mine).values(values))
    if written.rowcount != 1:
        raise LedgerChangedError(f"prize {entry.key} is not of version {entry.version - 1} any more")
