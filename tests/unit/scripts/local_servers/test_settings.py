from __future__ import annotations

from typing import Any

from cluster.config.settings import Settings
from scripts.local_servers.settings import settings_of

SERVERS: dict[str, dict[str, Any]] = {
    "kafka": {"bootstrap_servers": "127.0.0.1:1"},
    "redis-cluster": {"urls": ["redis://127.0.0.1:2", "redis://127.0.0.1:3"], "cluster": True, "password": "r"},
    "mysql": {
        "shards": [
            {"primary": {"host": "127.0.0.1", "port": 4}, "replica": {"host": "127.0.0.1", "port": 5}},
            {"primary": {"host": "127.0.0.1", "port": 6}, "replica": {"host": "127.0.0.1", "port": 7}},
        ],
        "user": "m",
        "password": "mp",
        "database": "d",
    },
    "influx": {"url": "http://127.0.0.1:8", "database": "i", "user": "iu", "password": "ip"},
    "smtp": {"port": 9},
}


def test_palio_runs_on_the_servers_that_were_started() -> None:
    settings = Settings(**settings_of(SERVERS))
    kafka, mysql, redis, influx = settings.kafka(3, 1, 1), settings.mysql(), settings.redis(), settings.influx()
    assert kafka is not None
    assert (kafka.bootstrap_servers, kafka.replication_factor, kafka.min_insync_replicas) == ("127.0.0.1:1", 1, 1)
    assert mysql is not None
    assert [[server.port for server in (shard.primary, *shard.replicas)] for shard in mysql.shards] == [[4, 5], [6, 7]]
    assert (mysql.user, mysql.password, mysql.database) == ("m", "mp", "d")
    assert redis is not None
    assert (redis.urls, redis.cluster, redis.password) == (
        ("redis://127.0.0.1:2", "redis://127.0.0.1:3"),
        True,
        "r",
    )
    assert influx is not None
    assert (influx.url, influx.database, influx.user, influx.password) == ("http://127.0.0.1:8", "i", "iu", "ip")
