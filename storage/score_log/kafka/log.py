"""ScoreLog on Kafka: one topic, acks=all, idempotent producing, LogAppendTime, own group commit (see `score_log_kafka_producer`).

Beside the port's guarantees: each record is appended or not by itself. Offsets may have gaps, where another producer used transactions;
ranges cover them. `time_ms` is the broker's LogAppendTime, and a reader never gives a lower one after a higher one in a partition; a
broker's clock that was set back, or a new leader's, shows to a reader that starts in between (see `KafkaLogReader`).

Durability is that of Kafka: `min.insync.replicas` brokers hold a record when `append` returns. What the topic's retention deletes is gone
whether committed or not; `near_retention` tells in time which partitions have records above the committed offset that are close to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final
from weakref import WeakSet

from storage.ports.errors import LogConfigurationError, LogUnavailableError
from storage.ports.score_log import DeadLetter, LogBounds, LogRange, LogReader, NewRecord
from storage.score_log.kafka.batch import Entry, Lane, size_of
from storage.score_log.kafka.client import EARLIEST, LATEST, NO_ERROR, OFFSET_OUT_OF_RANGE, KafkaClient
from storage.score_log.kafka.committed_offsets import KafkaCommits
from storage.score_log.kafka.config import KafkaLogConfig
from storage.score_log.kafka.dead_letters import KafkaLetters, delete_before
from storage.score_log.kafka.producer import KafkaProducer
from storage.score_log.kafka.reader import KafkaLogReader, Position, out_of_range
from storage.score_log.kafka.record_format import Headers, batches, headers_of
from storage.score_log.kafka.topics import open_topics, topics
from storage.score_log.pending_calls import LogCalls, nothing_appended

# Bytes that one `read` fetches at most; a record that is larger comes all the same.
READ_BYTES: Final = 1 << 20
# How often, at most, it is looked whether the topic is still the same one.
IDENTITY_S: Final = 10.0


class KafkaScoreLog:
    """See `storage.ports.score_log.ScoreLog`. Belongs to one event loop, that of its first use.

    Connects when first used, or by `start`, and then makes or checks the topics. Each use raises LogConfigurationError while
    the topics are not as `config` wants them, and LogUnavailableError while Kafka is away.
    """

    def __init__(self, config: KafkaLogConfig) -> None:
        self.config = config
        names = [config.topic, config.letters_topic]
        self._producing = KafkaClient(config, names)
        self._client = KafkaClient(config)  # its topics may be missing yet
        self._producer = KafkaProducer(self._producing, self._same_topic)
        self._lanes = [Lane(config.topic, partition) for partition in range(config.partitions)]
        self._calls = LogCalls(self._producer.withdraw)
        self._commits = KafkaCommits(self._client)
        self._letters = KafkaLetters(self._client, self._producer.submit, self._letter_outcome)
        self._readers: WeakSet[KafkaLogReader] = WeakSet()
        self._starting = asyncio.Lock()
        self._identity = ""
        self._identity_at = 0.0
        self._closed = False

    async def start(self) -> None:
        """Connect, and make or check the topics; a second call does nothing. Raises LogConfigurationError, LogUnavailableError."""
        if self._identity:
            return
        async with self._starting:
            if not self._identity:
                state = await open_topics(self._client)
                self._identity_at = time.monotonic()
                self._identity = str(state.topic_id)

    @property
    def partitions(self) -> int:
        """See `ScoreLog.partitions`."""
        return self.config.partitions

    @property
    def identity(self) -> str:
        """See `ScoreLog.identity`: the topic's id. Raises LogUnavailableError before `start` or another use."""
        if not self._identity:
            raise LogUnavailableError("the log's topic is not known yet: it was not started")
        return self._identity

    @property
    def queued(self) -> int:
        """Records of this process that are not acknowledged yet: a queue depth for metrics."""
        return self._producer.queued

    def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> asyncio.Future[list[int]]:
        """See `ScoreLog.append`. ValueError also for a record larger than the topic takes; LogConfigurationError as of `start`."""
        size, call = self._checked(records)
        if not records:
            return nothing_appended()
        return self._calls.start(self._producer.submit(call, size), timeout_s)

    def _checked(self, records: Sequence[NewRecord]) -> tuple[int, list[tuple[Lane, bytes, bytes, Headers]]]:
        lanes = self._lanes
        call = []
        size = 0
        for partition, key, value, signature, reply_to, moved_from in records:
            if not 0 <= partition < len(lanes):
                raise ValueError(f"partition {partition}, expected 0 to {len(lanes) - 1}")
            if type(key) is not bytes or type(value) is not bytes:
                raise TypeError("key and value of a record must be bytes")
            call.append((lanes[partition], key, value, headers_of(signature, reply_to, moved_from)))
            own = len(key) + len(value) + len(signature) + len(reply_to) + len(moved_from)
            size += own
            # The exact size is worked out only where it may matter.
            if own > self.config.max_message_bytes // 2:
                needed = size_of(key, value, call[-1][3])
                if needed > self.config.max_message_bytes:
                    raise ValueError(
                        f"a record of {needed} bytes, at most {self.config.max_message_bytes} may be appended"
                    )
        if len(records) > self.config.max_queued or size > self.config.max_queued_bytes:
            raise ValueError(f"a call of {len(records)} records and {size} bytes is more than the queue may hold")
        return size, call

    async def _letter_outcome(self, entry: Entry) -> list[int]:
        offsets: list[int] = await self._calls.start(entry, self.config.call_timeout_ms / 1000)
        return offsets

    def reader(self, positions: Mapping[int, int]) -> LogReader:
        """See `ScoreLog.reader`. It reads through connections of its own and is closed with the log."""
        reader = KafkaLogReader(KafkaClient(self.config, [self.config.topic]), positions, self.start)
        self._readers.add(reader)
        return reader

    async def read(self, partition: int, after: int, max_records: int) -> LogRange:
        """See `ScoreLog.read`. Raises LogError for a damaged batch, LogUnavailableError."""
        if max_records < 1:
            raise ValueError(f"max_records is {max_records}, expected at least 1")
        await self._open()

        async def attempt(at: int) -> Position:
            topic = self.config.topic
            by_node = await self._client.leaders(topic, [partition])
            (part,) = await self._client.fetch(next(iter(by_node)), topic, {partition: at + 1}, 0, READ_BYTES)
            if part.error_code == OFFSET_OUT_OF_RANGE:
                raise await out_of_range(self._client, topic, {partition: at})
            if part.error_code != NO_ERROR:
                await self._client.check(part.error_code, f"reading partition {partition} of {topic}")
            position = Position(partition, at)
            position.at_hand = batches(part.data, at, f"partition {partition} of {topic}")
            return position

        at = after
        while True:
            position = await self._client.retried(lambda at=at: attempt(at))  # type: ignore[misc]
            taken = position.take(max_records)
            if taken is None:
                return LogRange(partition, after, after, [])
            if taken.records:
                return taken._replace(after=after)
            at = taken.upto  # nothing but gaps: go on behind them

    async def bounds(self) -> dict[int, LogBounds]:
        """See `ScoreLog.bounds`. Raises LogUnavailableError."""
        await self._open()
        every = range(self.config.partitions)
        starts, ends = await asyncio.gather(
            self._client.list_offsets(self.config.topic, dict.fromkeys(every, EARLIEST)),
            self._client.list_offsets(self.config.topic, dict.fromkeys(every, LATEST)),
        )
        return {partition: LogBounds(starts[partition], ends[partition] - 1) for partition in every}

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """See `ScoreLog.commit`, and `KafkaCommits` for where it is kept. Raises LogConfigurationError when the topic was made anew."""
        await self._open()
        if offsets:
            await self._same_topic()
            await self._commits.commit(offsets)

    async def committed(self) -> dict[int, int]:
        """See `ScoreLog.committed`. Raises LogUnavailableError."""
        await self._open()
        return await self._commits.committed()

    async def prune(self, keep_ms: int) -> int:
        """See `ScoreLog.prune`: Kafka deletes the records. Their age is told by this machine's clock against the broker's stamps."""
        cutoff_ms = time.time_ns() // 1_000_000 - keep_ms
        bounds, committed = await asyncio.gather(self.bounds(), self.committed())
        free = {p: min(committed[p], held.last) + 1 for p, held in bounds.items() if committed[p] >= held.start}
        younger = await self._client.list_offsets(self.config.topic, dict.fromkeys(free, cutoff_ms + 1))
        upto = {p: end if younger[p] < 0 else min(end, younger[p]) for p, end in free.items()}
        starts = await delete_before(
            self._client, self.config.topic, {p: end for p, end in upto.items() if end > bounds[p].start}
        )
        return sum(start - bounds[p].start for p, start in starts.items())

    async def stamped_after(self, time_ms: int) -> dict[int, int]:
        """See `ScoreLog.stamped_after`: of the first such record of each partition, and of its last one."""
        await self._open()
        every = dict.fromkeys(range(self.config.partitions), time_ms + 1)
        found = await self._client.find_records(self.config.topic, every)
        later = {partition: stamp for partition, (stamp, offset) in found.items() if offset >= 0}
        if later:
            ends = await self._client.list_offsets(self.config.topic, dict.fromkeys(later, LATEST))
            newest = await asyncio.gather(*(self.read(p, ends[p] - 2, 1) for p in later))
            for taken in newest:
                later[taken.partition] = max(later[taken.partition], *(record.time_ms for record in taken.records), 0)
        return later

    async def check_writable(self) -> None:
        """See `ScoreLog.check_writable`: enough replicas of each partition are in sync."""
        await self._open()
        state = (await topics(self._client, [self.config.topic]))[self.config.topic]
        lacking = (
            [] if state is None else [p for p, n in enumerate(state.in_sync) if n < self.config.min_insync_replicas]
        )
        if state is None or lacking:
            expected = self.config.min_insync_replicas
            raise LogUnavailableError(
                f"topic {self.config.topic}: partitions {lacking} have under {expected} replicas in sync"
            )

    async def near_retention(self, headroom_ms: int) -> set[int]:
        """The partitions where retention is within `headroom_ms` of deleting a record above the committed offset, or did so already.

        To be asked now and then, so that submissions to them are refused before anything is lost. Raises LogUnavailableError.
        """
        old_ms = time.time_ns() // 1_000_000 - self.config.retention_ms + headroom_ms
        bounds, committed = await asyncio.gather(self.bounds(), self.committed())
        behind = {p: committed[p] + 1 for p, held in bounds.items() if committed[p] < held.last}
        younger = await self._client.list_offsets(self.config.topic, dict.fromkeys(behind, max(old_ms, 0)))
        return {
            partition
            for partition, following in behind.items()
            if following < bounds[partition].start or not 0 <= younger[partition] <= following
        }

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """See `ScoreLog.dead_letter`. Raises LogUnavailableError."""
        await self._open()
        await self._letters.write(letters)

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """See `ScoreLog.dead_letters`. Raises LogUnavailableError."""
        await self._open()
        return await self._letters.newest(limit)

    async def close(self) -> None:
        """See `ScoreLog.close`: waits at most `score_log_kafka_producer.CLOSE_S`. Closes the readers made here, too."""
        if self._closed:
            return
        self._closed = True
        await self._producer.close()
        for reader in self._readers:
            await reader.close()
        await self._producing.close()
        await self._client.close()

    async def _open(self) -> None:
        if self._closed:
            raise LogUnavailableError("the log is closed")
        await self.start()

    async def _same_topic(self) -> None:
        """Raise LogConfigurationError when the topic is not the one that was started with; looks every IDENTITY_S at most."""
        await self.start()
        if time.monotonic() - self._identity_at < IDENTITY_S:
            return
        state = (await topics(self._client, [self.config.topic]))[self.config.topic]
        if state is None:  # or a broker that is just starting does not know it yet
            raise LogUnavailableError(f"topic {self.config.topic} is not there")
        if str(state.topic_id) != self._identity:
            raise LogConfigurationError(
                f"topic {self.config.topic}: expected the one with id {self._identity}, got {state.topic_id}: it was made anew"
            )
        self._identity_at = time.monotonic()
