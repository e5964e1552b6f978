"""The collector: brings the tournaments that changed into the metric series, and notes that they are there.

A plain class; effects only through ports. What it writes of a tournament follows from its snapshot and its attempts alone, and a point has
one place: so whatever is cut off is done again, and nothing is there twice. A tournament waits in the records until its points are stored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from actors.analytics.points import points_of, void
from actors.domain.analytics.attempts import BLOCK_ATTEMPTS, AttemptsError, Columns, decode_blocks, encode_block
from actors.domain.analytics.series import MEASUREMENTS
from actors.domain.codec import newest_state
from actors.domain.errors import SnapshotError
from storage.ports import (
    AttemptBlocks,
    MetricsSeries,
    Point,
    Records,
    RecordsUnavailableError,
    SeriesUnavailableError,
    WaitingTournament,
)

logger = logging.getLogger(__name__)

PAGE: Final = 50  # tournaments that are asked for at once
POINTS_A_FLUSH: Final = 10_000
MERGE_BLOCKS: Final = 16  # of a tournament that goes on, from which they are put together
REMEMBERED: Final = (
    10_000  # tournaments of which is known up to when they are in the series; of others all is written again
)
FOREVER_MS: Final = 1 << 52


class Collector:
    """See the module."""

    def __init__(self, records: Records, blocks: AttemptBlocks, series: MetricsSeries) -> None:
        self._records = records
        self._blocks = blocks
        self._series = series
        self._upto_ms: dict[int, int] = {}
        self.collected = 0  # tournaments, each time that they changed
        self.failures = 0
        self.waiting = 0  # as of the last round
        self.longest_s = 0.0  # that one tournament took in the last round

    async def round(self) -> int:
        """Collect all that waits; returns how many tournaments that were. One that cannot be read is left for the next round.

        Raises RecordsUnavailableError where no records answer, SeriesUnavailableError.
        """
        done = after = 0
        self.longest_s = 0.0
        self.waiting = (await self._blocks.counts())[0]
        while page := await self._blocks.waiting(after, PAGE):
            for waiting in page:
                began_s = time.monotonic()
                try:
                    await self.collect(waiting)
                except (SnapshotError, AttemptsError, RecordsUnavailableError) as error:
                    logger.warning("tournament %d is not in the analytics yet: %s", waiting.tournament_id, error)
                    self.failures += 1
                    continue
                finally:
                    self.longest_s = max(self.longest_s, time.monotonic() - began_s)
                done += 1
                self.waiting = max(0, self.waiting - 1)
            after = page[-1].tournament_id
        self.collected += done
        return done

    async def collect(self, waiting: WaitingTournament) -> None:
        """Bring one tournament into the series. Raises SnapshotError, AttemptsError, RecordsUnavailableError, SeriesUnavailableError."""
        number, upto = waiting.tournament_id, waiting.offset
        state = await asyncio.to_thread(newest_state, await self._records.snapshots(number), upto)
        blocks = await self._blocks.blocks(number, upto)
        attempts = await asyncio.to_thread(decode_blocks, blocks)
        whole = waiting.anew or state.over
        after_ms = -1 if whole else self._upto_ms.get(number, -1)
        points = await asyncio.to_thread(points_of, state, attempts, after_ms)
        if whole:
            points += void(await self._stored(number, state.created_ms), points)
        await self._store(points)
        merges = len(blocks) > (1 if state.over else MERGE_BLOCKS)
        await self._blocks.keep(number, upto, await asyncio.to_thread(_merged, attempts) if merges else None)
        self._upto_ms.pop(number, None)
        if not state.over:
            self._upto_ms[number] = state.time_ms
            if len(self._upto_ms) > REMEMBERED:
                del self._upto_ms[next(iter(self._upto_ms))]

    async def _stored(self, number: int, from_ms: int) -> list[Point]:
        tags = {"tournament": str(number)}
        # minutes and steps begin before what is in them
        from_ms -= 32 * 86_400_000
        return [point for name in MEASUREMENTS for point in await self._series.read(name, from_ms, FOREVER_MS, tags)]

    async def _store(self, points: Sequence[Point]) -> None:
        """Until they are in the store, or it refused them for good. Raises SeriesUnavailableError: some wait."""
        for start in range(-POINTS_A_FLUSH, len(points), POINTS_A_FLUSH):  # first what an earlier try left
            if start >= 0:
                self._series.write(points[start : start + POINTS_A_FLUSH])
            await self._series.flush()
            if self._series.waiting:
                raise SeriesUnavailableError(f"{self._series.waiting} points wait for the series")


def _merged(attempts: Columns) -> list[bytes]:
    return [
        encode_block(Columns(*(column[start : start + BLOCK_ATTEMPTS] for column in attempts)))
        for start in range(0, max(1, attempts.size), BLOCK_ATTEMPTS)
    ]
