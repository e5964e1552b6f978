"""Reading partitions of Kafka onward from given offsets: no consumer group, no reset of positions, one fetch a broker under way.

A broker's fetch names all partitions that it leads, and is made only once all that it brought before was taken: so news of any of them
ends its wait at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from storage.ports.errors import LogTruncatedError, LogUnavailableError
from storage.ports.score_log import LogRange, LogRecord
from storage.score_log.kafka.client import (
    BACKOFF_FIRST_S,
    EARLIEST,
    LATEST,
    NO_ERROR,
    OFFSET_OUT_OF_RANGE,
    KafkaClient,
    RetriableError,
)
from storage.score_log.kafka.protocol import Fetched
from storage.score_log.kafka.record_format import batches, log_record

# Bytes that one fetch of one broker brings at most; a reader holds as much, undecoded.
MAX_FETCH_BYTES: Final = 4 << 20
# A poll returns at most so much later than it should, when a broker does not answer.
STALLED_S: Final = 1.0
# A poll that is over waits so much longer for a fetch that a broker is just answering.
ANSWER_S: Final = 0.05


async def out_of_range(client: KafkaClient, topic: str, after: Mapping[int, int]) -> LogTruncatedError:
    """What to raise when a broker has nothing at positions: which of them it is, and why."""
    starts = await client.list_offsets(topic, dict.fromkeys(after, EARLIEST))
    ends = await client.list_offsets(topic, dict.fromkeys(after, LATEST))
    for partition, offset in after.items():
        if offset + 1 < starts[partition]:
            return LogTruncatedError(f"partition {partition} starts at {starts[partition]}, wanted {offset + 1}")
        if offset + 1 > ends[partition]:
            return LogTruncatedError(
                f"partition {partition} ends at {ends[partition] - 1}, wanted {offset + 1}: it was made anew or lost records"
            )
    return LogTruncatedError(f"a position of {dict(after)} lay outside the log")


class Position:
    """One partition as read: `after` is the last offset given, `time_ms` the highest time given, `batches` what is at hand."""

    __slots__ = ("after", "at_hand", "partition", "records", "time_ms", "upto")

    def __init__(self, partition: int, after: int) -> None:
        self.partition = partition
        self.after = after
        self.time_ms = 0
        self.at_hand: Iterator[tuple[int, list[Any]]] | None = None
        self.records: deque[Any] = deque()  # of the batch that is being given, which ends at `upto`
        self.upto = after

    def take(self, limit: int) -> LogRange | None:
        """At most `limit` records of what is at hand, None when there is nothing more.

        Decoding happens here, a batch at a time. Raises LogError for a damaged batch.
        """
        start = self.after
        taken: list[LogRecord] = []
        while len(taken) < limit:
            if not self.records:
                following = next(self.at_hand, None) if self.at_hand is not None else None
                if following is None:
                    self.at_hand = None
                    break
                self.upto, found = following
                self.records.extend(found)
                if not found:  # nothing of it is for anybody: go on behind it
                    self.after = self.upto
                continue
            record = self.records.popleft()
            # The broker stamps by its clock, which may be set back, and another leader has another clock.
            self.time_ms = max(self.time_ms, record.timestamp)
            taken.append(log_record(self.partition, record, self.time_ms))
            self.after = record.offset if self.records else self.upto
        if self.after == start:
            return None
        return LogRange(self.partition, start, self.after, taken)


class KafkaLogReader:
    """See `storage.ports.score_log.LogReader`. It has connections of its own.

    Times never go back in a partition as far as one reader has read it: one that starts in the middle does not know what was stamped
    before, so of a broker whose clock was set back two readers may tell different times. The fold holds a tournament's time itself.
    `prepare` is awaited before each fetch: it checks the topic, once.
    """

    def __init__(
        self, client: KafkaClient, positions: Mapping[int, int], prepare: Callable[[], Awaitable[None]]
    ) -> None:
        self._client = client
        self._topic = client.config.topic
        self._prepare = prepare
        self._positions = {partition: Position(partition, after) for partition, after in positions.items()}
        self._turn = deque(
            self._positions.values()
        )  # whose turn it is: one with much to read does not hold up the rest
        self._fetching: dict[int, asyncio.Task[list[Fetched]]] = {}
        self._closed = False

    async def poll(self, max_records: int, wait_ms: int) -> list[LogRange]:
        """See `LogReader.poll`. Raises LogError for a damaged batch."""
        if max_records < 1:
            raise ValueError(f"max_records is {max_records}, expected at least 1")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_ms / 1000
        while True:
            if self._closed:
                raise LogUnavailableError("the reader is closed")
            ranges = self._take(max_records)
            if ranges:
                return ranges
            remaining = max(0.0, deadline - loop.time())
            await self._fetch(remaining)
            if remaining == 0:
                return self._take(max_records)

    def _take(self, limit: int) -> list[LogRange]:
        ranges: list[LogRange] = []
        for _ in range(len(self._turn)):
            position = self._turn[0]
            if position.records or position.at_hand is not None:
                part = position.take(limit)
                if part is not None:
                    ranges.append(part)
                    limit -= len(part.records)
            self._turn.rotate(-1)
            if limit == 0:
                break
        return ranges

    async def _fetch(self, remaining_s: float) -> None:
        """Ask each broker that has none of our fetches under way, and take the first answers. Raises LogUnavailableError."""
        loop = asyncio.get_running_loop()
        await self._prepare()
        wait_ms = min(self._client.config.fetch_max_wait_ms, int(remaining_s * 1000))
        try:
            by_node = await self._client.leaders(self._topic, self._positions)
        except RetriableError:
            # Bounded: aiokafka has just asked the brokers once, and we ask again after a pause, or at the next poll.
            await asyncio.sleep(min(BACKOFF_FIRST_S, remaining_s))
            raise
        for node, partitions in by_node.items():
            if node not in self._fetching:
                offsets = {partition: self._positions[partition].after + 1 for partition in partitions}
                fetch = self._client.fetch(node, self._topic, offsets, wait_ms, MAX_FETCH_BYTES)
                self._fetching[node] = loop.create_task(fetch)
        tasks = set(self._fetching.values())
        # A fetch that a broker does not answer goes on, and fails by the request's timeout in a later poll.
        done, waiting = await asyncio.wait(tasks, timeout=remaining_s + STALLED_S, return_when=asyncio.FIRST_COMPLETED)
        if waiting and remaining_s == 0:  # a poll that does not wait asks everybody, all the same
            more, _ = await asyncio.wait(waiting, timeout=ANSWER_S)
            done |= more
        for node in [node for node, task in self._fetching.items() if task in done]:
            await self._keep(self._fetching.pop(node).result())

    async def _keep(self, parts: list[Fetched]) -> None:
        """Lay fetched data at hand. Raises LogTruncatedError, RetriableError, LogError."""
        outside = {}
        for partition, code, data in parts:
            position = self._positions[partition]
            if code == NO_ERROR:
                if data:
                    position.at_hand = batches(data, position.after, f"partition {partition} of {self._topic}")
            elif code == OFFSET_OUT_OF_RANGE:
                outside[partition] = position.after
            else:
                await self._client.check(code, f"reading partition {partition} of {self._topic}")
        if outside:
            raise await out_of_range(self._client, self._topic, outside)

    async def close(self) -> None:
        """See `LogReader.close`."""
        if self._closed:
            return
        self._closed = True
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()
