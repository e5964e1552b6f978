"""Records on a SQL database through SQLAlchemy Core: SQLite embedded, MySQL in a cluster, the same code.

One database is one shard: a `save` is one transaction. On SQLite several processes use the file at once; a write waits for
others at most the busy timeout. The database's errors become RecordsUnavailableError (the transaction was not made), but
for those that a wrong row causes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select, true
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage import records_queries
from storage.base.errors import RecordsUnavailableError
from storage.base.records import (
    Checkpoint,
    ListQuery,
    OutboxRow,
    Page,
    ParticipantRow,
    StoredSnapshot,
    TournamentRow,
)
from storage.records_engines import WRITES, check_version, sqlite_engine
from storage.records_save import CheckpointWriter, in_parts, kept_snapshots
from storage.records_schema import (
    SCHEMA_VERSION,
    TOURNAMENT_COLUMNS,
    metadata,
    outbox,
    participant_row,
    projected,
    schema_version,
    snapshots,
    tournament_row,
    tournaments,
)


class SqlRecords:
    """See `storage.base.records.Records`. Made by `open`; belongs to one process."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writing = engine.execution_options(**{WRITES: True})
        self._writer = CheckpointWriter(engine.dialect.name)

    @classmethod
    async def open(cls, path: Path | str, *, busy_timeout_ms: int = 5_000) -> SqlRecords:
        """The embedded store in a SQLite file, made when missing.

        Raises StorageVersionError (made by a newer version; nothing was touched), StorageError (another database) and
        RecordsUnavailableError.
        """
        return await cls.over(await sqlite_engine(Path(path), busy_timeout_ms))

    @classmethod
    async def over(cls, engine: AsyncEngine) -> SqlRecords:
        """The store on an engine's database; its tables are made when missing. Raises as `open`."""
        records = cls(engine)
        try:
            async with records._write() as connection:
                await connection.run_sync(_make_or_check)
        except BaseException:
            await engine.dispose()
            raise
        return records

    async def save(self, checkpoint: Checkpoint) -> None:
        """See `Records.save`. ValueError: participants or effects of a tournament that is not in the checkpoint."""
        async with self._write() as connection:
            await self._writer.write(connection, checkpoint)

    async def snapshot(self, tournament_id: int) -> StoredSnapshot | None:
        """See `Records.snapshot`."""
        found = await self._snapshots(tournament_id, 1)
        return found[0] if found else None

    async def snapshots(self, tournament_id: int) -> list[StoredSnapshot]:
        """See `Records.snapshots`."""
        return await self._snapshots(tournament_id, None)

    async def _snapshots(self, tournament_id: int, limit: int | None) -> list[StoredSnapshot]:
        parts = select(snapshots.c.log_partition, snapshots.c.data).order_by(snapshots.c.part)
        found = []
        async with self._read() as connection:
            kept = await kept_snapshots(connection, [tournament_id])
            for offset in kept.get(tournament_id, [])[:limit]:
                rows = await connection.execute(
                    parts.where(snapshots.c.tournament_id == tournament_id, snapshots.c.log_offset == offset)
                )
                data = rows.all()
                joined = data[0][1] if len(data) == 1 else b"".join(row[1] for row in data)
                found.append(StoredSnapshot(tournament_id, data[0][0], offset, joined))
        return found

    async def active(self, partition: int, *, dedicated: bool) -> list[int]:
        """See `Records.active`; lowest id first."""
        t = tournaments.c
        statement = select(t.tournament_id).where(
            t.log_partition == partition, t.is_active == true(), t.dedicated == dedicated
        )
        async with self._read() as connection:
            return list(await connection.scalars(statement.order_by(t.tournament_id)))

    async def projected(self, scopes: Sequence[str]) -> dict[str, int]:
        """See `Records.projected`."""
        columns = select(projected.c.scope, projected.c.log_offset)
        found = dict.fromkeys(scopes, -1)
        async with self._read() as connection:
            for part in in_parts(list(found)):
                for scope, offset in await connection.execute(columns.where(projected.c.scope.in_(part))):
                    found[scope] = offset
        return found

    async def outbox(self, limit: int) -> list[OutboxRow]:
        """See `Records.outbox`."""
        o = outbox.c
        columns = select(o.tournament_id, o.log_offset, o.n, o.kind, o.payload)
        async with self._read() as connection:
            rows = await connection.execute(columns.order_by(o.tournament_id, o.log_offset, o.n).limit(limit))
            return [OutboxRow(*row) for row in rows]

    async def tournament(self, tournament_id: int) -> TournamentRow | None:
        """See `Records.tournament`."""
        statement = select(*TOURNAMENT_COLUMNS).where(tournaments.c.tournament_id == tournament_id)
        async with self._read() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else tournament_row(row)

    async def list_tournaments(self, query: ListQuery) -> Page:
        """See `Records.list_tournaments`."""
        statement = records_queries.list_tournaments(query)
        async with self._read() as connection:
            rows = [tournament_row(row) for row in await connection.execute(statement)]
        if len(rows) <= query.limit:
            return Page(rows, None)
        last = rows[query.limit - 1]
        return Page(rows[: query.limit], records_queries.encode_cursor(last.created_ms, last.tournament_id))

    async def user_tournaments(
        self, user_id: int, cursor: str | None, limit: int
    ) -> tuple[list[tuple[TournamentRow, ParticipantRow]], str | None]:
        """See `Records.user_tournaments`."""
        statement = records_queries.user_tournaments(user_id, cursor, limit)
        async with self._read() as connection:
            rows = [(tournament_row(row), participant_row(row)) for row in await connection.execute(statement)]
        if len(rows) <= limit:
            return rows, None
        last = rows[limit - 1][1]
        return rows[:limit], records_queries.encode_cursor(last.joined_ms, last.tournament_id)

    async def close(self) -> None:
        """See `Records.close`."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that reads, with the port's errors."""
        async with _told(), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes, committed at the end, with the port's errors."""
        async with _told(), self._writing.begin() as connection:
            yield connection


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    try:
        yield
    except (IntegrityError, DataError, ProgrammingError):
        raise  # a row or a statement is wrong: trying again would not help
    except (DBAPIError, PoolTimeoutError, OSError) as error:
        raise RecordsUnavailableError(str(getattr(error, "orig", None) or error)) from error


def _make_or_check(connection: Connection) -> None:
    """Make the tables, or see that their version is known."""
    if inspect(connection).has_table(schema_version.name):
        version = connection.scalar(select(schema_version.c.version))
        if version is not None:
            check_version(str(connection.engine.url.database), version)
            return
    metadata.create_all(connection)
    connection.execute(insert(schema_version).values(id=0, version=SCHEMA_VERSION))
