"""From the freeze on the public table stands still, by the log's clock; nothing of what happens shows in it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain import shown, views
from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.events import TableFrozen
from actors.domain.life.freeze import is_frozen
from actors.domain.life.freeze import shown as public_state
from actors.domain.messages import Cancel, Disqualify, Reveal, Start, Tick
from actors.domain.read_model_rows import CapturedRows, rows_of
from tests.unit.actors.domain.test_fold import END, START, World, reason

FREEZE_MS = 100
AT = END - FREEZE_MS


def frozen() -> World:
    """1 leads with 3 from 2 with 2; since the freeze 2 has 9, and 3 has joined and scored."""
    world = World(freeze_ms=FREEZE_MS)
    world.join(600, 1, 2)
    world.score(START, 1, 300)
    world.score(AT - 1, 2, 200)
    world.score(AT, 2, 900)
    world.join(AT + 1, 3)
    world.score(AT + 2, 3, 500)
    return world


def table(world: World, status: str = "running", *, full: bool = False) -> list[tuple[int, float]]:
    page = shown.rankings(world.now, 0, 10, None, (), 1, 1, status, full=full)
    assert page is not None
    return [(int(row["user_id"]), row["score"]) for row in page["rows"]]


def participant(world: World, user: int, status: str = "running", **who: bool) -> dict[str, Any]:
    return shown.participant(world.now, user, 7, status, **{"own": False, "full": False, **who}) or {}


@pytest.mark.parametrize("stored", [False, True])
def test_the_public_sees_the_table_as_it_stood(stored: bool) -> None:
    world = frozen()
    if stored:
        world.state = decode_snapshot(encode_snapshot(world.now))
    assert table(world) == [(1, 3), (2, 2)]
    assert table(world, full=True) == [(2, 9), (3, 5), (1, 3)]
    view = shown.view(world.now, 1, 5, "running", full=False)
    assert ([row["score"] for row in view["top"]], view["frozen"], view["position"]["seq"]) == ([3, 2], True, 5)
    full = shown.view(world.now, 1, 5, "running", full=True)
    assert ([row["score"] for row in full["top"]], full["position"]["seq"]) == ([9, 5, 3], views.UNPUBLISHED)


def test_players_see_their_own_score_without_its_rank() -> None:
    world = frozen()
    own = participant(world, 2, own=True)
    assert (own["score"], own["attempts"]) == (9, 2)
    assert (own["rank"], own["previous_rank"], own["percentile"]) == (None, None, None)
    others = participant(world, 2)
    assert (others["score"], others["attempts"], others["rank"], others["previous_rank"]) == (2, 1, 2, None)
    assert (participant(world, 3)["score"], participant(world, 3)["attempts"]) == (None, 0)
    real = participant(world, 2, full=True)
    assert (real["score"], real["rank"], real["previous_rank"]) == (9, 1, 7)


def test_it_is_shown_as_soon_as_it_is_shown_as_finished() -> None:
    world = frozen()
    world.record(END, Tick())
    assert table(world, "running") == [(1, 3), (2, 2)]  # the end is not durable yet
    assert table(world, "finished") == [(2, 9), (3, 5), (1, 3)]
    assert decode_snapshot(encode_snapshot(world.now)).frozen is None


def test_what_is_cancelled_stays_frozen_until_it_is_revealed() -> None:
    world = frozen()
    world.record(AT + 5, Cancel(command_id="c"))
    world.state = decode_snapshot(encode_snapshot(world.now))
    assert table(world, "cancelled") == [(1, 3), (2, 2)]
    assert reason(world.record(AT + 6, Reveal(command_id="r"))) == ""
    assert table(world, "cancelled") == [(2, 9), (3, 5), (1, 3)]
    assert world.now.revision == 1


def test_revealed_is_revealed() -> None:
    world = frozen()
    assert reason(world.record(AT + 5, Reveal(command_id="r"))) == ""
    assert table(world) == [(2, 9), (3, 5), (1, 3)]
    assert world.edit(AT + 6, ends_ms=END + 5_000) == ""
    world.score(END + 4_999, 1, 1_000)
    assert table(world)[0] == (1, 10)
    assert world.edit(END + 4_999, freeze_ms=5) == "edit_not_allowed"


def test_a_later_end_thaws_nothing() -> None:
    world = frozen()
    assert world.edit(AT + 5, ends_ms=END + 5_000) == ""
    assert table(world) == [(1, 3), (2, 2)]
    assert world.edit(AT + 5, freeze_ms=None) == "edit_not_allowed"


def test_who_leaves_or_is_disqualified_goes_at_once() -> None:
    world = frozen()
    world.record(AT + 5, Disqualify(command_id="d", user_id="1", reason="x"))
    assert table(world) == [(2, 2)]
    world.leave(AT + 6, 2)
    assert table(world) == []
    world.join(AT + 7, 2)
    assert table(world) == [(2, 2)]


def test_nothing_of_it_is_in_the_rows_of_a_read_model() -> None:
    world = frozen()
    state = public_state(world.now, "running")
    rows = rows_of(state, [0, 1, 2], {})
    assert [row.score for row in rows] == [300, 200, None]
    assert list(CapturedRows(state, {})) == rows


def test_it_is_exact_in_the_logs_clock_whatever_comes_first() -> None:
    world = World(freeze_ms=FREEZE_MS)
    world.join(600, 1)
    events = world.record(END + 500, Tick())
    assert [type(event).__name__ for event in events] == ["StatusChanged", "TableFrozen", "StatusChanged"]
    world = World(freeze_ms=END)  # from the start on
    assert TableFrozen(2, max(START, 0)) not in world.record(START - 1, Tick())
    world.record(START, Start(command_id="s"))
    assert is_frozen(world.now, "running")
