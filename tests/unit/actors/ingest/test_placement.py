"""Placement: who is fed which dedicated tournament, and what the director is asked and told, again until it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from actors.domain.delivery import ControlItem, ScoreItem
from actors.domain.messages import Claim, Create, HandOver, Join, Spec
from actors.ingest.placement import Placement
from tests.support.histories import BEGIN_MS, SALT

SPEC = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS, ends_ms=BEGIN_MS + 10**6)


def create(offset: int, tournament: int, *, dedicated: bool = True) -> ControlItem:
    message = Create(
        command_id="c", creator="1", created_ms=BEGIN_MS, spec=SPEC, dedicated=dedicated, salt=SALT, request_digest="d"
    )  # fmt: skip
    return ControlItem(offset, BEGIN_MS, tournament, message)


def score(tournament: int, offset: int = 50) -> ScoreItem:
    return ScoreItem(offset, BEGIN_MS, tournament, 1, "e", 0)


def hand_over(offset: int, tournament: int) -> ControlItem:
    return ControlItem(offset, BEGIN_MS, tournament, HandOver(command_id="h"))


class Bench:
    """A placement with a director that answers unless it is `away`, and who is fed what: {(partition, tournament): (owner, after)}."""

    def __init__(self) -> None:
        self.fed: dict[tuple[int, int], tuple[str, int]] = {}
        self.away = False
        self.stored: dict[int, tuple[int, str]] = {}
        self.owners: dict[int, str] = {}
        self.asked: list[tuple[int, int, int]] = []
        self.closed_told: list[tuple[int, int]] = []
        self.handed_over_already: set[int] = set()
        self.woken = 0
        self.during: Callable[[], None] = lambda: None  # what happens while the director is asked
        self.pauses: list[float] = []
        self.placement = Placement(self, self, timeout_ms=50, retry_ms=700, sleep=self._sleep)

    # as the director

    async def placements(self, partition: int) -> dict[int, str]:
        self._answers()
        return {tournament: owner for tournament, (at, owner) in self.stored.items() if at == partition}

    async def handed_over(self, _partition: int, tournament: int) -> bool:
        self._answers()
        return tournament in self.handed_over_already

    async def host(self, partition: int, tournament: int, after: int) -> str | None:
        self._answers()
        self.asked.append((partition, tournament, after))
        self.during()
        if tournament in self.handed_over_already:
            return None
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

    def wake(self) -> None:
        self.woken += 1

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
    bench.placement.begin(0, await bench.placement.load(0))
    assert bench.fed == {(0, 77): ("tournament-77", -1)}
    bench.fed.clear()
    bench.placement.begin(0, await bench.placement.load(0))
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


async def test_a_create_that_is_rejected_makes_no_scope(bench: Bench) -> None:
    """Nothing of it is ever stored, so nobody could hand it over."""
    spec = Spec(name="x", type="instant", duration_ms=60_000)  # without a capacity
    message = Create(
        command_id="c", creator="1", created_ms=1, spec=spec, salt=SALT, dedicated=True, request_digest="d"
    )
    rejected = ControlItem(30, BEGIN_MS, 77, message)
    bench.placement.meet(0, rejected)
    await bench.turn()
    assert (bench.fed, bench.asked, bench.placement.unplaced, bench.placement.hold(0)) == ({}, [], [], None)
    assert bench.placement.belongs(rejected, 0)
    assert bench.placement.belongs(score(77), 0), "it is the shared scope that says why it does not count"
    bench.placement.meet(0, create(40, 77))
    await bench.turn()
    assert bench.fed == {(0, 77): ("tournament-77", 39)}, "the first that makes a tournament counts"


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

    async def host(partition: int, tournament: int, after: int) -> str | None:
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
    assert bench.fed == {(0, 77): ("shard-1", 29), (0, 0): ("shard-2", -1)}


def test_a_hand_over_divides_the_records_of_a_tournament_between_its_own_scope_and_the_shared_one() -> None:
    placement = Bench().placement
    placement.meet(0, create(30, 77))
    placement.meet(0, hand_over(60, 77))
    placement.meet(0, hand_over(65, 77))
    belongs = placement.belongs
    own = {offset: belongs(score(77, offset), 77) for offset in (29, 31, 59, 61, 66)}
    shared = {offset: belongs(score(77, offset), 0) for offset in own}
    assert own == {29: False, 31: True, 59: True, 61: False, 66: False}
    assert shared == {offset: not mine for offset, mine in own.items()}
    assert [belongs(hand_over(60, 77), scope) for scope in (77, 0)] == [True, True]
    assert [belongs(hand_over(65, 77), scope) for scope in (77, 0)] == [False, True]
    assert not placement.may_go_ahead(score(77, 66), 0)


@pytest.mark.parametrize("read_first", [True, False])
async def test_a_closed_one_is_fed_no_more_once_its_hand_over_is_read(bench: Bench, read_first: bool) -> None:
    bench.placement.meet(0, create(30, 77))
    await bench.turn()
    assert bench.placement.hold(0) is None
    steps: list[Callable[[], None]] = [
        lambda: bench.placement.meet(0, hand_over(60, 77)),
        lambda: bench.placement.closed("tournament-77", 0, 77),
    ]
    bench.away = True
    first, last = steps if read_first else reversed(steps)
    first()
    assert bench.fed == {(0, 77): ("tournament-77", 29)}
    assert bench.placement.hold(0) == (59 if read_first else None), "its own scope must be durable first"
    assert bench.placement.hold(1) is None
    last()
    assert bench.fed == {}
    assert (bench.placement.hold(0), bench.placement.unplaced) == (None, [(0, 59)]), "the director has not heard of it"
    assert bench.placement.belongs(score(77, 31), 0), "whoever has that already leaves it"
    await bench.turn()
    assert bench.closed_told == []
    bench.away = False
    await bench.turn()
    assert bench.closed_told == [(0, 77)], "else its actor would stay for nothing"
    assert bench.placement.unplaced == []
    await bench.turn()
    assert bench.closed_told == [(0, 77)]


async def test_while_a_shared_scope_is_held_the_director_is_asked_whether_it_needs_to(bench: Bench) -> None:
    """The owner may have told another ingest that it is closed, and have ended."""
    bench.placement.meet(0, create(30, 77))
    await bench.turn()
    bench.placement.meet(0, hand_over(60, 77))
    await bench.turn()
    assert bench.placement.hold(0) == 59
    bench.handed_over_already = {77}
    woken = bench.woken
    await bench.turn()
    assert (bench.placement.hold(0), bench.fed) == (None, {})
    assert bench.woken > woken


async def test_a_create_that_is_repeated_after_the_hand_over_is_one_of_the_shared_scope(bench: Bench) -> None:
    bench.handed_over_already = {77}
    bench.away = True
    bench.placement.meet(0, create(90, 77))
    await bench.turn()
    assert bench.placement.hold(0) == 89, "it may be a new tournament, or not"
    assert bench.placement.belongs(score(77, 89), 0)
    assert not bench.placement.belongs(score(77, 91), 0)
    bench.away = False
    await bench.turn()
    assert (bench.placement.hold(0), bench.fed, bench.asked) == (None, {}, [])
    assert bench.placement.belongs(create(90, 77), 0)
    assert bench.placement.belongs(score(77, 91), 0)


async def test_where_reading_begins_anew_only_what_is_stored_then_has_a_scope_of_its_own(bench: Bench) -> None:
    """What another ingest has committed is durable: a create that was read before the gap is stored, or handed over in it."""
    bench.placement.meet(0, create(30, 77))
    bench.placement.meet(0, create(31, 78))
    bench.placement.meet(1, create(32, 79))
    await bench.turn()
    bench.placement.begin(0, {78: "tournament-78"})
    assert bench.fed == {(0, 78): ("tournament-78", 30), (1, 79): ("tournament-79", 31)}
    assert bench.placement.belongs(score(77), 0)


async def test_one_that_is_handed_over_while_its_owner_is_asked_for_is_not_fed(bench: Bench) -> None:
    bench.placement.meet(0, create(30, 77))
    bench.during = lambda: bench.handed_over_already.add(77)
    await bench.turn()
    assert (bench.fed, bench.placement.unplaced) == ({}, [])


async def test_one_that_moved_and_was_handed_over_is_fed_no_more(bench: Bench) -> None:
    bench.placement.meet(0, create(30, 77))
    await bench.turn()
    bench.handed_over_already = {77}
    bench.placement.moved("tournament-77", 0, 77)
    await bench.turn()
    assert bench.fed == {}


async def test_one_that_moved_and_closes_while_its_owner_is_asked_for_is_fed_no_more(bench: Bench) -> None:
    bench.placement.meet(0, create(30, 77))
    bench.placement.meet(0, hand_over(60, 77))
    await bench.turn()
    bench.during = lambda: bench.placement.closed("tournament-77", 0, 77)
    bench.placement.moved("tournament-77", 0, 77)
    await bench.turn()
    assert bench.fed == {}
    assert bench.closed_told == [(0, 77)]
