"""Ends before time, exact in the order of the log."""

from __future__ import annotations

import pytest

from actors.domain.messages import Disqualify, Done, EndsWhen, Reinstate
from tests.unit.actors.domain.test_fold import START, World, changes, reason


def done(world: World, time_ms: int, user: int) -> str:
    return reason(world.record(time_ms, Done(command_id=world.command_id(), user_id=str(user))))


def test_it_ends_when_the_last_one_is_done() -> None:
    world = World(ends_when=EndsWhen(all_done=True), max_attempts=2)
    world.join(600, 1, 2)
    assert done(world, 700, 1) == "not_running"
    world.score(START, 1, 100)
    world.score(START + 1, 1, 200)  # the last attempt
    assert world.now.status == "running"
    assert world.score(START + 2, 1, 300) == "attempts_used"
    assert done(world, START + 3, 2) == ""
    assert (world.now.status, world.now.finished_ms) == ("finished", START + 3)
    assert world.score(START + 3, 1, 400) == "ended"


def test_who_is_done_sends_no_more() -> None:
    world = World()
    world.join(600, 1)
    world.score(START, 1, 100, "a")
    assert done(world, START + 1, 1) == ""
    assert world.score(START + 2, 1, 200) == "done"
    assert world.score(START + 2, 1, 100, "a") == "duplicate"
    assert done(world, START + 3, 9) == "participant_unknown"


@pytest.mark.parametrize("how", ["leave", "disqualify"])
def test_who_is_out_is_not_waited_for(how: str) -> None:
    world = World(ends_when=EndsWhen(all_done=True))
    world.join(600, 1, 2)
    done(world, START, 1)
    if how == "leave":
        events = world.leave(START + 1, 2)
        assert events == ""
    else:
        world.record(START + 1, Disqualify(command_id="d", user_id="2", reason="x"))
    assert world.now.finished_ms == START + 1


def test_nobody_at_all_is_not_everybody() -> None:
    world = World(ends_when=EndsWhen(all_done=True))
    world.join(600, 1)
    world.leave(START, 1)
    assert world.now.status == "running"


def test_whoever_is_reinstated_is_waited_for_again() -> None:
    world = World(ends_when=EndsWhen(all_done=True))
    world.join(600, 1, 2, 3)
    world.record(START, Disqualify(command_id="d", user_id="2", reason="x"))
    world.record(START, Reinstate(command_id="r", user_id="2"))
    done(world, START, 1)
    done(world, START, 3)
    assert world.now.status == "running"
    done(world, START, 2)
    assert world.now.finished_ms == START


@pytest.mark.parametrize(("order", "scores"), [("desc", [400, 500, 499, 700]), ("asc", [600, 500, 501, 300])])
def test_a_race_to_a_target_ends_with_the_last_place(order: str, scores: list[int]) -> None:
    world = World(order=order, ends_when=EndsWhen(target_score=500, count=2))
    world.join(600, 1, 2, 3, 4)
    for user, score in enumerate(scores[:3], start=1):
        assert world.score(START + user, user, score) == ""
    assert world.now.status == "running"
    assert world.score(START + 9, 4, scores[3]) == ""
    assert (world.now.status, world.now.finished_ms) == ("finished", START + 9)
    assert world.score(START + 9, 1, 500) == "ended"


def test_the_record_that_ends_it_tells_so_after_its_own_outcome() -> None:
    world = World(ends_when=EndsWhen(all_done=True))
    world.join(600, 1)
    events = world.record(START, Done(command_id="d", user_id="1"))
    assert [type(event).__name__ for event in events] == ["StatusChanged", "Outcome", "StatusChanged"]
    assert changes(events)[-1] == ("running", "finished", START, "all_done")
