"""Kafka clients of the ingest benchmark, each run in a process of its own: a trusted producer of scores, and a bare consumer."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder

from actors.domain.values import partition_of
from scripts.benchmarks.harness.contest import Contest

FETCH_RECORDS: Final = 2000  # the same as ingest asks for
FETCH_WAIT_MS: Final = 250
CLIENT_TIMEOUT_S: Final = 300.0


class Topic(NamedTuple):
    """Where scores go: `servers` is `host:port,...`."""

    servers: str
    name: str
    partitions: int


class Entry(NamedTuple):
    """A participant, and whose tournament."""

    tournament: str
    user: int


class Produced(NamedTuple):
    """What a producer did: scores by user, and whose the first and last of each partition are."""

    scores: Counter[int]
    first: dict[int, Entry]
    last: dict[int, Entry]


class Consumed(NamedTuple):
    """What a consumer read, from its first records to its last: in how many seconds, with how many CPU-seconds of its process."""

    records: int
    seconds: float
    cpu_s: float


async def produce(topic: Topic, contest: Contest, count: int, seed: int) -> Produced:
    """`count` scores of random members, JSON keyed by tournament, idempotent with acks=all, in aiokafka's batches of 16 KiB."""
    rng = random.Random(seed)
    entries = [
        (Entry(tournament, user), tournament.encode(), partition_of(int(tournament), topic.partitions))
        for tournament, users in zip(contest.tournaments, contest.members, strict=True)
        for user in users
    ]
    producer = AIOKafkaProducer(bootstrap_servers=topic.servers, acks="all", enable_idempotence=True)
    produced = Produced(Counter(), {}, {})
    batches: dict[int, BatchBuilder] = {}
    sent: list[asyncio.Future[object]] = []

    async with asyncio.timeout(CLIENT_TIMEOUT_S), producer:
        for number, (entry, key, partition) in enumerate(rng.choices(entries, k=count)):
            value = b'{"v":1,"type":"score","event_id":"k%d-%d","user_id":"%d","score":%d.5}' % (
                seed, number, entry.user, rng.randrange(1_000_000),
            )  # fmt: skip
            batch = batches.get(partition) or batches.setdefault(partition, producer.create_batch())
            if batch.append(timestamp=None, key=key, value=value) is None:
                # waits while the partition's last batch is not on its way, so what is held is bounded
                sent.append(await producer.send_batch(batch, topic.name, partition=partition))
                batch = batches[partition] = producer.create_batch()
                batch.append(timestamp=None, key=key, value=value)
            produced.scores[entry.user] += 1
            produced.first.setdefault(partition, entry)
            produced.last.pop(partition, None)  # in the order of their last scores
            produced.last[partition] = entry
        for partition, batch in batches.items():
            sent.append(await producer.send_batch(batch, topic.name, partition=partition))
        await asyncio.gather(*sent)
    return produced


async def consume(topic: Topic, ends: Mapping[int, int], count: int) -> Consumed:
    """Read the last `count` records, those that follow the offsets `ends`, with aiokafka's consumer, and look at none of them."""
    consumer = AIOKafkaConsumer(bootstrap_servers=topic.servers, enable_auto_commit=False)
    async with asyncio.timeout(CLIENT_TIMEOUT_S), consumer:
        consumer.assign([TopicPartition(topic.name, partition) for partition in ends])
        for partition, end in ends.items():
            consumer.seek(TopicPartition(topic.name, partition), end + 1)
        records, began_s, began_cpu_s = 0, time.monotonic(), time.process_time()
        while records < count:
            found = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=FETCH_RECORDS)
            records += sum(map(len, found.values()))
        return Consumed(records, time.monotonic() - began_s, time.process_time() - began_cpu_s)
