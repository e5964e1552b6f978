from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from actors.domain.messages import Spec, Subscore
from actors.domain.prizes.rules import PrizeRule
from actors.domain.ranking.subscore_ranking import SubscoreRanking
from actors.owner.checkpoint.rows import outbox_rows, participant_rows, tournament_row
from actors.owner.entity import Entity
from tests.support.histories import PARTITION, TOURNAMENT
from tests.unit.actors.domain.test_tournament import tournament
from tests.unit.actors.owner.test_entity import scope


def played(status: Any = "running", **spec: Any) -> Entity:
    """Users 1, 2, 3 with the scores 5, 9 and none; user 4 had 7 and has left."""
    state = tournament(**spec)
    state.status, state.offset = status, 50
    for user, score in ((1, 5), (2, 9), (3, None), (4, 7)):
        slot = state.members.add(user, f"U{user}", 100 + user)
        if score is not None:
            state.ranking.place(slot, score)
            state.members.scored_ms[slot] = 200 + user
            state.members.attempts[slot] = 2
    state.members.active[3] = 0
    state.members.joined -= 1
    state.ranking.hide(3)
    return Entity(state, scope())


def test_while_it_runs_changed_members_are_rows_without_a_rank() -> None:
    rows = participant_rows(played(), {3, 0, 2})
    assert [(row.user_id, row.name, row.active) for row in rows] == [(1, "U1", True), (3, "U3", True), (4, "U4", False)]
    assert [(row.score, row.scored_ms, row.attempts, row.rank) for row in rows] == [
        (5, 201, 2, None),
        (None, None, 0, None),
        (7, 204, 2, None),
    ]
    assert {(row.tournament_id, row.joined_ms - row.user_id) for row in rows} == {(TOURNAMENT, 100)}
    assert participant_rows(played(), ()) == []


def test_once_finished_all_are_rows_with_their_rank() -> None:
    rows = participant_rows(played("finished"), ())
    assert [(row.user_id, row.rank) for row in rows] == [(1, 2), (2, 1), (3, None), (4, None)]


@pytest.mark.parametrize("status", ["running", "finished"])
def test_a_subscore_is_told_where_there_is_one(status: str) -> None:
    state = tournament(subscore=Subscore(order="asc"))
    state.status = status  # type: ignore[assignment]
    state.ranking = ranking = SubscoreRanking(descending=True, ties="first")
    for user, subscore in ((1, 250), (2, -100), (3, None)):
        slot = state.members.add(user, None, 100)
        if subscore is not None:
            ranking.place(slot, 9, subscore)
    rows = participant_rows(Entity(state, scope()), {0, 1, 2})
    assert [(row.score, row.subscore) for row in rows] == [(9, 250), (9, -100), (None, None)]
    assert [row.rank for row in rows] == ([2, 1, None] if status == "finished" else [None] * 3)
    assert [row.subscore for row in participant_rows(played(), {0, 1})] == [None, None]


def test_a_cancelled_one_has_no_table() -> None:
    assert [row.rank for row in participant_rows(played("cancelled"), {0, 1})] == [None, None]


@pytest.mark.parametrize(("status", "effects"), [("scheduled", 0), ("running", 0), ("finished", 1), ("cancelled", 1)])
def test_the_end_has_one_effect(status: str, effects: int) -> None:
    rows = outbox_rows(played(status))
    assert len(rows) == effects
    for row in rows:
        assert (row.tournament_id, row.offset, row.n, row.kind) == (TOURNAMENT, 50, 0, status)
        assert json.loads(row.payload) == {"status": status, "participants": 3}


@pytest.mark.parametrize(
    ("status", "kinds"), [("running", []), ("finished", ["finished", "prizes"]), ("cancelled", ["cancelled"])]
)
def test_the_end_of_one_with_prizes_has_another_for_their_ledger(status: str, kinds: list[str]) -> None:
    rows = outbox_rows(played(status, prizes=(PrizeRule(ranks=(1,), item="mug"),)))
    assert [row.kind for row in rows] == kinds
    assert len({row.n for row in rows}) == len(rows)


def test_the_listed_row_is_the_state() -> None:
    state = played("finished", name="Exam", visibility="private", capacity=10, metadata={"a": 1}).state
    state.finished_ms, state.version, state.revision = 2_000, 4, 2
    row = tournament_row(state, 41)
    assert row[:4] == (TOURNAMENT, PARTITION, 50, 41)
    assert (row.name, row.type, row.visibility, row.status) == ("Exam", "scheduled", "private", "finished")
    assert (row.starts_ms, row.ends_ms, row.finished_ms, row.created_ms) == (1_000, 2_000, 2_000, 0)
    assert (row.capacity, row.participants, row.version, row.revision) == (10, 3, 4, 2)
    assert (row.creator, row.dedicated) == (99, False)
    assert msgspec.json.decode(row.spec, type=Spec) == state.spec
