"""A feed: brings one owner's scopes up to date, one delivery in flight, from the owner's own watermarks."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from actors.domain.delivery import ASK, GONE, DeliveryAnswer, Item, Range, decode_answer, encode_ranges
from actors.ingest.ahead import Ahead
from actors.ingest.dead_letters import DeadLetters
from actors.ingest.parse import Parsed
from actors.ingest.partition_windows import PartitionWindows, Window
from actors.ingest.placement import Placement
from storage.ports import LogTruncatedError, LogUnavailableError

logger = logging.getLogger(__name__)

TURNS: Final = ("deadline", "log")  # whose turn it was: that of the nearest deadline, or of the log's order
DEADLINE, LOG = TURNS
PROBE_ALL_EVERY: Final = 10  # probes; one is made when nothing was to be delivered for a while


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
    records a delivery; where more wait, half of it goes to the tournaments with the nearest deadlines, in ranges of at most `urgent_batch`
    (`actors.ingest.ahead`), the rest in the log's order, so that nobody waits more than twice as long. `buffer` records at most are held
    beside the windows, of scopes that are behind them. What an owner does not hold, or has closed, `placement` is told; what it rejected
    becomes one of `letters`. `healthy`: the last delivery was answered. An unhealthy feed holds nothing in the windows.
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
        urgent_batch: int,
        buffer: int,
    ) -> None:
        self.owner = owner
        self._windows = windows
        self._read_log = read_log
        self._send = send
        self._placement = placement
        self._letters = letters
        self._batch = batch
        self._buffer = buffer
        self._ahead = Ahead(urgent_batch, lambda: asyncio.get_running_loop().time())
        self._own: dict[tuple[int, int], Window] = {}  # what was read for scopes that are behind the partition's window
        self.delivered: Counter[str] = Counter()  # records that the owner took, by whose turn it was
        # by turn, when the oldest was appended that it took since a reader emptied this
        self.oldest_ms: dict[str, int] = {}
        self.positions: dict[tuple[int, int], Position] = {}
        self.wake = asyncio.Event()
        self.healthy = False
        self.urgent = False  # the outcome of a record read since the last delivery is waited for
        self.refused = False  # of the last delivery, something came back untaken: its owner waits for the records
        self._probing: set[tuple[int, int]] = set()
        self._probes = 0
        self.stopped: dict[tuple[int, int], int] = {}  # scopes whose records are gone from the log: watermarks

    def add(self, partition: int, tournament: int, durable: int = -1) -> None:
        """Feed this scope too; its watermark is asked for with the next delivery."""
        self.positions.setdefault((partition, tournament), Position(durable=durable))
        self.wake.set()

    def remove(self, partition: int, tournament: int) -> None:
        """Feed this scope no more."""
        self.positions.pop((partition, tournament), None)
        self._own.pop((partition, tournament), None)

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
            sent.after >= -1 and not sent.ahead and reached.get((sent.partition, sent.tournament)) == sent.after
            for sent in ranges
        )
        self._count(ranges, reached, answer)
        await self._note(answer)
        return True

    def _count(self, ranges: list[Range], reached: dict[tuple[int, int], int], answer: DeliveryAnswer) -> None:
        """Count what was taken, each record once: what a scope's own range has of what went ahead was skipped by the owner."""
        counted: dict[int, int] = {}
        for sent in ranges:  # those that go ahead come first
            turn = DEADLINE if sent.ahead else LOG
            at = answer.ahead.get(sent.ahead, -1) if sent.ahead else reached.get((sent.partition, sent.tournament), -1)
            if at < sent.upto:
                continue
            taken = sent.items
            if sent.ahead:
                counted[sent.ahead] = sent.upto
            elif counted:
                taken = [item for item in taken if item.offset > counted.get(item.tournament_id, -1)]
            if taken:
                self.delivered[turn] += len(taken)
                self.oldest_ms[turn] = min(self.oldest_ms.get(turn, taken[0].time_ms), taken[0].time_ms)

    async def ask(self) -> None:
        """Ask the owner where it stands, in all scopes: after a silence, positions may be of an earlier incarnation."""
        for position in self.positions.values():
            position.watermark = None
        self._ahead.forget()
        await self.step()

    def probe(self) -> None:
        """Ask, with the next delivery, what became durable meanwhile; and now and then in all scopes, of which the owner may have lost one."""
        self._probes += 1
        self._probing = {
            key
            for key, at in self.positions.items()
            if at.watermark is None or at.durable < at.watermark or self._probes % PROBE_ALL_EVERY == 0
        }
        self._probing |= self.stopped.keys() & self.positions.keys()

    async def _collect(self) -> list[Range]:
        """The next ranges of all scopes, within the batch; who got records is last in the next one, so that none waits behind a busy one."""
        ranges: list[Range] = []
        found: list[tuple[tuple[int, int], Position, int, Window]] = []  # where something waits
        for key, position in list(self.positions.items()):
            after = position.watermark
            if after is None or key in self._probing:
                self._probing.discard(key)
                ranges.append(Range(*key, ASK, ASK, []))
            elif after >= self._windows[key[0]].upto:
                self._own.pop(key, None)
            elif self.stopped.get(key) != after:
                window = await self._window(key, after)
                if window is None:
                    # what is known of the owner may be old, or another owner saved more than this one had loaded before the log was pruned:
                    # it loads anew, and is fed again once it stands elsewhere
                    logger.critical("the log starts after watermark %d of %s: stopped", after, key)
                    self.stopped[key] = after
                    position.watermark = None
                    ranges.append(Range(*key, GONE, after, []))
                elif window.upto > after:
                    found.append((key, position, after, window))
        room, belongs = self._batch, self._placement.belongs
        if self.waiting() > room:
            shared = [(key[0], after, window) for key, _, after, window in found if not key[1]]
            self._ahead.survey(((p, after, window.tail(after)) for p, after, window in shared), belongs)
            ranges += self._ahead.ranges({partition: after for partition, after, _ in shared}, room // 2)
            room -= sum(len(urgent.items) for urgent in ranges)
        for key, position, after, window in found:
            if room <= 0 or self.positions.get(key) is not position:
                continue
            upto, tournament = after, key[1]
            items: list[Item] = []
            without: dict[int, int] = {}
            while room > 0 and upto < window.upto:
                upto, records = window.slice(upto, room)
                more = [item for _, item in records if belongs(item, tournament)]
                if not key[1]:
                    more, left_out = self._ahead.left_out(more)
                    without |= left_out
                items += more
                room -= max(len(more), len(records) // 10)  # to look through records costs something, too
            if items:
                self.positions[key] = self.positions.pop(key)
            ranges.append(Range(*key, after, upto, items, without=without))
        return ranges

    async def _window(self, key: tuple[int, int], after: int) -> Window | None:
        """Records of a scope beyond where its owner stands: its partition's window, or one of its own as long as it is behind that. None where
        they are gone from the log. The log is read for it up to that window alone: what nobody has seen yet may hold a create of a
        dedicated tournament.
        """
        partition = key[0]
        window = self._windows[partition]
        if after >= window.after:
            self._own.pop(key, None)
            return window
        own = self._own.get(key)
        if own is None or not own.after <= after <= own.upto:
            own = self._own[key] = Window(partition)
            own.start(after)
        own.trim(after)
        most = max(2, self._buffer // len(self._own))
        while len(own) <= most // 2 and own.upto < window.upto:
            try:
                upto, records = await self._read_log(partition, own.upto, min(self._batch, most))
            except LogUnavailableError as error:  # the other partitions may do better
                logger.warning("partition %d cannot be read behind its window: %s", partition, error)
                break
            except LogTruncatedError:
                if own.upto == after:
                    return None
                break
            if upto > window.upto:
                upto, records = window.upto, [r for r in records if r.item.offset <= window.upto]
            if upto == own.upto:
                break
            own.extend(upto, records)
        return own

    async def _note(self, answer: DeliveryAnswer) -> None:
        self._ahead.note(answer)
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
