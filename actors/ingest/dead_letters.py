"""Dead letters on their way to the log: they wait, within a bound, while it takes none."""

from __future__ import annotations

import logging

from actors.ingest.redacted import without_key
from storage.ports import DeadLetter, LogError, ScoreLog

logger = logging.getLogger(__name__)


class DeadLetters:
    """At most `limit` wait, the oldest going first: a log that takes no letters takes nothing else either, so few come."""

    def __init__(self, log: ScoreLog, limit: int) -> None:
        self._log = log
        self._limit = limit
        self._waiting: list[DeadLetter] = []
        self.total = 0

    def add(self, letter: DeadLetter) -> None:
        """One more, for the next `flush`."""
        self.total += 1
        record = letter.record
        logger.warning(
            "dead letter: partition %d offset %d: %s: %s",
            record.partition, record.offset, letter.reason, letter.detail,
        )  # fmt: skip
        self._waiting.append(without_key(letter))
        del self._waiting[: -self._limit]

    async def flush(self) -> None:
        """Store what waits; it stays for the next call when the log does not take it."""
        if not self._waiting:
            return
        letters, self._waiting = self._waiting, []
        try:
            await self._log.dead_letter(letters)
        except LogError as error:
            logger.warning("dead letters not stored, they will be tried again: %s", error)
            self._waiting = (letters + self._waiting)[-self._limit :]  # more may have come meanwhile

    async def reject(self, partition: int, offset: int, reason: str, detail: str) -> None:
        """A record that an owner rejected becomes one."""
        try:
            found = await self._log.read(partition, offset - 1, 1)
        except LogError as error:
            logger.warning("rejected record %d/%d (%s) could not be read again: %s", partition, offset, reason, error)
            return
        if found.records and found.records[0].offset == offset:
            self.add(DeadLetter(found.records[0], reason, detail))
            await self.flush()
