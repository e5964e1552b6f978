"""Where the durable store's code meets a database: the engine, and the statements that differ by dialect."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, Table, TextClause, bindparam, create_engine, event, text
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.sql.dml import Insert

from storage.ports.errors import RecordsUnavailableError, StorageError
from storage.records.sql.migrate import check_same_version, check_version, migrate, stored_version
from storage.records.sql.schema import SCHEMA_VERSION
from storage.sqlite_files import switch_to_wal

# Set on connections that are going to write: SQLite then takes the write lock first, and cannot fail for it half way.
WRITES = "palio_writes"
OPEN_WAIT_S = 5.0
MYSQL_LOCK_CONFLICTS = (1205, 1213)  # ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK


def upsert(dialect: str, table: Table, guard: str | None = None) -> Insert | TextClause:
    """Insert rows, or replace those of the same key, if their `guard` column is not above the new one's."""
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]
    if dialect == "sqlite":
        to_sqlite = sqlite.insert(table)
        return to_sqlite.on_conflict_do_update(
            index_elements=keys,
            set_={name: to_sqlite.excluded[name] for name in others},
            where=None if guard is None else to_sqlite.excluded[guard] >= table.c[guard],
        )
    # MySQL assigns one column after the other and later ones see the earlier: the guard goes last.
    ordered = [name for name in others if name != guard] + ([] if guard is None else [guard])
    return _mysql_insert(table, [_mysql_assignment(table, name, guard) for name in ordered])


def insert_new(dialect: str, table: Table) -> Insert | TextClause:
    """Insert rows, leaving alone those whose key is there."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    key = _quote(next(iter(table.primary_key)).name)  # INSERT IGNORE would hide other errors, too
    return _mysql_insert(table, [f"{key} = {table.name}.{key}"])


def _mysql_assignment(table: Table, name: str, guard: str | None) -> str:
    # VALUES() is what MariaDB and MySQL both take. MySQL 8.4 warns that it is deprecated in favour of a row alias, which MariaDB does
    # not know and which keeps aiomysql from sending many rows in one statement.
    new, old = f"VALUES({_quote(name)})", f"{table.name}.{_quote(name)}"
    if guard is None:
        return f"{_quote(name)} = {new}"
    return f"{_quote(name)} = if(VALUES({_quote(guard)}) >= {table.name}.{_quote(guard)}, {new}, {old})"


def _mysql_insert(table: Table, assignments: Sequence[str]) -> TextClause:
    names = ", ".join(_quote(column.name) for column in table.columns)
    values = ", ".join(f":{column.name}" for column in table.columns)
    sql = f"INSERT INTO {table.name} ({names}) VALUES ({values}) ON DUPLICATE KEY UPDATE "  # noqa: S608 - names of our own schema
    sql += ", ".join(assignments)
    return text(sql).bindparams(*(bindparam(column.name, type_=column.type) for column in table.columns))


def _quote(name: str) -> str:
    return mysql.dialect().identifier_preparer.quote(name)  # type: ignore[no-any-return,no-untyped-call,unused-ignore]


def is_lock_conflict(error: DBAPIError) -> bool:
    """Whether MySQL ended the transaction for others' sake: a deadlock, or a lock that was not free in time."""
    return bool(error.orig and error.orig.args and error.orig.args[0] in MYSQL_LOCK_CONFLICTS)


async def sqlite_engine(path: Path, busy_timeout_ms: int) -> AsyncEngine:
    """An engine on the file at `path`: made when missing, migrated when made by an earlier version.

    Raises StorageVersionError (nothing was touched), StorageError (another database), RecordsUnavailableError.
    """
    try:
        await asyncio.to_thread(_prepare, path)
    except (sqlite3.Error, DBAPIError, OSError) as error:
        raise RecordsUnavailableError(f"{path.name}: {getattr(error, 'orig', None) or error}") from error
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=4,
        max_overflow=4,
        pool_timeout=busy_timeout_ms / 1000,
        connect_args={"timeout": busy_timeout_ms / 1000},
    )
    _begin_as_told(engine.sync_engine)
    return engine


def _begin_as_told(engine: Engine) -> None:
    """Transactions begin where SQLAlchemy says, and those that write take the write lock first."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def check_sqlite(path: Path) -> None:
    """For who only looks: raises StorageError unless the file is there, and of this version; nothing is made or migrated.

    RecordsUnavailableError: it cannot be read.
    """
    if not path.exists():
        raise StorageError(f"{path}: expected records, found none")
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": OPEN_WAIT_S})
    try:
        with engine.connect() as connection:
            check_same_version(connection, path.name)
    except DBAPIError as error:
        raise RecordsUnavailableError(f"{path.name}: {error.orig}") from error


def _prepare(path: Path) -> None:
    """Look at the version before anything else is done to the file, then switch it to write-ahead logging, and migrate it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": OPEN_WAIT_S})
    _begin_as_told(engine)
    with engine.connect() as connection:  # one moment: another process may be making the tables right now
        version = stored_version(connection, path.name)
        check_version(path.name, version or 0)
    with contextlib.closing(engine.raw_connection()) as raw:
        switch_to_wal(raw.driver_connection, OPEN_WAIT_S)  # type: ignore[arg-type]  # SQLite's
    if version != SCHEMA_VERSION:
        with engine.execution_options(**{WRITES: True}).begin() as migrating:
            migrate(migrating, path.name)
