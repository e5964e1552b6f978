"""Apache Kafka on this machine: one process that is broker and controller (KRaft), on loopback, its data below a directory.

The jars come from Maven Central, once, into a cache directory. A kill -9 and another start on the same directory keep the data.
"""

from __future__ import annotations

import base64
import shutil
import socket
import struct
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from scripts.local_servers.base import (
    HOST,
    ServerError,
    ensure_program,
    launch,
    listens,
    pid_of,
    wait_for_answer,
    wait_until,
    write_private,
)

KAFKA_VERSION: Final = "4.3.1"
LOG4J_VERSION: Final = "2.25.3"
HEAP_MB: Final = 512
QUICK_COMPILER: Final = "-XX:TieredStopAtLevel=1"
DOWNLOAD_S: Final = 400  # 44 MB
START_S: Final = 60
FREE_S: Final = 10

_POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>palio</groupId>
  <artifactId>kafka-server</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

_LOGGING: Final = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""

# The session is short since a broker that was killed is let in again only when the controller has given up the old one.
# One broker for tests and trials: few threads, internal topics of one replica and one partition, a small cleaner.
# Committed offsets outlive every retention of a trial. A minute between a broker's flushes of its checkpoints is
# Kafka's own default; what was acknowledged survives kill -9 in the page cache, and the machine's power by replicas.
_SETTINGS: Final = """process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
group.initial.rebalance.delay.ms=0
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
offsets.retention.minutes=525600
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


class Listeners(NamedTuple):
    """Names with their ports and security protocols, and what else the settings say of them."""

    ports: dict[str, int]
    protocols: dict[str, str]
    settings: list[str]


class KafkaServer:
    """See `scripts.local_servers.base.Server`. `cache`: where the jars are kept, by default below the repository.

    It takes the ports `first_port` (clients) and the one after it (the controller).
    """

    name = "kafka"
    java_options: Sequence[str] = ()

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache or Path(__file__).parents[2] / "var" / "servers" / f"kafka-{KAFKA_VERSION}"

    def listeners(self, first_port: int) -> Listeners:
        """Where it listens, and how."""
        names = ("PLAINTEXT", "CONTROLLER")
        return Listeners({name: first_port + n for n, name in enumerate(names)}, dict.fromkeys(names, "PLAINTEXT"), [])

    def format_options(self, directory: Path) -> list[str]:  # noqa: ARG002 - for those with more to say
        """More options for the formatting of the data directory."""
        return []

    @property
    def _libs(self) -> Path:
        return self._cache / "libs"

    def install(self) -> None:
        """Java, Maven and the jars. Raises ServerError."""
        ensure_program("java", "default-jre-headless")
        if self._libs.exists():
            return
        maven = ensure_program("mvn", "maven")
        self._cache.mkdir(parents=True, exist_ok=True)
        # Into a directory of its own, renamed when complete: an interrupted download is not taken for an installation.
        fetched = Path(tempfile.mkdtemp(dir=self._cache))
        try:
            (fetched / "pom.xml").write_text(_POM, encoding="utf-8")
            command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"]
            done = subprocess.run(command, cwd=fetched, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False)
            if done.returncode != 0:
                raise ServerError(
                    f"expected Maven to fetch Kafka {KAFKA_VERSION}: {(done.stdout + done.stderr)[-2000:]}"
                )
            try:
                (fetched / "libs").rename(self._libs)
            except OSError:
                if not self._libs.exists():  # else another process was first
                    raise
        except subprocess.TimeoutExpired as error:
            raise ServerError(f"expected Maven to fetch Kafka {KAFKA_VERSION} within {DOWNLOAD_S} s") from error
        finally:
            shutil.rmtree(fetched, ignore_errors=True)

    def start(self, directory: Path, first_port: int) -> dict[str, Any]:
        """Returns `bootstrap_servers`. Raises ServerError."""
        self.install()
        directory = directory.absolute()
        directory.mkdir(parents=True, exist_ok=True)
        settings = directory / "kafka.properties"
        if pid_of(directory, self.name) is None:
            # One that was killed a moment ago may still hold its ports and the lock of its data.
            wait_until(lambda: not listens(first_port), f"port {first_port} to be free", FREE_S)
            self._configure(directory, settings, first_port)
            options = [f"-Dlog4j2.configurationFile={directory / 'kafka-log4j2.properties'}"]
            launch(directory, self.name, [*self._java([*self.java_options, *options]), "kafka.Kafka", str(settings)])
        wait_for_answer(directory, self.name, lambda: _answers(first_port), START_S)
        return {"bootstrap_servers": f"{HOST}:{first_port}"}

    def _java(self, options: list[str]) -> list[str]:
        java = ensure_program("java", "default-jre-headless")
        # The serial collector: the heap is small, and other collectors' threads would compete for few cores.
        return [java, f"-Xmx{HEAP_MB}m", "-XX:+UseSerialGC", *options, "-cp", f"{self._libs}/*"]

    def _configure(self, directory: Path, settings: Path, first_port: int) -> None:
        """Write the settings, and format the data directory the first time."""
        data = directory / "kafka"
        ports, protocols, more = self.listeners(first_port)
        lines = [_SETTINGS.rstrip(), f"log.dirs={data}", f"controller.quorum.voters=1@{HOST}:{first_port + 1}", *more]
        addresses = {name: f"{name}://{HOST}:{port}" for name, port in ports.items()}
        lines.append(f"listeners={','.join(addresses.values())}")
        addresses.pop("CONTROLLER")
        lines.append(f"advertised.listeners={','.join(addresses.values())}")
        lines.append(f"listener.security.protocol.map={','.join(f'{k}:{v}' for k, v in protocols.items())}")
        write_private(settings, "\n".join(lines) + "\n")
        (directory / "kafka-log4j2.properties").write_text(_LOGGING, encoding="utf-8")
        if (data / "meta.properties").exists():
            return
        # A Kafka UUID: 16 bytes in URL-safe base64; one that begins with a dash would be taken for an option.
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        command = [
            *self._java([QUICK_COMPILER]),
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster,
            "-c",
            str(settings),
            *self.format_options(directory),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_S, check=False)
        if done.returncode != 0:
            raise ServerError(f"expected Kafka's data directory to be formatted: {(done.stdout + done.stderr)[-2000:]}")


def _answers(port: int) -> bool:
    """Whether a broker answers: it does once it has caught up with its controller. Raises OSError."""
    # ApiVersions (key 18) of version 0 with correlation id 1 and no client id.
    request = struct.pack(">hhih", 18, 0, 1, -1)
    with socket.create_connection((HOST, port), timeout=1) as probe:
        probe.sendall(struct.pack(">i", len(request)) + request)
        return len(probe.recv(8)) > 0
