"""A Palio as a user starts it: a process of its own, on ports and data of its own, to be asked, stopped and killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from cluster.config.secrets import JWT_SECRET, RAY_TOKEN, RECORD_SECRET
from cluster.config.settings import PROJECT_DIR, Settings
from cluster.config.tokens import token
from cluster.startup.ports import metrics_dir

START_S = 300.0  # a start takes 15 s on a quiet machine; on a busy one many times that
STOP_S = 90.0
SECRETS = (JWT_SECRET, RAY_TOKEN, RECORD_SECRET)  # files in the data directory
NO_LIMITS = {"PALIO_ANONYMOUS_RATE": "5000", "PALIO_ANONYMOUS_BURST": "5000"}  # all tests come from one address
# For who replays the log from its first record: none is deleted, however long the tests before took.
WHOLE_LOG = {"PALIO_LOG_KEEP_S": "86400"}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, and that the system gives to nobody who does not ask for them by number."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(15_000, 32_000)  # below Linux's ephemeral ports
        with socket.socket() as probe:
            if port not in found and probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
    return found


def environment_of(env: dict[str, str]) -> dict[str, str]:
    """This process's environment with these settings alone."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PALIO_")}
    return environment | {"PYTHONPATH": str(PROJECT_DIR), **env}


# `scripts/run` without its set-up of the virtual environment, which the tests already run in.
RUN = (sys.executable, "-P", "-m", "scripts.cli.run")


def run_palio(
    data: Path, *arguments: str, env: dict[str, str] | None = None, run: Sequence[str] = RUN
) -> subprocess.Popen[str]:
    """Start it, without the demo."""
    environment = environment_of(env or {})
    command = [*run, "--no-demo", "--data", str(data), *arguments]
    return subprocess.Popen(
        command, cwd=PROJECT_DIR, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def palio_command(*arguments: str, env: dict[str, str]) -> str:
    """What `scripts/palio` prints, with these settings alone. Raises AssertionError with what it said when it fails."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "scripts.cli.palio", *arguments],
        env=environment_of(env),
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class RunningPalio:
    """A started Palio on `data`; `start` again after `stop` or `kill` goes on with the same data and ports. `run`: the command that it is."""

    def __init__(self, data: Path, *, run: Sequence[str] = RUN, **env: str) -> None:
        self.data = data
        self._run = run
        self.env = env
        self.port, self.gateway_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.gateway_url = f"http://127.0.0.1:{self.gateway_port}"
        self.live_url = f"ws://127.0.0.1:{self.gateway_port}/v1/live"
        self.output: list[str] = []
        self.started_in_s = 0.0
        self.process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> RunningPalio:
        """Start, and wait until it says that it is ready."""
        began = time.monotonic()
        ports = ("--port", str(self.port), "--gateway-port", str(self.gateway_port))
        self.process = run_palio(self.data, *ports, env=self.env, run=self._run)
        self.output = []
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(self.process, ready), daemon=True)
        self._reader.start()
        if not ready.wait(START_S) or not self.said("palio: ready"):
            self.kill()
            raise AssertionError(f"not ready within {START_S} s:\n{''.join(self.output)}")
        self.started_in_s = time.monotonic() - began
        return self

    def _read(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.output.append(line)
                if line.strip() == "palio: ready":
                    ready.set()
        ready.set()  # it has ended

    def said(self, line: str) -> bool:
        """Whether it printed this line."""
        return any(printed.strip() == line for printed in self.output)

    def redeploy(self, **env: str) -> None:
        """`scripts/palio redeploy`: new replicas of the entrypoints, with these settings. Raises AssertionError with what it said."""
        palio_command("redeploy", "--data", str(self.data), env={**self.env, **env})

    def inspect(self, *arguments: str) -> dict[str, Any]:
        """What `scripts/palio inspect` finds, as JSON. Raises AssertionError with what it said, and if it shows a secret."""
        said = palio_command("inspect", *arguments, "--json", "--data", str(self.data), env=self.env)
        for secret in SECRETS:
            if (self.data / secret).exists():
                assert (self.data / secret).read_text().strip() not in said
        found: dict[str, Any] = json.loads(said)
        return found

    def stop(self) -> int:
        """SIGTERM, as a supervisor would; the exit status, 0 also when it was not running."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.process = None
        assert self._reader is not None
        self._reader.join(10)
        return status

    def kill_main(self) -> None:
        """kill -9 of the main process alone: every process of its Ray goes with it, by itself."""
        assert self.process is not None
        kill_9(self.process.pid)
        self.process.wait(STOP_S)
        self.process = None
        deadline = time.monotonic() + STOP_S
        while left := self.pids(""):
            assert time.monotonic() < deadline, f"processes {left} outlive the one that started them"
            time.sleep(0.1)

    def kill(self) -> None:
        """kill -9 of everything at once: the main process and every process of its Ray. None is left."""
        assert self.process is not None
        for pid in [self.process.pid, *self.pids("")]:
            kill_9(pid)
        self.process.wait(STOP_S)
        self.process = None
        deadline = time.monotonic() + STOP_S
        while left := self.pids(""):  # those that were just being started
            assert time.monotonic() < deadline, f"processes {left} do not go away"
            for pid in left:
                kill_9(pid)
            time.sleep(0.1)

    def pids(self, title: str) -> list[int]:
        """Processes of this very Palio's Ray whose command line contains `title`: by where they put their metrics."""
        mark = f"PROMETHEUS_MULTIPROC_DIR={metrics_dir(Settings(data_dir=self.data))}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):  # gone meanwhile
                if mark in (entry / "environ").read_bytes() and title.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return sorted(found)

    def kill_actors(self, title: str) -> list[int]:
        """kill -9 of the processes of this title; which they were."""
        pids = self.pids(title)
        assert pids, f"no {title} to kill"
        for pid in pids:
            kill_9(pid)
        return pids

    def well(self) -> bool:
        """Whether it runs and both entrypoints answer."""
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            return all(
                httpx2.get(url, timeout=20).status_code == 200
                for url in (f"{self.url}/readyz", f"{self.gateway_url}/healthz")
            )
        except httpx2.HTTPError:
            return False

    def token(self, role: str, sub: int) -> str:
        """A token of any role."""
        return token(Settings(data_dir=self.data), role=role, sub=sub)

    def client(self, role: str = "service", sub: int = 1, *, gateway: bool = False, **more: Any) -> httpx2.Client:
        """An HTTP client with a token, of the api or the gateway."""
        headers = {"Authorization": f"Bearer {self.token(role, sub)}"}
        base = self.gateway_url if gateway else self.url
        return httpx2.Client(base_url=base, headers=headers, timeout=30, **more)


def kill_9(pid: int) -> None:
    """SIGKILL, unless it is gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
