"""The score log: the ordered, durable record of everything that changes a tournament.

Guarantees
- Order: offsets of a partition grow by at least one with each record, in append order, and never change. A call's records
  of one partition keep their order in the call.
- Time: the log stamps `time_ms` when it appends; within a partition it never goes back (LogAppendTime).
- Durability: when `append` returns, its records survive the loss of every process and of the machine's power.
- Atomicity: embedded, a call is appended whole or not at all. On Kafka, only each record is: after LogUnavailableError any of the
  call's records may be in the log. Records carry what makes a repeat harmless (event_id, command_id).
- Duplicates: an implementation never appends one record twice by itself; callers that retry after LogUnavailableError may.
- Loss: none above `commit`. Records at or below the committed offset of their partition may be pruned.
- Readers: a reader sees a partition's records in offset order, without gaps, from the offset it asked for; several
  readers do not disturb each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class NewRecord(NamedTuple):
    """A record to append. `key` is the tournament id in decimal; `signature` is empty for scores and ticks.

    `reply_to` names the updates channel on which an owner answers with the outcome, or is empty. `moved_from` of a score that lay in another
    partition names that place, `partition/offset`.
    """

    partition: int
    key: bytes
    value: bytes
    signature: str = ""
    reply_to: str = ""
    moved_from: str = ""


class LogRecord(NamedTuple):
    """A record as read: `offset` within its partition, `time_ms` as stamped by the log (ms since 1970, UTC)."""

    partition: int
    offset: int
    time_ms: int
    key: bytes
    value: bytes
    signature: str = ""
    reply_to: str = ""
    moved_from: str = ""


class LogRange(NamedTuple):
    """The records of one partition with `after < offset <= upto`, in order; possibly none."""

    partition: int
    after: int
    upto: int
    records: list[LogRecord]


class LogBounds(NamedTuple):
    """What a partition holds: the first offset still readable, and the last one appended (start - 1 when empty)."""

    start: int
    last: int


class DeadLetter(NamedTuple):
    """A record that cannot be applied, with the reason; kept apart so that it stalls nothing. Its record's `moved_from` may be lost."""

    record: LogRecord
    reason: str
    detail: str


class LogReader(Protocol):
    """Reads a fixed set of partitions onward from given offsets."""

    async def poll(self, max_records: int, wait_ms: int) -> list[LogRange]:
        """New ranges, at most `max_records` in all; waits up to `wait_ms` for the first. Empty list: nothing came.

        Raises LogUnavailableError (poll again later) and LogTruncatedError (the position is below the log's start).
        """

    async def close(self) -> None:
        """Release what the reader holds. A second call does nothing."""


class ScoreLog(Protocol):
    """See the module's guarantees."""

    @property
    def partitions(self) -> int:
        """The number of partitions, fixed for the life of the log."""

    @property
    def identity(self) -> str:
        """Names this very log: another topic, or a log made anew, has another identity."""

    @property
    def queued(self) -> int:
        """Records of this process that wait to be appended: a depth for metrics, 0 when nothing is under way."""

    def append(self, records: Sequence[NewRecord], timeout_s: float = 5.0) -> asyncio.Future[list[int]]:
        """Append durably: the records are queued when this returns; the future gets each one's offset, in the call's order.

        Raises, at once or from the future, LogOverloadedError (queue full, nothing appended), LogDiskFullError (nothing appended),
        LogUnavailableError (not taken within `timeout_s`; undecided). ValueError (no such partition, or a call larger than the queue) and
        TypeError (key or value are not bytes) append nothing. Cancelling the future takes the records back if they are not on their way.
        """

    def reader(self, positions: Mapping[int, int]) -> LogReader:
        """A reader of the partitions named by `positions`, each from after the offset given (-1: from the start)."""

    async def read(self, partition: int, after: int, max_records: int) -> LogRange:
        """The next records after an offset; `upto == after` when there are none. Raises LogTruncatedError."""

    async def bounds(self) -> dict[int, LogBounds]:
        """What each partition holds now."""

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Note that everything up to these offsets is durable elsewhere; a lower offset than before changes nothing.

        Raises LogError, with nothing noted, for an offset beyond the log's end: it is of another log.
        """

    async def committed(self) -> dict[int, int]:
        """The committed offset of each partition, -1 where none was."""

    async def prune(self, keep_ms: int) -> int:
        """Drop records at or below the committed offsets that are at least `keep_ms` old; returns how many went.

        Some that could go may stay. The work of one call is bounded.
        """

    async def stamped_after(self, time_ms: int) -> dict[int, int]:
        """The partitions whose newest records are stamped later than `time_ms`, each with such a stamp, the latest that is at hand.

        Asked with the wall clock, it tells how far the log's clock, by which tournaments start and end, is ahead of it: a partition's clock
        never goes back (embedded, the whole log's), so that one that was once ahead stays so. Raises LogUnavailableError.
        """

    async def check_writable(self) -> None:
        """Raises LogDiskFullError or LogUnavailableError where records would not be taken, as far as that shows without appending one."""

    async def near_retention(self, headroom_ms: int) -> set[int]:
        """The partitions where a record above the committed offset will be deleted within `headroom_ms`, or was. Raises LogUnavailableError.

        Empty for a log that deletes nothing but by `prune`.
        """

    async def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """Store letters durably, at least once each. Bounded: the oldest are dropped beyond the configured number."""

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """The newest letters, newest first."""

    async def close(self) -> None:
        """Finish what was accepted and release everything. A second call does nothing."""
