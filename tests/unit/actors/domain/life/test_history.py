"""What was ordered is told: by whom, when, and what it changed."""

from __future__ import annotations

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.life.history import MAX_HISTORY
from actors.domain.messages import Cancel, Changes, Edit, End, Start
from actors.domain.tournament import HistoryEntry
from tests.unit.actors.domain.test_fold import END, START, World, reason


def ordered(world: World, time_ms: int, **changes: object) -> str:
    edit = Edit(command_id=world.command_id(), by="7", changes=Changes(**changes))  # type: ignore[arg-type]
    return reason(world.record(time_ms, edit))


def test_it_tells_what_each_command_changed() -> None:
    world = World()
    assert ordered(world, 600, name="other", capacity=None, ends_ms=END + 500) == ""
    world.record(700, Start(command_id="s", by="8"))
    world.record(800, End(command_id="e", by="9"))
    assert world.now.history == [
        HistoryEntry(
            600, "7", "edit",
            {"name": "x", "ends_at": "1970-01-01T00:00:02.000Z"}, {"name": "other", "ends_at": "1970-01-01T00:00:02.500Z"},
        ),
        HistoryEntry(
            700, "8", "start",
            {"status": "scheduled", "starts_at": "1970-01-01T00:00:01.000Z"},
            {"status": "running", "starts_at": "1970-01-01T00:00:00.700Z"},
        ),
        HistoryEntry(
            800, "9", "end",
            {"status": "running", "ends_at": "1970-01-01T00:00:02.500Z"},
            {"status": "finished", "ends_at": "1970-01-01T00:00:00.800Z"},
        ),
    ]  # fmt: skip


def test_what_was_refused_or_has_no_name_is_not_told() -> None:
    world = World()
    world.record(700, End(command_id="e", by="9"))
    world.record(700, Start(command_id="s"))
    world.record(700, Start(command_id="s", by="9"))
    assert world.now.history == []


@pytest.mark.parametrize("rules", [1, 2])
def test_older_rules_keep_none(rules: int) -> None:
    world = World(rules_version=rules)
    world.record(700, Cancel(command_id="c", by="9"))
    assert world.now.status == "cancelled"
    assert world.now.history == []


def test_a_long_value_is_told_by_its_size() -> None:
    world = World()
    ordered(world, 600, metadata={"a": "x" * 490})
    ordered(world, 601, metadata={"a": "x" * 500})
    assert [entry.after["metadata"] for entry in world.now.history] == [{"a": "x" * 490}, "508 bytes"]


def test_it_is_bounded_and_survives_a_snapshot() -> None:
    world = World()
    assert b"history" not in encode_snapshot(world.now)
    for n in range(MAX_HISTORY + 5):
        ordered(world, 600 + n % 2, name=f"n{n}")
    assert len(world.now.history) == MAX_HISTORY
    assert world.now.history[0].after == {"name": "n5"}
    data = encode_snapshot(world.now)
    again = decode_snapshot(data)
    assert again.history == world.now.history
    assert encode_snapshot(again) == data
    assert START < END
