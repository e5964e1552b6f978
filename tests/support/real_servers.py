"""All real servers for several tests, each to be killed, stopped and started again; and the settings to run Palio on them."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from cluster.config.settings import PROJECT_DIR
from scripts.local_servers.base import names, pid_of
from scripts.local_servers.fleet import BLOCK, MEMBERS, Fleet
from scripts.local_servers.settings import settings_of
from tests.support.running import free_ports

COMMAND_S = 240.0  # a first start takes 15 s on a quiet machine


def free_block() -> int:
    """The first of BLOCK ports that are probably free."""
    return free_ports(1)[0] // BLOCK * BLOCK


class RealServers:
    """See the module. Names of processes: `kafka`, `redis-cluster-<n>`, `mysql-<shard>-primary`, `mysql-<shard>-replica`, `influx`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.fleet = Fleet(directory, [member for member in MEMBERS if member.name != "smtp"])

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`scripts/servers` as a user calls it."""
        command = [str(PROJECT_DIR / "scripts" / "servers"), *words, "--data", str(self.directory)]
        return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)

    def up(self) -> None:
        """Start what does not run. Raises AssertionError: a missing server is a failure."""
        first_port = None if (self.directory / "servers.json").exists() else free_block()
        said: list[str] = []
        troubles = self.fleet.up(first_port, said.append)
        assert not troubles, troubles

    def down(self) -> None:
        """Stop all."""
        self.fleet.down(lambda _: None, others=True)

    @property
    def facts(self) -> dict[str, Any]:
        """What clients need, by server."""
        return {state.name: state.facts or {} for state in self.fleet.states()}

    @property
    def environment(self) -> dict[str, str]:
        """The settings as environment variables."""
        settings = settings_of(self.facts)
        return {f"PALIO_{name.upper()}": str(value) for name, value in settings.items()}

    def processes(self, prefix: str) -> list[str]:
        """The names of processes that begin so."""
        return [name for name in names(self.directory) if name == prefix or name.startswith(f"{prefix}-")]

    def pids(self, prefix: str) -> list[int]:
        """The pids of these processes that run."""
        found = (pid_of(self.directory, name) for name in self.processes(prefix))
        return [pid for pid in found if pid is not None]

    @property
    def pids_by_name(self) -> dict[str, int | None]:
        """All processes; None: does not run."""
        return {name: pid_of(self.directory, name) for name in names(self.directory)}

    def signal(self, prefix: str, number: signal.Signals) -> None:
        """Signal these processes; SIGSTOP and SIGCONT make a server that does not answer for a while."""
        for pid in self.pids(prefix):
            os.kill(pid, number)
