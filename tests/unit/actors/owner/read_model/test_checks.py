"""Checks of read models: each answer is told, and where nobody answers a few are asked for soon, and all once somebody does."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

from actors.owner.read_model.checks import RETRY_MS, ReadModelChecks
from storage.ports import ReadModelPosition, ReadModelUnavailableError

BATCH = 4
NOW_MS = 1_000_000


class Bench:
    """Tournaments 1 to 10, and a read model that answers for all but those that are `away`."""

    def __init__(self, count: int = 10) -> None:
        self.now_ms = NOW_MS
        self.entries = {n: SimpleNamespace(busy=False, entity=_entity(epoch=100 + n)) for n in range(1, count + 1)}
        self.away: set[int] = set()
        self.refuses = False
        self.draw = 0.0
        self.asked: list[dict[int, int]] = []
        self.told: list[tuple[int, ReadModelPosition | None]] = []
        self.checks = ReadModelChecks(
            self,  # type: ignore[arg-type]
            lambda: self.now_ms,
            lambda: self.draw,
            BATCH,
            self.entries,  # type: ignore[arg-type]
            lambda tournament_id, position: self.told.append((tournament_id, position)),
        )

    async def positions(self, epochs: Mapping[int, int]) -> dict[int, ReadModelPosition | None]:
        self.asked.append(dict(epochs))
        if self.refuses:
            raise ReadModelUnavailableError("away", frozenset(epochs))
        return {n: ReadModelPosition(epoch, n) if n != 3 else None for n, epoch in epochs.items() if n not in self.away}

    def take(self) -> list[list[int]]:
        """What was asked for since the last time."""
        asked, self.asked = self.asked, []
        return [list(each) for each in asked]

    def is_due(self, after_ms: int = 0) -> bool:
        return self.checks.is_retry_due(self.now_ms + after_ms)


def _entity(epoch: int) -> SimpleNamespace:
    return SimpleNamespace(epoch=epoch)


async def test_each_answer_is_told_in_batches_with_the_owner_s_epoch() -> None:
    bench = Bench()
    await bench.checks.compare(list(bench.entries))
    assert bench.asked[0] == {1: 101, 2: 102, 3: 103, 4: 104}
    assert bench.take() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]]
    assert bench.told == [(n, None if n == 3 else ReadModelPosition(100 + n, n)) for n in range(1, 11)]
    assert not bench.is_due(10**9)


async def test_those_that_are_gone_or_on_their_way_are_not_asked_for() -> None:
    bench = Bench()
    bench.entries[2].busy = True
    await bench.checks.compare([1, 2, 99])
    assert bench.take() == [[1]]
    await bench.checks.compare([2, 99])
    assert bench.take() == []


async def test_where_one_does_not_answer_the_others_are_told_and_it_is_asked_for_again() -> None:
    bench = Bench()
    bench.away = {2}
    await bench.checks.compare([1, 2, 4])
    assert [n for n, _ in bench.told] == [1, 4]
    assert not bench.is_due(RETRY_MS - 1)
    assert bench.is_due(RETRY_MS)
    bench.take()
    bench.away.clear()
    await bench.checks.retry()
    assert bench.take() == [[2]]
    assert not bench.is_due(10**9)


async def test_where_nobody_answers_the_rest_is_not_asked_for_and_then_a_few_of_the_whole_length() -> None:
    bench = Bench()
    bench.refuses = True
    await bench.checks.compare(list(bench.entries))
    assert bench.take() == [[1, 2, 3, 4]]
    await bench.checks.retry()
    assert bench.take() == [[1, 4, 7, 10]]
    assert bench.told == []
    bench.refuses = False
    await bench.checks.retry()
    assert sorted(n for each in bench.take() for n in each) == list(range(1, 11)), "all, as soon as somebody answers"
    assert sorted(n for n, _ in bench.told) == list(range(1, 11))
    assert not bench.is_due(10**9)


async def test_it_is_asked_for_again_and_again_and_never_later_than_drawn() -> None:
    bench = Bench()
    bench.refuses = True
    await bench.checks.compare([1])
    for draw, pause_ms in ((0.0, RETRY_MS), (0.5, 250), (1.0, 200)):
        bench.draw = draw
        await bench.checks.retry()
        assert bench.is_due(pause_ms)
        assert not bench.is_due(pause_ms - 1)


async def test_a_clock_that_is_set_back_stops_no_retry() -> None:
    bench = Bench()
    bench.checks.ask_again([1])
    assert bench.is_due(-(10**6))
    bench.checks.ask_again([])
    assert not Bench().is_due(-(10**6)), "nothing waits"


async def test_one_that_was_given_up_waits_no_more() -> None:
    bench = Bench()
    bench.checks.ask_again([1])
    del bench.entries[1]
    await bench.checks.retry()
    assert bench.take() == []
    assert not bench.is_due(10**9)
