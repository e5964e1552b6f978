"""Each server is away for a while, or has forgotten or filled up: what goes on meanwhile, and that all is right again after it."""

from __future__ import annotations

import signal
import time
from typing import Any

import httpx2
import pytest
import redis

from tests.integration.conftest import applied_within_s, create, eventually, join, problem, submit
from tests.support.load import Load
from tests.support.real_servers import RealServers
from tests.support.running import RunningPalio

USERS = range(1, 21)
READ_MODEL_S = 5  # read models are right again within this


def test_redis_forgets_everything(cluster: RunningPalio, plain_redis: redis.RedisCluster) -> None:
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS)
        submit(gateway, tournament, 3, "a", 7)
        key = f"tournament:{{{tournament}}}:rankings"
        eventually(lambda: plain_redis.zrevrange(key, 0, -1, withscores=True) == [(b"3", 7.0)], READ_MODEL_S)
        plain_redis.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
        assert gateway.get(f"/v1/tournaments/{tournament}").status_code == 200
        eventually(lambda: plain_redis.zrevrange(key, 0, -1, withscores=True) == [(b"3", 7.0)], READ_MODEL_S)


def test_redis_is_out_of_memory(cluster: RunningPalio, plain_redis: redis.RedisCluster) -> None:
    """Reads and scores go on, and the alert metric says so."""
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS)
        memory: Any = plain_redis.config_get("maxmemory", target_nodes=redis.RedisCluster.RANDOM)["maxmemory"]
        plain_redis.config_set("maxmemory", "1mb", target_nodes=redis.RedisCluster.ALL_NODES)
        try:
            submit(gateway, tournament, 3, "a", 7)
            eventually(lambda: metric(cluster, "palio_copy_refused_for_memory_total") > 0, 20)
            assert gateway.get(f"/v1/tournaments/{tournament}/participants/3").json()["score"] == 7
        finally:
            plain_redis.config_set("maxmemory", memory, target_nodes=redis.RedisCluster.ALL_NODES)
        key = f"tournament:{{{tournament}}}:rankings"
        eventually(lambda: plain_redis.zrevrange(key, 0, -1, withscores=True) == [(b"3", 7.0)], READ_MODEL_S)


def metric(palio: RunningPalio, name: str) -> float:
    """The sum of a metric's samples."""
    lines = httpx2.get(f"{palio.url}/metrics", timeout=20).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


@pytest.mark.parametrize("part", ["redis-cluster", "mysql-0-primary", "mysql-0-replica", "influx"])
def test_a_server_is_away(cluster: RunningPalio, real_servers: RealServers, part: str) -> None:
    """Scores are accepted and applied, and reads go on."""
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS)
        real_servers.signal(part, signal.SIGKILL)
        with Load(cluster, tournament, USERS) as load:
            time.sleep(6)
        real_servers.up()
        assert load.acknowledged
        assert load.refused == []
        assert {status for _, _, status in load.reads} == {200}, load.statuses
        load.check_table()
        applied_within_s(gateway, tournament, 1, time.monotonic(), wait=1)  # outcomes are told again
        ended = eventually(
            lambda: (
                api.post(f"/v1/tournaments/{tournament}/end", headers={"Prefer": "wait=10"}).status_code in (200, 409)
            )
        )
        assert ended
        eventually(lambda: api.get(f"/v1/tournaments/{tournament}").json()["status"] == "finished")


def test_kafka_is_away(cluster: RunningPalio, real_servers: RealServers) -> None:
    """No false 202: 503 with Retry-After, reads go on, and all works again once it is back."""
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, 1)
        submit(gateway, tournament, 1, "a", 5)
        real_servers.signal("kafka", signal.SIGKILL)
        body = {"event_id": "b", "user_id": "1", "score": 6}
        refused = gateway.post(f"/v1/tournaments/{tournament}/scores", json=body)
        assert problem(refused) == (503, "log_unavailable")
        assert gateway.get(f"/v1/tournaments/{tournament}").status_code == 200
        assert gateway.get(f"/v1/tournaments/{tournament}/rankings").json()["rows"][0]["score"] == 5
        real_servers.up()
        eventually(lambda: gateway.post(f"/v1/tournaments/{tournament}/scores", json=body).status_code == 202)
        eventually(lambda: gateway.get(f"/v1/tournaments/{tournament}/participants/1").json()["score"] == 6)
        assert gateway.get(f"/v1/tournaments/{tournament}/participants/1").json()["attempts"] == 2
