"""Other people's doings on the tests' broker: topics set up otherwise, records of other producers, made with aiokafka's own clients."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.record._crc32c import crc as crc32c
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from storage.score_log.kafka.client import KafkaClient
from storage.score_log.kafka.config import KafkaLogConfig
from storage.score_log.kafka.log import KafkaScoreLog
from storage.score_log.kafka.protocol import ProduceRequest
from storage.score_log.kafka.topics import log_settings


async def open_log(config: KafkaLogConfig) -> KafkaScoreLog:
    """A log that is connected, its topics made or checked."""
    log = KafkaScoreLog(config)
    try:
        await log.start()
    except BaseException:
        await log.close()
        raise
    return log


@asynccontextmanager
async def administering(config: KafkaLogConfig) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=config.bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def _settings(config: KafkaLogConfig, other: dict[str, str]) -> dict[str, str]:
    return {
        **log_settings(config),
        "retention.ms": str(config.retention_ms),
        "max.message.bytes": str(config.max_message_bytes),
        **{name.replace("_", "."): value for name, value in other.items()},
    }


async def make_topic(config: KafkaLogConfig, partitions: int | None = None, **other: str) -> None:
    """The log's topic as `config` wants it, but for the settings given (dots as underscores)."""
    topic = NewTopic(config.topic, partitions or config.partitions, 1, topic_configs=_settings(config, other))
    async with administering(config) as admin:
        reply = await admin.create_topics([topic])
        assert reply.topic_errors[0][1] == 0, reply
        async with asyncio.timeout(10):  # the broker learns of it a moment after the controller
            while (await admin.describe_topics([config.topic]))[0]["error_code"] != 0:
                await asyncio.sleep(0.02)


async def set_topic(config: KafkaLogConfig, **other: str) -> None:
    """Change settings of the log's topic, and wait until the broker knows them."""
    wanted = _settings(config, other)
    resource = ConfigResource(ConfigResourceType.TOPIC, config.topic, wanted)
    async with administering(config) as admin, asyncio.timeout(10):
        (reply,) = await admin.alter_configs([resource])
        assert reply.resources[0][0] == 0, reply
        while True:
            (found,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, config.topic)])
            if wanted.items() <= {entry[0]: entry[1] for entry in found.resources[0][4]}.items():
                return
            await asyncio.sleep(0.02)


async def delete_topic(config: KafkaLogConfig) -> None:
    async with administering(config) as admin:
        await admin.delete_topics([config.topic])


@asynccontextmanager
async def producing(config: KafkaLogConfig, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=config.bootstrap_servers, **options)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def produce_raw(config: KafkaLogConfig, partition: int, data: bytes) -> int:
    """Have the broker append a batch as it is; returns its first offset."""
    client = KafkaClient(config, [config.topic])
    try:
        by_node = await client.leaders(config.topic, [partition])
        reply = await client.send(next(iter(by_node)), ProduceRequest({config.topic: [(partition, data)]}, 5_000))
        (part,) = reply.parts
        assert part.error_code == 0, part
        return int(part.offset)
    finally:
        await client.close()


def batch_with_bad_header_name(values: list[bytes]) -> bytes:
    """A batch whose records have a header with a name that is not UTF-8."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for i, value in enumerate(values):
        builder.append(i, 1_000 + i, b"42", value, [("bad-name", b"x"), ("palio-signature", b"sig")])
    data = bytearray(bytes(builder.build()).replace(b"bad-name", b"bad-\xff\xfe\xc0\x80"))
    # The checksum (bytes 17 to 20) is over all that follows it.
    data[17:21] = struct.pack(">I", crc32c(bytes(data[21:])))
    return bytes(data)
