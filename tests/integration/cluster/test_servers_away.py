"""Palio on the real parts and three Ray nodes: Kafka, a Redis Cluster, two MySQL shards with replicas, InfluxDB; each of them away, too."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal

import httpx
import psutil
import pymysql
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from actors.domain.codec import encode_snapshot
from actors.domain.errors import InvalidRecordError
from actors.domain.fold import apply
from actors.domain.messages import Claim
from actors.domain.tournament import Tournament
from actors.parse import Parser
from cluster.parts import open_log, open_records, signer_of
from cluster.settings import Settings
from scripts.servers_settings import settings_of
from storage.base import DeadLetter
from tests.integration.conftest import applied_within_s, create, eventually, join, problem, shown, submit
from tests.support.load import Load
from tests.support.ray_nodes import RayNodes
from tests.support.real_servers import RealServers, real_servers
from tests.support.running import NO_LIMITS, RunningPalio, kill_9
from tests.support.watcher import Follower

__all__ = ["real_servers"]  # a fixture made elsewhere

USERS = range(1, 21)
PROBE = 99
TWO_SHARDS = {"PALIO_SHARDS": "2", "PALIO_INGEST_ACTORS": "2"}


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with RayNodes(3, {}) as started:
        yield started


@pytest.fixture(scope="module")
def cluster_session(
    real_servers: RealServers, nodes: RayNodes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPalio]:
    environment = {**NO_LIMITS, **TWO_SHARDS, **real_servers.environment, "PALIO_RAY_ADDRESS": nodes.address}
    palio = RunningPalio(tmp_path_factory.mktemp("cluster") / "data", **environment)
    palio.start()
    yield palio
    assert palio.stop() == 0, "".join(palio.output)


@pytest.fixture
def cluster(cluster_session: RunningPalio, real_servers: RealServers) -> Iterator[RunningPalio]:
    """All up; whatever a test stopped is up again after it."""
    yield cluster_session
    for prefix in ("kafka", "redis-cluster", "mysql", "influx"):
        real_servers.signal(prefix, signal.SIGCONT)
    real_servers.up()


def copies(servers: RealServers) -> redis.RedisCluster:
    facts = servers.facts["redis-cluster"]
    return redis.RedisCluster.from_url(facts["urls"][0], password=facts["password"])


def rows_of(servers: RealServers, tournament: str) -> list[tuple[int, Decimal, int | None]]:
    """(user, score, rank) in MySQL, on whichever shard has them."""
    facts = servers.facts["mysql"]
    found: list[tuple[int, Decimal, int | None]] = []
    for shard in facts["shards"]:
        connection = pymysql.connect(
            user=facts["user"], password=facts["password"], database=facts["database"], **shard["primary"]
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT user_id, score, `rank` FROM tournament_participants WHERE tournament_id = %s ORDER BY score DESC",
                (int(tournament),),
            )
            found += cursor.fetchall()
    return found


def test_a_score_is_found_in_every_part(cluster: RunningPalio, real_servers: RealServers) -> None:
    with cluster.client() as api, cluster.client(gateway=True) as gateway, copies(real_servers) as plain:
        tournament = create(api)
        join(api, tournament, *USERS)
        for user in USERS:
            assert submit(gateway, tournament, user, "a", user * 10.25)["outcome"] == "applied"
        wanted = [(str(user).encode(), user * 10.25) for user in reversed(USERS)]
        key = f"tournament:{{{tournament}}}:rankings"
        eventually(lambda: plain.zrevrange(key, 0, -1, withscores=True) == wanted, 10)
        assert api.post(f"/v1/tournaments/{tournament}/end").json()["status"] == "finished"
        table = [(user, Decimal(str(user * 10.25)), rank) for rank, user in enumerate(reversed(USERS), 1)]
        assert rows_of(real_servers, tournament) == table
        facts = real_servers.facts["influx"]
        query = {"db": facts["database"], "q": "SELECT COUNT(applied_total) FROM owner"}
        account = (facts["admin_user"], facts["admin_password"])
        eventually(lambda: "series" in httpx.get(f"{facts['url']}/query", params=query, auth=account).text, 40)


@pytest.mark.parametrize("part", ["ray::TournamentActor", "ray::IngestActor"])
def test_actors_are_killed(cluster: RunningPalio, part: str) -> None:
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS, PROBE)
        with Follower(cluster, tournament) as follower:
            with Load(cluster, tournament, USERS) as load:
                time.sleep(1)
                killed_at = time.monotonic()
                for pid in cluster.pids(part):
                    kill_9(pid)
                back_s = applied_within_s(gateway, tournament, PROBE, killed_at, wait=1)
                time.sleep(1)
            print(f"\n{part}: applying again after {back_s:.2f} s")
            assert {status for _, _, status in load.reads} == {200}, load.statuses
            assert load.refused == []
            assert api.delete(f"/v1/tournaments/{tournament}/participants/{PROBE}").status_code in (202, 204)
            load.check_table()
            eventually(lambda: follower.top == shown(gateway, tournament))


def test_a_node_is_killed(cluster: RunningPalio, nodes: RayNodes) -> None:
    with cluster.client() as api:
        tournaments = [create(api) for _ in range(4)]
        for tournament in tournaments:
            join(api, tournament, *USERS, PROBE)
        before = set(cluster.pids("ray::TournamentActor"))
        with Load(cluster, tournaments[0], USERS) as load:
            time.sleep(1)
            killed_at = time.monotonic()
            doomed = [pid for pid in before if psutil.Process(pid).ppid() in nodes.raylets[1:]]
            for index in (2, 1):
                nodes.kill(index)
            # the old owners may live on for a while, cut off: nobody reaps a raylet here; what they do is refused or harmless
            eventually(lambda: not doomed or set(cluster.pids("ray::TournamentActor")) - before)
            back_s = [applied_within_s(api, each, PROBE, killed_at, wait=1) for each in tournaments]
            eventually(cluster.well, 60)
            time.sleep(1)
        print(f"\nnodes with {len(doomed)} of {len(before)} owners: applying again after {max(back_s):.2f} s")
        assert api.delete(f"/v1/tournaments/{tournaments[0]}/participants/{PROBE}").status_code in (202, 204)
        load.check_table()
    nodes.add()
    nodes.add()


def test_redis_forgets_everything(cluster: RunningPalio, real_servers: RealServers) -> None:
    with cluster.client() as api, cluster.client(gateway=True) as gateway, copies(real_servers) as plain:
        tournament = create(api)
        join(api, tournament, *USERS)
        submit(gateway, tournament, 3, "a", 7)
        key = f"tournament:{{{tournament}}}:rankings"
        eventually(lambda: plain.zrevrange(key, 0, -1, withscores=True) == [(b"3", 7.0)], 10)
        plain.flushall(target_nodes=redis.RedisCluster.PRIMARIES)
        assert gateway.get(f"/v1/tournaments/{tournament}").status_code == 200
        eventually(lambda: plain.zrevrange(key, 0, -1, withscores=True) == [(b"3", 7.0)], 10)


async def _produce(servers: RealServers, records: list[tuple[bytes, bytes]]) -> None:
    """As any trusted producer: the key's partition is the client library's own choice, murmur2."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers.facts["kafka"]["bootstrap_servers"],
        max_request_size=20 << 20,
        enable_idempotence=True,
    )
    await producer.start()
    try:
        for key, value in records:
            await producer.send_and_wait("tournament-scores", value, key=key)
    finally:
        await producer.stop()


