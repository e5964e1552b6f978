"""Rule 10: submissions are refused before the log's retention can delete a record that nobody has made durable elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from serve_app.metrics import ACCEPTED, CLOSED_PARTITIONS
from storage.ports import LogBehindError, NewRecord, ScoreLog

HEADROOM_MS: Final = 3_600_000  # an hour before it would be too late
RETRY_AFTER_S: Final = 60.0

logger = logging.getLogger(__name__)


class Appends:
    """The entrypoints' way into the log. `closed` are the partitions that take nothing for now."""

    def __init__(self, log: ScoreLog) -> None:
        self._log = log
        self.closed: frozenset[int] = frozenset()

    def submit(self, records: Sequence[NewRecord], timeout_s: float) -> asyncio.Future[list[int]]:
        """As ScoreLog.append. Raises LogBehindError, with nothing appended, when one of the partitions is closed."""
        if self.closed and (behind := {record.partition for record in records} & self.closed):
            raise LogBehindError(
                f"partitions {sorted(behind)} are about to lose records that are not applied", RETRY_AFTER_S
            )
        return self._log.append(records, timeout_s)

    async def accept(self, records: Sequence[NewRecord], kind: str, entrypoint: str, timeout_s: float) -> list[int]:
        """Their offsets, once they are in the log in their order, counted as accepted. Raises as `submit`; with no records, nothing happens."""
        if not records:
            return []
        offsets = await self.submit(records, timeout_s)
        ACCEPTED.labels(entrypoint=entrypoint, kind=kind).inc(len(records))
        return offsets

    async def check(self) -> None:
        """Check once. What cannot be known now stays as it was."""
        try:
            near = frozenset(await self._log.near_retention(HEADROOM_MS))
        except Exception as error:  # whatever it is, the next check is near, and this must not end
            logger.warning("the log does not tell how near its retention is: %s", error)
            return
        if near - self.closed:
            logger.critical("partitions near their retention, closed for submissions: %s", sorted(near))
        elif near != self.closed:
            logger.warning("partitions closed for submissions: %s", sorted(near) or "none any more")
        self.closed = near
        CLOSED_PARTITIONS.set(len(near))
