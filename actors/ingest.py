"""Ingest: reads its partitions of the score log once, and feeds every owner the ranges of its scopes, each from its own watermark.

A record is read, checked and decoded once, into a bounded window a partition (`actors.window`). Each owner has a feed with one delivery in
flight. An owner that is down holds nothing up: the window moves on without it, and when it is back its feed reads the log from the
owner's watermark until it is inside the window again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from actors.domain.messages import Claim, Create
from actors.feed import Feed
from actors.parse import Parsed, Parser
from actors.window import Window
from storage.base import DeadLetter, LogError, LogRange, LogReader, LogTruncatedError, LogUnavailableError, ScoreLog

logger = logging.getLogger(__name__)

GATHER_STEP_MS: Final = 5


@dataclass(frozen=True, slots=True)
class IngestConfig:
    """`batch` records at most a delivery and a poll; `buffer` records at most in the windows; times in ms.

    `delivery_interval_ms`: least time from one delivery to an owner to the next, unless `prompt` records wait for it, or one whose
    outcome somebody waits for. A delivery costs about 2 ms of CPU whatever it carries, so under load they must not be small; the
    first after a rest goes at once.
    """

    batch: int = 2000
    buffer: int = 20_000
    poll_wait_ms: int = 250
    delivery_timeout_ms: int = 5000
    director_timeout_ms: int = 30_000
    delivery_interval_ms: int = 20
    prompt: int = 500
    retry_ms: int = 100
    retry_max_ms: int = 250
    commit_interval_ms: int = 1000
    keep_ms: int = 3_600_000


class Ingest:
    """See the module. `deliver(owner, data)` hands encoded ranges to an owner; `host(partition, tournament, after)` asks the
    director for the owner of a scope, `homes(partitions)` for those of the dedicated tournaments that are stored and not over;
    `sleep(seconds)` is the clock's wait.
    """

    def __init__(
        self,
        *,
        log: ScoreLog,
        parser: Parser,
        partitions: Mapping[int, str],
        homes: Callable[[list[int]], Awaitable[Mapping[int, tuple[int, str]]]],
        deliver: Callable[[str, bytes], Awaitable[bytes]],
        host: Callable[[int, int, int], Awaitable[str]],
        closed: Callable[[int, int], Awaitable[None]],
        config: IngestConfig,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._log = log
        self._parser = parser
        self.config = config
        self._deliver = deliver
        self._host = host
        self._homes = homes
        self._closed = closed
        self.sleep = sleep
        self.windows = {partition: Window(partition) for partition in partitions}
        self.feeds: dict[str, Feed] = {}
        self.grown = asyncio.Event()  # a feed was added
        self.dedicated: dict[int, tuple[int, int]] = {}  # tournament -> (partition, fed from after this offset)
        self._homeless: set[int] = set()  # dedicated tournaments whose owner is still being asked for
        self._closing: dict[int, int] = {}  # tournament -> partition: closed, and the director does not know yet
        self._moved: dict[tuple[int, int], str] = {}  # (partition, tournament) -> the owner that does not hold it
        self._to_tell = asyncio.Event()  # there is something to ask or to tell the director
        self._letters: list[DeadLetter] = []
        self._reader: LogReader | None = None  # once it is open
        self.dead_lettered = 0
        self.stopped: set[int] = set()  # partitions that lost records which nobody has applied
        for partition, owner in partitions.items():
            self._feed(owner).add(partition, 0)

    def _feed(self, owner: str) -> Feed:
        if owner not in self.feeds:
            self.feeds[owner] = Feed(owner, self)
            self.grown.set()
        return self.feeds[owner]

    # -- reading --------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Place the windows at the committed offsets. Waits for a director that does not answer."""
        committed = await self._committed()
        for partition, window in self.windows.items():
            window.start(committed.get(partition, -1))
        self._reader = self._log.reader({p: w.upto for p, w in self.windows.items()})

    async def _committed(self) -> dict[int, int]:
        """Where windows may be placed: from there on every create is seen, and what was created before is stored.

        So the offsets are read first, and then the stored dedicated tournaments, which are fed from now on.
        """
        while True:
            try:
                committed = await self._log.committed()
                homes = await self._homes(list(self.windows))
                break
            except LogUnavailableError as error:
                logger.warning("the log does not tell what is committed yet: %s", error)
            except Exception as error:  # whatever the director's trouble is, nothing can be fed right without it
                logger.warning("the director does not tell the dedicated tournaments' owners yet: %s", error)
            await self.sleep(self.config.retry_max_ms / 1000)
        for tournament, (partition, owner) in homes.items():
            if tournament not in self.dedicated:
                self.dedicated[tournament] = (partition, -1)
                self._feed(owner).add(partition, tournament)
        return committed

    async def read_once(self, wait_ms: int) -> bool:
        """Read and decode what is new, within the buffer's bound; True when something came."""
        self.trim()
        if self.buffered() >= self.config.buffer:
            return False
        assert self._reader is not None
        ranges = await self._reader.poll(self.config.batch, wait_ms)
        for log_range in ranges:
            await self._take(log_range)
        return bool(ranges)

    async def _take(self, log_range: LogRange) -> None:
        window = self.windows[log_range.partition]
        parsed = self.parse(log_range)
        for record in parsed:
            if isinstance(record.message, Create) and record.message.dedicated:
                self._meet_dedicated(record)
        window.extend(log_range.upto, parsed)
        await self.flush_letters()
        urgent = any(record.item.reply_to for record in parsed)
        for feed in self.feeds.values():
            feed.wake.set()
            feed.urgent = feed.urgent or urgent

    def _meet_dedicated(self, record: Parsed) -> None:
        tournament, partition = record.item.tournament_id, record.partition
        if tournament in self.dedicated:
            return
        self.dedicated[tournament] = (partition, record.item.offset - 1)
        self._homeless.add(tournament)
        self._to_tell.set()

    async def find_homes(self) -> None:
        """Ask the director for the owners of new dedicated tournaments; what fails is asked again later."""
        for tournament in list(self._homeless):
            partition, after = self.dedicated[tournament]
            owner = await self._owner_of(partition, tournament, after)
            if owner is None:
                continue
            self._homeless.discard(tournament)
            self._feed(owner).add(partition, tournament, after)

    async def _owner_of(self, partition: int, tournament: int, after: int) -> str | None:
        """Whom the director names as a scope's owner; None when it does not within its time."""
        try:
            async with asyncio.timeout(self.config.director_timeout_ms / 1000):
                return await self._host(partition, tournament, after)
        except Exception as error:  # whatever the director's trouble is, the records wait in the log
            logger.warning(
                "no owner yet for %s of partition %d: %r", tournament or "the shared scope", partition, error
            )
            return None

    def parse(self, log_range: LogRange) -> list[Parsed]:
        """Decode a range; what cannot be becomes a dead letter, at once."""
        parsed: list[Parsed] = []
        for record in log_range.records:
            result = self._parser.parse(record)
            if isinstance(result, DeadLetter):
                self._letter(result)
            else:
                parsed.append(result)
        return parsed

    def _letter(self, letter: DeadLetter) -> None:
        self.dead_lettered += 1
        logger.warning(
            "dead letter: partition %d offset %d: %s: %s",
            letter.record.partition, letter.record.offset, letter.reason, letter.detail,
        )  # fmt: skip
        self._letters.append(letter)
        del self._letters[: -self.config.buffer]  # bounded: a log that takes no letters takes nothing else either

    async def flush_letters(self) -> None:
        """Store the dead letters; they stay for the next call when the log does not take them."""
        if not self._letters:
            return
        letters, self._letters = self._letters, []
        try:
            await self._log.dead_letter(letters)
        except LogUnavailableError as error:
            logger.warning("dead letters not stored, they will be tried again: %s", error)
            self._letters = letters + self._letters

    async def reject(self, partition: int, offset: int, reason: str, detail: str) -> None:
        """A record that an owner rejected becomes a dead letter."""
        try:
            found = await self._log.read(partition, offset - 1, 1)
        except (LogUnavailableError, LogTruncatedError) as error:
            logger.warning("rejected record %d/%d (%s) could not be read again: %s", partition, offset, reason, error)
            return
        if found.records and found.records[0].offset == offset:
            self._letter(DeadLetter(found.records[0], reason, detail))
            await self.flush_letters()

    def belongs(self, record: Parsed, tournament: int) -> bool:
        """Whether a record belongs to a scope of its partition (`tournament` 0: the shared ones, whose owner reads every claim)."""
        target = record.item.tournament_id
        if tournament:
            return target == tournament
        return target not in self.dedicated or isinstance(record.message, Claim)

    async def read_log(self, partition: int, after: int, limit: int) -> tuple[int, list[Parsed]]:
        """Records behind the window, for a feed that catches up: (upto, records)."""
        log_range = await self._log.read(partition, after, limit)
        parsed: list[Parsed] = []
        for record in log_range.records:
            result = self._parser.parse(record)
            if not isinstance(result, DeadLetter):  # it became one when it was first read
                parsed.append(result)
        return log_range.upto, parsed

    # -- scopes ---------------------------------------------------------------------------------------------------

    async def send(self, owner: str, data: bytes) -> bytes:
        """Deliver to an owner, within the deadline."""
        # not asyncio.wait_for: before Python 3.12 it may swallow a cancellation, and then the whole process never ends
        async with asyncio.timeout(self.config.delivery_timeout_ms / 1000):
            return await self._deliver(owner, data)

    def scope_moved(self, owner: str, partition: int, tournament: int) -> None:
        """An owner does not hold a scope: ask the director who does, beside the feeding of its others, and feed that one."""
        self._moved[partition, tournament] = owner
        self._to_tell.set()

    async def find_moved(self) -> None:
        """Ask the director for the owners of scopes that moved; what fails is asked again later."""
        for (partition, tournament), owner in list(self._moved.items()):
            after = self.dedicated[tournament][1] if tournament in self.dedicated else -1
            new_owner = await self._owner_of(partition, tournament, after)
            if new_owner is None:
                continue
            del self._moved[partition, tournament]
            feed = self.feeds.get(owner)
            if new_owner != owner:
                if feed is not None:
                    feed.remove(partition, tournament)
                self._feed(new_owner).add(partition, tournament)
            elif feed is not None:
                feed.wake.set()

    def scope_closed(self, owner: str, partition: int, tournament: int) -> None:
        """A dedicated tournament is over and durable: its later records belong to the partition's shared scope."""
        self.feeds[owner].remove(partition, tournament)
        self.dedicated.pop(tournament, None)
        self._closing[tournament] = partition
        self._to_tell.set()

    async def tell_closed(self) -> None:
        """Tell the director which tournaments are closed; what fails is told again later, else their actors would stay for nothing."""
        for tournament, partition in list(self._closing.items()):
            try:
                async with asyncio.timeout(self.config.director_timeout_ms / 1000):
                    await self._closed(partition, tournament)
            except Exception as error:  # whatever the director's trouble is, it holds up nothing here
                logger.warning("the director was not told that tournament %d is closed: %r", tournament, error)
                continue
            self._closing.pop(tournament, None)

    # -- bounds and progress --------------------------------------------------------------------------------------

    def buffered(self) -> int:
        """Decoded records in the windows."""
        return sum(len(window) for window in self.windows.values())

    def trim(self) -> None:
        """Drop from the windows what every owner that is well has taken."""
        low = {partition: window.upto for partition, window in self.windows.items()}
        for feed in self.feeds.values():
            if feed.healthy:
                for (partition, _), position in feed.positions.items():
                    # one that catches up from the log is outside the window, and holds nothing up
                    if position.watermark is not None and position.watermark >= self.windows[partition].after:
                        low[partition] = min(low[partition], position.watermark)
        for feed in self.feeds.values():
            for (partition, _), position in feed.positions.items():
                if position.at >= low[partition]:
                    position.behind_since_ms = None
                elif position.behind_since_ms is None:
                    position.behind_since_ms = self.windows[partition].next_time_ms(position.at)
        for partition, window in self.windows.items():
            window.trim(low[partition])

    async def commit(self) -> dict[int, int]:
        """Commit in the log what is durable in every scope; returns it."""
        durable: dict[int, int] = {}
        for feed in self.feeds.values():
            for (partition, _), position in feed.positions.items():
                durable[partition] = min(durable.get(partition, position.durable), position.durable)
        for tournament in self._homeless:
            partition, after = self.dedicated[tournament]
            durable[partition] = min(durable.get(partition, after), after)
        # beyond the windows there may be creates of dedicated tournaments, whose scopes nobody knows yet
        read = {partition: window.upto for partition, window in self.windows.items()}
        offsets = {p: min(offset, read[p]) for p, offset in durable.items() if min(offset, read[p]) >= 0}
        if offsets:
            await self._log.commit(offsets)
        return offsets

    def lag_records(self, ends: Mapping[int, int] | None = None) -> dict[int, int]:
        """For each partition, how many offsets its slowest scope is behind `ends` (the log's last offsets) or, without them, what was read."""
        lag: dict[int, int] = {}
        for feed in self.feeds.values():
            for (partition, _), position in feed.positions.items():
                upto = max(self.windows[partition].upto, (ends or {}).get(partition, -1))
                lag[partition] = max(lag.get(partition, 0), upto - position.at)
        return lag

    def oldest_unapplied_ms(self) -> dict[int, int]:
        """For each partition with records that some scope has not taken, as far as they were read, the append time of the oldest."""
        oldest: dict[int, int] = {}
        for feed in self.feeds.values():
            for (partition, _), position in feed.positions.items():
                time_ms = position.behind_since_ms or self.windows[partition].next_time_ms(position.at)
                if time_ms is not None:
                    oldest[partition] = min(oldest.get(partition, time_ms), time_ms)
        return oldest

    # -- running --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Read, feed and commit until cancelled. Any failure of its own tasks ends it: its process then starts anew."""
        await self.open()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_loop())
            tasks.create_task(self._commit_loop())
            tasks.create_task(self._director_loop())
            fed: dict[str, Feed] = {}  # an owner may get another feed after its first one ended
            while True:
                for owner, feed in self.feeds.items():
                    if fed.get(owner) is not feed:
                        fed[owner] = feed
                        tasks.create_task(self._feed_loop(feed))
                self.grown.clear()
                await self.grown.wait()

    async def _read_loop(self) -> None:
        while True:
            try:
                if not await self.read_once(self.config.poll_wait_ms) and self.buffered() >= self.config.buffer:
                    await self.sleep(0.005)  # full: the feeds make room
            except LogTruncatedError as error:
                await self._resume(error)
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
        committed, bounds = await self._committed(), await self._log.bounds()
        for partition, window in self.windows.items():
            start = bounds[partition].start
            if partition in self.stopped or window.upto >= start - 1:
                continue
            if committed[partition] >= start - 1:
                window.start(committed[partition])
            else:
                self.stopped.add(partition)
                logger.critical(
                    "partition %d is stopped: its log starts at %d, read up to %d, durable up to %d",
                    partition, start, window.upto, committed[partition],
                )  # fmt: skip
        if self._reader is not None:
            await self._reader.close()
        self._reader = self._log.reader({p: w.upto for p, w in self.windows.items() if p not in self.stopped})

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
        """Let records come together after a delivery."""
        waited_ms = 0
        while waited_ms < self.config.delivery_interval_ms and not feed.urgent and feed.waiting() < self.config.prompt:
            await self.sleep(GATHER_STEP_MS / 1000)
            waited_ms += GATHER_STEP_MS

    async def _director_loop(self) -> None:
        """Beside everything else: to start an owner takes a second, and a director that is away as long as it takes."""
        while True:
            await self._to_tell.wait()
            self._to_tell.clear()
            await self.find_homes()
            await self.find_moved()
            await self.tell_closed()
            if self._homeless or self._moved or self._closing:
                await self.sleep(self.config.retry_max_ms / 1000)
                self._to_tell.set()

    async def _commit_loop(self) -> None:
        while True:
            await self.sleep(self.config.commit_interval_ms / 1000)
            try:
                await self.flush_letters()
                await self.commit()
                await self._log.prune(self.config.keep_ms)
            except LogError as error:  # also a log that is another one: reading says so, too
                logger.warning("not committed, it will be tried again: %s", error)

    async def close(self) -> None:
        """Store what waits and release the reader."""
        await self.flush_letters()
        if self._reader is not None:
            await self._reader.close()
