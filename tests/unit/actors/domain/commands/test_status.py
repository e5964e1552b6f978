"""Start, end and cancel of tournaments that open others; of all others `test_fold` has it."""

from __future__ import annotations

import pytest

from actors.domain.messages import Cancel, End, Start
from tests.unit.actors.domain.commands.test_family import Parent
from tests.unit.actors.domain.series.test_placing import cohorts
from tests.unit.actors.domain.test_fold import World, reason


def order(world: World, kind: type[Start | End | Cancel]) -> str:
    return reason(world.record(700, kind(command_id=world.command_id())))


@pytest.mark.parametrize("kind", [Start, End])
def test_a_series_is_cancelled_and_nothing_else(kind: type[Start | End]) -> None:
    parent = Parent()
    assert order(parent, kind) == "refused"
    assert order(parent, Cancel) == ""
    assert parent.now.status == "cancelled"


def test_instant_cohorts_start_board_by_board() -> None:
    parent = cohorts(2, type="instant", starts_ms=None, ends_ms=None, duration_ms=50)
    assert order(parent, Start) == "refused"
    assert order(parent, Cancel) == ""


def test_scheduled_cohorts_start_and_end_as_any_other() -> None:
    parent = cohorts(2)
    assert order(parent, Start) == ""
    assert order(parent, End) == ""
