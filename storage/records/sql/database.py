"""Records on a SQL database through SQLAlchemy Core: SQLite embedded, MySQL in a cluster, the same code.

A `save` is one transaction. A database may be one shard of several, which holds some partitions (`storage.records.sql.partitions`). On
SQLite several processes use the file at once; a write waits for others at most the busy timeout. On MySQL a write that a deadlock or a
lock's time cut off is tried again, a few times. The database's errors become RecordsUnavailableError, but for those that a wrong row
causes: the transaction was not made, or, when the connection broke while it was being committed, may have been; saving it again is
right in both cases.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Select, select, true
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from actors.domain.analytics.attempts import KINDS
from actors.domain.values import partition_of
from storage.ports.errors import RecordsUnavailableError
from storage.ports.records import (
    Checkpoint,
    ListQuery,
    OutboxRow,
    Page,
    ParticipantRow,
    StoredSnapshot,
    TournamentRow,
)
from storage.records.sql import queries as records_queries
from storage.records.sql.checkpoint_writer import CheckpointWriter, checked_partition, in_parts
from storage.records.sql.dialects import WRITES, is_lock_conflict, sqlite_engine
from storage.records.sql.partitions import Held
from storage.records.sql.schema import (
    TOURNAMENT_COLUMNS,
    outbox,
    participant_row,
    projected,
    tournament_row,
    tournaments,
)

T = TypeVar("T")
WRITE_ATTEMPTS = 4  # of one write that others' locks cut off
# A save has a second more for so many participants: a quarter of what MariaDB took on two shared cores. One that is cut off is tried again
# whole, so without this a tournament of some 200,000 would never be durable.
ROWS_A_SECOND = 5_000
LOCK_PAUSE_S = 0.02  # at most, times the attempt, before the next one


class SqlRecords:
    """See `storage.ports.records.Records`. Made by `open`; belongs to one process."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        timeout_ms: int | None = None,
        held: Held | None = None,
    ) -> None:
        """Over an engine whose database has its tables; each call ends within `timeout_ms` (None: the engine has its own bounds), a
        save of many participants within a second more for each ROWS_A_SECOND of them.

        `held`: the database is one shard of several, and each transaction looks whether it holds what is asked of it.
        """
        self._held = held
        self._engine = engine
        self._timeout_s = None if timeout_ms is None else timeout_ms / 1000
        self._where = (engine.url.host and f"{engine.url.host}:{engine.url.port}") or Path(
            str(engine.url.database)
        ).name
        self._writing = engine.execution_options(**{WRITES: True})
        self._writer = CheckpointWriter(engine.dialect.name)

    @classmethod
    async def open(cls, path: Path | str, *, busy_timeout_ms: int = 5_000) -> SqlRecords:
        """The embedded store in a SQLite file, made when missing.

        Raises StorageVersionError (made by a newer version; nothing was touched), StorageError (another database) and
        RecordsUnavailableError.
        """
        return cls(await sqlite_engine(Path(path), busy_timeout_ms))

    async def save(self, checkpoint: Checkpoint) -> None:
        """See `Records.save`. Raises PlacedElsewhereError, as other methods do, if the shard does not hold the partition."""
        await self._save([checked_partition(checkpoint)], checkpoint)

    async def save_each(self, checkpoints: Sequence[Checkpoint]) -> list[RecordsUnavailableError | None]:
        """See `Records.save_each`: all in one transaction."""
        error: RecordsUnavailableError | None = None
        partitions = [checked_partition(checkpoint) for checkpoint in checkpoints]
        together = [[row for rows in kind for row in rows] for kind in zip(*checkpoints, strict=True)]
        try:
            if together:
                await self._save(partitions, Checkpoint(*together))
        except RecordsUnavailableError as unavailable:
            error = unavailable
        return [error] * len(checkpoints)

    async def _save(self, partitions: Sequence[int], checkpoint: Checkpoint) -> None:
        async def work(connection: AsyncConnection) -> None:
            await self._writer.write(connection, checkpoint)

        await self._write(partitions, work, len(checkpoint.participants) // ROWS_A_SECOND)

    async def settled_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.settled_snapshots`: of one database there is no replica."""
        raise RecordsUnavailableError(f"{self._where}: no replica has tournament {tournament_id}")

    async def shown_snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.shown_snapshots`: as `snapshots`."""
        return await self.snapshots(tournament_id)

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.snapshots`."""
        async with self._read(tournament_id=tournament_id) as connection:
            return (await records_queries.stored_snapshots(connection, [tournament_id])).get(tournament_id, [])

    async def snapshots_of(self, partition: int, tournament_ids: Sequence[int]) -> dict[int, list[StoredSnapshot]]:
        """See `Records.snapshots_of`."""
        found: dict[int, list[StoredSnapshot]] = {}
        async with self._read(partition) as connection:
            for part in in_parts(tournament_ids):
                found |= await records_queries.stored_snapshots(connection, part)
        return found

    async def active(self, partition: int, *, dedicated: bool) -> list[int]:
        """See `Records.active`; lowest id first."""
        t = tournaments.c
        statement = select(t.tournament_id).where(
            t.log_partition == partition, t.is_active == true(), t.dedicated == dedicated
        )
        async with self._read(partition) as connection:
            return list(await connection.scalars(statement.order_by(t.tournament_id)))

    async def projected(self, partition: int, scopes: Sequence[str]) -> dict[str, int]:
        """See `Records.projected`."""
        columns = select(projected.c.scope, projected.c.log_offset)
        found = dict.fromkeys(scopes, -1)
        async with self._read(partition) as connection:
            for part in in_parts(list(found)):
                for scope, offset in await connection.execute(columns.where(projected.c.scope.in_(part))):
                    found[scope] = offset
        return found

    async def outbox(self, limit: int, tournament_id: int | None = None) -> list[OutboxRow]:
        """See `Records.outbox`."""
        o = outbox.c
        statement = select(o.tournament_id, o.log_offset, o.n, o.kind, o.payload).where(o.kind.not_in(KINDS))
        statement = statement.order_by(o.tournament_id, o.log_offset, o.n).limit(limit)
        if tournament_id is not None:
            statement = statement.where(o.tournament_id == tournament_id)
        else:
            statement = statement.join(tournaments, tournaments.c.tournament_id == o.tournament_id)
        async with self._read(tournament_id=tournament_id) as connection:
            if tournament_id is None:
                statement = await self._of_held(connection, statement)
            return [OutboxRow(*row) for row in await connection.execute(statement)]

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        """See `Records.tournament`."""
        statement = select(*TOURNAMENT_COLUMNS).where(tournaments.c.tournament_id == tournament_id)
        async with self._read(tournament_id=tournament_id) as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else tournament_row(row)

    async def list_tournaments(self, query: ListQuery) -> Page:
        """See `Records.list_tournaments`."""
        statement = records_queries.list_tournaments(query)
        async with self._read() as connection:
            statement = await self._of_held(connection, statement)
            rows = [tournament_row(row) for row in await connection.execute(statement)]
        return Page(*records_queries.page(rows, query.limit, records_queries.place_in_list))

    async def user_tournaments(
        self, user_id: int, cursor: str | None, limit: int
    ) -> tuple[list[tuple[TournamentRow, ParticipantRow]], str | None]:
        """See `Records.user_tournaments`."""
        rows: list[tuple[TournamentRow, ParticipantRow]] = []
        async with self._read() as connection:
            for statement in records_queries.user_tournaments(user_id, cursor, limit):
                found = await connection.execute(await self._of_held(connection, statement))
                rows += [(tournament_row(row), participant_row(row)) for row in found]
        rows.sort(key=records_queries.place_of_user, reverse=True)
        return records_queries.page(rows, limit, records_queries.place_of_user)

    async def took_part(self, user_id: int, after: int, limit: int) -> list[int]:
        """See `Records.took_part`."""
        found: set[int] = set()
        async with self._read() as connection:
            for statement in records_queries.took_part(user_id, after, limit):
                found.update(await connection.scalars(await self._of_held(connection, statement)))
        return sorted(found)[:limit]

    async def run(self, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `ask` finds in a transaction that reads, with the port's errors and this store's time limit."""
        async with self._read() as connection:
            return await ask(connection)

    async def read_of(self, tournament_id: int, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `ask` finds in a transaction that reads, of a tournament that is held here."""
        async with self._read(tournament_id=tournament_id) as connection:
            return await ask(connection)

    async def write_of(self, tournament_id: int, work: Callable[[AsyncConnection, int], Awaitable[T]]) -> T:
        """What `work` does in a transaction that writes, given the partition of a tournament that is stored here.

        It runs again where others' locks cut it off. Raises RecordsUnavailableError also for a tournament that is not stored (yet).
        """

        async def located(connection: AsyncConnection) -> T:
            t = tournaments.c
            partition = await connection.scalar(select(t.log_partition).where(t.tournament_id == tournament_id))
            if partition is None:
                raise RecordsUnavailableError(f"{self._where}: tournament {tournament_id} is not stored yet")
            return await work(connection, partition)

        return await self._write(self._partitions([tournament_id]), located)

    async def read_of_many(
        self, tournament_ids: Sequence[int], ask: Callable[[AsyncConnection, Sequence[int]], Awaitable[T]]
    ) -> list[T]:
        """What `ask` finds of tournaments that are held here, in a transaction for the tournaments of each database (there is one)."""
        async with self._read() as connection:
            if self._held is not None:
                for partition in self._partitions(tournament_ids):
                    await self._held.check(connection, partition)
            return [await ask(connection, tournament_ids)]

    async def write_of_many(
        self, tournament_ids: Sequence[int], work: Callable[[AsyncConnection, Sequence[int]], Awaitable[T]]
    ) -> list[T]:
        """What `work` does likewise in a transaction that writes; it runs again where others' locks cut it off."""

        async def of_all(connection: AsyncConnection) -> T:
            return await work(connection, tournament_ids)

        return [await self._write(self._partitions(tournament_ids), of_all)]

    async def read_each(
        self, ask: Callable[[AsyncConnection, Sequence[int] | None], Awaitable[T]], *, of_all: bool = True
    ) -> list[T]:
        """What `ask` finds in each database (there is one), given the partitions that it holds, None for all."""
        del of_all
        async with self._read() as connection:
            return [await ask(connection, None if self._held is None else await self._held.all(connection))]

    async def read_first(self, ask: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `ask` finds in the database of what belongs to no tournament (this one)."""
        return await self.run(ask)

    async def write_first(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """What `work` does there in a transaction that writes; it runs again where others' locks cut it off."""
        return await self._write([], work)

    async def write_each(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> list[T]:
        """What `work` does in each database (there is one), in a transaction of its own."""
        return [await self._write([], work)]

    async def close(self) -> None:
        """See `Records.close`."""
        await self._engine.dispose()

    async def _write(
        self, partitions: Sequence[int], work: Callable[[AsyncConnection], Awaitable[T]], more_s: float = 0.0
    ) -> T:
        """What `work` does in a transaction that writes, of partitions that are held; again, where others' locks cut it off."""
        async with self._bounded(more_s):
            for attempt in itertools.count(1):
                try:
                    async with self._writing.begin() as connection:
                        if self._held is not None:
                            for partition in partitions:
                                await self._held.check(connection, partition, saving=True)
                        return await work(connection)
                except DBAPIError as error:
                    if attempt == WRITE_ATTEMPTS or not is_lock_conflict(error):
                        raise
                    await asyncio.sleep(random.uniform(0, LOCK_PAUSE_S * attempt))  # noqa: S311 - spreads, hides nothing
        raise AssertionError("unreachable: the loop returns or raises")

    def _partitions(self, tournament_ids: Sequence[int]) -> list[int]:
        """Whose being held is to be looked at: none where the database is the only one."""
        if self._held is None:
            return []
        return sorted({partition_of(number, self._held.partitions) for number in tournament_ids})

    async def _of_held(self, connection: AsyncConnection, statement: Select[Any]) -> Select[Any]:
        """Of the rows of tournaments those of partitions that are held: a move may have left others here, or copied some ahead."""
        if self._held is None:
            return statement
        # `+ 0`: not by the index of partitions, which is not in the order of any page
        return statement.where((tournaments.c.log_partition + 0).in_(await self._held.all(connection)))

    @asynccontextmanager
    async def _read(
        self, partition: int | None = None, *, tournament_id: int | None = None
    ) -> AsyncIterator[AsyncConnection]:
        """A transaction that reads, with the port's errors; of a partition or a tournament if it is held."""
        async with self._bounded(), self._engine.connect() as connection:
            if self._held is not None and tournament_id is not None:
                partition = partition_of(tournament_id, self._held.partitions)
            if self._held is not None and partition is not None:
                await self._held.check(connection, partition)
            yield connection

    @asynccontextmanager
    async def _bounded(self, more_s: float = 0.0) -> AsyncIterator[None]:
        """Within the time limit and `more_s`, with the port's errors."""
        limit_s = None if self._timeout_s is None else self._timeout_s + more_s
        try:
            async with asyncio.timeout(limit_s):
                yield
        except (IntegrityError, DataError, ProgrammingError):
            raise  # a row or a statement is wrong: trying again would not help
        except TimeoutError as error:
            raise RecordsUnavailableError(f"{self._where}: no answer within {limit_s:g} s") from error
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise RecordsUnavailableError(f"{self._where}: {getattr(error, 'orig', None) or error}") from error
