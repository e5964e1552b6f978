"""Erasure: names and groups go, in every status and under all rules; scores, ranks and everybody else stay."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from actors.domain import views
from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.events import Outcome
from actors.domain.fold import apply
from actors.domain.messages import Cancel, End, Erase, Join, Leave, Spec, decode_value, encode_message
from actors.domain.tournament import Tournament
from tests.support.histories import BEGIN_MS, PARTITION, TOURNAMENT, Score, Step, create_of, fold, item_of, items_of

ERASE = Erase(command_id="x", user_id="5", by="9")
ENDS: dict[str, list[Any]] = {"running": [], "finished": [End(command_id="e")], "cancelled": [Cancel(command_id="c")]}


def played(rules: int, *more: Any) -> Tournament:
    boards: Any = ["country"] if rules >= 3 else UNSET
    spec = Spec(name="x", type="scheduled", starts_ms=BEGIN_MS, ends_ms=BEGIN_MS + 10_000, boards=boards)
    given: Any = {"country": "it"} if rules >= 3 else UNSET
    records = [
        create_of(spec, rules_version=rules),
        *(Join(command_id=f"j{user}", user_id=str(user), name=f"User {user}", attributes=given) for user in (5, 6)),
        Score(5, "a", 300),
        Score(6, "b", 200),
        *more,
    ]
    return fold(items_of([Step(BEGIN_MS, record) for record in records]))


def erased(state: Tournament, offset: int = 1000) -> Outcome:
    _, events = apply(state, TOURNAMENT, PARTITION, item_of(offset, Step(BEGIN_MS, ERASE)))
    [outcome] = [event for event in events if isinstance(event, Outcome)]
    return outcome


@pytest.mark.parametrize("rules", [1, 2, 3])
@pytest.mark.parametrize("status", ENDS)
def test_the_name_goes_and_the_rank_stays(status: str, rules: int) -> None:
    state = played(rules, *ENDS[status])
    before, revision = views.rows(state, 0, 10), state.revision
    outcome = erased(state)
    assert (outcome.outcome, outcome.first, outcome.user_id, state.status) == ("applied", True, 5, status)
    wanted = [row | ({"name": None} if row["user_id"] == "5" else {}) for row in before]
    assert views.rows(state, 0, 10) == wanted
    assert [row["name"] for row in wanted] == [None, "User 6"]
    assert (state.offset, state.revision) == (1000, revision + (status != "running"))
    data = encode_snapshot(state)
    assert b"User 5" not in data
    assert encode_snapshot(decode_snapshot(data)) == data
    for groups in state.groups.values():
        assert (groups.of(0), groups.of(1)) == (None, "it")


@pytest.mark.parametrize("status", ENDS)
def test_again_changes_nothing(status: str) -> None:
    state = played(3, *ENDS[status])
    erased(state)
    data, revision = encode_snapshot(state), state.revision
    later = Erase(command_id="y", user_id="5", by="9")
    _, events = apply(state, TOURNAMENT, PARTITION, item_of(2000, Step(BEGIN_MS, later)))
    assert [event.first for event in events if isinstance(event, Outcome)] == [False]
    assert state.revision == revision
    if status != "running":
        assert encode_snapshot(state) == data  # what is over stays untouched


def test_of_one_who_has_left_and_of_one_who_never_came() -> None:
    state = played(3, Leave(command_id="l", user_id="5"))
    assert erased(state).first
    assert b"User 5" not in encode_snapshot(state)
    stranger = Erase(command_id="z", user_id="77")
    _, events = apply(state, TOURNAMENT, PARTITION, item_of(2000, Step(BEGIN_MS, stranger)))
    assert [(e.outcome, e.first) for e in events if isinstance(e, Outcome)] == [("applied", False)]


def test_the_record_comes_back() -> None:
    assert decode_value(encode_message(ERASE)) == ERASE
