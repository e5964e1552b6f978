"""A feed: which ranges an owner gets, from where, and what it makes of the answers. Its owner, log and placement stand in for the real ones."""

from __future__ import annotations

import pytest

from actors.domain.delivery import (
    ASK,
    GONE,
    DeliveryAnswer,
    Range,
    Rejected,
    ScopePosition,
    ScoreItem,
    decode_ranges,
    encode_answer,
)
from actors.ingest.feed import PROBE_ALL_EVERY, Feed
from actors.ingest.parse import Parsed
from actors.ingest.partition_windows import PartitionWindows
from storage.ports import LogTruncatedError, LogUnavailableError


def record(offset: int, tournament: int = 1, partition: int = 0) -> Parsed:
    return Parsed(partition, ScoreItem(offset, 1000 + offset, tournament, 1, f"e{offset}", 0))


class Bench:
    """A feed of shard-0 with two partitions. `answers` are what its owner says next; without one it takes what it gets."""

    def __init__(self, batch: int = 100) -> None:
        self.windows = PartitionWindows([0, 1])
        self.sent: list[list[Range]] = []
        self.answers: list[DeliveryAnswer | Exception] = []
        self.log: list[Parsed] | Exception = []
        self.told: list[tuple[str, str, int, int]] = []
        self.letters: list[tuple[int, int, str, str]] = []
        self.dedicated: set[int] = set()
        self.feed = Feed(
            "shard-0",
            windows=self.windows,
            read_log=self._read_log,
            send=self._send,
            placement=self,  # type: ignore[arg-type]
            letters=self,  # type: ignore[arg-type]
            batch=batch,
            urgent_batch=2,
            buffer=1000,
        )

    async def _send(self, owner: str, data: bytes) -> bytes:
        assert owner == "shard-0"
        ranges = decode_ranges(data)
        self.sent.append(ranges)
        answer = self.answers.pop(0) if self.answers else _taken(ranges)
        if isinstance(answer, Exception):
            raise answer
        return encode_answer(answer)

    async def _read_log(self, partition: int, after: int, limit: int) -> tuple[int, list[Parsed]]:
        if isinstance(self.log, Exception):
            raise self.log
        records = [r for r in self.log if r.partition == partition and r.item.offset > after][:limit]
        return (records[-1].item.offset if records else after), records

    def belongs(self, item: ScoreItem, tournament: int) -> bool:
        return item.tournament_id == tournament if tournament else item.tournament_id not in self.dedicated

    def moved(self, owner: str, partition: int, tournament: int) -> None:
        self.told.append(("moved", owner, partition, tournament))

    def closed(self, owner: str, partition: int, tournament: int) -> None:
        self.told.append(("closed", owner, partition, tournament))

    async def reject(self, partition: int, offset: int, reason: str, detail: str) -> None:
        self.letters.append((partition, offset, reason, detail))

    async def stands(self, **watermarks: int) -> None:
        """Fed with the shared scopes of these partitions (p0, p1), whose owner has told where it stands."""
        for name, watermark in watermarks.items():
            self.feed.add(int(name[1:]), 0)
            self.answers.append(_at(int(name[1:]), watermark))
            await self.feed.step()
        self.sent.clear()

    def ranges(self) -> list[tuple[int, int, int, int, list[int]]]:
        """What the newest delivery held: (partition, tournament, after, upto, offsets)."""
        return [(r.partition, r.tournament, r.after, r.upto, [i.offset for i in r.items]) for r in self.sent[-1]]


def _at(partition: int, watermark: int, tournament: int = 0, durable: int = -1, **said: bool) -> DeliveryAnswer:
    return DeliveryAnswer([ScopePosition(partition, tournament, watermark, durable, **said)], [])


def _taken(ranges: list[Range]) -> DeliveryAnswer:
    return DeliveryAnswer([ScopePosition(r.partition, r.tournament, r.upto, -1) for r in ranges], [])


async def test_a_new_scope_is_asked_for_where_it_stands_and_then_fed_from_there() -> None:
    bench = Bench()
    bench.windows[0].extend(9, [record(2), record(5), record(9)])
    bench.feed.add(0, 0)
    bench.answers = [_at(0, 2)]
    assert not bench.feed.healthy
    assert await bench.feed.step()
    assert bench.ranges() == [(0, 0, ASK, ASK, [])]
    assert bench.feed.healthy
    assert await bench.feed.step()
    assert bench.ranges() == [(0, 0, 2, 9, [5, 9])]
    assert not await bench.feed.step(), "it has all there is"
    assert len(bench.sent) == 2


async def test_an_empty_range_is_delivered_too() -> None:
    bench = Bench()
    await bench.stands(p0=-1)
    bench.windows[0].extend(9, [])
    await bench.feed.step()
    assert bench.ranges() == [(0, 0, -1, 9, [])]


async def test_a_range_holds_what_belongs_to_its_scope() -> None:
    bench = Bench()
    bench.dedicated = {77}
    await bench.stands(p0=-1)
    bench.feed.add(0, 77)
    bench.answers = [_at(0, -1, tournament=77)]
    bench.windows[0].extend(3, [])
    await bench.feed.ask()
    bench.feed.positions[0, 0].watermark = bench.feed.positions[0, 77].watermark = 3
    bench.windows[0].extend(7, [record(4), record(5, 77), record(6)])
    await bench.feed.step()
    assert sorted(bench.ranges()) == [(0, 0, 3, 7, [4, 6]), (0, 77, 3, 7, [5])]


