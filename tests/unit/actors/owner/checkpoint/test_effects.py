"""Which events are told, to whom, and that each has a place of its own in the outbox."""

from __future__ import annotations

import pytest

from actors.domain.events import Event, Outcome, StatusChanged
from actors.domain.messages import Invite
from actors.domain.messages.spec import Display
from actors.domain.notices.events import NOTICE_KIND, decode_event
from actors.domain.prizes.rules import PrizeRule
from actors.owner.checkpoint.effects import FIRST_N, effects_of, prizes_effect
from tests.unit.actors.domain.test_fold import World
from tests.unit.actors.owner.checkpoint.test_rows import played

STATE = played(ends_ms=20_000).state


@pytest.mark.parametrize(
    ("event", "name", "details"),
    [
        (StatusChanged(9, "scheduled", "running", 500, "starts_at"), "started", {}),
        (StatusChanged(9, "running", "finished", 500, "ends_at"), "ended", {}),
        (StatusChanged(9, "running", "cancelled", 500, "command"), "cancelled", {"reason": "command"}),
        (
            StatusChanged(9, "scheduled", "cancelled", 500, "too_few_participants"),
            "cancelled",
            {"reason": "too_few_participants"},
        ),
        (StatusChanged(9, "finished", "running", 500, "command"), "reopened", {}),
        (StatusChanged(9, "cancelled", "scheduled", 500, "command"), "reopened", {}),
    ],
)
def test_a_change_of_the_status_is_told_to_all(event: Event, name: str, details: dict[str, str]) -> None:
    [effect] = effects_of(STATE, event, [])
    told = decode_event(effect.payload)
    assert effect[:4] == (STATE.tournament_id, 9, FIRST_N, NOTICE_KIND)
    assert (told.event, told.at_ms, told.user_id, told.details) == (name, 500, 0, details)
    assert (told.name, told.ends_ms) == (STATE.spec.name, STATE.spec.ends_ms)


def test_how_scores_are_shown_goes_along() -> None:
    state = played(ends_ms=20_000, display=Display(unit="time", decimals=0)).state
    [effect] = effects_of(state, StatusChanged(9, "running", "finished", 500, "ends_at"), [])
    assert decode_event(effect.payload).display == Display(unit="time", decimals=0)


def test_an_invitation_is_told_to_whom_it_is_for() -> None:
    """Of what the fold itself says of it; the same again is not told, nor one for whoever brings it."""
    world, told = World(visibility="private"), []
    for time_ms, name, user in ((600, "for-7", 7), (601, "for-7", 7), (602, "for-all", 0)):
        message = Invite(command_id=f"c{time_ms}", invitation=name, creator="9", user_id=str(user) if user else None)
        for event in world.record(time_ms, message):
            told += [decode_event(row.payload) for row in effects_of(world.now, event, [])]
    assert [(each.event, each.user_id, each.at_ms, each.details) for each in told] == [
        ("invited", 7, 600, {"invitation": "for-7"})
    ]


@pytest.mark.parametrize(
    "event",
    [
        Outcome(9, "invite", "applied", user_id=7),  # again
        Outcome(9, "invite", "applied", first=True),  # for whoever has it
        Outcome(9, "join", "applied", user_id=7, first=True),
        Outcome(9, "score", "applied", user_id=7),
    ],
)
def test_other_events_are_not_told(event: Event) -> None:
    assert effects_of(STATE, event, []) == []


def test_effects_of_one_record_have_places_of_their_own() -> None:
    [start] = effects_of(STATE, StatusChanged(9, "scheduled", "running", 500, ""), [])
    [end] = effects_of(STATE, StatusChanged(9, "running", "finished", 600, ""), [start])
    [later] = effects_of(STATE, StatusChanged(10, "finished", "running", 600, ""), [start])
    assert [start.n, end.n, later.n] == [FIRST_N, FIRST_N + 1, FIRST_N]


def test_who_reopens_takes_the_prizes_back() -> None:
    """Of a tournament that was cancelled, and of one without prizes, there are none."""
    with_prizes = played(ends_ms=20_000, prizes=(PrizeRule(ranks=(1,), item="mug"),)).state
    told, settled = effects_of(with_prizes, StatusChanged(9, "finished", "running", 500, "command"), [])
    assert (told.kind, settled) == (NOTICE_KIND, prizes_effect(with_prizes.tournament_id, 9))
    again = effects_of(with_prizes, StatusChanged(9, "running", "finished", 500, "ends_at"), [told, settled])
    assert [(row.kind, row.n) for row in again] == [(NOTICE_KIND, FIRST_N + 1)]
    assert len(effects_of(with_prizes, StatusChanged(9, "cancelled", "running", 500, "command"), [])) == 1
