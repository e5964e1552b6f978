"""Invitations are given once, bounded in number, and revoked."""

from __future__ import annotations

from typing import Any

import pytest

from actors.domain.codec import decode_snapshot, encode_snapshot
from actors.domain.errors import InvalidRecordError
from actors.domain.life.invitations import MAX_INVITATIONS
from actors.domain.messages import Cancel, Invite, Join, RevokeInvitation
from tests.unit.actors.domain.test_fold import START, World, reason


def invite(world: World, time_ms: int, invitation: str = "i", **fields: Any) -> str:
    message = Invite(command_id=world.command_id(), invitation=invitation, creator="9", **fields)
    return reason(world.record(time_ms, message))


def revoke(world: World, time_ms: int, invitation: str = "i") -> str:
    return reason(world.record(time_ms, RevokeInvitation(command_id=world.command_id(), invitation=invitation)))


def test_the_same_again_changes_nothing_and_another_is_refused() -> None:
    world = World(visibility="private")
    assert invite(world, 600, uses=2) == ""
    given = world.now.invitations["i"]
    assert invite(world, 700, uses=2) == ""
    assert world.now.invitations == {"i": given}
    assert (given.given_ms, given.by, given.user_id, given.uses, given.used) == (600, "9", 0, 2, 0)
    assert invite(world, 700, uses=3) == "idempotency_conflict"


def test_revoking_ends_it_and_keeps_who_came_by_it() -> None:
    world = World(visibility="private")
    invite(world, 600, uses=2)
    assert world.join(610, 1, invitation="i") == ""
    assert revoke(world, 620) == ""
    assert world.join(630, 2, invitation="i") == "invite_invalid"
    assert world.now.members.slot(1) >= 0
    assert revoke(world, 640) == "invitation_unknown"


def test_their_number_is_bounded_and_what_nobody_can_use_makes_room() -> None:
    world = World(visibility="private")
    for n in range(MAX_INVITATIONS):
        assert invite(world, 600, f"i{n}", expires_ms=900 if n == 7 else None) == ""
    assert invite(world, 700, "more") == "too_many_invitations"
    assert world.join(710, 1, invitation="i3") == ""
    assert invite(world, 720, "more") == ""
    assert "i3" not in world.now.invitations
    assert invite(world, 800, "another") == "too_many_invitations"
    assert invite(world, 900, "another") == ""  # i7 is over
    assert decode_snapshot(encode_snapshot(world.now)).invitations == world.now.invitations


def test_nobody_is_invited_to_what_is_over() -> None:
    world = World(visibility="private")
    invite(world, 600)
    world.record(610, Cancel(command_id="c"))
    assert invite(world, 620, "late") == "already_over"
    assert revoke(world, 620) == "already_over"


@pytest.mark.parametrize("rules", [1, 2])
def test_under_older_rules_they_are_refused(rules: int) -> None:
    world = World(rules_version=rules)
    for message in (
        Invite(command_id="a", invitation="i", creator="9"),
        RevokeInvitation(command_id="b", invitation="i"),
        Join(command_id="c", user_id="1", invitation="i"),
    ):
        assert reason(world.record(START, message)) == "older_rules"
    assert world.join(600, 1) == ""


def test_who_is_invited_is_read_before_anything_changes() -> None:
    world = World()
    before = encode_snapshot(world.now)
    with pytest.raises(InvalidRecordError, match="malformed"):
        world.record(START, Invite(command_id="a", invitation="i", creator="9", user_id="0"))
    assert encode_snapshot(world.now) == before
