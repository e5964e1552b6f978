"""What owners tell parents: judged once, in order, whoever tells it and however often."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.errors import InvalidRecordError
from actors.domain.messages import Cancel, Open, Standings, Written
from actors.domain.messages.spec import Cohorts, League, Recurrence
from actors.domain.series.family import MAX_OCCURRENCES, Errand, Family
from tests.unit.actors.domain.test_fold import World, reason

RECURRENCE = Recurrence(cron="* * * * *", time_zone="UTC", duration_ms=100, ahead=2)
LEAGUE = League(tiers=3, promote=1, demote=1)


class Parent(World):
    """A series, unless other fields are given."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**{"starts_ms": None, "ends_ms": None, "recurrence": RECURRENCE, **fields})

    @property
    def family(self) -> Family:
        assert self.now.family is not None
        return self.now.family

    def open(self, time_ms: int, after_ms: int, starts_ms: int, missed: int = 0) -> str:
        message = Open(command_id=self.command_id(), after_ms=after_ms, starts_ms=starts_ms, missed=missed)
        return reason(self.record(time_ms, message))

    def written(self, upto: int) -> str:
        return reason(self.record(600, Written(command_id=self.command_id(), upto=upto)))

    def standings(self, starts_ms: int, *moves: tuple[str, int]) -> str:
        message = Standings(command_id=self.command_id(), starts_ms=starts_ms, moves=list(moves))
        return reason(self.record(600, message))


def test_what_opens_opens_once_and_in_order() -> None:
    parent = Parent()
    assert parent.open(600, 0, 1000) == ""
    assert parent.open(600, 0, 1000) == "stale"  # another owner did
    assert parent.open(600, 0, 1100) == "stale"  # by other rules of its zone
    assert parent.open(600, 1000, 1000) == "stale"
    assert parent.open(600, 1000, 2000, missed=3) == ""
    assert (parent.family.occurrences, parent.family.missed) == ([1000, 2000], 3)
    assert parent.family.errands == [Errand("open", 1000), Errand("open", 2000)]


def test_no_more_are_open_ahead_than_asked_for() -> None:
    parent = Parent()
    for starts_ms in (1000, 2000):
        assert parent.open(600, starts_ms - 1000 if starts_ms > 1000 else 0, starts_ms) == ""
    assert parent.open(999, 2000, 3000) == "early"
    assert parent.open(1000, 2000, 3000) == ""  # the first has started


def test_an_instant_one_opens_at_its_time() -> None:
    parent = Parent(type="instant", capacity=2, recurrence=Recurrence(cron="* * * * *", time_zone="UTC", duration_ms=9))
    assert parent.open(999, 0, 1000) == "early"
    assert parent.open(1000, 0, 1000) == ""


def test_a_series_that_is_cancelled_opens_nothing() -> None:
    parent = Parent()
    parent.record(600, Cancel(command_id="x"))
    assert parent.open(700, 0, 1000) == "already_over"


def test_a_tournament_that_is_no_parent_is_told_nothing() -> None:
    world = World()
    for message in (
        Open(command_id="a", after_ms=0, starts_ms=9),
        Written(command_id="b", upto=9),
        Standings(command_id="c", starts_ms=9, moves=[]),
    ):
        assert reason(world.record(600, message)).startswith("no_")


def test_what_is_written_is_done_with_and_twice_is_once() -> None:
    parent = Parent()
    parent.open(600, 0, 1000)
    parent.open(600, 1000, 2000)
    assert parent.written(1) == ""
    assert parent.written(1) == ""
    assert (parent.family.written, parent.family.errands) == (1, [Errand("open", 2000)])
    assert parent.written(99) == ""
    assert (parent.family.written, parent.family.errands) == (2, [])


def test_standings_move_players_once_and_in_order() -> None:
    parent = Parent(league=LEAGUE)
    parent.open(600, 0, 1000)
    parent.open(600, 1000, 2000)
    assert len(parent.family.errands) == 6  # a table for each tier
    parent.join(610, 1, 2)
    assert parent.standings(2000, ("1", 2)) == "stale"
    assert parent.standings(1000, ("1", 2), ("9", 1), ("2", 7)) == ""
    assert parent.standings(1000, ("2", 1)) == "stale"
    assert parent.now.members.tier == {parent.now.members.slot(1): 2}


def test_the_list_of_occurrences_is_bounded() -> None:
    parent = Parent()
    for n in range(1, MAX_OCCURRENCES + 6):
        assert parent.open(n * 1000, (n - 1) * 1000, n * 1000) == ""
    assert len(parent.family.occurrences) == MAX_OCCURRENCES
    assert parent.family.occurrences[0] == 6000


def test_all_of_it_is_in_the_snapshot() -> None:
    parent = Parent(league=LEAGUE)
    parent.open(600, 0, 1000)
    parent.join(610, 1, 2)
    parent.standings(1000, ("1", 2))
    again = decode_snapshot(encode_snapshot(parent.now))
    assert again.family == parent.family
    assert encode_snapshot(again) == encode_snapshot(parent.now)
    assert again.members.tier == {again.members.slot(1): 2}


@pytest.mark.parametrize("rules", [1, 2])
@pytest.mark.parametrize("fields", [{"recurrence": RECURRENCE}, {"cohorts": Cohorts(size=2)}, {"league": LEAGUE}])
def test_under_older_rules_a_create_is_malformed_and_what_opens_is_refused(rules: int, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecordError, match="malformed"):
        World(rules_version=rules, **fields)
    world = World(rules_version=rules)
    assert reason(world.record(600, Open(command_id="a", after_ms=0, starts_ms=9))) == "older_rules"
