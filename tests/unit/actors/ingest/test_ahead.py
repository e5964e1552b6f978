"""Who goes ahead of the log's order while an owner is behind; and a real owner with a real backlog: nearest deadlines first, nobody starves."""

from __future__ import annotations

import asyncio

from actors.domain.codec import encode_snapshot
from actors.domain.delivery import (
    ASK,
    ControlItem,
    DeliveryAnswer,
    Item,
    Range,
    ScoreItem,
    decode_answer,
    encode_ranges,
)
from actors.domain.messages import Claim
from actors.ingest.ahead import ASKED, SURVEY_S, Ahead
from actors.ingest.parse import Parsed
from tests.support.backlog import Backlog, numbers
from tests.support.histories import BEGIN_MS


def score(offset: int, tournament: int) -> Parsed:
    return Parsed(0, ScoreItem(offset, 1000 + offset, tournament, 1, f"e{offset}", 0))


def claim(offset: int) -> Parsed:
    return Parsed(0, ControlItem(offset, 1, 0, Claim(command_id="c", scope="partition-0", owner="o", instance="i")))


class Bench:
    """`waiting`: the records of partition 0 beyond `watermark`."""

    def __init__(self, batch: int = 2) -> None:
        self.now_s = 0.0
        self.ahead = Ahead(batch, lambda: self.now_s)
        self.waiting: list[Parsed] = []
        self.watermark = -1
        self.dedicated: set[int] = set()

    def survey(self) -> None:
        self.now_s += SURVEY_S
        self.ahead.survey([(0, self.watermark, self.waiting)], self.belongs)

    def belongs(self, item: Item, _tournament: int) -> bool:
        return item.tournament_id not in self.dedicated

    def told(self, **due_ms: int | None) -> None:
        self.ahead.note(DeliveryAnswer([], [], {}, {int(name[1:]): due for name, due in due_ms.items()}))

    def ranges(self, room: int = 100) -> list[tuple[int, int, list[int]]]:
        """(tournament, after, offsets) of what goes ahead."""
        found = self.ahead.ranges({0: self.watermark}, room)
        return [(r.ahead, r.after, [i.offset for i in r.items]) for r in found if r.ahead]

    def asked(self) -> list[int]:
        return [number for r in self.ahead.ranges({0: self.watermark}, 0) for number in r.due_of]


def test_the_nearest_deadline_goes_first_in_pieces_and_the_furthest_in_the_logs_order() -> None:
    bench = Bench(batch=2)
    bench.waiting = [score(0, 7), score(1, 8), score(2, 9), score(3, 9), score(4, 9), score(5, 8)]
    bench.survey()
    assert bench.ranges() == [], "nothing is known yet"
    bench.told(t7=900, t8=500, t9=100)
    assert bench.ranges() == [(9, -1, [2, 3]), (9, 3, [4]), (8, -1, [1, 5])]
    assert bench.ranges(room=4) == [(9, -1, [2, 3]), (9, 3, [4]), (8, -1, [1])]


def test_what_has_no_deadline_waits_in_the_logs_order() -> None:
    bench = Bench()
    bench.waiting = [score(0, 7), score(1, 8)]
    bench.survey()
    bench.told(t7=None, t8=None)
    assert bench.ranges() == []
    bench.told(t8=10**13)
    assert bench.ranges() == [(8, -1, [1])]


def test_each_is_sent_from_where_the_owner_says_it_stands() -> None:
    bench = Bench(batch=10)
    bench.waiting = [score(0, 7), score(1, 8), score(2, 8), score(3, 8)]
    bench.survey()
    bench.told(t7=900, t8=500)
    assert bench.ranges() == [(8, -1, [1, 2, 3])]
    bench.ahead.note(DeliveryAnswer([], [], {8: 2}, {}))
    assert bench.ranges() == [(8, 2, [3])]
    bench.ahead.note(DeliveryAnswer([], [], {8: -1}, {}))  # another incarnation, which has it not
    assert bench.ranges() == [(8, -1, [1, 2, 3])]
    bench.watermark = 2
    assert bench.ranges() == [(8, 2, [3])]
    bench.ahead.note(DeliveryAnswer([], [], {8: 3}, {}))
    bench.survey()
    bench.ahead.forget()
    bench.watermark = -1
    assert bench.ranges() == [], "nothing before it was looked through again"


