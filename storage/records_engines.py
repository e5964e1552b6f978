"""Where the durable store's code meets a database: the engine, and the statements that differ by dialect."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, event, func
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.sql.dml import Insert

from storage.base.errors import RecordsUnavailableError, StorageError, StorageVersionError
from storage.records_schema import SCHEMA_VERSION
from storage.sqlite_files import switch_to_wal

# Set on connections that are going to write: SQLite then takes the write lock first, and cannot fail for it half way.
WRITES = "palio_writes"
OPEN_WAIT_S = 5.0


def upsert(dialect: str, table: Table, guard: str | None = None) -> Insert:
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
    to_mysql = mysql.insert(table)
    new = to_mysql.inserted
    if guard is None:
        return to_mysql.on_duplicate_key_update({name: new[name] for name in others})
    # MySQL assigns one column after the other and later ones see the earlier: the guard goes last.
    ordered = [name for name in others if name != guard] + [guard]
    allowed = new[guard] >= table.c[guard]
    return to_mysql.on_duplicate_key_update([(name, func.if_(allowed, new[name], table.c[name])) for name in ordered])


def insert_new(dialect: str, table: Table) -> Insert:
    """Insert rows, leaving alone those whose key is there."""
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    to_mysql = mysql.insert(table)
    key = next(iter(table.primary_key)).name  # INSERT IGNORE would hide other errors, too
    return to_mysql.on_duplicate_key_update({key: table.c[key]})


async def sqlite_engine(path: Path, busy_timeout_ms: int) -> AsyncEngine:
    """An engine on the file at `path`, made when missing; without tables when it is new.

    Raises StorageVersionError (nothing was touched), StorageError (another database), RecordsUnavailableError.
    """
    try:
        await asyncio.to_thread(_prepare, path)
    except (sqlite3.Error, OSError) as error:
        raise RecordsUnavailableError(f"{path.name}: {error}") from error
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=4,
        max_overflow=4,
        pool_timeout=busy_timeout_ms / 1000,
        connect_args={"timeout": busy_timeout_ms / 1000},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where SQLAlchemy says, see below
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _prepare(path: Path) -> None:
    """Look at the version before anything else is done to the file, then switch it to write-ahead logging."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=OPEN_WAIT_S, isolation_level=None)
    try:
        connection.execute("BEGIN")  # one moment: another process may be making the tables right now
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and "schema_version" not in tables:
            raise StorageError(f"{path.name} is a SQLite database, but not one of Palio's records")
        if tables:
            check_version(path.name, connection.execute("SELECT version FROM schema_version").fetchone()[0])
        connection.execute("COMMIT")
        switch_to_wal(connection, OPEN_WAIT_S)
    finally:
        connection.close()


def check_version(name: str, version: int) -> None:
    """Raise StorageVersionError for a schema that is newer than this version knows."""
    if version > SCHEMA_VERSION:
        raise StorageVersionError(f"{name} has schema {version}, this version reads up to {SCHEMA_VERSION}")
