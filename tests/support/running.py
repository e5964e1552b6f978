"""A Palio as a user starts it: a process of its own, on ports and data of its own, to be asked, stopped and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from cluster.settings import PROJECT_DIR, Settings
from cluster.tokens import token

START_S = 180.0  # a start takes 15 s on a quiet machine; on a busy one several times that
STOP_S = 60.0


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def run_palio(data: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """`scripts/run` without its set-up of the virtual environment, which the tests already run in."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PALIO_")}
    environment |= {"PYTHONPATH": str(PROJECT_DIR), **(env or {})}
    command = [sys.executable, "-P", "-m", "scripts.run_palio", "--no-demo", "--data", str(data), *arguments]
    return subprocess.Popen(
        command, cwd=PROJECT_DIR, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


class RunningPalio:
    """A started Palio on `data`; `start` again after `stop` or `kill` goes on with the same data and ports."""

    def __init__(self, data: Path, **env: str) -> None:
        self.data = data
        self.env = env
        self.port, self.gateway_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.gateway_url = f"http://127.0.0.1:{self.gateway_port}"
        self.live_url = f"ws://127.0.0.1:{self.gateway_port}/v1/live"
        self.output: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> RunningPalio:
        """Start, and wait until it says that it is ready."""
        ports = ("--port", str(self.port), "--gateway-port", str(self.gateway_port))
        self.process = run_palio(self.data, *ports, env=self.env)
        self.output = []
        ready = threading.Event()

        def read(process: subprocess.Popen[str]) -> None:
            assert process.stdout is not None
            for line in process.stdout:
                self.output.append(line)
                if line.strip() == "palio: ready":
                    ready.set()
            ready.set()

        threading.Thread(target=read, args=(self.process,), daemon=True).start()
        assert ready.wait(START_S), f"not ready within {START_S} s: {self.output}"
        assert self.process.poll() is None, "".join(self.output)
        return self

    def stop(self) -> int:
        """SIGTERM, as a supervisor would; the exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def kill(self) -> None:
        """kill -9 of everything at once: the main process and every process of its Ray."""
        assert self.process is not None
        for pid in [self.process.pid, *self.pids("")]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(STOP_S)
        self.process = None
        deadline = time.monotonic() + STOP_S
        while self.pids("") and time.monotonic() < deadline:
            for pid in self.pids(""):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def pids(self, title: str) -> list[int]:
        """Processes of this very Palio whose command line contains `title`, by the data directory in their environment."""
        mark = f"PROMETHEUS_MULTIPROC_DIR={self.data / 'metrics'}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if mark in (entry / "environ").read_bytes() + b"\0" and title in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except (OSError, UnicodeDecodeError):
                continue  # gone meanwhile
        return sorted(found)

    def token(self, role: str, sub: int) -> str:
        """A token of any role."""
        return token(Settings(data_dir=self.data), role=role, sub=sub)

    def client(self, role: str = "service", sub: int = 1, *, gateway: bool = False, **more: Any) -> httpx.Client:
        """An HTTP client with a token, of the api or the gateway."""
        headers = {"Authorization": f"Bearer {self.token(role, sub)}"}
        base = self.gateway_url if gateway else self.url
        return httpx.Client(base_url=base, headers=headers, timeout=30, **more)
