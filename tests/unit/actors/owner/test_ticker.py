"""The ticker: when a tick is appended, how often again, and when no more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from actors.domain.messages import Spec, Tick, encode_message
from actors.owner.change import Change
from actors.owner.entity import Entity, Scope
from actors.owner.ticker import REPEAT_MAX_MS, REPEAT_MS, SCAN_MS, Ticker
from storage.ports import LogUnavailableError, NewRecord
from tests.support.histories import BEGIN_MS, Step, create_of, fold, items_of

START_MS = BEGIN_MS + 5000
END_MS = BEGIN_MS + 60_000


class Bench:
    """One scheduled tournament, its ticker, a log that keeps what is appended and a clock that the test moves."""

    def __init__(self) -> None:
        self.now_ms = BEGIN_MS
        self.away = False
        self.appended: list[NewRecord] = []
        spec = Spec(name="x", type="scheduled", starts_ms=START_MS, ends_ms=END_MS)
        state = fold(items_of([Step(BEGIN_MS, create_of(spec))]))
        self.entity = Entity(state, Scope(state.partition, 0, epoch=0, watermark=0, durable=-1))
        self.active = {state.tournament_id: self.entity}
        self.ticker = Ticker(self, self.active, lambda: self.now_ms)  # type: ignore[arg-type]

    async def append(self, records: Sequence[NewRecord]) -> list[int]:
        if self.away:
            raise LogUnavailableError("away")
        self.appended += records
        return [0] * len(records)

    async def at(self, now_ms: int) -> int:
        self.now_ms = now_ms
        return await self.ticker.tick_due()

    def fold_to(self, time_ms: int) -> None:
        """A record of this time moves the tournament on."""
        state = self.entity.state
        fold(items_of([Step(time_ms, Tick())], state.offset + 1), state)
        self.ticker.note(Change(self.entity, top=True))


async def test_a_tick_comes_when_the_time_has_come_and_not_before() -> None:
    bench = Bench()
    assert await bench.at(BEGIN_MS) == 0
    assert await bench.at(START_MS - 1) == 0
    assert await bench.at(START_MS) == 1
    (tick,) = bench.appended
    state = bench.entity.state
    assert (tick.partition, tick.key) == (state.partition, str(state.tournament_id).encode())
    assert tick.value == encode_message(Tick())


async def test_it_comes_again_until_the_fold_has_passed_it_and_ever_more_seldom() -> None:
    bench = Bench()
    times = [now for now in range(START_MS, START_MS + 20_000, 10) if await bench.at(now)]
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses[:4] == [REPEAT_MS, 2 * REPEAT_MS, 4 * REPEAT_MS, 8 * REPEAT_MS]
    assert set(pauses[4:]) == {REPEAT_MAX_MS}


async def test_once_the_fold_has_passed_it_the_next_due_time_has_pauses_of_its_own() -> None:
    bench = Bench()
    for now in range(START_MS, START_MS + 3000, 10):
        await bench.at(now)
    bench.fold_to(START_MS)
    count = len(bench.appended)
    assert await bench.at(END_MS - 1) == 0
    times = [now for now in range(END_MS, END_MS + 300, 10) if await bench.at(now)]
    assert times == [END_MS, END_MS + REPEAT_MS]
    assert len(bench.appended) == count + 2


async def test_a_change_brings_its_due_time_forward() -> None:
    """Between two scans nothing is looked at, unless somebody says that something is due."""
    bench = Bench()
    later, bench.active = bench.entity, {}
    bench.ticker = Ticker(bench, bench.active, lambda: bench.now_ms)  # type: ignore[arg-type]
    assert await bench.at(START_MS - 10) == 0
    bench.active[later.state.tournament_id] = later
    assert await bench.at(START_MS) == 0, "it was not there at the last scan"
    bench.ticker.note(Change(later, top=True))
    assert await bench.at(START_MS + 1) == 1
    assert SCAN_MS > 11


async def test_neither_a_scope_that_catches_up_nor_one_that_is_forgotten_is_ticked() -> None:
    bench = Bench()
    bench.entity.scope.epoch = 10**9
    assert await bench.at(START_MS) == 0
    bench.entity.scope.epoch = 0
    assert await bench.at(START_MS + SCAN_MS) == 1
    bench.ticker.forget(bench.entity.state.tournament_id)
    bench.active.clear()
    assert await bench.at(START_MS + 100_000) == 0


async def test_a_log_that_does_not_answer_is_tried_again() -> None:
    bench = Bench()
    bench.away = True
    await bench.at(START_MS)
    assert bench.appended == []
    bench.away = False
    assert await bench.at(START_MS + REPEAT_MS) == 1
    assert len(bench.appended) == 1


async def test_a_clock_that_is_set_back_does_not_stop_it() -> None:
    bench = Bench()
    await bench.at(START_MS + 10**9)
    assert await bench.at(START_MS) == 1
