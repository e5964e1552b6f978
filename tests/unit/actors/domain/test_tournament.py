from __future__ import annotations

from typing import Any

import pytest

from actors.domain.messages import RULES_VERSION, Spec
from actors.domain.ranking.ranking import Ranking
from actors.domain.tournament import Members, Tournament, multiplier_of
from actors.domain.values import MAX_ID
from tests.support.histories import PARTITION, TOURNAMENT

SALT = b"\x5a" * 16


def tournament(salt: bytes = SALT, **fields: Any) -> Tournament:
    """A scheduled one that nobody has joined."""
    spec = Spec(**{"name": "x", "type": "scheduled", "starts_ms": 1_000, "ends_ms": 2_000, **fields})
    return Tournament(
        tournament_id=TOURNAMENT,
        partition=PARTITION,
        rules_version=RULES_VERSION,
        creator=99,
        dedicated=False,
        salt=salt,
        request_digest="",
        spec=spec,
        created_ms=0,
        time_ms=0,
        offset=0,
        members=Members(multiplier_of(salt)),
        ranking=Ranking(descending=spec.order == "desc", ties=spec.ties),
    )


def test_members_have_slots_in_the_order_of_their_first_join() -> None:
    members = Members(multiplier_of(SALT))
    assert [members.add(user, name, 10) for user, name in ((7, "a"), (MAX_ID, None), (3, "c"))] == [0, 1, 2]
    assert (len(members), members.joined) == (3, 3)
    assert [members.slot(user) for user in (7, MAX_ID, 3, 4)] == [0, 1, 2, -1]
    assert members.names == ["a", None, "c"]
    assert list(members.joined_ms) == [10, 10, 10]
    assert (list(members.attempts), list(members.scored_ms)) == ([0, 0, 0], [0, 0, 0])


def test_who_has_left_has_no_slot_but_keeps_the_place() -> None:
    members = Members(multiplier_of(SALT))
    members.add(7, "a", 10)
    members.active[0] = 0
    assert members.slot(7) == -1
    assert members.users.slot(7) == 0
    members.active[0] = 1
    assert members.slot(7) == 0


@pytest.mark.parametrize(
    ("status", "over", "due_ms"),
    [("scheduled", False, 1_000), ("running", False, 2_000), ("finished", True, None), ("cancelled", True, None)],
)
def test_time_changes_what_is_not_over(status: Any, over: bool, due_ms: int | None) -> None:
    state = tournament()
    state.status = status
    assert (state.over, state.due_ms) == (over, due_ms)


def test_an_instant_one_waits_for_its_members_not_for_a_time() -> None:
    state = tournament(type="instant", starts_ms=5, capacity=2, duration_ms=5)
    assert state.due_ms is None
    state.status = "running"
    assert state.due_ms == 2_000


def test_digests_tell_kinds_users_tokens_and_tournaments_apart() -> None:
    state = tournament()
    digests = {
        state.digest(kind, user, token)
        for kind in (b"e", b"c")
        for user in (0, 1, MAX_ID)
        for token in ("", "a", "ab", "\u00fc")
    }
    assert len(digests) == 24
    assert all(0 <= digest < 2**64 for digest in digests)
    assert tournament(b"other salt").digest(b"e", 1, "a") != state.digest(b"e", 1, "a")


def test_a_digest_is_what_snapshots_hold() -> None:
    """It decides which events have counted: after an upgrade, too."""
    assert tournament().digest(b"e", 1, "a") == 6340935455178162350
    assert multiplier_of(SALT) == 6393898508056880237


def test_multipliers_are_odd_and_secret() -> None:
    many = {multiplier_of(bytes([n])) for n in range(200)}
    assert len(many) == 200
    assert all(multiplier & 1 and 0 < multiplier <= MAX_ID for multiplier in many)
