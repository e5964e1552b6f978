"""The durable store's engines on MySQL and MariaDB: settings, connections through aiomysql, the schema brought up to date.

Reads are consistent (REPEATABLE READ, the servers' default). Writes are READ COMMITTED: they lock the rows that they are about, and no gaps
between rows, over which owners of different tournaments would wait for each other. That asks for row-based binary logs, the default
of MySQL 8.4; MariaDB logs such transactions by row on its own.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiomysql
import msgspec
from pymysql.constants import CLIENT, CR
from pymysql.err import OperationalError
from sqlalchemy import URL, Connection, NullPool, create_engine, event, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage.ports.errors import RecordsUnavailableError, StorageError
from storage.records.sql.dialects import WRITES
from storage.records.sql.migrate import check_same_version, migrate, stored_version
from storage.records.sql.schema import SCHEMA_VERSION, SNAPSHOT_PART_BYTES

logger = logging.getLogger(__name__)

CONNECTION_LIFE_S = 1_800  # below what servers and the boxes between keep an idle connection for
SCHEMA_LOCK_WAIT_S = 60  # another process migrates
SCHEMA_S = 600  # one statement of a migration may copy a table
PACKET_BYTES = 2 * SNAPSHOT_PART_BYTES + (
    1 << 20
)  # a snapshot's part as hexadecimal digits, and the statement around it
STRICT = (
    "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"  # a value that does not fit is an error, whatever the server is set to
)


@dataclass(frozen=True)
class MysqlServer:
    """Where a server listens."""

    host: str
    port: int = 3306

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class MysqlShard:
    """One shard: writes go to the primary; replicas take part of the reads."""

    primary: MysqlServer
    replicas: tuple[MysqlServer, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MysqlOptions:
    """How to reach the shards, in the order in which they were numbered when they were made. Times in ms.

    `timeout_ms` bounds every call of the port (a save of many participants has more, see
    `storage.records.sql.database`); `replica_wait_ms` how long
    a read waits for a replica to catch up before the primary answers; `probe_interval_ms` how often a server that was left out is looked
    at again.
    """

    shards: tuple[MysqlShard, ...]
    user: str
    password: str = field(repr=False)
    database: str = "palio"
    connections: int = 4
    connect_timeout_ms: int = 2_000
    timeout_ms: int = 10_000
    lock_wait_ms: int = 3_000
    replica_wait_ms: int = 50
    probe_interval_ms: int = 1_000
    tls: bool = False
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None

    @classmethod
    def of(cls, servers: Mapping[str, Any], **others: Any) -> MysqlOptions:
        """From JSON values: {"shards": [{"primary": {"host", "port"}, "replica": {...} or "replicas": [...]}], "user", "password",
        "database"}. Raises ValueError."""
        try:
            shards = [
                {
                    "primary": shard["primary"],
                    "replicas": shard.get("replicas", [shard["replica"]] if "replica" in shard else []),
                }
                for shard in servers["shards"]
            ]
            account = {name: servers[name] for name in ("user", "password", "database")}
            return msgspec.convert({"shards": shards, **account, **others}, cls)
        except (KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
            raise ValueError(f"expected shards with primary and replicas, user, password, database: {error}") from error

    def tls_context(self) -> ssl.SSLContext | None:
        """How connections are encrypted, None without TLS. The server's certificate is always checked. Raises OSError for missing files."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.tls_ca_file)
        if self.tls_cert_file is not None:
            context.load_cert_chain(self.tls_cert_file, self.tls_key_file)
        return context


class _Connection(aiomysql.Connection):  # type: ignore[misc]
    """What aiomysql 0.3.2 does not do: it quotes bytes with a function that PyMySQL 1.2 no longer has (it calls the text that stands in
    its place), and goes on unencrypted with a server that offers no TLS."""

    def escape(self, obj: Any) -> Any:
        """As hexadecimal digits, which every SQL mode reads alike; twice as long, and far faster than escaping byte by byte."""
        if isinstance(obj, bytes | bytearray | memoryview):
            return f"_binary X'{obj.hex()}'"
        return super().escape(obj)

    async def _request_authentication(self) -> None:
        if self._ssl_context is not None and not self.server_capabilities & CLIENT.SSL:
            raise OperationalError(CR.CR_SSL_CONNECTION_ERROR, "SSL is required, but the server offers none")
        await super()._request_authentication()


async def _connect(**arguments: Any) -> _Connection:
    connection = _Connection(**arguments)
    try:
        await connection._connect()
    except BaseException:
        connection.close()
        raise
    return connection


