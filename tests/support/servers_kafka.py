"""One real Kafka for the tests of a session, started when the first of them asks; a missing installation is a failure."""

from __future__ import annotations

import random
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local_servers.base import HOST, pid_of, stop, write_private
from scripts.local_servers.kafka import QUICK_COMPILER, KafkaServer, Listeners
from tests.support.certificates import Authority

USER = "palio"
PASSWORD = "a-password-of-the-tests"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")


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


class SecuredKafka(KafkaServer):
    """A broker that also listens where a password is wanted (PLAIN or SCRAM), over TLS too, and where a client's certificate is.

    It takes the ports `first_port` + 2 (SASL), + 3 (SASL over TLS) and + 4 (TLS with a client's certificate) besides. `certificates`: PEM
    files, the server's key with its certificate, and the authority of its clients' certificates. `quick_start` has the JVM compile with its
    quick compiler alone: half the CPU to start, more for each record.
    """

    def __init__(self, certificates: tuple[Path, Path], *, quick_start: bool) -> None:
        super().__init__()
        self._certificates = certificates
        self.java_options = [QUICK_COMPILER] if quick_start else []

    def listeners(self, first_port: int) -> Listeners:
        ports, protocols, settings = super().listeners(first_port)
        ports |= {"SASL": first_port + 2, "TLS": first_port + 3, "MUTUAL": first_port + 4}
        protocols |= {"SASL": "SASL_PLAINTEXT", "TLS": "SASL_SSL", "MUTUAL": "SSL"}
        settings += [*_asks_for_passwords("sasl"), *_asks_for_passwords("tls")]
        settings.append("listener.name.mutual.ssl.client.auth=required")
        for listener in ("tls", "mutual"):
            for store, file in zip(("keystore", "truststore"), self._certificates, strict=True):
                settings.append(f"listener.name.{listener}.ssl.{store}.type=PEM")
                settings.append(f"listener.name.{listener}.ssl.{store}.location={file}")
        return Listeners(ports, protocols, settings)

    def format_options(self, directory: Path) -> list[str]:
        words = [f"{mechanism}=[name={USER},password={PASSWORD}]" for mechanism in SCRAM]
        write_private(directory / "kafka-scram", "".join(f"--add-scram\n{word}\n" for word in words))
        return [f"@{directory / 'kafka-scram'}"]


def _asks_for_passwords(listener: str) -> list[str]:
    """The settings of a listener that lets the tests' user in by each mechanism."""
    modules = {"PLAIN": f'plain.PlainLoginModule required user_{USER}="{PASSWORD}";'}
    modules |= dict.fromkeys(SCRAM, "scram.ScramLoginModule required;")
    prefix, package = f"listener.name.{listener}", "org.apache.kafka.common.security"
    logins = [f"{prefix}.{name.lower()}.sasl.jaas.config={package}.{module}" for name, module in modules.items()]
    return [f"{prefix}.sasl.enabled.mechanisms={','.join(modules)}", *logins]


class KafkaForTests:
    """A broker that a test may stop, kill and start again on the same data."""

    def __init__(self, directory: Path, *, quick_start: bool = True) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        certificates = self.authority.own.both, self.authority.own.certificate
        self._server = SecuredKafka(certificates, quick_start=quick_start)
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
