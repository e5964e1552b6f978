"""`scripts/palio inspect` asks a Palio that runs."""

from __future__ import annotations

import httpx2

from tests.integration.conftest import create, join, submit
from tests.support.running import RunningPalio


def test_a_tournament_its_scope_the_log_and_who_owns_it(palio: RunningPalio, service: httpx2.Client) -> None:
    tournament = create(service)
    join(service, tournament, 41, 42)
    submit(service, tournament, 42, "a", 9.5)

    found = palio.inspect("tournament", tournament)
    assert (found["running"], found["troubles"]) == (True, [])
    assert (found["as_of"], found["status"], found["participants"]) == ("its owner", "running", 2)
    [holder] = found["held_by"]
    assert holder["ready"]
    assert holder["applied"] >= found["applied_offset"] > holder["epoch"]

    scope = palio.inspect("scope", found["scope"])
    assert [each["owner"] for each in scope["held_by"]] == [holder["owner"]]

    rows = {row["partition"]: row for row in palio.inspect("log")["partitions"]}
    assert rows[found["partition"]]["last"] >= found["applied_offset"]
    assert rows[found["partition"]]["applied"] >= found["applied_offset"]

    owners = palio.inspect("owners")
    assert holder["owner"] in {owner["owner"] for owner in owners["owners"]}
    assert sum(ingest["partitions"] for ingest in owners["ingest"]) == len(rows)
    assert {row["state"] for row in owners["owners"]} == {"running"}
    assert "dead_letters" in palio.inspect("dead-letters")
