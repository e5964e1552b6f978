"""What is appended within a participant's window counts."""

from __future__ import annotations

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.messages import Begin, Disqualify, Done, ExtraTime, Tick
from tests.unit.actors.domain.test_fold import END, START, World, reason


def test_what_is_appended_within_the_window_counts() -> None:
    world = World(window_ms=50)
    world.join(600, 1, 2)
    assert world.score(START, 1, 100) == "not_begun"
    world.record(START + 10, Begin(command_id="b", user_id="1"))
    assert world.score(START + 10, 1, 100) == ""
    assert world.score(START + 59, 1, 200) == ""
    assert world.score(START + 60, 1, 300) == "window_over"
    assert world.score(START + 60, 2, 300) == "not_begun"
    assert world.table() == [(1, 1, 2)]


def test_the_end_of_all_is_the_end_of_a_window() -> None:
    world = World(window_ms=5_000)
    world.join(600, 1)
    world.record(END - 10, Begin(command_id="b", user_id="1"))
    assert world.score(END - 1, 1, 100) == ""
    assert world.score(END, 1, 200) == "ended"


def extra(world: World, time_ms: int, user: int, extra_ms: int) -> str:
    message = ExtraTime(command_id=world.command_id(), user_id=str(user), extra_ms=extra_ms)
    return reason(world.record(time_ms, message))


def test_extra_time_goes_beyond_the_end_for_one_alone() -> None:
    world = World()
    world.join(600, 1, 2)
    assert extra(world, 700, 1, 300) == ""
    assert world.score(END, 2, 100) == "ended"
    assert world.now.status == "running"
    assert world.score(END + 299, 1, 200) == ""
    assert world.join(END + 299, 3) == "registration_closed"
    assert world.score(END + 300, 1, 300) == "ended"
    assert (world.now.status, world.now.finished_ms, world.now.spec.ends_ms) == ("finished", END + 300, END)
    assert world.table() == [(1, 1, 2)]


def test_extra_time_is_added_to_a_window() -> None:
    world = World(window_ms=50)
    world.join(600, 1, 2)
    extra(world, 700, 1, 20)
    world.record(END - 10, Begin(command_id="a", user_id="1"))
    assert world.score(END + 19, 1, 100) == ""
    assert reason(world.record(END + 19, Begin(command_id="b", user_id="2"))) == "not_running"
    assert world.score(END + 20, 1, 200) == "ended"
    assert world.now.status == "finished"


@pytest.mark.parametrize("how", ["done", "leave", "disqualify", "taken away"])
def test_nobody_is_waited_for_in_vain(how: str) -> None:
    world = World()
    world.join(600, 1, 2)
    extra(world, 700, 1, 300)
    world.state = decode_snapshot(encode_snapshot(world.now))
    world.record(END + 10, Tick())
    assert world.now.status == "running"
    match how:
        case "done":
            world.record(END + 20, Done(command_id="d", user_id="1"))
        case "leave":
            world.leave(END + 20, 1)
        case "disqualify":
            world.record(END + 20, Disqualify(command_id="d", user_id="1", reason="x"))
        case _:
            assert extra(world, END + 20, 1, 0) == ""
    assert (world.now.status, world.now.finished_ms) == ("finished", END + 20)


def test_extra_time_of_an_instant_tournament_counts_from_its_end() -> None:
    world = World(type="instant", capacity=2, duration_ms=100)
    world.join(600, 1)
    extra(world, 600, 1, 50)
    world.join(700, 2)
    assert world.score(849, 1, 100) == ""
    assert world.score(849, 2, 100) == "ended"
    assert world.score(850, 1, 100) == "ended"
    assert extra(world, 900, 1, 5) == "already_over"
