"""A Palio of its own for a benchmark: on free ports, in a temporary directory; and the CPU time that its processes use.

CPU time is user and system of the process that started Palio and of all its descendants, Ray's own included.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from cluster.config.settings import PROJECT_DIR, Settings, load_settings
from cluster.config.tokens import token
from tests.support.real_servers import RealServers

START_WAIT_S: Final = 400.0  # Ray tries twice on a machine that is busy
STOP_WAIT_S: Final = 60.0
# The limits would be what is measured: a load of few clients is one of few users. Bursts stay, so a request costs what it costs.
UNLIMITED: Final = {
    "PALIO_PLAYER_RATE": "100000",
    "PALIO_SERVICE_RATE": "1000000",
    "PALIO_ANONYMOUS_RATE": "100000",
    "PALIO_GATEWAY_REPLICAS_MAX": "1",  # what a CPU-second does, not how many replicas Serve adds meanwhile
}
SERVERS: Final = ("kafka", "redis-cluster", "mysql", "influx")
_ROLE: Final = re.compile(r"ray::(?:ServeReplica:)?(\w+)")
_SAMPLE: Final = re.compile(r"^(\w+)(?:\{(.*)\})? ([\d.e+-]+)$", re.MULTILINE)


class MeasuredPalio:
    """`with MeasuredPalio() as palio:` starts it (no demo) and stops it. `settings` are those it runs with.

    `cluster`: on real servers of its own, whose CPU time counts, too.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, *, cluster: bool = False) -> None:
        self._environment = {**UNLIMITED, **(environment or {})}
        self._directory = tempfile.TemporaryDirectory(prefix="palio-bench-")
        self.cluster = cluster
        self._servers = RealServers(Path(self._directory.name) / "servers") if cluster else None
        self.settings: Settings

    def __enter__(self) -> Self:
        if self._servers is not None:
            self._servers.up()
            self._environment |= self._servers.environment
        os.environ.update(self._environment)
        port, gateway_port = _free_ports()
        data = Path(self._directory.name) / "data"
        self.settings = load_settings(port=port, gateway_port=gateway_port, data_dir=data, demo=False)
        command = [sys.executable, "-P", "-m", "scripts.cli.run", "--no-demo", "--data", str(data)]
        command += ["--port", str(port), "--gateway-port", str(gateway_port)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}
        self._log = (Path(self._directory.name) / "output").open("w+", encoding="utf-8")
        self._child = subprocess.Popen(command, env=environment, stdout=self._log, stderr=subprocess.STDOUT)
        try:
            self._await_ready()
        except BaseException:
            self._stop()
            raise
        self._root = psutil.Process(self._child.pid)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_WAIT_S
        output = Path(self._log.name)
        while "palio: ready" not in output.read_text(encoding="utf-8"):
            if self._child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"Palio did not start:\n{output.read_text(encoding='utf-8')}")
            time.sleep(0.2)

    def _stop(self) -> None:
        self._child.terminate()
        try:
            self._child.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()
        if self._servers is not None:
            self._servers.down()
        self._directory.cleanup()

    def token(self, role: str, user_id: int) -> str:
        """A token that lasts longer than any benchmark."""
        return token(self.settings, role=role, sub=user_id)

    def cpu_s(self) -> Counter[str]:
        """CPU seconds used so far, by the process's role: `gateway`, `api`, `TournamentActor`, ..., `raylet`, and by server."""
        used: Counter[str] = Counter()
        for process in [self._root, *self._root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                used[_role(process)] += _cpu_s(process)
        if self._servers is not None:
            for server in SERVERS:
                for pid in self._servers.pids(server):
                    used[server] += _cpu_s(psutil.Process(pid))
        return used

    def pids(self, role: str) -> list[int]:
        """Palio's processes of a role, as `cpu_s` names them."""
        found = []
        for process in self._root.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if _role(process) == role:
                    found.append(process.pid)
        return found

    def idle_rate(self, seconds: float) -> float:
        """CPU seconds a second of all processes while nobody asks for anything."""
        before, began_s = self.cpu_s(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu_s() - before).total() / (time.monotonic() - began_s)

    def metric(self, name: str, labels: str = "") -> float:
        """The sum of a metric's samples whose labels contain `labels`, from /metrics."""
        url = f"http://{self.settings.host}:{self.settings.port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        return sum(float(value) for found, given, value in _SAMPLE.findall(text) if found == name and labels in given)

    def applied(self) -> int:
        """Scores and commands that owners have dealt with so far; it lags by up to a second."""
        return round(self.metric("palio_records_total"))

    def await_applied(self, wanted: int, timeout_s: float = 60.0) -> None:
        """Wait until owners have dealt with `wanted` records. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while (applied := self.applied()) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{applied:,} of {wanted:,} records applied after {timeout_s:g} s")
            time.sleep(0.2)


def _cpu_s(process: psutil.Process) -> Any:  # a float, which typing's Counter does not know
    times = process.cpu_times()
    return times.user + times.system


def _role(process: psutil.Process) -> str:
    line = " ".join(process.cmdline())
    matched = _ROLE.match(line)
    if matched is not None:
        return matched[1]
    if "scripts.cli.run" in line:
        return "launcher"
    name: str = process.name()
    return name if name in ("raylet", "gcs_server") else "ray"


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
