"""Real MariaDB servers for tests: two shards with replicas for a test session, databases emptied between tests."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pymysql
import pytest

from actors.domain.values import partition_of
from scripts.local_servers import base as servers_base
from scripts.local_servers.base import HOST
from scripts.local_servers.mysql import MysqlServers, data_of, run_sql
from storage.records.mysql.engine import MysqlOptions
from storage.records.sql.partitions import even

ONE_DATABASE = "palio_one"  # beside the sharded one, on the first primary
TABLES = (
    "tournaments",
    "tournament_participants",
    "snapshots",
    "outbox",
    "prizes",
    "notification_settings",
    "notice_jobs",
    "notice_retries",
    "projected",
    "archives",
    "archived_participants",
)
SHARD_TABLES = ("shard_identity", "shard_partitions")
PARTITIONS = 5


class RunningMysql:
    """The session's servers; those that a test stopped are started again by `up`."""

    def __init__(self, directory: Path, shards: int = 2, certificates: tuple[Path, Path, Path] | None = None) -> None:
        self.directory = directory
        self.first_port = free_ports(2 * shards)
        tls = zip(("ssl-cert", "ssl-key", "ssl-ca"), certificates or (), strict=False)
        self._servers = MysqlServers(shards, "".join(f"{name} = {file}\n" for name, file in tls))
        self._servers.install()
        self.connect_values: dict[str, Any] = self._servers.start(directory, self.first_port)
        run_sql(data_of(directory, "mysql-0-primary"), f"CREATE DATABASE IF NOT EXISTS {ONE_DATABASE};")

    def options(self, shards: int = 2, **changes: Any) -> MysqlOptions:
        """All shards with replicas; or, of one shard, the first primary alone with a database of its own."""
        if shards == 2:
            return MysqlOptions.of({**self.connect_values}, **changes)
        primary = {"primary": self.connect_values["shards"][0]["primary"]}
        return MysqlOptions.of({**self.connect_values, "shards": [primary], "database": ONE_DATABASE}, **changes)

    def up(self) -> None:
        """Start what does not run, wake what was stopped, and wait until the replicas follow."""
        for name in servers_base.names(self.directory):
            pid = servers_base.pid_of(self.directory, name)
            if pid is not None:
                self.signal(name, signal.SIGCONT)
        self._servers.start(self.directory, self.first_port)

    def kill(self, name: str) -> None:
        """End one, as a loss of power would: `mysql-0-primary`, `mysql-1-replica`, ..."""
        servers_base.stop(self.directory, name, signal.SIGKILL)

    def start(self, name: str) -> None:
        """Start one again and wait until it answers."""
        self._servers.start_one(self.directory, name, self.first_port)

    def signal(self, name: str, sign: signal.Signals) -> None:
        """Send one a signal (SIGSTOP: it keeps its connections and answers nothing)."""
        pid = servers_base.pid_of(self.directory, name)
        assert pid is not None
        os.kill(pid, sign)

    def sql(self, name: str, statements: str) -> str:
        """Run statements as the administrator."""
        return run_sql(data_of(self.directory, name), statements)

    def empty(self, options: MysqlOptions, tables: Sequence[str] = TABLES) -> None:
        """Take all rows of the tables on every shard; where there are no tables yet there is nothing to do. Faster than new databases."""
        for shard in options.shards:
            with pymysql.connect(
                host=shard.primary.host,
                port=shard.primary.port,
                user=options.user,
                password=options.password,
                database=options.database,
            ) as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = database()")
                there = {name for (name,) in cursor.fetchall()}
                for table in tables:
                    if table in there:
                        cursor.execute(f"DELETE FROM {table}")
                connection.commit()

    def down(self) -> None:
        """End all and delete their data."""
        for name in servers_base.names(self.directory):
            if servers_base.pid_of(self.directory, name) is not None:
                self.signal(name, signal.SIGCONT)
            servers_base.stop(self.directory, name, signal.SIGKILL)
        shutil.rmtree(self.directory / "mysql", ignore_errors=True)  # half a gigabyte; the servers' logs stay


def connect(options: MysqlOptions, shard: int) -> pymysql.Connection:
    """A connection to a shard's primary, which takes large rows."""
    primary = options.shards[shard].primary
    return pymysql.connect(
        host=primary.host, port=primary.port, user=options.user, password=options.password,
        database=options.database, autocommit=True, max_allowed_packet=64 << 20,
    )  # fmt: skip


def on_shard(shard: int, count: int = 1) -> list[int]:
    """The lowest tournament ids of a shard, of two, while nothing was moved."""
    numbers = (n for n in range(1, 10_000) if even(PARTITIONS, 2)[partition_of(n, PARTITIONS)].shard == shard)
    return [next(numbers) for _ in range(count)]


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that a server can listen on, below those that the system hands out by itself. Anywhere there:
    tests run side by side."""
    for _ in range(200):
        first = random.randrange(23_400, 32_000 - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: connections that ended do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@pytest.fixture(scope="session")
def mysql_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMysql]:
    """Two shards, each a primary and a replica, until the session ends. What cannot be installed is a failure."""
    running = RunningMysql(tmp_path_factory.mktemp("mysql"))
    yield running
    running.down()
