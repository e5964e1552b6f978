"""Children: the same whoever makes them, and their own tournaments."""

from __future__ import annotations

import msgspec

from actors.domain.messages import Create, Join, Leave
from actors.domain.messages.spec import Cohorts
from actors.domain.messages.spec_rules import spec_problems
from actors.domain.series.children import board_id, commanded, message_of, occurrence_id
from actors.domain.series.family import Errand
from tests.unit.actors.domain.commands.test_family import LEAGUE, RECURRENCE, Parent
from tests.unit.actors.domain.series.test_placing import cohorts, landed


def create(parent: Parent, errand: Errand, dedicated_capacity: int = 100) -> Create:
    message = message_of(parent.now, errand, 0, dedicated_capacity)
    assert isinstance(message, Create)
    assert message == message_of(parent.now, errand, 0, dedicated_capacity)
    assert spec_problems(message.spec) == []
    return message


def test_an_occurrence_has_its_times_and_no_recurrence() -> None:
    spec = create(Parent(), Errand("open", 5000)).spec
    assert (spec.starts_ms, spec.ends_ms) == (5000, 5000 + RECURRENCE.duration_ms)
    assert spec.series is not None
    assert "recurrence" not in str(spec.series)


def test_tiers_and_times_and_boards_have_ids_of_their_own() -> None:
    parent, boards = Parent(league=LEAGUE), cohorts(2)
    ids = [occurrence_id(parent.now, at, tier) for at in (1000, 2000) for tier in (1, 2, 3)]
    ids += [board_id(boards.now, number) for number in (1, 2)]
    assert len(set(ids)) == len(ids)


def test_instant_ones_take_their_duration_and_start_when_full() -> None:
    parent = Parent(type="instant", capacity=7, recurrence=msgspec.structs.replace(RECURRENCE, ahead=1))
    spec = create(parent, Errand("open", 5000)).spec
    assert (spec.starts_ms, spec.ends_ms, spec.duration_ms, spec.capacity) == (None, None, RECURRENCE.duration_ms, 7)
    board = create(cohorts(3, type="instant", starts_ms=None, ends_ms=None, duration_ms=50), Errand("open", 1)).spec
    assert (board.capacity, board.duration_ms) == (3, 50)


def test_large_ones_have_an_owner_alone() -> None:
    assert create(cohorts(100), Errand("open", 1)).dedicated
    assert not create(cohorts(99), Errand("open", 1)).dedicated
    assert not create(cohorts(100, placement="shared"), Errand("open", 1)).dedicated


def test_what_is_open_stays_as_it_was_opened() -> None:
    parent = cohorts(2)
    before = create(parent, Errand("open", 1))
    parent.edit(600, name="other")
    after = create(parent, Errand("open", 1))
    assert (before.request_digest, before.salt) == (after.request_digest, after.salt)
    assert before.spec != after.spec


def test_a_join_carries_the_name_and_is_placed() -> None:
    parent = cohorts(2)
    landed(parent, 600, 1)
    parent.join(610, 1, name="Ann")
    message = message_of(parent.now, Errand("join", 1, 0, 1), 5, 100)
    assert isinstance(message, Join)
    assert (message.user_id, message.name, message.invited, message.placed) == ("1", "Ann", True, True)
    left = message_of(parent.now, Errand("leave", 1, 0, 1), 6, 100)
    assert isinstance(left, Leave)
    assert left.command_id != message.command_id


def test_a_join_carries_the_groups_to_the_board() -> None:
    parent = cohorts(2, boards=["country"])
    landed(parent, 600, 1)
    assert parent.now.family is not None
    errands = len(parent.now.family.errands)
    assert parent.join(610, 1, attributes={"country": "FR"}) == ""
    assert len(parent.now.family.errands) == errands + 1
    message = message_of(parent.now, Errand("join", 1, 0, 1), 5, 100)
    assert isinstance(message, Join)
    assert message.attributes == {"country": "FR"}
    assert create(parent, Errand("open", 1)).spec.boards == ["country"]


def test_commands_are_for_boards_and_a_cancellation_for_what_has_not_started() -> None:
    boards = cohorts(1)
    for user in (1, 2):
        landed(boards, 600, user)
    expected = [board_id(boards.now, number) for number in (1, 2)]
    assert all(commanded(boards.now, command) == expected for command in ("start", "end", "cancel", "edit"))
    series = Parent()
    series.open(600, 0, 1000)
    series.open(1000, 1000, 2000)
    assert commanded(series.now, "cancel") == [occurrence_id(series.now, 2000)]
    assert commanded(series.now, "start") == commanded(series.now, "end") == commanded(series.now, "edit") == []
    instant = cohorts(2, type="instant", starts_ms=None, ends_ms=None, duration_ms=50)
    landed(instant, 600, 1)
    assert commanded(instant.now, "start") == []
    assert len(commanded(instant.now, "cancel")) == 1


def test_a_series_of_cohorts_opens_parents() -> None:
    parent = Parent(cohorts=Cohorts(size=2))
    assert create(parent, Errand("open", 5000)).spec.cohorts == Cohorts(size=2)
