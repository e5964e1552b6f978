"""Looks at what a Palio stands on: time zones, the disk of its data, each configured server, once, and tells what to do about what is wrong.

Makes nothing and changes nothing, beside a Palio that runs or before the first start.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final

from actors.domain.series.zones import ZONE_RULES
from cluster.config.settings import Settings
from cluster.errors import StartError
from cluster.startup.data_check import check_room
from storage.ports import Finding, StorageError

ANSWER_S: Final = 15.0  # for one server; who needs longer serves nobody


def surroundings(settings: Settings) -> list[Finding]:
    """Of the machine: the zones' rules, the disk, and whether what several nodes share is on servers."""
    return [_zones(), _data(settings), *_several_nodes(settings)]


async def servers(settings: Settings, answer_s: float | None = None) -> list[Finding]:
    """Of every configured server, in a fixed order; all are asked at once, each within `answer_s` (ANSWER_S unless told otherwise)."""
    checks: list[tuple[str, Callable[[Settings], Awaitable[list[Finding]]]]] = [
        ("log", _log),
        ("records", _records),
        ("redis", _redis),
        ("series of metrics", _influx),
    ]
    within_s = ANSWER_S if answer_s is None else answer_s

    async def asked(subject: str, check: Callable[[Settings], Awaitable[list[Finding]]]) -> list[Finding]:
        try:
            async with asyncio.timeout(within_s):
                return await check(settings)
        except (StorageError, OSError, ValueError) as error:  # TimeoutError is an OSError
            said = str(error) or f"no answer within {within_s:.0f} s"
            return [Finding(subject, "wrong", said, _TO_DO[subject])]

    found = await asyncio.gather(*(asked(subject, check) for subject, check in checks))
    return [finding for findings in found for finding in findings]


_TO_DO: Final = {
    "log": "see that Kafka runs, and PALIO_KAFKA_...: address, user, TLS, and the topic as docs/operations.md wants it",
    "records": "see that MySQL runs, and PALIO_MYSQL_...: addresses, user, database, TLS",
    "redis": "see that Redis runs and is of the kind that PALIO_REDIS_CLUSTER says, and PALIO_REDIS_...",
    "series of metrics": "see that InfluxDB runs, and PALIO_INFLUX_...; Palio goes on without it",
}


def _zones() -> Finding:
    return Finding("time zones", "ok", f"{ZONE_RULES}; the machine's own files play no part")


def _data(settings: Settings) -> Finding:
    where = settings.data_dir.absolute()
    there = next(path for path in (where, *where.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding("data directory", "wrong", f"{there} cannot be written to", "set PALIO_DATA_DIR, or its rights")
    try:
        check_room(where)
    except StartError as error:
        return Finding("data directory", "wrong", str(error), "make room on this disk")
    return Finding("data directory", "ok", f"{where}{'' if where.exists() else ', which the first start makes'}")


def _several_nodes(settings: Settings) -> list[Finding]:
    if settings.ray_address is None:
        return []
    missing = [
        variable
        for variable, value in (
            ("PALIO_KAFKA_BOOTSTRAP_SERVERS", settings.kafka_bootstrap_servers),
            ("PALIO_MYSQL_SHARDS", settings.mysql_shards),
            ("PALIO_REDIS_URLS", settings.redis_urls),
        )
        if value is None
    ]
    if missing:
        said = f"PALIO_RAY_ADDRESS is set, {', '.join(missing)} not: several nodes cannot share what is embedded"
        return [Finding("several nodes", "wrong", said, f"set {', '.join(missing)}")]
    return [Finding("several nodes", "ok", "all that nodes share is on servers")]


async def _log(settings: Settings) -> list[Finding]:
    kafka = settings.kafka(settings.partitions, settings.log_max_queued, settings.log_window_ms)
    if kafka is None:
        return [Finding("log", "ok", "SQLite in the data directory")]
    from storage.ports import LogConfigurationError
    from storage.score_log.kafka.log import KafkaScoreLog
    from storage.score_log.kafka.topics import check_made

    try:
        await check_made(kafka)
    except LogConfigurationError as error:
        return [Finding("log", "note", f"Kafka answers; {error}", "nothing: the first start makes the topics")]
    log = KafkaScoreLog(kafka)
    try:
        bounds = await log.bounds()
    finally:
        await log.close()
    found = f"Kafka, {len(bounds)} partitions of {kafka.topic}, set as they must be"
    if settings.kafka_replication_factor < 3:
        return [Finding("log", "note", found, "for production: 3 replicas, PALIO_KAFKA_REPLICATION_FACTOR")]
    return [Finding("log", "ok", found)]


async def _records(settings: Settings) -> list[Finding]:
    mysql = settings.mysql()
    if mysql is None:
        return [Finding("records", "ok", "SQLite in the data directory")]
    from storage.records.mysql.sharded import check_servers

    places, servers = await check_servers(mysql)
    findings = []
    for server in servers:
        subject = f"MySQL {server.address}"
        if server.answer_ms is None:
            said = f"{server.role} of shard {server.shard} does not answer: {server.error}"
            findings.append(Finding(subject, "wrong", said, _TO_DO["records"]))
        else:
            said = f"{server.role} of shard {server.shard}, answers in {server.answer_ms:.0f} ms"
            state = ("note", f"{said}, behind its primary") if server.behind else ("ok", said)
            findings.append(Finding(subject, *state))
    if not places and all(server.answer_ms is not None for server in servers):
        findings.append(Finding("records", "note", "no tables yet", "nothing: the first start makes them"))
    return findings


async def _redis(settings: Settings) -> list[Finding]:
    redis = settings.redis()
    if redis is None:
        return [Finding("redis", "ok", "not configured: reads fall back to snapshots, updates go through an actor")]
    from storage.redis_client.check import check_redis

    return [Finding("redis", "ok", f"Redis {await check_redis(redis)}")]


async def _influx(settings: Settings) -> list[Finding]:
    influx = settings.influx()
    if influx is None:
        return [Finding("series of metrics", "ok", "Parquet files in the data directory")]
    from storage.metrics.influx import InfluxMetrics

    series = InfluxMetrics(influx)
    try:
        version = await series.ping()
    finally:
        await series.close()
    return [Finding("series of metrics", "ok", f"InfluxDB {version}")]
