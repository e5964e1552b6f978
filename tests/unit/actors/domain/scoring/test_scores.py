"""What one score comes to. Where time and membership come in is in test_fold.py."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.delivery import ScoreItem
from actors.domain.scoring.scores import Scored, take_score
from actors.domain.tournament import Tournament
from actors.domain.values import MAX_HUNDREDTHS
from tests.support.histories import TOURNAMENT
from tests.unit.actors.domain.test_tournament import tournament

USER, SLOT = 1, 0


def running(**spec: Any) -> Tournament:
    state = tournament(**spec)
    state.status = "running"
    for user in (1, 2, 3):
        state.members.add(user, None, 0)
    return state


def take(
    state: Tournament, score: int, event: str, *, user: int = USER, slot: int | None = None, known: int | None = None
) -> Scored:
    return take_score(state, ScoreItem(1, 0, TOURNAMENT, user, event, score), user - 1 if slot is None else slot, known)


@pytest.mark.parametrize(
    ("policy", "order", "kept"),
    [
        ("best", "desc", [5, 7, 7, 7]),
        ("best", "asc", [5, 5, 3, 3]),
        ("last", "desc", [5, 7, 3, 7]),
        ("last", "asc", [5, 7, 3, 7]),
        ("sum", "desc", [5, 12, 15, 22]),
        ("first", "asc", [5, 5, 5, 5]),
    ],
)
def test_the_policy_says_what_a_score_comes_to(policy: str, order: str, kept: list[int]) -> None:
    state = running(score_policy=policy, order=order)
    for event, (score, expected) in enumerate(zip([5, 7, 3, 7], kept, strict=True)):
        before = state.ranking.score(SLOT)
        scored = take(state, score, str(event))
        assert (scored.reason, scored.changed) == ("", expected != before)
        assert state.ranking.score(SLOT) == expected
    assert state.members.attempts[SLOT] == 4


@pytest.mark.parametrize(
    ("status", "reason"), [("scheduled", "not_running"), ("finished", "ended"), ("cancelled", "ended")]
)
def test_only_a_running_tournament_takes_scores(status: Any, reason: str) -> None:
    state = running()
    state.status = status
    assert take(state, 5, "a") == Scored(reason)
    assert take(state, 5, "a", slot=-1) == Scored(reason)  # whatever else holds
    assert (state.seen, state.members.attempts[SLOT], state.ranking.score(SLOT)) == ({}, 0, None)


def test_who_has_not_joined_has_no_score() -> None:
    state = running()
    assert take(state, 5, "a", user=9, slot=-1) == Scored("not_joined")
    assert not state.seen


def test_an_event_counts_once_for_each_user() -> None:
    state = running(score_policy="sum")
    assert take(state, 5, "a").changed
    assert take(state, 6, "a") == Scored("duplicate")
    assert take(state, 6, "a", user=2).changed
    assert (state.ranking.score(0), state.ranking.score(1)) == (5, 6)
    assert list(state.members.attempts) == [1, 1, 0]


def test_attempts_are_bounded_and_a_duplicate_uses_none() -> None:
    state = running(max_attempts=2)
    reasons = [take(state, score, event).reason for score, event in ((1, "a"), (1, "a"), (1, "b"), (9, "c"), (1, "b"))]
    assert reasons == ["", "duplicate", "", "attempts_used", "duplicate"]
    assert state.members.attempts[SLOT] == 2
    assert state.ranking.score(SLOT) == 1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_beyond_the_largest_score_is_not_taken_and_costs_nothing(sign: int) -> None:
    state = running(score_policy="sum", max_attempts=3)
    assert take(state, sign * MAX_HUNDREDTHS, "a").changed
    assert take(state, sign, "b") == Scored("out_of_range")
    assert (len(state.seen), state.members.attempts[SLOT]) == (1, 1)
    assert take(state, -sign, "b").changed  # the event id was not used


def test_the_rank_before_is_that_of_the_ranking_or_the_one_known() -> None:
    state = running()
    assert take(state, 5, "a") == Scored("", True, None, score=5)
    assert take(state, 7, "b", user=2) == Scored("", True, None, score=7)
    assert take(state, 9, "c") == Scored("", True, 2, score=9)
    assert take(state, 10, "d", known=7) == Scored("", True, 7, score=10)
    assert take(state, 11, "e", user=3, known=0) == Scored("", True, None, score=11)  # 0: known to have none
    assert take(state, 9, "f") == Scored("", score=10)  # it changed nothing


def test_the_time_of_a_score_is_that_of_its_last_change() -> None:
    state = running()
    for time_ms, score in ((10, 5), (20, 7), (30, 6), (40, 7)):
        state.time_ms = time_ms
        take(state, score, str(time_ms))
    assert state.members.scored_ms[SLOT] == 20
