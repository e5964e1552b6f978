from __future__ import annotations

import json
from typing import Any

import pytest

from actors.domain import views
from actors.owner.entity import Entity, Scope
from tests.unit.actors.domain.test_tournament import tournament

EPOCH = 40


def scope(**more: Any) -> Scope:
    return Scope(**{"partition": 3, "tournament": 0, "epoch": EPOCH, "watermark": 50, "durable": 50, **more})


def entity(status: Any = "running", offset: int = 50, **more: Any) -> Entity:
    state = tournament()
    state.status, state.offset = status, offset
    made = Entity(state, scope(), **more)
    made.live.stale = False
    return made


@pytest.mark.parametrize(("watermark", "ready"), [(39, False), (40, True), (41, True)])
def test_a_scope_answers_once_it_has_all_before_its_claim(watermark: int, ready: bool) -> None:
    assert scope(watermark=watermark).ready is ready


@pytest.mark.parametrize(
    ("status", "durable", "shown"),
    [
        ("finished", 49, "running"),
        ("finished", 50, "finished"),
        ("cancelled", 0, "cancelled"),
        ("running", 0, "running"),
        ("scheduled", 0, "scheduled"),
    ],
)
def test_it_is_shown_finished_only_once_that_is_durable(status: str, durable: int, shown: str) -> None:
    assert entity(status, durable_offset=durable).status == shown


def test_one_that_runs_is_loaded_at_its_scopes_epoch() -> None:
    state = tournament()
    state.status, state.offset = "running", 50
    loaded = Entity.loaded(state, scope(), rewound=True)
    assert (loaded.position(), loaded.durable_offset, loaded.rewound) == ((EPOCH, 0), 50, True)


@pytest.mark.parametrize("status", ["finished", "cancelled"])
def test_one_that_is_over_is_loaded_beyond_every_position_it_may_have_had(status: Any) -> None:
    """It was held by claims before its end, and published at most as many updates as there are records."""
    state = tournament()
    state.status, state.offset = status, 50
    loaded = Entity.loaded(state, scope(), rewound=False)
    assert loaded.position() == (51, 52)
    assert loaded.status == status
    later = Entity.loaded(state, scope(epoch=90), rewound=False)
    assert later.position() == (90, 52)


def test_the_etag_changes_with_everything_that_is_shown() -> None:
    first = entity()
    assert first.etag() == '"28-32-0-r"'
    tags = {first.etag()}
    for change in ("offset", "seq", "stale", "status", "epoch"):
        changed = entity()
        if change == "offset":
            changed.state.offset += 1
        elif change == "seq":
            changed.live.seq += 1
        elif change == "stale":
            changed.live.stale = True
        elif change == "status":
            changed.state.status, changed.durable_offset = "finished", 50
        else:
            changed.least_epoch = EPOCH + 1
        tags.add(changed.etag())
    assert len(tags) == 6
    assert len({status[0] for status in ("scheduled", "running", "finished", "cancelled")}) == 4


def test_a_read_shows_no_update_while_the_live_data_may_have_changed() -> None:
    held = entity()
    held.live.seq = 7
    assert held.shown_seq == 7
    held.live.stale = True
    assert held.shown_seq == views.UNPUBLISHED
    assert held.position() == (EPOCH, 7)


def test_the_view_is_encoded_once_until_something_changes() -> None:
    held = entity()
    first = held.view()
    assert held.view() is first
    assert json.loads(first)["position"]["seq"] == 0
    held.live.seq = 1
    assert json.loads(held.view())["position"]["seq"] == 1
    held.state.offset += 1
    held.state.members.add(1, "Ann", 0)
    assert json.loads(held.view())["participants"] == 1
    held.state.status, held.durable_offset, held.over_offset = "finished", 0, held.state.offset
    before = held.view()
    assert json.loads(before)["status"] == "running"
    held.durable_offset = held.state.offset
    assert json.loads(held.view())["status"] == "finished"
