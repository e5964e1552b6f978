from __future__ import annotations

from typing import Any

import pytest

from actors.domain.read_model_rows import CapturedRows, rows_of
from actors.domain.views import UNPUBLISHED
from actors.owner.entity import Entity
from actors.owner.read_model import entry as module
from actors.owner.read_model.entry import delta_of
from tests.support.histories import TOURNAMENT
from tests.unit.actors.domain.test_read_model_rows import played
from tests.unit.actors.owner.test_entity import EPOCH, scope


def held(status: Any = "running", **spec: Any) -> Entity:
    state = played(**spec)
    state.status, state.offset = status, 50
    entity = Entity(state, scope(), durable_offset=49, previous_ranks={0: 7})
    entity.live.stale = False
    entity.live.seq = 4
    return entity


def test_a_delta_has_the_rows_that_changed_and_what_reads_show() -> None:
    entity = held(visibility="private", ties="dense")
    delta = delta_of(entity, [0, 3], 45)
    assert delta._replace(rows=(), view=b"") == (
        TOURNAMENT,
        EPOCH,
        45,
        50,
        4,
        "running",
        False,
        "dense",
        b"",
        (),
        False,
    )
    assert delta.rows == rows_of(entity.state, [0, 3], {0: 7})  # who left, too
    assert delta.view == entity.view()
    entity.live.stale = True
    assert delta_of(entity, [], 45).seq == UNPUBLISHED


def test_a_whole_has_the_rows_of_all_who_take_part() -> None:
    entity = held()
    delta = delta_of(entity, None, None)
    assert (delta.after, delta.public) == (None, True)
    assert delta.rows == rows_of(entity.state, [0, 1, 2], {0: 7})


def test_a_large_whole_is_captured_and_a_few_rows_of_it_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CAPTURE_ROWS", 3)
    entity = held()
    whole = delta_of(entity, None, None).rows
    assert isinstance(whole, CapturedRows)
    assert list(whole) == rows_of(entity.state, [0, 1, 2], {0: 7})
    assert delta_of(entity, [0], 45).rows == rows_of(entity.state, [0], {0: 7})
    monkeypatch.setattr(module, "CAPTURE_ROWS", 4)
    assert not isinstance(delta_of(entity, None, None).rows, CapturedRows)


@pytest.mark.parametrize(
    ("status", "durable", "finished"),
    [("running", 50, False), ("finished", 49, False), ("finished", 50, True), ("cancelled", 50, True)],
)
def test_nothing_follows_once_its_end_is_durable(status: str, durable: int, finished: bool) -> None:
    entity = held(status)
    entity.durable_offset = durable
    assert delta_of(entity, None, None).finished is finished
