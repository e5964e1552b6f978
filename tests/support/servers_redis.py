"""Real Redis servers for tests: one of each kind a session, emptied between tests; a missing installation is a failure."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scripts.local_servers.base import HOST, ensure_program, names, pid_of, stop, wait_for_answer, wait_until
from scripts.local_servers.redis import NODES, RedisClusterServer, ask, loaded, password_of, start_node
from storage.redis_client.connection import RedisConfig


class SingleRedisServer:
    """One Redis on `first_port`."""

    name = "redis"

    def install(self) -> None:
        ensure_program("redis-server", "redis-server")

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        password = password_of(directory)
        start_node(directory, self.name, first_port, password, [])
        wait_for_answer(directory, self.name, lambda: loaded(first_port, password), 30)
        return {"urls": [f"redis://{HOST}:{first_port}"], "password": password, "cluster": False}


class RunningRedis:
    """A started server or cluster. `names` are those of its processes, in the order of their ports."""

    def __init__(self, server: SingleRedisServer | RedisClusterServer, directory: Path, ports: int) -> None:
        server.install()
        self.server = server
        self.directory = directory
        self.first_port = free_ports(ports)
        self.known: dict[str, Any] = server.start(directory, self.first_port)
        self.password: str = self.known["password"]
        self.cluster: bool = self.known["cluster"]
        self._backups = 0
        self.ports = [int(url.rpartition(":")[2]) for url in self.known["urls"]]

    def config(self, **options: Any) -> RedisConfig:
        values = {"urls": tuple(self.known["urls"]), "cluster": self.cluster, "password": self.password}
        return RedisConfig(**{**values, **options})

    def ask(self, *command: str, port: int | None = None) -> str:
        return ask(port or self.ports[0], self.password, command)

    def primaries(self) -> list[int]:
        """The ports of the nodes that take writes."""
        found = []
        for port in self.ports:
            with contextlib.suppress(OSError):
                if "role:master" in ask(port, self.password, ["INFO", "replication"]):
                    found.append(port)
        return found

    def empty(self) -> None:
        """Everything gone, and everything running."""
        self.server.start(self.directory, self.first_port)
        for port in self.primaries():
            ask(port, self.password, ["FLUSHALL"])

    def name_of(self, port: int) -> str:
        return f"{self.server.name}-{port - self.first_port}" if self.cluster else self.server.name

    def kill(self, port: int) -> None:
        """kill -9, and wait until it is gone."""
        name = self.name_of(port)
        os.kill(self.pid_of(port), signal.SIGKILL)
        wait_until(lambda: pid_of(self.directory, name) is None, f"{name} to end", 10)

    def pid_of(self, port: int) -> int:
        """The process on a port."""
        pid = pid_of(self.directory, self.name_of(port))
        assert pid is not None
        return pid

    @contextlib.contextmanager
    def stopped(self, port: int) -> Iterator[None]:
        """One process hangs: it answers nothing, and its connections stay open."""
        pid = self.pid_of(port)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def replica_of(self, primary: int) -> int:
        """The port of the node that follows a primary."""
        return next(
            port for port in self.ports if f"master_port:{primary}\r" in self.ask("INFO", "replication", port=port)
        )

    def back_up(self, ports: Sequence[int]) -> dict[int, Path]:
        """Copies of the append-only files, as they are now."""
        self._backups += 1
        found = {}
        for port in ports:
            name = self.name_of(port)
            found[port] = self.directory / f"backup-{self._backups}-{name}"
            shutil.copytree(self.directory / name / "appendonlydir", found[port])
        return found

    def restore(self, backups: dict[int, Path]) -> None:
        """kill -9, put copies of earlier in the place of the data, start again; does not wait until they answer."""
        for port in backups:
            self.kill(port)
        for port, backup in backups.items():
            data = self.directory / self.name_of(port) / "appendonlydir"
            shutil.rmtree(data)
            shutil.copytree(backup, data)
        for port in backups:
            if isinstance(self.server, RedisClusterServer):
                self.server.start_one(self.directory, self.first_port, port - self.first_port)
            else:
                start_node(self.directory, self.server.name, port, self.password, [])

    def close(self) -> None:
        for name in names(self.directory):
            stop(self.directory, name, signal.SIGKILL)


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    draw = Random()
    while True:
        first = draw.randint(20_000, 30_000)
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probe = held.enter_context(socket.socket())
                probe.bind((HOST, port))
            return first


@pytest.fixture(scope="session")
def single_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    running = RunningRedis(SingleRedisServer(), tmp_path_factory.mktemp("redis"), 1)
    yield running
    running.close()


@pytest.fixture(scope="session")
def clustered_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRedis]:
    running = RunningRedis(RedisClusterServer(), tmp_path_factory.mktemp("redis-cluster"), NODES + 10)
    yield running
    running.close()
