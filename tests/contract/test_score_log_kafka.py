"""What the log on Kafka keeps beyond the port: a broker that is killed, stopped or stalled, other producers' records, large records."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from storage.ports import (
    DeadLetter,
    LogError,
    LogOverloadedError,
    LogRecord,
    LogTruncatedError,
    LogUnavailableError,
    NewRecord,
)
from storage.score_log.kafka.client import KafkaClient
from storage.score_log.kafka.config import KafkaLogConfig
from storage.score_log.kafka.log import KafkaScoreLog
from storage.score_log.kafka.reader import KafkaLogReader
from tests.contract.conftest import PARTITIONS, kafka_config
from tests.support.calm_clock import calm_s
from tests.support.kafka_topics import (
    administering,
    batch_with_bad_header_name,
    make_topic,
    open_log,
    produce_raw,
    producing,
    set_topic,
)
from tests.support.servers_kafka import KafkaForTests


@pytest.fixture
def config(kafka: KafkaForTests) -> KafkaLogConfig:
    return kafka_config(kafka)


async def contents(config: KafkaLogConfig) -> dict[tuple[int, int], bytes]:
    """All records by reading each partition, checked against one reader over all."""
    log = await open_log(config)
    found: dict[tuple[int, int], bytes] = {}
    for partition in range(config.partitions):
        after = -1
        while (part := await log.read(partition, after, 500)).records:
            found |= {(partition, r.offset): r.value for r in part.records}
            after = part.upto
    reader = log.reader(dict.fromkeys(range(config.partitions), -1))
    polled: dict[tuple[int, int], bytes] = {}
    while ranges := await reader.poll(333, 300):
        polled |= {(r.partition, r.offset): r.value for part in ranges for r in part.records}
    assert polled == found
    await log.close()
    return found


class Writers:
    """Callers that append without end; what was acknowledged, and what is undecided."""

    def __init__(self, log: KafkaScoreLog, count: int, timeout_s: float) -> None:
        self._log = log
        self._timeout_s = timeout_s
        self.sure: dict[tuple[int, int], bytes] = {}
        self.undecided: set[bytes] = set()
        self._stop = False
        self._tasks = [asyncio.create_task(self._write(n)) for n in range(count)]

    async def _write(self, writer: int) -> None:
        i = 0
        while not self._stop:
            i += 1
            records = [
                NewRecord((writer + k) % PARTITIONS, b"1", b"%d-%d-%d" % (writer, i, k)) for k in range(1 + i % 3)
            ]
            try:
                offsets = await self._log.append(records, self._timeout_s)
            except LogUnavailableError:
                self.undecided |= {record.value for record in records}
                await asyncio.sleep(0.05)
                continue
            for record, offset in zip(records, offsets, strict=True):
                assert (record.partition, offset) not in self.sure
                self.sure[record.partition, offset] = record.value

    async def acknowledged(self, count: int) -> None:
        """Wait until so many more are."""
        wanted = len(self.sure) + count
        async with asyncio.timeout(60):
            while len(self.sure) < wanted:
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)

    async def check(self, config: KafkaLogConfig) -> None:
        """Each acknowledged record is where it was said to be and nowhere else; an undecided one is there once, or not."""
        there = await contents(config)
        assert self.sure.items() <= there.items()
        counts = Counter(there.values())
        assert set(counts.values()) == {1}
        assert counts.keys() - self.undecided == set(self.sure.values())


async def test_a_broker_killed_in_mid_append_and_started_again_loses_and_doubles_nothing(
    kafka: KafkaForTests, config: KafkaLogConfig
) -> None:
    log = await open_log(config)
    writers = Writers(log, 20, timeout_s=2.0)
    await writers.acknowledged(500)
    await log.commit({0: 10})
    await asyncio.to_thread(kafka.kill)
    await asyncio.sleep(2.5)
    assert writers.undecided
    await asyncio.to_thread(kafka.start)
    await writers.acknowledged(500)
    await writers.stop()
    assert log.queued == 0
    assert (await log.committed())[0] == 10
    await log.close()
    await writers.check(config)


async def test_a_broker_that_stalls_longer_than_a_request_may_take_doubles_nothing(
    kafka: KafkaForTests, config: KafkaLogConfig
) -> None:
    """The requests time out and are sent again while the broker still has the first ones: it must know them for the same."""
    log = await open_log(replace(config, request_timeout_ms=400))
    writers = Writers(log, 20, timeout_s=30.0)
    await writers.acknowledged(300)
    for _ in range(3):
        os.kill(kafka.pid, signal.SIGSTOP)
        await asyncio.sleep(1.0)
        os.kill(kafka.pid, signal.SIGCONT)
        await writers.acknowledged(100)
    await writers.stop()
    await log.close()
    assert not writers.undecided
    await writers.check(config)


async def test_without_a_broker_appends_end_in_time_memory_is_bounded_and_it_recovers_by_itself(
    kafka: KafkaForTests, config: KafkaLogConfig
) -> None:
    log = await open_log(replace(config, max_queued=50, call_timeout_ms=2_000))
    reader = log.reader({0: -1})
    assert await log.append([NewRecord(0, b"1", b"before")]) == [0]
    assert [r.value for part in await reader.poll(10, 2_000) for r in part.records] == [b"before"]
    await asyncio.to_thread(kafka.stop)
    began = calm_s()
    calls = [log.append([NewRecord(i % PARTITIONS, b"1", b"lost")], 0.8) for i in range(50)]
    await asyncio.sleep(0.2)
    assert log.queued == 50
    with pytest.raises(LogOverloadedError, match="50 records wait"):
        await log.append([NewRecord(0, b"1", b"one too many")], 0.8)
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert calm_s() - began < 2.5
    assert all(type(result) is LogUnavailableError for result in results), results
    assert "was appended" in str(results[0])
    # What nobody waits for any more leaves the queue; a batch on its way goes with its next try.
    for i in range(20):
        with contextlib.suppress(LogOverloadedError), pytest.raises(LogUnavailableError):
            await log.append([NewRecord(i % PARTITIONS, b"1", b"lost")], 0.1)
    assert log.queued <= 50
    with pytest.raises(LogUnavailableError):
        await reader.poll(10, 100)
    with pytest.raises(LogUnavailableError):
        await asyncio.wait_for(log.bounds(), 5)
    late = KafkaScoreLog(kafka_config(kafka))  # made while Kafka is away
    with pytest.raises(LogUnavailableError, match="nothing was appended"):
        await late.append([NewRecord(0, b"1", b"x")], 0.5)
    assert late.queued == 0
    first_of_late = late.append([NewRecord(0, b"1", b"y")], 40)
    await asyncio.to_thread(kafka.start)
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(LogUnavailableError):
                await log.append([NewRecord(0, b"1", b"after")], 2.0)
                break
        values: list[bytes] = []
        while b"after" not in values:
            with contextlib.suppress(LogUnavailableError):
                values += [r.value for part in await reader.poll(10, 500) for r in part.records]
        while log.queued:
            await asyncio.sleep(0.05)
    assert values[-1] == b"after"
    assert await first_of_late == [0]
    await late.close()
    await log.close()


async def test_a_client_that_knows_no_broker_any_more_begins_anew(config: KafkaLogConfig) -> None:
    """A broker that has lost its controller answers with no brokers at all, and aiokafka then has nobody to ask."""
    log = await open_log(config)
    assert await log.append([NewRecord(0, b"1", b"before")]) == [0]
    for client in (log._client, log._producing):
        inner = await client.started()
        inner.cluster._brokers.clear()
        inner.cluster._bootstrap_brokers.clear()
        inner.cluster._partitions.clear()
    assert (await log.bounds())[0].last == 0
    assert await log.append([NewRecord(0, b"1", b"after")], 10) == [1]
    await log.close()


async def test_a_cancelled_append_leaves_nothing_behind(config: KafkaLogConfig) -> None:
    log = await open_log(replace(config, linger_ms=200))
    call = log.append([NewRecord(0, b"1", b"x")])
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.sleep(0)  # what is called when a future is done is called in the loop's next turn
    assert log.queued == 0
    assert await log.append([NewRecord(0, b"1", b"y")]) == [0]
    await log.close()


async def test_a_record_of_10_mb_is_refused_and_nothing_stalls(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    others = log.append([NewRecord(0, b"1", b"other")])
    with pytest.raises(ValueError, match=r"a record of 10485\d{3} bytes, at most 1048576 may be appended"):
        await log.append([NewRecord(0, b"1", bytes(10 << 20))])
    assert await others == [0]
    largest = bytes(config.max_message_bytes - 200)
    assert await log.append([NewRecord(0, b"1", largest)] * 3) == [1, 2, 3]
    assert [r.value for r in (await log.read(0, 0, 10)).records] == [largest]  # bounded by bytes, too
    assert (await log.read(0, 2, 10)).records[0].offset == 3
    await log.close()


async def test_a_record_larger_than_the_broker_takes_by_now_is_told_and_nothing_stalls(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    await set_topic(config, max_message_bytes="10000")
    with pytest.raises(LogUnavailableError, match="MessageSizeTooLarge"):
        await log.append([NewRecord(0, b"1", bytes(100_000))])
    assert await log.append([NewRecord(0, b"1", b"small")]) == [0]
    assert await log.append([NewRecord(0, b"1", b"small")]) == [1]
    await log.close()


async def test_records_of_10_mb_from_others_are_read_and_can_be_dead_letters(config: KafkaLogConfig) -> None:
    await make_topic(config, max_message_bytes=str(16 << 20))
    log = await open_log(config)
    big = os.urandom(10 << 20)
    async with producing(config, max_request_size=16 << 20, max_batch_size=16 << 20) as producer:
        for _ in range(2):
            await producer.send_and_wait(config.topic, big, b"1", partition=0)
    await log.append([NewRecord(0, b"1", b"behind")])
    reader = log.reader({0: -1})
    read: list[LogRecord] = []
    while len(read) < 3:
        read += [record for part in await reader.poll(10, 5_000) for record in part.records]
    assert [len(record.value) for record in read] == [len(big), len(big), 6]
    await log.dead_letter([DeadLetter(read[0], "too_big", "x" * 10_000), DeadLetter(read[2], "malformed", "y")])
    second, first = await log.dead_letters()
    assert second == DeadLetter(read[2], "malformed", "y")
    assert big.startswith(first.record.value)
    assert len(first.record.value) > 1_000_000
    assert first.record._replace(value=b"") == read[0]._replace(value=b"")
    await log.close()


async def test_other_producers_records_are_read_compressed_null_or_in_transactions(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    async with producing(config, compression_type="gzip") as producer:
        for i in range(3):
            await producer.send(config.topic, b"zip-%d" % i, b"42", partition=1, headers=[("other", b"\xff")])
        await producer.send_and_wait(config.topic, None, b"42", partition=1)
    async with producing(config, transactional_id=config.topic) as producer:
        for i in range(2):
            async with producer.transaction():
                await producer.send(config.topic, b"tx-%d" % i, None, partition=1)
    await log.append([NewRecord(1, b"42", b"ours", "sig", "reply")])
    values = [b"zip-0", b"zip-1", b"zip-2", b"", b"tx-0", b"tx-1", b"ours"]
    pages, after = [], -1
    while (page := await log.read(1, after, 2)).records:
        assert page.after == after
        assert all(page.after < record.offset <= page.upto for record in page.records)
        pages += page.records
        after = page.upto
    assert [record.value for record in pages] == values
    assert [record.offset for record in pages] == [0, 1, 2, 3, 4, 6, 8]  # a transaction's end takes an offset
    assert pages[4].key == b""
    assert (pages[-1].signature, pages[-1].reply_to) == ("sig", "reply")
    reader = log.reader({1: -1})
    polled: list[LogRecord] = []
    after = -1
    while after < 8:
        for part in await reader.poll(2, 2_000):
            assert part.after == after
            after = part.upto
            polled += part.records
    assert polled == pages
    await log.commit({1: 8})
    await log.close()


async def test_the_end_of_a_transaction_at_the_end_of_the_log_is_passed(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    async with producing(config, transactional_id=config.topic) as producer, producer.transaction():
        await producer.send(config.topic, b"tx", b"42", partition=1)
    part = await log.read(1, -1, 10)
    assert [record.value for record in part.records] == [b"tx"]
    assert (await log.read(1, part.upto, 10)).records == []
    reader = log.reader({1: -1})
    upto = max(part.upto for part in await reader.poll(10, 2_000))
    for _ in range(3):
        upto = max([upto, *(part.upto for part in await reader.poll(10, 50))])
    assert upto == (await log.bounds())[1].last == 1
    await log.close()


async def test_a_header_name_that_is_not_utf8_stalls_nothing(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    await log.append([NewRecord(2, b"1", b"before")])
    values = [b"poison-%d" % i for i in range(3)]
    assert await produce_raw(config, 2, batch_with_bad_header_name(values)) == 1
    await log.append([NewRecord(2, b"1", b"behind")])
    records = (await log.read(2, -1, 10)).records
    assert [record.value for record in records] == [b"before", *values, b"behind"]
    assert [record.offset for record in records] == [0, 1, 2, 3, 4]
    assert records[2].signature == "sig"
    assert abs(records[2].time_ms - records[-1].time_ms) < 60_000
    await log.close()


async def test_a_clock_that_is_set_back_shows_in_no_reader(config: KafkaLogConfig) -> None:
    """By records that were stamped by their producer, who may say any time."""
    await make_topic(config, message_timestamp_type="CreateTime")
    now_ms = time.time_ns() // 1_000_000
    moved = [0, 100, -5_000, 50, 200]
    async with producing(config) as producer:
        for at in moved:
            await producer.send_and_wait(config.topic, b"x", b"1", partition=0, timestamp_ms=now_ms + at)

    async def unchecked() -> None:
        """The log itself refuses such a topic."""

    reader = KafkaLogReader(KafkaClient(config, [config.topic]), {0: -1}, unchecked)
    times: list[int] = []
    while len(times) < len(moved):
        times += [record.time_ms - now_ms for part in await reader.poll(2, 2_000) for record in part.records]
    assert times == [0, 100, 100, 100, 200]
    await reader.close()


async def test_a_reader_overtaken_by_pruning_beyond_what_it_holds_is_told(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    for i in range(20):
        await log.append([NewRecord(0, b"%d" % i, bytes(500_000))])
    reader = log.reader({0: -1})
    first = await reader.poll(1, 2_000)
    assert [record.offset for part in first for record in part.records] == [0]
    await log.commit({0: 18})
    assert await log.prune(0) == 19
    read = 1

    async def read_on() -> None:
        nonlocal read
        while read < 20:
            read += sum(len(part.records) for part in await reader.poll(10, 2_000))

    with pytest.raises(LogTruncatedError, match="starts at 19"):
        await read_on()
    assert read < 19
    await log.close()


async def test_partitions_near_retention_are_told_before_anything_is_lost(config: KafkaLogConfig) -> None:
    log = await open_log(replace(config, retention_ms=3_600_000))
    await log.append([NewRecord(partition, b"1", b"x") for partition in (0, 1, 1)])
    await asyncio.sleep(0.05)
    assert await log.near_retention(0) == set()
    assert await log.near_retention(3_600_000 - 10) == {0, 1}
    await log.commit({0: 0, 1: 0})
    assert await log.near_retention(3_600_000 - 10) == {1}
    await log.commit({1: 1})
    assert await log.near_retention(3_600_000 - 10) == set()
    await log.close()


async def test_what_is_committed_is_kept_as_the_offsets_of_a_group(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    await log.append([NewRecord(0, b"1", b"x")] * 5)
    await log.commit({0: 3})
    async with administering(config) as admin:
        offsets = await admin.list_consumer_group_offsets(f"{config.topic}-durable")
    assert offsets[TopicPartition(config.topic, 0)].offset == 4  # the next to read
    with pytest.raises(LogError, match="ends at 4, commit of 5"):
        await log.commit({0: 5, 1: -1})
    await log.close()


async def test_dead_letters_are_as_the_contract_says(config: KafkaLogConfig) -> None:
    log = await open_log(config)
    record = LogRecord(1, 7, 123, b"42", b"\xff\x00", "sig", "reply")
    await log.dead_letter([DeadLetter(record, "malformed", "not JSON")])
    consumer = AIOKafkaConsumer(
        f"{config.topic}-dlq", bootstrap_servers=config.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    letter = await asyncio.wait_for(consumer.getone(), 10)
    await consumer.stop()
    assert (letter.key, letter.value) == (b"42", b"\xff\x00")
    assert dict(letter.headers) == {
        "palio-signature": b"sig",
        "palio-reply-to": b"reply",
        "palio-reason": b"malformed",
        "palio-detail": b"not JSON",
        "palio-partition": b"1",
        "palio-offset": b"7",
        "palio-time-ms": b"123",
    }
    await log.close()