def test_what_the_owner_has_told_that_it_has_is_left_out_of_the_scopes_range() -> None:
    bench = Bench()
    items = [record.item for record in (score(0, 7), score(1, 8), score(2, 8), score(3, 8))]
    assert bench.ahead.left_out(items) == (items, {})
    bench.ahead.note(DeliveryAnswer([], [], {8: 2}, {}))
    assert bench.ahead.left_out(items) == ([items[0], items[3]], {8: 2})
    bench.ahead.forget()
    assert bench.ahead.left_out(items) == (items, {})


def test_what_was_looked_through_beyond_an_offset_is_not_sent_from_below_it() -> None:
    """Else the records between would be missing in it."""
    bench = Bench()
    bench.watermark = 4
    bench.waiting = [score(5, 7), score(6, 8)]
    bench.survey()
    bench.told(t7=900, t8=500)
    bench.watermark = 2
    assert bench.ranges() == []


def test_nothing_goes_ahead_of_a_claim_and_nothing_that_has_a_scope_of_its_own() -> None:
    bench = Bench()
    bench.dedicated = {9}
    bench.waiting = [score(0, 7), score(1, 8), score(2, 9), claim(3), score(4, 8)]
    bench.survey()
    bench.told(t7=900, t8=500, t9=100)
    assert bench.ranges() == [(8, -1, [1])]


def test_the_owner_is_asked_about_all_that_waits_a_bounded_number_at_a_time_and_again_later() -> None:
    bench = Bench()
    bench.waiting = [score(n, n + 1) for n in range(ASKED + 10)]
    bench.survey()
    first = bench.asked()
    assert len(first) == ASKED
    assert len(bench.asked()) == 10
    assert bench.asked() == []
    bench.ahead.note(DeliveryAnswer([], [], {}, dict.fromkeys(first, 5)))
    bench.survey()
    assert bench.asked()[:10] == list(range(ASKED + 1, ASKED + 11)), "of which it does not know yet come first"
    bench.waiting = bench.waiting[:1]
    bench.survey()
    assert bench.asked() == [], "one alone has nobody to go ahead of"


# -- a real owner ----------------------------------------------------------------------------------------------------


async def test_under_a_backlog_the_nearest_deadlines_are_done_first_and_nobody_starves() -> None:
    backlog = Backlog()
    *others, near, ending = numbers()[:22]
    await backlog.owner.adopt([(0, 0, -1)])
    async with backlog.running():
        for number in others:
            await backlog.create(number, BEGIN_MS + 10**9)
        await backlog.create(near, BEGIN_MS + 60_000)
        await backlog.create(ending, BEGIN_MS + 1_000)
        await backlog.until(backlog.applied)

        backlog.slow = True
        backlog.free.clear()
        backlog.now_ms += 500
        for begin in range(0, 400, 100):  # 8,000 records of others before and between those of the two
            for number in others:
                await backlog.score(number, 100, begin)
            await backlog.score(near, 50, begin)
            await backlog.score(ending, 50, begin)
        backlog.now_ms += 1000
        await backlog.tick(ending)
        total = len(backlog.log._records[0])
        await backlog.until(lambda: backlog.ingest.windows[0].upto == total - 1)
        backlog.free.set()

        ended = await backlog.until(lambda: ending not in backlog.owner.tournaments.active)
        assert ended <= 4, "201 records of 8,401, the last of the log among them, half a delivery (200) at a time"
        assert backlog.attempts(near) < 200, "one after the other"
        seen = backlog.owner.scopes()[0].watermark
        await backlog.until(lambda: backlog.attempts(near) == 200)
        assert backlog.owner.scopes()[0].watermark < total // 4

        # the other half of each delivery went on in the log's order
        rest = await backlog.until(backlog.applied)
        assert backlog.owner.scopes()[0].watermark - seen >= 200 * rest
        assert ended + rest <= 2 * total / 400, "nobody waits more than twice as long"

    feed = backlog.ingest.feeds["shard-0"]
    assert feed.delivered["deadline"] >= 401
    assert feed.delivered["deadline"] + feed.delivered["log"] == total, "each counted once"
    outcomes = backlog.owner.outcomes
    assert outcomes["applied", ""] == 22 + 22 + 8_400, "creates, joins and scores, each once"
    for number in [*others, near]:
        assert encode_snapshot(backlog.owner.tournaments.active[number].state) == backlog.folded(number)
    entity = await backlog.owner.tournaments.find(ending, backlog.owner.scopes()[0])
    assert entity is not None
    assert encode_snapshot(entity.state) == backlog.folded(ending)


