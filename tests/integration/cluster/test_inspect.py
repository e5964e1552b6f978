"""`scripts/palio inspect` over Kafka and MySQL: beside the Palio that runs on them, and without it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.conftest import create, eventually, join, submit
from tests.support.running import RunningPalio, palio_command


def test_a_dedicated_tournament_and_what_its_end_released(cluster: RunningPalio, tmp_path: Path) -> None:
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api, placement="dedicated")
        join(api, tournament, 42)
        submit(gateway, tournament, 42, "a", 9.5)
        found = cluster.inspect("tournament", tournament)
        assert (found["running"], found["troubles"]) == (True, [])
        assert (found["scope"], found["status"]) == (f"tournament-{tournament}", "running")
        assert [(holder["applied"], holder["ready"]) for holder in found["held_by"]] == [
            (found["applied_offset"], True)
        ]
        owners = {owner["owner"] for owner in cluster.inspect("owners")["owners"]}
        assert found["held_by"][0]["owner"] in owners
        assert api.post(f"/v1/tournaments/{tournament}/end").status_code == 200
    eventually(lambda: not cluster.inspect("tournament", tournament)["held_by"])
    # with a data directory that no Palio holds, as after a stop
    stores = {name: value for name, value in cluster.env.items() if name != "PALIO_RAY_ADDRESS"}
    said = palio_command("inspect", "tournament", tournament, "--json", "--data", str(tmp_path / "none"), env=stores)
    stopped = json.loads(said)
    assert (stopped["running"], stopped["as_of"], stopped["status"]) == (False, "the records", "finished")
    assert [effect["offset"] for effect in stopped["outbox"] if effect["kind"] == "finished"] == [
        stopped["stored_offset"]
    ]
    assert not (tmp_path / "none").exists()
