"""Live data: rows that did not change are the same objects, and whether a score may show is never denied wrongly."""

from __future__ import annotations

from random import Random

import pytest

from actors.domain import views
from actors.domain.messages import Join, Spec
from actors.domain.publications import LiveData, LiveRow
from actors.domain.tournament import Tournament
from actors.owner.live import RECENT_UPDATES, Live
from tests.support.histories import BEGIN_MS, Score, Step, create_of, fold, item_of, items_of
from tests.unit.actors.owner.test_owner import SPEC


def running(members: int, spec: Spec = SPEC) -> Tournament:
    joins = [Step(BEGIN_MS, Join(command_id=f"j{u}", user_id=str(u), name=f"n{u}")) for u in range(1, members + 1)]
    return fold(items_of([Step(BEGIN_MS, create_of(spec)), *joins]))


def score(state: Tournament, user: int, hundredths: int) -> int:
    """Apply a score; the member's slot."""
    what = Score(user, f"e{state.offset}", hundredths)
    fold([item_of(state.offset + 1, Step(BEGIN_MS, what))], state)
    return state.members.slot(user)


def rows_of(data: LiveData) -> list[LiveRow]:
    return data["top"]


def test_it_shows_the_table_and_keeps_the_rows_that_did_not_change() -> None:
    state, live = running(5), Live()
    for user in range(1, 6):
        score(state, user, user * 100)
    before = rows_of(live.data_now(state, "running"))
    score(state, 1, 350)
    after = rows_of(live.data_now(state, "running"))
    assert [row["user_id"] for row in before] == ["5", "4", "3", "2", "1"]
    assert [row["user_id"] for row in after] == ["5", "4", "1", "3", "2"]
    kept = {id(row) for row in before}
    assert [id(row) in kept for row in after] == [True, True, False, True, True]
    assert before[4]["score"] == 1.0, "what was told is never changed"


def test_a_new_name_is_a_new_row() -> None:
    state, live = running(2), Live()
    score(state, 1, 100)
    (before,) = rows_of(live.data_now(state, "running"))
    fold([item_of(state.offset + 1, Step(BEGIN_MS, Join(command_id="k", user_id="1", name="new")))], state)
    (after,) = rows_of(live.data_now(state, "running"))
    assert (before["name"], after["name"]) == ("n1", "new")


@pytest.mark.parametrize("order", ["desc", "asc"])
@pytest.mark.parametrize("seed", range(10))
def test_what_changes_the_table_is_never_said_not_to_show(order: str, seed: int) -> None:
    r = Random(seed)
    spec = Spec(
        name="x",
        type="scheduled",
        starts_ms=BEGIN_MS - 1,
        ends_ms=BEGIN_MS + 10**9,
        order=order,  # type: ignore[arg-type]
        score_policy="last",
    )
    state, live = running(2 * views.TOP_ROWS, spec), Live()
    denied = 0
    shown = rows_of(live.data_now(state, "running"))
    for _ in range(600):
        slot = score(state, r.randint(1, 2 * views.TOP_ROWS), r.randint(0, 1000))
        may_show = live.may_show(state, [slot])
        found = rows_of(live.data_now(state, "running"))
        assert may_show or found == shown
        denied += not may_show
        shown = found
    assert denied > 50, "most that do not show are told apart"


def test_only_the_newest_updates_are_kept() -> None:
    live = Live()
    for seq in range(RECENT_UPDATES + 3):
        live.recent.append((seq, b""))
    assert (len(live.recent), live.recent[0][0]) == (RECENT_UPDATES, 3)
