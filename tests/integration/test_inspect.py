"""`scripts/palio inspect` asks a Palio that runs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import httpx2

from cluster.config.secrets import JWT_SECRET, RAY_TOKEN, RECORD_SECRET
from tests.integration.conftest import create, join, submit
from tests.support.running import RunningPalio, environment_of


def inspected(palio: RunningPalio, *arguments: str) -> dict[str, Any]:
    command = [
        sys.executable,
        "-P",
        "-m",
        "scripts.cli.palio",
        "inspect",
        *arguments,
        "--json",
        "--data",
        str(palio.data),
    ]
    done = subprocess.run(command, env=environment_of({}), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    for secret in (JWT_SECRET, RAY_TOKEN, RECORD_SECRET):
        assert (palio.data / secret).read_text().strip() not in done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["running"]
    assert found["troubles"] == []
    return found


def test_a_tournament_its_scope_the_log_and_who_owns_it(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 41, 42)
    submit(service, tournament, 42, "a", 9.5)

    found = inspected(palio, "tournament", tournament)
    assert (found["as_of"], found["status"], found["participants"]) == ("its owner", "running", 2)
    [holder] = found["held_by"]
    assert holder["ready"]
    assert holder["applied"] >= found["applied_offset"] > holder["epoch"] - 1

    scope = inspected(palio, "scope", found["scope"])
    assert [each["owner"] for each in scope["held_by"]] == [holder["owner"]]

    rows = {row["partition"]: row for row in inspected(palio, "log")["partitions"]}
    assert rows[found["partition"]]["last"] >= found["applied_offset"]
    assert rows[found["partition"]]["applied"] >= found["applied_offset"]

    owners = inspected(palio, "owners")
    assert holder["owner"] in {owner["owner"] for owner in owners["owners"]}
    assert sum(ingest["partitions"] for ingest in owners["ingest"]) == len(rows)
    assert {row["state"] for row in owners["owners"]} == {"running"}
    assert "dead_letters" in inspected(palio, "dead-letters")
