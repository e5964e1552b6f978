"""Making and migrating the durable store's schema: from empty and from every earlier version, the same on SQLite and MySQL.

`schema_version` holds one number, which every version of Palio looks at first; Alembic's own table says which revisions ran. Both
agree: revision `000N` makes schema N. SQLite migrates in one transaction. MySQL commits each statement of a schema by itself:
there a lock keeps others away, and a migration that was cut off is run again.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, delete, insert, inspect, select

from storage.ports.errors import StorageError, StorageVersionError
from storage.records.sql.schema import SCHEMA_VERSION, schema_version

REVISIONS = Path(__file__).parents[1] / "migrations"
ALEMBIC_TABLE = "alembic_version"

# Alembic's `op` and `context` are one for a process.
_one_at_a_time = threading.Lock()


def check_version(name: str, version: int) -> None:
    """Raise StorageVersionError for a schema that is newer than this version knows."""
    if version > SCHEMA_VERSION:
        raise StorageVersionError(f"{name} has schema {version}, this version reads up to {SCHEMA_VERSION}")


def check_same_version(connection: Connection, name: str) -> None:
    """Raise StorageError for a schema that is older than this version, or not there, StorageVersionError for a newer one."""
    version = stored_version(connection, name)
    if version is None:
        raise StorageError(f"{name}: expected records, found none")
    check_version(name, version)
    if version < SCHEMA_VERSION:
        raise StorageError(
            f"{name} has schema {version}, expected {SCHEMA_VERSION}: a start of this version migrates it"
        )


def migrate(connection: Connection, name: str) -> None:
    """Bring the schema of a connection's database to SCHEMA_VERSION; the caller commits and keeps others out.

    Raises StorageVersionError (newer; nothing was touched) and StorageError (the tables there are not Palio's). `name` is for messages.
    """
    version = stored_version(connection, name)
    if version is not None:
        check_version(name, version)
    if version != SCHEMA_VERSION:
        with _one_at_a_time:
            _upgrade(connection, name, version)


def stored_version(connection: Connection, name: str) -> int | None:
    """The version of the schema; None for an empty database, or one whose first migration was cut off. Raises StorageError."""
    tables = set(inspect(connection).get_table_names())
    if schema_version.name in tables:
        version: int | None = connection.scalar(select(schema_version.c.version))
        return version
    if tables - {ALEMBIC_TABLE}:
        raise StorageError(f"{name} has tables, but not those of Palio's records")
    return None


def _upgrade(connection: Connection, name: str, version: int | None) -> None:
    # Late: a store whose schema is the newest, which is nearly every one, need not wait for these.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(REVISIONS).replace("%", "%%"))
    try:
        if version is not None and not inspect(connection).has_table(ALEMBIC_TABLE):
            command.stamp(config, f"{version:04}")  # made before there were revisions
        command.upgrade(config, "head")
    except CommandError as error:  # Alembic's table names a revision that is not among ours
        raise StorageVersionError(f"{name} has a schema that this version does not know: {error}") from error
    connection.execute(delete(schema_version))
    connection.execute(insert(schema_version).values(id=0, version=SCHEMA_VERSION))
