"""Who lands where: always the same board, none too full, nobody refused; a league's tier by its tables."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.events import Outcome
from actors.domain.messages import Begin, Cancel, Disqualify, Done, EndsWhen, ExtraTime, Join, Reinstate
from actors.domain.messages.spec import CohortPlace, Cohorts, SeriesPlace
from actors.domain.series.children import board_id, cohort_of, occurrence_id
from actors.domain.series.family import Errand
from tests.unit.actors.domain.commands.test_family import LEAGUE, RECURRENCE, Parent
from tests.unit.actors.domain.test_fold import END, START, World


def cohorts(size: int, **fields: object) -> Parent:
    return Parent(**{"recurrence": UNSET, "starts_ms": START, "ends_ms": END, "cohorts": Cohorts(size=size), **fields})


def landed(parent: Parent, time_ms: int, user: int) -> int:
    (event,) = parent.record(time_ms, Join(command_id=parent.command_id(), user_id=str(user)))
    assert isinstance(event, Outcome)
    assert event.outcome == "applied", event
    return int(event.detail)


def test_a_board_opens_when_one_is_full() -> None:
    parent = cohorts(2)
    boards = [landed(parent, 600, user) for user in (1, 2, 3)]
    one, two = (board_id(parent.now, number) for number in (1, 2))
    assert boards == [one, one, two]
    assert parent.family.errands == [
        Errand("open", 1), Errand("join", 1, 0, 1), Errand("join", 1, 0, 2), Errand("open", 2), Errand("join", 2, 0, 3),
    ]  # fmt: skip


def test_again_is_the_same_board_and_no_errand_but_for_another_name() -> None:
    parent = cohorts(2)
    board = landed(parent, 600, 1)
    before = list(parent.family.errands)
    assert landed(parent, 610, 1) == board
    assert parent.family.errands == before
    parent.join(620, 1, name="Ann")
    assert parent.family.errands == [*before, Errand("join", 1, 0, 1)]


def test_when_it_is_over_to_join_again_is_the_same_board_and_changes_nothing() -> None:
    league = Parent(league=LEAGUE)
    league.open(600, 0, 1000)
    for parent in (cohorts(2), league):
        board = landed(parent, 600, 1)
        parent.join(610, 1, name="Ann")
        parent.record(620, Cancel(command_id=parent.command_id()))
        assert parent.now.over
        before = encode_snapshot(parent.now)
        (event,) = parent.record(630, Join(command_id=parent.command_id(), user_id="1", name="Ann"))
        assert isinstance(event, Outcome)
        assert (event.outcome, event.detail) == ("applied", str(board))
        assert encode_snapshot(parent.now) == before


def test_whoever_leaves_keeps_the_seat() -> None:
    parent = cohorts(1)
    board = landed(parent, 600, 1)
    parent.leave(610, 1)
    assert parent.family.errands[-1] == Errand("leave", 1, 0, 1)
    assert landed(parent, 620, 2) != board
    assert landed(parent, 630, 1) == board


@given(st.integers(1, 5), st.integers(0, 2**32), st.integers(1, 80))
@settings(max_examples=100, deadline=None)
def test_whatever_happens_no_board_overfills_and_nobody_moves(size: int, seed: int, steps: int) -> None:
    r, parent, boards = Random(seed), cohorts(size), dict[int, int]()
    for n in range(steps):
        user = r.randint(1, 30)
        if r.random() < 0.3:
            parent.leave(600 + n, user)
        else:
            board = landed(parent, 600 + n, user)
            assert boards.setdefault(user, board) == board
        if r.random() < 0.1:
            parent.state = decode_snapshot(encode_snapshot(parent.now))
    filled = sorted(Counter(boards.values()).values(), reverse=True)
    assert filled[:-1] == [size] * (len(filled) - 1)
    assert sum(errand.kind == "open" for errand in parent.family.errands) == len(filled)
    for user, board in boards.items():
        at = cohort_of(parent.now, parent.now.members.users.slot(user))
        assert at is not None
        assert at["tournament_id"] == str(board)


def test_a_join_again_leaves_a_parent_that_is_over_as_it_is() -> None:
    for parent in (cohorts(1), Parent(league=LEAGUE)):
        parent.open(600, 0, 1000)
        parent.join(610, 1, name="Ann")
        parent.record(620, Cancel(command_id="x"))
        before = encode_snapshot(parent.now)
        assert parent.join(630, 1, name="Ann") == ""
        assert encode_snapshot(parent.now) == before


def test_a_league_takes_people_into_the_first_table_that_is_not_decided() -> None:
    parent = Parent(league=LEAGUE)
    assert parent.join(600, 1) == "registration_closed"
    parent.open(600, 0, 1000)
    parent.open(600, 1000, 2000)
    assert landed(parent, 610, 1) == occurrence_id(parent.now, 1000, 3)
    assert landed(parent, 1000 + RECURRENCE.duration_ms - 1, 2) == occurrence_id(parent.now, 1000, 3)
    assert parent.join(1000 + RECURRENCE.duration_ms, 3) == "registration_closed"  # its tables are being looked at
    parent.standings(1000, ("1", 2))
    assert landed(parent, 1200, 1) == occurrence_id(parent.now, 2000, 2)
    assert landed(parent, 1200, 2) == occurrence_id(parent.now, 2000, 3)
    parent.leave(1300, 1)
    assert parent.family.errands[-1] == Errand("leave", 2000, 2, 1)


def test_a_league_that_is_joined_before_the_start_alone() -> None:
    parent = Parent(league=LEAGUE, join_until="start")
    parent.open(600, 0, 1000)
    assert landed(parent, 999, 1)
    assert parent.join(1000, 2) == "registration_closed"


def test_who_was_placed_in_time_is_on_the_board_however_late_it_is_told() -> None:
    for place in ({"cohort": CohortPlace(of="9", number=1)}, {"series": SeriesPlace(of="9", at_ms=START, tier=2)}):
        board = World(join_until="start", **place)
        assert board.join(START - 1, 1) == "not_joinable"
        assert board.join(START, 1, invited=True, placed=True) == ""
        assert board.score(START + 1, 1, 100) == ""
        assert board.join(END, 2, invited=True, placed=True) == "registration_closed"


@pytest.mark.parametrize(
    ("command", "more"),
    [(Begin, {}), (Done, {}), (ExtraTime, {"extra_ms": 5}), (Disqualify, {"reason": "late"}), (Reinstate, {})],
)
def test_a_parent_is_not_ordered_what_only_a_board_can_do(command: Any, more: dict[str, Any]) -> None:
    """It was answered as done, and changed nothing for the player; `done` by everybody ended the parent."""
    ending: dict[str, Any] = {"window_ms": 50, "ends_when": EndsWhen(all_done=True), "join_until": "start"}
    league = Parent(league=LEAGUE, **ending)
    league.open(600, 0, 1000)
    for parent in (cohorts(2, **ending), league):
        board = landed(parent, 600, 1)
        parent.now.status = "running"
        for user, expected in (("1", "refused"), ("2", "participant_unknown")):
            before = encode_snapshot(parent.now)
            (event,) = parent.record(1000, command(command_id=parent.command_id(), user_id=user, **more))
            assert isinstance(event, Outcome)
            assert event.reason == expected
            assert expected != "refused" or parent.now.spec.cohorts is UNSET or str(board) in event.detail
            after = decode_snapshot(encode_snapshot(parent.now))
            old = decode_snapshot(before)
            assert (after.status, after.members.done_ms, after.members.disqualified, after.members.extra_ms) == (
                old.status, old.members.done_ms, old.members.disqualified, old.members.extra_ms,
            )  # fmt: skip
