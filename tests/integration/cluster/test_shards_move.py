"""Partitions move between MySQL shards while Palio runs under load: nothing is refused, nothing is lost, and nobody notices."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path

from actors.domain.values import partition_of
from cluster.config.settings import PROJECT_DIR
from storage.records.sql.partitions import even
from tests.integration.conftest import create, eventually, finished_view, join
from tests.support.load import Load
from tests.support.real_servers import RealServers
from tests.support.running import RunningPalio
from tests.support.stored import rows_of

USERS = range(1, 21)
SHARDS = even(50, 2)


def test_all_partitions_move_there_and_back_under_load(
    cluster: RunningPalio, real_servers: RealServers, tmp_path: Path
) -> None:
    file = tmp_path / "mysql.json"
    file.write_text(json.dumps(real_servers.facts["mysql"]), encoding="utf-8")

    def move(partitions: str, shard: int) -> str:
        command = [str(PROJECT_DIR / "scripts" / "palio"), "shards", "move", partitions, "--to", str(shard)]
        done = subprocess.run([*command, "--servers", str(file)], capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-1]

    with cluster.client() as api:
        before: dict[int, str] = {}
        while len(before) < 2:  # one on each shard
            tournament = create(api)
            before[SHARDS[partition_of(int(tournament), 50)].shard] = tournament
        for tournament in before.values():
            join(api, tournament, *USERS)
        with Load(cluster, before[0], USERS) as moved, Load(cluster, before[1], USERS) as beside:
            try:
                assert move("0-49", 1) == "50 partitions lie on shard 1; 25 were moved"
                made = create(api)  # wherever it lies now
                listed = {item["id"] for item in api.get("/v1/tournaments?limit=100").json()["items"]}
                assert listed >= {*before.values(), made}
            finally:
                said = move("0-24", 0)
            assert said == "25 partitions lie on shard 0; 25 were moved"
        for load in (moved, beside):
            assert load.acknowledged
            assert load.refused == []
            assert {status for _, _, status in load.reads} == {200}, load.statuses
            load.check_table()
        for tournament in before.values():
            api.post(f"/v1/tournaments/{tournament}/end", headers={"Prefer": "wait=10"})
            eventually(partial(finished_view, api, f"/v1/tournaments/{tournament}"))
    for load in (moved, beside):
        assert {user: float(score) for user, score, _ in rows_of(real_servers, load.tournament)} == load.best