def mysql_engine(options: MysqlOptions, server: MysqlServer, *, connections: int | None = None) -> AsyncEngine:
    """An engine on a server; it connects when it is first used. Connections are looked at before use, so that a restart is not an error."""
    engine = create_async_engine(
        _url("mysql+aiomysql", options, server),
        isolation_level="REPEATABLE READ",  # a transaction that reads is of one moment, whatever the server's default is
        pool_size=connections or options.connections,
        max_overflow=0,
        pool_timeout=options.timeout_ms / 1000,
        pool_pre_ping=True,
        pool_recycle=CONNECTION_LIFE_S,
        hide_parameters=True,  # what people are called does not belong in error messages
        connect_args={
            "async_creator_fn": _connect,
            "connect_timeout": options.connect_timeout_ms / 1000,
            "init_command": _session(options),
            "ssl": options.tls_context(),
        },
    )

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get(WRITES, False):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")

    return engine


async def prepare(options: MysqlOptions, server: MysqlServer, answer_ms: int | None = None) -> None:
    """Make or migrate the schema on a primary that gives each answer within `answer_ms`, by default the options' `timeout_ms`.

    Raises RecordsUnavailableError, StorageVersionError (newer; nothing was touched), StorageError (other tables).
    """
    try:
        await asyncio.to_thread(_prepare, options, server, answer_ms or options.timeout_ms)
    except (DBAPIError, OSError) as error:
        raise RecordsUnavailableError(f"{server}: {getattr(error, 'orig', None) or error}") from error


async def check_schema(options: MysqlOptions, server: MysqlServer) -> None:
    """For who only looks: raises StorageError unless the schema is of this version; nothing is made or migrated. RecordsUnavailableError."""

    def check() -> None:
        with _connected(options, server, max(1, options.timeout_ms // 1000)) as connection:
            check_same_version(connection, f"{options.database} on {server}")

    try:
        await asyncio.to_thread(check)
    except (DBAPIError, OSError) as error:
        raise RecordsUnavailableError(f"{server}: {getattr(error, 'orig', None) or error}") from error


def _prepare(options: MysqlOptions, server: MysqlServer, answer_ms: int) -> None:
    name = f"{options.database} on {server}"
    with _connected(options, server, max(1, answer_ms // 1000)) as connection:
        check_settings(connection, server)
        if stored_version(connection, name) == SCHEMA_VERSION:
            return
    with _connected(options, server, SCHEMA_S) as connection, _schema_lock(connection, name):
        migrate(connection, name)
        connection.commit()


def _connected(options: MysqlOptions, server: MysqlServer, answer_s: int) -> Connection:
    """A connection from a thread (Alembic works there), each of whose answers comes within `answer_s`."""
    engine = create_engine(
        _url("mysql+pymysql", options, server),
        poolclass=NullPool,
        connect_args={
            "connect_timeout": max(1, options.connect_timeout_ms // 1000),
            "read_timeout": answer_s,
            "write_timeout": answer_s,
            "init_command": _session(options),
            "ssl": options.tls_context(),
        },
    )
    return engine.connect()


def check_settings(connection: Connection, server: MysqlServer) -> None:
    """Raise StorageError for a server that cannot take what is saved; say so if it may forget it."""
    sql = "SELECT @@GLOBAL.max_allowed_packet, @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin, @@GLOBAL.sync_binlog"
    packet_bytes, flushes, has_binlog, syncs = connection.exec_driver_sql(sql).one()
    connection.rollback()
    if packet_bytes < PACKET_BYTES:
        raise StorageError(f"{server}: expected max_allowed_packet of at least {PACKET_BYTES}, found {packet_bytes}")
    if flushes != 1 or (has_binlog and syncs != 1):
        logger.warning(
            "%s has innodb_flush_log_at_trx_commit = %d and sync_binlog = %d: it may forget what was saved when power is lost",
            server,
            flushes,
            syncs,
        )


@contextmanager
def _schema_lock(connection: Connection, name: str) -> Iterator[None]:
    """Held by one connection of the server at a time; gone with the connection."""
    lock = func.left(func.concat("palio schema ", func.database()), 64)  # as long as MySQL lets a lock's name be
    if connection.scalar(select(func.get_lock(lock, SCHEMA_LOCK_WAIT_S))) != 1:
        raise OSError(f"another process has been migrating {name} for {SCHEMA_LOCK_WAIT_S} s")
    try:
        yield
    finally:
        connection.rollback()
        connection.scalar(select(func.release_lock(lock)))


def _url(driver: str, options: MysqlOptions, server: MysqlServer) -> URL:
    return URL.create(
        driver,
        username=options.user,
        password=options.password,
        host=server.host,
        port=server.port,
        database=options.database,
        query={"charset": "utf8mb4"},
    )


def _session(options: MysqlOptions) -> str:
    lock_wait_s = max(1, options.lock_wait_ms // 1000)
    return f"SET SESSION sql_mode = '{STRICT}', innodb_lock_wait_timeout = {lock_wait_s}"
