"""A MySQL primary is away: creates, scores and reads go on, at entrypoints that start meanwhile, too."""

from __future__ import annotations

import signal
import time
from decimal import Decimal
from functools import partial

import httpx2
import pytest

from actors.domain.values import partition_of
from storage.records.sql.partitions import even
from tests.integration.conftest import create, eventually, finished_view, join, submit
from tests.support.real_servers import RealServers
from tests.support.running import RunningPalio
from tests.support.stored import rows_of

SHARDS = even(50, 2)


@pytest.mark.parametrize(("away", "how"), [(0, signal.SIGSTOP), (1, signal.SIGKILL)])
def test_a_mysql_primary_is_away(
    cluster: RunningPalio, real_servers: RealServers, away: int, how: signal.Signals
) -> None:
    """Whatever it holds can be created, played and read, at entrypoints that start meanwhile, too; only its ends are shown later."""
    kept = 1 - away
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        before = on_both_shards(api)
        for tournament in before.values():
            join(api, tournament, 1)
            submit(gateway, tournament, 1, "a", 5)
        finished = on_both_shards(api)
        for tournament in finished.values():
            assert api.post(f"/v1/tournaments/{tournament}/end").json()["status"] == "finished"
        eventually(lambda: listed(api) >= {*before.values(), *finished.values()})
        time.sleep(3)  # replicas follow within milliseconds, on a calm machine
        real_servers.signal(f"mysql-{away}-primary", how)
        made = on_both_shards(api, count=3)
        for tournament in made.values():
            join(api, tournament, 1, 2)
            assert submit(gateway, tournament, 1, "a", 5)["outcome"] == "applied"
            assert api.get(f"/v1/tournaments/{tournament}").json()["status"] == "running"
        for tournaments in (before, made):
            ended = api.post(f"/v1/tournaments/{tournaments[kept]}/end")
            assert (ended.status_code, ended.json()["status"]) == (200, "finished"), ended.text
            ended = api.post(f"/v1/tournaments/{tournaments[away]}/end", headers={"Prefer": "wait=2"})
            assert ended.status_code == 202, ended.text
        assert listed(api) >= {*before.values(), made[kept]}

        for entrypoint in ("ServeReplica:gateway", "ServeReplica:api"):
            cluster.kill_actors(entrypoint)
        eventually(cluster.well, 60)
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        again = on_both_shards(api)
        for tournament in again.values():
            join(gateway, tournament, 1)
            assert submit(gateway, tournament, 1, "b", 6)["outcome"] == "applied"
        for client in (api, gateway):
            for tournaments in (before, made, again):
                shows = [
                    (shard, client.get(f"/v1/tournaments/{t}").json()["status"]) for shard, t in tournaments.items()
                ]
                assert dict(shows) == {kept: "running" if tournaments is again else "finished", away: "running"}
                assert {client.get(f"/v1/tournaments/{t}/rankings").status_code for t in tournaments.values()} == {200}
            for tournament in finished.values():
                assert client.get(f"/v1/tournaments/{tournament}").json()["status"] == "finished"
        assert listed(api) >= {*before.values(), *finished.values(), made[kept], again[kept]}

        real_servers.signal(f"mysql-{away}-primary", signal.SIGCONT)
        real_servers.up()
        for tournaments in (before, made):
            eventually(partial(finished_view, api, f"/v1/tournaments/{tournaments[away]}"))
        eventually(lambda: listed(api) >= {*before.values(), *made.values(), *again.values()})
        for tournament in made.values():
            assert rows_of(real_servers, tournament) == [(1, Decimal(5), 1), (2, None, None)]


def on_both_shards(api: httpx2.Client, count: int = 1) -> dict[int, str]:
    """Create tournaments until there are `count` on each shard, each answered within 5 s; returns the last of each."""
    made: dict[int, list[str]] = {0: [], 1: []}
    while min(map(len, made.values())) < count:
        start = time.monotonic()
        tournament = create(api)
        assert time.monotonic() - start < 5
        made[SHARDS[partition_of(int(tournament), len(SHARDS))].shard].append(tournament)
    return {shard: tournaments[-1] for shard, tournaments in made.items()}


def listed(api: httpx2.Client) -> set[str]:
    """The newest tournaments of the list."""
    answer = api.get("/v1/tournaments?limit=100")
    assert answer.status_code == 200, answer.text
    return {item["id"] for item in answer.json()["items"]}
