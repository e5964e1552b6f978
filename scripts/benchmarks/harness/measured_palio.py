"""A Palio of its own for a benchmark: on free ports, in a temporary directory; and the CPU time that its processes use.

CPU time is user and system of the process that started Palio and of all its descendants, Ray's own included.
"""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import httpx2
import psutil

from cluster.config.settings import Settings, load_settings
from tests.support.real_servers import RealServers
from tests.support.running import RunningPalio

# The limits would be what is measured: a load of few clients is one of few users. Bursts stay, so a request costs what it costs.
UNLIMITED: Final = {
    "PALIO_PLAYER_RATE": "100000",
    "PALIO_SERVICE_RATE": "1000000",
    "PALIO_ANONYMOUS_RATE": "100000",
    "PALIO_GATEWAY_REPLICAS_MAX": "1",  # what a CPU-second does, not how many replicas Serve adds meanwhile
}
SERVERS: Final = ("kafka", "redis-cluster", "mysql", "influx")
_ROLE: Final = re.compile(r"ray::(?:ServeReplica:)?(\w+)")
_SAMPLE: Final = re.compile(r"^(\w+)(?:\{.*\})? ([\d.e+-]+)$", re.MULTILINE)


class MeasuredPalio(RunningPalio):
    """`with MeasuredPalio() as palio:` starts it (no demo) and stops it. `settings` are those it runs with.

    `cluster`: on real servers of its own, whose CPU time counts, too. `data`: a directory to go on from, which stays.
    """

    settings: Settings

    def __init__(self, *, cluster: bool = False, data: Path | None = None) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="palio-bench-")
        directory = Path(self._directory.name)
        super().__init__(data or directory / "data", **UNLIMITED)
        self.cluster = cluster
        self._servers = RealServers(directory / "servers") if cluster else None

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as started:
            started.enter_context(self._directory)
            if self._servers is not None:
                started.callback(self._servers.down)
                self._servers.up()
                self.env |= self._servers.environment
            os.environ.update(self.env)
            self.settings = load_settings(
                port=self.port, gateway_port=self.gateway_port, data_dir=self.data, demo=False
            )
            started.callback(self.stop)
            self.start()
            assert self.process is not None
            self._root = psutil.Process(self.process.pid)
            self._started = started.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

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

    def pss_mb(self) -> Counter[str]:
        """Memory by role as proportional set size, in MB: what processes share counts once in the sum. Without the servers."""
        used: Counter[str] = Counter()
        for process in [self._root, *self._root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                used[_role(process)] += process.memory_full_info().pss / 1e6
        return used

    def idle_rate(self, seconds: float) -> float:
        """CPU seconds a second of all processes while nobody asks for anything."""
        before, began_s = self.cpu_s(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu_s() - before).total() / (time.monotonic() - began_s)

    def metric(self, name: str) -> float:
        """The sum of a metric's samples, from /metrics."""
        text = httpx2.get(f"{self.url}/metrics", timeout=10).text
        return sum(float(value) for found, value in _SAMPLE.findall(text) if found == name)

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


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and the range."""
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"
