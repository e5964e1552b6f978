"""A feed: brings one owner's scopes up to date, one delivery in flight, from the owner's own watermarks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from actors.domain.delivery import ASK, GONE, DeliveryAnswer, Range, decode_answer, encode_ranges
from actors.ingest.dead_letters import DeadLetters
from actors.ingest.parse import Parsed
from actors.ingest.partition_windows import PartitionWindows
from actors.ingest.placement import Placement
from storage.ports import LogTruncatedError, LogUnavailableError

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Position:
    """Where a scope stands as its owner last said; `watermark` None: not asked yet.

    `known`: the last watermark it told; `behind_since_ms`: append time of the first record after it, once that has left the window.
    """

    watermark: int | None = None
    durable: int = -1
    known: int = -1
    behind_since_ms: int | None = None

    @property
    def at(self) -> int:
        """The offset up to which it has certainly applied."""
        return max(self.known, self.durable) if self.watermark is None else self.watermark


class Feed:
    """Feeds `owner` from the windows, or from the log where a watermark lies behind them.

    `send(owner, data)` delivers encoded ranges; `read_log(partition, after, limit)` reads behind a window: (upto, records). At most `batch`
    records a delivery. What an owner does not hold, or has closed, `placement` is told; what it rejected becomes one of `letters`.
    `healthy`: the last delivery was answered. An unhealthy feed holds nothing in the windows.
    """

    def __init__(
        self,
        owner: str,
        *,
        windows: PartitionWindows,
        read_log: Callable[[int, int, int], Awaitable[tuple[int, list[Parsed]]]],
        send: Callable[[str, bytes], Awaitable[bytes]],
        placement: Placement,
        letters: DeadLetters,
        batch: int,
    ) -> None:
        self.owner = owner
        self._windows = windows
        self._read_log = read_log
        self._send = send
        self._placement = placement
        self._letters = letters
        self._batch = batch
        self.positions: dict[tuple[int, int], Position] = {}
        self.wake = asyncio.Event()
        self.healthy = False
        self.urgent = False  # the outcome of a record read since the last delivery is waited for
        self.refused = False  # of the last delivery, something came back untaken: its owner waits for the records
        self._probing: set[tuple[int, int]] = set()
        self.stopped: dict[tuple[int, int], int] = {}  # scopes whose records are gone from the log: watermarks

    def add(self, partition: int, tournament: int, durable: int = -1) -> None:
        """Feed this scope too; its watermark is asked for with the next delivery."""
        self.positions.setdefault((partition, tournament), Position(durable=durable))
        self.wake.set()

    def remove(self, partition: int, tournament: int) -> None:
        """Feed this scope no more."""
        self.positions.pop((partition, tournament), None)

    def waiting(self) -> int:
        """How many offsets are read and not delivered yet, about."""
        return sum(
            self._windows[partition].upto - position.watermark
            for (partition, _), position in self.positions.items()
            if position.watermark is not None
        )

    async def step(self) -> bool:
        """One delivery: False when there was nothing to deliver. Raises what the delivery raised."""
        self.urgent = False
        ranges = await self._collect()
        if not ranges:
            return False
        try:
            answer = decode_answer(await self._send(self.owner, encode_ranges(ranges)))
        except BaseException:
            self.healthy = False
            raise
        self.healthy = True
        reached = {(at.partition, at.tournament): at.watermark for at in answer.positions if at.held}
        self.refused = any(
            sent.after >= -1 and reached.get((sent.partition, sent.tournament)) == sent.after for sent in ranges
        )
        await self._note(answer)
        return True

    async def ask(self) -> None:
        """Ask the owner where it stands, in all scopes: after a silence, positions may be of an earlier incarnation."""
        for position in self.positions.values():
            position.watermark = None
        await self.step()

    def probe(self) -> None:
        """Ask, with the next delivery, what became durable meanwhile."""
        self._probing = {key for key, at in self.positions.items() if at.watermark is None or at.durable < at.watermark}
        self._probing |= self.stopped.keys() & self.positions.keys()

    async def _collect(self) -> list[Range]:
        """The next ranges of all scopes, within the batch; who got records is last in the next one, so that none waits behind a busy one."""
        ranges: list[Range] = []
        room = self._batch
        belongs = self._placement.belongs
        for (partition, tournament), position in list(self.positions.items()):
            after = position.watermark
            if after is None or (partition, tournament) in self._probing:
                self._probing.discard((partition, tournament))
                ranges.append(Range(partition, tournament, ASK, ASK, []))
                continue
            if self.stopped.get((partition, tournament)) == after:
                continue
            window = self._windows[partition]
            if after >= window.upto or room <= 0:
                continue
            if after >= window.after:
                upto, records = window.slice(after, room)
            else:
                try:
                    upto, records = await self._read_log(partition, after, room)
                except LogUnavailableError as error:  # the other partitions may do better
                    logger.warning("partition %d cannot be read behind its window: %s", partition, error)
                    continue
                except LogTruncatedError:
                    # what is known of the owner may be old, or another owner saved more than this one had loaded before the log was pruned:
                    # it loads anew, and is fed again once it stands elsewhere
                    logger.critical("the log starts after watermark %d of %s: stopped", after, (partition, tournament))
                    self.stopped[partition, tournament] = after
                    position.watermark = None
                    ranges.append(Range(partition, tournament, GONE, after, []))
                    continue
                # what the window has not seen yet may hold a create of a dedicated tournament: not ahead of it
                if upto > window.upto:
                    upto, records = window.upto, [r for r in records if r.item.offset <= window.upto]
            items = [record.item for record in records if belongs(record.item, tournament)]
            room -= len(records)
            if records and (partition, tournament) in self.positions:
                self.positions[partition, tournament] = self.positions.pop((partition, tournament))
            if upto > after:
                ranges.append(Range(partition, tournament, after, upto, items))
        return ranges

    async def _note(self, answer: DeliveryAnswer) -> None:
        for reached in answer.positions:
            key = (reached.partition, reached.tournament)
            position = self.positions.get(key)
            if position is None:
                continue
            if not reached.held:
                self._placement.moved(self.owner, *key)
                continue
            if self.stopped.get(key, reached.watermark) != reached.watermark:
                del self.stopped[key]
            position.watermark = position.known = reached.watermark
            position.durable = reached.durable
            if reached.closed:
                self._placement.closed(self.owner, *key)
        for rejected in answer.rejected:
            await self._letters.reject(rejected.partition, rejected.offset, rejected.reason, rejected.detail)
