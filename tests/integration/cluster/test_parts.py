"""What a score leaves in each of the real parts, and what others may write into the topic."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import httpx2
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from actors.domain.codec import decode_snapshot
from cluster.config.settings import Settings
from scripts.local_servers.settings import settings_of
from tests.integration.conftest import create, eventually, join, submit
from tests.support.real_servers import RealServers
from tests.support.running import RunningPalio, kill_9
from tests.support.stored import everything_in_mysql, everything_in_redis, rows_of, selected, snapshots_of

USERS = range(1, 21)


def test_a_score_is_found_in_every_part(
    cluster: RunningPalio, real_servers: RealServers, plain_redis: redis.RedisCluster
) -> None:
    with cluster.client() as api, cluster.client(gateway=True) as gateway:
        tournament = create(api)
        join(api, tournament, *USERS)
        for user in USERS:
            assert submit(gateway, tournament, user, "a", user * 10.25)["outcome"] == "applied"
        wanted = [(str(user).encode(), user * 10.25) for user in reversed(USERS)]
        key = f"tournament:{{{tournament}}}:rankings"
        eventually(lambda: plain_redis.zrevrange(key, 0, -1, withscores=True) == wanted, 5)
        assert api.post(f"/v1/tournaments/{tournament}/end").json()["status"] == "finished"
        table = [(user, Decimal(str(user * 10.25)), rank) for rank, user in enumerate(reversed(USERS), 1)]
        assert rows_of(real_servers, tournament) == table
        facts = real_servers.facts["influx"]
        query = {"db": facts["database"], "q": "SELECT COUNT(applied_total) FROM owner"}
        account = (facts["admin_user"], facts["admin_password"])
        eventually(lambda: "series" in httpx2.get(f"{facts['url']}/query", params=query, auth=account).text, 40)


ERASED, NAME, COUNTRY, MAIL = 990_909, "Erasmus Zq9", "Zq9land", "zq9@example.org"


def test_an_erased_user_is_found_nowhere(
    cluster: RunningPalio, real_servers: RealServers, plain_redis: redis.RedisCluster
) -> None:
    """Neither name, nor group, nor address: in no table, no snapshot, no effect, no key; also once the owners have started again."""
    country = {"boards": ["country"]}
    prize = {"ranks": [1], "amount": "5", "currency": "EUR", "board": "country"}
    with cluster.client() as api, cluster.client("operator", 9) as operator:
        tournaments = [
            create(api, **country),
            create(api, **country, placement="dedicated"),
            create(api, **country, prizes=[prize]),
        ]
        for tournament in tournaments:
            body = {"name": NAME, "attributes": {"country": COUNTRY}}
            joined = api.put(f"/v1/tournaments/{tournament}/participants/{ERASED}", json=body)
            assert joined.status_code == 201, joined.text
            assert submit(api, tournament, ERASED, "a", 5)["outcome"] == "applied"
        over = f"/v1/tournaments/{tournaments[-1]}"
        assert api.post(f"{over}/end").json()["status"] == "finished"
        with cluster.client("player", ERASED) as player:
            assert player.put("/v1/users/me/notifications", json={"email": MAIL}).status_code == 200
        eventually(lambda: len(api.get(f"/v1/users/{ERASED}/tournaments").json()["items"]) == len(tournaments))
        eventually(lambda: [each.get("group") for each in api.get(f"{over}/prizes").json()["winners"]] == [COUNTRY])
        eventually(lambda: "redis" in _traces(cluster, real_servers, plain_redis, tournaments))
        before = _traces(cluster, real_servers, plain_redis, tournaments)
        assert before >= {"tournament_participants", "prizes", "snapshots", "notification_settings", "redis"}

        assert operator.delete(f"/v1/users/{ERASED}").status_code == 204
        eventually(lambda: not _traces(cluster, real_servers, plain_redis, tournaments))
        for pid in cluster.pids("ray::TournamentActor"):
            kill_9(pid)
        for tournament in tournaments:
            path = f"/v1/tournaments/{tournament}/participants/{ERASED}"
            eventually(lambda path=path: _standing(api, path) == (None, 5, 1, None))  # type: ignore[misc]
        assert submit(api, tournaments[0], ERASED, "b", 6)["outcome"] == "applied"
        eventually(lambda: _standing(api, f"/v1/tournaments/{tournaments[0]}/participants/{ERASED}")[1] == 6)
        time.sleep(1)  # the read models are written anew
        assert not _traces(cluster, real_servers, plain_redis, tournaments)
        [winner] = api.get(f"{over}/prizes").json()["winners"]
        assert (winner["user_id"], winner["amount"], winner.get("group")) == (str(ERASED), "5.00", None)


def _standing(client: httpx2.Client, path: str) -> tuple[str | None, float, int, object]:
    row = client.get(path).json()
    return row.get("name", ""), row.get("score"), row.get("rank"), row.get("boards", {}).get("country")


def _traces(
    cluster: RunningPalio, servers: RealServers, client: redis.RedisCluster, tournaments: list[str]
) -> set[str]:
    """Where anything of the user is told beyond the id: tables, `snapshots`, `redis`."""
    found = {table for table, value in everything_in_mysql(servers) if _tells(value)}
    found |= {"redis" for _, value in everything_in_redis(client) if _tells(value)}
    if selected(servers, "SELECT 1 FROM notification_settings WHERE user_id = %s", ERASED):
        found.add("notification_settings")
    kept = asyncio.run(
        snapshots_of(Settings(data_dir=cluster.data, **settings_of(servers.facts)), map(int, tournaments))
    )
    for data in (each for snapshots in kept.values() for each in snapshots):
        members, slot = (state := decode_snapshot(data)).members, state.members.users.slot(ERASED)
        if slot >= 0 and (members.names[slot] is not None or state.groups["country"].of(slot) is not None):
            found.add("snapshots")
    return found


def _tells(value: object) -> bool:
    told = value if isinstance(value, bytes) else str(value).encode()
    return any(each.encode() in told for each in (NAME, COUNTRY, MAIL))


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
