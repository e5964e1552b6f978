"""A participant begins once, while the tournament runs."""

from __future__ import annotations

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.events import Outcome
from actors.domain.messages import Begin
from tests.unit.actors.domain.test_fold import END, START, World, reason


def begin(world: World, time_ms: int, user: int) -> str:
    return reason(world.record(time_ms, Begin(command_id=world.command_id(), user_id=str(user))))


def test_a_window_begins_once() -> None:
    world = World(window_ms=50)
    world.join(600, 1, 2)
    assert begin(world, START - 1, 1) == "not_running"
    assert begin(world, START + 5, 1) == ""
    (again,) = world.record(START + 9, Begin(command_id="again", user_id="1"))
    assert isinstance(again, Outcome)
    assert (again.outcome, again.first) == ("applied", False)
    assert world.now.members.began_ms == {0: START + 5}
    assert begin(world, START + 9, 3) == "participant_unknown"
    assert begin(world, END, 2) == "not_running"


def test_leaving_and_joining_is_no_second_window() -> None:
    world = World(window_ms=50)
    world.join(600, 1)
    begin(world, START, 1)
    world.leave(START + 1, 1)
    world.join(START + 2, 1)
    assert begin(world, START + 60, 1) == ""
    assert world.score(START + 61, 1, 100) == "window_over"


def test_without_windows_there_is_nothing_to_begin() -> None:
    world = World()
    world.join(600, 1)
    assert begin(world, START, 1) == "no_window"


@pytest.mark.parametrize("rules", [1, 2])
def test_under_older_rules_it_is_refused(rules: int) -> None:
    world = World(rules_version=rules)
    world.join(600, 1)
    assert begin(world, START, 1) == "older_rules"


def test_a_snapshot_keeps_who_began_and_grows_by_them_alone() -> None:
    world, other = World(window_ms=50), World(window_ms=50)
    for each in (world, other):
        each.join(600, 3, 1, 2)
        each.score(START, 3, 5)
    without = encode_snapshot(world.now)
    begin(world, START + 1, 2)
    begin(world, START + 1, 1)
    begin(other, START + 1, 1)
    begin(other, START + 1, 2)
    data = encode_snapshot(world.now)
    assert b"began_ms" in data
    assert b"began_ms" not in without
    assert data == encode_snapshot(other.now)  # whoever was first at the same moment
    members = decode_snapshot(data).members
    assert {members.users.user_id(slot): at for slot, at in members.began_ms.items()} == {1: START + 1, 2: START + 1}
    assert encode_snapshot(decode_snapshot(data)) == data
