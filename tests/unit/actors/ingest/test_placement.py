"""Placement: who is fed which dedicated tournament, and what the director is asked and told, again until it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from actors.domain.delivery import ControlItem, ScoreItem
from actors.domain.messages import Claim, Create, Join, Spec
from actors.ingest.placement import Placement
from tests.support.histories import BEGIN_MS, SALT

SPEC = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS, ends_ms=BEGIN_MS + 10**6)


def create(offset: int, tournament: int, *, dedicated: bool = True) -> ControlItem:
    message = Create(
        command_id="c", creator="1", created_ms=BEGIN_MS, spec=SPEC, dedicated=dedicated, salt=SALT, request_digest="d"
    )  # fmt: skip
    return ControlItem(offset, BEGIN_MS, tournament, message)


def score(tournament: int) -> ScoreItem:
    return ScoreItem(50, BEGIN_MS, tournament, 1, "e", 0)


class Bench:
    """A placement with a director that answers unless it is `away`, and who is fed what: {(partition, tournament): (owner, after)}."""

    def __init__(self) -> None:
        self.fed: dict[tuple[int, int], tuple[str, int]] = {}
        self.away = False
        self.stored: dict[int, tuple[int, str]] = {}
        self.owners: dict[int, str] = {}
        self.asked: list[tuple[int, int, int]] = []
        self.closed_told: list[tuple[int, int]] = []
        self.during: Callable[[], None] = lambda: None  # what happens while the director is asked
        self.pauses: list[float] = []
        self.placement = Placement(self, self, timeout_ms=50, retry_ms=700, sleep=self._sleep)

    # as the director

    async def placements(self, partition: int) -> dict[int, str]:
        self._answers()
        return {tournament: owner for tournament, (at, owner) in self.stored.items() if at == partition}

    async def host(self, partition: int, tournament: int, after: int) -> str:
        self._answers()
        self.asked.append((partition, tournament, after))
        self.during()
        return self.owners.get(tournament, f"tournament-{tournament}")

    async def closed(self, partition: int, tournament: int) -> None:
        self._answers()
        self.closed_told.append((partition, tournament))

    def _answers(self) -> None:
        if self.away:
            raise ConnectionError("away")

    # as what feeds

    def feed_scope(self, owner: str, partition: int, tournament: int, after: int = -1) -> None:
        self.fed.setdefault((partition, tournament), (owner, after))

    def leave_scope(self, owner: str, partition: int, tournament: int) -> None:
        if self.fed.get((partition, tournament), ("", 0))[0] == owner:
            del self.fed[partition, tournament]

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def turn(self, turns: int = 20) -> None:
        """Let it ask and tell."""
        for _ in range(turns):
            await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    running = asyncio.create_task(bench.placement.run())
    yield bench
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_stored_ones_are_fed_once(bench: Bench) -> None:
    bench.stored = {77: (0, "tournament-77"), 78: (1, "tournament-78")}
    await bench.placement.load(0)
    assert bench.fed == {(0, 77): ("tournament-77", -1)}
    bench.fed.clear()
    await bench.placement.load(0)
    assert bench.fed == {}, "it is known already"
    bench.away = True
    with pytest.raises(ConnectionError):
        await bench.placement.load(1)


async def test_a_create_waits_for_its_owner_and_is_then_fed_from_there(bench: Bench) -> None:
    bench.placement.meet(0, create(30, 77))
    bench.placement.meet(0, create(31, 5, dedicated=False))
    bench.placement.meet(0, ControlItem(32, BEGIN_MS, 6, Join(command_id="j", user_id="1")))
    assert bench.placement.unplaced == [(0, 29)]
    await bench.turn()
    assert bench.asked == [(0, 77, 29)]
    assert bench.fed == {(0, 77): ("tournament-77", 29)}
    assert bench.placement.unplaced == []
    assert bench.pauses == []


async def test_while_the_director_is_away_it_is_asked_again_after_a_pause(bench: Bench) -> None:
    bench.away = True
    bench.placement.meet(0, create(30, 77))
    await bench.turn()
    assert bench.fed == {}
    assert bench.placement.unplaced == [(0, 29)], "nothing beyond may be committed"
    assert len(bench.pauses) > 1
    assert set(bench.pauses) == {0.7}
    bench.away = False
    await bench.turn()
    assert bench.fed == {(0, 77): ("tournament-77", 29)}


async def test_a_director_that_never_answers_holds_up_no_other(bench: Bench) -> None:
    answer = bench.host

    async def host(partition: int, tournament: int, after: int) -> str:
        if tournament == 77:
            await asyncio.Event().wait()
        return await answer(partition, tournament, after)

    bench.host = host  # type: ignore[method-assign]
    bench.placement.meet(0, create(30, 77))
    bench.placement.meet(0, create(31, 78))
    async with asyncio.timeout(10):
        while (0, 78) not in bench.fed:
            await asyncio.sleep(0.01)
    assert bench.placement.unplaced == [(0, 29)]


def test_a_record_belongs_to_its_own_scope_and_else_to_the_shared_one() -> None:
    placement = Bench().placement
    placement.meet(0, create(30, 77))
    claim = ControlItem(31, BEGIN_MS, 77, Claim(command_id="c", scope="tournament-77", owner="o", instance="o#1"))
    belongs = placement.belongs
    assert [belongs(score(77), scope) for scope in (77, 0, 78)] == [True, False, False]
    assert [belongs(score(5), scope) for scope in (77, 0)] == [False, True]
    assert [belongs(claim, scope) for scope in (77, 0)] == [True, True], "the shared scope's owner reads every claim"


async def test_what_an_owner_does_not_hold_is_fed_to_the_one_that_does(bench: Bench) -> None:
    bench.placement.meet(0, create(30, 77))
    await bench.turn()
    bench.feed_scope("shard-0", 0, 0)
    bench.owners = {77: "shard-1", 0: "shard-2"}
    bench.placement.moved("tournament-77", 0, 77)
    bench.placement.moved("shard-0", 0, 0)
    await bench.turn()
    assert bench.asked[1:] == [(0, 77, 29), (0, 0, -1)]
    assert bench.fed == {(0, 77): ("shard-1", -1), (0, 0): ("shard-2", -1)}


async def test_a_closed_one_is_fed_no_more_and_its_records_belong_to_the_shared_scope(bench: Bench) -> None:
    bench.placement.meet(0, create(30, 77))
    await bench.turn()
    bench.away = True
    bench.placement.closed("tournament-77", 0, 77)
    assert bench.fed == {}
    assert bench.placement.belongs(score(77), 0)
    await bench.turn()
    bench.away = False
    assert bench.closed_told == []
    await bench.turn()
    assert bench.closed_told == [(0, 77)], "else its actor would stay for nothing"
    await bench.turn()
    assert bench.closed_told == [(0, 77)]


async def test_a_new_one_that_closes_while_its_owner_is_asked_for_is_not_fed(bench: Bench) -> None:
    bench.during = lambda: bench.placement.closed("tournament-77", 0, 77)
    bench.placement.meet(0, create(30, 77))
    await bench.turn()
    assert (bench.fed, bench.placement.unplaced) == ({}, [])


async def test_one_that_moved_and_closes_while_its_owner_is_asked_for_is_fed_no_more(bench: Bench) -> None:
    bench.placement.meet(0, create(30, 77))
    await bench.turn()
    bench.during = lambda: bench.placement.closed("tournament-77", 0, 77)
    bench.placement.moved("tournament-77", 0, 77)
    await bench.turn()
    assert bench.fed == {}
    assert bench.closed_told == [(0, 77)]
