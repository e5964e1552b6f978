"""What plain clients find on the real servers, and what an independent replay of the topic says that it must be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pymysql
import redis

from actors.domain.delivery import is_claim
from actors.domain.errors import InvalidRecordError
from actors.domain.fold import apply
from actors.domain.tournament import Tournament
from actors.ingest.parse import Parsed, Parser
from cluster.config.settings import Settings
from cluster.startup.ports import open_log, open_records, signer_of
from tests.support.real_servers import RealServers


def selected(servers: RealServers, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, of all shards' primaries."""
    facts = servers.facts["mysql"]
    account = {name: facts[name] for name in ("user", "password", "database")}
    found: list[tuple[Any, ...]] = []
    for shard in facts["shards"]:
        connection = pymysql.connect(**account, **shard["primary"])
        with connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            found += cursor.fetchall()
    return found


def everything_in_mysql(servers: RealServers) -> Iterator[tuple[str, Any]]:
    """(table, value) of each column of each row of each table, on primaries and replicas."""
    facts = servers.facts["mysql"]
    account = {name: facts[name] for name in ("user", "password", "database")}
    for shard in facts["shards"]:
        for server in (shard["primary"], shard["replica"]):
            connection = pymysql.connect(**account, **server)
            with connection, connection.cursor() as cursor:
                cursor.execute("SHOW TABLES")
                for (table,) in cursor.fetchall():
                    cursor.execute(f"SELECT * FROM `{table}`")
                    for row in cursor.fetchall():
                        yield from ((table, value) for value in row)


def everything_in_redis(client: redis.RedisCluster) -> Iterator[tuple[str, Any]]:
    """(key, value) of each value, field or member of each key."""
    for key in client.scan_iter(count=1000):
        name = key.decode()
        match client.type(key):
            case b"string":
                yield name, client.get(key) or b""
            case b"hash":
                for pair in client.hgetall(key).items():
                    yield from ((name, each) for each in pair)
            case b"zset":
                yield from ((name, member) for member in client.zrange(key, 0, -1))
            case b"none":
                pass  # it is gone
            case other:
                raise AssertionError(f"{name} is a {other!r}")


def rows_of(servers: RealServers, tournament: str) -> list[tuple[int, Decimal, int | None]]:
    """(user, score, rank) in MySQL, on whichever shard has them, best first."""
    sql = "SELECT user_id, score, `rank` FROM tournament_participants WHERE tournament_id = %s ORDER BY score DESC"
    return [(user, score, rank) for user, score, rank in selected(servers, sql, int(tournament))]


async def parsed_of(settings: Settings, partitions: Sequence[int]) -> list[Parsed]:
    """The records of some partitions from their first one on, without those that become dead letters."""
    log = open_log(settings)
    parser = Parser(signer_of(settings), settings.partitions)
    found: list[Parsed] = []
    for partition in partitions:
        after = -1
        while (log_range := await log.read(partition, after, 1000)).upto > after:
            after = log_range.upto
            parsed = [parser.parse(record) for record in log_range.records]
            found += [each for each in parsed if isinstance(each, Parsed)]
    await log.close()
    return found


async def replayed(settings: Settings) -> dict[int, Tournament]:
    """The topic from its first record, folded by nothing but the fold; what is no record of a tournament is passed over."""
    states: dict[int, Tournament] = {}
    for parsed in await parsed_of(settings, range(settings.partitions)):
        if is_claim(parsed.item):
            continue
        number = parsed.item.tournament_id
        with contextlib.suppress(InvalidRecordError):
            states[number] = apply(states.get(number), number, parsed.partition, parsed.item)[0]
    return states


async def stored_of(settings: Settings, tournaments: Iterable[int]) -> dict[int, bytes | None]:
    """Their snapshots in MySQL."""
    found = await snapshots_of(settings, tournaments)
    return {number: kept[0] if kept else None for number, kept in found.items()}


async def snapshots_of(settings: Settings, tournaments: Iterable[int]) -> dict[int, list[bytes]]:
    """All that are kept of each, the newest first."""
    records = await open_records(settings)
    found = {number: await records.snapshots(number) for number in tournaments}
    await records.close()
    return {number: [each.data for each in kept] for number, kept in found.items()}
