"""The settings with which Palio runs on the servers that `scripts/servers up` has started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def settings_of(servers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Fields of `cluster.config.settings.Settings` from what each server said of itself, as in `servers.json`."""
    kafka, redis, mysql, influx = (servers[name] for name in ("kafka", "redis-cluster", "mysql", "influx"))
    shards = [[shard["primary"], shard["replica"]] for shard in mysql["shards"]]
    return {
        "kafka_bootstrap_servers": kafka["bootstrap_servers"],
        "kafka_replication_factor": 1,  # one broker
        "kafka_min_insync_replicas": 1,
        "mysql_shards": ",".join("/".join(f"{s['host']}:{s['port']}" for s in shard) for shard in shards),
        "mysql_user": mysql["user"],
        "mysql_password": mysql["password"],
        "mysql_database": mysql["database"],
        "redis_urls": ",".join(redis["urls"]),
        "redis_cluster": redis["cluster"],
        "redis_password": redis["password"],
        "influx_url": influx["url"],
        "influx_database": influx["database"],
        "influx_user": influx["user"],
        "influx_password": influx["password"],
    }
