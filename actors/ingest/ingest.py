"""Ingest: reads its partitions of the score log once, and feeds every owner the ranges of its scopes, each from its own watermark.

A record is read, checked and decoded once, into a bounded window a partition (`actors.ingest.partition_windows`). Each owner has a feed with
one delivery in flight. An owner that is down holds nothing up: the window moves on without it, and when it is back its feed reads the
log from the owner's watermark until it is inside the window again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from actors.domain.delivery import ControlItem
from actors.ingest.dead_letters import DeadLetters
from actors.ingest.feed import Feed
from actors.ingest.moves import Moves
from actors.ingest.parse import Misplaced, Parsed, Parser
from actors.ingest.partition_windows import PartitionWindows
from actors.ingest.placement import Director, Placement
from actors.ingest.progress import Progress
from storage.ports import LogError, LogRange, LogReader, LogTruncatedError, LogUnavailableError, ScoreLog

logger = logging.getLogger(__name__)

GATHER_STEP_MS: Final = 5


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """`moves_per_s`: scores in the wrong partition that are moved in a second; `batch` of them wait at most, overshot by one poll.

    `batch` records at most a delivery and a poll, `urgent_batch` of one tournament that goes ahead of the log's order; `buffer` records at
    most in the windows; times in ms.

    `read_interval_ms`: pause between two polls that bring little: a poll costs the log's server and us the same whatever it brings.
    `delivery_interval_ms`: least time from one delivery to an owner to the next, unless `prompt` records wait for it, or one whose
    outcome somebody waits for. A delivery costs about 2 ms of CPU whatever it carries, so under load they must not be small; the
    first after a rest goes at once.
    """

    batch: int = 2000
    urgent_batch: int = 100
    buffer: int = 20_000
    poll_wait_ms: int = 250
    read_interval_ms: int = 5
    delivery_timeout_ms: int = 5000
    director_timeout_ms: int = 30_000
    director_retry_ms: int = 1000
    delivery_interval_ms: int = 20
    prompt: int = 500
    retry_ms: int = 100
    retry_max_ms: int = 250
    commit_interval_ms: int = 1000
    keep_ms: int = 3_600_000
    moves_per_s: int = 5000


class Ingest:
    """See the module. `deliver(owner, data)` hands encoded ranges to an owner; `sleep(seconds)` is the clock's wait."""

    def __init__(
        self,
        *,
        log: ScoreLog,
        parser: Parser,
        partitions: Mapping[int, str],
        deliver: Callable[[str, bytes], Awaitable[bytes]],
        director: Director,
        config: IngestConfig,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._log = log
        self._parser = parser
        self.config = config
        self._deliver = deliver
        self.sleep = sleep
        self.windows = PartitionWindows(partitions)
        self.feeds: dict[str, Feed] = {}
        self.grown = asyncio.Event()  # a feed was added
        self.placement = Placement(
            director, self, timeout_ms=config.director_timeout_ms, retry_ms=config.director_retry_ms, sleep=sleep
        )
        self.letters = DeadLetters(log, config.buffer)
        self.moves = Moves(log, self.letters, limit=config.batch, per_s=config.moves_per_s, sleep=sleep)
        self.progress = Progress(self.windows, self.feeds, self.placement, self.moves)
        self._reader: LogReader | None = None
        self.unread = set(partitions)  # partitions of which it is not known yet who holds their dedicated tournaments
        self._known: dict[int, int] = {}  # partitions to read from now on, after these offsets
        self.stopped: set[int] = set()  # partitions that lost records which nobody has applied
        for partition, owner in partitions.items():
            self.feed_scope(owner, partition, 0)

    # -- reading --------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Begin to read the partitions of which the director knows the dedicated tournaments' owners; `run` asks for the others again."""
        await self._ask()
        await self._read_known()

    async def _ask(self) -> None:
        """Make known what is not read yet, each partition by itself: the records of one may be away.

        From the committed offset on every create is seen, and what was created before is stored. So the offsets are read first, and then the
        stored dedicated tournaments, which are fed from now on.
        """
        try:
            committed = await self._log.committed()
        except LogError as error:
            logger.warning("the log does not tell what is committed yet: %s", error)
            return
        asked = sorted(self.unread)
        answers = await asyncio.gather(*map(self.placement.load, asked), return_exceptions=True)
        for partition, answer in zip(asked, answers, strict=True):
            if answer is None:
                if partition in self.unread:
                    self.unread.discard(partition)
                    self._known[partition] = committed.get(partition, -1)
                # else it became known, and may be read by now, while this was asked
            elif not isinstance(answer, Exception):
                raise answer
        if self.unread:
            logger.warning("the director does not tell the dedicated tournaments' owners yet: %r", answers)

    async def _read_known(self) -> None:
        """Place the windows of what has become known, and read on with them."""
        for partition, committed in self._known.items():
            self.windows[partition].start(committed)
        self._known.clear()
        await self._read_anew()

    async def _read_anew(self) -> None:
        if self._reader is not None:
            await self._reader.close()
        left_out = self.stopped | self.unread | self._known.keys()
        positions = {p: window.upto for p, window in self.windows.items() if p not in left_out}
        self._reader = self._log.reader(positions) if positions else None

    @property
    def full(self) -> bool:
        """Whether feeds or moves must make room before more is read."""
        return self.windows.buffered() >= self.config.buffer or self.moves.full

    async def read_once(self, wait_ms: int) -> int:
        """Read and decode what is new, within the buffer's bound; how many offsets came."""
        self.progress.trim()
        if self.full:
            return 0
        if self._reader is None:
            await self.sleep(wait_ms / 1000)
            return 0
        ranges = await self._reader.poll(self.config.batch, wait_ms)
        for log_range in ranges:  # all of them, whatever comes then: the reader has gone on behind them
            self._take(log_range)
        await self.letters.flush()
        return sum(log_range.upto - log_range.after for log_range in ranges)

    def _take(self, log_range: LogRange) -> None:
        window = self.windows[log_range.partition]
        parsed, urgent = self.parse(log_range), False
        for partition, item in parsed:
            if isinstance(item, ControlItem):
                self.placement.meet(partition, item)
            if item.reply_to:
                urgent = True
        window.extend(log_range.upto, parsed)
        for feed in self.feeds.values():
            feed.wake.set()
            feed.urgent = feed.urgent or urgent

    def parse(self, log_range: LogRange) -> list[Parsed]:
        """Decode a range; what cannot be becomes a dead letter, at once, and what lies in the wrong partition is moved."""
        parsed: list[Parsed] = []
        for record in log_range.records:
            result = self._parser.parse(record)
            if isinstance(result, Parsed):
                parsed.append(result)
            elif isinstance(result, Misplaced):
                self.moves.add(result)
            else:
                self.letters.add(result)
        return parsed

    async def read_log(self, partition: int, after: int, limit: int) -> tuple[int, list[Parsed]]:
        """Records behind the window, for a feed that catches up: (upto, records)."""
        log_range = await self._log.read(partition, after, limit)
        parsed: list[Parsed] = []
        for record in log_range.records:
            result = self._parser.parse(record)
            if isinstance(result, Parsed):  # else it was put aside, or moved, when it was first read
                parsed.append(result)
        return log_range.upto, parsed

    # -- scopes ---------------------------------------------------------------------------------------------------

    async def send(self, owner: str, data: bytes) -> bytes:
        """Deliver to an owner, within the deadline."""
        # not asyncio.wait_for: before Python 3.12 it may swallow a cancellation, and then the whole process never ends
        async with asyncio.timeout(self.config.delivery_timeout_ms / 1000):
            return await self._deliver(owner, data)

    def feed_scope(self, owner: str, partition: int, tournament: int, after: int = -1) -> None:
        """See `actors.ingest.placement.Feeding`."""
        if owner not in self.feeds:
            self.feeds[owner] = Feed(
                owner,
                windows=self.windows,
                read_log=self.read_log,
                send=self.send,
                placement=self.placement,
                letters=self.letters,
                batch=self.config.batch,
                urgent_batch=self.config.urgent_batch,
                buffer=self.config.buffer,
            )
            self.grown.set()
        self.feeds[owner].add(partition, tournament, after)

    def leave_scope(self, owner: str, partition: int, tournament: int) -> None:
        """See `actors.ingest.placement.Feeding`."""
        if owner in self.feeds:
            self.feeds[owner].remove(partition, tournament)

    async def commit(self) -> dict[int, int]:
        """Commit in the log what is durable in every scope; returns it."""
        offsets = self.progress.durable()
        if offsets:
            await self._log.commit(offsets)
        return offsets

    # -- running --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read, feed and commit until cancelled. Any failure of its own tasks ends it: its process then starts anew."""
        await self.open()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_loop())
            tasks.create_task(self._ask_loop())
            tasks.create_task(self._commit_loop())
            tasks.create_task(self.placement.run())
            tasks.create_task(self.moves.run())
            fed: dict[str, Feed] = {}  # an owner may get another feed after its first one ended
            while True:
                fed = {owner: feed for owner, feed in fed.items() if owner in self.feeds}
                for owner, feed in self.feeds.items():
                    if fed.get(owner) is not feed:
                        fed[owner] = feed
                        tasks.create_task(self._feed_loop(feed))
                self.grown.clear()
                await self.grown.wait()

    async def _ask_loop(self) -> None:
        while True:
            await self.sleep(self.config.director_retry_ms / 1000)
            if self.unread:
                await self._ask()

    async def _read_loop(self) -> None:
        truncated: LogTruncatedError | None = None
        while True:
            try:
                if truncated is not None:
                    await self._resume(truncated)
                    truncated = None
                if self._known:
                    await self._read_known()
                came = await self.read_once(self.config.poll_wait_ms)
                if self.full or 0 < came < self.config.prompt:
                    await self.sleep(self.config.read_interval_ms / 1000)
            except LogTruncatedError as error:
                truncated = error
            except LogUnavailableError as error:
                logger.warning("the log does not answer, it will be read again: %s", error)
                await self.sleep(error.retry_after_s)
            except LogError as error:
                logger.critical("the log cannot be read, nothing is applied until it can: %s", error)
                await self.sleep(self.config.retry_max_ms / 1000)

    async def _resume(self, error: LogTruncatedError) -> None:
        """Read on where that loses nothing, and stop the partitions whose records are gone, alone and loudly.

        Records that are gone may all be durable: another process that read these partitions committed further than this one has read.
        """
        logger.warning("records were gone before they were read: %s", error)
        bounds = await self._log.bounds()  # first: what is committed only grows, and the log is pruned up to it alone
        committed = await self._log.committed()
        for partition, window in self.windows.items():
            start = bounds[partition].start
            if partition in self.stopped | self.unread | self._known.keys() or window.upto >= start - 1:
                continue
            if committed[partition] >= start - 1:
                self.unread.add(partition)  # what was created where it did not read is asked for again
            else:
                self.stopped.add(partition)
                logger.critical(
                    "partition %d is stopped: its log starts at %d, read up to %d, durable up to %d",
                    partition, start, window.upto, committed[partition],
                )  # fmt: skip
        await self._read_anew()
        await self._ask()

    async def _feed_loop(self, feed: Feed) -> None:
        delay_ms = self.config.retry_ms
        while True:
            try:
                if not feed.healthy:
                    await feed.ask()
                if not await feed.step():
                    if not feed.positions:
                        del self.feeds[feed.owner]
                        return
                    feed.wake.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self.config.commit_interval_ms / 1000):
                            await feed.wake.wait()
                    feed.probe()
                else:
                    await self._gather(feed)
                delay_ms = self.config.retry_ms
            except Exception as error:  # whatever an owner's trouble is, it must not stop the others
                logger.warning("%s does not take deliveries, retry in %d ms: %r", feed.owner, delay_ms, error)
                feed.healthy = False
                await self.sleep(delay_ms / 1000)
                delay_ms = min(2 * delay_ms, self.config.retry_max_ms)

    async def _gather(self, feed: Feed) -> None:
        """Let records come together after a delivery. What an owner cannot take yet is not sent again at once."""
        if feed.refused:
            await self.sleep(self.config.retry_ms / 1000)
            return
        waited_ms = 0
        while waited_ms < self.config.delivery_interval_ms and not feed.urgent and feed.waiting() < self.config.prompt:
            await self.sleep(GATHER_STEP_MS / 1000)
            waited_ms += GATHER_STEP_MS

    async def _commit_loop(self) -> None:
        while True:
            await self.sleep(self.config.commit_interval_ms / 1000)
            try:
                await self.letters.flush()
                await self.commit()
                await self._log.prune(self.config.keep_ms)
            except LogError as error:  # also a log that is another one: reading says so, too
                logger.warning("not committed, it will be tried again: %s", error)

    async def close(self) -> None:
        """Store what waits and release the reader."""
        await self.letters.flush()
        if self._reader is not None:
            await self._reader.close()