def test_other_producers(cluster: RunningPalio, real_servers: RealServers) -> None:
    """Their scores count as any other; what cannot be applied goes to the dead letters, and nothing waits for it."""
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, 1)
        key = tournament.encode()
        score = b'{"v":1,"type":"score","event_id":"%b","user_id":"1","score":%b}'
        unsigned = b'{"v":1,"type":"cancel","command_id":"c"}'
        poison = [
            (key, b"{"),
            (key, unsigned),
            (key, score % (b"big", b"9") + b" " * (100 << 10)),
            (b"no id", score % (b"x", b"1")),
        ]
        asyncio.run(
            _produce(real_servers, [(key, score % (b"one", b"5.25")), *poison, (key, score % (b"two", b"7.5"))])
        )
        eventually(lambda: gateway.get(f"/v1/tournaments/{tournament}/participants/1").json()["score"] == 7.5)
        assert gateway.get(f"/v1/tournaments/{tournament}/participants/1").json()["attempts"] == 2
        assert api.get(f"/v1/tournaments/{tournament}").json()["status"] == "running"
        asyncio.run(_await_letters(real_servers, {b"malformed", b"unsigned", b"too_big"}))


async def _await_letters(servers: RealServers, reasons: set[bytes]) -> None:
    """Until each reason was read; a letter may come twice, where ingest was restarted. Raises TimeoutError."""
    consumer = AIOKafkaConsumer(
        "tournament-scores-dlq",
        bootstrap_servers=servers.facts["kafka"]["bootstrap_servers"],
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            while reasons:
                message = await consumer.getone()
                reasons = reasons - {dict(message.headers)["palio-reason"]}
    finally:
        await consumer.stop()


def test_redis_is_out_of_memory(cluster: RunningPalio, real_servers: RealServers) -> None:
    """Reads and scores go on, and the alert metric says so."""
    with cluster.client() as api, cluster.client(gateway=True) as gateway, copies(real_servers) as plain:
        tournament = create(api)
        join(api, tournament, *USERS)
        memory = plain.config_get("maxmemory", target_nodes=redis.RedisCluster.RANDOM)["maxmemory"]
        plain.config_set("maxmemory", "1mb", target_nodes=redis.RedisCluster.ALL_NODES)
        try:
            submit(gateway, tournament, 3, "a", 7)
            eventually(lambda: metric(cluster, "palio_copy_refused_for_memory_total") > 0, 20)
            assert gateway.get(f"/v1/tournaments/{tournament}/participants/3").json()["score"] == 7
        finally:
            plain.config_set("maxmemory", memory, target_nodes=redis.RedisCluster.ALL_NODES)
        key = f"tournament:{{{tournament}}}:rankings"
        eventually(lambda: plain.zrevrange(key, 0, -1, withscores=True) == [(b"3", 7.0)], 15)


def metric(palio: RunningPalio, name: str) -> float:
    """The sum of a metric's samples."""
    lines = httpx.get(f"{palio.url}/metrics", timeout=20).text.splitlines()
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


def test_all_actors_are_killed_at_once(cluster: RunningPalio) -> None:
    """They come back from MySQL and Kafka alone: every row as it was."""
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS, PROBE)
        with Load(cluster, tournament, USERS) as load:
            time.sleep(2)
        load.check_table()
        before = gateway.get(f"/v1/tournaments/{tournament}/rankings").json()["rows"]
        view = gateway.get(f"/v1/tournaments/{tournament}").json()
    for pid in [
        *cluster.pids("ray::TournamentActor"),
        *cluster.pids("ray::IngestActor"),
        *cluster.pids("ray::DirectorActor"),
    ]:
        kill_9(pid)
    with cluster.client(gateway=True) as gateway:
        applied_within_s(gateway, tournament, PROBE, time.monotonic(), wait=1)
        rows = gateway.get(f"/v1/tournaments/{tournament}/rankings").json()["rows"]
        assert [(row["user_id"], row["score"], row["scored_at"]) for row in rows if row["user_id"] != str(PROBE)] == [
            (row["user_id"], row["score"], row["scored_at"]) for row in before
        ]
        assert gateway.get(f"/v1/tournaments/{tournament}").json()["starts_at"] == view["starts_at"]


