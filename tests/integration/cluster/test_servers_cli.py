"""`scripts/servers` with the fleet that it has started for all files here; `down` is in `test_the_end.py`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.ray_nodes import RayNodes
from tests.support.real_servers import RealServers
from tests.support.running import RunningPalio

AGAIN_S = 30.0
NAMES = {"kafka", "redis-cluster", "mysql", "influx", "smtp"}


@pytest.fixture
def status(real_servers: RealServers) -> dict[str, Any]:
    """What `scripts/servers status --json` says of each server."""
    told = real_servers.command("status", "--json")
    assert told.returncode == 0, told.stderr
    servers: dict[str, Any] = json.loads(told.stdout)["servers"]
    return servers


def test_all_run_and_their_processes_are_told(status: dict[str, Any]) -> None:
    assert {name: server["state"] for name, server in status.items()} == dict.fromkeys(NAMES, "running")
    pids = [pid for server in status.values() for pid in server["pids"].values()]
    assert len(set(pids)) == 13  # Kafka, six of Redis, two shards of two, InfluxDB, the mail sink
    assert all(Path(f"/proc/{pid}").exists() for pid in pids)


def test_up_again_is_quick_and_changes_nothing(real_servers: RealServers, status: dict[str, Any]) -> None:
    began = time.monotonic()
    again = real_servers.command("up", "--json")
    took_s = time.monotonic() - began
    print(f"\nscripts/servers up again: {took_s:.1f} s")
    assert again.returncode == 0, again.stderr
    assert took_s < AGAIN_S
    assert json.loads(again.stdout)["servers"] == status
    assert sorted(again.stderr.splitlines()) == sorted(f"{name}: runs already" for name in NAMES)


def test_passwords_stand_on_no_command_line_and_in_no_log(
    real_servers: RealServers, nodes: RayNodes, cluster: RunningPalio, status: dict[str, Any]
) -> None:
    passwords = {value.encode() for server in status.values() for name, value in server.items() if "password" in name}
    passwords |= {(cluster.data / name).read_bytes().strip() for name in ("jwt_secret", "record_secret")}
    assert len(passwords) >= 5
    lines = "\n".join(" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])).encode()
    logs = [*(real_servers.directory / "logs").iterdir(), *nodes.logs]
    assert len(logs) > 20
    for password in passwords:
        assert password not in lines
        assert [path for path in logs if password in path.read_bytes()] == []
        assert password.decode() not in "".join(cluster.output)
