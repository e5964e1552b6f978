"""A mistaken end or cancel is undone: what counted counts once, and a new end comes."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.messages import Cancel, End, EndsWhen, Reopen, Reveal, Tick
from tests.unit.actors.domain.test_fold import END, START, World, changes, reason


def reopen(world: World, time_ms: int, **fields: Any) -> str:
    return reason(world.record(time_ms, Reopen(command_id=world.command_id(), **fields)))


def ended() -> World:
    world = World()
    world.join(600, 1, 2)
    world.score(START, 1, 100, "a")
    world.record(START + 100, End(command_id="end"))
    assert world.score(START + 101, 2, 500, "b") == "ended"
    return world


@pytest.mark.parametrize("stored", [False, True])
def test_what_counted_before_counts_once(stored: bool) -> None:
    world = ended()
    if stored:
        world.state = decode_snapshot(encode_snapshot(world.now))
    assert reopen(world, START + 200, ends_ms=END + 1_000) == ""
    assert (world.now.status, world.now.revision, world.now.finished_ms) == ("running", 1, None)
    assert world.score(START + 201, 1, 700, "a") == "duplicate"
    assert world.score(START + 202, 2, 500, "b") == ""  # it was ignored, so nothing was counted
    assert reason(world.record(START + 203, End(command_id="end"))) == "duplicate"
    assert world.score(END + 999, 1, 900, "c") == ""
    assert world.score(END + 1_000, 1, 950, "d") == "ended"
    assert world.table() == [(1, 1, 9), (2, 2, 5)]


def test_a_new_end_is_needed_and_lies_ahead() -> None:
    world = ended()
    before = encode_snapshot(world.now)
    assert reopen(world, START + 200) == "invalid"
    assert reopen(world, START + 200, ends_ms=START + 200) == "invalid"
    assert encode_snapshot(world.now) == before
    assert reopen(world, START + 200, ends_ms=START + 201) == ""
    assert reopen(world, START + 200, ends_ms=END) == "not_over"
    assert changes(world.record(START + 201, Tick()))[0][:2] == ("running", "finished")


def test_before_its_start_it_waits_again() -> None:
    world = World()
    world.join(600, 1)
    world.record(700, Cancel(command_id="c"))
    assert reopen(world, 800) == ""
    assert (world.now.status, world.now.spec.starts_ms, world.now.spec.ends_ms) == ("scheduled", START, END)
    assert world.score(START, 1, 100) == ""


def test_in_its_course_it_runs_again() -> None:
    world = World()
    world.join(600, 1)
    world.score(START, 1, 100)
    world.record(START, Cancel(command_id="c"))
    world.state = decode_snapshot(encode_snapshot(world.now))
    assert reopen(world, START + 50, ends_ms=END) == ""
    assert world.now.status == "running"
    assert world.table() == [(1, 1, 1)]


def test_one_without_enough_participants_stays_cancelled() -> None:
    world = World(min_participants=2)
    world.join(600, 1)
    world.record(START, Tick())
    assert world.now.status == "cancelled"
    assert reopen(world, START + 1) == "too_few_participants"


def test_once_prizes_are_approved_the_result_stands() -> None:
    world = ended()
    world.now.settled = "approved"
    assert reopen(world, START + 200, ends_ms=END) == "prizes_approved"


def test_what_ended_it_must_not_end_it_at_once() -> None:
    world = World(ends_when=EndsWhen(target_score=100))
    world.join(600, 1)
    world.score(START, 1, 100)
    assert world.now.status == "finished"
    assert reopen(world, START + 1, ends_ms=END) == "goal_reached"


def test_it_lives_with_the_others_from_then_on() -> None:
    world = ended()
    world.now.dedicated = True
    reopen(world, START + 200, ends_ms=END)
    assert world.now.dedicated is False


def test_it_is_frozen_again_before_the_new_end() -> None:
    world = World(freeze_ms=100)
    world.record(END, Tick())
    reopen(world, END + 1, ends_ms=END + 500)
    assert world.now.frozen is None
    world.record(END + 400, Tick())
    assert world.now.frozen is not None
    assert reason(world.record(END + 401, Reveal(command_id="r"))) == ""
    assert reason(world.record(END + 402, Reveal(command_id="s"))) == "not_frozen"