async def replayed(settings: Settings) -> dict[int, Tournament]:
    """The topic from its first record, folded by nothing but the fold; what is no record of a tournament is passed over."""
    log = open_log(settings)
    parser = Parser(signer_of(settings), settings.partitions)
    states: dict[int, Tournament] = {}
    for partition in range(settings.partitions):
        after = -1
        while (log_range := await log.read(partition, after, 1000)).upto > after:
            after = log_range.upto
            for record in log_range.records:
                parsed = parser.parse(record)
                if isinstance(parsed, DeadLetter) or isinstance(parsed.message, Claim):
                    continue
                number = parsed.item.tournament_id
                with contextlib.suppress(InvalidRecordError):
                    states[number] = apply(states.get(number), number, partition, parsed.item)[0]
    await log.close()
    return states


async def stored_of(settings: Settings, tournaments: Iterable[int]) -> dict[int, bytes | None]:
    """Their snapshots in MySQL."""
    records = await open_records(settings)
    found = {number: await records.snapshot(number) for number in tournaments}
    await records.close()
    return {number: None if snapshot is None else snapshot.data for number, snapshot in found.items()}


def test_at_the_end_every_table_is_what_the_topic_says(
    cluster_session: RunningPalio, real_servers: RealServers
) -> None:
    """After all that was done to it: stopped in order, each snapshot is to the byte what an independent replay gives. Comes last."""
    assert cluster_session.stop() == 0
    settings = Settings(data_dir=cluster_session.data, **settings_of(real_servers.facts))
    states = asyncio.run(replayed(settings))
    assert states
    stored = asyncio.run(stored_of(settings, states))
    differing = [number for number, state in states.items() if stored[number] != encode_snapshot(state)]
    assert differing == []
