"""A real InfluxDB for tests: one for the session, and a database of its own for each test."""

from __future__ import annotations

import json
import random
import signal
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scripts.local_servers.base import listens, stop
from scripts.local_servers.influx import InfluxServer
from storage.metrics.influx import InfluxConfig
from storage.ports import Point


def free_ports(count: int) -> int:
    """The first of `count` free ports in a row, below those that the system gives to clients."""
    for _ in range(100):
        first = random.randrange(22_000, 32_000, 10)
        if not any(listens(first + i) for i in range(count)):
            return first
    raise RuntimeError(f"expected {count} free ports in a row between 22000 and 32000")


class TlsInflux(InfluxServer):
    """One whose HTTP is HTTPS. `certificate`: a PEM file of a self-signed certificate for the loopback address and its key."""

    scheme = "https"

    def __init__(self, certificate: Path) -> None:
        self.trusted = certificate
        settings = {"https-certificate": certificate.absolute(), "https-private-key": certificate.absolute()}
        lines = [f'  {name} = "{file}"\n' for name, file in settings.items()]
        self.http_settings = "".join(["\n  https-enabled = true\n", *lines])


class RunningInflux:
    """The session's server, which a test may kill and start again."""

    def __init__(self, directory: Path, certificate: Path | None = None) -> None:
        self._directory = directory
        self._verify = ssl.create_default_context(cafile=certificate)
        self._server = InfluxServer() if certificate is None else TlsInflux(certificate)
        self._server.install()
        self.facts: dict[str, Any] = {}
        self.start()

    def start(self) -> None:
        port = self.facts["url"].rpartition(":")[2] if self.facts else free_ports(2)
        self.facts = self._server.start(self._directory, int(port))

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> None:
        stop(self._directory, self._server.name, sign)

    def make_database(self) -> InfluxDatabase:
        database = f"test_{uuid.uuid4().hex}"
        self.ask(f'CREATE DATABASE "{database}"')
        self.ask(f'GRANT ALL ON "{database}" TO "{self.facts["user"]}"')
        return InfluxDatabase(self, database)

    def ask(self, query: str, database: str = "") -> dict[str, Any]:
        """What a query answers, as an administrator; times in ms."""
        answer = httpx2.post(
            f"{self.facts['url']}/query",
            params={"db": database, "epoch": "ms"},
            data={"q": query},
            auth=(self.facts["admin_user"], self.facts["admin_password"]),
            trust_env=False,
            verify=self._verify,
        )
        result: dict[str, Any] = json.loads(answer.raise_for_status().content)["results"][0]
        assert "error" not in result, result
        return result


class InfluxDatabase:
    """A database which the configured user may write to and read."""

    def __init__(self, server: RunningInflux, name: str) -> None:
        self.server = server
        self.name = name

    def config(self, **options: Any) -> InfluxConfig:
        facts = self.server.facts
        given = {"url": facts["url"], "user": facts["user"], "password": facts["password"], "database": self.name}
        return InfluxConfig(**{**given, **options})

    def stored(self) -> list[Point]:
        """All points, by time, then measurement."""
        points = []
        for series in self.server.ask("SELECT * FROM /.*/ GROUP BY *", self.name).get("series", []):
            tags = {name: value for name, value in series.get("tags", {}).items() if value}
            for time_ms, *values in series["values"]:
                fields = zip(series["columns"][1:], values, strict=True)
                points.append(Point(series["name"], tags, {n: _value(v) for n, v in fields if v is not None}, time_ms))
        return sorted(points, key=lambda point: (point.time_ms, point.measurement))

    def drop(self) -> None:
        self.server.ask(f'DROP DATABASE "{self.name}"')


def _value(value: Any) -> Any:
    """Of a double that is whole the server shows digits that are not its own."""
    return value if isinstance(value, str) else float(value)


@pytest.fixture(scope="session")
def influx_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningInflux]:
    """Fails where InfluxDB cannot be installed."""
    server = RunningInflux(tmp_path_factory.mktemp("influx"))
    yield server
    server.kill(signal.SIGTERM)


@pytest.fixture
def influx(influx_server: RunningInflux) -> Iterator[InfluxDatabase]:
    """An empty database of the session's server."""
    database = influx_server.make_database()
    yield database
    database.drop()
