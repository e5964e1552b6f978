"""Who comes in by an invitation: in the log's order, by its clock."""

from __future__ import annotations

from actors.domain.codec import decode_snapshot, encode_snapshot
from tests.unit.actors.domain.commands.test_invitations import invite
from tests.unit.actors.domain.test_fold import START, World


def test_a_single_use_lets_one_in_and_who_is_in_needs_none() -> None:
    world = World(visibility="private")
    invite(world, 600)
    assert world.join(610, 1) == "invite_invalid"
    assert world.join(610, 1, invitation="i") == ""
    assert world.join(620, 1, invitation="i") == ""  # the same call again
    assert world.join(620, 2, invitation="i") == "invite_invalid"
    assert world.now.invitations["i"].used == 1


def test_many_uses_let_so_many_in() -> None:
    world = World(visibility="private")
    invite(world, 600, uses=3)
    assert [world.join(610, user, invitation="i") for user in (1, 2, 3, 4)] == ["", "", "", "invite_invalid"]


def test_one_for_a_user_is_for_nobody_else() -> None:
    world = World(visibility="private")
    invite(world, 600, user_id="2")
    assert world.join(610, 1, invitation="i") == "invite_invalid"
    assert world.join(610, 2, invitation="i") == ""


def test_it_ends_by_the_logs_clock_to_the_millisecond() -> None:
    world = World(visibility="private")
    invite(world, 600, uses=9, expires_ms=700)
    assert world.join(699, 1, invitation="i") == ""
    assert world.join(700, 2, invitation="i") == "invite_invalid"
    assert world.join(650, 3, invitation="i") == "invite_invalid"  # a record's time never goes back


def test_a_join_that_is_refused_uses_nothing() -> None:
    world = World(visibility="private", capacity=1)
    invite(world, 600, uses=2)
    assert world.join(610, 1, invitation="i") == ""
    assert world.join(610, 2, invitation="i") == "tournament_full"
    assert world.now.invitations["i"].used == 1


def test_whoever_was_removed_needs_one_that_was_given_after_that() -> None:
    for visibility in ("private", "public"):
        world = World(visibility=visibility)
        invite(world, 600, "old", uses=9)
        world.join(610, 1, invited=True)
        world.leave(620, 1, removed=True)
        world.state = decode_snapshot(encode_snapshot(world.now))
        assert world.join(630, 1) == "removed"
        assert world.join(630, 1, invitation="old") == "invite_invalid"
        assert world.join(630, 2, invitation="old") == ""
        invite(world, 640, "new", user_id="1")
        assert world.join(650, 1, invitation="new") == ""
        world.leave(660, 1)
        assert world.join(670, 1, invitation="old") == ""  # left by their own will


def test_a_service_brings_back_without_one() -> None:
    world = World()
    world.join(600, 1)
    world.leave(610, 1, removed=True)
    invite(world, 620, "old", uses=9)
    world.leave(630, 1, removed=True)  # removed anew
    assert world.join(START, 1, invitation="old") == "invite_invalid"
    assert world.join(START, 1, invited=True) == ""
    assert world.now.members.removed_at == {}
