"""What clients see of a tournament."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonpatch
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.domain import views
from actors.domain.messages import Join, Leave, Message, Spec
from actors.domain.publications import LiveData, LiveRow, MoveRow, PatchOperation
from actors.domain.tournament import Tournament
from actors.owner.live import Live
from tests.support.histories import Score, Step, create_of, fold, histories, items_of

START = 1_777_626_000_000  # 2026-05-01T09:00:00Z


def tournament(count: int, **fields: Any) -> Tournament:
    """`count` members with ids 1, 2, ... and scores 100, 200, ... hundredths, and one without a score."""
    times: dict[str, Any] = {"starts_ms": START, "ends_ms": START + 3_600_000}
    spec = Spec(**{"name": "Spring exam", "type": "scheduled", **times, **fields})
    users = range(1, count + 2)
    joins = [Join(command_id=f"j{user}", user_id=str(user), name=f"N{user}", invited=True) for user in users]
    scores = [Score(user, "e", 100 * user) for user in users[:-1]]
    steps: list[Message] = [create_of(spec), *joins]
    return fold(items_of([*(Step(START - 5, s) for s in steps), *(Step(START + s.user, s) for s in scores)]))


def test_the_view() -> None:
    state = tournament(30, capacity=1000, max_attempts=5, metadata={"a": 1})
    shown = json.loads(views.encode(views.view(state, 7, 3, state.status)))
    top = shown.pop("top")
    assert shown == {
        "id": "7", "name": "Spring exam", "type": "scheduled", "visibility": "public",
        "starts_at": "2026-05-01T09:00:00.000Z", "ends_at": "2026-05-01T10:00:00.000Z", "duration_s": None,
        "capacity": 1000, "min_participants": 0, "join_until": "end", "order": "desc", "score_policy": "best",
        "ties": "first", "max_attempts": 5, "placement": "shared", "metadata": {"a": 1},
        "created_at": "2026-05-01T08:59:59.995Z", "created_by": "99", "version": 1, "revision": 0,
        "status": "running", "finished_at": None, "participants": 31, "position": {"epoch": 7, "seq": 3, "offset": state.offset},
    }  # fmt: skip
    assert len(top) == 20
    assert top[0] == {"rank": 1, "user_id": "30", "name": "N30", "score": 30, "scored_at": "2026-05-01T09:00:00.030Z"}
    assert [row["rank"] for row in top] == list(range(1, 21))


def test_an_instant_tournament_shows_its_duration() -> None:
    state = fold(items_of([Step(START, create_of(Spec(name="x", type="instant", duration_ms=1500, capacity=2)))]))
    shown = views.view(state, 1, 0, state.status)
    assert (shown["duration_s"], shown["starts_at"], shown["ends_at"]) == (1.5, None, None)
    assert json.dumps(views.decimal_ms(60_000)) == "60"


def test_the_end_is_shown_when_the_owner_says_so() -> None:
    state = tournament(1)
    state.status, state.finished_ms = "finished", START + 9
    assert views.view(state, 1, 1, "running")["finished_at"] is None
    assert views.view(state, 1, 1, "finished")["finished_at"] == "2026-05-01T09:00:00.009Z"


def page(
    state: Tournament, start: int = 0, limit: int = 100, around: int | None = None, users: tuple[int, ...] = ()
) -> Any:
    return views.rankings(state, start, limit, around, users, 5, 6, "running")


def test_pages_follow_each_other_to_the_end() -> None:
    state = tournament(25)
    seen, cursor = [], "0"
    while cursor is not None:
        shown = page(state, int(cursor), 10)
        assert (shown["total"], shown["position"]) == (25, {"epoch": 5, "seq": 6, "offset": state.offset})
        seen += [int(row["user_id"]) for row in shown["rows"]]
        cursor = shown["next_cursor"]
    assert seen == list(range(25, 0, -1))


def test_a_page_beyond_the_end_is_empty() -> None:
    shown = page(tournament(3), 50, 10)
    assert (shown["rows"], shown["next_cursor"]) == ([], None)


@pytest.mark.parametrize(
    ("user", "limit", "ranks"),
    [
        (15, 5, [9, 10, 11, 12, 13]),
        (25, 5, [1, 2, 3, 4, 5]),
        (1, 5, [21, 22, 23, 24, 25]),
        (15, 1, [11]),
        (15, 99, [*range(1, 26)]),
    ],
)
def test_around_a_user(user: int, limit: int, ranks: list[int]) -> None:
    shown = page(tournament(25), limit=limit, around=user)
    assert [row["rank"] for row in shown["rows"]] == ranks
    assert str(user) in [row["user_id"] for row in shown["rows"]]


def test_around_somebody_without_a_rank() -> None:
    state = tournament(3)
    assert page(state, around=4) is None
    assert page(state, around=99) is None


def test_named_users_best_first_and_each_once() -> None:
    shown = page(tournament(25), users=(3, 20, 3, 99, 26, 7))
    assert [(row["rank"], row["user_id"]) for row in shown["rows"]] == [(6, "20"), (19, "7"), (23, "3")]
    assert (shown["total"], shown["next_cursor"]) == (25, None)


def test_a_participant() -> None:
    state = tournament(4)
    assert views.participant(state, 3, 4) == {
        "user_id": "3", "name": "N3", "score": 3, "rank": 2, "previous_rank": 4,
        "percentile": state.ranking.percentile(2), "attempts": 1, "scored_at": "2026-05-01T09:00:00.003Z",
    }  # fmt: skip
    nobody = views.participant(state, 5, None)
    assert nobody is not None
    assert {nobody[key] for key in ("score", "rank", "previous_rank", "percentile", "scored_at")} == {None}
    assert views.participant(state, 99, None) is None


def test_whoever_left_is_not_shown() -> None:
    state = tournament(3)
    last = state.offset
    fold(items_of([Step(START + 9, Leave(command_id="l", user_id="3"))], last + 1), state)
    assert views.participant(state, 3, None) is None
    assert [row["user_id"] for row in views.rows(state, 0, 9)] == ["2", "1"]
    assert views.view(state, 1, 1, "running")["participants"] == 3


def check_patch(before: LiveData, after: LiveData) -> list[PatchOperation]:
    kept = copy.deepcopy((before, after))
    operations = views.patch(before, after)
    assert (before, after) == kept
    sent = json.loads(views.encode(operations))
    assert jsonpatch.apply_patch(json.loads(views.encode(before)), sent) == json.loads(views.encode(after))
    return operations


@given(histories(), st.data())
@settings(max_examples=100, deadline=None)
def test_a_patch_turns_before_into_after(steps: list[Step], data: st.DataObject) -> None:
    items = items_of(steps)
    state = fold(items[:1])
    before = Live().data_now(state, state.status)
    at = 1
    while at < len(items):
        until = at + data.draw(st.integers(1, 12))
        state = fold(items[at:until], state)
        after = Live().data_now(state, state.status)
        operations = check_patch(before, after)
        assert bool(operations) == (before != after)
        before, at = after, until


def live(top: list[tuple[int, int]]) -> LiveData:
    rows: list[LiveRow] = [{"user_id": str(user), "name": None, "score": score} for user, score in top]
    return {
        "status": "running",
        "participants": 5,
        "starts_at": None,
        "ends_at": None,
        "ties": "first",
        "top": rows,
    }


_tables = st.lists(st.tuples(st.integers(1, 25), st.integers(0, 3)), max_size=20, unique_by=lambda row: row[0])


@given(_tables, _tables)
@example([(n, 0) for n in range(20)], [(n, 0) for n in range(19, -1, -1)])
@example([(n, 0) for n in range(20)], [(n, 0) for n in range(20, 40)])
@example([(1, 0), (2, 0), (3, 0)], [(2, 0), (4, 0), (1, 0)])
@settings(max_examples=400, deadline=None)
def test_a_patch_between_any_two_tables(before: list[tuple[int, int]], after: list[tuple[int, int]]) -> None:
    operations = check_patch(live(before), live(after))
    assert len(operations) <= 4 * 20 + 20  # a remove, an add or a move, and two replaces a row at most


def test_one_that_rises_or_falls_is_one_move() -> None:
    rows = [(user, 0) for user in range(1, 21)]
    risen = check_patch(live(rows), live([rows[15], *rows[:15], *rows[16:]]))
    assert [type(operation) for operation in risen] == [MoveRow]
    fallen = check_patch(live(rows), live([*rows[:2], *rows[3:18], rows[2], *rows[18:]]))
    assert [type(operation) for operation in fallen] == [MoveRow]


def test_nothing_changed_is_no_patch() -> None:
    assert views.patch(live([(1, 2)]), live([(1, 2)])) == []


def test_live_data() -> None:
    state = tournament(25, ties="dense")
    data = Live().data_now(state, "running")
    assert len(data["top"]) == views.TOP_ROWS
    assert data["top"][0] == {"user_id": "25", "name": "N25", "score": 25}
    assert {key: value for key, value in data.items() if key != "top"} == {
        "status": "running", "participants": 26, "ties": "dense",
        "starts_at": "2026-05-01T09:00:00.000Z", "ends_at": "2026-05-01T10:00:00.000Z",
    }  # fmt: skip
    assert msgspec.json.decode(views.encode(data)) == data