async def test_a_range_for_one_tournament_counts_only_where_the_owner_stands_in_it() -> None:
    backlog = Backlog()
    near = numbers()[0]
    await backlog.owner.adopt([(0, 0, -1)])
    async with backlog.running():
        await backlog.create(near, BEGIN_MS + 60_000)
        await backlog.until(backlog.applied)
    await backlog.score(near, 4)
    at = backlog.owner.scopes()[0].watermark
    read = await backlog.ingest.read_log(0, at, 10)
    items = [record.item for record in read[1]]

    async def deliver(*ranges: Range) -> DeliveryAnswer:
        return decode_answer(await backlog.owner.deliver(encode_ranges(list(ranges))))

    gap = await deliver(Range(0, 0, at + 2, at + 4, items[2:], ahead=near))
    assert (gap.ahead, backlog.attempts(near)) == ({near: at}, 0)
    first = await deliver(Range(0, 0, at, at + 2, items[:2], ahead=near))
    assert (first.ahead, first.positions[0].watermark, backlog.attempts(near)) == ({near: at + 2}, at, 2)
    again = await deliver(Range(0, 0, at, at + 2, items[:2], ahead=near))
    assert (again.ahead, backlog.attempts(near)) == ({near: at + 2}, 2)
    await deliver(Range(0, 0, at + 2, at + 3, items[2:3], ahead=near))
    lacking = await deliver(Range(0, 0, at, at + 4, [], without={near: at + 4}))
    assert (lacking.ahead, lacking.positions[0].watermark) == ({near: at + 3}, at), "it has less than is left out"
    whole = await deliver(Range(0, 0, at, at + 4, items), Range(0, 0, ASK, ASK, [], due_of=[near, 999]))
    assert (whole.positions[0].watermark, backlog.attempts(near)) == (at + 4, 4)
    assert whole.due_ms == {near: BEGIN_MS + 60_000, 999: None}
    assert backlog.owner.scopes()[0].ahead == {}, "nothing is ahead of the scope any more"


async def test_an_idle_owner_that_lost_a_scope_is_noticed() -> None:
    """Else its tournaments would neither start nor end, as long as nobody writes to them."""
    backlog = Backlog()
    moved: list[tuple[str, int, int]] = []
    backlog.ingest.placement.moved = lambda *where: moved.append(where)  # type: ignore[method-assign]
    await backlog.owner.adopt([(0, 0, -1)])
    async with backlog.running():
        await backlog.until(lambda: backlog.applied() and backlog.ingest.feeds["shard-0"].healthy)
        await backlog.owner.checkpointer.full_round(backlog.owner.scopes())
        backlog.owner = backlog.new_owner("second")
        await backlog.until(lambda: bool(moved))
    assert moved[0] == ("shard-0", 0, 0)


async def test_an_owner_that_comes_back_behind_the_windows_has_the_nearest_deadlines_first_too() -> None:
    backlog = Backlog()
    *others, ending = numbers()[:12]
    await backlog.owner.adopt([(0, 0, -1)])
    gone, deliver = asyncio.Event(), backlog.owner.deliver
    async with backlog.running():
        for number in others:
            await backlog.create(number, BEGIN_MS + 10**9)
        await backlog.create(ending, BEGIN_MS + 1_000)
        await backlog.until(backlog.applied)

        async def away(data: bytes) -> bytes:
            gone.set()
            raise ConnectionError("away")

        backlog.owner.deliver = away  # type: ignore[method-assign]
        for begin in range(0, 400, 100):
            for number in others:
                await backlog.score(number, 100, begin)
            await backlog.score(ending, 10, begin)
        await gone.wait()
        window = backlog.ingest.windows[0]
        await backlog.until(lambda: window.after == window.upto == len(backlog.log._records[0]) - 1)
        backlog.slow = True
        backlog.owner.deliver = deliver  # type: ignore[method-assign]
        took = await backlog.until(lambda: backlog.attempts(ending) == 40)
        assert backlog.owner.scopes()[0].watermark < 2500, took
        await backlog.until(backlog.applied)
    for number in [*others, ending]:
        assert encode_snapshot(backlog.owner.tournaments.active[number].state) == backlog.folded(number)
