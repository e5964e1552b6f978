"""Several Ray nodes beside a test: see `tests.support.ray_cluster`."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from cluster.config.settings import PROJECT_DIR
from tests.support.running import kill_9


class RayNodes:
    """`count` nodes, the head first; `environment` is for the Palio that joins them, `raylets` are the pids."""

    def __init__(self, count: int, env: dict[str, str]) -> None:
        self._count = count
        self._env = env | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment: dict[str, str] = {}
        self.raylets: list[int] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.support.ray_cluster", str(self._count)],
            env={**os.environ, "PYTHONPATH": str(PROJECT_DIR), **self._env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        told = self._answer()
        self.environment = {"PALIO_RAY_ADDRESS": told["address"], "RAY_AUTH_TOKEN": self._env["RAY_AUTH_TOKEN"]}
        self.raylets = told["nodes"]
        return self

    def kill(self, index: int) -> list[int]:
        """kill -9 of a node's raylet; the pids of its workers, which live on, cut off from the others, since nobody reaps a raylet here."""
        raylet = self.raylets.pop(index)
        workers = [worker.pid for worker in psutil.Process(raylet).children(recursive=True)]
        kill_9(raylet)
        return workers

    def add(self) -> None:
        """One more node."""
        assert self._process.stdin is not None
        self._process.stdin.write("add\n")
        self._process.stdin.flush()
        self.raylets.append(self._answer()["pid"])

    @property
    def logs(self) -> list[Path]:
        """The log files of all nodes and their workers."""
        (session,) = [
            word.partition("=")[2]
            for word in psutil.Process(self.raylets[0]).cmdline()
            if word.startswith("--session_dir=")
        ]
        return [path for path in Path(session, "logs").rglob("*") if path.is_file()]

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        while line and not line.startswith("{"):
            line = self._process.stdout.readline()
        assert line, "the Ray nodes did not start"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
