"""Group commit to Kafka: what waits becomes one batch a partition and one request a broker, acknowledged by all replicas in sync.

One request to each broker is under way at a time, so what comes meanwhile gathers. Batches carry a producer id and a sequence number
(Kafka's idempotent producer) and are tried again as they are until a broker answers or nobody waits for them any more; then the
partition goes on under a new producer id, for the broker may or may not have that batch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import aiokafka.errors
from aiokafka.structs import TopicPartition

from storage.ports.errors import LogError, LogOverloadedError, LogUnavailableError
from storage.score_log.kafka.batch import Batch, Entry, Lane, Waiting
from storage.score_log.kafka.client import (
    ALSO_RETRIABLE,
    BACKOFF_FIRST_S,
    BACKOFF_LAST_S,
    NO_ERROR,
    KafkaClient,
    RetriableError,
)
from storage.score_log.kafka.config import Sparse
from storage.score_log.kafka.producer_ids import ProducerIds
from storage.score_log.kafka.protocol import Produced, ProduceRequest
from storage.score_log.kafka.record_format import Headers

logger = logging.getLogger(__name__)
logger.addFilter(Sparse())

# Bytes of one request: a broker takes 100 MB, but what one request carries waits for its slowest partition.
MAX_REQUEST_BYTES: Final = 8 << 20
# How often the topics are looked at.
CHECK_S: Final = 10.0
# `close` waits so long for what was accepted, then its outcome is undecided.
CLOSE_S: Final = 10.0
# The broker lost track of our sequence numbers, or of our producer id (the protocol's codes): out of order sequence number, invalid
# producer epoch, unknown producer id.
SEQUENCE_ERRORS: Final = frozenset({45, 47, 59})


class KafkaProducer:
    """Belongs to one event loop, that of its first use.

    `check` looks at the topics: awaited before the first request, and beside the others every CHECK_S. What it raises as LogError, but
    for LogUnavailableError, is what callers get from then on, until it is content.
    """

    def __init__(self, client: KafkaClient, check: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._config = client.config
        self._check = check
        self._checked = False
        self._checked_at = 0.0
        self._checking: asyncio.Task[None] | None = None
        self._ready: list[Lane] = []
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._records = 0
        self._bytes = 0
        self._ids = ProducerIds(client, self._wake.set)
        self._busy: set[int] = set()  # brokers with a request under way
        self._sending: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._backoff_s = BACKOFF_FIRST_S
        self._closing = False

    @property
    def queued(self) -> int:
        """Records that are not acknowledged yet."""
        return self._records

    def submit(self, records: Sequence[tuple[Lane, bytes, bytes, Headers]], size: int) -> Entry:
        """Queue one call of `size` bytes. Raises LogOverloadedError, LogUnavailableError when closed."""
        if self._closing:
            raise LogUnavailableError("the log is closed")
        count = len(records)
        if self._records + count > self._config.max_queued or self._bytes + size > self._config.max_queued_bytes:
            raise LogOverloadedError(
                f"{self._records} records wait to be appended, at most {self._config.max_queued} may"
            )
        loop = asyncio.get_running_loop()
        entry = Entry(loop.create_future(), count, size)
        self._records += count
        self._bytes += size
        for place, (lane, key, value, headers) in enumerate(records):
            lane.queue.append(Waiting(entry, place, key, value, headers))
            entry.lanes.add(lane)
            if not lane.ready:
                lane.ready = True
                self._ready.append(lane)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        self._wake.set()
        return entry

    def withdraw(self, entry: Entry) -> bool:
        """Take back what of a call is not on its way; False when some of it is or was, so that its outcome is undecided."""
        for lane in entry.lanes:
            self._release(entry, lane.remove(entry))
        return not entry.taken

    def _release(self, entry: Entry, count: int) -> None:
        self._records -= count
        entry.left -= count
        if count and entry.left == 0:
            self._bytes -= entry.size
        if self._records == 0:
            self._idle.set()

    async def close(self) -> None:
        """Take no more calls, and wait for those accepted, at most CLOSE_S. The client is the caller's to close."""
        self._closing = True
        if self._records:
            self._idle.clear()
            try:
                async with asyncio.timeout(CLOSE_S):
                    await self._idle.wait()
            except TimeoutError:
                logger.warning("closing with %d records whose outcome is unknown", self._records)
        tasks = [task for task in (*self._sending, self._task, self._checking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, self._ids.close(), return_exceptions=True)
        self._fail_all(LogUnavailableError("the log was closed; whether this was appended is unknown"))

    # -- the dispatcher -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._config.linger_ms / 1000)
            self._wake.clear()
            try:
                if not self._checked:
                    await self._check()
                    self._checked, self._checked_at = True, time.monotonic()
                producer = await self._ids.current()
                inner = await self._client.started()
                if not self._dispatch(inner.cluster, producer):
                    # Beside the dispatching: the partitions that have leaders do not wait for it.
                    inner.force_metadata_update()
                    asyncio.get_running_loop().call_later(self._backoff_s, self._wake.set)
                if time.monotonic() - self._checked_at >= CHECK_S and (self._checking is None or self._checking.done()):
                    self._checking = asyncio.get_running_loop().create_task(self._check_again())
            except LogUnavailableError as error:
                self._again(error)
                await asyncio.sleep(self._backoff_s)
            except LogError as error:  # it will not get better by trying: whoever waits is told
                self._fail_all(error)
            except Exception as error:
                # An error that nobody foresaw must not end this task: those who wait would wait for nothing, for ever.
                logger.exception("producing failed")
                self._again(error)
                await asyncio.sleep(self._backoff_s)

    def _again(self, error: BaseException) -> None:
        self._backoff_s = min(2 * self._backoff_s, BACKOFF_LAST_S)
        logger.warning("%d records wait for Kafka: %s", self._records, error)
        if self._records:
            self._wake.set()

    async def _check_again(self) -> None:
        try:
            await self._check()
        except LogUnavailableError as error:
            logger.warning("the topics could not be checked: %s", error)
        except LogError as error:
            self._checked = False
            self._fail_all(error)
        self._checked_at = time.monotonic()

    def _dispatch(self, cluster: Any, producer: tuple[int, int]) -> bool:
        """One request for each broker that has none under way; the rest stays in the list of ready lanes.

        False when some of it has no leader.
        """
        leader_of = cluster.leader_for_partition
        now_ms = time.time_ns() // 1_000_000
        groups: dict[int, list[Lane]] = {}
        sizes: dict[int, int] = {}
        waiting: list[Lane] = []
        complete = True
        for lane in self._ready:
            node = leader_of(TopicPartition(lane.topic, lane.partition))
            if lane.batch is not None and not lane.batch.wanted:
                self._abandon(lane, lane.batch)
            if node is None or node == -1:
                complete = False
                waiting.append(lane)
            elif lane.batch is None and lane.barred == producer:
                waiting.append(lane)  # until there is another producer id, which wakes us
            elif lane.busy or node in self._busy or sizes.get(node, 0) >= MAX_REQUEST_BYTES:
                waiting.append(lane)
            else:
                batch = lane.batch or self._build(lane, producer, now_ms)
                if batch is None:
                    lane.ready = False
                    continue
                lane.busy = True
                groups.setdefault(node, []).append(lane)
                sizes[node] = sizes.get(node, 0) + len(batch.data)
        self._ready = waiting
        loop = asyncio.get_running_loop()
        for node, lanes in groups.items():
            self._busy.add(node)
            task = loop.create_task(self._send(node, lanes))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return complete

    def _build(self, lane: Lane, producer: tuple[int, int], now_ms: int) -> Batch | None:
        topic_bytes = (
            self._config.max_message_bytes if lane.topic == self._config.topic else self._config.max_letter_bytes
        )
        batch, passed = lane.build(producer, topic_bytes, now_ms)
        for waiting in passed:
            self._release(waiting.entry, 1)
        return batch

    # -- one request ----------------------------------------------------------------------------------------------

    async def _send(self, node: int, lanes: list[Lane]) -> None:
        trouble: BaseException | None = None
        try:
            batches: dict[str, list[tuple[int, bytes]]] = {}
            by_name: dict[tuple[str, int], Lane] = {}
            for lane in lanes:
                assert lane.batch is not None
                lane.batch.attempts += 1
                batches.setdefault(lane.topic, []).append((lane.partition, lane.batch.data))
                by_name[lane.topic, lane.partition] = lane
            reply = await self._client.send(node, ProduceRequest(batches, self._config.request_timeout_ms))
            for part in reply.parts:
                trouble = self._settle(by_name[part.topic, part.partition], part) or trouble
            if trouble is None:
                self._backoff_s = BACKOFF_FIRST_S
        except LogError as error:
            trouble = error
        except Exception as error:
            logger.exception("producing to broker %d failed", node)
            trouble = error
        finally:
            # What was not settled is tried again as it is.
            for lane in lanes:
                lane.busy = False
                if lane.batch is not None or lane.queue:
                    lane.ready = True
                    self._ready.append(lane)
                else:
                    lane.ready = False
            if trouble is None:
                self._busy.discard(node)
                if self._ready:
                    self._wake.set()
        if trouble is not None:
            self._again(trouble)
            try:
                (await self._client.started()).force_metadata_update()
                await asyncio.sleep(self._backoff_s)
            except LogError as error:  # not connected any more: the next try connects
                logger.warning("still without Kafka: %s", error)
                await asyncio.sleep(self._backoff_s)
            finally:
                self._busy.discard(node)
                self._wake.set()

    def _settle(self, lane: Lane, part: Produced) -> BaseException | None:
        """Take a broker's answer; what is to be tried again stays in the lane. Returns why, if so."""
        batch = lane.batch
        assert batch is not None
        code = part.error_code
        if code == NO_ERROR and part.offset >= 0:
            lane.batch = None
            self._deliver(batch, part.offset)
            return None
        error = aiokafka.errors.for_code(code)
        what = f"partition {lane.partition} of {lane.topic}: {error.__name__} ({code})"
        if code in SEQUENCE_ERRORS and batch.attempts == 1:
            # It was sent once and refused: it is not in the log.
            lane.unbuild()
            self._ids.renew(batch.producer)
            return RetriableError(what)
        if error.retriable or code in ALSO_RETRIABLE:
            return RetriableError(what)
        self._abandon(lane, batch, LogUnavailableError(f"{what}; whether this was appended is unknown"))
        return None

    def _deliver(self, batch: Batch, first: int) -> None:
        for offset, (entry, place, _, _, _) in enumerate(batch.records, first):
            entry.offsets[place] = offset
            entry.unsettled -= 1
            if entry.unsettled == 0 and not entry.future.done():
                entry.future.set_result(entry.offsets)
            self._release(entry, 1)

    def _abandon(self, lane: Lane, batch: Batch, error: LogError | None = None) -> None:
        """Give a batch up. A broker may have it, so its sequence numbers may be used or not: the lane needs another producer id."""
        lane.bar()
        self._ids.renew(batch.producer)
        for waiting in batch.records:
            if error is not None and not waiting.entry.future.done():
                waiting.entry.future.set_exception(type(error)(str(error)))
            self._release(waiting.entry, 1)

    def _fail_all(self, error: LogError) -> None:
        for lane in self._ready:
            lane.ready = False
            if lane.batch is not None:
                self._abandon(lane, lane.batch, error)
            while lane.queue:
                waiting = lane.queue.popleft()
                if not waiting.entry.future.done():
                    waiting.entry.future.set_exception(type(error)(str(error)))
                self._release(waiting.entry, 1)
        self._ready = []
