"""The collector: brings the tournaments that changed into the metric series, and notes that they are there.

A plain class; effects only through ports. What it writes of a tournament follows from its snapshot and its attempts alone, and a point has
one place: so whatever is cut off is done again, and nothing is there twice. A tournament waits in the records until its points are stored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from actors.analytics.points import points_of, void
from actors.domain.analytics.attempts import BLOCK_ATTEMPTS, AttemptsError, Columns, decode_blocks, encode_block
from actors.domain.analytics.series import MEASUREMENTS
from actors.domain.codec import newest_state
from actors.domain.errors import SnapshotError
from actors.domain.tournament import Tournament
from storage.ports import (
    AttemptBlocks,
    Kept,
    MetricsSeries,
    Point,
    Records,
    RecordsUnavailableError,
    SeriesTooLargeError,
    SeriesUnavailableError,
    StoredAttempts,
    Tags,
    WaitingTournament,
)

logger = logging.getLogger(__name__)

PAGE: Final = 200  # tournaments that are asked for at once
TOGETHER: Final = 2_000  # participants, about, of the tournaments that are read, made and stored together: one at least
POINTS_A_FLUSH: Final = 10_000
MERGE_BLOCKS: Final = 16  # of a tournament that goes on, from which they are put together
REMEMBERED: Final = (
    10_000  # tournaments of which is known up to when they are in the series; of others all is written again
)
FOREVER_MS: Final = 1 << 52
LONGEST_PAUSE_S: Final = 60.0


class _Made(NamedTuple):
    """What a tournament comes to, before it is in the series."""

    state: Tournament
    points: list[Point]
    whole: bool  # these are all its points: others that the series have of it are not true any more
    kept: Kept


class Collector:
    """See the module. `share`: of a core that it may use, so that what many tournaments need is spread out; but what is made anew is made at
    once."""

    def __init__(self, records: Records, blocks: AttemptBlocks, series: MetricsSeries, share: float = 1.0) -> None:
        self._records = records
        self._blocks = blocks
        self._series = series
        self._share = share
        self._upto_ms: dict[int, int] = {}
        self.collected = 0  # tournaments, each time that they changed
        self.failures = 0
        self.waiting = 0  # as of the last round
        self.longest_s = 0.0  # that a group of tournaments took in the last round; a large one is a group

    async def round(self) -> int:
        """Collect all that waits; returns how many tournaments that were. One that cannot be read is left for the next round.

        Raises RecordsUnavailableError where no records answer, SeriesUnavailableError.
        """
        done = after = 0
        self.longest_s = 0.0
        self.waiting = (await self._blocks.counts())[0]
        while page := await self._blocks.waiting(after, PAGE):
            for group in _groups(page):
                began_s, began_cpu_s = time.monotonic(), time.process_time()
                collected = await self._collect(group)
                self.longest_s = max(self.longest_s, time.monotonic() - began_s)
                self.failures += len(group) - collected
                self.collected += collected
                done += collected
                self.waiting = max(0, self.waiting - collected)
                if not any(each.anew for each in group):
                    pause_s = (time.process_time() - began_cpu_s) * (1 / self._share - 1)
                    await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S))
            after = page[-1].tournament_id
        return done

    async def _collect(self, group: Sequence[WaitingTournament]) -> int:
        """Bring tournaments into the series; returns how many. Raises RecordsUnavailableError where no records answer,
        SeriesUnavailableError."""
        stored = await self._blocks.stored(group)
        made = []
        for waiting in group:
            try:
                made.append(await self._made(waiting, stored.pop(waiting.tournament_id, None)))
            except (SnapshotError, AttemptsError, RecordsUnavailableError) as error:
                logger.warning("tournament %d is not in the analytics yet: %s", waiting.tournament_id, error)
        points = [point for each in made for point in each.points]
        whole = [each.state for each in made if each.whole]
        if whole:
            points += void(await self._stored(whole), points)
        await self._store(points)
        kept = await self._blocks.keep([each.kept for each in made]) if made else set()
        for number, state in ((each.kept.tournament_id, each.state) for each in made):
            self._upto_ms.pop(number, None)
            if number in kept and not state.over:
                self._upto_ms[number] = state.time_ms
                if len(self._upto_ms) > REMEMBERED:
                    del self._upto_ms[next(iter(self._upto_ms))]
        return len(kept)

    async def _made(self, waiting: WaitingTournament, stored: StoredAttempts | None) -> _Made:
        """Raises SnapshotError, AttemptsError, RecordsUnavailableError, SeriesUnavailableError."""
        number = waiting.tournament_id
        if stored is None:
            raise RecordsUnavailableError("the records that hold it do not answer")
        if not stored.snapshots:  # in the archive
            stored = stored._replace(snapshots=await self._records.snapshots(number))
        return await asyncio.to_thread(_made, waiting, stored, self._upto_ms.get(number, -1))

    async def _stored(self, states: Sequence[Tournament]) -> list[Point]:
        """What the series have of these. Raises SeriesUnavailableError."""
        tags = {"tournament": [str(state.tournament_id) for state in states]}
        # minutes and steps begin before what is in them
        from_ms = min(state.created_ms for state in states) - 32 * 86_400_000
        return [point for name in MEASUREMENTS for point in await self._read(name, from_ms, FOREVER_MS, tags)]

    async def _read(self, measurement: str, from_ms: int, until_ms: int, tags: Tags) -> list[Point]:
        """In as many parts as it takes. Raises SeriesUnavailableError."""
        try:
            return await self._series.read(measurement, from_ms, until_ms, tags)
        except SeriesTooLargeError:
            middle_ms = (from_ms + until_ms) // 2
            if middle_ms == from_ms:
                raise
            earlier = await self._read(measurement, from_ms, middle_ms, tags)
            return earlier + await self._read(measurement, middle_ms, until_ms, tags)

    async def _store(self, points: Sequence[Point]) -> None:
        """Until they are in the store, or it refused them for good. Raises SeriesUnavailableError: some wait."""
        for start in range(-POINTS_A_FLUSH, len(points), POINTS_A_FLUSH):  # first what an earlier try left
            if start >= 0:
                self._series.write(points[start : start + POINTS_A_FLUSH])
            await self._series.flush()
            if self._series.waiting:
                raise SeriesUnavailableError(f"{self._series.waiting} points wait for the series")


def _groups(page: Sequence[WaitingTournament]) -> Iterator[list[WaitingTournament]]:
    """Tournaments by the page's order, of TOGETHER participants together, or one."""
    group: list[WaitingTournament] = []
    weight = 0
    for waiting in page:
        if group and weight + waiting.participants > TOGETHER:
            yield group
            group, weight = [], 0
        group.append(waiting)
        weight += waiting.participants
    yield group


def _made(waiting: WaitingTournament, stored: StoredAttempts, after_ms: int) -> _Made:
    """What became of a tournament after a time. Raises SnapshotError, AttemptsError."""
    number, upto, anew, _ = waiting
    state = newest_state(stored.snapshots, upto)
    attempts = decode_blocks(stored.blocks)
    whole = anew or state.over
    points = points_of(state, attempts, -1 if whole else after_ms)
    merges = len(stored.blocks) > (1 if state.over else MERGE_BLOCKS)
    return _Made(state, points, whole, Kept(number, upto, _merged(attempts) if merges else None))


def _merged(attempts: Columns) -> list[bytes]:
    return [
        encode_block(Columns(*(column[start : start + BLOCK_ATTEMPTS] for column in attempts)))
        for start in range(0, max(1, attempts.size), BLOCK_ATTEMPTS)
    ]
