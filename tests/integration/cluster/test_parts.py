"""What a score leaves in each of the real parts, and what others may write into the topic."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import httpx2
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.integration.conftest import create, eventually, join, submit
from tests.support.real_servers import RealServers
from tests.support.running import RunningPalio
from tests.support.stored import rows_of

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
