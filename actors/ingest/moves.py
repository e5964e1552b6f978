"""Moves: scores that lie in the wrong partition are appended to the one of their tournament, bounded, and judged by that append.

C clients of Kafka (librdkafka) hash keys otherwise than the Java client does. What waits here is not committed, so a crash loses
nothing: the record is read and moved again, and the fold takes the second copy for the duplicate that its event id says it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from actors.ingest.dead_letters import DeadLetters
from actors.ingest.parse import Misplaced
from storage.ports import DeadLetter, LogError, NewRecord, ScoreLog

logger = logging.getLogger(__name__)

APPEND_RECORDS: Final = 100  # in one append, of which one is in flight
APPEND_BYTES: Final = 1024 * 1024
RETRY_S: Final = 1.0  # after an append that failed; without end, since what is not moved is not committed either
WARN_S: Final = 60.0  # between warnings


class Moves:
    """At most `limit` wait, then `full` says to read no more; at most `per_s` are moved in a second. What the log can never take becomes one of
    `letters`. `sleep(seconds)` is the clock's wait."""

    def __init__(
        self, log: ScoreLog, letters: DeadLetters, *, limit: int, per_s: int, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._log = log
        self._letters = letters
        self._limit = limit
        self._per_s = per_s
        self._sleep = sleep
        self._waiting: deque[Misplaced] = deque()
        self._wake = asyncio.Event()
        self._warn_at_s = float("-inf")
        self._unwarned = 0
        self.total = 0  # moved since the start

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether no more should be read."""
        return len(self._waiting) >= self._limit

    @property
    def unmoved(self) -> list[tuple[int, int]]:
        """(partition, offset) after which a record waits to be moved: nothing beyond may be committed."""
        return [(record.partition, record.offset - 1) for record, _ in self._waiting]

    def add(self, misplaced: Misplaced) -> None:
        """One more; warns now and then."""
        self._waiting.append(misplaced)
        self._wake.set()
        self._unwarned += 1
        now_s = asyncio.get_running_loop().time()
        if now_s >= self._warn_at_s:
            record = misplaced.record
            logger.warning(
                "%d scores in the wrong partition, as partition %d offset %d of tournament %s, which belongs to %d: they are moved. Their "
                "producer should hash keys as Kafka's Java client does (librdkafka: partitioner=murmur2_random)",
                self._unwarned, record.partition, record.offset, record.key.decode(), misplaced.partition,
            )  # fmt: skip
            self._warn_at_s, self._unwarned = now_s + WARN_S, 0

    async def run(self) -> None:
        """Move what comes, until cancelled."""
        most = APPEND_RECORDS
        while True:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            batch = self._batch(most)
            try:
                await self._log.append([_moved(misplaced) for misplaced in batch])
            except LogError as error:  # that an append is undecided is no harm: a second copy counts for nothing
                logger.warning("%d misplaced scores not moved, they will be tried again: %s", len(self._waiting), error)
                await self._sleep(RETRY_S)
                continue
            except ValueError as error:  # more than the log's queue or topic takes
                most = len(batch) // 2
                if most == 0:
                    self._letters.add(DeadLetter(batch[0].record, "wrong_partition", str(error)))
                    self._waiting.popleft()
                    most = APPEND_RECORDS
                continue
            most = APPEND_RECORDS
            for _ in batch:
                self._waiting.popleft()
            self.total += len(batch)
            await self._sleep(len(batch) / self._per_s)

    def _batch(self, most: int) -> list[Misplaced]:
        batch: list[Misplaced] = []
        size = 0
        for misplaced in islice(self._waiting, most):
            size += len(misplaced.record.value)
            if batch and size > APPEND_BYTES:
                break
            batch.append(misplaced)
        return batch


def _moved(misplaced: Misplaced) -> NewRecord:
    record, partition = misplaced
    moved_from = f"{record.partition}/{record.offset}"
    return NewRecord(partition, record.key, record.value, reply_to=record.reply_to, moved_from=moved_from)