async def test_a_delivery_holds_no_more_than_the_batch_and_who_got_records_is_last_in_the_next() -> None:
    bench = Bench(batch=2)
    await bench.stands(p0=-1, p1=-1)
    bench.windows[0].extend(9, [record(n) for n in range(10)])
    bench.windows[1].extend(0, [record(0, partition=1)])
    await bench.feed.step()
    assert bench.ranges() == [(0, 0, -1, 1, [0, 1])]
    await bench.feed.step()
    assert bench.ranges() == [(1, 0, -1, 0, [0]), (0, 0, 1, 2, [2])]


async def test_behind_its_window_a_scope_is_fed_from_the_log_but_never_ahead_of_the_window() -> None:
    """What the window has not seen may hold the create of a dedicated tournament."""
    bench = Bench()
    await bench.stands(p0=1)
    bench.log = [record(n) for n in range(20)]
    bench.windows[0].start(5)
    await bench.feed.step()
    assert bench.ranges() == [(0, 0, 1, 5, [2, 3, 4, 5])]


async def test_a_log_that_does_not_answer_holds_up_one_partition_alone() -> None:
    bench = Bench()
    await bench.stands(p0=1, p1=-1)
    bench.windows[0].start(5)
    bench.windows[1].extend(0, [record(0, partition=1)])
    bench.log = LogUnavailableError("away")
    await bench.feed.step()
    assert bench.ranges() == [(1, 0, -1, 0, [0])]
    assert bench.feed.positions[0, 0].watermark == 1


async def test_where_records_are_gone_the_owner_loads_anew_and_is_fed_once_it_stands_elsewhere() -> None:
    bench = Bench()
    await bench.stands(p0=1)
    bench.windows[0].start(5)
    bench.log = LogTruncatedError("gone")
    bench.answers = [_at(0, 1)]
    await bench.feed.step()
    assert bench.ranges() == [(0, 0, GONE, 1, [])]
    assert not await bench.feed.step(), "stopped where it stands"
    bench.feed.probe()
    bench.answers = [_at(0, 5)]
    await bench.feed.step()
    assert bench.feed.stopped == {}
    bench.windows[0].extend(6, [record(6)])
    await bench.feed.step()
    assert bench.ranges() == [(0, 0, 5, 6, [6])]


async def test_after_a_failed_delivery_nothing_is_taken_for_delivered_and_the_owner_is_asked() -> None:
    bench = Bench()
    await bench.stands(p0=-1)
    bench.windows[0].extend(0, [record(0)])
    bench.answers = [ConnectionError("away")]
    with pytest.raises(ConnectionError):
        await bench.feed.step()
    assert not bench.feed.healthy
    bench.answers = [_at(0, -1)]
    await bench.feed.ask()
    assert bench.ranges() == [(0, 0, ASK, ASK, [])]
    await bench.feed.step()
    assert bench.ranges() == [(0, 0, -1, 0, [0])]


async def test_what_comes_back_untaken_is_refused() -> None:
    bench = Bench()
    await bench.stands(p0=-1)
    bench.windows[0].extend(0, [record(0)])
    bench.answers = [_at(0, -1)]
    await bench.feed.step()
    assert bench.feed.refused
    await bench.feed.step()
    assert not bench.feed.refused


async def test_it_tells_what_moved_what_closed_and_what_was_rejected() -> None:
    bench = Bench()
    bench.feed.add(0, 0)
    bench.feed.add(0, 77)
    bench.answers = [
        DeliveryAnswer(
            [ScopePosition(0, 0, held=False), ScopePosition(0, 77, 3, 3, closed=True), ScopePosition(1, 0, 9, 9)],
            [Rejected(0, 2, "unknown_tournament", "no such tournament")],
        )
    ]
    await bench.feed.step()
    assert bench.told == [("moved", "shard-0", 0, 0), ("closed", "shard-0", 0, 77)], "not of what it does not feed"
    assert bench.letters == [(0, 2, "unknown_tournament", "no such tournament")]
    assert bench.feed.positions[0, 0].watermark is None
    assert bench.feed.positions[0, 77].durable == 3


async def test_a_probe_asks_for_scopes_that_are_not_durable_yet() -> None:
    bench = Bench()
    await bench.stands(p0=4)
    bench.windows[0].start(4)
    assert not await bench.feed.step()
    bench.feed.probe()
    bench.answers = [_at(0, 4, durable=4)]
    await bench.feed.step()
    assert bench.ranges() == [(0, 0, ASK, ASK, [])]
    bench.feed.probe()
    assert not await bench.feed.step(), "all of it is durable"
    for _ in range(PROBE_ALL_EVERY - 2):
        bench.feed.probe()
    assert await bench.feed.step(), "but the owner may have lost it"


async def test_what_waits_is_counted_and_a_removed_scope_is_fed_no_more() -> None:
    bench = Bench()
    await bench.stands(p0=1, p1=-1)
    bench.windows[0].start(1)
    bench.windows[0].extend(6, [record(3)])
    bench.windows[1].extend(9, [])
    assert bench.feed.waiting() == 15
    bench.feed.remove(1, 0)
    assert bench.feed.waiting() == 5
    await bench.feed.step()
    assert bench.ranges() == [(0, 0, 1, 6, [3])]
