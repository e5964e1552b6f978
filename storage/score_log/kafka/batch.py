"""What waits to be produced: calls, the queue of each partition, and batches on their way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from storage.score_log.kafka.record_format import Headers

LAST_SEQUENCE = 0x7FFFFFFF


class Entry:
    """One call: its future gets the offsets, in the call's order."""

    __slots__ = ("future", "lanes", "left", "offsets", "size", "taken", "unsettled")

    def __init__(self, future: asyncio.Future[list[int]], count: int, size: int) -> None:
        self.future = future
        self.offsets = [-1] * count
        self.size = size
        self.unsettled = count  # records without an offset yet
        self.left = count  # records held here, in a queue or on their way
        self.taken = False  # whether any record was ever on its way
        self.lanes: set[Lane] = set()


class Waiting(NamedTuple):
    """A record of a call, the `place`-th one."""

    entry: Entry
    place: int
    key: bytes
    value: bytes
    headers: Headers


class Batch:
    """Records of one partition as one batch, under one producer id and sequence number until it is settled.

    A broker that has it already recognises it by these, so trying again appends nothing twice.
    """

    __slots__ = ("attempts", "data", "producer", "records")

    def __init__(self, records: list[Waiting], data: bytes, producer: tuple[int, int]) -> None:
        self.records = records
        self.data = data
        self.producer = producer
        self.attempts = 0

    @property
    def wanted(self) -> bool:
        """Whether any call still waits for it."""
        return any(not waiting.entry.future.done() for waiting in self.records)


class Lane:
    """One partition's records in order: at most one batch is on its way or to be tried again, the rest waits behind it."""

    __slots__ = ("barred", "batch", "busy", "partition", "producer", "queue", "ready", "sequence", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.queue: deque[Waiting] = deque()
        self.batch: Batch | None = None
        self.busy = False
        self.ready = False  # whether it is in the producer's list of lanes with work
        self.producer: tuple[int, int] | None = None  # the producer id and epoch that `sequence` belongs to
        self.sequence = 0
        # The producer id under which it is not known which sequence number comes next: the lane waits for another one.
        self.barred: tuple[int, int] | None = None

    def build(self, producer: tuple[int, int], max_bytes: int, now_ms: int) -> tuple[Batch | None, list[Waiting]]:
        """Take a batch off the queue; also returns what was passed over since its call has ended."""
        if self.producer != producer:
            self.producer, self.sequence = producer, 0
        builder = DefaultRecordBatchBuilder(2, 0, 0, *producer, self.sequence, max_bytes)
        taken: list[Waiting] = []
        passed: list[Waiting] = []
        queue = self.queue
        while queue:
            waiting = queue[0]
            if waiting.entry.future.done():
                passed.append(queue.popleft())
                continue
            # The time is the log's to stamp; ours is only what the format wants.
            if builder.append(len(taken), now_ms, waiting.key, waiting.value, waiting.headers) is None:
                break
            waiting.entry.taken = True
            taken.append(queue.popleft())
        if not taken:
            return None, passed
        self.sequence = (self.sequence + len(taken)) & LAST_SEQUENCE
        self.batch = Batch(taken, bytes(builder.build()), producer)
        return self.batch, passed

    def unbuild(self) -> None:
        """Put a batch that was surely not appended back, to be built again under another producer id."""
        assert self.batch is not None
        self.queue.extendleft(reversed(self.batch.records))
        self.bar()

    def bar(self) -> None:
        """Let go of the batch, whose sequence numbers a broker may have used or not."""
        assert self.batch is not None
        self.barred = self.batch.producer
        self.batch = None
        self.producer = None

    def remove(self, entry: Entry) -> int:
        """Drop the records of a call from the queue; how many."""
        before = len(self.queue)
        self.queue = deque(waiting for waiting in self.queue if waiting.entry is not entry)
        return before - len(self.queue)


def size_of(key: bytes, value: bytes, headers: Headers) -> int:
    """An upper bound of a record's bytes in a batch of its own."""
    return int(DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers))


def total(records: Sequence[tuple[Lane, bytes, bytes, Headers]]) -> int:
    """The bytes of a call's keys, values and headers."""
    size = 0
    for _, key, value, headers in records:
        size += len(key) + len(value)
        for name, content in headers:
            size += len(name) + len(content)
    return size
