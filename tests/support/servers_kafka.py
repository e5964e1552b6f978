"""One real Kafka for the tests of a session, started when the first of them asks; a missing installation is a failure."""

from __future__ import annotations

import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_servers.base import HOST, pid_of, stop
from scripts.local_servers.kafka import KafkaServer
from tests.support.certificates import Authority

USER = "palio"
PASSWORD = "a-password-of-the-tests"


def free_ports(count: int) -> int:
    """The first of `count` consecutive ports that nobody listens on. Below those that the system gives to clients."""
    for _ in range(200):
        first = random.randrange(20_000, 32_000)
        sockets = []
        try:
            for port in range(first, first + count):
                probe = socket.socket()
                sockets.append(probe)
                probe.bind((HOST, port))
        except OSError:
            continue
        else:
            return first
        finally:
            for probe in sockets:
                probe.close()
    raise RuntimeError("no free ports")


class KafkaForTests:
    """A broker that a test may stop, kill and start again on the same data."""

    def __init__(self, directory: Path, *, quick_start: bool = True) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        certificates = self.authority.own.both, self.authority.own.certificate
        self._server = KafkaServer(users={USER: PASSWORD}, certificates=certificates, quick_start=quick_start)
        self._first_port = free_ports(5)
        self.bootstrap_servers = f"{HOST}:{self._first_port}"
        self.sasl_bootstrap_servers = f"{HOST}:{self._first_port + 2}"
        self.tls_bootstrap_servers = f"{HOST}:{self._first_port + 3}"
        self.mutual_bootstrap_servers = f"{HOST}:{self._first_port + 4}"
        self.cafile = str(self.authority.own.certificate)

    def start(self) -> None:
        found = self._server.start(self.directory, self._first_port)
        assert found == {"bootstrap_servers": self.bootstrap_servers}

    def stop(self) -> None:
        stop(self.directory, self._server.name)

    def kill(self) -> None:
        stop(self.directory, self._server.name, signal.SIGKILL)

    @property
    def pid(self) -> int:
        pid = pid_of(self.directory, self._server.name)
        assert pid is not None
        return pid


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaForTests]:
    """The session's broker. A test that stops it starts it again."""
    server = KafkaForTests(tmp_path_factory.mktemp("kafka"))
    server.start()
    yield server
    server.kill()
