"""The table closes up over the disqualified, and opens again for who is reinstated; whenever that is."""

from __future__ import annotations

from actors.domain import shown
from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.messages import Cancel, Disqualify, Reinstate, Tick
from tests.unit.actors.domain.test_fold import END, START, World, reason


def disqualify(world: World, time_ms: int, user: int, why: str = "two accounts") -> str:
    return reason(world.record(time_ms, Disqualify(command_id=world.command_id(), user_id=str(user), reason=why)))


def reinstate(world: World, time_ms: int, user: int) -> str:
    return reason(world.record(time_ms, Reinstate(command_id=world.command_id(), user_id=str(user))))


def race() -> World:
    world = World()
    world.join(600, 1, 2, 3)
    for user in (1, 2, 3):
        world.score(START + user, user, 100 * user)
    return world


def test_the_table_closes_up_and_opens_again() -> None:
    world = race()
    assert disqualify(world, START + 10, 3) == ""
    assert world.table() == [(1, 2, 2), (2, 1, 1)]
    assert world.score(START + 11, 3, 900) == "disqualified"
    assert reinstate(world, START + 12, 3) == ""
    assert world.table() == [(1, 3, 3), (2, 2, 2), (3, 1, 1)]
    assert world.score(START + 13, 3, 900) == ""


def test_nobody_comes_back_by_leaving_and_joining() -> None:
    world = race()
    disqualify(world, START + 10, 3)
    world.leave(START + 11, 3)
    assert world.join(START + 12, 3) == ""
    assert world.table() == [(1, 2, 2), (2, 1, 1)]
    assert world.score(START + 13, 3, 900) == "disqualified"
    world.leave(START + 14, 3)
    reinstate(world, START + 15, 3)
    assert world.table() == [(1, 2, 2), (2, 1, 1)]  # who has left is in no table all the same
    world.join(START + 16, 3)
    assert world.table()[0] == (1, 3, 3)


def test_after_the_end_the_revision_rises() -> None:
    world = race()
    world.record(END, Tick())
    over = encode_snapshot(world.now)
    assert disqualify(world, END + 50, 3) == ""
    assert world.table() == [(1, 2, 2), (2, 1, 1)]
    assert (world.now.revision, world.now.offset, world.now.time_ms) == (1, world.offset, END + 50)
    changed = encode_snapshot(world.now)
    assert disqualify(world, END + 60, 3) == ""  # again, with another command id
    assert disqualify(world, END + 60, 9) == "participant_unknown"
    assert encode_snapshot(world.now) == changed  # to the byte
    assert reinstate(world, END + 70, 3) == ""
    assert (world.now.revision, world.table()[0]) == (2, (1, 3, 3))
    assert encode_snapshot(decode_snapshot(over)) == over


def test_a_command_that_comes_twice_takes_effect_once() -> None:
    world = race()
    world.record(END, Tick())
    message = Disqualify(command_id="once", user_id="3", reason="x")
    assert reason(world.record(END + 1, message)) == ""
    reinstate(world, END + 2, 3)
    assert reason(world.record(END + 3, message)) == "duplicate"
    assert world.table()[0] == (1, 3, 3)


def test_approved_prizes_keep_nobody_in_or_out() -> None:
    """What was paid meanwhile is taken back, or given again, by the ledger."""
    world = race()
    world.record(END, Tick())
    world.now.settled = "approved"
    assert disqualify(world, END + 1, 3) == reinstate(world, END + 2, 3) == ""
    assert decode_snapshot(encode_snapshot(world.now)).settled == "approved"


def test_what_was_cancelled_has_no_table() -> None:
    world = race()
    world.record(START + 10, Cancel(command_id="c"))
    assert disqualify(world, START + 11, 3) == "already_over"


def test_the_reason_is_for_who_it_is_about() -> None:
    world = race()
    disqualify(world, START + 10, 3)
    told = [
        shown.participant(world.now, 3, None, "running", own=own, full=full) or {}
        for own, full in ((True, False), (False, True), (False, False))
    ]
    assert [(each["disqualified"], each.get("reason"), each["rank"]) for each in told] == [
        (True, "two accounts", None),
        (True, "two accounts", None),
        (True, None, None),
    ]
